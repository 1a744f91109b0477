namespace Native.Methods;

/// <summary>The old answers as soft labels (Learning without Forgetting, Li and Hoiem 2017, equation 2).</summary>
internal static class SoftAnswers
{
    /// <summary>Cross-entropy of softened answers to a batch, old against new, for each earlier head; tasks that are not told have one head for all that was seen.</summary>
    /// <param name="stream">The tasks.</param>
    /// <param name="task">How many of them are over.</param>
    /// <param name="before">The network at the end of the last of these.</param>
    /// <param name="batch">Items of the present one.</param>
    /// <param name="logits">The new network's answers to it.</param>
    /// <param name="temperature">Softens both.</param>
    public static Tensor Distance(TaskStream stream, int task, NeocortexNet before, Batch batch, Tensor logits, double temperature)
    {
        Tensor old;
        using (Autograd.NoGrad())
            old = before.Forward(batch.X);
        var earlier = stream.Tasks.Take(task).Select(t => t.Outputs);
        IEnumerable<int[]> heads = stream.Scenario == Scenario.TaskIncremental ? earlier : [[.. earlier.SelectMany(o => o).Distinct().Order()]];
        Tensor? sum = null;
        foreach (int[] head in heads)
        {
            var columns = Tensor.From(Array.ConvertAll(head, o => (long)o), [head.Length]);
            var term = -((old.IndexSelect(1, columns) / temperature).Softmax(1) * (logits.IndexSelect(1, columns) / temperature).LogSoftmax(1)).Sum() / batch.Count;
            sum = sum is null ? term : sum + term;
        }
        return sum!;
    }
}
