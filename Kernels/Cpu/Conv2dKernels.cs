using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// 2-d convolution and its two adjoints, as matrix products over unfolded images. The three are closed under differentiation: with
/// y = conv(x, w), gx = dataGrad(gy, w), gw = weightGrad(x, gy), each is bilinear and each one's adjoints are the other two. The data
/// gradient is also the forward pass of the transposed convolution, whose weight [inputs, outputs/groups, kernelH, kernelW] is then the
/// weight of the convolution it transposes.
/// Images are independent, so the forward pass and the data gradient run in parallel over them; the weight gradient keeps one partial
/// sum per fixed part of the batch and adds the parts in order. Neither depends on the number of threads.
/// </summary>
internal static unsafe class Conv2dKernels
{
    // A matrix product wants a few hundred columns; below this many output pixels several images share one product.
    private const long ColumnsWanted = 256;

    // More partial weight gradients than this only cost memory traffic; all of them together stay in the last-level cache.
    private const long MaxParts = 16, MaxPartElements = 4 << 20;

    /// <summary>y = conv(x, w) + bias.</summary>
    /// <param name="s">A checked geometry.</param>
    /// <param name="x">[batch, channels, height, width].</param>
    /// <param name="w">[filters, channels/groups, kernelH, kernelW].</param>
    /// <param name="bias">[filters], or null.</param>
    /// <param name="y">[batch, filters, OutH, OutW]; overwritten.</param>
    public static void Forward<T>(ConvShape s, T* x, T* w, T* bias, T* y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        long images = ImagesTogether(s), outputs = s.FiltersPerGroup, pixels = s.OutPixels;
        Chunks.Parts(Chunks.CeilDiv(s.Batch, images), images * s.Filters * pixels * s.Taps, part =>
        {
            long start = part * images, count = Math.Min(images, s.Batch - start), ld = count * pixels;
            bool direct = s.IsPointwise && count == 1;
            T* columns = Scratch.Get<T>(Scratch.Slot.ConvA, direct ? 0 : s.Taps * ld);
            T* product = Scratch.Get<T>(Scratch.Slot.ConvB, count == 1 ? 0 : outputs * ld);
            for (long g = 0; g < s.Groups; g++)
            {
                T* planes = x + (start * s.Channels + g * s.ChannelsPerGroup) * s.InPixels;
                T* result = y + (start * s.Filters + g * outputs) * pixels;
                T* groupBias = bias == null ? null : bias + g * outputs;
                T* wg = w + g * outputs * s.Taps;
                if (!direct)
                    for (long i = 0; i < count; i++)
                        Im2Col.Unfold(s, planes + i * s.Channels * s.InPixels, s.ChannelsPerGroup, columns + i * pixels, ld);
                T* matrix = direct ? planes : columns;
                if (count == 1)
                {
                    FillRows(result, groupBias, outputs, pixels);
                    Gemm.Run(false, false, outputs, ld, s.Taps, wg, s.Taps, matrix, ld, result, ld, bias != null);
                    continue;
                }
                FillRows(product, groupBias, outputs, ld);
                Gemm.Run(false, false, outputs, ld, s.Taps, wg, s.Taps, matrix, ld, product, ld, bias != null);
                for (long i = 0; i < count; i++)
                    CopyRows(product + i * pixels, ld, result + i * s.Filters * pixels, pixels, outputs, pixels);
            }
        });
    }

    /// <summary>
    /// gx = the adjoint of x -> conv(x, w), applied to gy, plus bias. As a transposed convolution: input gy, output gx; an output
    /// padding is nothing but a geometry whose height and width are larger by it.
    /// </summary>
    /// <param name="s">The checked geometry of the convolution.</param>
    /// <param name="gy">[batch, filters, OutH, OutW].</param>
    /// <param name="w">[filters, channels/groups, kernelH, kernelW].</param>
    /// <param name="bias">[channels], or null.</param>
    /// <param name="gx">[batch, channels, height, width]; overwritten.</param>
    public static void DataGrad<T>(ConvShape s, T* gy, T* w, T* bias, T* gx) where T : unmanaged, IFloatingPointIeee754<T>
    {
        long images = ImagesTogether(s), outputs = s.FiltersPerGroup, pixels = s.OutPixels;
        Chunks.Parts(Chunks.CeilDiv(s.Batch, images), images * s.Filters * pixels * s.Taps, part =>
        {
            long start = part * images, count = Math.Min(images, s.Batch - start), ld = count * pixels;
            bool direct = s.IsPointwise && count == 1;
            T* columns = Scratch.Get<T>(Scratch.Slot.ConvA, direct ? 0 : s.Taps * ld);
            T* gathered = Scratch.Get<T>(Scratch.Slot.ConvB, count == 1 ? 0 : outputs * ld);
            for (long g = 0; g < s.Groups; g++)
            {
                T* planes = gx + (start * s.Channels + g * s.ChannelsPerGroup) * s.InPixels;
                T* cotangent = gy + (start * s.Filters + g * outputs) * pixels;
                T* groupBias = bias == null ? null : bias + g * s.ChannelsPerGroup;
                T* wg = w + g * outputs * s.Taps;
                if (direct)
                {
                    FillRows(planes, groupBias, s.ChannelsPerGroup, s.InPixels);
                    Gemm.Run(true, false, s.Taps, ld, outputs, wg, s.Taps, cotangent, ld, planes, ld, bias != null);
                    continue;
                }
                if (count > 1)
                    for (long i = 0; i < count; i++)
                        CopyRows(cotangent + i * s.Filters * pixels, pixels, gathered + i * pixels, ld, outputs, pixels);
                T* matrix = count > 1 ? gathered : cotangent;
                Gemm.Run(true, false, s.Taps, ld, outputs, wg, s.Taps, matrix, ld, columns, ld, false);
                for (long i = 0; i < count; i++)
                {
                    T* image = planes + i * s.Channels * s.InPixels;
                    if (groupBias == null)
                        new Span<byte>(image, checked((int)(s.ChannelsPerGroup * s.InPixels * sizeof(T)))).Clear();
                    else
                        FillRows(image, groupBias, s.ChannelsPerGroup, s.InPixels);
                    Im2Col.Fold(s, columns + i * pixels, ld, image, s.ChannelsPerGroup);
                }
            }
        });
    }

