namespace Native;

/// <summary>
/// One direction of a convolution seen from its result: every result pixel is a sum, over source channels and kernel places, of weight
/// times source pixel. Forward the source is x and the result y; the adjoint, which is the data gradient and the transposed convolution,
/// has source gy and result gx. Channels are those of one group. Sizes are kept, not computed when asked for: inner loops ask, and an
/// output size is a division.
/// </summary>
internal readonly record struct ConvSum(ConvShape S, bool Adjoint)
{
    public nint Sources { get; } = (nint)(Adjoint ? S.FiltersPerGroup : S.ChannelsPerGroup);

    public nint Results { get; } = (nint)(Adjoint ? S.ChannelsPerGroup : S.FiltersPerGroup);

    public nint SourceH { get; } = (nint)(Adjoint ? S.OutH : S.Height);

    public nint SourceW { get; } = (nint)(Adjoint ? S.OutW : S.Width);

    public nint ResultH { get; } = (nint)(Adjoint ? S.Height : S.OutH);

    public nint ResultW { get; } = (nint)(Adjoint ? S.Width : S.OutW);

    public nint SourcePixels => SourceH * SourceW;

    public nint ResultPixels => ResultH * ResultW;

    /// <summary>Elements between one image of the source and the next, all groups included.</summary>
    public nint SourceImage => SourcePixels * Sources * (nint)S.Groups;

    /// <summary>Elements between one image of the result and the next, all groups included.</summary>
    public nint ResultImage => ResultPixels * Results * (nint)S.Groups;

    /// <summary>Kernel places.</summary>
    public nint Places { get; } = (nint)(S.KernelH * S.KernelW);

    /// <summary>
    /// Source channels that are summed before the sum so far is added. From the shape alone, so that every algorithm and every vector
    /// width rounds alike; about 512 taps, so that a panel of weights stays in the first-level cache.
    /// </summary>
    public nint SourceBlock => Math.Max(1, 512 / Places);

    /// <summary>The source row that result row <paramref name="y"/> meets at kernel row <paramref name="k"/>, or -1.</summary>
    public nint Row(nint y, nint k) => Meet(y, k, (nint)S.StrideH, (nint)S.PadH, (nint)S.DilationH, SourceH);

    /// <summary>The same for columns.</summary>
    public nint Column(nint x, nint k) => Meet(x, k, (nint)S.StrideW, (nint)S.PadW, (nint)S.DilationW, SourceW);

    private nint Meet(nint q, nint k, nint stride, nint pad, nint dilation, nint size)
    {
        nint place;
        if (Adjoint)
        {
            nint scaled = q + pad - (k * dilation);
            if (scaled % stride != 0)
                return -1;
            place = scaled / stride;
        }
        else
        {
            place = (q * stride) - pad + (k * dilation);
        }
        return place >= 0 && place < size ? place : -1;
    }
}
