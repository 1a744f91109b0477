using System.IO.Compression;

namespace Native;

/// <summary>
/// NumPy's .npz: a zip archive of .npy files, stored or deflated. Declared sizes are believed only after they are compared with what the
/// archive could hold, and checked against what it does hold, CRC included.
/// </summary>
public static class Npz
{
    /// <summary>Deflate cannot expand a byte to more than this many (zlib's "maximum compression factor").</summary>
    internal const long MaxRatio = 1032;

    private const string Format = "npz";

    /// <summary>Reads all arrays, in archive order, by name without ".npy".</summary>
    /// <param name="path">The archive.</param>
    /// <param name="maxBytes">Most bytes that the arrays may take together, unpacked; 4 GiB by default.</param>
    public static OrderedDictionary<string, HostArray> Read(string path, long maxBytes = 1L << 32) =>
        FormatFile.Read(Format, path, (_, stream) => Read(stream, path, maxBytes));

    /// <summary>Reads from a seekable stream; <paramref name="name"/> is what errors call it.</summary>
    public static OrderedDictionary<string, HostArray> Read(Stream stream, string name, long maxBytes = 1L << 32)
    {
        var file = new ByteSource(stream, stream.Length, Format, name);
        try
        {
            using var zip = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
            return Read(zip, file, maxBytes);
        }
        catch (Exception e) when (e
            is InvalidDataException or IOException or NotSupportedException or ArgumentException or OverflowException)
        {
            throw file.Bad($"the zip archive of {file.Length} bytes is damaged; {e.Message} Fetch the file again.", e);
        }
    }

    /// <summary>Writes the arrays in the order given, atomically; deflated when <paramref name="compress"/>.</summary>
    public static void Write(string path, IEnumerable<KeyValuePair<string, HostArray>> arrays, bool compress = false) =>
        FormatFile.Write(Format, path, stream => Write(stream, arrays, compress));

    /// <summary>Writes to a seekable stream.</summary>
    public static void Write(Stream stream, IEnumerable<KeyValuePair<string, HostArray>> arrays, bool compress = false)
    {
        using var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (name, array) in arrays)
        {
            if (!names.Add(name))
                throw new UsageException($"{Format}: the name '{name}' is used twice. Give each array its own name.");
            var entry = zip.CreateEntry(name + ".npy", compress ? CompressionLevel.Optimal : CompressionLevel.NoCompression);
            entry.LastWriteTime = new DateTimeOffset(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);   // the same arrays make the same file
            using var body = entry.Open();
            Npy.Write(body, array);
        }
    }

    private static OrderedDictionary<string, HostArray> Read(ZipArchive zip, ByteSource file, long maxBytes)
    {
        var arrays = new OrderedDictionary<string, HostArray>(StringComparer.Ordinal);
        long total = 0;
        foreach (var entry in zip.Entries)
        {
            if (!entry.FullName.EndsWith(".npy", StringComparison.Ordinal))
                throw file.Bad($"the member '{entry.FullName}' is no .npy file. Save the archive with numpy.savez.");
            if (entry.CompressedLength < 0 || entry.CompressedLength > file.Length)
                throw file.Bad($"'{entry.FullName}' claims {entry.CompressedLength} packed bytes and the archive has {file.Length}. "
                    + "Fetch it again.");
            if (entry.Length < 0 || entry.Length > entry.CompressedLength * MaxRatio)
                throw file.Bad($"'{entry.FullName}' claims {entry.Length} bytes from {entry.CompressedLength} packed ones; deflate "
                    + $"makes at most {MaxRatio} of one. The archive is damaged or hostile.");
            if ((total += entry.Length) > maxBytes)
                throw file.Bad($"the arrays up to '{entry.FullName}' take {total} bytes unpacked; the limit is {maxBytes}. Raise the "
                    + "limit or split the archive.");
            if (!arrays.TryAdd(entry.FullName[..^4], ReadEntry(entry, file.Name)))
                throw file.Bad($"the member '{entry.FullName}' appears twice. Save the archive again.");
        }
        return arrays;
    }

    private static HostArray ReadEntry(ZipArchiveEntry entry, string file)
    {
        using var body = entry.Open();
        var source = new ByteSource(body, entry.Length, Format, $"{file}: {entry.FullName}", checksum: true);
        var array = Npy.Read(source);
        // Also what finds a member that unpacks to more than it declares: the rest is never read, so the sum is another one.
        if (source.Crc != entry.Crc32)
            throw source.Bad($"the CRC-32 is {source.Crc:x8}; the archive declares {entry.Crc32:x8}. Fetch the file again.");
        return array;
    }
}
