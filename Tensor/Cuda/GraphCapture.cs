using System.Runtime.CompilerServices;

namespace Native;

/// <summary>Writes numbers of one step, which kernels read from the device.</summary>
internal delegate void StepValues(Span<byte> values);

/// <summary>
/// What is known of a body while it runs for a <see cref="CudaGraph"/>, warming up or being recorded. Whoever depends on numbers of the host that change
/// from step to step (a generator's position, an optimiser's rate) declares them here: they are computed again, in the same order, before every replay.
/// </summary>
internal sealed class GraphCapture(string name, CudaState state, int capacity)
{
    /// <summary>What a body did not do.</summary>
    public const string SameAtEveryRun = "A body must do the same at every run; if it settles later, raise warmup.";

    // Numbers of different ops start on different doubles; the largest vector load is 16 bytes.
    private const int Alignment = 16;

    // Looked at wherever a kernel takes a tensor's address, so it must cost next to nothing while nobody records.
    private static int recordings;

    private readonly List<(int At, int Bytes, StepValues Fill)> _each = [];
    private readonly Dictionary<Storage, (int Generation, int Version)> _touched = new(ReferenceEqualityComparer.Instance);
    private readonly byte[] _values = new byte[capacity];
    private int _used;
    private bool _computing;

    /// <summary>As the user named the graph.</summary>
    public string Name => name;

    public CudaState State => state;

    /// <summary>Bytes of step values so far.</summary>
    public int Used => _used;

    public ReadOnlySpan<byte> Values => _values.AsSpan(0, _used);

    /// <summary>Device address of the step values while recording; 0 in a warm-up, when kernels take them by value.</summary>
    public nint Block { get; set; }

    /// <summary>Whether what is queued is recorded rather than run.</summary>
    public bool Recording => Block != 0;

    /// <summary>The capture of this thread, or null.</summary>
    public static GraphCapture? Current => Ambient.Current.Capture;

    /// <summary>Whether what the host does now would not be done again for a replay.</summary>
    public bool Freezes => !_computing;

    /// <summary>Runs something that changes the host's state, now and, if a graph is being recorded, before each of its replays.</summary>
    public static void Each(Action action)
    {
        // Within another one, which is repeated as a whole.
        if (Current is { _computing: false } capture)
            capture.Each(0, _ => action());
        else
            action();
    }

    /// <summary>
    /// Computes numbers of this step, now and before every replay. Returns the device address at which kernels find them, or 0 in a warm-up: then they are
    /// passed by value, as <paramref name="fill"/> has left them behind for its caller.
    /// </summary>
    public nint Each(int bytes, StepValues fill)
    {
        if (_computing)
            throw OfEachReplay();
        int at = _used;
        _used = (at + bytes + Alignment - 1) / Alignment * Alignment;
        if (!Recording)
        {
            Compute(fill, bytes <= 256 ? stackalloc byte[bytes] : new byte[bytes]);
            return 0;
        }
        if (_used > _values.Length)
            throw new UsageException($"graph '{name}': the recorded run declares {_used} bytes of step values, its warm-up runs {_values.Length}. {SameAtEveryRun}");
        _each.Add((at, bytes, fill));
        Compute(fill, _values.AsSpan(at, bytes));
        return Block + at;
    }

    /// <summary>The step values of one more replay.</summary>
    public void Again()
    {
        foreach (var (at, bytes, fill) in _each)
            Compute(fill, _values.AsSpan(at, bytes));
    }

    /// <summary>An act that no graph can repeat.</summary>
    public UsageException Forbidden(string what, string instead) => new($"{what} inside graph '{name}'. {instead}");

    public static void BeginRecording() => Interlocked.Increment(ref recordings);

    public static void EndRecording() => Interlocked.Decrement(ref recordings);

    /// <summary>Notes memory that a kernel is about to be given, so that a replay can refuse when it has been freed meanwhile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Touch(Tensor t)
    {
        if (recordings != 0)
            Note(t.Storage);
    }

    /// <summary>The memory that outlives the recorded run: where it was, and whether the run changed it.</summary>
    public (List<(Storage Storage, int Generation)> Used, List<Storage> Written) Outside()
    {
        var used = new List<(Storage, int)>();
        var written = new List<Storage>();
        foreach (var (storage, first) in _touched)
        {
            if (!storage.Root.Live || storage.Root.Generation != first.Generation)
                continue;
            used.Add((storage.Root, first.Generation));
            if (storage.Version != first.Version)
                written.Add(storage);
        }
        return (used, written);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Note(Storage storage)
    {
        if (Current is { Recording: true } capture)
        {
            if (capture._computing)
                throw capture.OfEachReplay();
            // A block that was freed and handed out again within the run is another one.
            if (!capture._touched.TryGetValue(storage, out var seen) || seen.Generation != storage.Root.Generation)
                capture._touched[storage] = (storage.Root.Generation, storage.Version);
        }
    }

    // It would be recorded, and queued once more before each replay.
    private UsageException OfEachReplay() => Forbidden("EachReplay: work of the device is queued", "Move it out of EachReplay, into the body.");

    private void Compute(StepValues fill, Span<byte> to)
    {
        _computing = true;
        try
        {
            fill(to);
        }
        finally
        {
            _computing = false;
        }
    }
}
