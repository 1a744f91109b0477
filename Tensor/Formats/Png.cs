using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Native;

/// <summary>
/// PNG (ISO/IEC 15948): 8-bit pictures as u8 arrays <c>[C,H,W]</c>. Writes grey (C = 1) and RGB (C = 3). Reads grey of 1, 2, 4 and 8
/// bits (scaled to 0..255), RGB, palettes (as RGB), and pictures with alpha if every pixel is opaque: dropping real transparency would
/// invent colours nobody sees, so such a picture is refused, as are 16-bit and interlaced ones.
/// </summary>
public static class Png
{
    private const string Format = "png";
    private const int Grey = 0, Rgb = 2, Palette = 3, GreyAlpha = 4, RgbAlpha = 6;

    private static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10];

    private sealed record Header(int Width, int Height, int Depth, int Colour)
    {
        internal int Samples => Colour switch { Rgb => 3, GreyAlpha => 2, RgbAlpha => 4, _ => 1 };

        internal int Channels => Colour is Grey or GreyAlpha ? 1 : 3;

        /// <summary>Bytes of a row without its filter byte.</summary>
        internal long Stride => ((long)Width * Samples * Depth + 7) / 8;
    }

    /// <summary>Reads a picture; <see cref="DataFormatException"/> if malformed, <see cref="UsageException"/> for no such file.</summary>
    public static HostArray Read(string path) => FormatFile.Read(Format, path, (source, _) => Read(source));

    /// <summary>Reads from the start of a seekable stream; <paramref name="name"/> is what errors call it.</summary>
    public static HostArray Read(Stream stream, string name) => Read(new ByteSource(stream, stream.Length, Format, name));

    /// <summary>Writes u8 <c>[H,W]</c>, <c>[1,H,W]</c> or <c>[3,H,W]</c>, atomically.</summary>
    public static void Write(string path, HostArray image) => FormatFile.Write(Format, path, stream => Write(stream, image));

    /// <summary>Writes to a stream.</summary>
    public static void Write(Stream stream, HostArray image)
    {
        var s = image.Shape;
        long channels = s.Rank == 3 ? s[0] : 1;
        if (image.DType != DType.U8 || s.Rank is not (2 or 3) || channels is not (1 or 3) || image.Data.Length == 0)
            throw new ShapeException($"{Format}: a picture is u8 [H,W], [1,H,W] or [3,H,W], and not empty; got {image.DType.Name()} "
                + $"{s}. Convert it first.");
        int height = (int)s[-2], width = (int)s[-1], plane = height * width;
        stream.Write(Signature);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        header[8] = 8;
        header[9] = (byte)(channels == 1 ? Grey : Rgb);
        WriteChunk(stream, "IHDR", header);
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            var row = new byte[1 + width * channels];   // filter 0 (none), then the samples pixel by pixel
            for (int y = 0; y < height; y++)
            {
                for (int x = 0, to = 1; x < width; x++)
                    for (int c = 0; c < channels; c++)
                        row[to++] = image.Data[c * plane + y * width + x];
                zlib.Write(row);
            }
        }
        WriteChunk(stream, "IDAT", packed.ToArray());
        WriteChunk(stream, "IEND", []);
    }

    private static void WriteChunk(Stream stream, string type, byte[] data)
    {
        var word = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(word, data.Length);
        stream.Write(word);
        var name = Encoding.ASCII.GetBytes(type);
        var crc = new Crc32();
        crc.Add(name);
        crc.Add(data);
        stream.Write(name);
        stream.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(word, crc.Value);
        stream.Write(word);
    }

    private static HostArray Read(ByteSource source)
    {
        if (source.Length < 8 || !source.Take(8, "the signature").AsSpan().SequenceEqual(Signature))
            throw source.Bad($"the file of {source.Length} bytes does not start with the PNG signature. It is no PNG file.");
        if (source.Length > Array.MaxLength)
            throw source.Bad($"the file has {source.Length} bytes; pictures of up to {Array.MaxLength} can be read. Split the picture.");
        Header? header = null;
        byte[]? palette = null, transparency = null;
        using var packed = new MemoryStream();
        string last = "";
        while (last != "IEND")
        {
            var (type, data) = ReadChunk(source);
            CheckPlace(source, type, last, pixelsBegun: packed.Length > 0);
            switch (type)
            {
                case "IHDR":
                    header = ParseHeader(source, data);
                    break;
                case "PLTE" when data.Length % 3 == 0 && data.Length is > 0 and <= 768 && palette is null && packed.Length == 0:
                    palette = data;
                    break;
                case "PLTE":
                    throw source.Bad($"a PLTE chunk of {data.Length} bytes is too many or misplaced; one palette of 1 to 256 "
                        + "three-byte colours stands before the pixels. Fetch the file again.");
                case "tRNS":
                    transparency = data;
                    break;
                case "IDAT":
                    packed.Write(data);
                    break;
                default:
                    break;
            }
            last = type;
        }
        // A palette may list transparent colours only as fully opaque; a key colour (grey, RGB) is transparency by definition.
        if (transparency is not null && (header!.Colour != Palette || transparency.AsSpan().ContainsAnyExcept((byte)255)))
            throw source.Bad("the picture has transparent colours (tRNS). Flatten it onto a background first.");
        return Unpack(source, header!, palette, packed);
    }

    private static void CheckPlace(ByteSource source, string type, string last, bool pixelsBegun)
    {
        if ((last.Length == 0) != (type == "IHDR"))
            throw source.Bad($"the chunk '{type}' stands where it must not: IHDR comes first, and once. Fetch the file again.");
        if (type == "IDAT" && pixelsBegun && last != "IDAT")
            throw source.Bad($"an IDAT chunk comes after '{last}'; the pixels stand together. Fetch the file again.");
        if (type == "IEND" && source.Remaining > 0)
            throw source.Bad($"{source.Remaining} bytes follow the end of the picture. Save it again.");
        // An upper-case first letter says that the picture cannot be shown without understanding the chunk.
        if (char.IsAsciiLetterUpper(type[0]) && type is not ("IHDR" or "PLTE" or "IDAT" or "IEND"))
            throw source.Bad($"the chunk '{type}' is unknown and critical. Save the picture as plain PNG.");
    }

    private static (string Type, byte[] Data) ReadChunk(ByteSource source)
    {
        if (source.Remaining < 12)
            throw source.Bad($"the file ends without IEND; {source.Remaining} bytes are left and a chunk takes 12. Fetch the file again.");
        var word = source.Take(4, "the length of a chunk");
        uint length = BinaryPrimitives.ReadUInt32BigEndian(word);
        var name = source.Take(4, "the type of a chunk");
        string type = Encoding.Latin1.GetString(name);
        if (!type.All(char.IsAsciiLetter))
            throw source.Bad($"a chunk has the type {System.Convert.ToHexString(name)}; types are four letters. Fetch the file again.");
        source.Require(length + 4L, $"the chunk '{type}'");
        var data = source.Take(length, $"the chunk '{type}'");
        uint expected = BinaryPrimitives.ReadUInt32BigEndian(source.Take(4, "a checksum"));
        var crc = new Crc32();
        crc.Add(name);
        crc.Add(data);
        if (crc.Value != expected)
            throw source.Bad($"the chunk '{type}' has the CRC-32 {crc.Value:x8}; the file declares {expected:x8}. Fetch the file again.");
        return (type, data);
    }

    private static Header ParseHeader(ByteSource source, byte[] data)
    {
        if (data.Length != 13)
            throw source.Bad($"the IHDR chunk has {data.Length} bytes; it takes 13. Fetch the file again.");
        uint width = BinaryPrimitives.ReadUInt32BigEndian(data), height = BinaryPrimitives.ReadUInt32BigEndian(data.AsSpan(4));
        int depth = data[8], colour = data[9];
        if (width is 0 or > int.MaxValue || height is 0 or > int.MaxValue)
            throw source.Bad($"the picture claims {width} x {height} pixels; both must be from 1 to {int.MaxValue}. Fetch the file again.");
        if (depth == 16)
            throw source.Bad("the picture has 16 bits per sample; up to 8 can be read. Convert it to 8 bits first.");
        bool known = colour switch { Grey or Palette => depth is 1 or 2 or 4 or 8, Rgb or GreyAlpha or RgbAlpha => depth == 8, _ => false };
        if (!known || data[10] != 0 || data[11] != 0)
            throw source.Bad($"colour type {colour} with {depth} bits, compression {data[10]} and filter method {data[11]} is not "
                + "defined by PNG. Fetch the file again.");
        if (data[12] != 0)
            throw source.Bad($"the picture is interlaced (method {data[12]}); only plain row order can be read. Save it without "
                + "interlacing.");
        return new Header((int)width, (int)height, depth, colour);
    }

    private static HostArray Unpack(ByteSource source, Header h, byte[]? palette, MemoryStream packed)
    {
        if (h.Colour == Palette && palette is null)
            throw source.Bad("the picture uses a palette and has none (no PLTE). Fetch the file again.");
        // Both products are below 2^66, so they are compared as Int128, before anything of that size is allocated.
        Int128 raw = (Int128)(h.Stride + 1) * h.Height, pixels = (Int128)h.Width * h.Height * h.Channels;
        if (raw > (Int128)packed.Length * Npz.MaxRatio)
            throw source.Bad($"{h.Width} x {h.Height} pixels take {raw} bytes and the file has {packed.Length} packed ones; deflate "
                + $"makes at most {Npz.MaxRatio} of one. The file is damaged or hostile.");
        if (raw > Array.MaxLength || pixels > Array.MaxLength)
            throw source.Bad($"{h.Width} x {h.Height} pixels take {Int128.Max(raw, pixels)} bytes; one array holds {Array.MaxLength}. "
                + "Split the picture.");
        packed.Position = 0;
        using var zlib = new ZLibStream(packed, CompressionMode.Decompress);
        var body = new ByteSource(zlib, (long)raw, Format, source.Name);
        var image = new byte[(int)pixels];
        byte[] above = new byte[h.Stride], row = new byte[h.Stride];
        Span<byte> filter = stackalloc byte[1];
        for (int y = 0; y < h.Height; y++)
        {
            body.Read(filter, "the pixels");
            body.Read(row, "the pixels");
            if (filter[0] > 4)
                throw source.Bad($"row {y} has filter {filter[0]}; filters are 0 to 4. Fetch the file again.");
            Unfilter(filter[0], row, above, Math.Max(1, h.Samples * h.Depth / 8));
            PlaceRow(source, h, row, y, palette, image);
            (row, above) = (above, row);
        }
        try
        {
            if (zlib.ReadByte() >= 0)
                throw source.Bad($"there are more packed pixels than the {raw} bytes of {h.Width} x {h.Height}. The file is damaged "
                    + "or hostile.");
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw source.Bad($"the packed pixels have a wrong checksum; {e.Message} Fetch the file again.", e);
        }
        return new HostArray(DType.U8, [h.Channels, h.Height, h.Width], image);
    }

    /// <summary>Undoes a row's filter: a is the byte one pixel to the left, b the one above, c the one above a.</summary>
    private static void Unfilter(int filter, byte[] row, byte[] above, int pixel)
    {
        for (int i = 0; i < row.Length; i++)
        {
            int a = i >= pixel ? row[i - pixel] : 0, b = above[i], c = i >= pixel ? above[i - pixel] : 0;
            row[i] = (byte)(row[i] + filter switch { 0 => 0, 1 => a, 2 => b, 3 => (a + b) / 2, _ => Paeth(a, b, c) });
        }
    }

    private static int Paeth(int a, int b, int c)
    {
        int pa = Math.Abs(b - c), pb = Math.Abs(a - c), pc = Math.Abs(a + b - 2 * c);
        return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    }

    private static void PlaceRow(ByteSource source, Header h, byte[] row, int y, byte[]? palette, byte[] image)
    {
        int plane = h.Width * h.Height, top = (1 << h.Depth) - 1;
        for (int x = 0; x < h.Width; x++)
        {
            int to = y * h.Width + x;
            if (h.Colour is Grey or Palette)
            {
                int v = row[(int)((long)x * h.Depth / 8)] >> (8 - h.Depth - (int)((long)x * h.Depth % 8)) & top;
                if (h.Colour == Grey)
                    image[to] = (byte)(v * 255 / top);
                else if (3 * v < palette!.Length)
                    for (int c = 0; c < 3; c++)
                        image[c * plane + to] = palette[3 * v + c];
                else
                    throw source.Bad($"the pixel at row {y}, column {x} has colour {v} of a palette of {palette.Length / 3}. Fetch "
                        + "the file again.");
                continue;
            }
            for (int c = 0; c < h.Channels; c++)
                image[c * plane + to] = row[x * h.Samples + c];
            if (h.Samples > h.Channels && row[x * h.Samples + h.Channels] != 255)
                throw source.Bad($"the pixel at row {y}, column {x} has alpha {row[x * h.Samples + h.Channels]}. Flatten the picture "
                    + "onto a background first.");
        }
    }
}
