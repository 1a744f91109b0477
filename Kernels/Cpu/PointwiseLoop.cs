using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>The one loop of all pointwise kernels. Vectors of 64 bytes on every instruction set, tails through the same code.</summary>
internal static unsafe class PointwiseLoop
{
    // Below this many elements waking a second thread costs more than it saves.
    private const long Grain = 8192;

    // Elements gathered at a time from an input whose stride is neither 0 nor 1: fits the first-level cache three times.
    private const int Block = 1024;

    public static void Run<T, F>(Tensor y, Tensor a, Tensor? b, Tensor? c, T p, T q)
        where T : unmanaged, INumber<T> where F : struct, IPointwiseFn
    {
        long n = y.Count;
        if (n == 0)
            return;
        if (Flat(a, n) && (F.Arity < 2 || Flat(b!, n)) && (F.Arity < 3 || Flat(c!, n)))
        {
            var job = new FlatJob<T, F>
            {
                Y = y.Data<T>(),
                A = a.Data<T>(),
                B = F.Arity < 2 ? null : b!.Data<T>(),
                C = F.Arity < 3 ? null : c!.Data<T>(),
                SA = a.Count == n ? 1 : 0,
                SB = b?.Count == n ? 1 : 0,
                SC = c?.Count == n ? 1 : 0,
                N = n,
                P = p,
                Q = q,
            };
            if (n <= Grain)
            {
                job.Range(0, n);
                return;
            }
            job.Chunks = Workers.Chunks(n, Grain);
            Workers.Run(job.Chunks, ref job);
            return;
        }
        RunStrided<T, F>(y, a, b, c, p, q);
    }

    private static bool Flat(Tensor t, long n) => t.Count == 1 || (t.Layout.IsDense && t.Count == n);

