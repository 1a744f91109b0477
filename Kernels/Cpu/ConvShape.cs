namespace Native;

/// <summary>
/// The geometry of one 2-d convolution and of everything that belongs to it: x [batch, channels, height, width], weight
/// [filters, channels/groups, kernelH, kernelW], y [batch, filters, OutH, OutW]. Padding is zeros on both sides. The transposed
/// convolution uses the shape of the convolution that it is the adjoint of, so its input is y and its output is x.
/// </summary>
internal readonly record struct ConvShape(
    long Batch, long Channels, long Height, long Width,
    long Filters, long KernelH, long KernelW,
    long StrideH = 1, long StrideW = 1, long PadH = 0, long PadW = 0,
    long DilationH = 1, long DilationW = 1, long Groups = 1)
{
    private const long MostSize = 1 << 30;

    public long OutH => OutSize(Height, KernelH, StrideH, PadH, DilationH);

    public long OutW => OutSize(Width, KernelW, StrideW, PadW, DilationW);

    /// <summary>Pixels of one input plane.</summary>
    public long InPixels => Height * Width;

    /// <summary>Pixels of one output plane.</summary>
    public long OutPixels => OutH * OutW;

    public long ChannelsPerGroup => Channels / Groups;

    public long FiltersPerGroup => Filters / Groups;

    /// <summary>Weights that one output pixel sees: channels per group times kernel area.</summary>
    public long Taps => ChannelsPerGroup * KernelH * KernelW;

    public long WeightCount => Filters * Taps;

    /// <summary>Floating-point operations of the forward pass, two per tap, without the taps that fall into the padding.</summary>
    public long Flops =>
        2 * Batch * Filters * ChannelsPerGroup
        * UsefulTaps(Height, OutH, KernelH, StrideH, PadH, DilationH) * UsefulTaps(Width, OutW, KernelW, StrideW, PadW, DilationW);

    /// <summary>Output size of one dim; 0 when the kernel does not fit.</summary>
    public static long OutSize(long size, long kernel, long stride, long pad, long dilation)
    {
        long room = size + 2 * pad - dilation * (kernel - 1) - 1;
        return room < 0 ? 0 : room / stride + 1;
    }

    /// <summary>Throws <see cref="ShapeException"/> in the name of <paramref name="op"/> when this is no convolution.</summary>
    public void Check(string op)
    {
        if (Batch < 0 || Channels < 1 || Height < 1 || Width < 1 || Filters < 1)
            throw new ShapeException($"{op}: channels, height, width and filters must be at least 1; {this}. Only the batch may be empty.");
        if (KernelH < 1 || KernelW < 1 || StrideH < 1 || StrideW < 1 || DilationH < 1 || DilationW < 1 || PadH < 0 || PadW < 0)
            throw new ShapeException($"{op}: kernel, stride and dilation must be at least 1 and padding at least 0; {this}.");
        foreach (long size in (ReadOnlySpan<long>)[Height, Width, KernelH, KernelW, StrideH, StrideW, PadH, PadW, DilationH, DilationW])
        {
            // Sums and products of two of them stay far inside 64 bits.
            if (size > MostSize)
                throw new ShapeException($"{op}: {size} is no size of a convolution; sizes, strides, paddings and dilations are at most {MostSize}.");
        }
        if (Groups < 1 || Channels % Groups != 0 || Filters % Groups != 0)
            throw new ShapeException(
                $"{op}: groups must divide channels and filters; channels={Channels}, filters={Filters}, groups={Groups}.");
        if (OutH < 1 || OutW < 1)
            throw new ShapeException(
                $"{op}: the kernel is larger than the padded input; "
                + $"kernel {DilationH * (KernelH - 1) + 1}x{DilationW * (KernelW - 1) + 1}, "
                + $"padded input {Height + 2 * PadH}x{Width + 2 * PadW}. Pad more or use a smaller kernel.");
    }

    /// <inheritdoc/>
    public override string ToString() =>
        $"x=[{Batch},{Channels},{Height},{Width}], weight=[{Filters},{(Groups > 0 ? ChannelsPerGroup : 0)},{KernelH},{KernelW}], "
        + $"stride={StrideH}x{StrideW}, padding={PadH}x{PadW}, dilation={DilationH}x{DilationW}, groups={Groups}";

    private static long UsefulTaps(long size, long outSize, long kernel, long stride, long pad, long dilation)
    {
        long taps = 0;
        for (long o = 0; o < outSize; o++)
            for (long k = 0; k < kernel; k++)
                if ((ulong)(o * stride - pad + k * dilation) < (ulong)size)
                    taps++;
        return taps;
    }
}
