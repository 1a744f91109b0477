using System.CommandLine;
using System.Text.Json;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Native.Benchmarks;

/// <summary><c>native bench ops</c>: times of ops beside the roof of the machine; <c>native bench bdn</c>: the same under BenchmarkDotNet.</summary>
internal static class BenchCommand
{
    public static Command Create(Ui ui)
    {
        var only = new Option<string?>("--only") { Description = "Only ops whose name contains this.", HelpName = "TEXT" };
        var seconds = new Option<double>("--seconds") { Description = "Time spent on each op.", HelpName = "S", DefaultValueFactory = _ => 0.5 };
        var json = new Option<string?>("--json") { Description = "Write the figures to this file.", HelpName = "FILE" };
        var ops = new Command("ops", "Times matrix products and pointwise chains.") { only, seconds, json };
        ops.SetAction(parse => Ops(ui, parse.GetValue(only), parse.GetValue(seconds), parse.GetValue(json)));
        var filter = new Option<string>("--filter") { Description = "BenchmarkDotNet's filter.", HelpName = "GLOB", DefaultValueFactory = _ => "*" };
        var bdn = new Command("bdn", "Runs the same ops under BenchmarkDotNet, in this process.") { filter };
        bdn.SetAction(parse =>
        {
            // In this process: the tensors' pool and worker threads are per process, and no second build is needed.
            var config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
            return BenchmarkSwitcher.FromTypes([typeof(OpSpeed)]).Run(["--filter", parse.GetRequiredValue(filter)], config).Any() ? App.Success : App.Failed;
        });
        return new Command("bench", "Measures speed.") { ops, StepsCommand.Create(ui), bdn };
    }

    private static int Ops(Ui ui, string? only, double seconds, string? json)
    {
        if (!(seconds > 0 && seconds <= 3600))
            throw new UsageException($"bench: --seconds must be above 0 and at most 3600; got {seconds}.");
        var chosen = OpBench.All.Where(o => only is null || o.Name.Contains(only, StringComparison.Ordinal)).ToArray();
        if (chosen.Length == 0)
            throw Native.Methods.Unknown.Name("bench", only!, [.. OpBench.All.Select(o => o.Name)]);
        if (json is not null)
            AtomicFile.Probe(json);
        var roof = Roof.Measure();
        ui.Line(roof.Describe());
        var timings = new List<OpTiming>();
        foreach (var op in chosen)
        {
            ui.Status(op.Name);
            timings.Add(op.Time(seconds, ui.Cancel));
        }
        ui.Table(Headings, timings.Select(t => Row(t, roof)));
        ui.Line(Legend);
        if (json is null)
            return App.Success;
        AtomicFile.WriteJson(json, w =>
        {
            w.WriteNumber("schema", 1);
            w.WriteString("engine", Engine.Version);
            WriteJson(w, roof, timings);
        });
        ui.Line($"wrote {json}");
        return App.Success;
    }

    /// <summary>What the columns mean.</summary>
    public const string Legend = "GFLOP/s and GB/s: at the median. Of roof: the least time for the op's operations and bytes at the roof of its working set, over the minimum.";

    /// <summary>Column headings of <see cref="Row"/>.</summary>
    public static IReadOnlyList<string> Headings { get; } = ["op", "min us>", "median us>", "GFLOP/s>", "GB/s>", "of roof>", "samples>"];

    /// <summary>One line of the table.</summary>
    public static IReadOnlyList<string> Row(OpTiming t, Roof roof) =>
    [
        t.Op.Name, $"{t.Minimum * 1e6:F2}", $"{t.Median * 1e6:F2}", $"{t.Gflops:F1}", $"{t.GigabytesPerSecond:F1}", $"{100 * Fraction(t, roof):F0}%", $"{t.Samples}",
    ];

    /// <summary>Roof and ops, into an open object.</summary>
    public static void WriteJson(Utf8JsonWriter json, Roof roof, IEnumerable<OpTiming> timings)
    {
        json.WriteStartObject("roof");
        json.WriteNumber("gflops", roof.Gflops);
        json.WriteStartArray("streams");
        foreach (var (upTo, rate) in roof.Levels)
        {
            json.WriteStartObject();
            json.WriteNumber("upToBytes", upTo);
            json.WriteNumber("gigabytesPerSecond", rate);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteNumber("threads", roof.Threads);
        json.WriteEndObject();
        json.WriteStartArray("ops");
        foreach (var t in timings)
        {
            json.WriteStartObject();
            json.WriteString("op", t.Op.Name);
            json.WriteNumber("minimumSeconds", t.Minimum);
            json.WriteNumber("medianSeconds", t.Median);
            json.WriteNumber("gflops", t.Gflops);
            json.WriteNumber("gigabytesPerSecond", t.GigabytesPerSecond);
            json.WriteNumber("ofRoof", Fraction(t, roof));
            json.WriteNumber("samples", t.Samples);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static double Fraction(OpTiming t, Roof roof) => roof.Seconds(t.Op.Flops, t.Op.Bytes) / t.Minimum;
}
