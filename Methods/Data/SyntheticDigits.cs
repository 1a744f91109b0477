namespace Native.Methods;

/// <summary>
/// Ten classes of handwritten-looking digits, 28 x 28 grey, drawn by the program so that every method runs without a download. Each
/// digit has several writing styles, each a few pen strokes; an image takes one style, moves its points, warps it, and inks
/// it with a round pen whose pressure changes. Image <c>i</c> depends on the seed and <c>i</c> alone.
/// </summary>
public static class SyntheticDigits
{
    /// <summary>Height and width.</summary>
    public const int Side = 28;

    // Strokes by digit and style in a box 10 wide and 14 high, y down. '|' lifts the pen, '!' turns sharply, other points are
    // passed smoothly.
    private static readonly string[][] Styles =
    [
        ["5,0 1.5,2.5 0,7 1.5,12 5,14 8.5,12 10,7 8.5,2 5,0", "6,0.5 2.5,1 0.5,6 1.5,12 5,14 8.5,11 9,5 7,1 4,0.5",
         "7.5,1.5 4,0 1,4 0.5,9 3,13.5 7,13 9.5,8 8.5,3 5.5,0.3 3.5,2"],
        ["5,0 5,14", "2.5,3 !5.5,0 5.5,14", "2.5,3 !5,0 !5,14|2,14 8,14", "6,0 5,5 4.5,14"],
        ["1,3 3,0.5 6.5,0.3 8.5,3 7,7 3,11 !0.5,14 !9.5,13.5", "1,3 4,0 8,1.5 8,5 5,9.5 2,13 1,12 2.5,11 5.5,13 9.5,13.5",
         "0.5,2.5 4,0 8.5,2 7.5,6.5 !1,13.5 5,13 9.5,14"],
        ["1,1.5 4.5,0 8,2 7.5,5 !4,6.7 8,8 9,11 6,14 3,13.7 0.5,12", "1,0.5 !8.5,0.5 !4.5,6 8,7.5 9,11 5.5,14 1,13",
         "1,2 5,0 8.5,2.5 7,5.5 5,6.5 7.5,7.5 9,10.5 5,14 0.5,11.5"],
        ["2.5,0 !1,8 !9.5,8|7.5,1 7,14", "7,0 !0.5,9.5 !10,9.5|7,0 7,14", "1.5,1 1.5,6 4,8 8,6.5|8.5,0 8,7 7,14"],
        ["8.5,0.5 !2,0.5 !1.5,6 5,5 9,8 8,12.5 4.5,14 0.5,12.5", "2.5,1 !2,6 6,5.5 9,9 7.5,13 3,14 0.5,13|2.5,1 9,0.5",
         "8.5,1 4,0.5 2,3 3,5.5 6,6.5 8.5,9.5 6,13.5 1,13"],
        ["7.5,0 3,3.5 0.5,9 2,13.5 5.5,14 8.5,11.5 7,8 3.5,8 1,11", "4,0 1.5,7 1,11 4,14 8,12.5 8,9 5,7.5 1.5,10",
         "8.5,1.5 5,0.5 1.5,5 0.5,10 3.5,14 8,12.5 8.5,9 5,7 1,9.5"],
        ["0.5,1 !9,0.5 5.5,7 3.5,14", "0.5,1 !9,0.5 5.5,7 4,14|2.5,7.5 8,7", "1,2.5 !1.2,0.5 !9,0.5 6,6 4.5,14"],
        ["8,2.5 5,0 2,2.5 4,6 8.5,10 6,14 3,13.5 1.5,10.5 5,7 8,2.5",
         "5,0 2,1.5 2,5 5,6.8 8,5 8,1.5 5,0|5,6.8 1,9 1.5,13 5,14 8.5,13 9,9 5,6.8",
         "9,1.5 5,0.2 2,3 5,6.5 8.5,10.5 5.5,14 1.5,12 2.5,9 6,6 9,1.5"],
        ["8.5,3 5.5,0 2,1.5 1.5,5 4.5,7.5 8,5.5 !8.5,2.5 8,8 6.5,14", "8,1 4,0.5 1,4 3,7.5 7,6 !8.5,1 !8,14",
         "8.5,4 5.5,0 1.5,2.5 2.5,7 7,6.5 8.5,3 8.7,8 7,13 3.5,14 1.5,12.5"],
    ];

    private readonly record struct Point(double X, double Y, bool Sharp);

