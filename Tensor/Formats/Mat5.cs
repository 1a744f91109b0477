using System.Buffers.Binary;
using System.IO.Compression;
using System.Numerics;
using System.Text;

namespace Native;

/// <summary>
/// MATLAB's level 5 MAT-files (MathWorks, "MAT-File Format"), read only: a header of 128 bytes, then data elements, plain or packed with zlib.
/// Reads full real numeric arrays. MATLAB stores columns first, so an array comes with its dims in reverse: X of 32 x 32 x 3 x N becomes
/// <c>[N,3,32,32]</c> with the last two dims column and row.
/// </summary>
public static class Mat5
{
    private const string Format = "mat";
    private const int Matrix = 14, Compressed = 15, MaxRank = 8;

    /// <summary>Reads all arrays by name, in file order; <see cref="DataFormatException"/> if malformed, <see cref="UsageException"/> for no such file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxBytes">Most bytes that the arrays may take together; 2 GiB by default.</param>
    public static OrderedDictionary<string, HostArray> Read(string path, long maxBytes = 1L << 31) =>
        FormatFile.Read(Format, path, (source, _) => Read(source, maxBytes));

    /// <summary>Reads from the start of a seekable stream; <paramref name="name"/> is what errors call it.</summary>
    public static OrderedDictionary<string, HostArray> Read(Stream stream, string name, long maxBytes = 1L << 31) =>
        Read(new ByteSource(stream, stream.Length, Format, name), maxBytes);

    private readonly record struct Tag(int Type, long Bytes, byte[]? Small);

    private static OrderedDictionary<string, HostArray> Read(ByteSource source, long maxBytes)
    {
        byte[] header = source.Take(128, "the header");
        // 'IM' as the file has it: a little-endian writer; 'MI': big-endian, which no machine has written for decades.
        if (header[126] != 'I' || header[127] != 'M' || header[124] != 0 || header[125] != 1)
            throw source.Bad($"the header ends in {System.Convert.ToHexString(header, 124, 4)}; 0001494D (level 5, little-endian) is wanted. "
                + "Save it with -v6 or -v7.");
        var arrays = new OrderedDictionary<string, HostArray>(StringComparer.Ordinal);
        long left = maxBytes;
        while (source.Remaining > 0)
        {
            var tag = ReadTag(source);
            if (tag.Small is not null || tag.Type is not (Matrix or Compressed))
                throw source.Bad($"an element has the type {tag.Type}; an array (14) or a packed one (15) is wanted. Fetch the file again.");
            source.Require(tag.Bytes, "an array");
            var (name, array) = tag.Type == Matrix ? ReadMatrix(source, tag.Bytes, left) : Unpack(source, tag.Bytes, left);
            left -= array.Data.Length;
            if (!arrays.TryAdd(name, array))
                throw source.Bad($"the array '{name}' appears twice. Save the file again.");
        }
        return arrays;
    }

    private static (string Name, HostArray Array) Unpack(ByteSource source, long bytes, long left)
    {
        byte[] packed = source.Take(bytes, "a packed array");
        using var zlib = new ZLibStream(new MemoryStream(packed), CompressionMode.Decompress);
        // Claims inside are held against the most that so many bytes can unpack to.
        var body = new ByteSource(zlib, bytes * Npz.MaxRatio, Format, source.Name);
        var tag = ReadTag(body);
        if (tag.Small is not null || tag.Type != Matrix)
            throw source.Bad($"a packed element has the type {tag.Type}; an array (14) is wanted. Fetch the file again.");
        body.Require(tag.Bytes, "an array");
        var result = ReadMatrix(body, tag.Bytes, left);
        try
        {
            // Past the last byte zlib compares its checksum.
            if (zlib.ReadByte() >= 0)
                throw source.Bad($"bytes follow the packed array '{result.Name}'. The file is damaged or hostile.");
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw source.Bad($"the packed array '{result.Name}' has a wrong checksum; {e.Message} Fetch the file again.", e);
        }
        return result;
    }

    private static (string Name, HostArray Array) ReadMatrix(ByteSource source, long bytes, long left)
    {
        long end = source.Remaining - bytes;
        byte[] flags = Element(source, [6], 8, "array flags");
        if (flags.Length != 8)
            throw source.Bad($"array flags have {flags.Length} bytes; 8 are wanted. Fetch the file again.");
        int kind = flags[0];
        byte[] dimBytes = Element(source, [5], 4 * MaxRank, "dims");
        if (dimBytes.Length % 4 != 0 || dimBytes.Length < 8)
            throw source.Bad($"dims have {dimBytes.Length} bytes; 4 for each of 2 to {MaxRank} are wanted. Fetch the file again.");
        string name = Encoding.ASCII.GetString(Element(source, [1, 2], 63, "a name"));
        var dims = new List<long>();
        for (int at = dimBytes.Length - 4; at >= 0; at -= 4)
            dims.Add(BinaryPrimitives.ReadInt32LittleEndian(dimBytes.AsSpan(at)));
        var shape = source.ShapeOf(dims, $"the array '{name}'");
        if (kind is < 6 or > 15 || (flags[1] & 8) != 0)
            throw source.Bad($"the array '{name}' is {((flags[1] & 8) != 0 ? "complex" : $"of class {kind}")}; full real numbers (classes 6 to 15) can be read. "
                + "Save the numbers alone.");
        DType dtype = kind switch { 6 => DType.F64, 7 => DType.F32, 9 => DType.U8, 14 or 13 or 15 => DType.I64, _ => DType.I32 };
        long size = shape.Count * dtype.Size();
        if (size > left || size > Array.MaxLength)
            throw source.Bad($"the array '{name}' takes {size} bytes and the limit is {Math.Min(left, Array.MaxLength)}. Raise the limit or split the file.");
        var tag = ReadTag(source);
        int width = Width(source, tag.Type);
        if (tag.Bytes != shape.Count * width)
            throw source.Bad($"the array '{name}' of {shape.Count} elements has {tag.Bytes} bytes of {width} each. Fetch the file again.");
        byte[] raw = Body(source, tag, $"the array '{name}'");
        if (source.Remaining != end)
            throw source.Bad($"the array '{name}' claims {bytes} bytes and takes {bytes - (source.Remaining - end)}. Fetch the file again.");
        return (name, new HostArray(dtype, shape, dtype == DType.U8 && tag.Type == 2 ? raw : Widen(source, name, raw, tag.Type, dtype)));
    }

