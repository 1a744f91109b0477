using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// Rows that are normalised one by one, with an affine map of their elements. Layer normalisation: rows of the trailing dims, weight of
/// the same length. Group normalisation of [N,C,H,W] in G groups: N*G rows of C/G*H*W elements, where the affine map changes every
/// H*W elements and comes round after G rows. Instance normalisation: G = C.
/// </summary>
/// <param name="Rows">Number of rows, a multiple of <paramref name="Period"/>.</param>
/// <param name="Length">Elements of a row, at least 1.</param>
/// <param name="Period">Rows after which the affine map comes round: 1 for layers, G for groups.</param>
/// <param name="Repeat">Neighbouring elements that share a weight: 1 for layers, H*W for groups.</param>
internal readonly record struct RowNormShape(long Rows, long Length, long Period = 1, long Repeat = 1)
{
    /// <summary>Elements of weight and bias: the length for layers, C for groups.</summary>
    public long WeightCount => Period * Length / Repeat;

    /// <summary>Times that the affine map is used.</summary>
    public long Batch => Rows / Period;
}

/// <summary>Layer and group normalisation (Ba et al. 2016; Wu and He 2018) with fused first and second gradients.</summary>
/// <remarks>
/// Notation per row of m elements: s = 1/sqrt(var + eps), xh = (x - mean) s, h = gy w, P(h) = h - mean[h] - xh mean[h xh] (symmetric; the
/// adjoint of x -> xh is e -> s P(e)). Sums over the batch for gw, gb and dw: sample n goes to lane n mod 16, the lanes meet in a
/// pairwise tree, and they are the parts that run in parallel.
/// </remarks>
internal static unsafe class RowNormKernels
{
    /// <summary>Mean and s of each row; the biased variance where asked for.</summary>
    /// <param name="shape">Rows and their length.</param>
    /// <param name="x">[Rows, Length].</param>
    /// <param name="eps">Added to the variance inside s only.</param>
    /// <param name="mean">[Rows].</param>
    /// <param name="variance">[Rows], or null.</param>
    /// <param name="invStd">[Rows].</param>
    public static void Statistics<T>(RowNormShape shape, T* x, double eps, T* mean, T* variance, T* invStd)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long n = shape.Length;
        T count = T.CreateTruncating(n);
        Chunks.For(shape.Rows, n, (start, end) =>
        {
            for (long r = start; r < end; r++)
            {
                T* row = x + r * n;
                T mu = Lanes.Sum(row, n) / count, spread = Lanes.Sum<T, NormKernels.Square<T>>(row, row, row, n, mu) / count;
                mean[r] = mu;
                invStd[r] = NormKernels.InverseDeviation(spread, eps);
                if (variance != null)
                    variance[r] = spread;
            }
        });
    }

    /// <summary>y = xh w + b; w and b may be null (1 and 0).</summary>
    public static void Forward<T>(RowNormShape shape, T* x, T* mean, T* invStd, T* w, T* b, T* y)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long n = shape.Length, period = shape.Period;
        T* weight = Scratch.Get<T>(Scratch.Slot.NormA, 2 * period * n), bias = weight + period * n;
        Expand(shape, w, T.One, weight);
        Expand(shape, b, T.Zero, bias);
        Chunks.For(shape.Rows, n, (start, end) =>
        {
            for (long r = start; r < end; r++)
                ForwardRow(n, x + r * n, mean[r], invStd[r], weight + r % period * n, bias + r % period * n, y + r * n);
        });
    }

    /// <summary>gx = s P(gy w), gw = sum of gy xh, gb = sum of gy; w (one) may be null, and so may gw together with gb.</summary>
    public static void Grad<T>(RowNormShape shape, T* gy, T* x, T* mean, T* invStd, T* w, T* gx, T* gw, T* gb)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long n = shape.Length, period = shape.Period, wide = period * n;
        T* weight = Scratch.Get<T>(Scratch.Slot.NormA, wide);
        Expand(shape, w, T.One, weight);
        T* partial = Partials<T>(2 * wide);
        Chunks.Parts(Math.Min(shape.Batch, Lanes.Count), shape.Rows * n / Lanes.Count, lane =>
        {
            T* sumW = partial + lane * 2 * wide, sumB = sumW + wide;
            for (long r = lane * period; r < shape.Rows; r += (Lanes.Count - 1) * period)
                for (long g = 0; g < period; g++, r++)
                    GradRow(n, gy + r * n, x + r * n, mean[r], invStd[r], weight + g * n, gx + r * n, sumW + g * n, sumB + g * n);
        });
        if (gw == null && gb == null)
            return;
        Lanes.Columns(partial, Lanes.Count, 2 * wide, partial);
        Contract(shape, partial, gw);
        Contract(shape, partial + wide, gb);
    }

    /// <summary>
    /// The gradients of <see cref="Grad"/>: given cotangents v of gx [like x], u of gw and t of gb [WeightCount; null for zero], the
    /// gradients with respect to gy, x and w; dw may be null.
    /// </summary>
    /// <remarks>
    /// With H = mean[h], B = mean[h xh], M = mean[v], V = mean[v xh], R = mean[v h], the function differentiated is, per row,
    /// phi = m s (R - M H - V B) + sum of u gy xh + sum of t gy. Therefore d gy = w s P(v) + u xh + t;  d w = sum over the batch of
    /// gy s P(v);
    /// and for x, through xh with cotangent e = u gy - s (B v + V h) and through s (ds/dx = -s^2 xh / m):
    /// d x = s P(e) - s^2 (R - M H - V B) xh, where mean[e] = mean[u gy] - s (B M + V H) and mean[e xh] = mean[u gy xh] - 2 s V B.
    /// </remarks>
    public static void GradGrad<T>(
        RowNormShape shape, T* v, T* u, T* t, T* gy, T* x, T* mean, T* invStd, T* w, T* dgy, T* dx, T* dw)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long n = shape.Length, period = shape.Period, wide = period * n;
        T* weight = Scratch.Get<T>(Scratch.Slot.NormA, 3 * wide), uw = weight + wide, tb = uw + wide;
        Expand(shape, w, T.One, weight);
        Expand(shape, u, T.Zero, uw);
        Expand(shape, t, T.Zero, tb);
        T* partial = Partials<T>(wide);
        Chunks.Parts(Math.Min(shape.Batch, Lanes.Count), shape.Rows * n / Lanes.Count, lane =>
        {
            for (long r = lane * period; r < shape.Rows; r += (Lanes.Count - 1) * period)
                for (long g = 0; g < period; g++, r++)
                    GradGradRow(n, v + r * n, uw + g * n, tb + g * n, gy + r * n, x + r * n, mean[r], invStd[r], weight + g * n,
                        dgy + r * n, dx + r * n, partial + lane * wide + g * n);
        });
        if (dw == null)
            return;
        Lanes.Columns(partial, Lanes.Count, wide, partial);
        Contract(shape, partial, dw);
    }

    private static void ForwardRow<T>(long n, T* x, T mean, T invStd, T* w, T* b, T* y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector512<T> mu = Vector512.Create(mean), s = Vector512.Create(invStd);
        for (long i = 0; i < n; i += Vector512<T>.Count)
        {
            long left = n - i;
            Lanes.Put((Lanes.At(x + i, left) - mu) * s * Lanes.At(w + i, left) + Lanes.At(b + i, left), y + i, left);
        }
    }

    private static void GradRow<T>(long n, T* gy, T* x, T mean, T invStd, T* w, T* gx, T* sumW, T* sumB)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T m = T.CreateTruncating(n);
        Vector512<T> mu = Vector512.Create(mean), s = Vector512.Create(invStd);
        var h0 = Vector512.Create(Lanes.Sum<T, NormKernels.Product<T>>(gy, w, gy, n, mean) / m);
        var hx = Vector512.Create(Lanes.Sum<T, ProductDeviation<T>>(gy, w, x, n, mean) * invStd / m);
        for (long i = 0; i < n; i += Vector512<T>.Count)
        {
            long left = n - i;
            Vector512<T> g = Lanes.At(gy + i, left), xh = (Lanes.At(x + i, left) - mu) * s;
            Lanes.Put(s * (g * Lanes.At(w + i, left) - h0 - xh * hx), gx + i, left);
            Lanes.Put(Lanes.At(sumW + i, left) + g * xh, sumW + i, left);
            Lanes.Put(Lanes.At(sumB + i, left) + g, sumB + i, left);
        }
    }

    private static void GradGradRow<T>(
        long n, T* v, T* u, T* t, T* gy, T* x, T mean, T invStd, T* w, T* dgy, T* dx, T* sumW)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T m = T.CreateTruncating(n), si = invStd, two = T.One + T.One;
        T h0 = Lanes.Sum<T, NormKernels.Product<T>>(gy, w, gy, n, mean) / m, hx = Lanes.Sum<T, ProductDeviation<T>>(gy, w, x, n,
            mean) * si / m;
        T v0 = Lanes.Sum(v, n) / m, vx = Lanes.Sum<T, NormKernels.Deviation<T>>(v, x, v, n, mean) * si / m;
        T u0 = Lanes.Sum<T, NormKernels.Product<T>>(gy, u, gy, n, mean) / m, ux = Lanes.Sum<T, ProductDeviation<T>>(gy, u, x, n,
            mean) * si / m;
        T covariance = Lanes.Sum<T, Triple<T>>(v, gy, w, n, mean) / m - v0 * h0 - vx * hx;
        Vector512<T> mu = Vector512.Create(mean), s = Vector512.Create(si), mv = Vector512.Create(v0), mvx = Vector512.Create(vx);
        Vector512<T> sb = Vector512.Create(si * hx), sv = Vector512.Create(si * vx), e0 = Vector512.Create(u0 - si * (hx * v0 + vx * h0));
        var ex = Vector512.Create(ux - two * si * vx * hx + si * covariance);
        for (long i = 0; i < n; i += Vector512<T>.Count)
        {
            long left = n - i;
            Vector512<T> g = Lanes.At(gy + i, left), xh = (Lanes.At(x + i, left) - mu) * s, vi = Lanes.At(v + i, left);
            Vector512<T> wi = Lanes.At(w + i, left), ui = Lanes.At(u + i, left), projected = s * (vi - mv - xh * mvx);
            Lanes.Put(wi * projected + ui * xh + Lanes.At(t + i, left), dgy + i, left);
            Lanes.Put(s * (ui * g - sb * vi - sv * g * wi - e0 - xh * ex), dx + i, left);
            Lanes.Put(Lanes.At(sumW + i, left) + g * projected, sumW + i, left);
        }
    }

    // Sixteen zeroed rows: one partial sum per lane.
    private static T* Partials<T>(long length) where T : unmanaged
    {
        T* p = Scratch.Get<T>(Scratch.Slot.NormB, Lanes.Count * length);
        new Span<byte>(p, checked((int)(Lanes.Count * length * sizeof(T)))).Clear();
        return p;
    }

    // One weight per element, so that the rows need not know about groups; costs one sample's worth of memory per call.
    private static void Expand<T>(RowNormShape shape, T* w, T otherwise, T* wide) where T : unmanaged
    {
        for (long i = 0; i < shape.WeightCount; i++)
            new Span<T>(wide + i * shape.Repeat, checked((int)shape.Repeat)).Fill(w == null ? otherwise : w[i]);
    }

    private static void Contract<T>(RowNormShape shape, T* wide, T* w) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (w == null)
            return;
        for (long i = 0; i < shape.WeightCount; i++)
            w[i] = Lanes.Sum(wide + i * shape.Repeat, shape.Repeat);
    }

    /// <summary>a b (c - k).</summary>
    private readonly struct ProductDeviation<T> : ITerm<T> where T : unmanaged
    {
        public static Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> k) => a * b * (c - k);
    }

    /// <summary>a b c.</summary>
    private readonly struct Triple<T> : ITerm<T> where T : unmanaged
    {
        public static Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> k) => a * b * c;
    }
}
