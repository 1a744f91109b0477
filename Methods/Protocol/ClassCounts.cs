namespace Native.Methods;

/// <summary>
/// How often each class was answered with each output: a confusion matrix over labels (rows) and outputs (columns), filled while testing. Shared
/// outputs (domain-incremental) have fewer columns than rows.
/// </summary>
public sealed class ClassCounts
{
    private readonly long[] _counts;
    private readonly int[] _right;

    /// <summary>No answers yet.</summary>
    /// <param name="right">The right output of each label; -1 for labels that are not tested.</param>
    /// <param name="outputs">Outputs to choose from.</param>
    public ClassCounts(int[] right, int outputs)
    {
        if (outputs < 1 || right.Any(r => r < -1 || r >= outputs))
            throw new UsageException($"class counts: right outputs must be -1 to {outputs - 1}.");
        if ((long)right.Length * outputs > Array.MaxLength)
            throw new UsageException($"class counts: {right.Length} labels x {outputs} outputs are too many to count.");
        (_right, Outputs) = (right, outputs);
        _counts = new long[right.Length * outputs];
    }

    /// <summary>For the labels and outputs of a stream.</summary>
    public static ClassCounts Of(TaskStream stream)
    {
        var right = new int[stream.ClassOrder.Max() + 1];
        for (int label = 0; label < right.Length; label++)
            right[label] = stream.Target(label);
        return new ClassCounts(right, stream.Outputs);
    }

    /// <summary>Labels, from 0.</summary>
    public int Labels => _right.Length;

    /// <summary>Outputs.</summary>
    public int Outputs { get; }

    /// <summary>Answers counted.</summary>
    public long Total => _counts.Sum();

    /// <summary>How often a label got an output.</summary>
    public long this[int label, int output] => _counts[label * Outputs + output];

    /// <summary>Counts one answer.</summary>
    public void Add(int label, int output) => _counts[label * Outputs + output]++;

    /// <summary>Fraction of a label's items that got its own output; n/a for a label without items.</summary>
    public Metric Recall(int label)
    {
        long items = 0;
        for (int o = 0; o < Outputs; o++)
            items += this[label, o];
        return new Metric($"recall{label}", $"recall of class {label}", items == 0 ? null : (double)this[label, _right[label]] / items,
            items == 0 ? "no test item of this class" : null, "right answers / test items of the class");
    }

    /// <summary>
    /// The mean predicted class histogram: the fraction of answers that went to each output. Flat for a fair classifier on equal classes; heaped on
    /// the last task's outputs under recency bias. Null when nothing was counted.
    /// </summary>
    public double[]? Histogram()
    {
        long total = Total;
        if (total == 0)
            return null;
        var histogram = new double[Outputs];
        for (int i = 0; i < _counts.Length; i++)
            histogram[i % Outputs] += (double)_counts[i] / total;
        return histogram;
    }

    /// <summary>The mean recall over labels that have items: accuracy with every class weighing the same.</summary>
    public Metric MeanRecall()
    {
        double[] recalls = [.. Enumerable.Range(0, Labels).Select(Recall).Where(m => m.Value is not null).Select(m => m.Value!.Value)];
        return new Metric("meanRecall", "mean recall", recalls.Length == 0 ? null : recalls.Average(), recalls.Length == 0 ? "no test item was counted" : null,
            "mean over classes of right answers / test items");
    }
}
