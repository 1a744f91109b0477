using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>Sums over a channel, and what is then done with every element of it.</summary>
internal unsafe interface IChannelPlan<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>How many sums each block of a channel has.</summary>
    static abstract int Sums { get; }

    /// <summary>
    /// The sums of one channel over a block: <paramref name="rows"/> segments of <paramref name="n"/> elements, the first at offset
    /// <paramref name="at"/>. They go to to[0], to[step], ...
    /// </summary>
    void Block(long at, long n, long stride, long rows, long channel, T* to, long step);

    /// <summary>The same for a block of [N,C]: <paramref name="n"/> neighbouring channels have their sums at to[0..n), to[step..step+n), ...</summary>
    void Columns(long at, long n, long stride, long rows, long channel, T* to, long step);

    /// <summary>Turns the sums of all blocks of a channel into results and coefficients.</summary>
    void Finish(in BlockSums<T> sums, long channel);

    /// <summary>Writes one channel of a block.</summary>
    void Segments(long at, long n, long stride, long rows, long channel);

    /// <summary>Writes <paramref name="n"/> neighbouring channels of one row of [N,C].</summary>
    void Row(long at, long n, long channel);
}

/// <summary>The sums of one channel's blocks, which all count the same number of elements, but for the last.</summary>
internal readonly unsafe struct BlockSums<T>(T* first, long step, long blocks, long full, long last) where T : unmanaged, IFloatingPointIeee754<T>
{
    public long Blocks => blocks;

    public double At(int sum, long block, int sums) => double.CreateTruncating(first[(block * sums + sum) * step]);

    public long Elements(long block) => block == blocks - 1 ? last : full;

    /// <summary>Added in the order of the blocks, in double precision.</summary>
    public double Total(int sum, int sums)
    {
        double total = 0;
        for (long block = 0; block < blocks; block++)
            total += At(sum, block, sums);
        return total;
    }
}

/// <summary>
/// The walk over [batch, channels, length] that batch normalisation makes, once for the sums and once for the result, both along memory: going
/// channel by channel would read from the second-level cache but measures slower. Blocks of rows are summed on their own, which bounds the
/// rounding error; they depend on the shape alone.
/// </summary>
internal unsafe struct ChannelWalk<T, P> : IJob
    where T : unmanaged, IFloatingPointIeee754<T>
    where P : struct, IChannelPlan<T>
{
    // Elements of a channel in a block, at least, and rows where every channel has one element in each.
    private const long BlockElements = 256, BlockRows = 64;

    // With fewer blocks than this, the channels are cut too.
    private const long FewBlocks = 16;

    private readonly long _batch, _channels, _length, _rows, _blocks, _group;
    private readonly T* _sums;
    private P _plan;
    private Pass _pass;
    private int _chunks;

    private ChannelWalk(long batch, long channels, long length, in P plan)
    {
        (_batch, _channels, _length, _plan) = (batch, channels, length, plan);
        _rows = length == 1 ? BlockRows : Math.Max(1, BlockElements / length);
        _blocks = Chunks.CeilDiv(batch, _rows);
        // Whole vectors of coefficients.
        _group = Chunks.CeilDiv(Chunks.CeilDiv(channels, Chunks.CeilDiv(FewBlocks, _blocks)), Lanes.Count) * Lanes.Count;
        _sums = Scratch.Get<T>(Scratch.Slot.Reduce, _blocks * P.Sums * channels);
    }

    private enum Pass
    {
        Sum,
        Finish,
        Write,
    }

    private readonly long Groups => Chunks.CeilDiv(_channels, _group);

    public static void Run(long batch, long channels, long length, in P plan)
    {
        var walk = new ChannelWalk<T, P>(batch, channels, length, plan);
        walk.Run(Pass.Sum, walk._blocks * walk.Groups, batch * channels * length);
        walk.Run(Pass.Finish, channels, walk._blocks * P.Sums * channels);
        walk.Run(Pass.Write, walk._blocks * walk.Groups, batch * channels * length);
    }

    private void Run(Pass pass, long units, long work)
    {
        (_pass, _chunks) = (pass, (int)Math.Min(units, Workers.Chunks(work, Chunks.Grain)));
        Workers.Run(_chunks, ref this);
    }

    public readonly void Run(int chunk)
    {
        if (_pass == Pass.Finish)
        {
            Finish(Workers.Start(_channels, _chunks, chunk), Workers.Start(_channels, _chunks, chunk + 1));
            return;
        }
        // What was summed last is written first: it may still be in the cache.
        if (_pass == Pass.Write)
            chunk = _chunks - 1 - chunk;
        long units = _blocks * Groups, end = Workers.Start(units, _chunks, chunk + 1);
        for (long unit = Workers.Start(units, _chunks, chunk); unit < end; unit++)
        {
            long block = unit / Groups, first = unit % Groups * _group, count = Math.Min(_group, _channels - first);
            if (_pass == Pass.Sum)
                Sum(block, first, count);
            else
                Write(block, first, count);
        }
    }

    private readonly void Sum(long block, long first, long count)
    {
        long row = block * _rows, rows = Math.Min(_rows, _batch - row), stride = _channels * _length;
        T* to = _sums + block * P.Sums * _channels + first;
        if (_length == 1)
        {
            _plan.Columns(row * stride + first, count, stride, rows, first, to, _channels);
            return;
        }
        for (long c = 0; c < count; c++)
            _plan.Block(row * stride + (first + c) * _length, _length, stride, rows, first + c, to + c, _channels);
    }

    private readonly void Finish(long first, long end)
    {
        long full = _rows * _length, last = (_batch - (_blocks - 1) * _rows) * _length;
        for (long c = first; c < end; c++)
            _plan.Finish(new BlockSums<T>(_sums + c, _channels, _blocks, full, last), c);
    }

    private readonly void Write(long block, long first, long count)
    {
        long row = block * _rows, rows = Math.Min(_rows, _batch - row), stride = _channels * _length, at = row * stride + first * _length;
        if (_length == 1)
            for (long r = 0; r < rows; r++)
                _plan.Row(at + r * stride, count, first);
        else
            for (long c = 0; c < count; c++)
                _plan.Segments(at + c * _length, _length, stride, rows, first + c);
    }
}

