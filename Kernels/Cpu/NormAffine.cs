using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

// The affine pass that follows the sums of a channel: y = kp p + kq q + kx (x - mean) + k.
internal static unsafe partial class NormKernels
{
    /// <summary>Segments of channel c, stride apart. Operands that F ignores may be any valid pointer.</summary>
    private static void Segments<T, F>(long n, long stride, long rows, T* p, T* q, T* x, T* mean, in Coefficients<T> k, long c, T* y)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ICombination<T>
    {
        long whole = n / Vector512<T>.Count * Vector512<T>.Count;
        Vector512<T> mu = Vector512.Create(mean[c]), kp = Vector512.Create(k.P[c]), kq = Vector512.Create(k.Q[c]), kx = Vector512.Create(k.X[c]),
            k1 = Vector512.Create(k.Constant[c]);
        for (long at = 0; at < rows * stride; at += stride)
            for (long i = at; i < at + whole; i += Vector512<T>.Count)
                F.Of(Vector512.Load(p + i), Vector512.Load(q + i), Vector512.Load(x + i) - mu, kp, kq, kx, k1).Store(y + i);
        if (whole < n)
            for (long at = whole; at < rows * stride; at += stride)
                SegmentTail<T, F>(n - whole, p + at, q + at, x + at, mean, k, c, y + at);
    }

    // Apart, because the calls in it would cost the loop above its registers.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void SegmentTail<T, F>(long n, T* p, T* q, T* x, T* mean, in Coefficients<T> k, long c, T* y)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ICombination<T>
    {
        var d = Lanes.At(x, n) - Vector512.Create(mean[c]);
        Lanes.Put(F.Of(Lanes.At(p, n), Lanes.At(q, n), d, Vector512.Create(k.P[c]), Vector512.Create(k.Q[c]), Vector512.Create(k.X[c]), Vector512.Create(k.Constant[c])), y, n);
    }

    /// <summary>The channels c to c + n of one sample of [N,C]: the coefficients vary along the row. c is a multiple of 16.</summary>
    private static void Row<T, F>(long n, T* p, T* q, T* x, T* mean, in Coefficients<T> k, long c, T* y)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ICombination<T>
    {
        // The coefficients are padded to whole vectors, the rows are not.
        T* kp = k.P + c, kq = k.Q + c, kx = k.X + c, k1 = k.Constant + c;
        long whole = n / Vector512<T>.Count * Vector512<T>.Count;
        mean += c;
        for (long i = 0; i < whole; i += Vector512<T>.Count)
            F.Of(Vector512.Load(p + i), Vector512.Load(q + i), Vector512.Load(x + i) - Vector512.Load(mean + i),
                Vector512.Load(kp + i), Vector512.Load(kq + i), Vector512.Load(kx + i), Vector512.Load(k1 + i)).Store(y + i);
        if (whole < n)
            RowTail<T, F>(n - whole, p + whole, q + whole, x + whole, mean + whole, k, c + whole, y + whole);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RowTail<T, F>(long n, T* p, T* q, T* x, T* mean, in Coefficients<T> k, long c, T* y)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ICombination<T> =>
        Lanes.Put(
            F.Of(Lanes.At(p, n), Lanes.At(q, n), Lanes.At(x, n) - Lanes.At(mean, n),
                Vector512.Load(k.P + c), Vector512.Load(k.Q + c), Vector512.Load(k.X + c), Vector512.Load(k.Constant + c)), y, n);

    /// <summary>Coefficients per channel, zeroed, in this thread's scratch; each row is padded to whole vectors.</summary>
    private readonly struct Coefficients<T> where T : unmanaged
    {
        public readonly T* P, Q, X, Constant;

        public Coefficients(long channels, bool second = false)
        {
            long row = Chunks.CeilDiv(channels, 16) * 16;
            T* all = Scratch.Get<T>(second ? Scratch.Slot.NormB : Scratch.Slot.NormA, 4 * row);
            new Span<T>(all, checked((int)(4 * row))).Clear();
            P = all;
            Q = P + row;
            X = Q + row;
            Constant = X + row;
        }
    }

    /// <summary>kp p + kq q + kx d + k, or the part of it that its name says; d is x - mean.</summary>
    private interface ICombination<T> where T : unmanaged
    {
        static abstract Vector512<T> Of(
            Vector512<T> p, Vector512<T> q, Vector512<T> d, Vector512<T> kp, Vector512<T> kq, Vector512<T> kx, Vector512<T> k);
    }

    private readonly struct OfX<T> : ICombination<T> where T : unmanaged
    {
        public static Vector512<T> Of(
            Vector512<T> p, Vector512<T> q, Vector512<T> d, Vector512<T> kp, Vector512<T> kq, Vector512<T> kx, Vector512<T> k) =>
                kx * d + k;
    }

    private readonly struct OfPx<T> : ICombination<T> where T : unmanaged
    {
        public static Vector512<T> Of(
            Vector512<T> p, Vector512<T> q, Vector512<T> d, Vector512<T> kp, Vector512<T> kq, Vector512<T> kx, Vector512<T> k) =>
            kp * p + kx * d + k;
    }

    private readonly struct OfPqx<T> : ICombination<T> where T : unmanaged
    {
        public static Vector512<T> Of(
            Vector512<T> p, Vector512<T> q, Vector512<T> d, Vector512<T> kp, Vector512<T> kq, Vector512<T> kx, Vector512<T> k) =>
            kp * p + kq * q + kx * d + k;
    }
}
