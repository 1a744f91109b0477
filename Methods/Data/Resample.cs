namespace Native.Methods;

/// <summary>Images of another size: <see cref="Resampler"/> over whole sets.</summary>
public static class Resample
{
    /// <summary>
    /// Bilinear with half-pixel centres: a triangle filter, widened when shrinking so that no input pixel is skipped, with weights renormalised at
    /// the borders. This is what <c>torchvision.transforms.Resize</c> does to a PIL image.
    /// </summary>
    public static ImageSet Bilinear(ImageSet set, int height, int width) => Apply(set, height, width, Resampler.Bilinear);

    /// <summary>Area averaging: the mean of the input rectangle that an output pixel covers, fractions of pixels counted by their area.</summary>
    public static ImageSet Area(ImageSet set, int height, int width) => Apply(set, height, width, Resampler.Area);

    private static ImageSet Apply(ImageSet set, int height, int width, Func<int, int, int, int, Resampler> make)
    {
        var resampler = make(set.Height, set.Width, height, width);
        if ((height, width) == (set.Height, set.Width))
            return set;
        if ((long)set.Count * set.Channels * height * width > Array.MaxLength)
            throw new UsageException($"resample: {set.Count} images of {set.Channels}x{height}x{width} take more than {Array.MaxLength} bytes. Use fewer.");
        int from = set.Height * set.Width, to = height * width;
        var pixels = new byte[set.Count * set.Channels * to];
        Parallel.For(0, set.Count * set.Channels, plane =>
            resampler.Plane(set.Pixels.AsSpan(plane * from, from), pixels.AsSpan(plane * to, to)));
        return set with { Pixels = pixels, Height = height, Width = width };
    }
}

/// <summary>
/// Planes of bytes to another size in two passes (rows, then columns), each output pixel a weighted mean of input pixels. Weights are integers with
/// 22 fractional bits and each pass rounds to a byte, so the result is the same everywhere.
/// </summary>
public sealed class Resampler
{
    private const int Bits = 22;

    private readonly int _height, _width;
    private readonly Taps[] _across, _down;

    private Resampler(int height, int width, int toHeight, int toWidth, Func<int, int, int, Taps> taps)
    {
        if (height < 1 || width < 1 || toHeight < 1 || toWidth < 1)
            throw new UsageException($"resample: {height}x{width} to {toHeight}x{toWidth} is not from one size to another. Give sides of 1 or more.");
        (_height, _width) = (height, width);
        _across = [.. Enumerable.Range(0, toWidth).Select(x => taps(x, width, toWidth))];
        _down = [.. Enumerable.Range(0, toHeight).Select(y => taps(y, height, toHeight))];
    }

    /// <summary>By <see cref="Resample.Bilinear"/>'s rule.</summary>
    public static Resampler Bilinear(int height, int width, int toHeight, int toWidth) => new(height, width, toHeight, toWidth, Triangle);

    /// <summary>By <see cref="Resample.Area"/>'s rule, which only shrinks.</summary>
    public static Resampler Area(int height, int width, int toHeight, int toWidth) => toHeight <= height && toWidth <= width
        ? new(height, width, toHeight, toWidth, Cover)
        : throw new UsageException($"resample: area averaging shrinks, and {toHeight}x{toWidth} is larger than {height}x{width}. Use bilinear.");

    /// <summary>Resamples one plane.</summary>
    public void Plane(ReadOnlySpan<byte> from, Span<byte> to)
    {
        int width = _across.Length;
        var narrow = new byte[_height * width];
        for (int y = 0; y < _height; y++)
            for (int x = 0; x < width; x++)
                narrow[y * width + x] = Sum(from, y * _width, 1, _across[x]);
        for (int y = 0; y < _down.Length; y++)
            for (int x = 0; x < width; x++)
                to[y * width + x] = Sum(narrow, x, width, _down[y]);
    }

    /// <summary>The weights of one output position: input positions from First on.</summary>
    private readonly record struct Taps(int First, int[] Weights);

    private static byte Sum(ReadOnlySpan<byte> from, int start, int step, Taps taps)
    {
        long sum = 1L << (Bits - 1);
        for (int k = 0; k < taps.Weights.Length; k++)
            sum += (long)taps.Weights[k] * from[start + (taps.First + k) * step];
        return (byte)Math.Clamp(sum >> Bits, 0, 255);
    }

    private static Taps Triangle(int at, int from, int to)
    {
        double scale = (double)from / to, support = Math.Max(scale, 1), centre = (at + 0.5) * scale;
        int first = Math.Max(0, (int)(centre - support + 0.5)), end = Math.Min(from, (int)(centre + support + 0.5));
        return Fixed(first, [.. Enumerable.Range(first, end - first).Select(i => Math.Max(0, 1 - Math.Abs((i + 0.5 - centre) / support)))]);
    }

    private static Taps Cover(int at, int from, int to)
    {
        double scale = (double)from / to, low = at * scale, high = (at + 1) * scale;
        int first = (int)low, end = Math.Min(from, (int)Math.Ceiling(high));
        return Fixed(first, [.. Enumerable.Range(first, end - first).Select(i => Math.Min(high, i + 1) - Math.Max(low, i))]);
    }

    private static Taps Fixed(int first, double[] weights)
    {
        double total = weights.Sum();
        return new Taps(first, [.. weights.Select(w => (int)Math.Round(w / total * (1 << Bits)))]);
    }
}
