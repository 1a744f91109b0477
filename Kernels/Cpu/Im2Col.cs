using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// The two data movements that turn a convolution into a matrix product: one row of columns per tap (channel, ky, kx), one column per
/// output pixel. Both are adjoint to each other.
/// </summary>
internal static unsafe class Im2Col
{
    /// <summary>Writes the columns of one image, or of one channel group of it.</summary>
    /// <param name="s">Geometry; batch, filters and groups are not read.</param>
    /// <param name="x">The first of <paramref name="channels"/> input planes.</param>
    /// <param name="channels">Planes to unfold.</param>
    /// <param name="columns">Receives [channels*kernelH*kernelW] rows of OutPixels elements, <paramref name="stride"/> apart.</param>
    /// <param name="stride">Distance between rows, so that several images can stand side by side.</param>
    public static void Unfold<T>(in ConvShape s, T* x, long channels, T* columns, long stride) where T : unmanaged, IFloatingPointIeee754<T>
    {
        long outH = s.OutH, outW = s.OutW;
        for (long c = 0; c < channels; c++)
            for (long ky = 0; ky < s.KernelH; ky++)
                for (long kx = 0; kx < s.KernelW; kx++)
                {
                    T* row = columns;
                    columns += stride;
                    (long first, long last) = Inside(s.Width, outW, s.StrideW, kx * s.DilationW - s.PadW);
                    for (long oy = 0; oy < outH; oy++, row += outW)
                    {
                        long iy = oy * s.StrideH - s.PadH + ky * s.DilationH;
                        if ((ulong)iy >= (ulong)s.Height || first >= last)
                        {
                            Zero(row, outW);
                            continue;
                        }
                        T* line = x + (c * s.Height + iy) * s.Width + first * s.StrideW - s.PadW + kx * s.DilationW;
                        Zero(row, first);
                        if (s.StrideW == 1)
                            Copy(line, row + first, last - first);
                        else
                            for (long ox = first; ox < last; ox++, line += s.StrideW)
                                row[ox] = *line;
                        Zero(row + last, outW - last);
                    }
                }
    }

    /// <summary>Adds the columns of one image onto its planes: the adjoint of <see cref="Unfold"/>, with the same arguments.</summary>
    public static void Fold<T>(in ConvShape s, T* columns, long stride, T* x, long channels) where T : unmanaged, IFloatingPointIeee754<T>
    {
        long outH = s.OutH, outW = s.OutW;
        for (long c = 0; c < channels; c++)
            for (long ky = 0; ky < s.KernelH; ky++)
                for (long kx = 0; kx < s.KernelW; kx++)
                {
                    T* row = columns;
                    columns += stride;
                    (long first, long last) = Inside(s.Width, outW, s.StrideW, kx * s.DilationW - s.PadW);
                    for (long oy = 0; oy < outH; oy++, row += outW)
                    {
                        long iy = oy * s.StrideH - s.PadH + ky * s.DilationH;
                        if ((ulong)iy >= (ulong)s.Height || first >= last)
                            continue;
                        T* line = x + (c * s.Height + iy) * s.Width + first * s.StrideW - s.PadW + kx * s.DilationW;
                        if (s.StrideW == 1)
                            Add(row + first, line, last - first);
                        else
                            for (long ox = first; ox < last; ox++, line += s.StrideW)
                                *line += row[ox];
                    }
                }
    }

    /// <summary>The output positions [first, last) of one dim whose input position o*stride + offset is not padding.</summary>
    private static (long First, long Last) Inside(long size, long outSize, long stride, long offset)
    {
        long first = offset >= 0 ? 0 : Chunks.CeilDiv(-offset, stride);
        long last = size <= offset ? 0 : Chunks.CeilDiv(size - offset, stride);
        first = Math.Min(first, outSize);
        return (first, Math.Clamp(last, first, outSize));
    }

    // Rows of a feature map are 4 to 64 elements: short enough that a call to a general copy would cost more than the copy.
    // The last vector overlaps the one before it instead of leaving a scalar tail.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy<T>(T* from, T* to, long n) where T : unmanaged
    {
        int wide = Vector256<T>.Count, narrow = Vector128<T>.Count;
        if (n >= wide)
        {
            for (long i = 0; i + wide < n; i += wide)
                Vector256.Store(Vector256.Load(from + i), to + i);
            Vector256.Store(Vector256.Load(from + n - wide), to + n - wide);
        }
        else if (n >= narrow)
        {
            var end = Vector128.Load(from + n - narrow);
            Vector128.Store(Vector128.Load(from), to);
            Vector128.Store(end, to + n - narrow);
        }
        else
            for (long i = 0; i < n; i++)
                to[i] = from[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Zero<T>(T* to, long n) where T : unmanaged
    {
        if (n < 8)
            for (long i = 0; i < n; i++)
                to[i] = default;
        else
            Unsafe.InitBlockUnaligned(to, 0, checked((uint)(n * sizeof(T))));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<T>(T* from, T* to, long n) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int wide = Vector256<T>.Count;
        long i = 0;
        for (; i + wide <= n; i += wide)
            Vector256.Store(Vector256.Load(to + i) + Vector256.Load(from + i), to + i);
        for (; i < n; i++)
            to[i] += from[i];
    }
}