    private static void RunStrided<T, F>(Tensor y, Tensor a, Tensor? b, Tensor? c, T p, T q)
        where T : unmanaged, INumber<T> where F : struct, IPointwiseFn
    {
        var job = new RowsJob<T, F> { Y = y.Data<T>(), P = p, Q = q };
        job.A = a.Data<T>();
        job.B = b is null ? null : b.Data<T>();
        job.C = c is null ? null : c.Data<T>();
        job.Grid = new RowGrid(y.Layout, a.Layout, b?.Layout, c?.Layout);
        job.Chunks = y.Count <= Grain ? 1 : Math.Min(Workers.Chunks(y.Count, Grain), (int)Math.Min(job.Grid.Rows, 64));
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>n elements; strides are 0 or 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Loop<T, F>(T* y, T* a, long sa, T* b, long sb, T* c, long sc, long n, T p, T q)
        where T : unmanaged, INumber<T> where F : struct, IPointwiseFn
    {
        int w = Vector512<T>.Count;
        Vector512<T> vp = Vector512.Create(p), vq = Vector512.Create(q);
        Vector512<T> va = sa == 0 ? Vector512.Create(*a) : default;
        Vector512<T> vb = F.Arity > 1 && sb == 0 ? Vector512.Create(*b) : default;
        Vector512<T> vc = F.Arity > 2 && sc == 0 ? Vector512.Create(*c) : default;
        long i = 0;
        for (; i + w <= n; i += w)
        {
            if (sa != 0)
                va = Vector512.Load(a + i);
            if (F.Arity > 1 && sb != 0)
                vb = Vector512.Load(b + i);
            if (F.Arity > 2 && sc != 0)
                vc = Vector512.Load(c + i);
            F.Invoke(va, vb, vc, vp, vq).Store(y + i);
        }
        if (i == n)
            return;
        int rest = (int)(n - i);
        if (sa != 0)
            va = Partial(a + i, rest);
        if (F.Arity > 1 && sb != 0)
            vb = Partial(b + i, rest);
        if (F.Arity > 2 && sc != 0)
            vc = Partial(c + i, rest);
        var last = F.Invoke(va, vb, vc, vp, vq);
        Unsafe.CopyBlockUnaligned(y + i, &last, (uint)(rest * sizeof(T)));
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector512<T> Partial<T>(T* x, int count) where T : unmanaged
    {
        // Ones, not zeros, in the unused lanes: an integer division must not fault there.
        Vector512<T> v = Vector512<T>.One;
        Unsafe.CopyBlockUnaligned(&v, x, (uint)(count * sizeof(T)));
        return v;
    }

    private struct FlatJob<T, F> : IJob where T : unmanaged, INumber<T> where F : struct, IPointwiseFn
    {
        public T* Y, A, B, C;
        public long SA, SB, SC, N;
        public T P, Q;
        public int Chunks;

        public void Run(int chunk) => Range(Edge(chunk), Edge(chunk + 1));

        // Chunk edges on whole cache lines, so that no two threads write one.
        private readonly long Edge(int chunk) => chunk == Chunks ? N : Workers.Start(N, Chunks, chunk) / 64 * 64;

        public readonly void Range(long from, long to)
        {
            T* a = A + from * SA, b = B + from * SB, c = C + from * SC;
            if (SA == 1 && (F.Arity < 2 || SB == 1) && (F.Arity < 3 || SC == 1))
                Loop<T, F>(Y + from, a, 1, b, 1, c, 1, to - from, P, Q);
            else
                Loop<T, F>(Y + from, a, SA, b, SB, c, SC, to - from, P, Q);
        }
    }

    private struct RowsJob<T, F> : IJob where T : unmanaged, INumber<T> where F : struct, IPointwiseFn
    {
        public T* Y, A, B, C;
        public T P, Q;
        public RowGrid Grid;
        public int Chunks;

        public readonly void Run(int chunk)
        {
            T* buffer = stackalloc T[3 * Block];
            long from = Workers.Start(Grid.Rows, Chunks, chunk), to = Workers.Start(Grid.Rows, Chunks, chunk + 1);
            long n = Grid.Inner;
            var at = Grid.At(from);
            for (long row = from; row < to; row++)
            {
                T* a = A + at.A, b = B + at.B, c = C + at.C, y = Y + row * n;
                for (long i = 0; i < n; i += Block)
                {
                    int m = (int)Math.Min(Block, n - i);
                    long sa = Grid.SA, sb = Grid.SB, sc = Grid.SC;
                    T* pa = Source(a, i, m, ref sa, buffer);
                    T* pb = F.Arity < 2 ? null : Source(b, i, m, ref sb, buffer + Block);
                    T* pc = F.Arity < 3 ? null : Source(c, i, m, ref sc, buffer + 2 * Block);
                    Loop<T, F>(y + i, pa, sa, pb, sb, pc, sc, m, P, Q);
                }
                Grid.Advance(ref at);
            }
        }

        // A stride of 0 or 1 is read in place; any other is gathered into the buffer first.
        private static T* Source(T* x, long i, int m, ref long stride, T* buffer)
        {
            if (stride is 0 or 1)
                return x + i * stride;
            x += i * stride;
            for (int k = 0; k < m; k++)
                buffer[k] = x[k * stride];
            stride = 1;
            return buffer;
        }
    }
}

/// <summary>
/// The joint geometry of a dense output and up to three strided inputs: dims that advance together in all of them are merged,
/// the last one is the inner loop, the others are an odometer.
/// </summary>
internal struct RowGrid
{
    private LayoutArg.Dims8 _dims, _sa, _sb, _sc;
    private int _rank;

    public long Rows, Inner, SA, SB, SC;

    public RowGrid(Layout y, Layout a, Layout? b, Layout? c)
    {
        // Walk from the innermost dim outward, merging a dim into the one inside it when every operand's stride allows.
        int r = 0;
        LayoutArg.Dims8 dims = default, sa = default, sb = default, sc = default;
        for (int d = y.Rank - 1; d >= 0; d--)
        {
            long n = y.Dims[d];
            if (n == 1)
                continue;
            long ta = Stride(a, d, y.Rank), tb = Stride(b, d, y.Rank), tc = Stride(c, d, y.Rank);
            if (r > 0 && ta == sa[r - 1] * dims[r - 1] && tb == sb[r - 1] * dims[r - 1] && tc == sc[r - 1] * dims[r - 1])
            {
                dims[r - 1] *= n;
                continue;
            }
            (dims[r], sa[r], sb[r], sc[r]) = (n, ta, tb, tc);
            r++;
        }
        if (r == 0)
            (dims[0], r) = (1, 1);
        (Inner, SA, SB, SC) = (dims[0], sa[0], sb[0], sc[0]);
        _rank = r - 1;
        Rows = 1;
        for (int i = 0; i < _rank; i++)
        {
            (_dims[i], _sa[i], _sb[i], _sc[i]) = (dims[i + 1], sa[i + 1], sb[i + 1], sc[i + 1]);
            Rows *= _dims[i];
        }
    }

    // An operand of lower rank, or of one element, is broadcast.
    private static long Stride(Layout? l, int d, int rank)
    {
        if (l is null)
            return 0;
        int i = d - (rank - l.Rank);
        return i < 0 || l.Dims[i] == 1 ? 0 : l.Strides[i];
    }

    /// <summary>Takes the dim along which operand b is contiguous out of the rows: n elements, sa apart in operand a. False if there is none.</summary>
    public bool TakeUnitB(out long n, out long sa)
    {
        (n, sa) = (0, 0);
        for (int i = 0; i < _rank; i++)
        {
            if (_sb[i] == 1 && n == 0)
            {
                (n, sa) = (_dims[i], _sa[i]);
                Rows /= n;
            }
            else if (n > 0)
            {
                (_dims[i - 1], _sa[i - 1], _sb[i - 1], _sc[i - 1]) = (_dims[i], _sa[i], _sb[i], _sc[i]);
            }
        }
        if (n > 0)
            _rank--;
        return n > 0;
    }

    public readonly RowPosition At(long row)
    {
        RowPosition p = default;
        for (int i = 0; i < _rank; i++)
        {
            long k = row % _dims[i];
            row /= _dims[i];
            p.Index[i] = k;
            p.A += k * _sa[i];
            p.B += k * _sb[i];
            p.C += k * _sc[i];
        }
        return p;
    }

    public readonly void Advance(ref RowPosition p)
    {
        for (int i = 0; i < _rank; i++)
        {
            p.A += _sa[i];
            p.B += _sb[i];
            p.C += _sc[i];
            if (++p.Index[i] < _dims[i])
                return;
            p.Index[i] = 0;
            p.A -= _sa[i] * _dims[i];
            p.B -= _sb[i] * _dims[i];
            p.C -= _sc[i] * _dims[i];
        }
    }
}

/// <summary>Offsets of the current row in each input.</summary>
internal struct RowPosition
{
    public LayoutArg.Dims8 Index;
    public long A, B, C;
}
