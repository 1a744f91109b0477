using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// Batch normalisation: x [batch, channels, length] (length 1 for [N,C], H*W for [N,C,H,W]) is normalised per channel over m =
/// batch*length elements. Ioffe and Szegedy 2015. The first and second gradient are fused: both are sums over each channel followed by
/// one pass y = kp*p + kq*q + kx*(x - mean) + k with coefficients per channel.
/// </summary>
/// <remarks>
/// Notation of the formulas, per channel: s = 1/sqrt(var + eps), xh = (x - mean) s, mean[.] over the m elements, and the projection
/// P(h) = h - mean[h] - xh mean[h xh]. P is symmetric, and the adjoint of x -> xh is e -> s P(e), for any eps.
/// </remarks>
internal static unsafe partial class NormKernels
{
    /// <summary>Mean and biased variance of each channel, and s where asked for.</summary>
    /// <param name="batch">N.</param>
    /// <param name="channels">C.</param>
    /// <param name="length">Elements of one channel of one sample.</param>
    /// <param name="x">[N,C,length], not empty.</param>
    /// <param name="eps">Added to the variance inside <paramref name="invStd"/> only.</param>
    /// <param name="mean">[C].</param>
    /// <param name="variance">[C], divided by m.</param>
    /// <param name="invStd">[C], or null.</param>
    /// <remarks>
    /// Each segment of a channel gets its own mean and its own sum of squared deviations while it is in the first-level cache; the
    /// segments are then merged exactly (Chan, Golub and LeVeque 1983). One pass over memory, and no cancellation when the mean is
    /// large.
    /// </remarks>
    public static void Statistics<T>(long batch, long channels, long length, T* x, double eps, T* mean, T* variance, T* invStd)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T n = T.CreateTruncating(batch), len = T.CreateTruncating(length);
        long segments = batch * channels;
        T* centres = x;
        T* spread = null;
        if (length > 1)
        {
            centres = Scratch.Get<T>(Scratch.Slot.Reduce, 2 * segments + channels);
            spread = centres + segments;
            T* c = centres, d = spread;
            Chunks.For(segments, length, (start, end) =>
            {
                for (long i = start; i < end; i++)
                {
                    T* segment = x + i * length;
                    c[i] = Lanes.Sum(segment, length) / len;
                    d[i] = Lanes.Sum<T, Square<T>>(segment, segment, segment, length, c[i]);
                }
            });
        }
        Lanes.Columns(centres, batch, channels, mean);
        for (long c = 0; c < channels; c++)
            mean[c] /= n;
        Lanes.Columns<T, Square<T>>(centres, centres, centres, batch, channels, mean, variance);
        if (length > 1)
        {
            // The deviations of segment means count once per element; those inside segments are already sums.
            for (long c = 0; c < channels; c++)
                variance[c] *= len;
            AddColumns(spread, batch, channels, spread + segments, variance);
        }
        for (long c = 0; c < channels; c++)
        {
            variance[c] /= n * len;
            if (invStd != null)
                invStd[c] = InverseDeviation(variance[c], eps);
        }
    }

    /// <summary>s = 1/sqrt(variance + eps), for running statistics.</summary>
    public static void InverseDeviation<T>(T* variance, double eps, T* invStd, long n) where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (long i = 0; i < n; i++)
            invStd[i] = InverseDeviation(variance[i], eps);
    }

    /// <summary>y = (x - mean) s w + b; w and b may be null (1 and 0).</summary>
    public static void Forward<T>(long batch, long channels, long length, T* x, T* mean, T* invStd, T* w, T* b, T* y)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        var k = new Coefficients<T>(channels);
        for (long c = 0; c < channels; c++)
            (k.X[c], k.Constant[c]) = (Or(w, c, T.One) * invStd[c], Or(b, c, T.Zero));
        Combine<T, OfX<T>>(batch, channels, length, x, x, x, mean, k, y);
    }

    /// <summary>
    /// The gradients of <see cref="Forward"/> with respect to x, w and b; any of the three may be null. Training: mean and s are functions
    /// of x, gx = w s P(gy). Evaluation: they are constants, gx = w s gy. gw = sum of gy xh, gb = sum of gy in both.
    /// </summary>
    public static void Grad<T>(
        long batch, long channels, long length, T* gy, T* x, T* mean, T* invStd, T* w, bool training, T* gx, T* gw, T* gb)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T m = T.CreateTruncating(batch * length);
        var k = new Coefficients<T>(channels);
        if (training || gw != null || gb != null)
            Sums(batch, channels, length, null, gy, x, mean, k);
        for (long c = 0; c < channels; c++)
        {
            T s = invStd[c], scale = Or(w, c, T.One) * s;
            if (gb != null)
                gb[c] = k.SumG[c];
            if (gw != null)
                gw[c] = k.SumGx[c] * s;
            k.P[c] = scale;
            if (!training)
                continue;
            k.X[c] = -scale * (k.SumGx[c] * s / m) * s;
            k.Constant[c] = -scale * (k.SumG[c] / m);
        }
        if (gx == null)
            return;
        if (training)
            Combine<T, OfPx<T>>(batch, channels, length, gy, x, x, mean, k, gx);
        else
            Combine<T, OfP<T>>(batch, channels, length, gy, gy, gy, mean, k, gx);
    }

    /// <summary>
    /// The gradients of <see cref="Grad"/>: given cotangents v of gx, u of gw and t of gb, the gradients with respect to gy, x and w.
    /// Outputs may be null; so may the cotangents u and t (zero) and w (one).
    /// </summary>
    /// <remarks>
    /// With A = mean[gy], B = mean[gy xh], M = mean[v], V = mean[v xh], R = mean[v gy], the function differentiated is, per channel,
    /// phi = m w s (R - M A - V B) + u m B + t m A. Therefore d gy = w s P(v) + u xh + t;  d w = m s (R - M A - V B);
    /// and for x, through xh with cotangent e = -w s (B v + V gy) + u gy and through s (ds/dx = -s^2 xh / m) with Q = w (R - M A - V B):
    /// d x = s P(e) - s^2 Q xh, where mean[e] = -w s (B M + V A) + u A and mean[e xh] = -2 w s V B + u B.
    /// Evaluation: phi = m w s R + u m B + t m A with constant mean and s, so d gy = w s v + u xh + t, d x = u s gy, d w = m s R.
    /// </remarks>
    public static void GradGrad<T>(
        long batch, long channels, long length, T* v, T* u, T* t, T* gy, T* x, T* mean, T* invStd, T* w, bool training,
        T* dgy, T* dx, T* dw)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T m = T.CreateTruncating(batch * length), two = T.One + T.One;
        var k = new Coefficients<T>(channels);
        var kx = new Coefficients<T>(channels, second: true);
        Sums(batch, channels, length, v, gy, x, mean, k);
        for (long c = 0; c < channels; c++)
        {
            T s = invStd[c], wc = Or(w, c, T.One), uc = Or(u, c, T.Zero), tc = Or(t, c, T.Zero), r = k.SumVg[c] / m;
            k.P[c] = wc * s;
            if (!training)
            {
                (k.X[c], k.Constant[c], kx.P[c]) = (uc * s, tc, uc * s);
                if (dw != null)
                    dw[c] = m * s * r;
                continue;
            }
            T a = k.SumG[c] / m, b = k.SumGx[c] * s / m, mv = k.SumV[c] / m, vx = k.SumVx[c] * s / m;
            T covariance = r - mv * a - vx * b;
            if (dw != null)
                dw[c] = m * s * covariance;
            (k.X[c], k.Constant[c]) = ((uc - wc * s * vx) * s, tc - wc * s * mv);
            T meanE = uc * a - wc * s * (b * mv + vx * a), meanEx = uc * b - two * wc * s * vx * b;
            kx.P[c] = -wc * s * s * b;
            kx.Q[c] = s * (uc - wc * s * vx);
            kx.X[c] = -s * s * (meanEx + s * wc * covariance);
            kx.Constant[c] = -s * meanE;
        }
        if (dgy != null)
            Combine<T, OfPx<T>>(batch, channels, length, v, x, x, mean, k, dgy);
        if (dx != null && training)
            Combine<T, OfPqx<T>>(batch, channels, length, v, gy, x, mean, kx, dx);
        else if (dx != null)
            Combine<T, OfP<T>>(batch, channels, length, gy, gy, gy, mean, kx, dx);
    }

    /// <summary>sums[c] = the sum of x over samples and length.</summary>
    public static void ChannelSum<T>(long batch, long channels, long length, T* x, T* sums) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (length == 1)
        {
            Lanes.Columns(x, batch, channels, sums);
            return;
        }
        long segments = batch * channels;
        T* partial = Scratch.Get<T>(Scratch.Slot.Reduce, segments);
        Chunks.For(segments, length, (start, end) =>
        {
            for (long i = start; i < end; i++)
                partial[i] = Lanes.Sum(x + i * length, length);
        });
        Lanes.Columns(partial, batch, channels, sums);
    }

    internal static T InverseDeviation<T>(T variance, double eps) where T : unmanaged, IFloatingPointIeee754<T> =>
        T.One / T.Sqrt(variance + T.CreateTruncating(eps));

    private static T Or<T>(T* p, long i, T otherwise) where T : unmanaged => p == null ? otherwise : p[i];
}
