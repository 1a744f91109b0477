using Native.Methods;

namespace Native.Tests;

/// <summary>MAT-files, and SVHN, which comes in them.</summary>
public sealed class SvhnTests
{
    private const int Count = 12;

    /// <summary>Pixel of an image at (row, column, channel): recognisable by all four.</summary>
    private static byte Pixel(int row, int column, int channel, int image) => (byte)(row * 7 + column * 3 + channel * 50 + image);

    // MATLAB's order: row fastest, then column, channel, image.
    private static byte[] X => [.. Enumerable.Range(0, Count * 3072).Select(i => Pixel(i % 32, i / 32 % 32, i / 1024 % 3, i / 3072))];

    private static readonly byte[] Y = [.. Enumerable.Range(0, Count).Select(i => (byte)(i % 10 + 1))];

    private static byte[] File(bool packed, byte[]? x = null, byte[]? y = null, int[]? dims = null)
    {
        byte[] images = MatKit.Matrix("X", 9, dims ?? [32, 32, 3, Count], 2, x ?? X), labels = MatKit.Matrix("y", 6, [(y ?? Y).Length, 1], 2, y ?? Y);
        return packed ? MatKit.File(MatKit.Packed(images), MatKit.Packed(labels)) : MatKit.File(images, labels);
    }

    private static ImageSet Parse(byte[] file) => Svhn.Parse(new MemoryStream(file), "svhn.mat", "svhn test", "made by the test");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Images_stand_upright_and_ten_means_zero(bool packed)
    {
        var set = Parse(File(packed));
        Assert.Equal((Count, 3, 32, 32), (set.Count, set.Channels, set.Height, set.Width));
        for (int i = 0; i < Count; i++)
            for (int c = 0; c < 3; c++)
                for (int row = 0; row < 32; row++)
                    for (int column = 0; column < 32; column++)
                        Assert.True(Pixel(row, column, c, i) == set.Image(i)[(c * 32 + row) * 32 + column], $"row {row}, column {column}, channel {c} of image {i}");
        Assert.Equal(Enumerable.Range(0, Count).Select(i => (i % 10 + 1) % 10), set.Labels);
    }

    [Fact]
    public void Numbers_stored_small_become_what_the_array_says()
    {
        byte[] file = MatKit.File(
            MatKit.Matrix("d", 6, [2, 2], 2, [1, 2, 3, 4]),
            MatKit.Matrix("long_name", 6, [1, 2], 9, [.. BitConverter.GetBytes(0.5), .. BitConverter.GetBytes(-3.0)]),
            MatKit.Matrix("s", 7, [1, 1], 7, BitConverter.GetBytes(1.5f)),
            MatKit.Matrix("i", 12, [1, 1], 1, [0xFF]),
            MatKit.Matrix("q", 14, [1, 2], 5, [.. BitConverter.GetBytes(-7), .. BitConverter.GetBytes(9)]),
            MatKit.Packed(MatKit.Matrix("u", 9, [3, 1], 4, [200, 0, 7, 0, 255, 0])));
        var arrays = Mat5.Read(new MemoryStream(file), "t.mat");
        Assert.Equal(["d", "long_name", "s", "i", "q", "u"], arrays.Keys);
        // Dims in reverse: column-major elements are row-major of the transposed array.
        Assert.Equal([1.0, 2, 3, 4], arrays["d"].As<double>());
        Assert.Equal([2L, 2], arrays["d"].Shape.ToArray());
        Assert.Equal([0.5, -3], arrays["long_name"].As<double>());
        Assert.Equal([1.5f], arrays["s"].As<float>());
        Assert.Equal([-1], arrays["i"].As<int>());
        Assert.Equal([-7L, 9], arrays["q"].As<long>());
        Assert.Equal([200, 7, 255], arrays["u"].As<byte>());
        Assert.Equal([1L, 3], arrays["u"].Shape.ToArray());
    }

