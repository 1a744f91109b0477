namespace Native;

/// <summary>Lays many small pictures out as one, for looking at.</summary>
public static class ImageGrid
{
    /// <summary>
    /// Tiles u8 images <c>[N,C,H,W]</c>, row by row, into one picture <c>[C,H',W']</c>.
    /// </summary>
    /// <param name="images">N of 1 or more.</param>
    /// <param name="columns">Images per row; 0 for about as many as rows.</param>
    /// <param name="gap">Pixels between images and around them.</param>
    /// <param name="zoom">Each pixel becomes a square of this size.</param>
    /// <param name="background">Value of the gaps and of missing images.</param>
    public static HostArray Tile(HostArray images, int columns = 0, int gap = 1, int zoom = 1, byte background = 64)
    {
        var s = images.Shape;
        if (images.DType != DType.U8 || s.Rank != 4 || s.Count == 0)
            throw new ShapeException($"image grid: images are u8 [N,C,H,W] and not empty; got {images.DType.Name()} {s}. Convert and "
                + "reshape them first.");
        if (columns < 0 || gap < 0 || zoom < 1)
            throw new UsageException($"image grid: columns and gap must be 0 or more and zoom 1 or more; got {columns}, {gap}, "
                + $"{zoom}. Correct them.");
        long n = s[0], channels = s[1], h = s[2], w = s[3];
        long across = Math.Min(n, columns > 0 ? columns : (long)Math.Ceiling(Math.Sqrt(n))), down = (n + across - 1) / across;
        long height = down * (h * zoom + gap) + gap, width = across * (w * zoom + gap) + gap;
        if ((Int128)height * width * channels > Array.MaxLength)
            throw new ShapeException($"image grid: {height} x {width} x {channels} bytes do not fit one array of {Array.MaxLength}. "
                + "Tile fewer images.");
        var grid = new byte[channels * height * width];
        Array.Fill(grid, background);
        for (long i = 0; i < n; i++)
            for (long c = 0; c < channels; c++)
                for (long y = 0; y < h * zoom; y++)
                {
                    long from = ((i * channels + c) * h + y / zoom) * w;
                    long to = (c * height + gap + i / across * (h * zoom + gap) + y) * width + gap + i % across * (w * zoom + gap);
                    for (long x = 0; x < w * zoom; x++)
                        grid[to + x] = images.Data[from + x / zoom];
                }
        return new HostArray(DType.U8, [channels, height, width], grid);
    }
}
