using System.Buffers.Binary;
using System.IO.Compression;

namespace Native.Methods;

/// <summary>
/// The idx format of the MNIST files (yann.lecun.com/exdb/mnist): two zero bytes, a type (only 08, unsigned byte, is read), the number
/// of dims, each dim as a big-endian u32, the bytes. A name that ends in .gz is unpacked.
/// </summary>
public static class Idx
{
    private const int MaxRatio = 1032;      // deflate's largest expansion

    /// <summary>Reads a file of <paramref name="rank"/> dims. <see cref="DataFormatException"/> for anything malformed.</summary>
    /// <param name="path">The file.</param>
    /// <param name="rank">3 for images [N,H,W], 1 for labels [N].</param>
    public static HostArray Read(string path, int rank) => Parse(CheckedFile.ReadAll("idx", path), path, rank);

    internal static HostArray Parse(byte[] file, string name, int rank)
    {
        bool gzip = file.Length >= 2 && file[0] == 0x1f && file[1] == 0x8b;
        bool named = name.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);
        if (file.Length == 0)
            throw Bad(name, "the file is empty. Fetch it again.");
        if (named && !gzip)
            throw Bad(name, $"the name says gzip and the file of {file.Length} bytes starts with "
                + $"{Convert.ToHexString(file, 0, Math.Min(2, file.Length))}, "
                + "not 1F8B. Fetch it again, or drop .gz from the name if it is unpacked.");
        if (gzip && !named)
            throw Bad(name, "the file is packed with gzip and its name does not end in .gz. Unpack it or add .gz to the name.");
        using Stream body = gzip ? new GZipStream(new MemoryStream(file), CompressionMode.Decompress) : new MemoryStream(file);
        try
        {
            return Parse(body, gzip ? (long)file.Length * MaxRatio : file.Length, name, rank);
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw Bad(name, $"the gzip data of {file.Length} bytes are damaged; {e.Message} Fetch the file again.", e);
        }
    }

    /// <summary>Reads the unpacked bytes.</summary>
    /// <param name="body">Where they come from.</param>
    /// <param name="most">No claim above this can be true: what is in the file, or what could unpack from it.</param>
    /// <param name="name">The file, for errors.</param>
    /// <param name="rank">The number of dims wanted.</param>
    private static HostArray Parse(Stream body, long most, string name, int rank)
    {
        Span<byte> head = stackalloc byte[4];
        Fill(body, head, name, "the magic");
        uint magic = BinaryPrimitives.ReadUInt32BigEndian(head);
        if (magic != 0x800u + (uint)rank)
            throw Bad(name, $"the magic is {magic:x8}{Kind(magic)}; {0x800 + rank:x8}{Kind(0x800u + (uint)rank)} is wanted. Check "
                + "that the files are not swapped.");
        var dims = new long[rank];
        for (int d = 0; d < rank; d++)
        {
            Fill(body, head, name, $"dim {d}");
            dims[d] = BinaryPrimitives.ReadUInt32BigEndian(head);
        }
        // A product of up to 2^96 is compared, not computed in 64 bits.
        Int128 count = 1;
        foreach (long d in dims)
            count *= d;
        long header = 4 + 4 * rank;
        if (count > most - header || count > Array.MaxLength)
            throw Bad(name, $"dims [{string.Join(',', dims)}] claim {count} bytes and the file can hold "
                + $"{Math.Max(0, Math.Min(most - header, Array.MaxLength))}. Fetch the file again.");
        var data = new byte[(long)count];
        Fill(body, data, name, $"data of dims [{string.Join(',', dims)}]");
        if (body.ReadByte() >= 0)
            throw Bad(name, $"bytes follow the {count} of dims [{string.Join(',', dims)}]. Fetch the file again.");
        return new HostArray(DType.U8, dims, data);
    }

    private static void Fill(Stream body, Span<byte> bytes, string name, string what)
    {
        int n = body.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (n != bytes.Length)
            throw Bad(name, $"the file is cut short: {what} takes {bytes.Length} bytes and {n} are there. Fetch the file again.");
    }

    private static string Kind(uint magic) => magic switch { 0x801 => " (labels)", 0x803 => " (images)", _ => "" };

    internal static DataFormatException Bad(string name, string what, Exception? inner = null) => new($"idx: {name}: {what}", inner);
}
