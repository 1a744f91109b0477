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
    string Name, byte[] Pixels, int[] Labels, int Count, int Channels, int Height, int Width, string Provenance) : ItemSet
{
    /// <inheritdoc/>
    public override string Name { get; init; } = Name;

    /// <inheritdoc/>
    public override int[] Labels { get; init; } = Labels;

    /// <inheritdoc/>
    public override int Count { get; init; } = Count;

    /// <inheritdoc/>
    public override string Provenance { get; init; } = Provenance;

    /// <summary>Bytes of one image: C H W.</summary>
    public int ImageSize => Channels * Height * Width;

    /// <summary>The bytes of an image.</summary>
    public ReadOnlySpan<byte> Image(int index) => Pixels.AsSpan(index * ImageSize, ImageSize);

    /// <summary>The first <paramref name="count"/> images as a u8 array <c>[count,C,H,W]</c>, for files and pictures.</summary>
    public HostArray First(int count)
    {
        if (count < 0 || count > Count)
            throw new UsageException($"image set: {Name} has {Count} images; got a request for {count}. Ask for fewer.");
        return HostArray.From<byte>([count, Channels, Height, Width], Pixels.AsSpan(0, count * ImageSize));
    }

    /// <inheritdoc/>
    public override ImageSet Part(int count) => count >= Count ? this : this with
    {
        Name = PartName(count),
        Pixels = Pixels[..(count * ImageSize)],
        Labels = Labels[..count],
        Count = count,
    };

    /// <summary>
    /// Two sets as one: the labels of <paramref name="next"/> follow this set's <paramref name="classes"/> classes. Images must have one size.
    /// </summary>
    public ImageSet Then(ImageSet next, int classes)
    {
        if ((Channels, Height, Width) != (next.Channels, next.Height, next.Width))
            throw new UsageException($"image set: {Name} has images of {Channels}x{Height}x{Width} and {next.Name} of "
                + $"{next.Channels}x{next.Height}x{next.Width}. Resample one of them first.");
        if ((long)(Count + next.Count) * ImageSize > Array.MaxLength)
            throw new UsageException($"image set: {Name} and {next.Name} together take more than {Array.MaxLength} bytes. Use parts of them.");
        return this with
        {
            Name = $"{Name} + {next.Name}",
            Pixels = [.. Pixels, .. next.Pixels],
            Labels = [.. Labels, .. next.Labels.Select(l => l + classes)],
            Count = Count + next.Count,
            Provenance = Provenance == next.Provenance ? Provenance : $"{Provenance}; {next.Provenance}",
        };
    }
}
