using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// The loops of all reductions. Three geometries: runs along contiguous memory (vector lanes, then a fixed tree), columns (one lane
/// per result), and anything else through one gathered copy. Long sums go in blocks, so that the error grows with the number of
/// blocks and not with the number of elements.
/// </summary>
internal static unsafe class ReduceLoop
{
    private const int RunBlock = 4096;
    private const int ColumnBlock = 64;
    private const int ShortRun = 256;
    private const long Grain = 1 << 15;

    public static void Run<T, F>(Tensor y, Tensor x, ReadOnlySpan<bool> reduced) where T : unmanaged, INumber<T> where F : struct, IReduceFn
    {
        if (y.Count == 0)
            return;
        if (x.Count == 0)
        {
            new Span<T>(y.Data<T>(), (int)y.Count).Fill(F.Post(F.Identity<T>()));
            return;
        }
        var job = new Job<T, F> { X = x.Data<T>(), Y = y.Data<T>(), Kept = new Axes(x.Layout, reduced, keep: true), Gone = new Axes(x.Layout, reduced, keep: false) };
        if (job.Gone.InnerStride == 1 || job.Gone.Count == 1)
        {
            job.RunRows(x.Count);
            return;
        }
        if (job.Kept.InnerStride == 1)
        {
            job.RunColumns(x.Count);
            return;
        }
        // Neither side is contiguous: bring the reduced dims to the back and copy once.
        var order = new int[x.Rank];
        int k = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int d = 0; d < x.Rank; d++)
                if (reduced[d] == (pass == 1))
                    order[k++] = d;
        var moved = x.View(x.Layout.Permute(order));
        var dense = Tensor.Allocate(Layout.Of(moved.Shape), x.DType, x.Device);
        CopyKernels.Copy(moved, dense);
        var mask = new bool[x.Rank];
        for (int d = 0; d < x.Rank; d++)
            mask[d] = reduced[order[d]];
        Run<T, F>(y, dense, mask);
        Ambient.Current.Release(dense.Storage);
    }

    /// <summary>Mapped and combined value of n contiguous elements.</summary>
    private static T Row<T, F>(T* x, long n) where T : unmanaged, INumber<T> where F : struct, IReduceFn
    {
        T total = Block<T, F>(x, Math.Min(n, RunBlock));
        for (long i = RunBlock; i < n; i += RunBlock)
            total = Combine<T, F>(total, Block<T, F>(x + i, Math.Min(n - i, RunBlock)));
        return total;
    }

    private static T Block<T, F>(T* x, long n) where T : unmanaged, INumber<T> where F : struct, IReduceFn
    {
        int w = Vector512<T>.Count;
        var none = Vector512.Create(F.Identity<T>());
        Vector512<T> a = none, b = none, c = none, d = none;
        long i = 0;
        for (; i + 4 * w <= n; i += 4 * w)
        {
            a = F.Combine(a, F.Pre(Vector512.Load(x + i)));
            b = F.Combine(b, F.Pre(Vector512.Load(x + i + w)));
            c = F.Combine(c, F.Pre(Vector512.Load(x + i + 2 * w)));
            d = F.Combine(d, F.Pre(Vector512.Load(x + i + 3 * w)));
        }
        for (; i + w <= n; i += w)
            a = F.Combine(a, F.Pre(Vector512.Load(x + i)));
        if (i < n)
        {
            var tail = none;
            Vector512<T> raw = default;
            Unsafe.CopyBlockUnaligned(&raw, x + i, (uint)((n - i) * sizeof(T)));
            raw = F.Pre(raw);
            Unsafe.CopyBlockUnaligned(&tail, &raw, (uint)((n - i) * sizeof(T)));
            b = F.Combine(b, tail);
        }
        return Tree<T, F>(F.Combine(F.Combine(a, b), F.Combine(c, d)));
    }

    // Halves fold onto each other until one lane is left: lane i meets lane i + 8, then + 4, + 2, + 1 (from + 4 for 8-byte elements).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Tree<T, F>(Vector512<T> v) where T : unmanaged, INumber<T> where F : struct, IReduceFn
    {
        v = F.Combine(v, Everywhere(v.GetUpper()));
        v = F.Combine(v, Everywhere(Vector256.Create(v.GetLower().GetUpper(), v.GetLower().GetUpper())));
        if (sizeof(T) == 8)
            return F.Combine(v, Low(Vector128.Shuffle(v.GetLower().GetLower().AsInt64(), Vector128.Create(1L, 1)).As<long, T>())).ToScalar();
        v = F.Combine(v, Low(Vector128.Shuffle(v.GetLower().GetLower().AsInt32(), Vector128.Create(2, 3, 2, 3)).As<int, T>()));
        return F.Combine(v, Low(Vector128.Shuffle(v.GetLower().GetLower().AsInt32(), Vector128.Create(1, 1, 1, 1)).As<int, T>())).ToScalar();
    }

    private static Vector512<T> Everywhere<T>(Vector256<T> x) => Vector512.Create(x, x);

    private static Vector512<T> Low<T>(Vector128<T> x) => Everywhere(Vector256.Create(x, x));

    private static T Combine<T, F>(T a, T b) where T : unmanaged, INumber<T> where F : struct, IReduceFn =>
        F.Combine(Vector512.CreateScalar(a), Vector512.CreateScalar(b)).ToScalar();

    /// <summary>The kept or the reduced dims of a layout, innermost first, merged where they advance together.</summary>
    private struct Axes
    {
        private LayoutArg.Dims8 _dims, _strides;
        private int _rank;

        public Axes(Layout x, ReadOnlySpan<bool> reduced, bool keep)
        {
            Count = 1;
            for (int d = x.Rank - 1; d >= 0; d--)
            {
                if (reduced[d] == keep || x.Dims[d] == 1)
                    continue;
                Count *= x.Dims[d];
                if (_rank > 0 && x.Strides[d] == _strides[_rank - 1] * _dims[_rank - 1])
                {
                    _dims[_rank - 1] *= x.Dims[d];
                    continue;
                }
                (_dims[_rank], _strides[_rank]) = (x.Dims[d], x.Strides[d]);
                _rank++;
            }
            Inner = _rank == 0 ? 1 : _dims[0];
            InnerStride = _rank == 0 ? 0 : _strides[0];
        }

        public long Count;
        public long Inner, InnerStride;

        /// <summary>Offset of element i in row-major order of these dims.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly long Offset(long i) => _rank <= 1 ? i * InnerStride : Odometer(i);

        /// <summary>Offset of run number r: the runs lie along all dims but the innermost.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly long Run(long r) => _rank == 2 ? r * _strides[1] : Odometer(r * Inner);

        private readonly long Odometer(long i)
        {
            long at = 0;
            for (int d = 0; d < _rank; d++)
            {
                at += i % _dims[d] * _strides[d];
                i /= _dims[d];
            }
            return at;
        }
    }

    private struct Job<T, F> : IJob where T : unmanaged, INumber<T> where F : struct, IReduceFn
    {
        public T* X, Y;
        public Axes Kept, Gone;
        private int _chunks;
        private bool _columns, _split;
        private T* _partials;

        public void RunRows(long work)
        {
            if (Kept.Count == 1 && Gone.Inner == Gone.Count && work > Grain)
            {
                // One long run: chunks of it in parallel, their results in order.
                _split = true;
                _chunks = Workers.Chunks(work, Grain);
                T* partials = stackalloc T[_chunks];
                _partials = partials;
                Workers.Run(_chunks, ref this);
                T total = partials[0];
                for (int i = 1; i < _chunks; i++)
                    total = Combine<T, F>(total, partials[i]);
                *Y = F.Post(total);
                return;
            }
            Start(Kept.Count, work);
        }

        public void RunColumns(long work)
        {
            _columns = true;
            Start((Kept.Count + Kept.Inner - 1) / Kept.Inner * ((Kept.Inner + ColumnBlock - 1) / ColumnBlock), work);
        }

        private void Start(long units, long work)
        {
            _chunks = work < Grain ? 1 : (int)Math.Min(units, Workers.Chunks(work, Grain / 2));
            Workers.Run(_chunks, ref this);
        }

        public readonly void Run(int chunk)
        {
            if (_split)
                _partials[chunk] = Row<T, F>(X + Workers.Start(Gone.Count, _chunks, chunk), Workers.Start(Gone.Count, _chunks, chunk + 1) - Workers.Start(Gone.Count, _chunks, chunk));
            else if (_columns)
                Columns(chunk);
            else
                Rows(chunk);
        }

        private readonly void Rows(int chunk)
        {
            long from = Workers.Start(Kept.Count, _chunks, chunk), to = Workers.Start(Kept.Count, _chunks, chunk + 1);
            if (Gone.Count > Gone.Inner && Gone.Inner <= ShortRun)
            {
                ShortRuns(from, to);
                return;
            }
            for (long o = from; o < to; o++)
            {
                T* x = X + Kept.Offset(o);
                T total = Row<T, F>(x, Gone.Inner);
                for (long r = Gone.Inner; r < Gone.Count; r += Gone.Inner)
                    total = Combine<T, F>(total, Row<T, F>(x + Gone.Offset(r), Gone.Inner));
                Y[o] = F.Post(total);
            }
        }

        // Short runs are strung together first: each for itself would spend its time on the tree at its end.
        private readonly void ShortRuns(long from, long to)
        {
            T* strung = stackalloc T[RunBlock];
            long perBlock = RunBlock / Gone.Inner, runs = Gone.Count / Gone.Inner;
            for (long o = from; o < to; o++)
            {
                T* x = X + Kept.Offset(o);
                T total = F.Identity<T>();
                for (long first = 0; first < runs; first += perBlock)
                {
                    long count = Math.Min(perBlock, runs - first);
                    for (long r = 0; r < count; r++)
                        new ReadOnlySpan<T>(x + Gone.Run(first + r), (int)Gone.Inner).CopyTo(new Span<T>(strung + r * Gone.Inner, (int)Gone.Inner));
                    total = Combine<T, F>(total, Block<T, F>(strung, count * Gone.Inner));
                }
                Y[o] = F.Post(total);
            }
        }

        private readonly void Columns(int chunk)
        {
            long perOuter = (Kept.Inner + ColumnBlock - 1) / ColumnBlock, units = Kept.Count / Kept.Inner * perOuter;
            T* sum = stackalloc T[2 * ColumnBlock];
            for (long u = Workers.Start(units, _chunks, chunk); u < Workers.Start(units, _chunks, chunk + 1); u++)
            {
                long column = u / perOuter * Kept.Inner + u % perOuter * ColumnBlock;
                int n = (int)Math.Min(ColumnBlock, Kept.Inner - u % perOuter * ColumnBlock);
                Column(X + Kept.Offset(column), Y + column, n, sum, sum + ColumnBlock);
            }
        }

        private readonly void Column(T* x, T* y, int n, T* sum, T* part)
        {
            new Span<T>(sum, ColumnBlock).Fill(F.Identity<T>());
            for (long r = 0; r < Gone.Count; r += RunBlock)
            {
                new Span<T>(part, ColumnBlock).Fill(F.Identity<T>());
                long stop = Math.Min(r + RunBlock, Gone.Count);
                for (long k = r; k < stop; k++)
                    Accumulate(part, x + Gone.Offset(k), n, pre: true);
                Accumulate(sum, part, n, pre: false);
            }
            for (int i = 0; i < n; i++)
                y[i] = F.Post(sum[i]);
        }

        private static void Accumulate(T* sum, T* x, int n, bool pre)
        {
            int w = Vector512<T>.Count, i = 0;
            for (; i + w <= n; i += w)
            {
                var v = Vector512.Load(x + i);
                F.Combine(Vector512.Load(sum + i), pre ? F.Pre(v) : v).Store(sum + i);
            }
            if (i == n)
                return;
            Vector512<T> tail = default;
            Unsafe.CopyBlockUnaligned(&tail, x + i, (uint)((n - i) * sizeof(T)));
            // The scratch row is as long as a whole number of vectors; lanes past n are never copied out.
            F.Combine(Vector512.Load(sum + i), pre ? F.Pre(tail) : tail).Store(sum + i);
        }
    }
}
