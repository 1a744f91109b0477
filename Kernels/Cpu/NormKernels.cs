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
    /// <summary>y = (x - mean) s w + b, with mean and biased variance of each channel, and s.</summary>
    /// <param name="batch">N.</param>
    /// <param name="channels">C.</param>
    /// <param name="length">Elements of one channel of one sample.</param>
    /// <param name="x">[N,C,length], not empty.</param>
    /// <param name="w">[C], or null for 1.</param>
    /// <param name="b">[C], or null for 0.</param>
    /// <param name="eps">Added to the variance inside <paramref name="invStd"/> only.</param>
    /// <param name="y">[N,C,length].</param>
    /// <param name="mean">[C].</param>
    /// <param name="variance">[C], divided by m.</param>
    /// <param name="invStd">[C].</param>
    public static void Forward<T>(long batch, long channels, long length, T* x, T* w, T* b, double eps, T* y, T* mean, T* variance, T* invStd)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        ChannelWalk<T, ForwardPlan<T>>.Run(batch, channels, length, new()
        {
            X = x,
            W = w,
            B = b,
            Eps = eps,
            Y = y,
            Mean = mean,
            Variance = variance,
            InvStd = invStd,
            K = new(channels),
        });

    /// <summary>
    /// The gradients of <see cref="Forward"/> with respect to x, w and b: gx = w s P(gy), gw = sum of gy xh, gb = sum of gy. w may be null (one).
    /// </summary>
    public static void Grad<T>(long batch, long channels, long length, T* gy, T* x, T* mean, T* invStd, T* w, T* gx, T* gw, T* gb)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        ChannelWalk<T, GradPlan<T>>.Run(batch, channels, length, new()
        {
            G = gy,
            X = x,
            Mean = mean,
            InvStd = invStd,
            W = w,
            Gx = gx,
            Gw = gw,
            Gb = gb,
            Elements = (double)batch * length,
            K = new(channels),
        });

    /// <summary>
    /// The gradients of <see cref="Grad"/>: given cotangents v of gx, u of gw and t of gb, the gradients with respect to gy, x and w. w may be
    /// null (one).
    /// </summary>
    /// <remarks>
    /// With A = mean[gy], B = mean[gy xh], M = mean[v], V = mean[v xh], R = mean[v gy], the function differentiated is, per channel,
    /// phi = m w s (R - M A - V B) + u m B + t m A. Therefore d gy = w s P(v) + u xh + t;  d w = m s (R - M A - V B);
    /// and for x, through xh with cotangent e = -w s (B v + V gy) + u gy and through s (ds/dx = -s^2 xh / m) with Q = w (R - M A - V B):
    /// d x = s P(e) - s^2 Q xh, where mean[e] = -w s (B M + V A) + u A and mean[e xh] = -2 w s V B + u B.
    /// </remarks>
    public static void GradGrad<T>(
        long batch, long channels, long length, T* v, T* u, T* t, T* gy, T* x, T* mean, T* invStd, T* w, T* dgy, T* dx, T* dw)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        ChannelWalk<T, GradGradPlan<T>>.Run(batch, channels, length, new()
        {
            V = v,
            U = u,
            T1 = t,
            G = gy,
            X = x,
            Mean = mean,
            InvStd = invStd,
            W = w,
            Dg = dgy,
            Dx = dx,
            Dw = dw,
            Elements = (double)batch * length,
            Kg = new(channels),
            Kx = new(channels, second: true),
        });

    internal static T InverseDeviation<T>(T variance, double eps) where T : unmanaged, IFloatingPointIeee754<T> =>
        T.One / T.Sqrt(variance + T.CreateTruncating(eps));

    private static double Or<T>(T* p, long i, double otherwise) where T : unmanaged, INumber<T> => p == null ? otherwise : double.CreateTruncating(p[i]);

    /// <summary>
    /// The sums of a block are its mean and its squared deviations from that mean; blocks are then merged exactly (Chan, Golub and LeVeque
    /// 1983), so nothing cancels when the mean is large.
    /// </summary>
    private struct ForwardPlan<T> : IChannelPlan<T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        public T* X, W, B, Y, Mean, Variance, InvStd;
        public double Eps;
        public Coefficients<T> K;

        public static int Sums => 2;

        public readonly void Block(long at, long n, long stride, long rows, long channel, T* to, long step)
        {
            T mean = Sum(X + at, n, stride, rows) / T.CreateTruncating(n * rows);
            to[0] = mean;
            to[step] = Sum<T, Square<T>>(X + at, X + at, n, stride, rows, mean);
        }

        public readonly void Columns(long at, long n, long stride, long rows, long channel, T* to, long step)
        {
            ColumnSums(X + at, n, stride, rows, to);
            for (long i = 0; i < n; i++)
                to[i] /= T.CreateTruncating(rows);
            ColumnSums<T, Square<T>>(X + at, X + at, n, stride, rows, to, to + step);
        }

        public readonly void Finish(in BlockSums<T> sums, long channel)
        {
            double m = 0, mean = 0, spread = 0;
            for (long block = 0; block < sums.Blocks; block++)
            {
                m += sums.Elements(block);
                mean += sums.Elements(block) * sums.At(0, block, Sums);
            }
            mean /= m;
            for (long block = 0; block < sums.Blocks; block++)
            {
                double off = sums.At(0, block, Sums) - mean;
                spread += sums.At(1, block, Sums) + sums.Elements(block) * off * off;
            }
            Mean[channel] = T.CreateTruncating(mean);
            Variance[channel] = T.CreateTruncating(spread / m);
            InvStd[channel] = InverseDeviation(Variance[channel], Eps);
            K.X[channel] = W == null ? InvStd[channel] : W[channel] * InvStd[channel];
            K.Constant[channel] = B == null ? T.Zero : B[channel];
        }

        public readonly void Segments(long at, long n, long stride, long rows, long channel) => NormKernels.Segments<T, OfX<T>>(n, stride, rows, X + at, X + at, X + at, Mean, K, channel, Y + at);

        public readonly void Row(long at, long n, long channel) => NormKernels.Row<T, OfX<T>>(n, X + at, X + at, X + at, Mean, K, channel, Y + at);
    }

    /// <summary>Sums of g and of g (x - mean).</summary>
    private struct GradPlan<T> : IChannelPlan<T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        public T* G, X, Mean, InvStd, W, Gx, Gw, Gb;
        public double Elements;
        public Coefficients<T> K;

        public static int Sums => 2;

        public readonly void Block(long at, long n, long stride, long rows, long channel, T* to, long step)
        {
            to[0] = Sum(G + at, n, stride, rows);
            to[step] = Sum<T, Deviation<T>>(G + at, X + at, n, stride, rows, Mean[channel]);
        }

        public readonly void Columns(long at, long n, long stride, long rows, long channel, T* to, long step)
        {
            ColumnSums(G + at, n, stride, rows, to);
            ColumnSums<T, Deviation<T>>(G + at, X + at, n, stride, rows, Mean + channel, to + step);
        }

        public readonly void Finish(in BlockSums<T> sums, long channel)
        {
            double s = double.CreateTruncating(InvStd[channel]), scale = Or(W, channel, 1) * s;
            double g = sums.Total(0, Sums), gxh = sums.Total(1, Sums) * s;
            Gb[channel] = T.CreateTruncating(g);
            Gw[channel] = T.CreateTruncating(gxh);
            K.P[channel] = T.CreateTruncating(scale);
            K.X[channel] = T.CreateTruncating(-scale * gxh / Elements * s);
            K.Constant[channel] = T.CreateTruncating(-scale * g / Elements);
        }

        public readonly void Segments(long at, long n, long stride, long rows, long channel) => NormKernels.Segments<T, OfPx<T>>(n, stride, rows, G + at, X + at, X + at, Mean, K, channel, Gx + at);

        public readonly void Row(long at, long n, long channel) => NormKernels.Row<T, OfPx<T>>(n, G + at, X + at, X + at, Mean, K, channel, Gx + at);
    }

    /// <summary>Sums of g, g (x - mean), v, v (x - mean) and v g.</summary>
    private struct GradGradPlan<T> : IChannelPlan<T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        public T* V, U, T1, G, X, Mean, InvStd, W, Dg, Dx, Dw;
        public double Elements;
        public Coefficients<T> Kg, Kx;

        public static int Sums => 5;

        public readonly void Block(long at, long n, long stride, long rows, long channel, T* to, long step)
        {
            T* v = V + at, g = G + at, x = X + at;
            T mean = Mean[channel];
            to[0] = Sum(g, n, stride, rows);
            to[step] = Sum<T, Deviation<T>>(g, x, n, stride, rows, mean);
            to[2 * step] = Sum(v, n, stride, rows);
            to[3 * step] = Sum<T, Deviation<T>>(v, x, n, stride, rows, mean);
            to[4 * step] = Sum<T, Product<T>>(v, g, n, stride, rows, mean);
        }

        public readonly void Columns(long at, long n, long stride, long rows, long channel, T* to, long step)
        {
            T* v = V + at, g = G + at, x = X + at, mean = Mean + channel;
            ColumnSums(g, n, stride, rows, to);
            ColumnSums<T, Deviation<T>>(g, x, n, stride, rows, mean, to + step);
            ColumnSums(v, n, stride, rows, to + 2 * step);
            ColumnSums<T, Deviation<T>>(v, x, n, stride, rows, mean, to + 3 * step);
            ColumnSums<T, Product<T>>(v, g, n, stride, rows, mean, to + 4 * step);
        }

        public readonly void Finish(in BlockSums<T> sums, long channel)
        {
            double m = Elements, s = double.CreateTruncating(InvStd[channel]), w = Or(W, channel, 1);
            double u = double.CreateTruncating(U[channel]), t = double.CreateTruncating(T1[channel]);
            double a = sums.Total(0, Sums) / m, b = sums.Total(1, Sums) * s / m;
            double mv = sums.Total(2, Sums) / m, vx = sums.Total(3, Sums) * s / m, r = sums.Total(4, Sums) / m;
            double covariance = r - mv * a - vx * b;
            double meanE = u * a - w * s * (b * mv + vx * a), meanEx = u * b - 2 * w * s * vx * b;
            Dw[channel] = T.CreateTruncating(m * s * covariance);
            Kg.P[channel] = T.CreateTruncating(w * s);
            Kg.X[channel] = T.CreateTruncating((u - w * s * vx) * s);
            Kg.Constant[channel] = T.CreateTruncating(t - w * s * mv);
            Kx.P[channel] = T.CreateTruncating(-w * s * s * b);
            Kx.Q[channel] = T.CreateTruncating(s * (u - w * s * vx));
            Kx.X[channel] = T.CreateTruncating(-s * s * (meanEx + s * w * covariance));
            Kx.Constant[channel] = T.CreateTruncating(-s * meanE);
        }

        public readonly void Segments(long at, long n, long stride, long rows, long channel)
        {
            NormKernels.Segments<T, OfPx<T>>(n, stride, rows, V + at, X + at, X + at, Mean, Kg, channel, Dg + at);
            NormKernels.Segments<T, OfPqx<T>>(n, stride, rows, V + at, G + at, X + at, Mean, Kx, channel, Dx + at);
        }

        public readonly void Row(long at, long n, long channel)
        {
            NormKernels.Row<T, OfPx<T>>(n, V + at, X + at, X + at, Mean, Kg, channel, Dg + at);
            NormKernels.Row<T, OfPqx<T>>(n, V + at, G + at, X + at, Mean, Kx, channel, Dx + at);
        }
    }
}
