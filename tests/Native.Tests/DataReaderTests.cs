using System.IO.Compression;
using System.Text;
using Native.Methods;

namespace Native.Tests;

/// <summary>CIFAR, AG News, Omniglot and .npz folders from files made here; sums, and the record of those that nobody has published.</summary>
public sealed class DataReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private DataFolder Data => DataFolder.From(_folder.Path, null);

    private void Put(string path, byte[] bytes)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder.File(path))!);
        File.WriteAllBytes(_folder.File(path), bytes);
    }

    private static string Refusal(Action action) => Assert.Throws<DataFormatException>(action).Message;

    private static byte[] Records(int count, int labelBytes, int classes, Func<int, byte>? coarse = null) => [.. Enumerable.Range(0, count).SelectMany(i =>
        (labelBytes == 2 ? new[] { coarse?.Invoke(i % classes) ?? (byte)(i % classes / 5), (byte)(i % classes) } : [(byte)(i % classes)])
            .Concat(Enumerable.Range(0, 3072).Select(p => (byte)(p + i))))];

    [Fact]
    public void Cifar_10_reads_its_records_and_refuses_others()
    {
        for (int b = 1; b <= 5; b++)
            Put($"cifar-10-batches-bin/data_batch_{b}.bin", Records(20, 1, 10));
        Put("cifar-10-batches-bin/test_batch.bin", Records(10, 1, 10));
        var train = Cifar.Load10(Data, train: true, allowUnofficial: true);
        Assert.Equal((100, 3, 32, 32), (train.Count, train.Channels, train.Height, train.Width));
        Assert.Equal([3, 4], train.Labels[23..25]);
        Assert.Equal((byte)(5 + 4), train.Image(24)[5]);
        Assert.Equal("unofficial files (checksum differs)", train.Provenance);
        Assert.Contains("the official file has 8e2eb146ae34", Refusal(() => Cifar.Load10(Data, train: false)));
        Put("cifar-10-batches-bin/test_batch.bin", Records(10, 1, 11));
        Assert.Equal(10, Cifar.Load10(Data, train: false, allowUnofficial: true).Count);
        Put("cifar-10-batches-bin/test_batch.bin", Records(11, 1, 11));
        Assert.Contains("record 10 has label 10; labels are 0 to 9", Refusal(() => Cifar.Load10(Data, false, true)));
        Put("cifar-10-batches-bin/test_batch.bin", Records(1, 1, 10)[..^1]);
        Assert.Contains("3072 bytes are not a number of records of 3073", Refusal(() => Cifar.Load10(Data, false, true)));
        Put("cifar-10-batches-bin/test_batch.bin", []);
        Assert.Contains("it is empty", Refusal(() => Cifar.Load10(Data, false, true)));
        Put("cifar-10-batches-bin/test_batch.bin", Records(20, 1, 10));
        var stream = StreamTable.Find("cifar10-5").Build(new StreamRequest(Data) { AllowUnofficial = true });
        StreamTableTests.Sound(stream);
        Assert.All(stream.Tasks, t => Assert.Equal((18, 2), (t.Train.Length, t.Validation.Length)));
    }

    [Fact]
    public void Cifar_100_comes_in_both_orders_and_before_cifar_10()
    {
        // Superclass c % 20: not the order of the labels.
        Put("cifar-100-binary/train.bin", Records(200, 2, 100, c => (byte)(c % 20)));
        Put("cifar-100-binary/test.bin", Records(100, 2, 100, c => (byte)(c % 20)));
        for (int b = 1; b <= 5; b++)
            Put($"cifar-10-batches-bin/data_batch_{b}.bin", Records(20, 1, 10));
        Put("cifar-10-batches-bin/test_batch.bin", Records(10, 1, 10));
        var request = new StreamRequest(Data, Scenario.TaskIncremental) { AllowUnofficial = true };
        var gem = StreamTable.Find("cifar100-20").Build(request);
        Assert.Equal((20, 100), (gem.Tasks.Count, gem.Outputs));
        Assert.Equal([5, 6, 7, 8, 9], gem.Tasks[1].Classes);
        var super = StreamTable.Find("cifar100-20-super").Build(request);
        Assert.Equal([1, 21, 41, 61, 81], super.Tasks[1].Classes);
        Assert.Equal("superclass 1", super.Tasks[1].Name);
        var both = StreamTable.Find("cifar100-cifar10").Build(request);
        Assert.Equal((21, 110), (both.Tasks.Count, both.Outputs));
        Assert.Equal(("CIFAR-10", 100, 10), (both.Tasks[20].Name, both.Tasks[20].Train.Length, both.Tasks[20].Test.Length));
        Assert.Equal(Enumerable.Range(100, 10), both.Tasks[20].Outputs);
        foreach (var s in new[] { gem, super, both })
            StreamTableTests.Sound(s);
        var shuffled = StreamTable.Find("cifar100-20-super").Build(request with { ShuffleClasses = true, Seed = 2 });
        Assert.NotEqual(super.Tasks.Select(t => t.Name), shuffled.Tasks.Select(t => t.Name));
        Assert.All(shuffled.Tasks, t => Assert.Single(t.Classes.Select(c => c % 20).Distinct()));
        Put("cifar-100-binary/test.bin", Records(200, 2, 100, c => (byte)20));
        Assert.Contains("record 0 puts class 0 into superclass 20", Refusal(() => Cifar.Load100(Data, false, true)));
        byte[] two = Records(101, 2, 100, c => 3);
        two[100 * 3074] = 4;
        Put("cifar-100-binary/test.bin", two);
        Assert.Contains("record 100 puts class 0 into superclass 4", Refusal(() => Cifar.Load100(Data, false, true)));
    }

    [Fact]
    public void An_archive_that_was_dropped_in_is_not_missing_data()
    {
        Put("cifar-10-binary.tar.gz", [1]);
        Assert.Contains("is there and not unpacked. Run 'native data get cifar-10'", Assert.Throws<UsageException>(() => Cifar.Load10(Data, true)).Message);
        Assert.Contains("CIFAR-100's train.bin is not there", Assert.Throws<UsageException>(() => Cifar.Load100(Data, true)).Message);
    }

    private static TextSet News(string csv) => AgNews.Parse(Encoding.UTF8.GetBytes(csv), "news.csv", "ag-news test", "made by the test");

    [Fact]
    public void Csv_keeps_quotes_commas_and_line_ends_inside_fields()
    {
        var set = News("\"3\",\"Fears, and \"\"hope\"\"\",\"a\nb\"\r\n4,plain,text\n\"1\",\"\",\"ü\"\n\"2\",\"last\",\"line\"");
        Assert.Equal([2, 3, 0, 1], set.Labels);
        Assert.Equal(["Fears, and \"hope\" a\nb", "plain text", " ü", "last line"], Enumerable.Range(0, 4).Select(set.Text));
        Assert.Equal(4, News("\uFEFF1,a,b\n1,a,b\n1,a,b\n1,a,b\n").Count);
    }

    [Theory]
    [InlineData("\"1\",\"a\"\n", "line 1 has 2 fields")]
    [InlineData("\"1\",\"a\",\"b\",\"c\"\n", "line 1 has 4 fields")]
    [InlineData("1,a,b\n5,a,b\n", "line 2 has class '5'; classes are 1 to 4")]
    [InlineData("0,a,b\n", "class '0'")]
    [InlineData("a very long class name that goes on,a,b\n", "class 'a very long class na...'")]
    [InlineData("1,\"a,b\n2,c,d", "the quote opened in line 1 is never closed")]
    [InlineData("1,a,\"b\"c\n", "line 1 has 'c' where a field has ended")]
    [InlineData("1,a,b\"c\"\n", "line 1 has '\"' where a field has ended")]
    [InlineData("1,a,b\n\n", "line 2 has 1 fields")]
    [InlineData("1,\"x\ny\",b\n9,a,b\n", "line 3 has class '9'")]
    [InlineData("1,a,b\n2,,\n", "line 2 has neither title nor description")]
    [InlineData("1,\"a\nb\",\"\"\n2,\" \",\"\t\"\n", "line 3 has neither title nor description")]
    public void Csv_that_is_malformed_names_its_line(string csv, string sentence) => Assert.Contains(sentence, Refusal(() => News(csv)));

    [Fact]
    public void Text_that_is_no_utf8_and_files_without_items_are_refused()
    {
        Assert.Contains("line 1, byte 4, is not UTF-8", Refusal(() => AgNews.Parse([(byte)'1', (byte)',', (byte)'a', (byte)',', 0xFF], "f", "n", "p")));
        Assert.Contains("line 3, byte 14, is not UTF-8", Refusal(() => AgNews.Parse([.. "1,a,b\n2,c,d\n3,"u8, 0xC3, (byte)','], "f", "n", "p")));
        Assert.Contains("there are no items in 0 bytes", Refusal(() => News("")));
        Assert.InRange(FormatFuzz.Run(s =>
        {
            using var copy = new MemoryStream();
            s.CopyTo(copy);
            AgNews.Parse(copy.ToArray(), "fuzz.bin", "n", "p");
        }, 2000, Encoding.UTF8.GetBytes("\"3\",\"Fears, \"\"x\"\"\",\"a b\"\n\"4\",\"c\",\"d\"\n")), 700, 2000);
    }

    private static byte[] Png(byte ink, int side = 105)
    {
        using var stream = new MemoryStream();
        Native.Png.Write(stream, HostArray.From<byte>([side, side], [.. Enumerable.Repeat(ink, side * side)]));
        return stream.ToArray();
    }

    private static byte[] Zip(params (string Name, byte[] Bytes)[] members)
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var (name, bytes) in members)
            {
                using var body = zip.CreateEntry(name).Open();
                body.Write(bytes);
            }
        return stream.ToArray();
    }

    private static (string, byte[])[] Characters(string archive, string alphabet, int count, int drawings = 20) =>
        [.. Enumerable.Range(0, count * drawings).Select(i => ($"{archive}/{alphabet}/character{i / drawings + 1:00}/0001_{i % drawings + 1:00}.png", Png((byte)(255 - i))))];

    [Fact]
    public void Omniglot_puts_background_alphabets_first_and_ink_is_white()
    {
        Put("omniglot/images_background.zip", Zip([.. Characters("images_background", "Zeta_script", 2), .. Characters("images_background", "Alpha", 1)]));
        Put("omniglot/images_evaluation.zip", Zip(Characters("images_evaluation", "Beta", 3)));
        var (images, alphabets) = Omniglot.Load(Data, allowUnofficial: true);
        Assert.Equal(["Alpha", "Zeta script", "Beta"], alphabets.Select(a => a.Name));
        Assert.Equal([1, 2], alphabets[1].Labels);
        Assert.Equal((120, 1, 28, 28), (images.Count, images.Channels, images.Height, images.Width));
        // Paper of 255 - i becomes ink of i, in every pixel.
        Assert.All(images.Image(20 + 27).ToArray(), p => Assert.Equal(27, p));
        Assert.Equal(images.Labels, Enumerable.Range(0, 120).Select(i => i / 20));
        var stream = StreamTable.Find("omniglot-50").Build(new StreamRequest(Data, Scenario.TaskIncremental) { AllowUnofficial = true });
        StreamTableTests.Sound(stream);
        Assert.Equal([(18, 2), (36, 4), (54, 6)], stream.Tasks.Select(t => (t.Train.Length, t.Test.Length)));
        Assert.Equal(6, stream.Outputs);
        Assert.Equal("Zeta script", stream.Tasks[1].Name);
        // Which drawings are for tests is drawn for each character: ink is the drawing's number within its alphabet here.
        var (train, test) = OtherStreams.Drawers(images);
        Assert.Equal(Enumerable.Range(0, 120), train.Concat(test).Order());
        Assert.True(test.Select(i => i % 20).Distinct().Count() > 4);
    }

    [Fact]
    public void Omniglot_archives_that_are_not_as_they_should_be_are_refused()
    {
        static string refused(params (string, byte[])[] members) => Refusal(() => Omniglot.Assemble(Omniglot.Entries(new MemoryStream(Zip(members)), "o.zip"), "made by the test"));
        Assert.Contains("A/character01 has 19 pictures; 20 are wanted", refused(Characters("x", "A", 1, 19)));
        Assert.Contains("the member 'x/../../etc/p.png' is not FOLDER", refused(("x/../../etc/p.png", Png(1))));
        Assert.Contains("the member 'x/../c/p.png' is not FOLDER", refused(("x/../c/p.png", Png(1))));
        Assert.Contains("the member 'x/a/b.png' is not FOLDER", refused(("x/a/b.png", Png(1))));
        Assert.Contains("the member 'x/a/b/c.txt' is not FOLDER", refused(("x/a/b/c.txt", [1])));
        Assert.Contains("there are no pictures", refused());
        Assert.Contains("is [1,104,104]; [1,105,105] is wanted", refused([.. Enumerable.Range(0, 20).Select(i => ($"x/a/c/{i}.png", Png(3, 104)))]));
        Assert.Contains("does not start with the PNG signature", refused([.. Enumerable.Range(0, 20).Select(i => ($"x/a/c/{i}.png", new byte[] { 1, 2, 3, 4, 5, 6, 7, 8, 9 }))]));
        // Ten million zeros that claim to be a picture.
        Assert.Contains("claims 10000000 bytes; pictures of up to 65536 are read", refused(("x/a/b/c.png", new byte[10_000_000])));
        Assert.Contains("is damaged", Refusal(() => Omniglot.Entries(new MemoryStream([1, 2, 3]), "o.zip")));
        Assert.InRange(FormatFuzz.Run(s => Omniglot.Assemble(Omniglot.Entries(s, "fuzz.bin"), ""), 300, Zip(Characters("x", "A", 1))), 100, 300);
    }

    private static byte[] Npz(HostArray images, HostArray labels)
    {
        using var stream = new MemoryStream();
        Native.Npz.Write(stream, [new("images", images), new("labels", labels)]);
        return stream.ToArray();
    }

    [Fact]
    public void Npz_folders_join_their_files_in_either_layout_and_record_their_sums()
    {
        var layout = new NpzFolder.Layout("mini", "mini", 3, 2);
        byte[] interleaved = [.. Enumerable.Range(0, 24).Select(i => (byte)i)];
        Put("mini/b.npz", Npz(HostArray.From<byte>([2, 3, 2, 2], interleaved), HostArray.From<byte>([2], [1, 2])));
        Put("mini/a.npz", Npz(HostArray.From<byte>([2, 2, 2, 3], interleaved), HostArray.From<long>([2], [2, 0])));
        var set = NpzFolder.Load(Data, layout);
        Assert.Equal([2, 0, 1, 2], set.Labels);
        Assert.Equal([0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11], set.Image(0).ToArray().Select(p => (int)p));
        Assert.Equal(interleaved[..12], set.Image(2).ToArray());
        Assert.Equal("no published checksum; SHA-256 as at first use", set.Provenance);
        Assert.Equal(2, File.ReadAllLines(_folder.File("SHA256SUMS")).Length);
        Assert.Equal(set.Provenance, NpzFolder.Load(Data, layout).Provenance);
        Assert.Equal(2, File.ReadAllLines(_folder.File("SHA256SUMS")).Length);
        // Another file under an old name is noticed.
        Put("mini/a.npz", Npz(HostArray.From<byte>([2, 2, 2, 3], interleaved), HostArray.From<long>([2], [2, 1])));
        Assert.Contains("at its first use it was", Refusal(() => NpzFolder.Load(Data, layout)));
        Assert.Contains("unofficial", NpzFolder.Load(Data, layout, allowUnofficial: true).Provenance);
        Assert.Contains("label 0 is 2; labels are 0 to 1", Refusal(() => NpzFolder.Load(Data, layout with { Classes = 2 }, true)));
        Assert.Contains("images are 2x2; 84x84 is wanted", Refusal(() => NpzFolder.Load(Data, layout with { Side = 84 }, true)));
        Directory.CreateDirectory(_folder.File("empty"));
        Assert.Contains("holds no .npz file", Assert.Throws<UsageException>(() => NpzFolder.Load(Data, layout with { Path = "empty" })).Message);
    }

    [Fact]
    public void The_streams_over_npz_folders_cut_them_as_the_papers_do()
    {
        int[] labels = [.. Enumerable.Range(0, 2000).Select(i => i % 100)];
        Put("miniimagenet/all.npz", Npz(HostArray.From<byte>([2000, 84, 84, 3], new byte[2000 * 21168]), HostArray.From<int>([2000], labels)));
        var mini = StreamTable.Find("miniimagenet-20").Build(new StreamRequest(Data));
        StreamTableTests.Sound(mini);
        Assert.Equal((20, 21168), (mini.Tasks.Count, mini.InputSize));
        // Of 20 images a class: 16 for training, of which int(0.95 x 16) = 15 are trained on, and 4 for tests.
        Assert.All(mini.Tasks, t => Assert.Equal((75, 5, 20), (t.Train.Length, t.Validation.Length, t.Test.Length)));
        var mir = StreamTable.Find("miniimagenet-mir-20").Build(new StreamRequest(Data));
        StreamTableTests.Sound(mir);
        Assert.Equal((20, PixelScale.Symmetric), (mir.Tasks.Count, mir.Scale));
        // The same images and tests; of the 80 of a task another 95%, drawn from all five classes.
        Assert.All(mir.Tasks, t => Assert.Equal((76, 4, 20), (t.Train.Length, t.Validation.Length, t.Test.Length)));
        Assert.Equal(mini.Tasks.Select(t => t.Test), mir.Tasks.Select(t => t.Test));
        Assert.NotEqual(mini.Tasks[0].Validation, mir.Tasks[0].Validation);
        int[] fifty = [.. Enumerable.Range(0, 100).Select(i => i % 50)];
        foreach (string part in (string[])["train", "val"])
            Put($"imagenet-50/{part}/one.npz", Npz(HostArray.From<byte>([100, 3, 40, 48], new byte[100 * 3 * 40 * 48]), HostArray.From<int>([100], fifty)));
        var imagenet = StreamTable.Find("imagenet-50").Build(new StreamRequest(Data));
        StreamTableTests.Sound(imagenet);
        Assert.Equal((5, 3072, 50), (imagenet.Tasks.Count, imagenet.InputSize, imagenet.Outputs));
    }
}
