using System.Globalization;
using Native.Benchmarks;
using Native.Methods;

namespace Native.Tests;

/// <summary>A fact that needs libjpeg-turbo, and says so where it is not.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class JpegFactAttribute : FactAttribute
{
    public JpegFactAttribute()
    {
        if (!TurboJpeg.Available)
            Skip = TurboJpeg.Absent;
    }
}

/// <summary>Distortion against compression: published sizes, nearest images, JPEG, and what an auto-encoder of drawn digits shows.</summary>
[Trait("Category", "Cpu")]
public sealed class DistortionTests
{
    private static readonly DataFolder Nowhere = DataFolder.From(null, null);

    internal static TaskStream Digits(int train = 600, int test = 200, string name = "digits") =>
        StreamTable.Find(name).Build(new StreamRequest(Nowhere, Scenario.ClassIncremental) { MaxTrain = train, MaxTest = test });

    internal static RunRecord Run(string method, TaskStream stream, params string[] options) => MethodRun.Execute(
        new RunSpec(MethodTable.Find(method), stream.Name, stream.Scenario, 0, new TrainerOptions(BatchSize: 50), new MethodSettings(Options: options.Select(MethodOptions.Pair).ToDictionary(StringComparer.Ordinal))),
        stream, null, CancellationToken.None);

    [Theory]
    [InlineData("srm/table5", 27)]
    [InlineData("srm/table6", 6)]
    public void Published_compressions_are_those_of_the_codes(string id, int rows)
    {
        var cells = PaperTables.Find(id).Cells.Where(c => c.Column.Measure == "compression").ToList();
        Assert.Equal(rows, cells.Count);
        foreach (var cell in cells)
        {
            var o = (AutoEncoderOptions)MethodTable.Find("srm-autoencoder").Configure(new MethodSettings(Options: cell.Recipe!.Options.Select(MethodOptions.Pair).ToDictionary(StringComparer.Ordinal)));
            double bits = o.Filters is { } h ? 4 * 32 * h : new CodeSize(o.Variables, o.Categories).Bits;
            Assert.Equal(cell.Value, 784 * 8 / bits, 5e-4);
        }
    }

    [Fact]
    public void The_nearest_image_is_the_one_that_comparing_with_all_finds()
    {
        const int size = 50;
        var random = new Generator(1);
        byte[] real = [.. Enumerable.Range(0, 40 * size).Select(_ => (byte)random.NextInt64(256))];
        // Some of them themselves, some near one, some anywhere: also beyond 0 and 1, and between two bytes.
        float[] made = [.. real.AsSpan(0, 3 * size).ToArray().Select(b => b / 255f), .. real.AsSpan(10 * size, 17 * size).ToArray().Select(b => b / 255f + random.NextSingle() * 0.01f),
            .. Enumerable.Range(0, 17 * size).Select(_ => random.NextSingle() * 1.2f - 0.1f)];
        double[] found = NearestImages.Distances(made, real, size);
        Assert.Equal(37, found.Length);
        for (int i = 0; i < found.Length; i++)
            Assert.Equal(Enumerable.Range(0, 40).Min(r => Enumerable.Range(0, size).Average(p => Math.Abs((double)made[i * size + p] - real[r * size + p] / 255.0))), found[i], 1e-6);
        Assert.Equal(0, found[0], 1e-6);
        Assert.Throws<ShapeException>(() => NearestImages.Distances(made, real, 49));
    }

    [Fact]
    public void Wide_images_do_not_overflow_the_sums_of_bytes() =>
        Assert.Equal(1.0, NearestImages.Distances([.. Enumerable.Repeat(1f, 9000)], new byte[9000], 9000)[0], 1e-12);

    [Fact]
    public void Random_codes_are_further_from_images_than_stored_ones_and_more_variables_distort_less() => OpKit.OnFreshThread(() =>
    {
        var stream = Digits(1500);
        string[] training = ["rate=1e-3", "epochs=14", "batch=10", "samples=200"];
        RunRecord small = Run("srm-autoencoder", stream, ["variables=8", .. training]), large = Run("srm-autoencoder", stream, ["variables=38", .. training]);
        Assert.Equal(6272.0 / 38, large["compression"]!.Value, 1e-9);
        Assert.True(large["trainDistortion"] < 0.9 * small["trainDistortion"], $"{large["trainDistortion"]} against {small["trainDistortion"]}");
        Assert.True(large["nearestBuffer"] < large["nearestCode"], $"{large["nearestBuffer"]} against {large["nearestCode"]}");
        Assert.InRange(large["reconstruction"]!.Value, large["trainDistortion"]!.Value * 0.8, large["trainDistortion"]!.Value * 1.5);
    });

    [Fact]
    public void The_better_rate_counts() => OpKit.OnFreshThread(() =>
    {
        var run = Run("srm-autoencoder", Digits(200, 50), "variables=8", "rates=3", "epochs=2", "batch=10", "samples=0");
        double[] rates = [run["trainDistortion1e-2"]!.Value, run["trainDistortion1e-3"]!.Value, run["trainDistortion1e-4"]!.Value];
        Assert.Equal(3, rates.Distinct().Count());
        Assert.Equal(rates.Min(), run["trainDistortion"]);
        double best = ((double[])[1e-2, 1e-3, 1e-4])[Array.IndexOf(rates, rates.Min())];
        Assert.Equal(best, run["bestRate"]);
        // The network that is kept is the one of that rate: it answers as when it is the only one.
        var alone = Run("srm-autoencoder", Digits(200, 50), "variables=8", string.Create(CultureInfo.InvariantCulture, $"rate={best}"), "epochs=2", "batch=10", "samples=0");
        Assert.Equal(rates.Min(), alone["trainDistortion"]);
        Assert.NotNull(alone["reconstruction"]);
        Assert.Equal(alone["reconstruction"], run["reconstruction"]);
    });

