using System.Numerics;

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

    public static void Difference<T>(Lines from, Lines to, T* x, T* y, bool adjoint) where T : unmanaged, INumber<T> =>
        Chunks.For(to.Count, to.N * 2, (first, end) =>
        {
            for (long k = first; k < end; k++)
            {
                T* a = x + from.Start(k), b = y + to.Start(k);
                long inner = to.Inner;
                for (long i = 0; i < to.N; i++)
                {
                    if (!adjoint)
                        b[i * inner] = a[(i + 1) * inner] - a[i * inner];
                    else
                        b[i * inner] = (i > 0 ? a[(i - 1) * inner] : T.Zero) - (i < from.N ? a[i * inner] : T.Zero);
                }
            }
        });
}
