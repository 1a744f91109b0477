using System.Runtime.CompilerServices;

namespace Native;

/// <summary>
/// One thread's use of one device: a stream on which everything happens in order, and a pool of memory of its own. Within it no event is needed,
/// since a block that is used again is used later on the same stream.
/// </summary>
internal sealed unsafe class CudaState
{
    private readonly Ambient _owner;
    private readonly List<CachingAllocator> _pools = [];
    private nint _begin, _end;

    public CudaState(CudaDevice device, Ambient owner)
    {
        Cuda = device;
        device.MakeCurrent();
        device.Check(device.Driver.StreamCreate(out nint stream), "creating a stream");
        Stream = stream;
        _owner = owner;
        Allocator = Lasting = NewPool();
        device.CountThread();
    }

    public CudaDevice Cuda { get; }

    public nint Stream { get; }

    /// <summary>The pool in use: a graph puts its own in place while its body runs.</summary>
    public CachingAllocator Allocator { get; set; }

    /// <summary>The pool of what outlives every graph.</summary>
    public CachingAllocator Lasting { get; }

    /// <summary>Whether the host may not read: this thread runs the body of a graph, warming up or recording, or the driver records what it queues.</summary>
    public bool IsCapturing => _owner.Capture is not null || IsRecording;

    /// <summary>Whether what this thread queues is recorded rather than run, and cannot be waited for. Asks the driver.</summary>
    public bool IsRecording
    {
        get
        {
            Cuda.MakeCurrent();
            Cuda.Check(Cuda.Driver.StreamIsCapturing(Stream, out bool capturing), "asking for a capture");
            return capturing;
        }
    }

    private GraphCapture? Recording => _owner.Capture is { Recording: true } capture ? capture : null;

    /// <summary>What was queued last, for messages.</summary>
    public LaunchRing Launches { get; } = new();

    /// <summary>Notes a kernel that is about to be queued; prints it at level 4 of NATIVE_DEBUG. Whether it was printed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Note(string name, DType? dtype, in CudaGrid grid)
    {
        if ((_owner.Watch & Watch.Launches) != 0)
            return NoteAloud(name, dtype, grid);
        Launches.Add(name, dtype, grid);
        return false;
    }

    /// <summary>Runs work that queues on the stream, and waits for it: its time by the device's clock, or null where it was only recorded.</summary>
    public TimeSpan? Time(Action work)
    {
        if (IsRecording)
        {
            work();
            return null;
        }
        Cuda.MakeCurrent();
        var driver = Cuda.Driver;
        if (_begin == 0)
        {
            Cuda.Check(driver.EventCreate(out _begin), "creating an event");
            Cuda.Check(driver.EventCreate(out _end), "creating an event");
        }
        Cuda.Check(driver.EventRecord(_begin, Stream), "recording an event");
        work();
        Cuda.Check(driver.EventRecord(_end, Stream), "recording an event");
        Cuda.Check(driver.EventSynchronize(_end), "waiting for an event");
        Cuda.Check(driver.EventElapsedTime(out float milliseconds, _begin, _end), "reading an event");
        return TimeSpan.FromMilliseconds(milliseconds);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool NoteAloud(string name, DType? dtype, in CudaGrid grid)
    {
        Launches.Add(name, dtype, grid, CallSite.Find());
        DebugLines.Print(4, $"  {(IsRecording ? "record" : "launch")} {Launches.LatestWithOperands}");
        return true;
    }

    /// <summary>What the assembly above keeps with a stream: its handle of matrix products.</summary>
    public object? Attached { get; set; }

    /// <summary>An empty pool of its own, under the limit of all of them together; closed by <see cref="ClosePool"/>.</summary>
    public CachingAllocator NewPool()
    {
        CachingAllocator? pool = null;
        pool = new CachingAllocator(new Memory(this), _owner, () => _pools.Sum(p => ReferenceEquals(p, pool) ? 0 : p.Stats.Live + p.Stats.Cached));
        pool.Limit = _pools.Count > 0 ? Lasting.Limit : _owner.MemoryLimit;
        _pools.Add(pool);
        return pool;
    }

    /// <summary>Gives a pool back; what is live in it goes when it is freed.</summary>
    public void ClosePool(CachingAllocator pool)
    {
        pool.Close();
        _pools.RemoveAll(p => ReferenceEquals(p, pool));
    }

    /// <summary>Waits for everything queued so far.</summary>
    public void Synchronize()
    {
        if (_owner.Capture is { } capture)
            throw capture.Forbidden("synchronize: the host waits for the device", "Wait after Replay().");
        Cuda.MakeCurrent();
        Cuda.Check(Cuda.Driver.StreamSynchronize(Stream), "waiting for the device");
    }

    /// <summary>Device to host; the bytes are there when the call returns.</summary>
    public void Read(nint from, void* to, long bytes)
    {
        if (bytes == 0)
            return;
        if (_owner.Capture is { } capture)
            throw capture.Forbidden("read: a value of the device is read on the host", "Return the tensor from the body and read graph.Output after Replay().");
        Cuda.MakeCurrent();
        Cuda.Check(Cuda.Driver.MemcpyDtoHAsync(to, from, bytes, Stream), "copying to the host");
        Synchronize();
    }

    /// <summary>Host to device; the host's bytes may change when the call returns.</summary>
    public void Write(nint to, void* from, long bytes)
    {
        if (bytes == 0)
            return;
        if (Recording is { } capture)
            throw capture.Forbidden($"write: {bytes} bytes of the host are copied to the device, and would be the same at every replay,", "Make the tensor before the graph, and fill it with CopyFrom before Replay().");
        Cuda.MakeCurrent();
        Cuda.Check(Cuda.Driver.MemcpyHtoDAsync(to, from, bytes, Stream), "copying to the device");
    }

    /// <summary>Within the device, in order on the stream.</summary>
    public void Copy(nint to, nint from, long bytes)
    {
        if (bytes == 0)
            return;
        Cuda.MakeCurrent();
        Note("copy", null, default);
        Cuda.Check(Cuda.Driver.MemcpyDtoDAsync(to, from, bytes, Stream), "copying on the device");
    }

    /// <summary>The device's memory under a pool.</summary>
    private sealed class Memory(CudaState state) : IRawMemory
    {
        private CudaDevice Cuda => state.Cuda;

        public Device Device => Cuda.Device;

        public nint TryAllocate(long bytes)
        {
            if (state.Recording is { } capture)
                throw capture.Forbidden($"memory: {bytes} bytes are needed that no earlier run needed", GraphCapture.SameAtEveryRun);
            Cuda.MakeCurrent();
            var result = Cuda.Driver.MemAlloc(out nint pointer, Math.Max(bytes, 1));
            if (result == CudaResult.OutOfMemory)
                return 0;
            Cuda.Check(result, $"allocating {bytes} bytes");
            return pointer;
        }

        public void Free(nint pointer, long bytes)
        {
            // From the finalizer there is nobody to tell; on the owner's thread a failure here repeats what a launch has reported before.
            if (Cuda.TryMakeCurrent())
                Cuda.Driver.MemFree(pointer);
        }

        public void Fill(nint pointer, long bytes, byte value)
        {
            if (bytes == 0)
                return;
            Cuda.MakeCurrent();
            Cuda.Check(Cuda.Driver.MemsetD8Async(pointer, value, bytes, state.Stream), "filling memory");
        }

        public long Limit(nint pointer, long bytes, long capacity)
        {
            if (Cuda.Driver is not IMemoryGuard guard)
                return capacity;
            guard.Limit(pointer, bytes, state.Stream);
            return bytes;
        }
    }
}
