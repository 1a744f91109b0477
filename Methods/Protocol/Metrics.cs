namespace Native.Methods;

/// <summary>A figure with its formula, or the reason why there is none. Never a silent zero.</summary>
/// <param name="Key">Name in JSON.</param>
/// <param name="Name">Name in tables.</param>
/// <param name="Value">The figure, a fraction; null when undefined.</param>
/// <param name="Reason">Why it is undefined; null when it is not.</param>
/// <param name="Definition">Formula and source.</param>
public sealed record Metric(string Key, string Name, double? Value, string? Reason, string Definition)
{
    /// <summary>Whether it is a fraction; otherwise it is a count or a size.</summary>
    public bool IsFraction { get; init; } = true;

    /// <summary>A fraction in percent with two decimals, anything else as it is, or <c>n/a: reason</c>.</summary>
    public override string ToString() => Value is { } v ? IsFraction ? $"{100 * v:F2}%" : $"{v:0.####}" : $"n/a: {Reason}";
}

/// <summary>
/// What papers compute from the accuracy matrix a[i,j] (i phases, j tasks, both from 1, T tasks, row 0 before training). Papers use one name
/// for different formulas, so each figure carries its own.
/// </summary>
public static class Metrics
{
    /// <summary>All metrics of a run, in the order of the tables.</summary>
    public static IReadOnlyList<Metric> All(AccuracyMatrix a, Scenario scenario) =>
    [
        AverageAccuracy(a), Forgetting(a), ForgettingWithFinalRow(a), BackwardTransfer(a), BackwardTransferOfCode(a), ForwardTransfer(a, scenario),
        ForwardTransferOfCode(a, scenario), AverageIncrementalAccuracy(a),
    ];

    /// <summary>A_T = 1/T sum over j of a[T,j] (Automatic Recall Machines, eq. 11): a mean over tasks, not over images.</summary>
    public static Metric AverageAccuracy(AccuracyMatrix a) =>
        Define("averageAccuracy", "average accuracy", "A_T = 1/T sum_j a[T,j] (ARM eq. 11; mean over tasks, not images)",
            a.Complete ? null : Unfinished(a), () => Mean(1, a.Tasks, j => a[a.Phases, j]));

    /// <summary>
    /// F_T = 1/(T-1) sum over j below T of (max over 1 &lt;= l &lt; T of a[l,j] - a[T,j]) (Automatic Recall Machines, eq. 12-13, after Chaudhry et al.
    /// 2019). The maximum excludes the final row, so a task that improves last counts negatively.
    /// </summary>
    public static Metric Forgetting(AccuracyMatrix a) =>
        Define("forgetting", "forgetting", "F_T = 1/(T-1) sum_{j<T} (max_{1<=l<T} a[l,j] - a[T,j]) (ARM eq. 12-13; final row excluded from max)",
            NoOrder(a), () => Mean(1, a.Tasks - 1, j => Best(a, j, a.Tasks - 1) - a[a.Tasks, j]));

    /// <summary>The same with the final row inside the maximum, hence never negative (code of Maximally Interfered Retrieval, Aljundi et al. 2019).</summary>
    public static Metric ForgettingWithFinalRow(AccuracyMatrix a) =>
        Define("forgettingMir", "forgetting (MIR)", "1/(T-1) sum_{j<T} (max_{1<=l<=T} a[l,j] - a[T,j]) (MIR; final row included in max, so >= 0)",
            NoOrder(a), () => Mean(1, a.Tasks - 1, j => Best(a, j, a.Tasks) - a[a.Tasks, j]));

    /// <summary>BWT = 1/(T-1) sum over j below T of (a[T,j] - a[j,j]) (Gradient Episodic Memory, Lopez-Paz and Ranzato 2017).</summary>
    public static Metric BackwardTransfer(AccuracyMatrix a) =>
        Define("backwardTransfer", "backward transfer", "BWT = 1/(T-1) sum_{j<T} (a[T,j] - a[j,j]) (GEM)",
            NoOrder(a), () => Mean(1, a.Tasks - 1, j => a[a.Tasks, j] - a[j, j]));