// The sums that plans are made of: four vectors of lanes, filled in an order that the shape decides.
internal static unsafe partial class NormKernels
{
    /// <summary>The sum of F over rows of n elements, stride apart.</summary>
    private static T Sum<T, F>(T* a, T* b, long n, long stride, long rows, T k) where T : unmanaged, IFloatingPointIeee754<T> where F : struct, ITerm<T>
    {
        int w = Vector512<T>.Count;
        var kk = Vector512.Create(k);
        Vector512<T> s0 = Vector512<T>.Zero, s1 = s0, s2 = s0, s3 = s0;
        long whole = n / w * w;
        T* x = a, y = b;
        // Short segments give no room for four sums side by side; four rows do.
        for (long first = 0; n < 4 * w && first < whole; first += w)
        {
            x = a + first;
            y = b + first;
            long row = 0;
            for (; row + 4 <= rows; row += 4, x += 4 * stride, y += 4 * stride)
            {
                s0 += F.Of(Vector512.Load(x), Vector512.Load(y), default, kk);
                s1 += F.Of(Vector512.Load(x + stride), Vector512.Load(y + stride), default, kk);
                s2 += F.Of(Vector512.Load(x + 2 * stride), Vector512.Load(y + 2 * stride), default, kk);
                s3 += F.Of(Vector512.Load(x + 3 * stride), Vector512.Load(y + 3 * stride), default, kk);
            }
            for (; row < rows; row++, x += stride, y += stride)
                s0 += F.Of(Vector512.Load(x), Vector512.Load(y), default, kk);
        }
        for (long row = 0; n >= 4 * w && row < rows; row++, x += stride, y += stride)
        {
            long i = 0;
            for (; i + 4 * w <= n; i += 4 * w)
            {
                s0 += F.Of(Vector512.Load(x + i), Vector512.Load(y + i), default, kk);
                s1 += F.Of(Vector512.Load(x + i + w), Vector512.Load(y + i + w), default, kk);
                s2 += F.Of(Vector512.Load(x + i + 2 * w), Vector512.Load(y + i + 2 * w), default, kk);
                s3 += F.Of(Vector512.Load(x + i + 3 * w), Vector512.Load(y + i + 3 * w), default, kk);
            }
            for (; i + w <= n; i += w)
                s0 += F.Of(Vector512.Load(x + i), Vector512.Load(y + i), default, kk);
        }
        s0 = (s0 + s1) + (s2 + s3);
        if (whole < n)
            s0 += Tails<T, F>(a + whole, b + whole, n - whole, stride, rows, kk);
        return Lanes.Tree(s0, Vector512<T>.Zero);
    }

