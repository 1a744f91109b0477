using System.Numerics;
using System.Runtime.CompilerServices;

namespace Native;

/// <summary>
/// Convolution of stride 1 with pixels as lanes. A source plane is copied once with zeros between its rows; read as one flat line, the taps
/// of any run of result pixels are then the same run of the line, shifted, so that nothing is unfolded and vectors may start anywhere.
/// The results that belong to the zeros between rows are computed and dropped. One margin serves as the right one of a row and the left one
/// of the next, and likewise below and above, also from image to image where several small ones share a line.
/// </summary>
internal unsafe struct ConvFlat<T, TVec, TLanes> : IJob
    where T : unmanaged, INumberBase<T>
    where TVec : unmanaged
    where TLanes : struct, ILanes<T, TVec>
{
    private ConvPanels<T, TVec, TLanes> panels;
    private ConvSum sum;
    private FlatShape flat;
    private T* source, result, bias;
    private nint panelParts;

    /// <summary>result = the convolution of one group + bias; <see cref="FlatShape.Fits"/> must hold.</summary>
    public static void Run(ConvSum sum, T* source, T* weight, T* bias, T* result)
    {
        ConvFlat<T, TVec, TLanes> job = new()
        {
            sum = sum,
            panels = new(sum, weight),
            flat = new(sum),
            source = source,
            bias = bias,
            result = result,
        };
        // A few images still occupy several threads, at the price of a copy for each.
        job.panelParts = job.flat.Blocks >= 16 ? 1 : Math.Min(job.panels.Count, 16 / job.flat.Blocks);
        Workers.Run((int)(job.flat.Blocks * job.panelParts), ref job);
    }

    public readonly void Run(int chunk)
    {
        nint block = chunk / panelParts, part = chunk % panelParts, image = block * flat.Images;
        nint images = Math.Min(flat.Images, (nint)sum.S.Batch - image), line = flat.Line(images, 4 * TLanes.Count);
        T* planes = Scratch.Get<T>(Scratch.Slot.ConvB, sum.Sources * line);
        for (nint s = 0; s < sum.Sources; s++)
            Lay(source + (image * sum.SourceImage) + (s * sum.SourcePixels), images, planes + (s * line), line);

        nint columns = flat.Columns(images), padded = columns + (4 * TLanes.Count);
        T* tile = Scratch.Get<T>(Scratch.Slot.ConvC, panels.Height * padded);
        nint end = (nint)Workers.Start(panels.Count, (int)panelParts, (int)part + 1);
        nint* table = stackalloc nint[2 * (int)sum.Places];
        flat.Fill(table, panels.Height * sizeof(T), sizeof(T));
        for (nint p = (nint)Workers.Start(panels.Count, (int)panelParts, (int)part); p < end; p++)
        {
            Sum(p, table, planes, line, tile, columns, padded);
            for (nint r = 0; r < panels.Rows(p); r++)
                Pick(tile + (r * padded), images, result + (image * sum.ResultImage) + ((panels.Row(p) + r) * sum.ResultPixels));
        }
    }

    private readonly void Sum(nint panel, nint* table, T* planes, nint line, T* tile, nint columns, nint ldc)
    {
        nint row = panels.Row(panel), rows = panels.Rows(panel);
        int most = rows <= TapKernels<T, TVec, TLanes>.WideRows ? 4 : 2;
        for (nint s = 0; s < sum.Sources; s += sum.SourceBlock)
        {
            nint sources = Math.Min(sum.SourceBlock, sum.Sources - s);
            Taps taps = new(sources, table, sum.Places, panels.SourceStep, line);
            T* last = bias != null && s + sources == sum.Sources ? bias + row : null;
            T* a = panels.At(panel, s), b = planes + (s * line);
            int vectors;
            for (nint q = 0; q < columns; q += vectors * TLanes.Count)
            {
                nint left = columns - q;
                vectors = left > 2 * TLanes.Count ? most : left > TLanes.Count ? 2 : 1;
                TapKernels<T, TVec, TLanes>.Tile((int)rows, vectors, taps, a, b + q, tile + q, ldc, s > 0, last);
            }
        }
    }

    // Copies one plane of each image into a line, zeros around every row.
    private readonly void Lay(T* plane, nint images, T* line, nint length)
    {
        T* to = line;
        for (nint image = 0; image < images; image++, plane += sum.SourceImage)
        {
            Clear(to, flat.PadH * flat.Width);
            to += flat.PadH * flat.Width;
            for (nint y = 0; y < sum.SourceH; y++, to += flat.Width)
            {
                for (nint i = 0; i < flat.PadW; i++)
                    to[i] = T.Zero;
                RowCopy.Run(plane + (y * sum.SourceW), to + flat.PadW, sum.SourceW);
            }
        }
        Clear(to, length - (nint)(to - line));
    }

    // Copies the result pixels of one channel out of a line.
    private readonly void Pick(T* line, nint images, T* plane)
    {
        for (nint image = 0; image < images; image++, plane += sum.ResultImage)
        {
            T* from = line + (image * flat.Height * flat.Width);
            for (nint y = 0; y < sum.ResultH; y++)
                RowCopy.Run(from + (y * flat.Width), plane + (y * sum.ResultW), sum.ResultW);
        }
    }

    private static void Clear(T* to, nint count) => new Span<T>(to, (int)count).Clear();
}