    /// <summary>The same divided by T, as GEM's code (metrics.py) has it: its sum takes in the last task, whose term is 0.</summary>
    public static Metric BackwardTransferOfCode(AccuracyMatrix a) =>
        Define("backwardTransferCode", "backward transfer (GEM's code)", "1/T sum_{j<=T} (a[T,j] - a[j,j]) (GEM metrics.py; (T-1)/T of the paper's)",
            NoOrder(a), () => Mean(1, a.Tasks, j => a[a.Tasks, j] - a[j, j]));

    /// <summary>
    /// FWT = 1/(T-1) sum over j above 1 of (a[j-1,j] - a[0,j]) (Gradient Episodic Memory): what earlier tasks do for a task before it is trained.
    /// </summary>
    public static Metric ForwardTransfer(AccuracyMatrix a, Scenario scenario) =>
        Define("forwardTransfer", "forward transfer", "FWT = 1/(T-1) sum_{j>1} (a[j-1,j] - a[0,j]) (GEM; row 0 = random initialisation)",
            NoOrder(a) ?? (scenario == Scenario.ClassIncremental ? "class-incremental heads cannot answer with a class before its task" : null),
            () => Mean(2, a.Tasks, j => a[j - 1, j] - a[0, j]));

    /// <summary>The same divided by T, as GEM's code (metrics.py) has it: its first term is 0.</summary>
    public static Metric ForwardTransferOfCode(AccuracyMatrix a, Scenario scenario)
    {
        var paper = ForwardTransfer(a, scenario);
        return Define("forwardTransferCode", "forward transfer (GEM's code)", "1/T sum_{j>1} (a[j-1,j] - a[0,j]) (GEM metrics.py; (T-1)/T of the paper's)",
            paper.Reason, () => paper.Value!.Value * (a.Tasks - 1) / a.Tasks);
    }

    /// <summary>A_i after phase i (from 1): 1/i sum over j up to i of a[i,j], the curve that papers draw; its last point is the average accuracy.</summary>
    public static Metric IncrementalAccuracy(AccuracyMatrix a, int phase) =>
        Define($"incrementalAccuracy{phase}", $"average accuracy after task {phase}", "A_i = 1/i sum_{j<=i} a[i,j] (iCaRL; MyGO table 2)",
            a.Joint ? Together : phase < 1 || phase > a.Tasks ? $"there are {a.Tasks} tasks" : phase < a.Rows ? null : Unfinished(a),
            () => Mean(1, phase, j => a[phase, j]));

    /// <summary>The whole curve, point by point.</summary>
    public static IReadOnlyList<Metric> IncrementalCurve(AccuracyMatrix a) => [.. Enumerable.Range(1, a.Tasks).Select(i => IncrementalAccuracy(a, i))];

    /// <summary>1/T sum over i of A_i, with A_i = 1/i sum over j up to i of a[i,j]: the mean of the curve over the stream (Rebuffi et al. 2017).</summary>
    public static Metric AverageIncrementalAccuracy(AccuracyMatrix a) =>
        Define("averageIncrementalAccuracy", "average incremental accuracy", "1/T sum_i A_i, A_i = 1/i sum_{j<=i} a[i,j] (iCaRL)",
            a.Joint ? Together : a.Complete ? null : Unfinished(a), () => Mean(1, a.Tasks, i => Mean(1, i, j => a[i, j])));

    private const string Together = "joint training sees all tasks at once";

    private static string Unfinished(AccuracyMatrix a) => $"the run has {Math.Max(0, a.Rows - 1)} of {a.Phases} phases";

    private static string? NoOrder(AccuracyMatrix a) =>
        a.Joint ? Together
        : a.Tasks < 2 ? "one task has no earlier one"
        : a.Complete ? null : Unfinished(a);

    private static Metric Define(string key, string name, string definition, string? reason, Func<double> value) =>
        new(key, name, reason is null ? value() : null, reason, definition);

    private static double Best(AccuracyMatrix a, int task, int lastRow)
    {
        double best = a[1, task];
        for (int l = 2; l <= lastRow; l++)
            best = Math.Max(best, a[l, task]);
        return best;
    }

    private static double Mean(int from, int to, Func<int, double> term)
    {
        double sum = 0;
        for (int i = from; i <= to; i++)
            sum += term(i);
        return sum / (to - from + 1);
    }
}
