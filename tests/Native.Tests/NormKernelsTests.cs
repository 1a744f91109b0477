using System.Numerics;
using static Native.Tests.KernelKit;

namespace Native.Tests;

/// <summary>
/// Batch, layer and group normalisation. The reference is written from the definition, with statistics recomputed from x; first
/// gradients are checked as slopes of that reference, second gradients as slopes of the first.
/// </summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed unsafe class NormKernelsTests
{
    private const double Eps = 1e-3;

    // Batch, channels, length.
    private static readonly (long N, long C, long L)[] Batches =
        [(2, 1, 1), (4, 3, 1), (19, 37, 1), (33, 16, 1), (1, 2, 7), (3, 5, 35), (17, 3, 4), (2, 20, 64), (40, 2, 49), (6, 2, 600), (130, 300, 1)];

    private static readonly RowNormShape[] RowShapes =
    [
        new(1, 2), new(5, 7), new(3, 40), new(35, 33), new(6, 12, Period: 2, Repeat: 4), new(40, 9, Period: 4, Repeat: 3),
        new(12, 20, Period: 3, Repeat: 20), new(4, 6, Period: 4, Repeat: 1),
    ];

    [Fact]
    public void Batch_statistics_equal_the_definition_also_far_from_zero()
    {
        foreach ((long n, long c, long l) in Batches)
            foreach (double shift in new[] { 0.0, 1000 })
            {
                double[] x = Random(n * c * l, 1).Select(v => (double)(float)(v + shift)).ToArray();
                var (mean, variance) = Moments(x, c, Channel(c, l));
                Compare<double>(1e-11);
                // With a mean of 1000, eps(f32) * 1000 is 6e-5 per element.
                Compare<float>(shift == 0 ? 1e-5 : 5e-4);
                void Compare<T>(double tol) where T : unmanaged, IFloatingPointIeee754<T>
                {
                    using Buf<T> px = new(x), py = new(x.Length), pm = new(c), pv = new(c), ps = new(c);
                    NormKernels.Forward(n, c, l, px.P, null, null, Eps, py.P, pm.P, pv.P, ps.P);
                    string what = $"{typeof(T).Name} [{n},{c},{l}] + {shift}";
                    Close(mean, pm.ToArray(), tol, "mean " + what);
                    Close(variance, pv.ToArray(), tol, "variance " + what);
                    Close(pv.ToArray().Select(v => 1 / Math.Sqrt(v + Eps)).ToArray(), ps.ToArray(), 1e-5, "s " + what);
                }
            }
    }

    [Fact]
    public void Batch_forward_equals_the_definition()
    {
        foreach ((long n, long c, long l) in Batches)
        {
            double[] x = Random(n * c * l, 1), w = Random(c, 2), b = Random(c, 3), one = Fill(c, 1), zero = Fill(c, 0);
            Close(Normalise(x, w, b, c, Channel(c, l), Channel(c, l)), BatchForward<double>(n, c, l, x, w, b), 1e-11, $"f64 [{n},{c},{l}]");
            Close(Normalise(x, w, b, c, Channel(c, l), Channel(c, l)), BatchForward<float>(n, c, l, x, w, b), 1e-4, $"f32 [{n},{c},{l}]");
            Close(Normalise(x, one, zero, c, Channel(c, l), Channel(c, l)), BatchForward<double>(n, c, l, x, null, null), 1e-11,
                "no affine map");
        }
    }

    [Fact]
    public void Batch_gradients_are_slopes()
    {
        foreach ((long n, long c, long l) in Batches)
        {
            double[] x = Random(n * c * l, 1), w = Random(c, 2), b = Random(c, 3), gy = Random(x.Length, 4);
            var group = Channel(c, l);
            (double[] gx, double[] gw, double[] gb) = BatchGrad<double>(n, c, l, gy, x, w);
            CheckGradient(v => Dot(Normalise(v, w, b, c, group, group), gy), x, gx, $"gx [{n},{c},{l}]");
            CheckGradient(v => Dot(Normalise(x, v, b, c, group, group), gy), w, gw, $"gw [{n},{c},{l}]");
            CheckGradient(v => Dot(Normalise(x, w, v, c, group, group), gy), b, gb, $"gb [{n},{c},{l}]");
            (double[] fx, double[] fw, double[] fb) = BatchGrad<float>(n, c, l, gy, x, w);
            Close(gx, fx, 1e-4, "gx f32");
            Close(gw, fw, 1e-4, "gw f32");
            Close(gb, fb, 1e-4, "gb f32");
        }
    }

    [Fact]
    public void Batch_second_gradients_are_slopes_of_the_first()
    {
        foreach ((long n, long c, long l) in Batches)
        {
            double[] x = Random(n * c * l, 1), w = Random(c, 2), gy = Random(x.Length, 4);
            double[] v = Random(x.Length, 5), u = Random(c, 6), t = Random(c, 7);
            double Phi(double[] g, double[] z, double[] weight)
            {
                var (gx, gw, gb) = BatchGrad<double>(n, c, l, g, z, weight);
                return Dot(gx, v) + Dot(gw, u) + Dot(gb, t);
            }
            string what = $"[{n},{c},{l}]";
            var (dgy, dx, dw) = BatchGradGrad<double>(n, c, l, v, u, t, gy, x, w);
            CheckGradient(p => Phi(p, x, w), gy, dgy, "d gy " + what);
            CheckGradient(p => Phi(gy, p, w), x, dx, "d x " + what);
            CheckGradient(p => Phi(gy, x, p), w, dw, "d w " + what);
            var (fgy, fx, fw) = BatchGradGrad<float>(n, c, l, v, u, t, gy, x, w);
            // (4,3,1) and (2,1,1) divide by small variances: f32 keeps about four digits there.
            Close(dgy, fgy, 2e-3, "f32 d gy " + what);
            Close(dx, fx, 2e-3, "f32 d x " + what);
            Close(dw, fw, 2e-3, "f32 d w " + what);
        }
    }

    [Fact]
    public void Row_statistics_and_forward_equal_the_definition()
    {
        foreach (var s in RowShapes)
        {
            double[] x = Random(s.Rows * s.Length, 1), w = Random(s.WeightCount, 2), b = Random(s.WeightCount, 3);
            var (mean, variance) = Moments(x, s.Rows, i => i / s.Length);
            using Buf<double> px = new(x), pm = new(s.Rows), pv = new(s.Rows), ps = new(s.Rows);
            RowNormKernels.Statistics(s, px.P, Eps, pm.P, pv.P, ps.P);
            Close(mean, pm.ToArray(), 1e-12, $"mean {s}");
            Close(variance, pv.ToArray(), 1e-12, $"variance {s}");
            double[] expected = Normalise(x, w, b, s.Rows, i => i / s.Length, Affine(s));
            Close(expected, RowForward<double>(s, x, w, b), 1e-11, $"f64 {s}");
            Close(expected, RowForward<float>(s, x, w, b), 1e-4, $"f32 {s}");
            Close(Normalise(x, Fill(s.WeightCount, 1), Fill(s.WeightCount, 0), s.Rows, i => i / s.Length, Affine(s)),
                RowForward<double>(s, x, null, null), 1e-11, "plain");
        }
    }

    [Fact]
    public void Row_gradients_are_slopes()
    {
        foreach (var s in RowShapes)
        {
            double[] x = Random(s.Rows * s.Length, 1), w = Random(s.WeightCount, 2), b = Random(s.WeightCount, 3), gy = Random(x.Length, 4);
            double[] Norm(double[] z, double[] weight, double[] bias) => Normalise(z, weight, bias, s.Rows, i => i / s.Length, Affine(s));
            var (gx, gw, gb) = RowGrad<double>(s, gy, x, w);
            CheckGradient(v => Dot(Norm(v, w, b), gy), x, gx, $"gx {s}");
            CheckGradient(v => Dot(Norm(x, v, b), gy), w, gw, $"gw {s}");
            CheckGradient(v => Dot(Norm(x, w, v), gy), b, gb, $"gb {s}");
            var (fx, fw, fb) = RowGrad<float>(s, gy, x, w);
            Close(gx, fx, 1e-3, $"gx f32 {s}");
            Close(gw, fw, 1e-4, $"gw f32 {s}");
            Close(gb, fb, 1e-4, $"gb f32 {s}");
        }
    }

    [Fact]
    public void Row_second_gradients_are_slopes_of_the_first()
    {
        foreach (var s in RowShapes)
        {
            double[] x = Random(s.Rows * s.Length, 1), w = Random(s.WeightCount, 2), gy = Random(x.Length, 4);
            double[] v = Random(x.Length, 5), u = Random(s.WeightCount, 6), t = Random(s.WeightCount, 7);
            double Phi(double[] g, double[] z, double[] weight)
            {
                var (gx, gw, gb) = RowGrad<double>(s, g, z, weight);
                return Dot(gx, v) + Dot(gw, u) + Dot(gb, t);
            }
            var (dgy, dx, dw) = RowGradGrad<double>(s, v, u, t, gy, x, w);
            CheckGradient(p => Phi(p, x, w), gy, dgy, $"d gy {s}");
            CheckGradient(p => Phi(gy, p, w), x, dx, $"d x {s}");
            CheckGradient(p => Phi(gy, x, p), w, dw, $"d w {s}");
            var (fgy, fx, fw) = RowGradGrad<float>(s, v, u, t, gy, x, w);
            Close(dgy, fgy, 5e-3, $"f32 d gy {s}");
            Close(dx, fx, 5e-3, $"f32 d x {s}");
            Close(dw, fw, 5e-3, $"f32 d w {s}");
        }
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        foreach ((long n, long c, long l) in new[] { (50L, 7L, 100L), (700L, 40L, 1L), (40L, 60L, 49L), (90L, 1L, 784L) })
        {
            double[] x = Random(n * c * l, 1), w = Random(c, 2), gy = Random(x.Length, 4), v = Random(x.Length, 5), u = Random(c, 6);
            SameBitsOnAnyThreads(() => BatchForward<float>(n, c, l, x, w, u), $"forward [{n},{c},{l}]");
            SameBitsOnAnyThreads(() => Join(BatchGrad<float>(n, c, l, gy, x, w)), $"gradient [{n},{c},{l}]");
            SameBitsOnAnyThreads(() => Join(BatchGradGrad<float>(n, c, l, v, u, u, gy, x, w)), $"second gradient [{n},{c},{l}]");
        }
        var s = new RowNormShape(300, 90, Period: 3, Repeat: 9);
        double[] xr = Random(s.Rows * s.Length, 1), wr = Random(s.WeightCount, 2), gr = Random(xr.Length, 4), vr = Random(xr.Length, 5);
        SameBitsOnAnyThreads(() => Join(RowGrad<float>(s, gr, xr, wr)), "row gradient");
        SameBitsOnAnyThreads(() => Join(RowGradGrad<float>(s, vr, wr, wr, gr, xr, wr)), "row second gradient");
    }

    [Fact]
    public void A_row_and_a_column_have_the_same_sum_to_the_bit()
    {
        foreach (int n in new[] { 1, 5, 16, 17, 31, 100, 1000 })
        {
            double[] x = Random(n, n);
            using Buf<float> row = new(x), sum = new(3), columns = new(x.SelectMany(v => new[] { v, 2 * v, -v }).ToArray());
            using Buf<double> row64 = new(x), sum64 = new(1);
            Lanes.Columns(columns.P, n, 3, sum.P);
            float expected = Lanes.Sum(row.P, n);
            Assert.Equal([expected, 2 * expected, -expected], new Span<float>(sum.P, 3).ToArray());
            Lanes.Columns(row64.P, n, 1, sum64.P);
            Assert.Equal(Lanes.Sum(row64.P, n), sum64.P[0]);
            Assert.True(Math.Abs(x.Sum() - expected) <= 1e-6 * n);

            // The definition of the order: sixteen lanes, then halves.
            var lanes = new float[16];
            for (int i = 0; i < n; i++)
                lanes[i % 16] += (float)x[i];
            for (int half = 8; half > 0; half /= 2)
                for (int i = 0; i < half; i++)
                    lanes[i] += lanes[i + half];
            Assert.Equal(lanes[0], expected);
        }
    }

    private static double[] Fill(long n, double value) => Enumerable.Repeat(value, (int)n).ToArray();

    private static double[] Join((double[] A, double[] B, double[] C) parts) => [.. parts.A, .. parts.B, .. parts.C];

    private static Func<long, long> Channel(long channels, long length) => i => i / length % channels;

    private static Func<long, long> Affine(RowNormShape s) =>
        i => i / s.Length % s.Period * (s.Length / s.Repeat) + i % s.Length / s.Repeat;

    private static (double[] Mean, double[] Variance) Moments(double[] x, long groups, Func<long, long> group)
    {
        double[] mean = new double[groups], variance = new double[groups];
        double m = x.Length / (double)groups;
        for (int i = 0; i < x.Length; i++)
            mean[group(i)] += x[i] / m;
        for (int i = 0; i < x.Length; i++)
            variance[group(i)] += Math.Pow(x[i] - mean[group(i)], 2) / m;
        return (mean, variance);
    }

    private static double[] Normalise(double[] x, double[] w, double[] b, long groups, Func<long, long> group, Func<long, long> affine)
    {
        var (mean, variance) = Moments(x, groups, group);
        return x.Select((v, i) => (v - mean[group(i)]) / Math.Sqrt(variance[group(i)] + Eps) * w[affine(i)] + b[affine(i)]).ToArray();
    }

    private static double[] BatchForward<T>(long n, long c, long l, double[] x, double[]? w, double[]? b)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> px = new(x), mean = new(c), variance = new(c), s = new(c), y = new(x.Length), pw = new(w ?? []), pb = new(b ?? []);
        NormKernels.Forward(n, c, l, px.P, w == null ? null : pw.P, b == null ? null : pb.P, Eps, y.P, mean.P, variance.P, s.P);
        return y.ToArray();
    }

    private static (double[] Gx, double[] Gw, double[] Gb) BatchGrad<T>(long n, long c, long l, double[] gy, double[] x, double[] w)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> pg = new(gy), px = new(x), pw = new(w), y = new(x.Length), mean = new(c), variance = new(c), s = new(c);
        using Buf<T> gx = new(x.Length), gw = new(c), gb = new(c);
        NormKernels.Forward(n, c, l, px.P, null, null, Eps, y.P, mean.P, variance.P, s.P);
        NormKernels.Grad(n, c, l, pg.P, px.P, mean.P, s.P, pw.P, gx.P, gw.P, gb.P);
        return (gx.ToArray(), gw.ToArray(), gb.ToArray());
    }

    private static (double[] Gy, double[] X, double[] W) BatchGradGrad<T>(
        long n, long c, long l, double[] v, double[] u, double[] t, double[] gy, double[] x, double[] w)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> pv = new(v), pu = new(u), pt = new(t), pg = new(gy), px = new(x), pw = new(w), y = new(x.Length);
        using Buf<T> mean = new(c), variance = new(c), s = new(c), dgy = new(x.Length), dx = new(x.Length), dw = new(c);
        NormKernels.Forward(n, c, l, px.P, null, null, Eps, y.P, mean.P, variance.P, s.P);
        NormKernels.GradGrad(n, c, l, pv.P, pu.P, pt.P, pg.P, px.P, mean.P, s.P, pw.P, dgy.P, dx.P, dw.P);
        return (dgy.ToArray(), dx.ToArray(), dw.ToArray());
    }

    private static double[] RowForward<T>(RowNormShape shape, double[] x, double[]? w, double[]? b)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> px = new(x), mean = new(shape.Rows), s = new(shape.Rows), y = new(x.Length), pw = new(w ?? []), pb = new(b ?? []);
        RowNormKernels.Statistics(shape, px.P, Eps, mean.P, null, s.P);
        RowNormKernels.Forward(shape, px.P, mean.P, s.P, w == null ? null : pw.P, b == null ? null : pb.P, y.P);
        return y.ToArray();
    }

    private static (double[] Gx, double[] Gw, double[] Gb) RowGrad<T>(RowNormShape shape, double[] gy, double[] x, double[] w)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> pg = new(gy), px = new(x), pw = new(w), mean = new(shape.Rows), s = new(shape.Rows);
        using Buf<T> gx = new(x.Length), gw = new(w.Length), gb = new(w.Length);
        RowNormKernels.Statistics(shape, px.P, Eps, mean.P, null, s.P);
        RowNormKernels.Grad(shape, pg.P, px.P, mean.P, s.P, pw.P, gx.P, gw.P, gb.P);
        return (gx.ToArray(), gw.ToArray(), gb.ToArray());
    }

    private static (double[] Gy, double[] X, double[] W) RowGradGrad<T>(
        RowNormShape shape, double[] v, double[] u, double[] t, double[] gy, double[] x, double[] w)
            where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> pv = new(v), pu = new(u), pt = new(t), pg = new(gy), px = new(x), pw = new(w), mean = new(shape.Rows),
            s = new(shape.Rows);
        using Buf<T> dgy = new(x.Length), dx = new(x.Length), dw = new(w.Length);
        RowNormKernels.Statistics(shape, px.P, Eps, mean.P, null, s.P);
        RowNormKernels.GradGrad(shape, pv.P, pu.P, pt.P, pg.P, px.P, mean.P, s.P, pw.P, dgy.P, dx.P, dw.P);
        return (dgy.ToArray(), dx.ToArray(), dw.ToArray());
    }
}
