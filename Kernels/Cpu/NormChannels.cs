using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

// The two loops that batch normalisation is made of: sums over each channel, and one affine pass with coefficients per channel.
internal static unsafe partial class NormKernels
{
    /// <summary>
    /// The sums over each channel that gradients need: of g and g (x - mean), and unless v is null of v, v (x - mean) and v g. All
    /// sums of a segment are taken while it is in the first-level cache; then the segments are added over the samples.
    /// </summary>
    private static void Sums<T>(long batch, long channels, long length, T* v, T* g, T* x, T* mean, Coefficients<T> k)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (length == 1)
        {
            Lanes.Columns(g, batch, channels, k.SumG);
            Lanes.Columns<T, Deviation<T>>(g, x, g, batch, channels, mean, k.SumGx);
            if (v == null)
                return;
            Lanes.Columns(v, batch, channels, k.SumV);
            Lanes.Columns<T, Deviation<T>>(v, x, v, batch, channels, mean, k.SumVx);
            Lanes.Columns<T, Product<T>>(v, g, v, batch, channels, mean, k.SumVg);
            return;
        }
        long segments = batch * channels;
        T* partial = Scratch.Get<T>(Scratch.Slot.Reduce, 5 * segments);
        Chunks.For(segments, length * 2, (start, end) =>
        {
            for (long i = start; i < end; i++)
            {
                T* to = partial + i, gi = g + i * length, xi = x + i * length;
                T mu = mean[i % channels];
                *to = Lanes.Sum(gi, length);
                to[segments] = Lanes.Sum<T, Deviation<T>>(gi, xi, gi, length, mu);
                if (v == null)
                    continue;
                T* vi = v + i * length;
                to[2 * segments] = Lanes.Sum(vi, length);
                to[3 * segments] = Lanes.Sum<T, Deviation<T>>(vi, xi, vi, length, mu);
                to[4 * segments] = Lanes.Sum<T, Product<T>>(vi, gi, vi, length, mu);
            }
        });
        Lanes.Columns(partial, batch, channels, k.SumG);
        Lanes.Columns(partial + segments, batch, channels, k.SumGx);
        if (v == null)
            return;
        Lanes.Columns(partial + 2 * segments, batch, channels, k.SumV);
        Lanes.Columns(partial + 3 * segments, batch, channels, k.SumVx);
        Lanes.Columns(partial + 4 * segments, batch, channels, k.SumVg);
    }

    /// <summary>y = F(p, q, x - mean) with the coefficients of the channel; operands that F ignores may be any valid pointer.</summary>
    private static void Combine<T, F>(long batch, long channels, long length, T* p, T* q, T* x, T* mean, Coefficients<T> k, T* y)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ICombination<T>
    {
        long segments = batch * channels;
        if (length == 1)
            Chunks.For(batch, channels, (start, end) =>
            {
                for (long i = start; i < end; i++)
                    Row<T, F>(channels, p + i * channels, q + i * channels, x + i * channels, mean, k, y + i * channels);
            });
        else
            Chunks.For(segments, length, (start, end) =>
            {
                for (long i = start; i < end; i++)
                    Segment<T, F>(length, p + i * length, q + i * length, x + i * length, mean[i % channels], k, i % channels,
                        y + i * length);
            });
    }

    private static void Segment<T, F>(long n, T* p, T* q, T* x, T mean, in Coefficients<T> k, long c, T* y)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ICombination<T>
    {
        var mu = Vector512.Create(mean);
        Vector512<T> kp = Vector512.Create(k.P[c]), kq = Vector512.Create(k.Q[c]), kx = Vector512.Create(k.X[c]),
            k1 = Vector512.Create(k.Constant[c]);
        for (long i = 0; i < n; i += Vector512<T>.Count)
        {
            long left = n - i;
            Lanes.Put(F.Of(Lanes.At(p + i, left), Lanes.At(q + i, left), Lanes.At(x + i, left) - mu, kp, kq, kx, k1), y + i, left);
        }
    }

    // One sample of [N,C]: the coefficients vary along the row.
    private static void Row<T, F>(long channels, T* p, T* q, T* x, T* mean, in Coefficients<T> k, T* y)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ICombination<T>
    {
        T* kp = k.P, kq = k.Q, kx = k.X, k1 = k.Constant;
        for (long i = 0; i < channels; i += Vector512<T>.Count)
        {
            long left = channels - i;
            var deviation = Lanes.At(x + i, left) - Lanes.At(mean + i, left);
            // The coefficients are padded to whole vectors.
            Lanes.Put(
                F.Of(Lanes.At(p + i, left), Lanes.At(q + i, left), deviation,
                    Vector512.Load(kp + i), Vector512.Load(kq + i), Vector512.Load(kx + i), Vector512.Load(k1 + i)),
                y + i, left);
        }
    }

    // sums[c] += the sum of column c; room holds one row.
    private static void AddColumns<T>(T* rows, long batch, long channels, T* room, T* sums) where T : unmanaged, IFloatingPointIeee754<T>
    {
        Lanes.Columns(rows, batch, channels, room);
        for (long c = 0; c < channels; c++)
            sums[c] += room[c];
    }

    /// <summary>Coefficients and sums per channel, zeroed, in this thread's scratch; each row is padded to whole vectors.</summary>
    private readonly struct Coefficients<T> where T : unmanaged
    {
        public readonly T* P, Q, X, Constant, SumG, SumGx, SumV, SumVx, SumVg;

        public Coefficients(long channels, bool second = false)
        {
            long row = Chunks.CeilDiv(channels, 16) * 16;
            T* all = Scratch.Get<T>(second ? Scratch.Slot.NormB : Scratch.Slot.NormA, 9 * row);
            new Span<T>(all, checked((int)(9 * row))).Clear();
            P = all;
            Q = P + row;
            X = Q + row;
            Constant = X + row;
            SumG = Constant + row;
            SumGx = SumG + row;
            SumV = SumGx + row;
            SumVx = SumV + row;
            SumVg = SumVx + row;
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

    private readonly struct OfP<T> : ICombination<T> where T : unmanaged
    {
        public static Vector512<T> Of(
            Vector512<T> p, Vector512<T> q, Vector512<T> d, Vector512<T> kp, Vector512<T> kq, Vector512<T> kx, Vector512<T> k) => kp * p;
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
