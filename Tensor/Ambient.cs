using System.Runtime.CompilerServices;

namespace Native;

/// <summary>What the dispatcher must look at for each operation, as bits of one int: zero means the fast path.</summary>
[Flags]
internal enum Watch
{
    None = 0,
    NanTrap = 1,
    Anomaly = 2,
    Profile = 4,
    Leaks = 8,
    Debug = 16,
    Mutate = 32,

    /// <summary>Every launch of a kernel is printed, and remembered with the line that asked.</summary>
    Launches = 64,
}

/// <summary>
/// Everything an operation needs to know of the thread it runs on, behind one thread-static read: allocator, open scopes,
/// whether operations are recorded, and who is watching. Engines on different threads share nothing.
/// </summary>
internal sealed class Ambient
{
    [ThreadStatic]
    private static Ambient? _current;

    private Storage?[] _owned = new Storage?[256];
    private int _ownedCount;
    private CudaState[] _cuda = [];

    private Ambient()
    {
        Allocator = new CachingAllocator(new HostMemory(), this);
        if (Env.NanTrap.Value)
            Watch |= Watch.NanTrap;
        if (Env.Anomaly.Value)
            Watch |= Watch.Anomaly;
        if (Env.Leaks.Value)
            Watch |= Watch.Leaks;
        if (Env.Debug.Value >= 2)
            Watch |= Watch.Debug;
        if (Env.Debug.Value >= 4)
            Watch |= Watch.Launches;
    }

