using System.Collections.Concurrent;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Native;

/// <summary>Counters of one allocator; all sizes in bytes.</summary>
/// <param name="Live">Bytes handed out and not yet returned.</param>
/// <param name="Cached">Bytes kept for reuse.</param>
/// <param name="Peak">Highest value of <paramref name="Live"/> since the last reset.</param>
/// <param name="LiveCount">Number of storages handed out.</param>
/// <param name="Fresh">Blocks ever asked from the device: flat in a steady loop.</param>
public readonly record struct MemoryStats(long Live, long Cached, long Peak, long LiveCount, long Fresh);

/// <summary>
/// Pool of blocks of one device, for one thread. Blocks are kept in size classes (four per power of two, so at most 25% is
/// lost) and handed out last-in-first-out, because the block freed last is the one still in the cache.
/// <para>Out-of-memory ladder: pool, pending frees, gen-0 collection, full collection, release of cached blocks, device, exception.</para>
/// </summary>
internal sealed class CachingAllocator(IRawMemory memory, Ambient owner)
{
    // When storages that no scope owns pass this many bytes the collector is nudged: it sees only small managed objects
    // and would otherwise let gigabytes of unreachable tensors pile up (measured: 100 GB without, 256 MiB with).
    private const long UnscopedBudget = 256L << 20;

    private readonly Bin[] _bins = new Bin[64 * 4];
    private readonly ConcurrentQueue<Abandoned> _pending = new();
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private volatile bool _closed;
    private volatile bool _hasPending;
    private long _live, _cached, _peak, _liveCount, _fresh, _unscoped, _nextNudge = UnscopedBudget;

    // The thread that owned this pool is gone and nothing it made is reachable: give the blocks back.
#pragma warning disable MA0055 // See the comment above: the collector is the owner of last resort.
    ~CachingAllocator()
#pragma warning restore MA0055
    {
        _closed = true;
        Trim();
        DrainPending(reuse: false);
    }

    /// <summary>Fills every block handed out with 0xFF, which is NaN in both float types, and limits it to what was asked for: tests find elements nobody wrote.</summary>
    internal static bool Poison { get; set; }

    public Device Device => memory.Device;

    /// <summary>Upper bound on live plus cached bytes; 0 means none.</summary>
    public long Limit
    {
        get;
        set
        {
            // Blocks kept from before would be handed out without asking, and the limit would say nothing.
            field = value;
            Trim();
        }
    } = Env.MemoryLimit.Value << 20;

    public MemoryStats Stats => new(_live, _cached, _peak, _liveCount, _fresh);

    public void ResetPeak() => _peak = _live;

    /// <summary>A block of at least <paramref name="bytes"/> bytes. Contents are undefined.</summary>
    public Storage Rent(long bytes, bool scoped)
    {
        if (_hasPending)
            DrainPending(reuse: true);
        int bin = BinOf(bytes);
        var s = _bins[bin].TryPop();
        if (s is null)
            s = Allocate(bin, bytes);
        else
            _cached -= s.Bytes;
        _live += s.Bytes;
        _liveCount++;
        if (_live > _peak)
            _peak = _live;
        s.Live = true;
        s.Unscoped = !scoped;
        if (!scoped)
            CountUnscoped(s);
        if (Poison)
            memory.Fill(s.Pointer, memory.Limit(s.Pointer, bytes, s.Bytes), 0xFF);
        return s;
    }

