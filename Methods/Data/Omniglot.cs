using System.IO.Compression;

namespace Native.Methods;

/// <summary>
/// Omniglot (Lake, Salakhutdinov and Tenenbaum 2015): 1,623 characters of 50 alphabets, each drawn by 20 people, as zip archives of 105 x 105
/// black-on-white pictures named <c>images_background/ALPHABET/characterNN/NNNN_DD.png</c>. The 30 background alphabets come first, then the 20 of
/// the evaluation set, each in the order of their names. Inverted, so that ink is 255 as in MNIST, and shrunk to 28 x 28 by area.
/// </summary>
public static class Omniglot
{
    /// <summary>Drawings of each character.</summary>
    public const int PerCharacter = 20;

    private const int Source = 105, Side = 28, MaxPicture = 1 << 16;

    /// <summary>An alphabet's name and its labels.</summary>
    public sealed record Alphabet(string Name, int[] Labels);

    /// <summary>Loads both archives from <c>omniglot/</c>: the images by character and drawer, and the alphabets.</summary>
    /// <param name="data">Where to look.</param>
    /// <param name="allowUnofficial">Accept archives whose sums differ; the provenance then says so.</param>
    public static (ImageSet Images, IReadOnlyList<Alphabet> Alphabets) Load(DataFolder data, bool allowUnofficial = false)
    {
        var entries = new List<Entry>();
        var provenance = new List<string>();
        foreach (var file in DataTable.Omniglot)
        {
            var (bytes, path, words) = CheckedFile.Read("omniglot", "Omniglot's " + Path.GetFileName(file.Path), data, file, allowUnofficial);
            using var stream = new MemoryStream(bytes, writable: false);
            entries.AddRange(Entries(stream, path));
            provenance.Add(words);
        }
        return Assemble(entries, CheckedFile.Join(provenance));
    }

    internal sealed record Entry(string Archive, string Alphabet, string Character, string Picture, byte[] Png);

    /// <summary>The pictures of one archive, sorted by name, still packed.</summary>
    internal static List<Entry> Entries(Stream stream, string path)
    {
        var entries = new List<Entry>();
        try
        {
            using var zip = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
            foreach (var entry in zip.Entries.OrderBy(e => e.FullName, StringComparer.Ordinal))
            {
                if (entry.FullName.EndsWith('/'))
                    continue;
                // Nothing is written under these names; they are checked because they become classes.
                if (entry.FullName.Split('/') is not [_, { Length: > 0 } alphabet, { Length: > 0 } character, { } picture]
                    || !picture.EndsWith(".png", StringComparison.Ordinal) || entry.FullName.Contains("..", StringComparison.Ordinal))
                    throw Bad(path, $"the member '{entry.FullName}' is not FOLDER/ALPHABET/CHARACTER/PICTURE.png. Fetch it again.");
                if (entry.Length is < 0 or > MaxPicture)
                    throw Bad(path, $"the member '{entry.FullName}' claims {entry.Length} bytes; pictures of up to {MaxPicture} are read. The archive is damaged or "
                        + "hostile.");
                var png = new byte[entry.Length];
                using var body = entry.Open();
                if (body.ReadAtLeast(png, png.Length, throwOnEndOfStream: false) != png.Length || body.ReadByte() >= 0)
                    throw Bad(path, $"the member '{entry.FullName}' does not unpack to its {entry.Length} bytes. The archive is damaged or hostile.");
                entries.Add(new Entry(path, alphabet, character, picture, png));
            }
        }
        catch (Exception e) when (e is InvalidDataException or IOException or NotSupportedException or ArgumentException or OverflowException)
        {
            throw Bad(path, $"the zip archive of {stream.Length} bytes is damaged; {e.Message} Fetch it again.", e);
        }
        return entries;
    }

    internal static (ImageSet Images, IReadOnlyList<Alphabet> Alphabets) Assemble(List<Entry> entries, string provenance)
    {
        var characters = entries.GroupBy(e => (e.Archive, e.Alphabet, e.Character)).ToList();
        foreach (var c in characters)
            if (c.Count() != PerCharacter)
                throw Bad(c.Key.Archive, $"{c.Key.Alphabet}/{c.Key.Character} has {c.Count()} pictures; {PerCharacter} are wanted. Fetch it again.");
        if (characters.Count == 0)
            throw Bad("omniglot", "there are no pictures in the archives. Fetch them again.");
        var ordered = characters.SelectMany(c => c).ToArray();
        var pixels = new byte[ordered.Length * Side * Side];
        var shrink = Resampler.Area(Source, Source, Side, Side);
        DataFormatException? first = null;
        Parallel.For(0, ordered.Length, (i, loop) =>
        {
            try
            {
                shrink.Plane(Ink(ordered[i]), pixels.AsSpan(i * Side * Side, Side * Side));
            }
            catch (DataFormatException e)
            {
                first = e;
                loop.Stop();
            }
        });
        if (first is not null)
            throw new DataFormatException(first.Message, first);
        int[] labels = [.. Enumerable.Range(0, ordered.Length).Select(i => i / PerCharacter)];
        var alphabets = characters.Select((c, label) => (c.Key.Archive, c.Key.Alphabet, Label: label)).GroupBy(c => (c.Archive, c.Alphabet))
            .Select(a => new Alphabet(a.Key.Alphabet.Replace('_', ' '), [.. a.Select(c => c.Label)])).ToList();
        return (new ImageSet("omniglot", pixels, labels, ordered.Length, 1, Side, Side, provenance), alphabets);
    }

    private static byte[] Ink(Entry entry)
    {
        using var stream = new MemoryStream(entry.Png, writable: false);
        var picture = Png.Read(stream, $"{entry.Archive}: {entry.Alphabet}/{entry.Character}/{entry.Picture}");
        if (picture.Shape[0] != 1 || picture.Shape[1] != Source || picture.Shape[2] != Source)
            throw Bad(entry.Archive, $"{entry.Alphabet}/{entry.Character}/{entry.Picture} is {picture.Shape}; [1,{Source},{Source}] is wanted. Fetch it again.");
        return Array.ConvertAll(picture.Data, v => (byte)(255 - v));
    }

    private static DataFormatException Bad(string path, string what, Exception? inner = null) => new($"omniglot: {path}: {what}", inner);
}
