namespace Native.Methods;

/// <summary>Labelled images at rest.</summary>
/// <param name="Name">For tables, for example <c>mnist test</c>.</param>
/// <param name="Pixels">Bytes <c>[N,C,H,W]</c>, C order, 0 to 255.</param>
/// <param name="Labels">One class per image.</param>
/// <param name="Count">N.</param>
/// <param name="Channels">C.</param>
/// <param name="Height">H.</param>
/// <param name="Width">W.</param>
/// <param name="Provenance">Where the data come from, in words: official files, unofficial files, or drawn by the program.</param>
public sealed record ImageSet(
    string Name, byte[] Pixels, byte[] Labels, int Count, int Channels, int Height, int Width, string Provenance)
{
    /// <summary>Bytes of one image: C H W.</summary>
    public int ImageSize => Channels * Height * Width;

    /// <summary>The first <paramref name="count"/> images as a u8 array <c>[count,C,H,W]</c>, for files and pictures.</summary>
    public HostArray First(int count)
    {
        if (count < 0 || count > Count)
            throw new UsageException($"image set: {Name} has {Count} images; got a request for {count}. Ask for fewer.");
        return HostArray.From<byte>([count, Channels, Height, Width], Pixels.AsSpan(0, count * ImageSize));
    }
}