    public static Ambient Current
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => _current ?? Create();
    }

    /// <summary>The pool of host memory.</summary>
    public CachingAllocator Allocator { get; }

    /// <summary>This thread's stream and pool on a device other than the CPU; made at the first call.</summary>
    public CudaState Cuda(Device device)
    {
        foreach (var state in _cuda)
        {
            if (ReferenceEquals(state.Cuda.Device, device))
                return state;
        }
        return OpenCuda(device);
    }

    /// <summary>The same where it has been made; null where this thread has not used the device.</summary>
    public CudaState? TryCuda(Device device) => Array.Find(_cuda, s => ReferenceEquals(s.Cuda.Device, device));

    [MethodImpl(MethodImplOptions.NoInlining)]
    private CudaState OpenCuda(Device device)
    {
        var made = new CudaState(CudaDevice.Open(device), this);
        _cuda = [.. _cuda, made];
        return made;
    }

    /// <summary>Upper bound on this thread's tensor memory on each device, in bytes, on those not used yet too; 0 for none.</summary>
    public long MemoryLimit
    {
        get => Allocator.Limit;
        set
        {
            Allocator.Limit = value;
            foreach (var state in _cuda)
                state.Lasting.Limit = value;
        }
    }

    /// <summary>The pool of a device's memory.</summary>
    public CachingAllocator AllocatorOf(Device device) => device.IsCpu ? Allocator : Cuda(device).Allocator;

    public TensorScope? Scope { get; set; }

    /// <summary>Whether operations record how to differentiate themselves.</summary>
    public bool Recording { get; set; } = true;

    public Watch Watch { get; set; }

    /// <summary>The graph whose body this thread runs, warming up or recording.</summary>
    public GraphCapture? Capture { get; set; }

    /// <summary>Whether products and convolutions in f32 on a GPU may round their factors to tf32, for its tensor cores.</summary>
    public bool Tf32 { get; set; } = Env.Tf32.Value;

    /// <summary>The node whose derivative is being computed, for messages; null outside a backward pass.</summary>
    public GradNode? Differentiating { get; set; }

    /// <summary>Useful floating-point operations of products and convolutions so far.</summary>
    public long Flops { get; set; }

    /// <summary>Updates of parameters so far.</summary>
    public long OptimizerSteps { get; set; }

    // One order for the whole process, because a graph may be begun on one thread and finished on another.
    private static long sequence;

    /// <summary>The number the next node will get or exceed.</summary>
    public static long NextSequence => Volatile.Read(ref sequence) + 1;

    /// <summary>A number for a new node: later nodes may depend on earlier ones only.</summary>
    public static long TakeSequence() => Interlocked.Increment(ref sequence);

    /// <summary>Recomputation in progress (checkpointing): running statistics must not move a second time.</summary>
    public bool Recomputing { get; set; }

    /// <summary>Index past the newest storage owned by an open scope: a mark to return to.</summary>
    public int Mark => _ownedCount;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Ambient Create() => _current = new Ambient();

    /// <summary>A block owned by the innermost scope, or by the collector when there is none.</summary>
    public Storage Rent(long bytes, Device device)
    {
        var scope = Scope;
        bool scoped = scope is { Owns: true };
        var s = AllocatorOf(device).Rent(bytes, scoped);
        if (scoped)
            Push(s, scope!.Depth);
        if ((Watch & Watch.Leaks) != 0)
            s.AllocatedAt = Environment.StackTrace;
        return s;
    }

    /// <summary>A block that no scope owns.</summary>
    public Storage RentUnscoped(long bytes, Device device)
    {
        var s = AllocatorOf(device).Rent(bytes, scoped: false);
        if ((Watch & Watch.Leaks) != 0)
            s.AllocatedAt = Environment.StackTrace;
        return s;
    }

    /// <summary>Returns a block now, whoever owned it. Slices own nothing and are left alone.</summary>
    public void Release(Storage s)
    {
        if (!s.Live || s.IsSlice)
            return;
        int i = s.StackIndex;
        if (i >= 0 && i < _ownedCount && ReferenceEquals(_owned[i], s))
        {
            _owned[i] = null;
            while (_ownedCount > 0 && _owned[_ownedCount - 1] is null && _ownedCount > (Scope?.Start ?? 0))
                _ownedCount--;
        }
        s.FreedBy = Scope;
        s.Allocator.Return(s);
    }

    /// <summary>Returns every block pushed since a mark that no gradient in flight points at, keeping the others in order.</summary>
    public void ReleaseTemporariesSince(int mark)
    {
        int to = mark;
        for (int i = mark; i < _ownedCount; i++)
        {
            var s = _owned[i];
            if (s is null)
                continue;
            _owned[i] = null;
            // Disposed by another thread: its memory is on its way through the pending queue.
            if (!s.Live)
                continue;
            if (s.EngineRefs > 0)
            {
                Place(s, to++);
                continue;
            }
            s.FreedBy = Scope;
            s.Allocator.Return(s);
        }
        _ownedCount = to;
    }

    /// <summary>Closes a scope: frees what it owns, hands what was kept to the scope outside it.</summary>
    public void Close(TensorScope scope)
    {
        int to = scope.Start;
        for (int i = scope.Start; i < _ownedCount; i++)
        {
            var s = _owned[i];
            _owned[i] = null;
            if (s is null || !s.Live)
                continue;
            if (s.ScopeDepth < scope.Depth)
            {
                Place(s, to++);
                continue;
            }
            s.FreedBy = scope;
            s.Allocator.Return(s);
        }
        _ownedCount = to;
        Scope = scope.Outer;
    }

    /// <summary>Moves a block one scope outward (to the collector from the outermost).</summary>
    public void MoveOutward(Storage s)
    {
        if (Scope is not { } scope || s.ScopeDepth != scope.Depth)
            return;
        if (scope.Outer is { Owns: true } outer)
        {
            s.ScopeDepth = outer.Depth;
            return;
        }
        _owned[s.StackIndex] = null;
        s.ScopeDepth = -1;
        s.StackIndex = -1;
        s.Allocator.Disown(s);
    }

    /// <summary>Bytes by open scope, largest first, for the out-of-memory report.</summary>
    public string DescribeScopes()
    {
        var bytes = new Dictionary<int, long>();
        for (int i = 0; i < _ownedCount; i++)
            if (_owned[i] is { } s)
                bytes[s.ScopeDepth] = bytes.GetValueOrDefault(s.ScopeDepth) + s.Bytes;
        var rows = new List<(long Bytes, string Text)>();
        for (var scope = Scope; scope is not null; scope = scope.Outer)
            if (scope.Owns)
            {
                long b = bytes.GetValueOrDefault(scope.Depth);
                rows.Add((b, $"{scope} holds {CachingAllocator.Size(b)}"));
            }
        long outside = Allocator.Stats.Live - bytes.Values.Sum();
        rows.Add((outside, $"no scope holds {CachingAllocator.Size(outside)}"));
        return string.Join(", ", rows.OrderByDescending(r => r.Bytes).Take(5).Select(r => r.Text));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Push(Storage s, int depth)
    {
        if (_ownedCount == _owned.Length)
            Array.Resize(ref _owned, _owned.Length * 2);
        s.ScopeDepth = depth;
        s.StackIndex = _ownedCount;
        _owned[_ownedCount++] = s;
    }

    private void Place(Storage s, int index)
    {
        _owned[index] = s;
        s.StackIndex = index;
    }
}
