using System.Numerics;
using System.Runtime.Intrinsics;
using static Native.Tests.KernelKit;

namespace Native.Tests;

/// <summary>
/// Every way to compute a convolution gives the same bits: pixels or images as lanes, vectors of 256 or 512 bits, any number of threads. The
/// classes are called directly, so that both widths run in one process (in software where the processor lacks one).
/// </summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed unsafe class ConvAlgorithmTests
{
    // One tile and several, whole and ragged vectors, one block of source channels and several, batches around whole groups of lanes.
    private static readonly ConvShape[] Shapes =
    [
        new(1, 1, 5, 5, 1, 3, 3, PadH: 1, PadW: 1),
        new(16, 3, 6, 7, 15, 3, 3, PadH: 1, PadW: 1),
        new(17, 2, 9, 4, 20, 3, 2, PadH: 1),
        new(33, 60, 4, 4, 13, 3, 3, PadH: 1, PadW: 1),
        new(65, 4, 7, 7, 3, 5, 5, PadH: 2, PadW: 2),
        new(130, 2, 3, 3, 1, 3, 3, PadH: 1, PadW: 1),
        new(3, 5, 20, 33, 29, 3, 3, PadH: 1, PadW: 1),
        new(2, 3, 12, 40, 14, 3, 3, PadH: 2, PadW: 2, DilationH: 2, DilationW: 2),
        new(9, 30, 5, 5, 6, 1, 1),
        new(2, 520, 2, 3, 2, 1, 1),
    ];

    private static readonly ConvShape[] Strided =
    [
        new(26, 7, 10, 10, 16, 5, 5, StrideH: 3, StrideW: 3, PadH: 2, PadW: 2),
        new(5, 40, 8, 6, 10, 4, 4, StrideH: 2, StrideW: 2, PadH: 1, PadW: 1),
        new(40, 1, 9, 9, 32, 5, 5, StrideH: 2, StrideW: 2, PadH: 2, PadW: 2),
        new(3, 2, 8, 8, 2, 1, 1, StrideH: 3, StrideW: 3),
    ];

    [Fact]
    public void Pixels_and_images_as_lanes_give_the_same_bits_at_both_widths()
    {
        foreach (var s in Shapes)
            foreach (bool adjoint in new[] { false, true })
            {
                var sum = new ConvSum(s, adjoint);
                Assert.True(FlatShape.Fits(sum), $"{s}");
                float[] images = Sum<float, Vector512<float>, F32x16>(sum, flat: false);
                Same(images, Sum<float, Vector512<float>, F32x16>(sum, flat: true), $"pixels, 512 bits, adjoint {adjoint}, {s}");
                Same(images, Sum<float, Vector256<float>, F32x8>(sum, flat: false), $"images, 256 bits, adjoint {adjoint}, {s}");
                Same(images, Sum<float, Vector256<float>, F32x8>(sum, flat: true), $"pixels, 256 bits, adjoint {adjoint}, {s}");
                double[] wide = Sum<double, Vector512<double>, F64x8>(sum, flat: false);
                Same(wide, Sum<double, Vector256<double>, F64x4>(sum, flat: true), $"f64, adjoint {adjoint}, {s}");
                Close(wide, images.Select(v => (double)v).ToArray(), 1e-4, $"f32 beside f64, adjoint {adjoint}, {s}");
            }
    }

    [Fact]
    public void Strided_convolutions_give_the_same_bits_at_both_widths()
    {
        foreach (var s in Strided)
            foreach (bool adjoint in new[] { false, true })
            {
                var sum = new ConvSum(s, adjoint);
                Same(Sum<float, Vector512<float>, F32x16>(sum, flat: false), Sum<float, Vector256<float>, F32x8>(sum, flat: false), $"adjoint {adjoint}, {s}");
            }
    }

    [Fact]
    public void Weight_gradients_give_the_same_bits_at_both_widths()
    {
        // The last has the most partial sums there are, more than lanes of the narrow vectors.
        foreach (var s in Shapes.Concat(Strided).Append(new(64, 8, 14, 14, 16, 3, 3, PadH: 1, PadW: 1)))
        {
            Same(Weights<float, Vector512<float>, F32x16>(s), Weights<float, Vector256<float>, F32x8>(s), $"f32 {s}");
            Same(Weights<double, Vector512<double>, F64x8>(s), Weights<double, Vector256<double>, F64x4>(s), $"f64 {s}");
        }
    }

    [Fact]
    public void Margins_change_no_bit_of_a_weight_gradient()
    {
        foreach (var s in Shapes)
            Same(Weights<float, Vector512<float>, F32x16>(s), Weights<float, Vector512<float>, F32x16>(s, margins: false), $"{s}");
    }

    [Fact]
    public void Padding_adds_nothing_also_to_infinite_weights_and_gradients()
    {
        // Batches and channel counts on both sides of every choice.
        foreach (int batch in new[] { 1, 2, 8, 40 })
            foreach (int channels in new[] { 1, 3, 16, 64 })
            {
                ConvShape s = new(batch, channels, 8, 4, 2, 3, 3, PadH: 1, PadW: 1);
                var w = new double[s.WeightCount];
                Array.Fill(w, 1);
                w[0] = double.PositiveInfinity; // filter 0, channel 0, upper left
                double[] x = [.. Enumerable.Repeat(1.0, (int)(s.Batch * s.Channels * s.InPixels))], gy = new double[s.Batch * s.Filters * s.OutPixels];
                gy[0] = double.PositiveInfinity; // image 0, filter 0, pixel (0, 0)
                using Buf<float> px = new(x), pw = new(w), pg = new(gy), y = new(gy.Length), gx = new(x.Length), gw = new(w.Length), ones = new([.. Enumerable.Repeat(1.0, gy.Length)]);
                Conv2dKernels.Forward(s, px.P, pw.P, null, y.P);
                Conv2dKernels.DataGrad(s, ones.P, pw.P, null, gx.P);
                Conv2dKernels.WeightGrad(s, px.P, pg.P, gw.P);
                Assert.DoesNotContain(y.ToArray(), double.IsNaN);
                Assert.DoesNotContain(gx.ToArray(), double.IsNaN);
                Assert.DoesNotContain(gw.ToArray(), double.IsNaN);
                Assert.True(double.IsFinite(y.ToArray()[0]), "the upper left tap of the upper left pixel is padding");
                // Row 0 and column 0 of the kernel are padding to pixel (0, 0), the rest sees it.
                Assert.Equal([0, 0, 0, 0, 1, 1, 0, 1, 1], gw.ToArray()[..9].Select(v => double.IsInfinity(v) ? 1 : v));
            }
    }

    [Fact]
    public void Neither_threads_nor_what_ran_before_change_a_bit()
    {
        foreach (var s in Shapes.Concat(Strided))
        {
            // Every call finds the working memory that another shape has left behind.
            SameBitsOnAnyThreads(() => Widen(Sum<float, Vector512<float>, F32x16>(new(s, false), flat: false)), $"images {s}");
            SameBitsOnAnyThreads(() => Widen(Weights<float, Vector512<float>, F32x16>(s)), $"weights {s}");
            if (FlatShape.Fits(new(s, false)))
                SameBitsOnAnyThreads(() => Widen(Sum<float, Vector512<float>, F32x16>(new(s, false), flat: true)), $"pixels {s}");
        }
    }

    [Fact]
    public void A_NaN_reaches_exactly_the_results_that_see_it()
    {
        ConvShape s = new(17, 2, 6, 6, 3, 3, 3, PadH: 1, PadW: 1);
        foreach (bool flat in new[] { false, true })
        {
            float[] y = Sum<float, Vector512<float>, F32x16>(new(s, false), flat, poison: (16 * 2 * 36) + 7);
            for (int i = 0; i < y.Length; i++)
            {
                // Image 16, channel 0, pixel (1, 1): its 3x3 neighbourhood in every filter.
                bool sees = i / 36 / 3 == 16 && i % 36 / 6 is >= 0 and <= 2 && i % 6 is >= 0 and <= 2;
                Assert.True(float.IsNaN(y[i]) == sees, $"flat {flat}: y[{i}] = {y[i]}");
            }
        }
    }

    [Fact]
    public void The_choice_follows_the_map()
    {
        Assert.True(ConvChoice.Flat(new(new(10, 20, 32, 32, 20, 3, 3, PadH: 1, PadW: 1), false)));
        Assert.False(ConvChoice.Flat(new(new(128, 160, 4, 4, 160, 3, 3, PadH: 1, PadW: 1), false)));
        Assert.False(ConvChoice.Flat(new(new(128, 20, 32, 32, 40, 3, 3, StrideH: 2, StrideW: 2, PadH: 1, PadW: 1), false)));
        Assert.False(FlatShape.Fits(new(new(1, 1, 2, 2, 1, 1, 1, PadH: 3, PadW: 2), Adjoint: true)));
    }

    private static double[] Widen(float[] values) => [.. values.Select(v => (double)v)];

    private static T[] Sum<T, TVec, TLanes>(ConvSum sum, bool flat, int poison = -1)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TVec : unmanaged
        where TLanes : struct, ILanes<T, TVec>
    {
        double[] source = Random(sum.S.Batch * sum.SourceImage, 1);
        if (poison >= 0)
            source[poison] = double.NaN;
        using Buf<T> from = new(source), w = new(Random(sum.S.WeightCount, 2)), bias = new(Random(sum.Results, 3));
        using Buf<T> to = new(sum.S.Batch * sum.ResultImage);
        if (flat)
            ConvFlat<T, TVec, TLanes>.Run(sum, from.P, w.P, bias.P, to.P);
        else
            ConvLanes<T, TVec, TLanes>.Run(sum, from.P, w.P, bias.P, to.P);
        return [.. to.ToArray().Select(T.CreateChecked)];
    }

    private static T[] Weights<T, TVec, TLanes>(ConvShape s, bool margins = true)
        where T : unmanaged, IFloatingPointIeee754<T>
        where TVec : unmanaged
        where TLanes : struct, ILanes<T, TVec>
    {
        using Buf<T> x = new(Random(s.Batch * s.Channels * s.InPixels, 1)), gy = new(Random(s.Batch * s.Filters * s.OutPixels, 2));
        using Buf<T> gw = new(s.WeightCount);
        ConvWeights<T, TVec, TLanes>.Run(s, WeightPlan.Of(s, margins), x.P, gy.P, gw.P);
        return [.. gw.ToArray().Select(T.CreateChecked)];
    }

    private static void Same<T>(T[] expected, T[] actual, string what) where T : struct, IFloatingPointIeee754<T>
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(expected[i].Equals(actual[i]), $"{what}: [{i}] is {actual[i]}, not {expected[i]}");
    }
}
