using System.Text.Json;
using Native.Benchmarks;
using Xunit.Abstractions;

namespace Native.Tests;

/// <summary>
/// The reference workloads at sizes that run in a moment: every one computes the same in f32 and f64, the same bits for any number of threads, and
/// holds no more memory after a step than before it.
/// </summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed class WorkloadTests(ITestOutputHelper output) : IDisposable
{
    private readonly int _before = Workers.Count;
    private readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        Workers.SetCount(_before);
        _folder.Dispose();
    }

    // The same code as at full size, fewer and smaller: the gate has other things to do as well.
    internal static Workload Make(string name, DType dtype, ulong seed = 0) => name switch
    {
        "arm-mnist" => new ArmMnist(dtype, seed, width: 40),
        "arm-cifar" => new ArmCifar(dtype, seed, filters: 3, recalled: 4, ascents: 2),
        "srm-mnist" => new SrmMnist(dtype, seed, batch: 3, updates: 2, filters: 8),
        "dgm-mnist" => new DgmMnist(dtype, seed, batch: 4, generatorFilters: 3, criticFilters: 4),
        "meta-mnist" => new MetaMnist(dtype, seed, new MetaSizes(Pool: 6, Tasks: 2, Inner: 2, PerClass: 4, Real: 8, Filters: 3)),
        "mygo-mnist" => new MygoMnist(dtype, seed, batch: 6),
        "resnet-train" => new ResNetTrain(dtype, seed, batch: 4, filters: 3),
        _ => throw new UsageException($"tests: {name} has no small size."),
    };

    public static TheoryData<string> Names => [.. WorkloadTable.All.Select(w => w.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_first_step_in_f32_agrees_with_f64_and_the_next_stays_finite(string name)
    {
        using Workload single = Make(name, DType.F32), exact = Make(name, DType.F64);
        Assert.Equal(name, single.Name);
        Assert.All(exact.Parameters, p => Assert.Equal(DType.F64, p.DType));
        foreach (var (a, b) in single.Parameters.Zip(exact.Parameters))
            Assert.Equal(Array.ConvertAll(a.ToArray<float>(), v => (double)v), b.ToArray<double>());
        double[] losses = StepBench.Losses(single), reference = StepBench.Losses(exact);
        double difference = StepBench.Difference(losses, reference);
        output.WriteLine($"{name}: {difference:E1}; losses {string.Join(" ", losses)}");
        Assert.True(difference <= 1e-4, $"{name}: {difference:E1}; {string.Join(" ", losses)} against {string.Join(" ", reference)}");
        // Losses throws on NaN and infinity. The step has moved the weights, so the losses are others.
        Assert.NotEqual(losses, StepBench.Losses(single));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_same_seed_gives_the_same_bits_for_any_number_of_threads(string name)
    {
        double[][] State(int threads, ulong seed)
        {
            Workers.SetCount(threads);
            using var workload = Make(name, DType.F32, seed);
            double[] losses = [.. StepBench.Losses(workload), .. StepBench.Losses(workload)];
            return [losses, .. workload.Parameters.Select(p => Array.ConvertAll(p.ToArray<float>(), v => (double)v))];
        }
        double[][] one = State(1, 5), two = State(2, 5);
        Assert.Equal(one.Length, two.Length);
        for (int i = 0; i < one.Length; i++)
            NnKit.Same(one[i], two[i], $"{name}, {(i == 0 ? "losses" : $"parameter {i - 1}")}");
        Assert.NotEqual(one[0], State(2, 6)[0]);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Steps_leave_nothing_behind(string name) => OpKit.OnFreshThread(() =>
    {
        var allocator = Ambient.Current.Allocator;
        var start = allocator.Stats;
        using (var workload = Make(name, DType.F32))
        {
            // The first step makes moments; the next fill the pool around them.
            for (int i = 0; i < 3; i++)
                StepBench.Losses(workload);
            var before = allocator.Stats;
            long managed = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 3; i++)
                StepBench.Losses(workload);
            managed = (GC.GetAllocatedBytesForCurrentThread() - managed) / 3;
            var after = allocator.Stats;
            output.WriteLine($"{name}: {before.Live} bytes live, peak {after.Peak}, {managed} managed bytes a step");
            Assert.Equal((before.Live, before.LiveCount), (after.Live, after.LiveCount));
            Assert.Equal(before.Fresh, after.Fresh);
        }
        Assert.Equal((start.Live, start.LiveCount), (allocator.Stats.Live, allocator.Stats.LiveCount));
    });

    [Fact]
    public void A_difference_is_seen_wherever_it_is()
    {
        Assert.Equal(0, StepBench.Difference([1, 2], [1, 2]));
        Assert.Equal(0.5, StepBench.Difference([1, 1], [1, 2]));
        Assert.Equal(double.PositiveInfinity, StepBench.Difference([1], [1, 2]));
        Assert.True(double.IsNaN(StepBench.Difference([double.NaN, 1], [1, 1])));
        Assert.True(double.IsNaN(StepBench.Difference([1, double.NaN, 1], [1, 1, 1])));
    }

    [Fact]
    public void Json_has_the_shape_of_the_peers_and_two_sides_make_a_table()
    {
        string ours = _folder.File("native.json"), peer = _folder.File("peer.json"), record = _folder.File("2020-02-03-cpu/steps.json");
        using StringWriter text = new(), error = new();
        int Native(params string[] args) => App.Run(args, text, error);
        Assert.True(Native("bench", "steps", "--only", "arm-mnist", "--seconds", "0.05", "--threads", "1", "--json", ours) == 0, error.ToString());
        var root = SideFile.Json(ours);
        Assert.Equal("cpu", root.GetProperty("device").GetString());
        Assert.Equal(1, root.GetProperty("threads").GetInt32());
        Assert.Equal(JsonValueKind.Object, root.GetProperty("graph").ValueKind);
        var figures = root.GetProperty("eager").GetProperty("arm-mnist");
        foreach (string name in (string[])["median_ms", "min_ms", "steps", "peak_bytes", "managed_bytes", "ops", "roof"])
            Assert.True(figures.GetProperty(name).GetDouble() > 0, $"{name}: {figures}");
        Assert.True(figures.GetProperty("min_ms").GetDouble() <= figures.GetProperty("median_ms").GetDouble());
        Assert.True(figures.GetProperty("first_step_difference").GetDouble() is >= 0 and <= 1e-3);

        double median = figures.GetProperty("median_ms").GetDouble();
        string PeerFile(string path, double factor)
        {
            File.WriteAllText(path, $$"""{"torch": "1.2.3", "device": "cpu", "threads": 1, "eager": {"arm-mnist": {"median_ms": {{factor * median:R}}, "min_ms": 1.0, "steps": 5, "setting": "THEIR_THREADS=1"} }, "graph": {} }""");
            return path;
        }
        string[] Record(string name, params string[] files) =>
            ["results", "record", "--peer", .. files, "--native", ours, ours, "--date", "2020-02-03", "--machine", "A processor", "--commit", "abc", "--out", record];
        Assert.True(Native(Record("two", PeerFile(peer, 2), PeerFile(_folder.File("peer2.json"), 4))) == 0, error.ToString());
        var sitting = SideFile.Json(record).GetProperty("workloads").GetProperty("arm-mnist");
        Assert.Equal("THEIR_THREADS=1", sitting.GetProperty("peer").GetProperty("setting").GetString());
        var ratio = sitting.GetProperty("ratio");
        Assert.Equal(3, ratio.GetProperty("median").GetDouble(), 1e-9);
        Assert.Equal((2, 4), (Math.Round(ratio.GetProperty("lowest").GetDouble(), 9), Math.Round(ratio.GetProperty("highest").GetDouble(), 9)));
        text.GetStringBuilder().Clear();
        Assert.Equal(0, Native("results", "readme", record));
        Assert.Contains("2020-02-03, A processor, 1 threads, PyTorch 1.2.3, commit abc", text.ToString());
        Assert.Contains("| 3.00 (2.00 to 4.00) |", text.ToString());

        // A round too few on one side: no ratio can be taken.
        Assert.Equal(2, Native(Record("one", peer)));
        Assert.Contains("results: arm-mnist has 1 rounds of the peer and 2 of Native.", error.ToString());
        Assert.Equal(2, Native("results", "readme", ours));
    }
}
