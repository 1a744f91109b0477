using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Native.Tests;

public class PngTests
{
    // Made with Python's zlib: RGB, 3 wide, 5 high, row y with filter y.
    private const string Filters = "iVBORw0KGgoAAAANSUhEUgAAAAMAAAAFCAIAAAAPE8H1AAAAPUlEQVR42gEyAM3/AKwvdcBD+8NnCQHTFfJRQlS0AUYCZ6z0AwBogPkZA/zt1elC+KCBOQTlAmfCvrQIHS4wRxZcuIKdkwAAAABJRU5ErkJggg==";

    private static readonly byte[] FiltersPixels =
    [
        172, 192, 195, 211, 36, 216, 58, 39, 88, 25, 9, 208, 254, 192, 216, 47, 67, 103, 21, 87, 88, 193, 87, 81, 77, 148, 243, 79, 82, 177,
        117, 251, 9, 242, 70, 140, 230, 174, 165, 72, 115, 197, 175, 99, 243,
    ];

    private static HostArray Read(byte[] bytes) => Png.Read(new MemoryStream(bytes), "fuzz.bin");

    private static byte[] Chunk(string type, params byte[] data)
    {
        byte[] body = [.. Encoding.Latin1.GetBytes(type), .. data];
        var crc = new Crc32();
        crc.Add(body);
        var (length, sum) = (new byte[4], new byte[4]);
        BinaryPrimitives.WriteInt32BigEndian(length, data.Length);
        BinaryPrimitives.WriteUInt32BigEndian(sum, crc.Value);
        return [.. length, .. body, .. sum];
    }

    private static byte[] Header(int width, int height, int depth, int colour, int interlace = 0)
    {
        var data = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(data, width);
        BinaryPrimitives.WriteInt32BigEndian(data.AsSpan(4), height);
        (data[8], data[9], data[12]) = ((byte)depth, (byte)colour, (byte)interlace);
        return Chunk("IHDR", data);
    }

