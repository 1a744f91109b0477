using System.IO.Compression;
using Native.Methods;

namespace Native.Tests;

public sealed class MnistTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static byte[] Gzip(params byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal))
            gzip.Write(bytes);
        return packed.ToArray();
    }

    private static byte[] Images(int n, int side = 2) =>
        [0, 0, 8, 3, 0, 0, 0, (byte)n, 0, 0, 0, (byte)side, 0, 0, 0, (byte)side, .. Enumerable.Range(0, n * side * side).Select(i => (byte)i)];

    private static byte[] Labels(params byte[] labels) => [0, 0, 8, 1, 0, 0, 0, (byte)labels.Length, .. labels];

    private DataFolder Folder(byte[] images, byte[] labels, string suffix = ".gz")
    {
        if (Directory.Exists(_folder.File("mnist")))
            Directory.Delete(_folder.File("mnist"), recursive: true);
        Directory.CreateDirectory(_folder.File("mnist"));
        File.WriteAllBytes(_folder.File("mnist/t10k-images-idx3-ubyte" + suffix), images);
        File.WriteAllBytes(_folder.File("mnist/t10k-labels-idx1-ubyte" + suffix), labels);
        return DataFolder.From(_folder.Path, null);
    }

    private string Refusal(byte[] images, byte[] labels, string suffix = ".gz") =>
        Assert.Throws<DataFormatException>(() => Mnist.Load(Folder(images, labels, suffix), train: false, allowUnofficial: true)).Message;

    [Theory]
    [InlineData(".gz")]
    [InlineData("")]
    public void ReadsSmallFilesAndSaysThatTheyAreUnofficial(string suffix)
    {
        byte[] images = Images(3), labels = Labels(7, 0, 9);
        var data = suffix == "" ? Folder(images, labels, "") : Folder(Gzip(images), Gzip(labels));
        var set = Mnist.Load(data, train: false, allowUnofficial: true);
        Assert.Equal((3, 1, 2, 2), (set.Count, set.Channels, set.Height, set.Width));
        Assert.Equal(Enumerable.Range(0, 12).Select(i => (byte)i), set.Pixels);
        Assert.Equal([7, 0, 9], set.Labels);
        Assert.Equal("unofficial files (MD5 differs)", set.Provenance);
        Assert.Equal([2, 1, 2, 2], set.First(2).Shape.ToArray());
        Assert.Throws<UsageException>(() => set.First(4));

        string message = Assert.Throws<DataFormatException>(() => Mnist.Load(data, train: false)).Message;
        Assert.Contains($"the official file has {(suffix == "" ? "2646ac647ad5339dbf082846283269ea" : "9fb629c4189551a2d022fa330f9573f3")}. Fetch it again", message);
    }

    [Fact]
    public void RefusesEachWrongFileInItsOwnWords()
    {
        byte[] images = Images(3), labels = Labels(1, 2, 3);
        Assert.Contains("the magic is 00000801 (labels); 00000803 (images) is wanted. Check that the files are not swapped.", Refusal(Gzip(labels), Gzip(images)));
        Assert.Contains("the magic is 504b0304; 00000803 (images) is wanted", Refusal([0x50, 0x4B, 3, 4, 0, 0], labels, ""));
        Assert.Contains("the name says gzip and the file of 28 bytes starts with 0000, not 1F8B.", Refusal(images, Gzip(labels)));
        Assert.Contains("it is empty, or not a regular file.", Refusal([], Gzip(labels)));
        Assert.Contains("the file is packed with gzip and its name does not end in .gz.", Refusal(Gzip(images), labels, ""));
        Assert.Contains("the file is cut short: data of dims [3,2,2] takes 12 bytes and 8 are there.", Refusal(Gzip(images[..^4]), Gzip(labels)));
        Assert.Contains("the file is cut short: dim 2 takes 4 bytes and 2 are there.", Refusal(Gzip(images[..14]), Gzip(labels)));
        Assert.Contains("dims [3,2,2] claim 12 bytes and the file can hold 11.", Refusal(images[..^1], labels, ""));
        Assert.Contains("bytes follow the 12 of dims [3,2,2].", Refusal(Gzip([.. images, 0]), Gzip(labels)));
        Assert.Contains("dims [4294967295,4294967295,4294967295] claim 79228162458924105385300197375 bytes and the file can hold",
            Refusal(Gzip([0, 0, 8, 3, .. Enumerable.Repeat((byte)255, 12)]), Gzip(labels)));
        Assert.Contains("there are 3 images and 2 labels.", Refusal(Gzip(images), Gzip(Labels(1, 2))));
        Assert.Contains("label 1 is 10; labels are 0 to 9.", Refusal(Gzip(images), Gzip(Labels(9, 10, 3))));
        byte[] damaged = Gzip(Images(40));
        damaged[10] = 0xFF;    // the first deflate block gets the type that does not exist
        Assert.Contains("the gzip data of", Refusal(damaged, Gzip(labels)));
        Assert.Contains("the file is cut short", Refusal(Gzip(Images(40))[..30], Gzip(labels)));
    }

    [Fact]
    public void DamagedFilesOnlyRaiseFormatException()
    {
        static void ReadAs(Stream stream, string name)
        {
            using var copy = new MemoryStream();
            stream.CopyTo(copy);
            Idx.Parse(copy.ToArray(), name, 3);
        }

        Assert.InRange(FormatFuzz.Run(s => ReadAs(s, "fuzz.bin.gz"), 2000, Gzip(Images(3))), 1000, 2000);
        Assert.InRange(FormatFuzz.Run(s => ReadAs(s, "fuzz.bin"), 2000, Images(3)), 1000, 2000);
    }

    [Fact]
    public void TheDataFolderSaysWhereItLooked()
    {
        string there = _folder.Path;
        Assert.Equal(there, DataFolder.From(there, "/elsewhere").Root);
        Assert.Equal(there, DataFolder.From(null, there).Root);
        Assert.Null(DataFolder.From("", "").Root);
        Assert.Null(DataFolder.From(null, null).Find("mnist"));
        Assert.Equal("data: /no/such is not a folder; --data names it. Correct the path.", Assert.Throws<UsageException>(() => DataFolder.From("/no/such", there)).Message);
        Assert.Equal("data: /no/such is not a folder; NATIVE_DATA names it. Correct the path.", Assert.Throws<UsageException>(() => DataFolder.From(null, "/no/such")).Message);
        Assert.Equal($"data: it is not there; looked for {there}/a or {there}/b/c, since --data says so. Put the files there or name another folder.",
            Assert.Throws<UsageException>(() => DataFolder.From(there, null).Require("it", "a", "b/c")).Message);
        Assert.Equal("data: it is needed and no data folder is given. Pass --data DIR or set NATIVE_DATA=DIR, with a or b/c below it.",
            Assert.Throws<UsageException>(() => DataFolder.From(null, null).Require("it", "a", "b/c")).Message);
        Directory.CreateDirectory(_folder.File("b/c"));
        Assert.Equal(_folder.File("b/c"), DataFolder.From(there, null).Require("it", "a", "b/c"));
    }
}
