using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// 2-d convolution and its two adjoints. The three are closed under differentiation: with y = conv(x, w), gx = dataGrad(gy, w),
/// gw = weightGrad(x, gy), each is bilinear and each one's adjoints are the other two. The data gradient is also the forward pass of the
/// transposed convolution, whose weight [inputs, outputs/groups, kernelH, kernelW] is then the weight of the convolution it transposes.
/// The algorithm follows from the shape (<see cref="ConvFlat{T, TVec, TLanes}"/>, <see cref="ConvLanes{T, TVec, TLanes}"/>,
/// <see cref="ConvWeights{T, TVec, TLanes}"/>); each sums in the same order, so that the bits depend neither on it nor on the number of
/// threads or the width of the vectors. (The sign of a zero that is left when everything underflows may differ: some ways add the products with
/// padding, which are zeros.) A tap in the padding adds nothing, also where the weight or the gradient is infinite or NaN: ways that multiply
/// padding are not taken then.
/// </summary>
internal static unsafe class Conv2dKernels
{
    /// <summary>y = conv(x, w) + bias.</summary>
    /// <param name="s">A checked geometry.</param>
    /// <param name="x">[batch, channels, height, width].</param>
    /// <param name="w">[filters, channels/groups, kernelH, kernelW].</param>
    /// <param name="bias">[filters], or null.</param>
    /// <param name="y">[batch, filters, OutH, OutW]; overwritten.</param>
    public static void Forward<T>(ConvShape s, T* x, T* w, T* bias, T* y) where T : unmanaged, IFloatingPointIeee754<T> =>
        Run(new ConvSum(s, Adjoint: false), x, w, bias, y);

    /// <summary>
    /// gx = the adjoint of x -> conv(x, w), applied to gy, plus bias. As a transposed convolution: input gy, output gx; an output
    /// padding is nothing but a geometry whose height and width are larger by it.
    /// </summary>
    /// <param name="s">The checked geometry of the convolution.</param>
    /// <param name="gy">[batch, filters, OutH, OutW].</param>
    /// <param name="w">[filters, channels/groups, kernelH, kernelW].</param>
    /// <param name="bias">[channels], or null.</param>
    /// <param name="gx">[batch, channels, height, width]; overwritten.</param>
    public static void DataGrad<T>(ConvShape s, T* gy, T* w, T* bias, T* gx) where T : unmanaged, IFloatingPointIeee754<T> =>
        Run(new ConvSum(s, Adjoint: true), gy, w, bias, gx);

