using System.Numerics;
using static Native.Tests.KernelKit;

namespace Native.Tests;

/// <summary>Pooling and upsampling against loops that follow the definition; adjoints by the inner product that defines them.</summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed unsafe class Pool2dKernelsTests
{
    private static readonly PoolShape[] Shapes =
    [
        new(1, 1, 1, 1, 1, 1, 1),
        new(6, 8, 8, 2, 2, 2, 2),
        new(3, 7, 9, 3, 2, 2, 3, 1, 1),
        new(3, 7, 9, 3, 3, 1, 1, 1, 1),
        new(2, 5, 6, 3, 4, 1, 2, 1, 2),
        new(2, 9, 33, 2, 20, 2, 5),
        new(5, 4, 4, 4, 4, 4, 4),
        new(0, 4, 4, 2, 2, 2, 2),
        new(3, 16, 15, 3, 3, 2, 2, 1, 1),
    ];

    private static readonly PoolShape[] Dilated =
    [
        new(3, 11, 9, 3, 2, 2, 1, 1, 1, 2, 3),
        new(2, 8, 8, 3, 3, 3, 3, 1, 0, 3, 2),
    ];

    [Fact]
    public void Max_finds_the_first_maximum_and_its_place()
    {
        foreach (var s in Shapes.Concat(Dilated))
        {
            // Few distinct values: ties everywhere.
            double[] x = Random(s.Planes * s.InPixels, 1).Select(v => Math.Round(v * 3)).ToArray();
            MaxLoops(s, x, out double[] y, out double[] index);
            AssertMax<double>(s, x, y, index);
            AssertMax<float>(s, x, y, index);
        }
    }

    [Fact]
    public void Max_passes_on_the_first_NaN_and_survives_minus_infinity()
    {
        var s = new PoolShape(1, 2, 6, 2, 2, 2, 2);
        double ninf = double.NegativeInfinity, nan = double.NaN;
        double[] x = [1, nan, ninf, ninf, 5, double.PositiveInfinity, nan, 9, ninf, ninf, nan, 2];
        AssertMax<double>(s, x, [nan, ninf, nan], [1, 2, 10]);
        AssertMax<float>(s, x, [nan, ninf, nan], [1, 2, 10]);
    }

    [Fact]
    public void A_window_without_pixels_is_minus_infinity_and_has_no_gradient()
    {
        // Positions -1 and 1 of a plane of one pixel.
        var s = new PoolShape(1, 1, 1, 2, 1, 1, 1, 1, 0, 2, 1);
        AssertMax<double>(s, [3], [double.NegativeInfinity], [-1]);
        using Buf<double> gy = new([1.0]), gx = new(1), v = new([7.0]), y = new(1);
        using Buf<long> at = new([-1.0]);
        Pool2dKernels.MaxGrad(s, gy.P, at.P, gx.P);
        Pool2dKernels.MaxGather(s, v.P, at.P, y.P);
        Assert.Equal((0.0, 0.0), (gx.P[0], y.P[0]));
    }

    [Fact]
    public void Max_gradient_scatters_and_gather_is_its_adjoint()
    {
        foreach (var s in Shapes.Concat(Dilated))
        {
            double[] x = Random(s.Planes * s.InPixels, 1), gy = Random(s.Planes * s.OutPixels, 2), v = Random(x.Length, 3);
            MaxLoops(s, x, out _, out double[] index);
            double[] gx = new double[x.Length], gathered = new double[gy.Length];
            for (int o = 0; o < gy.Length; o++)
            {
                long i = o / s.OutPixels * s.InPixels + (long)index[o];
                gx[i] += gy[o];
                gathered[o] = v[i];
            }
            Close(gx, MaxGrad<double>(s, gy, index), Tolerance<double>(), $"scatter f64 {s}");
            Close(gx, MaxGrad<float>(s, gy, index), Tolerance<float>(), $"scatter f32 {s}");
            Close(gathered, MaxGather<double>(s, v, index), 0, $"gather f64 {s}");
            Close(gathered, MaxGather<float>(s, v, index), 0, $"gather f32 {s}");
        }
    }

    [Fact]
    public void Average_equals_the_loops_and_its_gradient_is_the_adjoint()
    {
        foreach (var s in Shapes)
            foreach (bool includePad in new[] { true, false })
            {
                double[] x = Random(s.Planes * s.InPixels, 1), gy = Random(s.Planes * s.OutPixels, 2);
                double[] y = AvgLoops(s, includePad, x);
                Close(y, Avg<double>(s, includePad, x), Tolerance<double>(), $"avg f64 {s}");
                Close(y, Avg<float>(s, includePad, x), Tolerance<float>(), $"avg f32 {s}");
                Close(AdjointOf(v => AvgLoops(s, includePad, v), x.Length, gy), AvgGrad<double>(s, includePad, gy),
                    Tolerance<double>(), $"grad f64 {s}");
                Close(AvgGrad<double>(s, includePad, gy), AvgGrad<float>(s, includePad, gy), Tolerance<float>(), $"grad f32 {s}");
            }
    }

    [Fact]
    public void Adaptive_average_has_the_published_bins()
    {
        foreach ((long h, long w, long oh, long ow) in new[] { (7L, 5L, 3L, 2L), (8, 8, 1, 1), (4, 6, 4, 6), (3, 5, 7, 5), (1, 1, 2,
            3), (20, 37, 6, 2) })
        {
            double[] Loops(double[] x)
            {
                var y = new double[2 * oh * ow];
                for (long o = 0; o < y.Length; o++)
                {
                    long p = o / (oh * ow), i = o / ow % oh, j = o % ow;
                    int top = (int)Math.Floor((double)(i * h) / oh), bottom = (int)Math.Ceiling((double)((i + 1) * h) / oh);
                    int left = (int)Math.Floor((double)(j * w) / ow), right = (int)Math.Ceiling((double)((j + 1) * w) / ow);
                    for (long a = top; a < bottom; a++)
                        for (long b = left; b < right; b++)
                            y[o] += x[(p * h + a) * w + b] / ((bottom - top) * (right - left));
                }
                return y;
            }
            double[] x = Random(2 * h * w, 1), gy = Random(2 * oh * ow, 2);
            string what = $"{h}x{w} to {oh}x{ow}";
            Close(Loops(x), Adaptive<double>(h, w, oh, ow, x), Tolerance<double>(), $"f64 {what}");
            Close(Loops(x), Adaptive<float>(h, w, oh, ow, x), Tolerance<float>(), $"f32 {what}");
            Close(AdjointOf(Loops, x.Length, gy), AdaptiveGrad<double>(h, w, oh, ow, gy), Tolerance<double>(), $"grad f64 {what}");
            Close(AdjointOf(Loops, x.Length, gy), AdaptiveGrad<float>(h, w, oh, ow, gy), Tolerance<float>(), $"grad f32 {what}");
        }
    }

    [Fact]
    public void Upsampling_makes_blocks_and_its_gradient_sums_them()
    {
        foreach ((long h, long w, long sh, long sw) in new[] { (3L, 4L, 2L, 2L), (1, 1, 5, 3), (2, 7, 1, 3), (5, 2, 3, 1), (2, 3, 17, 20) })
        {
            double[] Loops(double[] x)
            {
                var y = new double[2 * h * sh * w * sw];
                for (long o = 0; o < y.Length; o++)
                    y[o] = x[(o / (h * sh * w * sw) * h + o / (w * sw) % (h * sh) / sh) * w + o % (w * sw) / sw];
                return y;
            }
            double[] x = Random(2 * h * w, 1), gy = Random(2 * h * sh * w * sw, 2);
            string what = $"{h}x{w} times {sh}x{sw}";
            Close(Loops(x), Upsample<double>(h, w, sh, sw, x), 0, $"f64 {what}");
            Close(Loops(x), Upsample<float>(h, w, sh, sw, x), 0, $"f32 {what}");
            Close(AdjointOf(Loops, x.Length, gy), UpsampleGrad<double>(h, w, sh, sw, gy), Tolerance<double>(), $"grad f64 {what}");
            Close(AdjointOf(Loops, x.Length, gy), UpsampleGrad<float>(h, w, sh, sw, gy), Tolerance<float>(), $"grad f32 {what}");
        }
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        var s = new PoolShape(300, 16, 15, 3, 3, 2, 2, 1, 1);
        double[] x = Random(s.Planes * s.InPixels, 1), gy = Random(s.Planes * s.OutPixels, 2);
        MaxLoops(s, x, out _, out double[] index);
        SameBitsOnAnyThreads(() => MaxGrad<float>(s, gy, index), "max gradient");
        SameBitsOnAnyThreads(() => Avg<float>(s, true, x), "average");
        SameBitsOnAnyThreads(() => AvgGrad<float>(s, true, gy), "average gradient");
    }

    [Fact]
    public void Impossible_geometries_are_refused()
    {
        var s = new PoolShape(1, 8, 8, 2, 2, 2, 2, 1, 1);
        s.Check("max_pool2d");
        foreach (var bad in new[] { s with { KernelH = 0 }, s with { PadW = 2 }, s with { StrideH = 0 }, s with { KernelW = 11 },
            s with { DilationH = 10 } })
            Assert.StartsWith("max_pool2d: ", Assert.Throws<ShapeException>(() => bad.Check("max_pool2d")).Message, StringComparison.Ordinal);
    }

    private static void AssertMax<T>(PoolShape s, double[] x, double[] y, double[] index) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> px = new(x), py = new(y.Length);
        using Buf<long> at = new(y.Length);
        Pool2dKernels.MaxForward(s, px.P, py.P, at.P);
        Close(y, py.ToArray(), 0, $"max {typeof(T).Name} {s}");
        Close(index, at.ToArray(), 0, $"index {typeof(T).Name} {s}");
    }

    private static double[] MaxGrad<T>(PoolShape s, double[] gy, double[] index) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> g = new(gy), gx = new(s.Planes * s.InPixels);
        using Buf<long> at = new(index);
        Pool2dKernels.MaxGrad(s, g.P, at.P, gx.P);
        return gx.ToArray();
    }

    private static double[] MaxGather<T>(PoolShape s, double[] v, double[] index) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> pv = new(v), y = new(s.Planes * s.OutPixels);
        using Buf<long> at = new(index);
        Pool2dKernels.MaxGather(s, pv.P, at.P, y.P);
        return y.ToArray();
    }

    private static double[] Avg<T>(PoolShape s, bool includePad, double[] x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> px = new(x), y = new(s.Planes * s.OutPixels);
        Pool2dKernels.AvgForward(s, includePad, px.P, y.P);
        return y.ToArray();
    }

    private static double[] AvgGrad<T>(PoolShape s, bool includePad, double[] gy) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> g = new(gy), gx = new(s.Planes * s.InPixels);
        Pool2dKernels.AvgGrad(s, includePad, g.P, gx.P);
        return gx.ToArray();
    }

    private static double[] Adaptive<T>(long h, long w, long oh, long ow, double[] x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> px = new(x), y = new(2 * oh * ow);
        Pool2dKernels.AdaptiveAvgForward(2, h, w, oh, ow, px.P, y.P);
        return y.ToArray();
    }

    private static double[] AdaptiveGrad<T>(long h, long w, long oh, long ow, double[] gy) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> g = new(gy), gx = new(2 * h * w);
        Pool2dKernels.AdaptiveAvgGrad(2, h, w, oh, ow, g.P, gx.P);
        return gx.ToArray();
    }

    private static double[] Upsample<T>(long h, long w, long sh, long sw, double[] x) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> px = new(x), y = new(2 * h * sh * w * sw);
        Pool2dKernels.UpsampleForward(2, h, w, sh, sw, px.P, y.P);
        return y.ToArray();
    }

    private static double[] UpsampleGrad<T>(long h, long w, long sh, long sw, double[] gy) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> g = new(gy), gx = new(2 * h * w);
        Pool2dKernels.UpsampleGrad(2, h, w, sh, sw, g.P, gx.P);
        return gx.ToArray();
    }

    // The adjoint of a linear map, one unit vector at a time.
    private static double[] AdjointOf(Func<double[], double[]> map, int inputs, double[] cotangent)
    {
        var result = new double[inputs];
        var unit = new double[inputs];
        for (int i = 0; i < inputs; i++)
        {
            unit[i] = 1;
            result[i] = Dot(map(unit), cotangent);
            unit[i] = 0;
        }
        return result;
    }

    private static double[] AvgLoops(PoolShape s, bool includePad, double[] x)
    {
        var y = new double[s.Planes * s.OutPixels];
        for (long o = 0; o < y.Length; o++)
        {
            (double sum, int inside) = (0, 0);
            foreach (long i in Window(s, o))
                if (i >= 0)
                    (sum, inside) = (sum + x[i], inside + 1);
            y[o] = sum / (includePad ? s.KernelH * s.KernelW : inside);
        }
        return y;
    }

    private static void MaxLoops(PoolShape s, double[] x, out double[] y, out double[] index)
    {
        (y, index) = (new double[s.Planes * s.OutPixels], new double[s.Planes * s.OutPixels]);
        for (long o = 0; o < y.Length; o++)
        {
            (double best, long at) = (double.NegativeInfinity, -1);
            foreach (long i in Window(s, o))
                if (i >= 0 && x[i] > best)
                    (best, at) = (x[i], i);
            (y[o], index[o]) = (best, at - o / s.OutPixels * s.InPixels);
        }
    }

    // The positions in x that output o looks at, -1 for padding.
    private static IEnumerable<long> Window(PoolShape s, long o)
    {
        long plane = o / s.OutPixels, oy = o / s.OutW % s.OutH, ox = o % s.OutW;
        for (long ky = 0; ky < s.KernelH; ky++)
            for (long kx = 0; kx < s.KernelW; kx++)
            {
                long iy = oy * s.StrideH - s.PadH + ky * s.DilationH, ix = ox * s.StrideW - s.PadW + kx * s.DilationW;
                yield return iy >= 0 && iy < s.Height && ix >= 0 && ix < s.Width ? (plane * s.Height + iy) * s.Width + ix : -1;
            }
    }
}