    // Apart, because the calls in it would cost the loop above its registers.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector512<T> Tails<T, F>(T* a, T* b, long left, long stride, long rows, Vector512<T> k)
        where T : unmanaged, IFloatingPointIeee754<T> where F : struct, ITerm<T>
    {
        var sum = Vector512<T>.Zero;
        var valid = Lanes.FirstLanes<T>(left);
        for (long row = 0; row < rows; row++, a += stride, b += stride)
            sum += F.Of(Lanes.Load(a, left, T.Zero), Lanes.Load(b, left, T.Zero), default, k) & valid;
        return sum;
    }

    /// <summary>The sums of F over the rows of n columns, one lane each.</summary>
    private static void ColumnSums<T, F>(T* a, T* b, long n, long stride, long rows, T* k, T* to) where T : unmanaged, IFloatingPointIeee754<T> where F : struct, ITerm<T>
    {
        int w = Vector512<T>.Count;
        long i = 0;
        for (; i + 4 * w <= n; i += 4 * w)
        {
            Vector512<T> s0 = Vector512<T>.Zero, s1 = s0, s2 = s0, s3 = s0;
            Vector512<T> k0 = Vector512.Load(k + i), k1 = Vector512.Load(k + i + w), k2 = Vector512.Load(k + i + 2 * w), k3 = Vector512.Load(k + i + 3 * w);
            T* x = a + i, y = b + i;
            for (long row = 0; row < rows; row++, x += stride, y += stride)
            {
                s0 += F.Of(Vector512.Load(x), Vector512.Load(y), default, k0);
                s1 += F.Of(Vector512.Load(x + w), Vector512.Load(y + w), default, k1);
                s2 += F.Of(Vector512.Load(x + 2 * w), Vector512.Load(y + 2 * w), default, k2);
                s3 += F.Of(Vector512.Load(x + 3 * w), Vector512.Load(y + 3 * w), default, k3);
            }
            s0.Store(to + i);
            s1.Store(to + i + w);
            s2.Store(to + i + 2 * w);
            s3.Store(to + i + 3 * w);
        }
        for (; i < n; i += w)
        {
            long left = n - i;
            Vector512<T> sum = Vector512<T>.Zero, kk = Lanes.At(k + i, left);
            for (long row = 0; row < rows; row++)
                sum += F.Of(Lanes.At(a + row * stride + i, left), Lanes.At(b + row * stride + i, left), default, kk);
            Lanes.Put(sum, to + i, left);
        }
    }

    private static T Sum<T>(T* a, long n, long stride, long rows) where T : unmanaged, IFloatingPointIeee754<T> =>
        Sum<T, Lanes.First<T>>(a, a, n, stride, rows, T.Zero);

    private static void ColumnSums<T>(T* a, long n, long stride, long rows, T* to) where T : unmanaged, IFloatingPointIeee754<T> =>
        ColumnSums<T, Lanes.First<T>>(a, a, n, stride, rows, a, to);

    /// <summary>(a - k)^2.</summary>
    internal readonly struct Square<T> : ITerm<T> where T : unmanaged
    {
        public static Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> k) => (a - k) * (a - k);
    }

    /// <summary>a (b - k).</summary>
    internal readonly struct Deviation<T> : ITerm<T> where T : unmanaged
    {
        public static Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> k) => a * (b - k);
    }

    /// <summary>a b.</summary>
    internal readonly struct Product<T> : ITerm<T> where T : unmanaged
    {
        public static Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> k) => a * b;
    }
}