    [Fact]
    public void Each_wrong_file_is_refused_in_its_own_words()
    {
        static string refusal(byte[] file) => Assert.Throws<DataFormatException>(() => Parse(file)).Message;
        byte[] good = File(packed: false), packed = File(packed: true);
        Assert.Contains("the header claims 128 bytes and the file has 40 left", refusal(good[..40]));
        Assert.Contains("0001494D (level 5, little-endian) is wanted", refusal([.. new byte[128], .. good[128..]]));
        Assert.Contains("an array claims", refusal(good[..5000]));
        Assert.Contains("an element has the type 3", refusal(MatKit.File(MatKit.Element(3, new byte[8]))));
        Assert.Contains("it holds y; X and y are wanted", refusal(MatKit.File(MatKit.Matrix("y", 6, [1, 1], 2, [1]))));
        Assert.Contains("there are 12 images and 3 labels", refusal(File(false, y: [1, 2, 3])));
        Assert.Contains("label 1 is 11; labels are 1 to 10", refusal(File(false, y: [1, 11, .. new byte[10]])));
        Assert.Contains("label 1 is 0; labels are 1 to 10", refusal(File(true, y: [1, 0, .. new byte[10]])));
        Assert.Contains("u8 [N,3,32,32] is wanted", refusal(File(false, dims: [32, 96, 1, Count])));
        Assert.Contains("of 36863 elements has 36864 bytes of 1 each", refusal(File(false, dims: [36863, 1])));
        Assert.Contains("impossible shape", refusal(File(false, dims: [-32, 32, 3, Count])));
        Assert.Contains("impossible shape", refusal(File(false, dims: [int.MaxValue, int.MaxValue, int.MaxValue, int.MaxValue])));
        Assert.Contains("is of class 4", refusal(MatKit.File(MatKit.Matrix("c", 4, [1, 1], 4, [65, 0]))));
        Assert.Contains("is complex", refusal(MatKit.File(MatKit.Matrix("c", 6, [1, 1], 2, [1], flags: 8))));
        Assert.Contains("'y' appears twice", refusal(MatKit.File(MatKit.Matrix("y", 6, [1, 1], 2, [1]), MatKit.Matrix("y", 6, [1, 1], 2, [1]))));
        Assert.Contains("u8 cannot hold", refusal(MatKit.File(MatKit.Matrix("u", 9, [1, 1], 4, [0, 1]))));
        byte[] damaged = [.. packed];
        damaged[200] ^= 0x40;
        Assert.ThrowsAny<DataFormatException>(() => Parse(damaged));
        // zlib's own checksum, the last four bytes: noticed when the end is read.
        byte[] adler = [.. packed];
        adler[^1] ^= 1;
        Assert.Contains("unpacked at byte", refusal(adler));
    }

    [Fact]
    public void A_bomb_is_refused_before_it_is_unpacked()
    {
        // 200 MB of zeros in 200 kB: within zlib's ratio, beyond the limit.
        byte[] bomb = MatKit.File(MatKit.Packed(MatKit.Matrix("X", 9, [50_000_000, 1], 2, new byte[50_000_000])));
        Assert.InRange(bomb.Length, 1, 100_000);
        Assert.Contains("takes 50000000 bytes and the limit is 1000000",
            Assert.Throws<DataFormatException>(() => Mat5.Read(new MemoryStream(bomb), "bomb.mat", maxBytes: 1_000_000)).Message);
        // A claim that no packing could keep.
        byte[] liar = MatKit.Packed([.. MatKit.Word(14), .. MatKit.Word(2_000_000_000), .. new byte[100]]);
        Assert.Contains("claims 2000000000 bytes", Assert.Throws<DataFormatException>(() => Mat5.Read(new MemoryStream(MatKit.File(liar)), "liar.mat")).Message);
    }

    [Fact]
    public void Damaged_files_only_raise_format_exceptions()
    {
        byte[] plain = MatKit.File(MatKit.Matrix("X", 9, [2, 2, 3, 2], 2, new byte[24]), MatKit.Matrix("y", 6, [2, 1], 2, [1, 2]));
        byte[] packed = MatKit.File(MatKit.Packed(MatKit.Matrix("X", 9, [2, 2, 3, 2], 2, new byte[24])), MatKit.Packed(MatKit.Matrix("y", 6, [2, 1], 2, [1, 2])));
        Assert.InRange(FormatFuzz.Run(s => Mat5.Read(s, "fuzz.bin"), 2000, plain), 600, 2000);
        Assert.InRange(FormatFuzz.Run(s => Mat5.Read(s, "fuzz.bin"), 2000, packed), 600, 2000);
    }
}
