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
        var only = new Option<string?>("--only") { Description = "Only ops whose name contains, or whose workload is, one of these, separated by commas.", HelpName = "LIST" };
        var seconds = new Option<double>("--seconds") { Description = "Time spent on each op.", HelpName = "S", DefaultValueFactory = _ => 0.2 };
        var json = new Option<string?>("--json") { Description = "Write the figures to this file.", HelpName = "FILE" };
        var graph = new Option<bool>("--graph") { Description = "On a GPU or emu:0: the calls of a sample are one CUDA graph, so that no call waits for the host." };
        var ops = new Command("ops", "Times every kind of op that the workloads consist of.") { only, seconds, json, graph };
        ops.SetAction(parse => Ops(ui, parse.GetValue(only), parse.GetValue(seconds), parse.GetValue(json), parse.GetValue(graph)));
        var filter = new Option<string>("--filter") { Description = "BenchmarkDotNet's filter, such as '*conv-forward-10x*'.", HelpName = "GLOB", DefaultValueFactory = _ => "*" };
        var job = new Option<string>("--job") { Description = $"How long: {string.Join(", ", Jobs.Select(j => j.Name))}.", HelpName = "NAME", DefaultValueFactory = _ => "short" };
        var bdn = new Command("bdn", "Runs the same ops under BenchmarkDotNet, in this process.") { filter, job };
        bdn.SetAction(parse => Bdn(parse.GetRequiredValue(filter), parse.GetRequiredValue(job)));
        return new Command("bench", "Measures speed.") { ops, StepsCommand.Create(ui), bdn };
    }

    private static readonly (string Name, Job Job)[] Jobs = [("dry", Job.Dry), ("short", Job.ShortRun), ("medium", Job.MediumRun), ("long", Job.LongRun)];

    private static int Bdn(string filter, string name)
    {
        if (Jobs.FirstOrDefault(j => j.Name == name).Job is not { } job)
            throw Native.Methods.Unknown.Name("job", name, [.. Jobs.Select(j => j.Name)]);
        // In this process: the tensors' pool and worker threads are per process, and no second build is needed.
        var config = DefaultConfig.Instance.AddJob(job.WithToolchain(InProcessEmitToolchain.Instance));
        var reports = BenchmarkSwitcher.FromTypes(OpSpeed.Families).Run(["--filter", filter], config).SelectMany(s => s.Reports).ToList();
        if (reports.Count == 0)
            throw new UsageException($"bench bdn: no benchmark matches '{filter}'. The classes are {string.Join(", ", OpSpeed.Families.Select(t => t.Name))}; try --filter '*{OpSpeed.Families[0].Name}*'.");
        return reports.All(r => r.Success) ? App.Success : App.Failed;
    }

    private static int Ops(Ui ui, string? only, double seconds, string? json, bool graph)
    {
        if (!(seconds > 0 && seconds <= 3600))
            throw new UsageException($"bench: --seconds must be above 0 and at most 3600; got {seconds}.");
        var chosen = OpBench.Select(only);
        if (json is not null)
            AtomicFile.Probe(json);
        var device = Device.Default;
        if (graph && device.IsCpu)
            throw new UsageException(StepsCommand.NoGraphs);
        var roof = Roof.Of(device, StepsCommand.Tf32);
        ui.Line(roof.Describe());
        var timings = new List<OpTiming>();
        var failed = new List<string>();
        foreach (var op in chosen)
        {
            ui.Status(op.Name);
            try
            {
                timings.Add(device.IsCpu ? op.Time(seconds, ui.Cancel) : op.TimeOnDevice(seconds, graph, ui.Cancel));
            }
            // On a GPU the other rows are still worth having.
            catch (TensorException e) when (!device.IsCpu)
            {
                failed.Add($"{op.Name}: {e.Message}");
            }
        }
        ui.Table(device.IsCpu ? Headings : DeviceHeadings, timings.Select(t => Row(t, roof)));
        foreach (string line in failed)
            ui.Line(line);
        ui.Line(device.IsCpu ? Legend : $"{Legend} Times are the device's, by events, {(graph ? "in a graph" : "waits for the host included")}; host: until a call has queued its work.");
        int code = failed.Count == 0 ? App.Success : App.Failed;
        if (json is null)
            return code;
        AtomicFile.WriteJson(json, w =>
        {
            w.WriteNumber("schema", 1);
            w.WriteString("engine", Engine.Version);
            w.WriteString("device", device.Name);
            if (roof.On is { } on)
            {
                w.WriteString("deviceName", on);
                w.WriteBoolean("graph", graph);
                w.WriteBoolean("tf32", StepsCommand.Tf32);
            }
            w.WriteNumber("threads", Workers.Count);
            WriteJson(w, roof, timings);
        });
        ui.Line($"wrote {json}");
        return code;
    }

    /// <summary>What the columns mean.</summary>
    public const string Legend = "GFLOP/s and GB/s: at the median. Of roof: the least time for the op's operations and bytes at the roof of its working set, over the minimum. Managed: bytes that a call allocates on its own thread.";

    /// <summary>Column headings of <see cref="Row"/>.</summary>
    public static IReadOnlyList<string> Headings { get; } = ["op", "min us>", "median us>", "GFLOP/s>", "GB/s>", "of roof>", "managed B>", "samples>"];

    /// <summary>Column headings of <see cref="Row"/> on a GPU.</summary>
    public static IReadOnlyList<string> DeviceHeadings { get; } = ["op", "min us>", "median us>", "host us>", "GFLOP/s>", "GB/s>", "of roof>", "managed B>", "samples>"];

    /// <summary>One line of the table.</summary>
    public static IReadOnlyList<string> Row(OpTiming t, Roof roof) =>
    [
        t.Op.Name, $"{t.Minimum * 1e6:F2}", $"{t.Median * 1e6:F2}", .. roof.On is null ? [] : (string[])[$"{t.Host * 1e6:F2}"], t.Op.Flops > 0 ? $"{t.Gflops:F1}" : "", $"{t.GigabytesPerSecond:F1}",
        $"{100 * Fraction(t, roof):F0}%", $"{t.Managed:F0}", $"{t.Samples}",
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
            json.WriteString("family", t.Op.Family);
            json.WriteString("kind", t.Op.Case.Kind);
            Array(json, "sizes", t.Op.Case.Sizes, json.WriteNumberValue);
            Array(json, "workloads", t.Op.Workloads, json.WriteStringValue);
            json.WriteNumber("flops", t.Op.Flops);
            json.WriteNumber("bytes", t.Op.Bytes);
            json.WriteNumber("minimumSeconds", t.Minimum);
            json.WriteNumber("medianSeconds", t.Median);
            if (roof.On is not null)
                json.WriteNumber("hostSeconds", t.Host);
            json.WriteNumber("gflops", t.Gflops);
            json.WriteNumber("gigabytesPerSecond", t.GigabytesPerSecond);
            json.WriteNumber("ofRoof", Fraction(t, roof));
            json.WriteNumber("managedBytes", t.Managed);
            json.WriteNumber("samples", t.Samples);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void Array<T>(Utf8JsonWriter json, string name, IEnumerable<T> values, Action<T> write)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
            write(value);
        json.WriteEndArray();
    }

    private static double Fraction(OpTiming t, Roof roof) => roof.Seconds(t.Op.Flops, t.Op.Bytes, t.Op.WorkingSet) / t.Minimum;
}
