using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// Max pooling, average pooling, adaptive average pooling and nearest-neighbour upsampling, each with its adjoint. A plane is one unit of
/// work from beginning to end, also where windows overlap and gradients add up, so no result depends on the number of threads.
/// </summary>
internal static unsafe class Pool2dKernels
{
    /// <summary>
    /// y = the maximum of each window, index = where in its input plane (y*width + x) it was found. The first of equal maxima wins; the
    /// first NaN of a window beats everything. A dilated window that meets no pixel at all gives -inf with index -1.
    /// </summary>
    /// <param name="s">A checked geometry.</param>
    /// <param name="x">[planes, height, width].</param>
    /// <param name="y">[planes, OutH, OutW].</param>
    /// <param name="index">[planes, OutH, OutW].</param>
    public static void MaxForward<T>(PoolShape s, T* x, T* y, long* index) where T : unmanaged, IFloatingPointIeee754<T> =>
        Chunks.For(s.Planes, s.OutPixels * s.KernelH * s.KernelW, (start, end) =>
        {
            for (long p = start; p < end; p++)
                MaxPlane(s, x + p * s.InPixels, y + p * s.OutPixels, index + p * s.OutPixels);
        });

    /// <summary>gx = gy scattered to where the maxima came from; where windows share a pixel the sum is in output order.</summary>
    public static void MaxGrad<T>(PoolShape s, T* gy, long* index, T* gx) where T : unmanaged, IFloatingPointIeee754<T>
    {
        long outputs = s.OutPixels, inputs = s.InPixels;
        Chunks.For(s.Planes, outputs + inputs, (start, end) =>
        {
            for (long p = start; p < end; p++)
            {
                // Plane by plane, so that the zeros are still in the cache when they are added to.
                Clear(gx + p * inputs, inputs);
                Scatter(gy + p * outputs, index + p * outputs, outputs, gx + p * inputs);
            }
        });
    }

    /// <summary>y[o] = v[index[o]]: the adjoint of <see cref="MaxGrad"/>, and the derivative of max pooling along v [like x].</summary>
    public static void MaxGather<T>(PoolShape s, T* v, long* index, T* y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        long outputs = s.OutPixels, inputs = s.InPixels;
        Chunks.For(s.Planes, outputs, (start, end) =>
        {
            for (long p = start; p < end; p++)
                Gather(v + p * inputs, index + p * outputs, outputs, y + p * outputs);
        });
    }

    /// <summary>y = the mean of each window: over the kernel area, or over the pixels that are not padding.</summary>
    public static void AvgForward<T>(PoolShape s, bool countIncludePad, T* x, T* y) where T : unmanaged, IFloatingPointIeee754<T> =>
        Mean(Windows(s, countIncludePad), s.Planes, s.Width, s.InPixels, x, y);

    /// <summary>gx = the adjoint of <see cref="AvgForward"/>.</summary>
    public static void AvgGrad<T>(PoolShape s, bool countIncludePad, T* gy, T* gx) where T : unmanaged, IFloatingPointIeee754<T> =>
        Spread(Windows(s, countIncludePad), s.Planes, s.Width, s.InPixels, gy, gx);

    /// <summary>
    /// y [planes, outH, outW] = means over bins that divide x [planes, height, width] as evenly as possible: bin i covers the rows from
    /// floor(i*height/outH) to ceil((i+1)*height/outH), and so the columns.
    /// </summary>
    public static void AdaptiveAvgForward<T>(long planes, long height, long width, long outH, long outW, T* x, T* y)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        Mean(EvenBins(height, width, outH, outW), planes, width, height * width, x, y);

    /// <summary>gx = the adjoint of <see cref="AdaptiveAvgForward"/>.</summary>
    public static void AdaptiveAvgGrad<T>(long planes, long height, long width, long outH, long outW, T* gy, T* gx)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        Spread(EvenBins(height, width, outH, outW), planes, width, height * width, gy, gx);

    /// <summary>y [planes, height*scaleH, width*scaleW]: every pixel of x [planes, height, width] becomes a block.</summary>
    public static void UpsampleForward<T>(long planes, long height, long width, long scaleH, long scaleW, T* x, T* y) where T : unmanaged
    {
        long wide = width * scaleW;
        Chunks.For(planes * height, wide * scaleH, (start, end) =>
        {
            for (long row = start; row < end; row++)
            {
                T* from = x + row * width, to = y + row * scaleH * wide;
                if (scaleW == 2 && sizeof(T) == 4)
                    Double((uint*)from, width, (ulong*)to);
                else
                    for (long i = 0, o = 0; i < width; i++)
                        for (long k = 0; k < scaleW; k++)
                            to[o++] = from[i];
                for (long k = 1; k < scaleH; k++)
                    Unsafe.CopyBlockUnaligned(to + k * wide, to, checked((uint)(wide * sizeof(T))));
            }
        });
    }

