namespace Native.Methods;

/// <summary>
/// a[i,j]: accuracy on the test set of task j after training phase i, as a fraction. Tasks and phases count from 1, as in the papers; row 0
/// is the network as initialised, which forward transfer needs. Joint training has one phase, so its matrix has two rows.
/// </summary>
public sealed class AccuracyMatrix
{
    private readonly List<double[]> _rows = [];

    /// <summary>An empty matrix for so many tasks.</summary>
    /// <param name="tasks">T, the number of columns.</param>
    /// <param name="joint">Whether the only phase trains on all tasks at once.</param>
    public AccuracyMatrix(int tasks, bool joint = false)
    {
        if (tasks < 1)
            throw new UsageException($"accuracy matrix: there must be at least one task; got {tasks}.");
        (Tasks, Joint) = (tasks, joint);
    }

    /// <summary>T.</summary>
    public int Tasks { get; }

    /// <summary>Whether the tasks were trained together.</summary>
    public bool Joint { get; }

    /// <summary>Training phases that a complete run has: T, or 1 for joint training.</summary>
    public int Phases => Joint ? 1 : Tasks;

    /// <summary>Rows recorded so far, row 0 included.</summary>
    public int Rows => _rows.Count;

    /// <summary>Whether every phase has been recorded.</summary>
    public bool Complete => Rows == Phases + 1;

    /// <summary>a[i,j]; i from 0 (before training) to <see cref="Phases"/>, j from 1 to <see cref="Tasks"/>.</summary>
    public double this[int i, int j] => i >= 0 && i < Rows && j >= 1 && j <= Tasks
        ? _rows[i][j - 1]
        : throw new UsageException($"accuracy matrix: there is no a[{i},{j}]; rows 0 to {Rows - 1} and tasks 1 to {Tasks} are recorded.");

    /// <summary>Row i as stored, for printing.</summary>
    public IReadOnlyList<double> Row(int i) => _rows[i];

    /// <summary>Appends the accuracies on every task after one more phase; the first call is row 0.</summary>
    public void AddRow(params ReadOnlySpan<double> accuracies)
    {
        if (accuracies.Length != Tasks)
            throw new UsageException($"accuracy matrix: a row has {Tasks} accuracies; got {accuracies.Length}.");
        if (Complete)
            throw new UsageException($"accuracy matrix: all {Phases + 1} rows are recorded already.");
        foreach (double a in accuracies)
            if (!(a >= 0 && a <= 1))
                throw new UsageException($"accuracy matrix: {a} is not a fraction from 0 to 1.");
        _rows.Add(accuracies.ToArray());
    }
}
