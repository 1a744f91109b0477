using System.Numerics;
using static Native.Tests.KernelKit;

namespace Native.Tests;

/// <summary>Softmax, log-softmax, log-sum-exp and cross-entropy against the definitions, in f64 loops.</summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed unsafe class SoftmaxKernelsTests
{
    private const double Inf = double.PositiveInfinity;

    // Outer, n, inner.
    private static readonly (long O, long N, long I)[] Shapes =
    [
        (1, 1, 1), (3, 7, 1), (5, 16, 1), (4, 33, 1), (2, 1000, 1), (2, 5, 3), (3, 17, 8), (1, 40, 37), (2, 1, 20), (0, 4, 1), (3, 4,
            0), (70, 10, 16),
    ];

    [Fact]
    public void Values_equal_the_definition()
    {
        foreach (var s in Shapes)
            foreach (double scale in new[] { 1.0, 50, 800 })
            {
                double[] x = Random(s.O * s.N * s.I, 1).Select(v => (double)(float)(v * scale)).ToArray();
                string what = $"{s} times {scale}";
                double[] lse = Expected(s, x);
                double[] log = x.Select((v, i) => v - lse[Line(s, i)]).ToArray(), soft = log.Select(Math.Exp).ToArray();
                Close(soft, Softmax<double>(s, x), 1e-13 * scale, "softmax f64 " + what);
                Close(soft, Softmax<float>(s, x), 1e-6, "softmax f32 " + what);
                Close(log, LogSoftmax<double>(s, x), 1e-13, "log-softmax f64 " + what);
                Close(log, LogSoftmax<float>(s, x), 1e-6, "log-softmax f32 " + what);
                Close(lse, LogSumExp<double>(s, x), 1e-13, "log-sum-exp f64 " + what);
                Close(lse, LogSumExp<float>(s, x), 1e-6, "log-sum-exp f32 " + what);
            }
    }

    [Fact]
    public void Infinities_and_NaN_behave_as_stated()
    {
        // Lines: all -inf; one +inf; a NaN; -inf among numbers. Once as rows, once as columns.
        double[] rows = [-Inf, -Inf, -Inf, 1, Inf, 2, 0, double.NaN, 1, -Inf, 5, 5], columns = new double[12];
        for (int i = 0; i < 12; i++)
            columns[i % 3 * 4 + i / 3] = rows[i];
        double n = double.NaN, ln2 = Math.Log(2);
        double[] soft = [n, n, n, n, n, n, n, n, n, 0, 0.5, 0.5], log = [n, n, n, n, n, n, n, n, n, -Inf, -ln2, -ln2], lse = [-Inf,
            Inf, n, 5 + ln2];
        Check<double>(1e-15);
        Check<float>(1e-6);
        void Check<T>(double tol) where T : unmanaged, IFloatingPointIeee754<T>
        {
            Close(soft, Softmax<T>((4, 3, 1), rows), tol, "softmax of rows");
            Close(log, LogSoftmax<T>((4, 3, 1), rows), tol, "log-softmax of rows");
            Close(lse, LogSumExp<T>((4, 3, 1), rows), tol, "log-sum-exp of rows");
            Close(Columns(soft), Softmax<T>((1, 3, 4), columns), tol, "softmax of columns");
            Close(Columns(log), LogSoftmax<T>((1, 3, 4), columns), tol, "log-softmax of columns");
            Close(lse, LogSumExp<T>((1, 3, 4), columns), tol, "log-sum-exp of columns");
        }
        static double[] Columns(double[] v) => Enumerable.Range(0, 12).Select(i => v[i % 4 * 3 + i / 4]).ToArray();
        Close([-Inf, -Inf], LogSumExp<double>((2, 0, 1), []), 0, "nothing, as rows");
        Close([-Inf, -Inf], LogSumExp<float>((1, 0, 2), []), 0, "nothing, as columns");
    }

    [Fact]
    public void Gradients_are_slopes()
    {
        foreach (var s in Shapes.Where(s => s.O * s.I > 0))
        {
            double[] x = Random(s.O * s.N * s.I, 1), g = Random(x.Length, 2);
            double[] y = Softmax<double>(s, x), z = LogSoftmax<double>(s, x), gs = SoftmaxGrad<double>(s, g, y),
                gl = LogSoftmaxGrad<double>(s, g, z);
            CheckGradient(v => Dot(Softmax<double>(s, v), g), x, gs, $"softmax {s}");
            CheckGradient(v => Dot(LogSoftmax<double>(s, v), g), x, gl, $"log-softmax {s}");
            Close(gs, SoftmaxGrad<float>(s, g, y), 1e-5, $"softmax f32 {s}");
            Close(gl, LogSoftmaxGrad<float>(s, g, z), 1e-5, $"log-softmax f32 {s}");
        }
    }

    [Fact]
    public void The_place_of_the_dim_changes_no_bit()
    {
        const int Lines = 21, N = 45;
        double[] rows = Random(Lines * N, 1).Select(v => v * 10).ToArray(), g = Random(Lines * N, 2);
        double[] Turn(double[] v) => Enumerable.Range(0, Lines * N).Select(i => v[i % Lines * N + i / Lines]).ToArray();
        var (a, b) = ((1L * Lines, 1L * N, 1L), (1L, 1L * N, 1L * Lines));
        Assert.Equal(Turn(Softmax<float>(a, rows)), Softmax<float>(b, Turn(rows)));
        Assert.Equal(Turn(Softmax<double>(a, rows)), Softmax<double>(b, Turn(rows)));
        Assert.Equal(Turn(LogSoftmax<float>(a, rows)), LogSoftmax<float>(b, Turn(rows)));
        Assert.Equal(LogSumExp<double>(a, rows), LogSumExp<double>(b, Turn(rows)));
        Assert.Equal(Turn(SoftmaxGrad<float>(a, g, rows)), SoftmaxGrad<float>(b, Turn(g), Turn(rows)));
        Assert.Equal(Turn(LogSoftmaxGrad<double>(a, g, rows)), LogSoftmaxGrad<double>(b, Turn(g), Turn(rows)));
    }

    [Fact]
    public void Cross_entropy_and_its_gradient_equal_the_definition()
    {
        foreach ((long rows, long classes) in new[] { (1L, 1L), (5, 2), (7, 10), (4, 16), (3, 205), (0, 3) })
            foreach (double scale in new[] { 1.0, 600 })
            {
                double[] x = Random(rows * classes, 1).Select(v => (double)(float)(v * scale)).ToArray(), g = Random(rows, 2);
                double[] targets = Enumerable.Range(0, (int)rows).Select(r => r == 2 ? -100.0 : r * 7 % classes).ToArray();
                double[] lse = Expected((rows, classes, 1), x);
                double[] loss = targets.Select((t, r) => t < 0 ? 0 : lse[r] - x[r * classes + (int)t]).ToArray();
                double[] gx = x.Select((v, i) =>

                        targets[i / classes] < 0 ? 0 : (Math.Exp(v - lse[i / classes]) - (i % classes == targets[i / classes] ? 1 : 0)) * g[i / classes]).ToArray();
                string what = $"[{rows},{classes}] times {scale}";
                Check<double>(1e-13 * scale);
                Check<float>(2e-6);
                void Check<T>(double tol) where T : unmanaged, IFloatingPointIeee754<T>
                {
                    Close(loss, Loss<T>(rows, classes, x, targets), tol, $"loss {typeof(T).Name} {what}");
                    Close(gx, LossGrad<T>(rows, classes, x, targets, g), tol, $"gradient {typeof(T).Name} {what}");
                }
                if (rows > 0 && scale == 1)
                    CheckGradient(v => Dot(Loss<double>(rows, classes, v, targets), g), x, LossGrad<double>(rows, classes, x, targets,
                        g), "slope " + what);
            }
    }

    [Fact]
    public void Ignored_rows_swallow_NaN_and_wrong_targets_are_found()
    {
        double[] x = [double.NaN, 1, 0, 0], targets = [9, 1];
        using Buf<double> px = new(x), loss = new(2), scale = new([3.0, 2.0]), gx = new(4);
        using Buf<long> at = new(targets);
        CrossEntropyKernels.Forward(2, 2, px.P, at.P, 9, loss.P);
        CrossEntropyKernels.Grad(2, 2, px.P, at.P, 9, scale.P, gx.P);
        Close([0, Math.Log(2)], loss.ToArray(), 1e-15, "loss");
        Close([0, 0, 1, -1], gx.ToArray(), 1e-15, "gradient");

        Assert.Equal(-1, CrossEntropyKernels.FirstBadTarget(2, 2, at.P, 9));
        Assert.Equal(0, CrossEntropyKernels.FirstBadTarget(2, 2, at.P, -100));
        at.P[0] = -1;
        at.P[1] = 2;
        Assert.Equal(1, CrossEntropyKernels.FirstBadTarget(2, 2, at.P, -1));
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        foreach (var s in new[] { (O: 500L, N: 37L, I: 1L), (4, 60, 300) })
        {
            double[] x = Random(s.O * s.N * s.I, 1), g = Random(x.Length, 2);
            SameBitsOnAnyThreads(() => Softmax<float>(s, x), $"softmax {s}");
            SameBitsOnAnyThreads(() => LogSoftmaxGrad<float>(s, g, x), $"gradient {s}");
        }
        double[] logits = Random(3000 * 10, 1), targets = Enumerable.Range(0, 3000).Select(r => r % 10.0).ToArray();
        SameBitsOnAnyThreads(() => Loss<float>(3000, 10, logits, targets), "cross-entropy");
    }

    private static long Line((long O, long N, long I) s, long i) => i / (s.N * s.I) * s.I + i % s.I;

    private static double[] Expected((long O, long N, long I) s, double[] x)
    {
        double[] max = Enumerable.Repeat(-Inf, (int)(s.O * s.I)).ToArray(), sum = new double[max.Length];
        for (int i = 0; i < x.Length; i++)
            max[Line(s, i)] = Math.Max(max[Line(s, i)], x[i]);
        for (int i = 0; i < x.Length; i++)
            sum[Line(s, i)] += Math.Exp(x[i] - max[Line(s, i)]);
        return sum.Select((v, i) => max[i] + Math.Log(v)).ToArray();
    }

    private static double[] Softmax<T>((long O, long N, long I) s, double[] x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> px = new(x), y = new(x.Length);
        SoftmaxKernels.Softmax(s.O, s.N, s.I, px.P, y.P);
        return y.ToArray();
    }

    private static double[] LogSoftmax<T>((long O, long N, long I) s, double[] x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> px = new(x), y = new(x.Length);
        SoftmaxKernels.LogSoftmax(s.O, s.N, s.I, px.P, y.P);
        return y.ToArray();
    }

    private static double[] LogSumExp<T>((long O, long N, long I) s, double[] x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> px = new(x), y = new(s.O * s.I);
        SoftmaxKernels.LogSumExp(s.O, s.N, s.I, px.P, y.P);
        return y.ToArray();
    }

    private static double[] SoftmaxGrad<T>((long O, long N, long I) s, double[] g, double[] y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> pg = new(g), py = new(y), gx = new(y.Length);
        SoftmaxKernels.SoftmaxGrad(s.O, s.N, s.I, pg.P, py.P, gx.P);
        return gx.ToArray();
    }

    private static double[] LogSoftmaxGrad<T>((long O, long N, long I) s, double[] g, double[] y)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> pg = new(g), py = new(y), gx = new(y.Length);
        SoftmaxKernels.LogSoftmaxGrad(s.O, s.N, s.I, pg.P, py.P, gx.P);
        return gx.ToArray();
    }

    private static double[] Loss<T>(long rows, long classes, double[] x, double[] targets) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> px = new(x), loss = new(rows);
        using Buf<long> at = new(targets);
        CrossEntropyKernels.Forward(rows, classes, px.P, at.P, -100, loss.P);
        return loss.ToArray();
    }

    private static double[] LossGrad<T>(long rows, long classes, double[] x, double[] targets, double[] g)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> px = new(x), scale = new(g), gx = new(x.Length);
        using Buf<long> at = new(targets);
        CrossEntropyKernels.Grad(rows, classes, px.P, at.P, -100, scale.P, gx.P);
        return gx.ToArray();
    }
}
