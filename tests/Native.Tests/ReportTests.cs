using Native.Benchmarks;
using Native.Methods;

namespace Native.Tests;

/// <summary>What the command line says and leaves behind: files that are whole, claims that can fail, figures that are right.</summary>
public sealed class ReportTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_file_is_replaced_and_never_rewritten()
    {
        string path = _folder.File("a.md");
        AtomicFile.WriteText(path, "a long first version");
        // Whoever reads the old file while the new one is written, or after the writer was killed half-way, has the old one whole.
        using var old = new StreamReader(path);
        AtomicFile.WriteText(path, "second");
        Assert.Equal("a long first version", old.ReadToEnd());
        Assert.Equal("second", File.ReadAllText(path));
        Assert.Single(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void A_write_that_fails_leaves_the_old_file_and_nothing_else()
    {
        string path = _folder.File("a.json");
        AtomicFile.WriteText(path, "first");
        Assert.Throws<OperationCanceledException>(() => AtomicFile.WriteJson(path, json =>
        {
            json.WriteNumber("half", 1);
            throw new OperationCanceledException();
        }));
        Assert.Equal("first", File.ReadAllText(path));
        // The rename fails: the name was taken by a folder after the probe.
        string folder = _folder.File("b");
        Directory.CreateDirectory(Path.Combine(folder, "inside"));
        Assert.StartsWith($"write: {folder} cannot be written;", Assert.Throws<UsageException>(() => AtomicFile.WriteText(folder, "x")).Message);
        Assert.Equal([path], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Digits_that_stand_in_for_MNIST_are_not_called_MNIST()
    {
        const string Sentence = "so this is NOT MNIST. Pass --data DIR or set NATIVE_DATA for the real images.";
        string said(string stream, string name)
        {
            using StringWriter output = new(), error = new();
            RunCommand.DescribeData(new Ui(output, error, default), TaskStream.SplitDigits(
                stream, TaskStreamTests.Tiny($"{name} train", 20), TaskStreamTests.Tiny($"{name} test", 10), Scenario.ClassIncremental));
            return output.ToString();
        }
        Assert.Contains(Sentence, said("split-mnist", "drawn digits"));
        Assert.DoesNotContain("NOT MNIST", said("split-mnist", "mnist"));
        Assert.DoesNotContain("NOT MNIST", said("split-digits", "drawn digits"));
        Assert.Contains("drawn digits train, 20 images, and drawn digits test, 10 images; made by the test", said("split-digits", "drawn digits"));
    }

    private static readonly SuiteFigures Good = new(
        Joint: 0.95, Naive: 0.19, Replay: 0.8, NaiveForgets: 0.95, ReplayForgets: 0.2, Same: true, GradChecks: 200, GradChecksFailed: 0)
    { Sleeping = new(LiteralChange: 0, LiteralFlat: 1, RepairedChange: 0.05, Repaired: 0.97) };

    [Fact]
    public void Every_claim_of_the_suite_can_fail_and_decides_the_exit_code()
    {
        Assert.All(Good.Claims(), c => Assert.True(c.Holds, c.Claim));
        Assert.Equal(0, SuiteCommand.Verdict(Good.Claims()));
        (int Claim, SuiteFigures Figures)[] bad =
        [
            (0, Good with { Joint = 0.74 }), (0, Good with { Joint = double.NaN }), (1, Good with { Naive = 0.09 }), (1, Good with { Naive = 0.26 }),
            (1, Good with { Naive = double.NaN }), (2, Good with { NaiveForgets = 0.8 }), (2, Good with { NaiveForgets = double.NaN }),
            (3, Good with { Replay = 0.48 }), (3, Good with { Replay = double.NaN }), (4, Good with { ReplayForgets = 0.96 }),
            (4, Good with { ReplayForgets = double.NaN }), (5, Good with { Replay = 0.96 }),
            (6, Good with { Sleeping = Good.Sleeping with { LiteralChange = 1e-9 } }), (6, Good with { Sleeping = Good.Sleeping with { LiteralFlat = 0 } }),
            (6, Good with { Sleeping = Good.Sleeping with { LiteralChange = double.NaN } }), (7, Good with { Sleeping = Good.Sleeping with { RepairedChange = 0 } }),
            (7, Good with { Sleeping = Good.Sleeping with { RepairedChange = double.NaN } }), (8, Good with { Sleeping = Good.Sleeping with { Repaired = 0.89 } }),
            (8, Good with { Sleeping = Good.Sleeping with { Repaired = double.NaN } }), (9, Good with { Same = false }),
            (10, Good with { GradChecksFailed = 1 }), (10, Good with { GradChecks = 0 }),
        ];
        foreach (var (claim, figures) in bad)
        {
            Assert.False(figures.Claims()[claim].Holds, $"{figures.Claims()[claim].Claim}: {figures}");
            Assert.Equal(1, SuiteCommand.Verdict(figures.Claims()));
        }
        Assert.Equal(Good.Claims().Count, bad.Select(b => b.Claim).Distinct().Count());
    }

    [Fact]
    public void Speeds_count_operations_and_bytes_over_time()
    {
        var product = OpBench.All.First(o => o.Name == "matmul-10x784x400-tn");
        Assert.Equal(2.0 * 10 * 784 * 400, product.Flops);
        Assert.Equal(4.0 * (10 * 784 + 784 * 400 + 10 * 400), product.Bytes);
        var timing = new OpTiming(product, Minimum: 1e-4, Median: 2e-4, Samples: 9, Managed: 0);
        Assert.Equal(31.36, timing.Gflops, 1e-9);
        Assert.Equal(product.Bytes / 2e5, timing.GigabytesPerSecond, 1e-9);
    }

    [Fact]
    public void The_table_of_the_README_is_the_code()
    {
        string readme = File.ReadAllText(Path.Combine(OpKit.Root, "README.md")), code = File.ReadAllText(Path.Combine(OpKit.Root, "Autograd", "Ops", "Activations.cs"));
        int at = readme.IndexOf("public static readonly UnaryOp Tanh = ", StringComparison.Ordinal), end = readme.IndexOf("```", at, StringComparison.Ordinal);
        static IEnumerable<string> bare(string text) => text.Split('\n').Select(l => l.Split("//")[0].Trim()).Where(l => l.Length > 0);
        Assert.Contains(string.Join('\n', bare(readme[at..end])), string.Join('\n', bare(code)), StringComparison.Ordinal);
    }
}
