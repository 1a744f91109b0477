namespace Native.Methods;

/// <summary>
/// Images of another size, in two passes (rows, then columns), each output pixel a weighted mean of input pixels. Sums are exact integers with 22
/// fractional bits per weight and each pass rounds to a byte, so the result is the same everywhere.
/// </summary>
public static class Resample
{
    private const int Bits = 22;

    /// <summary>
    /// Bilinear with half-pixel centres: a triangle filter, widened when shrinking so that no input pixel is skipped, with weights renormalised at
    /// the borders. This is what <c>torchvision.transforms.Resize</c> does to a PIL image.
    /// </summary>
    public static ImageSet Bilinear(ImageSet set, int height, int width) => Apply(set, height, width, Triangle);

    /// <summary>Area averaging: the mean of the input rectangle that an output pixel covers, fractions of pixels counted by their area.</summary>
    public static ImageSet Area(ImageSet set, int height, int width)
    {
        if (height > set.Height || width > set.Width)
            throw new UsageException($"resample: {set.Name} has images of {set.Height}x{set.Width}; area averaging shrinks, and {height}x{width} is "
                + "larger. Use bilinear.");
        return Apply(set, height, width, Cover);
    }

    /// <summary>The weights of one output position: input positions from First on.</summary>
    internal readonly record struct Taps(int First, int[] Weights);

    private static ImageSet Apply(ImageSet set, int height, int width, Func<int, int, int, Taps> taps)
    {
        if (height < 1 || width < 1 || (long)set.Count * set.Channels * height * width > Array.MaxLength)
            throw new UsageException($"resample: {set.Count} images of {set.Channels}x{height}x{width} are not from 1 to {Array.MaxLength} bytes.");
        if ((height, width) == (set.Height, set.Width))
            return set;
        Taps[] across = [.. Enumerable.Range(0, width).Select(x => taps(x, set.Width, width))];
        Taps[] down = [.. Enumerable.Range(0, height).Select(y => taps(y, set.Height, height))];
        var pixels = new byte[set.Count * set.Channels * height * width];
        Parallel.For(0, set.Count * set.Channels, plane =>
        {
            var from = set.Pixels.AsSpan(plane * set.Height * set.Width, set.Height * set.Width);
            var to = pixels.AsSpan(plane * height * width, height * width);
            var narrow = new byte[set.Height * width];
            for (int y = 0; y < set.Height; y++)
                for (int x = 0; x < width; x++)
                    narrow[y * width + x] = Sum(from, y * set.Width, 1, across[x]);
            for (int y = 0; y < height; y++)
                for (int x = 0; x < width; x++)
                    to[y * width + x] = Sum(narrow, x, width, down[y]);
        });
        return set with { Pixels = pixels, Height = height, Width = width };
    }

    private static byte Sum(ReadOnlySpan<byte> from, int start, int step, Taps taps)
    {
        long sum = 1L << (Bits - 1);
        for (int k = 0; k < taps.Weights.Length; k++)
            sum += (long)taps.Weights[k] * from[start + (taps.First + k) * step];
        return (byte)Math.Clamp(sum >> Bits, 0, 255);
    }

    internal static Taps Triangle(int at, int from, int to)
    {
        double scale = (double)from / to, support = Math.Max(scale, 1), centre = (at + 0.5) * scale;
        int first = Math.Max(0, (int)(centre - support + 0.5)), end = Math.Min(from, (int)(centre + support + 0.5));
        return Fixed(first, [.. Enumerable.Range(first, end - first).Select(i => Math.Max(0, 1 - Math.Abs((i + 0.5 - centre) / support)))]);
    }

    internal static Taps Cover(int at, int from, int to)
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
