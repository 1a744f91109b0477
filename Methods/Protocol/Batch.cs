namespace Native.Methods;

/// <summary>
/// Some images or texts with their targets, as bytes (what a memory keeps; images only) and as tensors (what a network takes). The tensors belong to the
/// scope that was open when the batch was made.
/// </summary>
public sealed class Batch
{
    // Added to a logit that must not compete. Finite, so that no infinity enters the graph; exp of it is exactly 0 in f32 and f64.
    private const float Closed = -1e9f;

    /// <summary>Makes the tensors.</summary>
    /// <param name="stream">Scenario and sizes.</param>
    /// <param name="pixels">Bytes, image after image.</param>
    /// <param name="targets">The right output of each image.</param>
    /// <param name="tasks">The task of each image.</param>
    public Batch(TaskStream stream, byte[] pixels, int[] targets, int[] tasks)
    {
        if (pixels.Length != targets.Length * stream.InputSize || tasks.Length != targets.Length)
            throw new ShapeException($"batch: {pixels.Length} bytes, {targets.Length} targets and {tasks.Length} tasks do not agree on images of "
                + $"{stream.InputSize} bytes.");
        (Pixels, Targets, Tasks) = (pixels, targets, tasks);
        X = Tensor.From(stream.Scale.Values(pixels), [Count, stream.InputSize]);
        (Y, Mask) = Answers(stream);
    }

    /// <summary>The same for texts, as numbers of words.</summary>
    /// <param name="stream">Scenario and sizes.</param>
    /// <param name="words">The words of each text.</param>
    /// <param name="targets">The right output of each text.</param>
    /// <param name="tasks">The task of each text.</param>
    public Batch(TaskStream stream, IReadOnlyList<ReadOnlyMemory<int>> words, int[] targets, int[] tasks)
    {
        if (words.Count != targets.Length || tasks.Length != targets.Length)
            throw new ShapeException($"batch: {words.Count} texts, {targets.Length} targets and {tasks.Length} tasks do not agree.");
        (Pixels, Targets, Tasks) = ([], targets, tasks);
        int longest = words.Max(w => w.Length);
        var padded = new long[words.Count * longest];
        for (int i = 0; i < words.Count; i++)
            for (int k = 0; k < words[i].Length; k++)
                padded[i * longest + k] = words[i].Span[k];
        X = Tensor.From(padded, [Count, longest]);
        (Y, Mask) = Answers(stream);
    }

    private (Tensor Y, Tensor? Mask) Answers(TaskStream stream) => (Tensor.From(Array.ConvertAll(Targets, t => (long)t), [Count]),
        stream.Scenario == Scenario.TaskIncremental ? MakeMask(stream, Tasks) : null);

    /// <summary>Number of items.</summary>
    public int Count => Targets.Length;

    /// <summary>The images as bytes, one after the other; empty for texts.</summary>
    public byte[] Pixels { get; }

    /// <summary>The right output of each image.</summary>
    public int[] Targets { get; }

    /// <summary>The task that each image belongs to.</summary>
    public int[] Tasks { get; }

    /// <summary>
    /// Images: f32 [count, pixels], in the stream's <see cref="TaskStream.Scale"/>. Texts: i64 [count, longest], numbers of the <see cref="Vocabulary"/>, filled up with its
    /// <see cref="Vocabulary.Padding"/>.
    /// </summary>
    public Tensor X { get; }

    /// <summary>i64 [count], the right outputs.</summary>
    public Tensor Y { get; }

    /// <summary>f32 [count, outputs] to add to the logits so that only the outputs of each image's task compete; null unless task-incremental.</summary>
    public Tensor? Mask { get; }

    /// <summary>Mean cross-entropy of the logits [count, outputs] against the targets, over the outputs that compete. A scalar.</summary>
    public Tensor Loss(Tensor logits) => Functional.CrossEntropy(Mask is null ? logits : logits + Mask, Y);

    /// <summary>f32 [count, outputs], 0 for the outputs of each item's task and so low elsewhere that they do not compete.</summary>
    internal static Tensor MakeMask(TaskStream stream, int[] tasks)
    {
        var mask = new float[tasks.Length * stream.Outputs];
        Array.Fill(mask, Closed);
        for (int i = 0; i < tasks.Length; i++)
            foreach (int output in stream.Tasks[tasks[i]].Outputs)
                mask[i * stream.Outputs + output] = 0;
        return Tensor.From(mask, [tasks.Length, stream.Outputs]);
    }
}