    [Fact]
    public void A_continuous_code_has_no_random_ones() => OpKit.OnFreshThread(() =>
    {
        var run = Run("srm-autoencoder", Digits(100, 50), "filters=3", "rate=1e-3", "epochs=1");
        Assert.Equal(49.0 / 3, run["compression"]!.Value, 1e-9);
        Assert.Null(run["nearestCode"]);
        Assert.InRange(run["trainDistortion"]!.Value, 0.01, 0.6);
    });

    [Theory]
    [InlineData("srm-autoencoder", "is no whole number", "variables=37", "categories=2")]
    [InlineData("srm-autoencoder", "and there are 4", "rates=5")]
    [InlineData("srm-autoencoder", "rate = NaN", "rate=NaN")]
    [InlineData("srm-distill", "neither can be above 1", "share=1.5")]
    [InlineData("srm-distill", "has none. Leave source out", "source=real", "sampling=code")]
    [InlineData("srm-distill", "a random code has no label", "targets=labels", "sampling=code")]
    [InlineData("srm-distill", "keeps 2 items or more", "sampling=diverse", "candidates=1")]
    [InlineData("srm-distill", "more than 10000", "sampling=diverse", "spread=5000")]
    [InlineData("srm-jpeg", "Give 1 to 100", "quality=0")]
    public void Options_that_cannot_be_get_a_sentence(string method, string sentence, params string[] options) => Assert.Contains(sentence, Assert.Throws<UsageException>(() =>
        MethodTable.Find(method).Configure(new MethodSettings(Options: options.Select(MethodOptions.Pair).ToDictionary(StringComparer.Ordinal)))).Message, StringComparison.Ordinal);

    [JpegFact]
    public void Jpeg_of_higher_quality_is_larger_and_nearer()
    {
        using var codec = new TurboJpeg();
        byte[] image = Digits(10).Train.Image(3).ToArray();
        (int Bytes, int Difference) last = (0, int.MaxValue);
        foreach (int quality in (int[])[1, 25, 75, 100])
        {
            byte[] file = codec.Encode(image, 28, quality), back = codec.Decode(file, 28, 28);
            (int Bytes, int Difference) now = (TurboJpeg.ScanBytes(file), image.Zip(back, (a, b) => Math.Abs(a - b)).Sum());
            Assert.True(now.Bytes > last.Bytes && now.Difference < last.Difference, $"{quality}: {now} after {last}");
            last = now;
        }
        Assert.InRange(last.Difference / 784.0, 0, 1);
    }

    [JpegFact]
    public void Headers_are_the_same_for_all_images_and_only_the_scan_counts()
    {
        using var codec = new TurboJpeg();
        var set = Digits(10).Train;
        byte[] a = codec.Encode(set.Image(0).ToArray(), 28, 50), b = codec.Encode(set.Image(1).ToArray(), 28, 50);
        int head = a.Length - TurboJpeg.ScanBytes(a) - 2;
        Assert.Equal(head, b.Length - TurboJpeg.ScanBytes(b) - 2);
        Assert.Equal(a[..head], b[..head]);
        // What comes before the scan's bytes ends with the spectrum 0 to 63 and no approximation.
        Assert.Equal([0x00, 0x3F, 0x00], a[(head - 3)..head]);
        // A frame of one component, 8 bits, baseline: FFC0 000B 08 001C 001C 01.
        Assert.True(a.AsSpan(0, head).IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0, 0x00, 0x0B, 0x08, 0x00, 0x1C, 0x00, 0x1C, 0x01]) > 0);
    }

    [JpegFact]
    public void What_is_no_jpeg_gets_a_sentence()
    {
        using var codec = new TurboJpeg();
        Assert.Contains("Give 1 to 100", Assert.Throws<UsageException>(() => codec.Encode(new byte[4], 2, 101)).Message, StringComparison.Ordinal);
        Assert.Contains("no rows of 3", Assert.Throws<UsageException>(() => codec.Encode(new byte[4], 3, 50)).Message, StringComparison.Ordinal);
        Assert.Throws<DataFormatException>(() => codec.Decode([1, 2, 3, 4], 2, 2));
        byte[] file = codec.Encode(new byte[64], 8, 50);
        Assert.Throws<DataFormatException>(() => codec.Decode(file, 9, 8));
        Assert.Throws<DataFormatException>(() => TurboJpeg.ScanBytes(file.AsSpan(0, 100)));
        Assert.Throws<DataFormatException>(() => TurboJpeg.ScanBytes([0xFF, 0xD8, 0xFF, 0xD9]));
    }

    [JpegFact]
    public void Jpeg_runs_as_a_method() => OpKit.OnFreshThread(() =>
    {
        RunRecord low = Run("srm-jpeg", Digits(100, 20), "quality=1"), high = Run("srm-jpeg", Digits(100, 20), "quality=75");
        Assert.True(low["compression"] > high["compression"] && low["trainDistortion"] > high["trainDistortion"]);
    });
}