    /// <summary>Takes a block back. From another thread it only joins the pending queue.</summary>
    public void Return(Storage s)
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            s.Live = false;
            GC.SuppressFinalize(s);
            Abandon(s.Pointer, s.Bytes, s.Unscoped);
            s.Retire();
            return;
        }
        Count(s.Bytes, s.Unscoped);
        s.Live = false;
        s.Retire();
        s.Version = 0;
        if (_closed)
        {
            GC.SuppressFinalize(s);
            memory.Free(s.Pointer, s.Bytes);
            return;
        }
        _cached += s.Bytes;
        _bins[BinOf(s.Bytes)].Push(s);
    }

    /// <summary>Called by a storage's finalizer: queue the block for the owner thread, or free it when the owner is gone.</summary>
    public void Abandon(nint pointer, long bytes, bool unscoped)
    {
        if (_closed)
        {
            memory.Free(pointer, bytes);
            return;
        }
        _pending.Enqueue(new Abandoned(pointer, bytes, unscoped));
        _hasPending = true;
    }

    /// <summary>From a scope to the collector: the block now counts against the unscoped budget.</summary>
    public void Disown(Storage s)
    {
        s.Unscoped = true;
        CountUnscoped(s);
    }

    public void Zero(Storage s, long bytes) => memory.Fill(s.Pointer, bytes, 0);

    /// <summary>Gives the cached blocks back to the device now, and every other one when it is returned: nobody rents here any more.</summary>
    public void Close()
    {
        _closed = true;
        DrainPending(reuse: false);
        Trim();
    }

    /// <summary>Gives every cached block back to the device.</summary>
    public void Trim()
    {
        foreach (ref var bin in _bins.AsSpan())
            while (bin.TryPop() is { } s)
            {
                _cached -= s.Bytes;
                GC.SuppressFinalize(s);
                memory.Free(s.Pointer, s.Bytes);
            }
    }

    private void Count(long bytes, bool unscoped)
    {
        _live -= bytes;
        _liveCount--;
        if (unscoped)
            _unscoped -= bytes;
    }

    private void DrainPending(bool reuse)
    {
        _hasPending = false;
        while (_pending.TryDequeue(out var a))
        {
            Count(a.Bytes, a.Unscoped);
            if (reuse)
            {
                _cached += a.Bytes;
                _bins[BinOf(a.Bytes)].Push(new Storage(this, a.Pointer, a.Bytes));
            }
            else
            {
                memory.Free(a.Pointer, a.Bytes);
            }
        }
    }

    private void CountUnscoped(Storage s)
    {
        _unscoped += s.Bytes;
        if (_unscoped > _nextNudge)
            Nudge();
    }

    // Dropped storages that have lived through a collection (anybody's: a block waiting in the pool ages too) are found by an older generation's
    // only. So the budget grows only after a full collection, when all that is left is reachable: unscoped bytes never exceed the larger of
    // UnscopedBudget and twice what was reachable then, by more than the block just rented.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Nudge()
    {
        for (int generation = 0; generation <= GC.MaxGeneration; generation++)
        {
            Collect(generation);
            // A quarter of the budget came back: enough to pay for the collection before the next one is due.
            if (_unscoped > _nextNudge / 4 * 3)
                continue;
            _nextNudge = Math.Max(UnscopedBudget, Math.Min(_nextNudge, 2 * _unscoped));
            return;
        }
        _nextNudge = Math.Max(UnscopedBudget, 2 * _unscoped);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Storage Allocate(int bin, long bytes)
    {
        long size = SizeOf(bin);
        if (size < bytes)
            throw Fail(bytes);
        for (int rung = 0; ; rung++)
        {
            if (Limit == 0 || _live + _cached + size <= Limit)
            {
                nint p = memory.TryAllocate(size);
                if (p != 0)
                {
                    _fresh++;
                    return new Storage(this, p, size);
                }
            }
            switch (rung)
            {
                case 0:
                    Trim();
                    break;
                case 1:
                    Collect(0);
                    break;
                case 2:
                    Collect(2);
                    Trim();
                    break;
                default:
                    throw Fail(bytes);
            }
            if (_bins[bin].TryPop() is { } s)
            {
                _cached -= s.Bytes;
                return s;
            }
        }
    }

    private void Collect(int generation)
    {
#pragma warning disable RS0030 // This is the allocator: the one place that may collect.
        GC.Collect(generation);
#pragma warning restore RS0030
        GC.WaitForPendingFinalizers();
        DrainPending(reuse: true);
    }

    private TensorMemoryException Fail(long bytes)
    {
        long largest = 0;
        for (int i = 0; i < _bins.Length; i++)
            if (_bins[i].Count > 0)
                largest = SizeOf(i);
        string limit = Limit == 0 ? "no limit set" : $"limit {Size(Limit)}";
        return new TensorMemoryException(
            $"memory: cannot allocate {Size(bytes)} on {Device}; live {Size(_live)}, cached {Size(_cached)}, largest free block {Size(largest)}, {limit}; " +
            $"{owner.DescribeScopes()}. Use a smaller batch, close a scope earlier, or raise --mem-limit.");
    }

    internal static string Size(long bytes) => bytes switch
    {
        < 1 << 10 => $"{bytes} B",
        < 1 << 20 => $"{bytes / 1024.0:0.#} KiB",
        < 1 << 30 => $"{bytes / 1048576.0:0.#} MiB",
        _ => $"{bytes / 1073741824.0:0.##} GiB",
    };

    // Class 4k+s-1 holds blocks of (4+s) * 2^(k-2) bytes, s = 1..4: 80, 96, 112, 128, 160, ... Everything up to 64 bytes shares the first.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int BinOf(long bytes)
    {
        if (bytes <= 64)
            return 0;
        int k = BitOperations.Log2((ulong)(bytes - 1));
        return 4 * k + (int)((bytes - 1) >> (k - 2)) - 4;
    }

    private static long SizeOf(int bin) => bin == 0 ? 64 : (long)(5 + (bin & 3)) << ((bin >> 2) - 2);

    private readonly record struct Abandoned(nint Pointer, long Bytes, bool Unscoped);

    // A stack of free blocks. The arrays are reused, so a steady loop allocates nothing.
    private struct Bin
    {
        private Storage?[]? _items;
        public int Count;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Storage? TryPop()
        {
            if (Count == 0)
                return null;
            var s = _items![--Count];
            _items[Count] = null;
            return s;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Push(Storage s)
        {
            if (_items is null || Count == _items.Length)
                Array.Resize(ref _items, Math.Max(8, Count * 2));
            _items[Count++] = s;
        }
    }
}