/// <summary>How images lie in a line of <see cref="ConvFlat{T, TVec, TLanes}"/>.</summary>
internal readonly unsafe struct FlatShape
{
    // Result pixels of a line: enough for the loads of a panel of weights to be lost among them.
    private const long LinePixels = 256;

    private readonly ConvSum _sum;

    public FlatShape(ConvSum sum)
    {
        _sum = sum;
        (PadH, PadW) = Pads(sum);
        (Height, Width) = (sum.SourceH + PadH, sum.SourceW + PadW);
        Images = (nint)Math.Clamp(LinePixels / (Height * Width), 1, Math.Max(1, sum.S.Batch / 4));
        Blocks = ((nint)sum.S.Batch + Images - 1) / Images;
    }

    /// <summary>Zeros before a row, and rows of zeros before an image.</summary>
    public nint PadW { get; }

    /// <inheritdoc cref="PadW"/>
    public nint PadH { get; }

    /// <summary>A row with its zeros, and rows of one image with theirs.</summary>
    public nint Width { get; }

    /// <inheritdoc cref="Width"/>
    public nint Height { get; }

    /// <summary>Images per line, and lines.</summary>
    public nint Images { get; }

    /// <inheritdoc cref="Images"/>
    public nint Blocks { get; }

    /// <summary>True when stride is 1 and the margins are not negative.</summary>
    public static bool Fits(ConvSum sum)
    {
        (nint padH, nint padW) = Pads(sum);
        return sum.S.StrideH == 1 && sum.S.StrideW == 1 && padH >= 0 && padW >= 0 && sum.Places <= 1024;
    }

    /// <summary>Line places from the first to the last result pixel, those between rows included.</summary>
    public nint Columns(nint images) => (((((images - 1) * Height) + _sum.ResultH - 1) * Width) + _sum.ResultW);

    /// <summary>Elements of a line, with room for the last tile to read on; an odd number of cache lines, so that channels do not collide.</summary>
    public nint Line(nint images, nint tile)
    {
        nint reach = Columns(images) + tile + (((nint)_sum.S.KernelH - 1) * (nint)_sum.S.DilationH * Width) + (((nint)_sum.S.KernelW - 1) * (nint)_sum.S.DilationW);
        return (((reach + 15) / 16) | 1) * 16;
    }

    /// <summary>The taps, the same for every result pixel. The adjoint meets the kernel turned by 180 degrees; places stay in their order.</summary>
    public void Fill(nint* table, nint placeBytes, nint pixelBytes)
    {
        nint kernelH = (nint)_sum.S.KernelH, kernelW = (nint)_sum.S.KernelW;
        for (nint ky = 0; ky < kernelH; ky++)
        {
            for (nint kx = 0; kx < kernelW; kx++)
            {
                nint y = _sum.Adjoint ? kernelH - 1 - ky : ky, x = _sum.Adjoint ? kernelW - 1 - kx : kx;
                *table++ = ((ky * kernelW) + kx) * placeBytes;
                *table++ = ((y * (nint)_sum.S.DilationH * Width) + (x * (nint)_sum.S.DilationW)) * pixelBytes;
            }
        }
    }

    private static (nint H, nint W) Pads(ConvSum sum) => sum.Adjoint
        ? ((nint)(((sum.S.KernelH - 1) * sum.S.DilationH) - sum.S.PadH), (nint)(((sum.S.KernelW - 1) * sum.S.DilationW) - sum.S.PadW))
        : ((nint)sum.S.PadH, (nint)sum.S.PadW);
}
