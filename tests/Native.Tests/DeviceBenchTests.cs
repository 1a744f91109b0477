using System.Text.Json;
using Native.Benchmarks;

namespace Native.Tests;

/// <summary>The benches of a GPU on the emulator: what they measure there says nothing, but that they measure it, check it and write it down does.</summary>
[Trait("Category", "Emulator")]
[Collection(WorkersCollection.Name)]
public sealed class DeviceBenchTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static (int Code, string Output, string Error) Native(params string[] args)
    {
        using StringWriter output = new(), error = new();
        int code = App.Run(args, output, error);
        return (code, output.ToString(), error.ToString());
    }

    [NeedsFact(GpuKit.Gxx)]
    public void Steps_are_timed_with_and_without_a_graph_and_make_a_table()
    {
        string ours = _folder.File("native.json"), peer = _folder.File("peer.json"), record = _folder.File("steps.json");
        var (code, output, error) = Native("bench", "steps", "--device", "emu:0", "--graph", "--only", "arm-mnist", "--seconds", "0.05", "--json", ours);
        Assert.True(code == 0, error + output);
        var root = SideFile.Json(ours);
        Assert.Equal("emu:0", root.GetProperty("device").GetString());
        foreach (string section in (string[])["eager", "graph"])
        {
            var figures = root.GetProperty(section).GetProperty("arm-mnist");
            foreach (string name in (string[])["median_ms", "min_ms", "gpu_ms", "host_ms", "launches", "ops", "roof", "peak_bytes"])
                Assert.True(figures.GetProperty(name).GetDouble() > 0, $"{section} {name}: {figures}");
            Assert.True(figures.GetProperty("first_step_difference").GetDouble() is >= 0 and <= 1e-3);
        }
        // A replay has no more work for the host than its launch; a step has all of it.
        Assert.True(root.GetProperty("graph").GetProperty("arm-mnist").GetProperty("managed_bytes").GetInt64() < root.GetProperty("eager").GetProperty("arm-mnist").GetProperty("managed_bytes").GetInt64() / 10);

        double eager = root.GetProperty("eager").GetProperty("arm-mnist").GetProperty("median_ms").GetDouble(), graph = root.GetProperty("graph").GetProperty("arm-mnist").GetProperty("median_ms").GetDouble();
        string[] Record(string device, string inGraph)
        {
            File.WriteAllText(peer, $$"""{"torch": "1.2.3", "device": "{{device}}", "tf32": false, "eager": {"arm-mnist": {"median_ms": {{5 * eager:R}}, "min_ms": 1.0, "steps": 5} }, "graph": {"arm-mnist": {{inGraph}} } }""");
            return ["results", "record", "--peer", peer, "--native", ours, "--date", "2020-02-03", "--machine", "A machine", "--commit", "abc", "--out", record];
        }
        Assert.Equal(0, Native(Record("emu", $$"""{"median_ms": {{2 * graph:R}}, "min_ms": 1.0, "steps": 5}""")).Code);
        Assert.Equal(2, SideFile.Json(record).GetProperty("graphs").GetProperty("arm-mnist").GetProperty("ratio").GetProperty("median").GetDouble(), 1e-9);
        string table = Native("results", "readme", record).Output;
        Assert.Contains("2020-02-03, emu:0 (emulated), A machine, f32, PyTorch 1.2.3, commit abc.", table);
        Assert.Matches(@"\| `arm-mnist` \| [\d.]+ \| [\d.]+ \| 5\.00 \| [\d.]+ \| [\d.]+ \| 2\.00 \| [\d.]+ \| [\d.]+ \| \d+ \| \d+% \|", table);

        // The peer could not capture it: its error is its result, and the row has no ratio in a graph.
        Assert.Equal(0, Native(Record("emu", """{"error": "cannot"}""")).Code);
        Assert.False(SideFile.Json(record).TryGetProperty("graphs", out _));
        Assert.Matches(@"\| 5\.00 \|  \|  \|  \| [\d.]+ \|", Native("results", "readme", record).Output);

        var (mixed, _, sentence) = Native(Record("cuda", """{"error": "cannot"}"""));
        Assert.Equal((2, "results: some files were measured on cuda, some on emu. Give the files of one device and one precision."), (mixed, sentence.TrimEnd()));
    }

    [NeedsFact(GpuKit.Gxx)]
    public void Ops_are_timed_with_and_without_a_graph()
    {
        foreach (bool graph in (bool[])[false, true])
        {
            string json = _folder.File($"ops-{graph}.json");
            var (code, output, error) = Native(["bench", "ops", "--device", "emu:0", "--only", "recorded-add,tanh-chain-forward-backward,softmax-forward-10x10", "--seconds", "0.02", "--json", json, .. graph ? (string[])["--graph"] : []]);
            Assert.True(code == 0, error + output);
            var root = SideFile.Json(json);
            Assert.Equal(graph, root.GetProperty("graph").GetBoolean());
            Assert.Equal(4, root.GetProperty("ops").GetArrayLength());
            Assert.All(root.GetProperty("ops").EnumerateArray(), o => Assert.True(o.GetProperty("minimumSeconds").GetDouble() > 0 && o.GetProperty("hostSeconds").GetDouble() > 0));
            Assert.True(root.GetProperty("roof").GetProperty("gflops").GetDouble() > 0);
        }
    }

    [Theory]
    [InlineData("steps")]
    [InlineData("ops")]
    public void The_cpu_has_no_graphs(string verb)
    {
        var (code, _, error) = Native("bench", verb, "--graph");
        Assert.Equal((2, "bench: --graph needs a GPU; the cpu has no graphs. Add --device cuda:0, or emu:0."), (code, error.TrimEnd()));
    }

    [NeedsFact(GpuKit.Gxx)]
    public void Kernels_of_the_roof_count_what_they_do() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin("roof");
        var device = Emulated.Device;
        int threads = RoofCuda.Threads(device);
        var sink = Tensor.Empty([threads], DType.F32, device);
        // Eight chains that stay at 1; eight sums of products of ones and halves, 8 deep, 4 numbers of each per lane.
        Assert.Equal(2.0 * 8 * 3 * threads, RoofCuda.Compute(sink, 3, tf32: false));
        Assert.Equal([8f], sink.ToArray<float>().Distinct());
        Assert.Equal(2.0 * 16 * 8 * 8 * 8 * 3 * (threads / 32), RoofCuda.Compute(sink, 3, tf32: true));
        Assert.Equal([8 * 4 * 3 * 8 * 0.5f], sink.ToArray<float>().Distinct());
        foreach (int n in (int[])[4, 1000, 40_000])
        {
            Tensor a = Tensor.Rand([n], new Generator(1), device: device), b = Tensor.Rand([n], new Generator(2), device: device), y = Tensor.Empty([n], DType.F32, device);
            Assert.Equal(12.0 * n * 5, RoofCuda.Stream(y, a, b, 5));
            Assert.Null(OpKit.BitDifference(OpKit.ToDoubles([a + b]), OpKit.ToDoubles([y])));
        }
    });
}
