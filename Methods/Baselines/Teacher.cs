using Native.Nn;

namespace Native.Methods;

/// <summary>
/// The network as it was: a copy with storage of its own, taken when due and never trained. A teacher that shared storage with its student would
/// make distillation a silent no-op.
/// </summary>
internal sealed class Teacher : IDisposable
{
    private readonly int? _lag;
    private bool _taskBegins, _taken;
    private long _iteration;
    private int _task;

    /// <summary>A teacher for networks of <see cref="Classifier.For"/>.</summary>
    /// <param name="stream">Sizes.</param>
    /// <param name="width">As of the student.</param>
    /// <param name="lag">Iterations between copies; null for one at the start of each task (the papers' T = iterations per task).</param>
    public Teacher(TaskStream stream, int width, int? lag)
    {
        if (lag is < 1)
            throw new UsageException($"teacher: a lag of {lag} iterations is none. Give 1 or more, or leave it out for the task's length.");
        Net = Classifier.For(stream, new Generator(0), width);
        _lag = lag;
    }

    public Classifier Net { get; }

    /// <summary>Numbers kept beside the trained network, at 32 bits each; none for a lag of 1, whose copy lives for one step only (ARM, section 4.2.2).</summary>
    public long StorageBits => _lag == 1 ? 0 : 32 * Net.ParameterCount;

    /// <summary>Iterations so far, the present one not counted.</summary>
    public long Iteration => _iteration;

    /// <summary>Index of the present task.</summary>
    public int Task => _task;

    public void BeginTask(StreamTask task) => (_taskBegins, _task) = (true, task.Index);

    /// <summary>Start of an iteration, BEFORE the student learns from its batch: copies the student when due (ARM, algorithm 1, lines 10 and 11, one iteration later).</summary>
    public void Update(Classifier student)
    {
        if (_lag is { } lag ? _iteration % lag == 0 : _taskBegins || !_taken)
        {
            Net.CopyFrom(student);
            _taken = true;
        }
        _taskBegins = false;
    }

    /// <summary>Whether this iteration replays: from iteration <paramref name="from"/> on, or without one from the second task on (ARM, section 4.1).</summary>
    public bool Replays(int? from) => from is { } t ? _iteration >= t : _task > 0;

    /// <summary>End of an iteration.</summary>
    public void Advance() => _iteration++;

    public void Persist(RunState state)
    {
        state.Module("teacher", Net);
        state.Flag("teacher.task_begins", ref _taskBegins);
        state.Flag("teacher.taken", ref _taken);
        state.Number("teacher.iteration", ref _iteration);
        state.Number("teacher.task", ref _task);
    }

    public void Dispose() => Net.Dispose();
}
