namespace Native;

/// <summary>
/// One block of bytes on one device. Tensors and their views point at it; scopes own it. Storage objects are recycled with their
/// block, so a tensor remembers the <see cref="Generation"/> it was given and every use compares the two.
/// </summary>
internal sealed class Storage
{
    private readonly CachingAllocator _allocator;
    private readonly Storage? _parent;
    private int _version, _sliceVersion;

    public Storage(CachingAllocator allocator, nint pointer, long bytes)
    {
        _allocator = allocator;
        Pointer = pointer;
        Bytes = bytes;
    }

    private Storage(Storage parent, long offset, long bytes)
    {
        _allocator = parent._allocator;
        _parent = parent;
        Pointer = parent.Pointer + (nint)offset;
        Bytes = bytes;
        GC.SuppressFinalize(this);
    }

    // The only finalizer in the library. It never calls a driver: it queues the block for the thread that owns the allocator.
#pragma warning disable MA0055 // See the comment above: the collector is the owner of last resort.
    ~Storage()
#pragma warning restore MA0055
    {
        if (Live)
            _allocator.Abandon(Pointer, Bytes, Unscoped);
    }

    public nint Pointer { get; }

    /// <summary>Capacity: the size class, not what was asked for.</summary>
    public long Bytes { get; }

    public Device Device => _allocator.Device;

    public CachingAllocator Allocator => _allocator;

    /// <summary>True between Rent and Return.</summary>
    public bool Live { get; set; }

    private int _claimed;

    /// <summary>True for the first of several threads that dispose the same tensor.</summary>
    public bool TryClaim() => Live && Interlocked.Exchange(ref _claimed, 1) == 0;

    /// <summary>No scope owns it: the collector does.</summary>
    public bool Unscoped { get; set; }

    /// <summary>Advanced by every return; a tensor of an older generation has been freed.</summary>
    public int Generation { get; private set; }

    /// <summary>Depth of the owning scope and index on the thread's ownership stack; -1 when unscoped.</summary>
    public int ScopeDepth { get; set; } = -1;

    public int StackIndex { get; set; } = -1;

    /// <summary>How many gradients in flight point here: the engine frees what only it can see (see Engine).</summary>
    public int EngineRefs { get; set; }

    /// <summary>Who returned it last, for the message of a later use.</summary>
    public TensorScope? FreedBy { get; set; }

    /// <summary>Where it was allocated; only with NATIVE_LEAKS=1.</summary>
    public string? AllocatedAt { get; set; }

    /// <summary>
    /// Counts in-place changes, so that backward can refuse a saved tensor that has changed since. A slice (one parameter of a
    /// flat block) has its own count: writing one parameter is no change of its neighbours, writing the block changes them all.
    /// </summary>
    public int Version
    {
        get => _version + (_parent is null ? _sliceVersion : _parent._version);
        set
        {
            _version = value;
            _sliceVersion = 0;
        }
    }

    public void BumpVersion()
    {
        _version++;
        if (_parent is not null)
            _parent._sliceVersion++;
    }

    /// <summary>A storage of its own over part of this one's bytes; it keeps the parent alive and owns nothing.</summary>
    public Storage Slice(long offset, long bytes)
    {
        if (offset < 0 || bytes < 0 || offset + bytes > Bytes)
            throw new ShapeException($"slice: bytes {offset}..{offset + bytes} are outside a storage of {Bytes} bytes.");
        return new Storage(this, offset, bytes) { Live = true, Unscoped = true };
    }

    public bool IsSlice => _parent is not null;

    /// <summary>The storage that owns the bytes: this one, or what it is a slice of.</summary>
    public Storage Root => _parent?.Root ?? this;

    /// <summary>Ends this generation; called by the allocator when the block comes back.</summary>
    public void Retire()
    {
        Generation++;
        _claimed = 0;
        EngineRefs = 0;
        AllocatedAt = null;
        ScopeDepth = -1;
        StackIndex = -1;
    }
}
