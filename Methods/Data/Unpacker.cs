using System.Formats.Tar;
using System.IO.Compression;

namespace Native.Methods;

/// <summary>
/// Takes named files out of a .tar.gz. Names in the archive are only compared, never used as paths: what is written, and where, is the caller's
/// list. Each file is written under another name, compared with its sum, and then renamed. Sizes are held against what the row says, and the
/// whole against what deflate can make of the archive.
/// </summary>
public static class Unpacker
{
    /// <summary>The most that deflate makes of one byte.</summary>
    private const long MaxRatio = 1032;

    /// <summary>Unpacks the members of a row into the data folder. <see cref="DataFormatException"/> when the archive is damaged or lacks one.</summary>
    /// <param name="archive">Path of the .tar.gz.</param>
    /// <param name="members">Names in the archive and the files they become.</param>
    /// <param name="root">The data folder.</param>
    public static void TarGz(string archive, IReadOnlyList<(string Member, DataFile File)> members, string root)
    {
        try
        {
            using var file = File.OpenRead(archive);
            TarGz(file, archive, members, root);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"data get: {archive} cannot be unpacked into {root}; {e.Message} Check the folder, its permissions and its space.");
        }
    }

    internal static void TarGz(Stream packed, string name, IReadOnlyList<(string Member, DataFile File)> members, string root)
    {
        var wanted = members.ToDictionary(m => m.Member, m => m.File, StringComparer.Ordinal);
        long most = Math.Min(packed.Length * MaxRatio, members.Sum(m => m.File.Bytes) + (64L << 20));
        try
        {
            using var gzip = new GZipStream(packed, CompressionMode.Decompress, leaveOpen: true);
            using var bounded = new Bounded(gzip, most);
            using var tar = new TarReader(bounded);
            while (wanted.Count > 0 && tar.GetNextEntry() is { } entry)
                if (entry.EntryType is TarEntryType.RegularFile or TarEntryType.V7RegularFile && wanted.Remove(entry.Name, out var file))
                    Write(name, entry, file, Path.Combine(root, file.Path));
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException or ArgumentException or OverflowException or NotSupportedException)
        {
            throw Bad(name, $"the archive of {packed.Length} bytes is damaged; {e.Message} Fetch it again.", e);
        }
        if (wanted.Count > 0)
            throw Bad(name, $"the archive lacks {string.Join(", ", wanted.Keys)}. Fetch it again.");
    }

    private static void Write(string name, TarEntry entry, DataFile file, string target)
    {
        if (entry.Length != file.Bytes || entry.DataStream is not { } data)
            throw Bad(name, $"{entry.Name} has {entry.Length} bytes in the archive; {file.Bytes} are wanted. Fetch it again.");
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        string temporary = $"{target}.{Environment.ProcessId}.tmp";
        try
        {
            using (var to = File.Create(temporary))
                data.CopyTo(to);
            if (Fetcher.Mismatch(file, temporary) is { } why)
                throw Bad(name, $"{entry.Name}: {why} Fetch the archive again.");
            File.Move(temporary, target, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static DataFormatException Bad(string name, string what, Exception? inner = null) => new($"data get: {name}: {what}", inner);

    /// <summary>Reads no more than so many bytes.</summary>
    private sealed class Bounded(Stream inner, long left) : Stream
    {
        private long _left = left;

        private static UsageException Forwards() => new("data get: an archive is read forwards only.");

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw Forwards();

        public override long Position { get => throw Forwards(); set => throw Forwards(); }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            int n = inner.Read(buffer);
            if ((_left -= n) < 0)
                throw new InvalidDataException("it unpacks to more than the files it should hold.");
            return n;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw Forwards();

        public override void SetLength(long value) => throw Forwards();

        public override void Write(byte[] buffer, int offset, int count) => throw Forwards();
    }
}
