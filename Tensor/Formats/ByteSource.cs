namespace Native;

/// <summary>
/// Reads a file front to back and never past its claimed length. Whatever a header asks for is compared with the bytes that are left
/// before anything is allocated, and every failure is a <see cref="DataFormatException"/> that names the format and the file.
/// </summary>
internal sealed class ByteSource(Stream stream, long length, string format, string name, bool checksum = false)
{
    private Crc32 _crc = new();

    internal long Length { get; } = length;

    internal long Remaining { get; private set; } = length;

    internal string Name => name;

    /// <summary>CRC-32 of all bytes read so far, when asked for: it costs more than the reading.</summary>
    internal uint Crc => _crc.Value;

    /// <summary>The one sentence of a malformed file; <paramref name="what"/> carries the numbers and what to do.</summary>
    internal DataFormatException Bad(string what, Exception? inner = null) => new($"{format}: {name}: {what}", inner);

    /// <summary>Fills <paramref name="bytes"/>; <paramref name="what"/> says what they are.</summary>
    internal void Read(Span<byte> bytes, string what)
    {
        Require(bytes.Length, what);
        int n;
        try
        {
            n = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            // Unpacking fails as InvalidDataException, or as zlib's own kind of IOException.
            throw Bad($"{what} cannot be read or unpacked at byte {Length - Remaining} of {Length}; {e.Message} Fetch the file again.", e);
        }
        if (n != bytes.Length)
            throw Bad($"{what} ends early; {bytes.Length} bytes are claimed and {n} are there. Fetch the file again.");
        Remaining -= n;
        if (checksum)
            _crc.Add(bytes);
    }

    /// <summary>The next <paramref name="count"/> bytes in a new array.</summary>
    internal byte[] Take(long count, string what)
    {
        Require(count, what);
        if (count > Array.MaxLength)
            throw Bad($"{what} takes {count} bytes; one array holds {Array.MaxLength}. Split it.");
        var bytes = new byte[count];
        Read(bytes, what);
        return bytes;
    }

    /// <summary>Refuses a claim of more bytes than the file has left.</summary>
    internal void Require(long count, string what)
    {
        if (count < 0 || count > Remaining)
            throw Bad($"{what} claims {count} bytes and the file has {Remaining} left of {Length}. Fetch the file again.");
    }

    /// <summary>A shape from dims that a header claims; the shape's own refusal becomes one about the file.</summary>
    internal Shape ShapeOf(List<long> dims, string what)
    {
        try
        {
            return Shape.Create(dims.ToArray());
        }
        catch (ShapeException e)
        {
            throw Bad($"{what} has an impossible shape: {e.Message}", e);
        }
    }

    /// <summary>Truth values other than 0 and 1 would break every kernel that counts on them.</summary>
    internal void CheckBools(ReadOnlySpan<byte> bytes, string what)
    {
        int at = bytes.IndexOfAnyExceptInRange((byte)0, (byte)1);
        if (at >= 0)
            throw Bad($"{what} has the truth value {bytes[at]} at element {at}; only 0 and 1 are truth values. Store it as u8.");
    }
}

/// <summary>Opening and replacing files; what the system refuses becomes a <see cref="UsageException"/>.</summary>
internal static class FormatFile
{
    /// <summary>Runs <paramref name="read"/> over the file.</summary>
    internal static T Read<T>(string format, string path, Func<ByteSource, Stream, T> read)
    {
        FileStream stream;
        try
        {
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new UsageException($"{format}: {path} cannot be read; {e.Message} Check the path and its permissions.");
        }
        using (stream)
            return read(new ByteSource(stream, stream.Length, format, path), stream);
    }

    /// <summary>
    /// Writes beside <paramref name="path"/>, flushes to the disk, then renames over it: a reader, or a crash, sees the old file or the
    /// new one and never half of one.
    /// </summary>
    internal static void Write(string format, string path, Action<Stream> write)
    {
        string temporary = path + "." + Path.GetRandomFileName() + ".tmp";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"{format}: {path} cannot be written; {e.Message} Check the folder, its permissions and its space.");
        }
        finally
        {
            // After the rename there is nothing to delete; after any failure there is, and no reader may find it.
            if (File.Exists(temporary))
                File.Delete(temporary);
        }
    }
}

/// <summary>The CRC-32 of zip, gzip and PNG (ISO 3309; reflected polynomial EDB88320).</summary>
internal struct Crc32
{
    private static readonly uint[] Table = MakeTable();
    private uint _state = uint.MaxValue;

    public Crc32()
    {
    }

    internal readonly uint Value => ~_state;

    internal void Add(ReadOnlySpan<byte> bytes)
    {
        uint c = _state;
        foreach (byte b in bytes)
            c = Table[(byte)c ^ b] ^ (c >> 8);
        _state = c;
    }

    private static uint[] MakeTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < 256; i++)
        {
            uint c = i;
            for (int bit = 0; bit < 8; bit++)
                c = (c & 1) != 0 ? 0xEDB88320 ^ (c >> 1) : c >> 1;
            table[i] = c;
        }
        return table;
    }
}
