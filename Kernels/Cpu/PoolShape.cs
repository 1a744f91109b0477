namespace Native;

/// <summary>
/// The geometry of one 2-d pooling: planes = batch * channels, each [height, width] -> [OutH, OutW]. Output sizes are rounded down. Average
/// pooling has no dilation.
/// </summary>
internal readonly record struct PoolShape(
    long Planes, long Height, long Width, long KernelH, long KernelW, long StrideH, long StrideW,
    long PadH = 0, long PadW = 0, long DilationH = 1, long DilationW = 1)
{
    public long OutH => ConvShape.OutSize(Height, KernelH, StrideH, PadH, DilationH);

    public long OutW => ConvShape.OutSize(Width, KernelW, StrideW, PadW, DilationW);

    /// <summary>Pixels of one input plane.</summary>
    public long InPixels => Height * Width;

    /// <summary>Pixels of one output plane.</summary>
    public long OutPixels => OutH * OutW;

    /// <summary>Throws <see cref="ShapeException"/> in the name of <paramref name="op"/> when this is no pooling.</summary>
    public void Check(string op)
    {
        string input = $"input planes {Height}x{Width}, kernel {KernelH}x{KernelW}, stride {StrideH}x{StrideW}, "
            + $"padding {PadH}x{PadW}, dilation {DilationH}x{DilationW}";
        if (Planes < 0 || Height < 1 || Width < 1 || KernelH < 1 || KernelW < 1 || StrideH < 1 || StrideW < 1 || DilationH < 1
            || DilationW < 1)
            throw new ShapeException($"{op}: planes, kernel, stride and dilation must be at least 1; {input}.");
        // More padding than half a window would make windows that lie wholly in the padding.
        if (PadH < 0 || PadW < 0 || 2 * PadH > DilationH * (KernelH - 1) + 1 || 2 * PadW > DilationW * (KernelW - 1) + 1)
            throw new ShapeException($"{op}: padding must be between 0 and half of what the kernel spans; {input}.");
        if (OutH < 1 || OutW < 1)
            throw new ShapeException($"{op}: the kernel is larger than the padded input; {input}. Pad more or use a smaller kernel.");
    }
}
