using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>The loops behind <see cref="GatherKernels"/>: x is [outer, n, inner], what the index names is [outer, m, inner]. Indices were checked.</summary>
internal static unsafe class GatherLoop
{
    // Elements of one row that one thread adds into: whole cache lines, so that no two threads write one.
    private const long Columns = 64;

    public static void IndexSelect<T>(Tensor target, Tensor source, Tensor indices, long outer, long n, long m, long inner) where T : unmanaged
    {
        T* y = target.Data<T>(), x = source.Data<T>();
        long* index = indices.Data<long>();
        Chunks.For(outer * m, inner, (from, to) =>
        {
            long o = from / m, j = from % m;
            for (long row = from; row < to; row++)
            {
                Copy(y + row * inner, x + (o * n + index[j]) * inner, inner);
                if (++j == m)
                    (j, o) = (0, o + 1);
            }
        });
    }

    public static void Gather<T>(Tensor target, Tensor source, Tensor indices, long outer, long n, long m, long inner) where T : unmanaged
    {
        T* y = target.Data<T>(), x = source.Data<T>();
        long* index = indices.Data<long>();
        Chunks.For(outer * m, inner, (from, to) =>
        {
            long o = from / m, j = from % m;
            for (long row = from; row < to; row++)
            {
                T* plane = x + o * n * inner;
                for (long i = 0; i < inner; i++)
                    y[row * inner + i] = plane[index[row * inner + i] * inner + i];
                if (++j == m)
                    (j, o) = (0, o + 1);
            }
        });
    }

    public static void IndexAdd<T>(Tensor target, Tensor source, Tensor indices, long outer, long n, long m, long inner)
        where T : unmanaged, INumber<T>
    {
        T* y = target.Data<T>(), s = source.Data<T>();
        long* index = indices.Data<long>();
        long work = outer * m * inner;
        // Every part owns some destination rows and reads the whole index for them, in order: no sum depends on the cut. Few parts,
        // because each reads the index again, and none where the outer dim already gives enough of them.
        long parts = outer >= 16 ? 1 : Math.Clamp(work / Chunks.Grain, 1, Math.Clamp(n, 1, 16));
        Chunks.For(outer * parts, m * Math.Max(inner / parts, 1), (from, to) =>
        {
            for (long k = from; k < to; k++)
            {
                long o = k / parts, first = n * (k % parts) / parts, end = n * (k % parts + 1) / parts;
                for (long j = 0; j < m; j++)
                    if (index[j] >= first && index[j] < end)
                        Add(y + (o * n + index[j]) * inner, s + (o * m + j) * inner, inner);
            }
        });
    }

    public static void ScatterAdd<T>(Tensor target, Tensor source, Tensor indices, long outer, long n, long m, long inner)
        where T : unmanaged, INumber<T>
    {
        T* y = target.Data<T>(), s = source.Data<T>();
        long* index = indices.Data<long>();
        long blocks = Chunks.CeilDiv(inner, Columns);
        // No two columns share a destination, so columns are the cut.
        Chunks.For(outer * blocks, m * Math.Min(inner, Columns), (from, to) =>
        {
            for (long k = from; k < to; k++)
            {
                long o = k / blocks, first = k % blocks * Columns, end = Math.Min(inner, first + Columns);
                T* plane = y + o * n * inner;
                for (long j = 0; j < m; j++)
                {
                    long row = (o * m + j) * inner;
                    for (long i = first; i < end; i++)
                        plane[index[row + i] * inner + i] += s[row + i];
                }
            }
        });
    }

    /// <summary>Position of the first index outside [0, size); -1 when all are inside.</summary>
    public static long FirstOutside(Tensor indices, long size)
    {
        long* index = indices.Data<long>();
        // One unsigned comparison covers both ends.
        for (long k = 0; k < indices.Count; k++)
            if ((ulong)index[k] >= (ulong)size)
                return k;
        return -1;
    }

    private static void Copy<T>(T* y, T* x, long n) where T : unmanaged
    {
        if (n == 1)
            *y = *x;
        else
            Buffer.MemoryCopy(x, y, n * sizeof(T), n * sizeof(T));
    }

    private static void Add<T>(T* y, T* x, long n) where T : unmanaged, INumber<T>
    {
        int w = Vector512<T>.Count;
        long i = 0;
        for (; i + w <= n; i += w)
            (Vector512.Load(y + i) + Vector512.Load(x + i)).Store(y + i);
        for (; i < n; i++)
            y[i] += x[i];
    }
}