    private static byte[] Element(ByteSource source, ReadOnlySpan<int> types, int most, string what)
    {
        var tag = ReadTag(source);
        if (!types.Contains(tag.Type) || tag.Bytes > most)
            throw source.Bad($"{what} has the type {tag.Type} and {tag.Bytes} bytes; type {types[0]} and at most {most} are wanted. Fetch the file again.");
        return Body(source, tag, what);
    }

    private static byte[] Body(ByteSource source, Tag tag, string what)
    {
        if (tag.Small is { } small)
            return small;
        byte[] bytes = source.Take(tag.Bytes, what);
        source.Take((8 - tag.Bytes % 8) % 8, "padding");
        return bytes;
    }

    private static Tag ReadTag(ByteSource source)
    {
        byte[] tag = source.Take(8, "a tag");
        uint first = BinaryPrimitives.ReadUInt32LittleEndian(tag);
        int small = (int)(first >> 16);
        if (small == 0)
            return new Tag((int)first, BinaryPrimitives.ReadUInt32LittleEndian(tag.AsSpan(4)), null);
        if (small > 4)
            throw source.Bad($"a small element claims {small} bytes; it holds at most 4. Fetch the file again.");
        return new Tag((int)(first & 0xFFFF), small, tag[4..(4 + small)]);
    }

    private static int Width(ByteSource source, int type) => type switch
    {
        1 or 2 => 1,
        3 or 4 => 2,
        5 or 6 or 7 => 4,
        9 or 12 or 13 => 8,
        _ => throw source.Bad($"numbers are stored as type {type}; integers and floats (1 to 7, 9, 12, 13) can be read. Fetch the file again."),
    };

    /// <summary>MATLAB stores numbers in the smallest type that holds them; this makes them what the array's class says.</summary>
    private static byte[] Widen(ByteSource source, string name, byte[] raw, int type, DType dtype)
    {
        int width = Width(source, type), n = raw.Length / width;
        var to = new byte[n * dtype.Size()];
        for (int i = 0; i < n; i++)
        {
            var at = raw.AsSpan(i * width);
            if (type is 7 or 9)
            {
                double v = type == 7 ? BinaryPrimitives.ReadSingleLittleEndian(at) : BinaryPrimitives.ReadDoubleLittleEndian(at);
                if (dtype == DType.F64)
                    BinaryPrimitives.WriteDoubleLittleEndian(to.AsSpan(8 * i), v);
                else if (dtype == DType.F32)
                    BinaryPrimitives.WriteSingleLittleEndian(to.AsSpan(4 * i), (float)v);
                else
                    throw source.Bad($"the array '{name}' of {dtype.Name()} stores its numbers as floats. Fetch the file again.");
                continue;
            }
            Int128 value = type switch
            {
                1 => (sbyte)at[0],
                2 => at[0],
                3 => BinaryPrimitives.ReadInt16LittleEndian(at),
                4 => BinaryPrimitives.ReadUInt16LittleEndian(at),
                5 => BinaryPrimitives.ReadInt32LittleEndian(at),
                6 => BinaryPrimitives.ReadUInt32LittleEndian(at),
                12 => BinaryPrimitives.ReadInt64LittleEndian(at),
                _ => BinaryPrimitives.ReadUInt64LittleEndian(at),
            };
            bool fits = dtype switch
            {
                DType.F64 => Put(to.AsSpan(8 * i), (double)value),
                DType.F32 => Put(to.AsSpan(4 * i), (float)value),
                DType.I64 => Fits(value, long.MinValue, long.MaxValue) && Put(to.AsSpan(8 * i), (long)value),
                DType.I32 => Fits(value, int.MinValue, int.MaxValue) && Put(to.AsSpan(4 * i), (int)value),
                _ => Fits(value, 0, 255) && Put(to.AsSpan(i), (byte)value),
            };
            if (!fits)
                throw source.Bad($"element {i} of the array '{name}' is {value}, which {dtype.Name()} cannot hold. Fetch the file again.");
        }
        return to;
    }

    private static bool Fits(Int128 value, Int128 low, Int128 high) => value >= low && value <= high;

    private static bool Put<T>(Span<byte> to, T value) where T : unmanaged, INumber<T>
    {
        System.Runtime.InteropServices.MemoryMarshal.Write(to, in value);
        return true;
    }
}
