using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>Running computations along lines. Lines are independent and share the work; a line is done in order.</summary>
internal static unsafe class ScanKernels
{
    /// <summary>Sums run in <typeparamref name="A"/>: double for f32, so that the last of a million sums is as good as the first.</summary>
    public static void CumSum<T, A>(Lines lines, T* x, T* y, bool reverse) where T : unmanaged, INumber<T> where A : unmanaged, INumber<A> =>
        Chunks.For(lines.Count, lines.N * 2, (from, to) =>
        {
            for (long k = from; k < to; k++)
            {
                long step = reverse ? -lines.Inner : lines.Inner, at = lines.Start(k) + (reverse ? (lines.N - 1) * lines.Inner : 0);
                A sum = A.Zero;
                for (long i = 0; i < lines.N; i++, at += step)
                {
                    // Truncating is the conversion that rounds between floating types and wraps between integers.
                    sum += A.CreateTruncating(x[at]);
                    y[at] = T.CreateTruncating(sum);
                }
            }
        });

    /// <summary>Products from the left, then from the right: no division, so zeros need no case of their own.</summary>
    public static void Others<T>(Lines lines, T* x, T* y) where T : unmanaged, INumber<T> =>
        Chunks.For(lines.Count, lines.N * 4, (from, to) =>
        {
            for (long k = from; k < to; k++)
            {
                long at = lines.Start(k), inner = lines.Inner;
                T before = T.One, after = T.One;
                for (long i = 0; i < lines.N; i++, at += inner)
                {
                    y[at] = before;
                    before *= x[at];
                }
                for (long i = 0; i < lines.N; i++)
                {
                    at -= inner;
                    y[at] *= after;
                    after *= x[at];
                }
            }
        });

    /// <summary>
    /// Elements of one outer position are contiguous whatever the dim, so neighbours on a line are two runs of memory, inner apart.
    /// </summary>
    public static void Difference<T>(Lines from, Lines to, T* x, T* y, bool adjoint) where T : unmanaged, IFloatingPointIeee754<T>
    {
        long given = from.N * from.Inner, size = to.N * to.Inner, inner = to.Inner, pieces = Math.Max(1, size / (2 * Chunks.Grain));
        Chunks.For(to.Outer * pieces, size / pieces * 2, (first, end) =>
        {
            for (long unit = first; unit < end; unit++)
            {
                long outer = unit / pieces, start = size * (unit % pieces) / pieces, stop = size * (unit % pieces + 1) / pieces;
                T* a = x + outer * given, b = y + outer * size;
                if (!adjoint)
                {
                    Subtract(a + start + inner, a + start, stop - start, b + start);
                    continue;
                }
                // Nothing stands before the first and after the last.
                long i = start;
                for (; i < Math.Min(stop, Math.Min(inner, given)); i++)
                    b[i] = T.Zero - a[i];
                long middle = Math.Min(stop, given) - i;
                if (middle > 0)
                {
                    Subtract(a + i - inner, a + i, middle, b + i);
                    i += middle;
                }
                for (; i < stop; i++)
                    b[i] = i < inner ? T.Zero : a[i - inner];
            }
        });
    }

    private static void Subtract<T>(T* a, T* b, long n, T* y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int w = Vector512<T>.Count;
        long i = 0;
        for (; i + w <= n; i += w)
            (Vector512.Load(a + i) - Vector512.Load(b + i)).Store(y + i);
        if (i < n)
            Lanes.Put(Lanes.At(a + i, n - i) - Lanes.At(b + i, n - i), y + i, n - i);
    }
}