    /// <summary>gw = the adjoint of w -> conv(x, w), applied to gy.</summary>
    /// <param name="s">A checked geometry.</param>
    /// <param name="x">[batch, channels, height, width].</param>
    /// <param name="gy">[batch, filters, OutH, OutW].</param>
    /// <param name="gw">[filters, channels/groups, kernelH, kernelW]; overwritten, zero for an empty batch.</param>
    public static void WeightGrad<T>(ConvShape s, T* x, T* gy, T* gw) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (s.Batch == 0)
        {
            new Span<T>(gw, checked((int)s.WeightCount)).Clear();
            return;
        }
        for (long g = 0; g < s.Groups; g++)
        {
            T* gx = x + (g * s.ChannelsPerGroup * s.InPixels), gg = gy + (g * s.FiltersPerGroup * s.OutPixels);
            T* to = gw + (g * s.FiltersPerGroup * s.Taps);
            var plan = WeightPlan.Of(s, margins: true);
            Weights(s, plan, gx, gg, to);
            // Zeros beside a row times an infinite gradient are NaN: once more, without them.
            if (plan.Margin > 0 && !AllFinite(to, s.FiltersPerGroup * s.Taps))
                Weights(s, WeightPlan.Of(s, margins: false), gx, gg, to);
        }
    }

    private static void Weights<T>(ConvShape s, WeightPlan plan, T* x, T* gy, T* gw) where T : unmanaged
    {
        if (typeof(T) == typeof(float) && Vector512.IsHardwareAccelerated)
            ConvWeights<float, Vector512<float>, F32x16>.Run(s, plan, (float*)x, (float*)gy, (float*)gw);
        else if (typeof(T) == typeof(float))
            ConvWeights<float, Vector256<float>, F32x8>.Run(s, plan, (float*)x, (float*)gy, (float*)gw);
        else if (Vector512.IsHardwareAccelerated)
            ConvWeights<double, Vector512<double>, F64x8>.Run(s, plan, (double*)x, (double*)gy, (double*)gw);
        else
            ConvWeights<double, Vector256<double>, F64x4>.Run(s, plan, (double*)x, (double*)gy, (double*)gw);
    }

    private static bool AllFinite<T>(T* values, long count) where T : unmanaged, INumberBase<T>
    {
        Vector512<T> probe = default;
        long i = 0;
        for (; i + Vector512<T>.Count <= count; i += Vector512<T>.Count)
        {
            // 0 for a number, NaN for the rest.
            var v = Vector512.Load(values + i);
            probe += v - v;
        }
        bool finite = Vector512.EqualsAll(probe, default);
        for (; i < count; i++)
            finite &= T.IsFinite(values[i]);
        return finite;
    }

    private static void Run<T>(ConvSum sum, T* source, T* w, T* bias, T* result) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (sum.S.Batch == 0)
            return;
        bool flat = ConvChoice.Flat(sum) && AllFinite(w, sum.S.WeightCount);
        for (nint g = 0; g < (nint)sum.S.Groups; g++)
        {
            T* from = source + (g * sum.Sources * sum.SourcePixels), to = result + (g * sum.Results * sum.ResultPixels);
            T* wg = w + (g * sum.Sources * sum.Results * sum.Places), bg = bias == null ? null : bias + (g * sum.Results);
            if (typeof(T) == typeof(float) && Vector512.IsHardwareAccelerated)
                Run<float, Vector512<float>, F32x16>(flat, sum, (float*)from, (float*)wg, (float*)bg, (float*)to);
            else if (typeof(T) == typeof(float))
                Run<float, Vector256<float>, F32x8>(flat, sum, (float*)from, (float*)wg, (float*)bg, (float*)to);
            else if (Vector512.IsHardwareAccelerated)
                Run<double, Vector512<double>, F64x8>(flat, sum, (double*)from, (double*)wg, (double*)bg, (double*)to);
            else
                Run<double, Vector256<double>, F64x4>(flat, sum, (double*)from, (double*)wg, (double*)bg, (double*)to);
        }
    }

    private static void Run<T, TVec, TLanes>(bool flat, ConvSum sum, T* source, T* w, T* bias, T* result)
        where T : unmanaged, INumberBase<T>
        where TVec : unmanaged
        where TLanes : struct, ILanes<T, TVec>
    {
        if (flat)
            ConvFlat<T, TVec, TLanes>.Run(sum, source, w, bias, result);
        else
            ConvLanes<T, TVec, TLanes>.Run(sum, source, w, bias, result);
    }
}

/// <summary>Pixels or images as lanes: whichever multiplies and moves less, counted from the shape for vectors of 16.</summary>
internal static class ConvChoice
{
    private const long Vector = 16;

    // What moving an element costs, in multiply-adds of one lane: transposed, and copied row by row. Measured.
    private const long TransposeCost = 20, CopyCost = 5;

    public static bool Flat(ConvSum sum)
    {
        if (!FlatShape.Fits(sum))
            return false;
        FlatShape flat = new(sum);
        long channels = sum.Sources * sum.Results, elements = (sum.Sources * sum.SourcePixels) + (sum.Results * sum.ResultPixels);
        long columns = RoundUp(flat.Columns(flat.Images)) / flat.Images;
        long flatCost = (columns * sum.Places * channels) + (CopyCost * elements);
        long places = sum.S.Flops / (2 * sum.S.Batch * sum.S.Filters * sum.S.ChannelsPerGroup);
        long laneCost = (RoundUp((nint)sum.S.Batch) * places * channels / sum.S.Batch) + (TransposeCost * elements);
        return flatCost <= laneCost;
    }

    private static long RoundUp(nint n) => (n + Vector - 1) / Vector * Vector;
}
