namespace Native.Methods;

/// <summary>
/// Rotation of square or oblong images about their centre, counter-clockwise in degrees, by the nearest input pixel, with zeros where there is
/// none: PIL's <c>Image.rotate(angle)</c>, which the rotated MNIST of Gradient Episodic Memory is made with.
/// </summary>
public static class Rotation
{
    /// <summary>For each output pixel of a plane the input pixel that lands there; -1 where none does.</summary>
    public static int[] Map(int height, int width, double degrees)
    {
        double radians = -degrees * Math.PI / 180;
        // Rounded as PIL rounds them, so that right angles are exact.
        double cos = Math.Round(Math.Cos(radians), 15), sin = Math.Round(Math.Sin(radians), 15);
        double cx = width / 2.0, cy = height / 2.0;
        var map = new int[height * width];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
            {
                double dx = x + 0.5 - cx, dy = y + 0.5 - cy;
                double fromX = Math.Floor(cos * dx + sin * dy + cx), fromY = Math.Floor(-sin * dx + cos * dy + cy);
                map[y * width + x] = fromX >= 0 && fromX < width && fromY >= 0 && fromY < height ? (int)fromY * width + (int)fromX : -1;
            }
        return map;
    }

    /// <summary>Writes one image, plane by plane, through a map.</summary>
    public static void Apply(ReadOnlySpan<byte> image, ReadOnlySpan<int> map, Span<byte> rotated)
    {
        for (int plane = 0; plane < image.Length; plane += map.Length)
            for (int i = 0; i < map.Length; i++)
                rotated[plane + i] = map[i] < 0 ? (byte)0 : image[plane + map[i]];
    }
}