    private static readonly Point[][][][] Strokes = [.. Styles.Select(digit => digit.Select(Parse).ToArray())];

    /// <summary>How far images of a class differ; the fields are the widths of the random draws.</summary>
    /// <param name="Bend">Standard deviation of a control point, in units of the 10 x 14 box.</param>
    /// <param name="Rotation">Largest rotation, in radians.</param>
    /// <param name="Slant">Largest shear.</param>
    /// <param name="Shift">Largest shift, in pixels.</param>
    /// <param name="Noise">Largest standard deviation of the noise, of 255.</param>
    public sealed record Options(double Bend = 0.5, double Rotation = 0.25, double Slant = 0.35, double Shift = 2, double Noise = 14);

    /// <summary>
    /// Draws a training and a test set. Any ten images from a multiple of ten on are one of each class, in random order.
    /// </summary>
    public static (ImageSet Train, ImageSet Test) Make(Generator rng, int train = 12_000, int test = 2_000, Options? options = null) =>
        (MakeSet(rng.Stream("digits/train"), "digits train", train, options),
         MakeSet(rng.Stream("digits/test"), "digits test", test, options));

    private static ImageSet MakeSet(Generator rng, string name, int count, Options? options)
    {
        if (count < 0 || count > Array.MaxLength / (Side * Side))
            throw new UsageException($"digits: a set has from 0 to {Array.MaxLength / (Side * Side)} images; got {count}. Ask for fewer.");
        var pixels = new byte[count * Side * Side];
        var labels = new int[count];
        Parallel.For(0, count, i => labels[i] = Draw(rng.Seed, i, pixels.AsSpan(i * Side * Side, Side * Side), options));
        return new ImageSet(name, pixels, labels, count, 1, Side, Side, $"drawn by the program (seed {rng.Seed:x16})");
    }

    /// <summary>Draws image <paramref name="index"/> of the set with this seed into <c>[28,28]</c> bytes and returns its class.</summary>
    internal static byte Draw(ulong seed, int index, Span<byte> pixels, Options? options = null)
    {
        var o = options ?? new Options();
        // Every image has 2^20 words of the sequence to itself, above the part that the order of the classes uses.
        var classes = new Generator(seed) { State = (seed, (ulong)(index / 10) << 10) };
        var rng = new Generator(seed) { State = (seed, (1UL << 60) + ((ulong)index << 20)) };
        byte digit = (byte)classes.Permutation(10)[index % 10];
        var styles = Strokes[digit];
        var ink = new double[Side * Side];
        var warp = new Warp(rng, o);
        double thick = Between(rng, 0.75, 1.75), pressure = Between(rng, -0.3, 0.3);
        foreach (var stroke in styles[(int)rng.NextInt64(styles.Length)])
            Ink(ink, stroke, warp, rng, o, thick * (1 - pressure), thick * (1 + pressure));
        Develop(ink, pixels, rng, o);
        return digit;
    }

    /// <summary>From box units to pixels: a slow wave (an unsteady hand), slant, unequal scale, rotation, shift.</summary>
    private sealed class Warp
    {
        private readonly double _xx, _xy, _yx, _yy, _x, _y, _waveX, _waveY, _phaseX, _phaseY;

        internal Warp(Generator rng, Options o)
        {
            double angle = Between(rng, -o.Rotation, o.Rotation), slant = Between(rng, -0.6 * o.Slant, o.Slant);
            double height = Between(rng, 1.1, 1.5), width = height * Between(rng, 0.75, 1.2);
            var (sin, cos) = Math.SinCos(angle);
            (_xx, _xy) = (cos * width, -sin * height - cos * slant * height);
            (_yx, _yy) = (sin * width, cos * height - sin * slant * height);
            (_x, _y) = (Side / 2.0 + Between(rng, -o.Shift, o.Shift), Side / 2.0 + Between(rng, -o.Shift, o.Shift));
            (_waveX, _waveY) = (o.Bend * Normal(rng), o.Bend * Normal(rng));
            (_phaseX, _phaseY) = (Between(rng, 0, Math.Tau), Between(rng, 0, Math.Tau));
        }

        internal (double X, double Y) Apply(double x, double y)
        {
            double u = x - 5 + _waveX * Math.Sin(y * 0.45 + _phaseX), v = y - 7 + _waveY * Math.Sin(x * 0.6 + _phaseY);
            return (_x + _xx * u + _xy * v, _y + _yx * u + _yy * v);
        }
    }