    private static byte[] Pixels(params byte[] raw)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal))
            zlib.Write(raw);
        return Chunk("IDAT", packed.ToArray());
    }

    private static byte[] File(params byte[][] chunks) => [0x89, .. "PNG\r\n\x1a\n"u8, .. chunks.SelectMany(c => c), .. Chunk("IEND")];

    private static HostArray Image(long c, long h, long w, params byte[] pixels) => HostArray.From<byte>([c, h, w], pixels);

    [Fact]
    public void ReadsAllFilters() => Assert.Equal(Image(3, 5, 3, FiltersPixels), Read(Convert.FromBase64String(Filters)));

    [Fact]
    public void ReadsEveryColourType()
    {
        Assert.Equal(Image(1, 1, 10, 255, 0, 0, 0, 0, 0, 0, 255, 0, 255), Read(File(Header(10, 1, 1, 0), Pixels(0, 0x81, 0x40))));
        Assert.Equal(Image(1, 2, 3, 0, 85, 170, 255, 0, 0), Read(File(Header(3, 2, 2, 0), Pixels(0, 0x18, 0, 0xC0))));
        Assert.Equal(Image(1, 1, 3, 17, 255, 34), Read(File(Header(3, 1, 4, 0), Pixels(0, 0x1F, 0x20))));
        Assert.Equal(Image(3, 1, 2, 7, 1, 8, 2, 9, 3), Read(File(Header(2, 1, 4, 3), Chunk("PLTE", 1, 2, 3, 7, 8, 9), Pixels(0, 0x10))));
        Assert.Equal(Image(1, 1, 2, 5, 6), Read(File(Header(2, 1, 8, 4), Pixels(0, 5, 255, 6, 255))));
        Assert.Equal(Image(3, 1, 1, 1, 2, 3), Read(File(Header(1, 1, 8, 6), Chunk("tEXt", 65, 0, 66), Pixels(0, 1, 2, 3, 255))));
        byte[] whole = Pixels(0, 1, 2, 3), data = whole[8..^4];
        Assert.Equal(Image(1, 1, 3, 1, 2, 3), Read(File(Header(3, 1, 8, 0), Chunk("IDAT", data[..5]), Chunk("IDAT", data[5..]))));
    }

    [Fact]
    public void RoundTrips()
    {
        using var folder = new TemporaryFolder();
        var rng = new Generator(5);
        foreach (var shape in new Shape[] { [1, 1, 1], [1, 28, 28], [3, 7, 13], [3, 100, 1] })
        {
            var image = HostArray.From<byte>(shape, Enumerable.Range(0, (int)shape.Count).Select(_ => (byte)rng.NextUInt32()).ToArray());
            Png.Write(folder.File("a.png"), image);
            Assert.Equal(image, Png.Read(folder.File("a.png")));
        }
        Png.Write(folder.File("a.png"), HostArray.From<byte>([2, 2], [1, 2, 3, 4]));
        Assert.Equal(Image(1, 2, 2, 1, 2, 3, 4), Png.Read(folder.File("a.png")));
        Assert.Throws<ShapeException>(() => Png.Write(folder.File("b.png"), HostArray.From<byte>([2, 2, 2], new byte[8])));
        Assert.Throws<ShapeException>(() => Png.Write(folder.File("b.png"), HostArray.From<float>([2, 2], new float[4])));
    }

    public static TheoryData<string, byte[]> Malformed => new()
    {
        { "does not start with the PNG signature", [1, 2, 3] },
        { "the chunk 'IDAT' stands where it must not", File(Pixels(0, 0)) },
        { "the chunk 'IHDR' stands where it must not", File(Header(1, 1, 8, 0), Header(1, 1, 8, 0), Pixels(0, 0)) },
        { "the IHDR chunk has 2 bytes; it takes 13.", File(Chunk("IHDR", 1, 2)) },
        { "the picture claims 0 x 1 pixels", File(Header(0, 1, 8, 0), Pixels(0, 0)) },
        { "the picture claims 1 x 4294967295 pixels", File(Header(1, -1, 8, 0), Pixels(0, 0)) },
        { "the picture has 16 bits per sample", File(Header(1, 1, 16, 0), Pixels(0, 0, 0)) },
        { "colour type 2 with 4 bits", File(Header(1, 1, 4, 2), Pixels(0, 0)) },
        { "colour type 5 with 8 bits", File(Header(1, 1, 8, 5), Pixels(0, 0)) },
        { "the picture is interlaced (method 1)", File(Header(1, 1, 8, 0, 1), Pixels(0, 0)) },
        { "the picture uses a palette and has none", File(Header(1, 1, 8, 3), Pixels(0, 0)) },
        { "a PLTE chunk of 4 bytes", File(Header(1, 1, 8, 3), Chunk("PLTE", 1, 2, 3, 4), Pixels(0, 0)) },
        { "the pixel at row 0, column 1 has colour 1 of a palette of 1", File(Header(2, 1, 8, 3), Chunk("PLTE", 1, 2, 3), Pixels(0, 0, 1)) },
        { "the picture has transparent colours (tRNS)", File(Header(1, 1, 8, 3), Chunk("PLTE", 1, 2, 3), Chunk("tRNS", 0), Pixels(0, 0)) },
        { "the pixel at row 1, column 0 has alpha 254", File(Header(1, 2, 8, 4), Pixels(0, 9, 255, 0, 9, 254)) },
        { "row 0 has filter 5", File(Header(1, 1, 8, 0), Pixels(5, 0)) },
        { "the pixels ends early; 1 bytes are claimed and 0 are there", File(Header(1, 2, 8, 0), Pixels(0, 1)) },
        { "there are more packed pixels than the 2 bytes of 1 x 1", File(Header(1, 1, 8, 0), Pixels(0, 1, 2)) },
        { "2147483647 x 2147483647 pixels take 13835058044544745474 bytes and the file has", File(Header(int.MaxValue, int.MaxValue, 8, 2), Pixels(0)) },
        { "the chunk 'ABCD' is unknown and critical", File(Header(1, 1, 8, 0), Chunk("ABCD"), Pixels(0, 0)) },
        { "a chunk has the type 21212121", File(Header(1, 1, 8, 0), Chunk("!!!!")) },
        { "an IDAT chunk comes after 'tEXt'", File(Header(1, 1, 8, 0), Pixels(0, 0), Chunk("tEXt"), Pixels(0, 0)) },
        { "12 bytes follow the end of the picture", [.. File(Header(1, 1, 8, 0), Pixels(0, 0)), .. Chunk("IEND")] },
        { "the file ends without IEND", File(Header(1, 1, 8, 0), Pixels(0, 0))[..^12] },
        { "claims 4294967299 bytes and the file has", [.. File(Header(1, 1, 8, 0))[..^12], 255, 255, 255, 255, .. "IDAT"u8, 0, 0, 0, 0] },
        { "the pixels cannot be read or unpacked at byte 0 of 2;", File(Header(1, 1, 8, 0), Chunk("IDAT", 1, 2, 3, 4, 5, 6, 7, 8, 9)) },
        { "the pixels cannot be read or unpacked at byte 0 of 2;", File(Header(1, 1, 8, 0), Chunk("IDAT", 0x78, 0x20, 1, 2, 3, 4, 5, 6)) },  // wants a dictionary
        { "the chunk 'IHDR' has the CRC-32", [.. File()[..8], .. Header(1, 1, 8, 0)[..^1], 77, .. Pixels(0, 0)] },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public void RefusesMalformedFiles(string message, byte[] file)
    {
        var e = Assert.Throws<DataFormatException>(() => Read(file));
        Assert.StartsWith("png: fuzz.bin: ", e.Message);
        Assert.Contains(message, e.Message);
    }

    [Fact]
    public void DamagedFilesOnlyRaiseFormatException()
    {
        byte[] grey = File(Header(10, 1, 1, 0), Pixels(0, 0x81, 0x40)), palette = File(Header(2, 1, 4, 3), Chunk("PLTE", 1, 2, 3, 7, 8, 9), Pixels(0, 0x10));
        Assert.InRange(FormatFuzz.Run(s => Png.Read(s, "fuzz.bin"), 2000, grey, palette, Convert.FromBase64String(Filters)), 3000, 6000);

        // Past the checksums, so that the damage reaches the code behind them: random headers, random rows, broken streams.
        var rng = new Generator(8);
        for (int i = 0; i < 3000; i++)
        {
            byte[] Random(int most) => Enumerable.Range(0, (int)rng.NextInt64(most)).Select(_ => (byte)rng.NextInt64(rng.NextInt64(2) == 0 ? 6 : 256)).ToArray();
            byte depth = (byte)(1 << (int)rng.NextInt64(4)), colour = (byte)rng.NextInt64(7);
            var pixels = Pixels(Random(60))[8..^4];
            if (pixels.Length > 0 && rng.NextInt64(2) == 0)
                pixels[rng.NextInt64(pixels.Length)] ^= (byte)(1 << (int)rng.NextInt64(8));
            var file = File(Header((int)rng.NextInt64(6), (int)rng.NextInt64(4), depth, colour), Chunk("PLTE", Random(40)), Chunk("IDAT", pixels));
            try
            {
                Assert.Equal(DType.U8, Read(file).DType);
            }
            catch (DataFormatException)
            {
            }
        }
    }

    [Fact]
    public void GridPlacesEveryImage()
    {
        var images = HostArray.From<byte>([3, 1, 1, 2], [1, 2, 3, 4, 5, 6]);
        var grid = ImageGrid.Tile(images, columns: 2, gap: 1, background: 9);
        Assert.Equal(Image(1, 5, 7,
            9, 9, 9, 9, 9, 9, 9,
            9, 1, 2, 9, 3, 4, 9,
            9, 9, 9, 9, 9, 9, 9,
            9, 5, 6, 9, 9, 9, 9,
            9, 9, 9, 9, 9, 9, 9), grid);
        Assert.Equal(Image(1, 2, 4, 1, 1, 2, 2, 1, 1, 2, 2), ImageGrid.Tile(HostArray.From<byte>([1, 1, 1, 2], [1, 2]), gap: 0, zoom: 2));
        Assert.Equal([3, 6, 6], ImageGrid.Tile(HostArray.From<byte>([4, 3, 3, 3], new byte[108]), gap: 0).Shape.ToArray());
        Assert.Throws<ShapeException>(() => ImageGrid.Tile(HostArray.From<byte>([2, 2], new byte[4])));
        Assert.Throws<UsageException>(() => ImageGrid.Tile(images, zoom: 0));
    }
}