    /// <summary>gw = the adjoint of w -> conv(x, w), applied to gy.</summary>
    /// <param name="s">A checked geometry.</param>
    /// <param name="x">[batch, channels, height, width].</param>
    /// <param name="gy">[batch, filters, OutH, OutW].</param>
    /// <param name="gw">[filters, channels/groups, kernelH, kernelW]; overwritten, zero for an empty batch.</param>
    public static void WeightGrad<T>(ConvShape s, T* x, T* gy, T* gw) where T : unmanaged, IFloatingPointIeee754<T>
    {
        long images = ImagesTogether(s), count = s.WeightCount;
        long blocks = Chunks.CeilDiv(s.Batch, images);
        long parts = Math.Clamp(Math.Min(MaxParts, MaxPartElements / count), 1, Math.Max(blocks, 1));
        if (s.Batch == 0)
            new Span<T>(gw, checked((int)count)).Clear();
        else if (parts == 1)
            WeightGradPart(s, images, x, gy, gw, 0, s.Batch);
        else
        {
            T* sums = Scratch.Get<T>(Scratch.Slot.ConvC, parts * count);
            Chunks.Parts(parts, s.Batch * s.Filters * s.OutPixels * s.Taps / parts, part =>
                WeightGradPart(s, images, x, gy, sums + part * count,
                    part * blocks / parts * images, Math.Min((part + 1) * blocks / parts * images, s.Batch)));
            Chunks.For(count, parts, (start, end) => AddInOrder(sums, count, parts, gw, start, end));
        }
    }

    /// <summary>gb[f] = the sum of gy over batch and pixels.</summary>
    public static void BiasGrad<T>(ConvShape s, T* gy, T* gb) where T : unmanaged, IFloatingPointIeee754<T> =>
        NormKernels.ChannelSum(s.Batch, s.Filters, s.OutPixels, gy, gb);

    // The weight gradient of the images [start, end): one product per block of images and group, added up in order.
    private static void WeightGradPart<T>(in ConvShape s, long images, T* x, T* gy, T* gw, long start, long end)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long outputs = s.FiltersPerGroup, pixels = s.OutPixels;
        T* columns = Scratch.Get<T>(Scratch.Slot.ConvA, s.IsPointwise && images == 1 ? 0 : s.Taps * images * pixels);
        T* gathered = Scratch.Get<T>(Scratch.Slot.ConvB, images == 1 ? 0 : outputs * images * pixels);
        for (long block = start; block < end; block += images)
        {
            long count = Math.Min(images, end - block), ld = count * pixels;
            bool direct = s.IsPointwise && images == 1;
            for (long g = 0; g < s.Groups; g++)
            {
                T* planes = x + (block * s.Channels + g * s.ChannelsPerGroup) * s.InPixels;
                T* cotangent = gy + (block * s.Filters + g * outputs) * pixels;
                for (long i = 0; i < count; i++)
                {
                    if (!direct)
                        Im2Col.Unfold(s, planes + i * s.Channels * s.InPixels, s.ChannelsPerGroup, columns + i * pixels, ld);
                    if (images > 1)
                        CopyRows(cotangent + i * s.Filters * pixels, pixels, gathered + i * pixels, ld, outputs, pixels);
                }
                Gemm.Run(false, true, outputs, s.Taps, ld, images > 1 ? gathered : cotangent, ld,
                    direct ? planes : columns, ld, gw + g * outputs * s.Taps, s.Taps, block > start);
            }
        }
    }

    /// <summary>
    /// How many images share one product: from the shape alone, and never so many that fewer than four products are left.
    /// </summary>
    private static long ImagesTogether(in ConvShape s) => Math.Clamp(ColumnsWanted / s.OutPixels, 1, Math.Max(1, s.Batch / 4));

    // Starts a product that accumulates from the bias; without a bias the product overwrites.
    private static void FillRows<T>(T* y, T* bias, long rows, long length) where T : unmanaged
    {
        if (bias != null)
            for (long r = 0; r < rows; r++)
                new Span<T>(y + r * length, checked((int)length)).Fill(bias[r]);
    }

    private static void CopyRows<T>(T* from, long fromStride, T* to, long toStride, long rows, long length) where T : unmanaged
    {
        for (long r = 0; r < rows; r++)
            Unsafe.CopyBlockUnaligned(to + r * toStride, from + r * fromStride, checked((uint)(length * sizeof(T))));
    }

    private static void AddInOrder<T>(T* parts, long count, long n, T* sum, long start, long end)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        long i = start;
        for (; i + Vector512<T>.Count <= end; i += Vector512<T>.Count)
        {
            var total = Vector512.Load(parts + i);
            for (long p = 1; p < n; p++)
                total += Vector512.Load(parts + p * count + i);
            total.Store(sum + i);
        }
        for (; i < end; i++)
        {
            T total = parts[i];
            for (long p = 1; p < n; p++)
                total += parts[p * count + i];
            sum[i] = total;
        }
    }
}