    private static void Ink(double[] ink, Point[] stroke, Warp warp, Generator rng, Options o, double from, double to)
    {
        var points = new Point[stroke.Length];
        for (int i = 0; i < points.Length; i++)
            points[i] = stroke[i] with { X = stroke[i].X + o.Bend * Normal(rng), Y = stroke[i].Y + o.Bend * Normal(rng) };
        const int steps = 8;
        var (x, y) = warp.Apply(points[0].X, points[0].Y);
        for (int i = 0; i + 1 < points.Length; i++)
            for (int s = 1; s <= steps; s++)
            {
                var (px, py) = Spline(points, i, s / (double)steps);
                var (nx, ny) = warp.Apply(px, py);
                Segment(ink, x, y, nx, ny, from + (to - from) * (i + s / (double)steps) / (points.Length - 1));
                (x, y) = (nx, ny);
            }
    }

    /// <summary>Catmull and Rom's spline from point i to i + 1; ends and sharp points stand in for the neighbour beyond them.</summary>
    private static (double X, double Y) Spline(Point[] p, int i, double t)
    {
        Point b = p[i], c = p[i + 1], a = b.Sharp || i == 0 ? b : p[i - 1], d = c.Sharp || i + 2 == p.Length ? c : p[i + 2];
        double Blend(double w, double x, double y, double z) =>
            x + 0.5 * t * (y - w + t * (2 * w - 5 * x + 4 * y - z + t * (3 * (x - y) + z - w)));
        return (Blend(a.X, b.X, c.X, d.X), Blend(a.Y, b.Y, c.Y, d.Y));
    }

    // A round pen along a short line: full ink inside the radius, one pixel of fading at its edge, the darkest stroke wins.
    private static void Segment(double[] ink, double x0, double y0, double x1, double y1, double radius)
    {
        double reach = radius + 1, dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy;
        int left = Clip(Math.Min(x0, x1) - reach), right = Clip(Math.Max(x0, x1) + reach);
        int top = Clip(Math.Min(y0, y1) - reach), bottom = Clip(Math.Max(y0, y1) + reach);
        for (int row = top; row <= bottom; row++)
            for (int column = left; column <= right; column++)
            {
                double px = column + 0.5 - x0, py = row + 0.5 - y0;
                double along = length > 0 ? Math.Clamp((px * dx + py * dy) / length, 0, 1) : 0;
                double distance = Math.Sqrt((px - along * dx) * (px - along * dx) + (py - along * dy) * (py - along * dy));
                int at = row * Side + column;
                ink[at] = Math.Max(ink[at], Math.Clamp(radius + 0.5 - distance, 0, 1));
            }
    }

    private static int Clip(double v) => (int)Math.Clamp(v, 0, Side - 1);

    /// <summary>Blurs by a random 3 x 3 binomial, adds noise, and rounds to bytes.</summary>
    private static void Develop(double[] ink, Span<byte> pixels, Generator rng, Options o)
    {
        double side = Between(rng, 0, 0.2), noise = Between(rng, 0, o.Noise), dark = Between(rng, 200, 255);
        var across = new double[ink.Length];
        for (int i = 0; i < ink.Length; i++)
        {
            int column = i % Side;
            across[i] = (1 - 2 * side) * ink[i] + side * ((column > 0 ? ink[i - 1] : 0) + (column < Side - 1 ? ink[i + 1] : 0));
        }
        for (int i = 0; i < ink.Length; i++)
        {
            double neighbours = (i >= Side ? across[i - Side] : 0) + (i + Side < ink.Length ? across[i + Side] : 0);
            double v = (1 - 2 * side) * across[i] + side * neighbours;
            pixels[i] = (byte)Math.Clamp(Math.Round(v * dark + noise * Normal(rng)), 0, 255);
        }
    }

    private static double Between(Generator rng, double low, double high) => low + (high - low) * rng.NextDouble();

    // Box and Muller's transform; 1 - u keeps the logarithm away from 0.
    private static double Normal(Generator rng)
    {
        double radius = Math.Sqrt(-2 * Math.Log(1 - rng.NextDouble()));
        return radius * Math.Cos(Math.Tau * rng.NextDouble());
    }

    private static Point[][] Parse(string style) =>
        [.. style.Split('|').Select(stroke => stroke.Split(' ').Select(text =>
        {
            var xy = text.TrimStart('!').Split(',');
            return new Point(double.Parse(xy[0]), double.Parse(xy[1]), text[0] == '!');
        }).ToArray())];
}
