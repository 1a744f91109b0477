namespace Native.Methods;

/// <summary>
/// Ten classes of colour textures, 32 x 32 RGB, drawn by the program: the twin of CIFAR-10 and SVHN where there are no data. A class is a pattern
/// (stripes, checks, spots, rings, ...) with two hues of its own; an image draws scale, angle, place, brightness and noise. Colours of neighbouring
/// classes overlap, so that neither colour nor pattern alone decides. Image <c>i</c> depends on the seed and <c>i</c> alone.
/// </summary>
public static class SyntheticTextures
{
    /// <summary>Height and width.</summary>
    public const int Side = 32;

    private const int Classes = 10;

    /// <summary>Draws a training and a test set. Any ten images from a multiple of ten on are one of each class, in random order.</summary>
    public static (ImageSet Train, ImageSet Test) Make(Generator rng, int train = 12_000, int test = 2_000) =>
        (MakeSet(rng.Stream("textures/train"), "textures train", train), MakeSet(rng.Stream("textures/test"), "textures test", test));

    private static ImageSet MakeSet(Generator rng, string name, int count)
    {
        const int size = 3 * Side * Side;
        if (count < 0 || count > Array.MaxLength / size)
            throw new UsageException($"textures: a set has from 0 to {Array.MaxLength / size} images; got {count}. Ask for fewer.");
        var pixels = new byte[count * size];
        var labels = new int[count];
        Parallel.For(0, count, i => labels[i] = Draw(rng.Seed, i, pixels.AsSpan(i * size, size)));
        return new ImageSet(name, pixels, labels, count, 3, Side, Side, $"drawn by the program (seed {rng.Seed:x16})");
    }

    private static int Draw(ulong seed, int index, Span<byte> pixels)
    {
        // Every image has 2^20 words of the sequence to itself, above the part that the order of the classes uses.
        var classes = new Generator(seed) { State = (seed, (ulong)(index / Classes) << 10) };
        var rng = new Generator(seed) { State = (seed, (1UL << 60) + ((ulong)index << 20)) };
        int label = (int)classes.Permutation(Classes)[index % Classes];
        double angle = Between(rng, -0.35, 0.35), scale = Between(rng, 0.75, 1.35), x0 = Between(rng, 0, 8), y0 = Between(rng, 0, 8);
        double light = Between(rng, 0.65, 1), contrast = Between(rng, 0.55, 1), noise = Between(rng, 4, 30);
        double hue = label / (double)Classes + Between(rng, -0.08, 0.08), other = hue + 0.3 + Between(rng, -0.1, 0.1);
        var (sin, cos) = Math.SinCos(angle);
        for (int y = 0; y < Side; y++)
            for (int x = 0; x < Side; x++)
            {
                double u = (cos * (x - 16) + sin * (y - 16)) * scale + x0, v = (-sin * (x - 16) + cos * (y - 16)) * scale + y0;
                double mix = 0.5 + contrast * (Pattern(label, u, v) - 0.5);
                for (int c = 0; c < 3; c++)
                {
                    double value = mix * Channel(hue, c) + (1 - mix) * Channel(other, c);
                    pixels[(c * Side + y) * Side + x] = (byte)Math.Clamp(Math.Round(255 * light * value + noise * (rng.NextDouble() + rng.NextDouble() - 1)), 0, 255);
                }
            }
        return label;
    }

    /// <summary>How much of the first colour there is at a place, 0 to 1.</summary>
    private static double Pattern(int label, double u, double v) => label switch
    {
        0 => Wave(v, 7),
        1 => Wave(u, 7),
        2 => Wave(u + v, 9),
        3 => Wave(u, 8) * Wave(v, 8) + (1 - Wave(u, 8)) * (1 - Wave(v, 8)),
        4 => Step(0.35 - Distance(u, v, 9)),
        5 => Wave(Math.Sqrt((u - 4) * (u - 4) + (v - 4) * (v - 4)), 8),
        6 => Wave(v + 2.5 * Math.Sin(u * 0.7), 8),
        7 => Step(0.12 - Math.Min(Math.Abs(Frac(u / 9) - 0.5), Math.Abs(Frac(v / 9) - 0.5))),
        8 => Frac(u / 8) > Frac(v / 8) ? 1 : 0,
        _ => Wave(u * v / 12, 9),
    };

    private static double Wave(double at, double period) => 0.5 + 0.5 * Math.Sin(Math.Tau * at / period);

    private static double Frac(double at) => at - Math.Floor(at);

    private static double Distance(double u, double v, double cell)
    {
        double du = Frac(u / cell) - 0.5, dv = Frac(v / cell) - 0.5;
        return Math.Sqrt(du * du + dv * dv);
    }

    private static double Step(double at) => Math.Clamp(0.5 + 8 * at, 0, 1);

    // A colour circle from three shifted cosines.
    private static double Channel(double hue, int c) => 0.5 + 0.45 * Math.Cos(Math.Tau * (hue + c / 3.0));

    private static double Between(Generator rng, double low, double high) => low + (high - low) * rng.NextDouble();
}