    /// <summary>gx = the sum over each block of gy: the adjoint of <see cref="UpsampleForward"/>, with the same sizes.</summary>
    public static void UpsampleGrad<T>(long planes, long height, long width, long scaleH, long scaleW, T* gy, T* gx)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (scaleH == 2 && scaleW == 2 && typeof(T) == typeof(float))
        {
            Chunks.For(planes * height, width * 5, (start, end) =>
            {
                for (long row = start; row < end; row++)
                    Sum2x2((float*)gy + row * 4 * width, width, (float*)gx + row * width);
            });
            return;
        }
        var blocks = new Bins(Cut(height, i => i * scaleH, i => (i + 1) * scaleH), Cut(width, i => i * scaleW, i => (i + 1) * scaleW), 1);
        Mean(blocks, planes, width * scaleW, height * width * scaleH * scaleW, gy, gx);
    }

    // Every element twice: a 64-bit lane with two equal halves.
    private static void Double(uint* x, long n, ulong* y)
    {
        long i = 0;
        for (; i + 8 <= n; i += 8)
        {
            var (low, high) = Vector256.Widen(Vector256.Load(x + i));
            (low | (low << 32)).Store(y + i);
            (high | (high << 32)).Store(y + i + 4);
        }
        for (; i < n; i++)
            y[i] = x[i] | ((ulong)x[i] << 32);
    }

    // One row of sums over 2x2 squares, in the order of the general loop: a pair of neighbours is one 64-bit lane, whose low half gets their sum.
    private static void Sum2x2(float* above, long width, float* y)
    {
        float* below = above + 2 * width;
        long i = 0;
        for (; i + 16 <= width; i += 16)
        {
            var first = Pairs(Vector512.Load(above + 2 * i), Vector512.Load(below + 2 * i));
            var second = Pairs(Vector512.Load(above + 2 * i + 16), Vector512.Load(below + 2 * i + 16));
            Vector512.Narrow(first, second).AsSingle().Store(y + i);
        }
        for (; i + 4 <= width; i += 4)
        {
            var pairs = Pairs(Vector256.Load(above + 2 * i), Vector256.Load(below + 2 * i));
            Vector128.Narrow(pairs.GetLower(), pairs.GetUpper()).AsSingle().Store(y + i);
        }
        for (; i < width; i++)
            y[i] = above[2 * i] + above[2 * i + 1] + below[2 * i] + below[2 * i + 1];
    }

    private static Vector512<ulong> Pairs(Vector512<float> a, Vector512<float> b) =>
        (a + (a.AsUInt64() >> 32).AsSingle() + b + (b.AsUInt64() >> 32).AsSingle()).AsUInt64();

    private static Vector256<ulong> Pairs(Vector256<float> a, Vector256<float> b) =>
        (a + (a.AsUInt64() >> 32).AsSingle() + b + (b.AsUInt64() >> 32).AsSingle()).AsUInt64();

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MaxPlane<T>(in PoolShape s, T* x, T* y, long* index) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (typeof(T) == typeof(float) && Max2x2.Fits(s))
        {
            Max2x2.Plane(s, (float*)x, (float*)y, index);
            return;
        }
        long width = s.Width, outH = s.OutH, outW = s.OutW, rowStep = s.DilationH * width, step = s.DilationW;
        for (long oy = 0; oy < outH; oy++)
        {
            (long top, long rows) = Taps(oy * s.StrideH - s.PadH, s.KernelH, s.DilationH, s.Height);
            for (long ox = 0; ox < outW; ox++)
            {
                (long left, long columns) = Taps(ox * s.StrideW - s.PadW, s.KernelW, s.DilationW, width);
                long at = rows > 0 && columns > 0 ? top * width + left : -1, line = at;
                T best = at < 0 ? T.NegativeInfinity : x[at];
                for (long ky = 0; ky < rows; ky++, line += rowStep)
                    for (long kx = 0, i = line; kx < columns; kx++, i += step)
                    {
                        T v = x[i];
                        // True for a larger v and for the first NaN; false for everything after a NaN.
                        if (!(v <= best) && !T.IsNaN(best))
                            (best, at) = (v, i);
                    }
                *y++ = best;
                *index++ = at;
            }
        }
    }

    /// <summary>The first position of a window that lies inside the plane, and how many of its positions do.</summary>
    private static (long First, long Count) Taps(long start, long kernel, long dilation, long size)
    {
        long skipped = start >= 0 ? 0 : Chunks.CeilDiv(-start, dilation), first = start + skipped * dilation;
        long inside = first >= size ? 0 : Chunks.CeilDiv(size - first, dilation);
        return (first, Math.Clamp(inside, 0, Math.Max(kernel - skipped, 0)));
    }

    private static void Scatter<T>(T* g, long* index, long n, T* gx) where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (long i = 0; i < n; i++)
            if (index[i] >= 0)
                gx[index[i]] += g[i];
    }

    private static void Gather<T>(T* v, long* index, long n, T* y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (long i = 0; i < n; i++)
            y[i] = index[i] >= 0 ? v[index[i]] : T.Zero;
    }

    private static void Clear<T>(T* p, long n) where T : unmanaged
    {
        for (long i = 0; i < n; i += int.MaxValue)
            new Span<T>(p + i, (int)Math.Min(n - i, int.MaxValue)).Clear();
    }

    /// <summary>
    /// Rectangles of a plane, one per output pixel: rows [Start, End) of the bin's row times columns of its column. The divisor is
    /// fixed, or 0 for the number of pixels in the rectangle.
    /// </summary>
    private sealed record Bins((long Start, long End)[] Rows, (long Start, long End)[] Columns, long Divisor);

    private static Bins Windows(PoolShape s, bool countIncludePad) => new(
        Cut(s.OutH, i => Math.Clamp(i * s.StrideH - s.PadH, 0, s.Height), i => Math.Clamp(i * s.StrideH - s.PadH + s.KernelH, 0, s.Height)),
        Cut(s.OutW, i => Math.Clamp(i * s.StrideW - s.PadW, 0, s.Width), i => Math.Clamp(i * s.StrideW - s.PadW + s.KernelW, 0, s.Width)),
        countIncludePad ? s.KernelH * s.KernelW : 0);

    private static Bins EvenBins(long height, long width, long outH, long outW) => new(
        Cut(outH, i => i * height / outH, i => Chunks.CeilDiv((i + 1) * height, outH)),
        Cut(outW, i => i * width / outW, i => Chunks.CeilDiv((i + 1) * width, outW)), 0);

    private static (long Start, long End)[] Cut(long count, Func<long, long> start, Func<long, long> end)
    {
        var cuts = new (long, long)[count];
        for (long i = 0; i < count; i++)
            cuts[i] = (start(i), end(i));
        return cuts;
    }

    // y[bin] = sum over the bin / divisor.
    private static void Mean<T>(Bins bins, long planes, long width, long inPixels, T* x, T* y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        long outputs = bins.Rows.LongLength * bins.Columns.LongLength;
        Chunks.For(planes, inPixels + outputs, (start, end) =>
        {
            for (long p = start; p < end; p++)
                MeanPlane(bins.Rows, bins.Columns, bins.Divisor, width, x + p * inPixels, y + p * outputs);
        });
    }

    private static void MeanPlane<T>((long Start, long End)[] rows, (long Start, long End)[] columns, long divisor, long width, T* x, T* y)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T scale = T.CreateTruncating(divisor);
        foreach ((long top, long bottom) in rows)
            foreach ((long left, long right) in columns)
            {
                T sum = Rectangle(x + top * width + left, bottom - top, right - left, width);
                *y++ = sum / (divisor > 0 ? scale : Pixels<T>(bottom - top, right - left));
            }
    }

    // gx[pixel] = sum over the bins that hold it of gy[bin] / divisor, in the order of the bins.
    private static void Spread<T>(Bins bins, long planes, long width, long inPixels, T* gy, T* gx)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long outputs = bins.Rows.LongLength * bins.Columns.LongLength;
        Chunks.For(planes, inPixels + outputs, (start, end) =>
        {
            Clear(gx + start * inPixels, (end - start) * inPixels);
            for (long p = start; p < end; p++)
                SpreadPlane(bins.Rows, bins.Columns, bins.Divisor, width, gy + p * outputs, gx + p * inPixels);
        });
    }

    private static void SpreadPlane<T>((long Start, long End)[] rows, (long Start, long End)[] columns, long divisor, long width,
        T* gy, T* gx)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        T scale = T.CreateTruncating(divisor);
        foreach ((long top, long bottom) in rows)
            foreach ((long left, long right) in columns)
            {
                T share = *gy++ / (divisor > 0 ? scale : Pixels<T>(bottom - top, right - left));
                for (long row = top; row < bottom; row++)
                    for (long i = left; i < right; i++)
                        gx[row * width + i] += share;
            }
    }

    // A bin of padding alone has the mean 0.
    private static T Pixels<T>(long rows, long columns) where T : unmanaged, IFloatingPointIeee754<T> =>
        T.CreateTruncating(Math.Max(rows * columns, 1));

    // Small windows are added pixel by pixel; long lines, and the whole plane of a global mean, in sixteen lanes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T Rectangle<T>(T* x, long rows, long columns, long width) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (columns >= Lanes.Count || (columns == width && rows * columns >= Lanes.Count))
            return LongRectangle(x, rows, columns, width);
        T sum = T.Zero;
        for (long row = 0; row < rows; row++, x += width)
            for (long i = 0; i < columns; i++)
                sum += x[i];
        return sum;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static T LongRectangle<T>(T* x, long rows, long columns, long width) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (columns == width)
            return Lanes.Sum(x, rows * columns);
        T sum = T.Zero;
        for (long row = 0; row < rows; row++)
            sum += Lanes.Sum(x + row * width, columns);
        return sum;
    }
}
