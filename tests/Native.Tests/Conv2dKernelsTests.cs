using System.Numerics;
using static Native.Tests.KernelKit;

namespace Native.Tests;

/// <summary>
/// Convolution, data gradient and weight gradient against seven nested loops, over the odd shapes where indices go wrong.
/// </summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed unsafe class Conv2dKernelsTests
{
    internal static readonly ConvShape[] Shapes =
    [
        new(1, 1, 1, 1, 1, 1, 1),
        new(2, 3, 5, 7, 4, 3, 3),
        new(2, 3, 5, 7, 4, 3, 3, PadH: 1, PadW: 1),
        new(3, 2, 8, 6, 5, 2, 3, StrideH: 2, StrideW: 3, PadH: 1, PadW: 0),
        new(2, 2, 9, 17, 3, 3, 3, StrideH: 2, StrideW: 2, PadH: 1, PadW: 1),
        new(1, 2, 4, 5, 3, 3, 3, PadH: 4, PadW: 3),
        new(1, 1, 2, 2, 2, 1, 1, PadH: 3, PadW: 2),
        new(2, 2, 11, 9, 2, 3, 2, DilationH: 2, DilationW: 3, PadH: 2, PadW: 1),
        new(2, 1, 12, 13, 3, 3, 3, StrideH: 3, StrideW: 2, PadH: 5, PadW: 4, DilationH: 2, DilationW: 2),
        new(2, 6, 6, 5, 4, 3, 3, PadH: 1, PadW: 1, Groups: 2),
        new(3, 5, 7, 6, 5, 3, 3, PadH: 1, PadW: 1, Groups: 5),
        new(2, 3, 6, 6, 9, 3, 3, StrideH: 2, StrideW: 2, Groups: 3),
        new(2, 6, 5, 4, 3, 1, 1),
        new(40, 6, 3, 5, 3, 1, 1),
        new(2, 6, 17, 19, 4, 1, 1, Groups: 2),
        new(3, 6, 5, 4, 3, 1, 1, StrideH: 2, StrideW: 2),
        new(37, 3, 4, 4, 5, 3, 3, PadH: 1, PadW: 1),
        new(70, 4, 2, 2, 6, 2, 2, Groups: 2),
        new(0, 3, 5, 5, 2, 3, 3),
        new(5, 3, 1, 1, 7, 3, 3, PadH: 1, PadW: 1),
        new(1, 3, 34, 33, 2, 5, 5, PadH: 2, PadW: 2),
        // Several partial weight gradients, each of several rounds; large maps and small ones; more taps than are summed at once.
        new(35, 2, 16, 17, 3, 3, 3, PadH: 1, PadW: 1),
        new(33, 3, 17, 16, 4, 1, 1),
        new(80, 2, 12, 11, 2, 2, 2),
        new(70, 3, 10, 10, 16, 3, 3, PadH: 1, PadW: 1),
        new(30, 24, 12, 12, 30, 3, 3, PadH: 1, PadW: 1),
        new(26, 30, 5, 5, 20, 5, 5, StrideH: 3, StrideW: 3, PadH: 2, PadW: 2),
        new(40, 1, 14, 14, 32, 5, 5, StrideH: 2, StrideW: 2, PadH: 2, PadW: 2),
        new(66, 2, 3, 3, 2, 3, 3, PadH: 1, PadW: 1),
    ];

    [Fact]
    public void Forward_equals_the_loops()
    {
        foreach (var s in Shapes)
            foreach (bool bias in new[] { false, true })
            {
                (double[] x, double[] w, double[] b) = (Random(InCount(s), 1), Random(s.WeightCount, 2), Random(s.Filters, 3));
                double[] expected = Loops(s, x, w, null).Y;
                if (bias)
                    expected = expected.Select((v, i) => v + b[i / s.OutPixels % s.Filters]).ToArray();
                Close(expected, Forward<double>(s, x, w, bias ? b : null), Tolerance<double>(), $"f64 {s}");
                Close(expected, Forward<float>(s, x, w, bias ? b : null), Tolerance<float>(), $"f32 {s}");
            }
    }

    [Fact]
    public void Data_gradient_equals_the_loops()
    {
        foreach (var s in Shapes)
            foreach (bool bias in new[] { false, true })
            {
                (double[] w, double[] gy, double[] b) = (Random(s.WeightCount, 2), Random(OutCount(s), 4), Random(s.Channels, 3));
                double[] expected = Loops(s, null, w, gy).Gx;
                if (bias)
                    expected = expected.Select((v, i) => v + b[i / s.InPixels % s.Channels]).ToArray();
                Close(expected, DataGrad<double>(s, gy, w, bias ? b : null), Tolerance<double>(), $"f64 {s}");
                Close(expected, DataGrad<float>(s, gy, w, bias ? b : null), Tolerance<float>(), $"f32 {s}");
            }
    }

    [Fact]
    public void Weight_gradient_equals_the_loops()
    {
        foreach (var s in Shapes)
        {
            (double[] x, double[] gy) = (Random(InCount(s), 1), Random(OutCount(s), 4));
            double[] expected = Loops(s, x, null, gy).Gw;
            Close(expected, WeightGrad<double>(s, x, gy), Tolerance<double>(), $"f64 {s}");
            Close(expected, WeightGrad<float>(s, x, gy), Tolerance<float>() * 2, $"f32 {s}");
        }
    }

    [Fact]
    public void Gradients_are_the_slopes_of_the_forward_pass()
    {
        foreach (var s in Shapes.Where(s => s.Batch is > 0 and < 5))
        {
            (double[] x, double[] w, double[] r) = (Random(InCount(s), 1), Random(s.WeightCount, 2), Random(OutCount(s), 5));
            CheckGradient(v => Dot(Forward<double>(s, v, w, null), r), x, DataGrad<double>(s, r, w, null), $"gx {s}");
            CheckGradient(v => Dot(Forward<double>(s, x, v, null), r), w, WeightGrad<double>(s, x, r), $"gw {s}");
        }
    }

    [Fact]
    public void A_transposed_convolution_with_output_padding_is_a_data_gradient_with_a_larger_plane()
    {
        // One input pixel of value 1 paints the kernel at twice its position, minus the padding; the output padding adds row and column 7.
        long size = (4 - 1) * 2 - 2 * 1 + 3 + 1;
        var s = new ConvShape(1, 1, size, size, 1, 3, 3, 2, 2, 1, 1);
        Assert.Equal(4, s.OutH);
        var gy = new double[16];
        gy[15] = 1;
        double[] w = Random(9, 7), expected = new double[size * size];
        for (int ky = 0; ky < 3; ky++)
            for (int kx = 0; kx < 3; kx++)
                expected[(5 + ky) * size + 5 + kx] = w[ky * 3 + kx];
        Close(expected, DataGrad<double>(s, gy, w, null), 0, "painted kernel");
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        ConvShape[] shapes =
        [
            new(33, 5, 16, 15, 7, 3, 3, PadH: 1, PadW: 1), new(50, 8, 4, 4, 9, 3, 3, PadH: 1, PadW: 1),
            new(1, 8, 32, 32, 16, 3, 3, PadH: 1, PadW: 1), new(20, 8, 16, 16, 16, 1, 1),
        ];
        foreach (var s in shapes)
        {
            (double[] x, double[] w, double[] gy) = (Random(InCount(s), 1), Random(s.WeightCount, 2), Random(OutCount(s), 4));
            SameBitsOnAnyThreads(() => Forward<float>(s, x, w, null), $"forward {s}");
            SameBitsOnAnyThreads(() => DataGrad<float>(s, gy, w, null), $"data gradient {s}");
            SameBitsOnAnyThreads(() => WeightGrad<float>(s, x, gy), $"weight gradient {s}");
        }
    }

    [Fact]
    public void Geometry_counts_and_refusals()
    {
        var s = new ConvShape(128, 20, 32, 32, 20, 3, 3, PadH: 1, PadW: 1);
        Assert.Equal((32L, 32L, 180L, 3600L), (s.OutH, s.OutW, s.Taps, s.WeightCount));
        // Along a dim of 32 with padding 1, 32*3 - 2 taps hit the image.
        Assert.Equal(2L * 128 * 20 * 20 * 94 * 94, s.Flops);
        s.Check("conv2d");
        (s with { Batch = 0 }).Check("conv2d");
        ConvShape[] wrong =
        [
            s with { Channels = 0 }, s with { StrideH = 0 }, s with { PadW = -1 }, s with { Groups = 3 }, s with { Groups = 0 },
            s with { KernelH = 35 }, s with { DilationW = 17 }, s with { Batch = -1 },
        ];
        foreach (var bad in wrong)
            Assert.StartsWith("conv2d: ", Assert.Throws<ShapeException>(() => bad.Check("conv2d")).Message, StringComparison.Ordinal);
    }

    private static long InCount(ConvShape s) => s.Batch * s.Channels * s.InPixels;

    private static long OutCount(ConvShape s) => s.Batch * s.Filters * s.OutPixels;

    private static double[] Forward<T>(ConvShape s, double[] x, double[] w, double[]? b) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> px = new(x), pw = new(w), pb = new(b ?? []), py = new(OutCount(s));
        Conv2dKernels.Forward(s, px.P, pw.P, b == null ? null : pb.P, py.P);
        return py.ToArray();
    }

    private static double[] DataGrad<T>(ConvShape s, double[] gy, double[] w, double[]? b) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> pg = new(gy), pw = new(w), pb = new(b ?? []), px = new(InCount(s));
        Conv2dKernels.DataGrad(s, pg.P, pw.P, b == null ? null : pb.P, px.P);
        return px.ToArray();
    }

    private static double[] WeightGrad<T>(ConvShape s, double[] x, double[] gy) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Buf<T> px = new(x), pg = new(gy), pw = new(s.WeightCount);
        Conv2dKernels.WeightGrad(s, px.P, pg.P, pw.P);
        return pw.ToArray();
    }

    // The definition: every useful tap once, for whichever of the three results has its operands.
    private static (double[] Y, double[] Gx, double[] Gw) Loops(ConvShape s, double[]? x, double[]? w, double[]? gy)
    {
        double[] y = new double[OutCount(s)], gx = new double[InCount(s)], gw = new double[s.WeightCount];
        long perGroup = s.Channels / s.Groups;
        for (long n = 0; n < s.Batch; n++)
            for (long f = 0; f < s.Filters; f++)
                for (long c = 0; c < perGroup; c++)
                    for (long oy = 0; oy < s.OutH; oy++)
                        for (long ox = 0; ox < s.OutW; ox++)
                            for (long ky = 0; ky < s.KernelH; ky++)
                                for (long kx = 0; kx < s.KernelW; kx++)
                                {
                                    long iy = oy * s.StrideH - s.PadH + ky * s.DilationH, ix = ox * s.StrideW - s.PadW + kx * s.DilationW;
                                    if (iy < 0 || iy >= s.Height || ix < 0 || ix >= s.Width)
                                        continue;
                                    long channel = f / (s.Filters / s.Groups) * perGroup + c;
                                    long i = ((n * s.Channels + channel) * s.Height + iy) * s.Width + ix;
                                    long o = ((n * s.Filters + f) * s.OutH + oy) * s.OutW + ox;
                                    long k = ((f * perGroup + c) * s.KernelH + ky) * s.KernelW + kx;
                                    if (x != null && w != null)
                                        y[o] += w[k] * x[i];
                                    if (w != null && gy != null)
                                        gx[i] += w[k] * gy[o];
                                    if (x != null && gy != null)
                                        gw[k] += x[i] * gy[o];
                                }
        return (y, gx, gw);
    }
}
