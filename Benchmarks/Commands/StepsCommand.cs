using System.CommandLine;
using System.Text.Json;

namespace Native.Benchmarks;

/// <summary><c>native bench steps</c>: times of one optimisation step of each reference workload; <c>native profile</c>: where that time goes.</summary>
internal static class StepsCommand
{
    public static Command Create(Ui ui)
    {
        var only = OnlyOption();
        var seconds = new Option<double>("--seconds") { Description = "Time spent on each workload.", HelpName = "S", DefaultValueFactory = _ => 3 };
        var json = new Option<string?>("--json") { Description = "Write the figures to this file.", HelpName = "FILE" };
        var noCheck = new Option<bool>("--no-check") { Description = "Leave out the comparison of the first step with f64." };
        var graph = new Option<bool>("--graph") { Description = "On a GPU or emu:0, also with the whole step in a CUDA graph." };
        var command = new Command("steps", "Times one optimisation step of each reference workload.") { only, seconds, json, noCheck, graph };
        command.SetAction(parse => Run(ui, parse.GetValue(only), parse.GetValue(seconds), parse.GetValue(json), !parse.GetValue(noCheck), parse.GetValue(graph)));
        return command;
    }

    public static Command CreateProfile(Ui ui)
    {
        var name = new Argument<string>("WORKLOAD") { Description = $"One of {string.Join(", ", WorkloadTable.All.Select(w => w.Name))}." };
        var shapes = new Option<bool>("--shapes") { Description = "One row for each op and shape." };
        var top = new Option<int>("--top") { Description = "Rows.", HelpName = "N", DefaultValueFactory = _ => 25 };
        var command = new Command("profile", "Shows where the time of a workload's step goes.") { name, shapes, top };
        command.SetAction(parse =>
        {
            var rows = WorkloadTable.Select(parse.GetRequiredValue(name));
            if (rows.Count > 1)
                throw new UsageException($"profile: one workload at a time; got {rows.Count}.");
            return StepProfile.Run(ui, rows[0], parse.GetValue(shapes), parse.GetValue(top));
        });
        return command;
    }

    /// <summary>A list of workloads.</summary>
    public static Option<string?> OnlyOption() => new("--only")
    {
        Description = $"Only these, separated by commas, of {string.Join(", ", WorkloadTable.All.Select(w => w.Name))}.",
        HelpName = "LIST",
    };

    private static int Run(Ui ui, string? only, double seconds, string? json, bool check, bool graph)
    {
        if (!(seconds > 0 && seconds <= 3600))
            throw new UsageException($"bench: --seconds must be above 0 and at most 3600; got {seconds}.");
        var device = Device.Default;
        if (graph && device.IsCpu)
            throw new UsageException(NoGraphs);
        var rows = WorkloadTable.Select(only);
        if (json is not null)
            AtomicFile.Probe(json);
        var roof = Roof.Of(device, Tf32);
        if (roof.On is not null)
            ui.Line(roof.Describe());
        List<StepTiming> timings = [], graphs = [];
        List<(string Name, string Error)> failed = [];
        foreach (var row in rows)
        {
            ui.Status(row.Name);
            if (device.IsCpu)
            {
                timings.Add(StepBench.Run(row, seconds, roof.Gflops, check, ui.Cancel));
                continue;
            }
            var steps = DeviceStepBench.Run(row, seconds, roof, check, graph, ui.Cancel);
            timings.Add(steps.Eager);
            if (steps.Graph is { } inGraph)
                graphs.Add(inGraph);
            if (steps.GraphError is { } error)
                failed.Add((row.Name, error));
        }
        Print(ui, roof, timings, "workload");
        if (graphs.Count > 0)
            Print(ui, roof, graphs, "in a graph");
        foreach (var (name, error) in failed)
            ui.Line($"{name}: not in a graph. {error}");
        ui.Line((device.IsCpu ? $"of roof: stated operations over {roof.Gflops:F0} GFLOP/s, {roof.Threads} threads. " : DeviceLegend) + "Losses are finite"
            + (!check ? "; the comparison with f64 was left out." : "; those of the first step are within "
            + string.Join(", ", rows.GroupBy(r => r.Bound(Tf32)).OrderBy(g => g.Key).Select(g => $"{g.Key:G1} ({string.Join(", ", g.Select(r => r.Name))})")) + " of the same step in f64."));
        if (json is not null)
        {
            AtomicFile.WriteJson(json, w => WriteJson(w, roof, timings, graphs, failed));
            ui.Line($"wrote {json}");
        }
        return failed.Count == 0 ? App.Success : App.Failed;
    }

    // What the columns of a GPU's table mean.
    private const string DeviceLegend = "ms: until a step is done, by the host's clock. GPU: between events before and after it, waits for the host included. Host: until the step has "
        + "queued its work. Of roof: the least time for each op's stated operations and bytes, summed, over the GPU's. ";

    /// <summary>What --graph is answered on the cpu.</summary>
    public const string NoGraphs = "bench: --graph needs a GPU; the cpu has no graphs. Add --device cuda:0, or emu:0.";

    /// <summary>Whether matrix products and convolutions may round to tf32.</summary>
    public static bool Tf32 => Ambient.Current.Tf32;

    private static void Print(Ui ui, Roof roof, IReadOnlyList<StepTiming> timings, string heading)
    {
        string[] gpu = roof.On is null ? [] : ["GPU ms>", "host ms>", "launches>"];
        ui.Table([heading, "median ms>", "min ms>", .. gpu, "steps>", "peak MiB>", "managed KiB>", "pauses>", "ops>", "of roof>", "f64 differs by>"], timings.Select(t => (string[])
        [
            t.Name, $"{t.MedianMs:F2}", $"{t.MinMs:F2}", .. t.Device is { } d ? (string[])[$"{d.GpuMs:F2}", $"{d.HostMs:F2}", $"{d.Launches}"] : [],
            $"{t.Steps}", $"{t.PeakBytes / 1048576.0:F1}", $"{t.ManagedBytes / 1024.0:F0}",
            $"{100 * t.Pauses:F2}%", $"{t.Ops}", t.Roof is { } r ? $"{100 * r:F0}%" : "n/a", t.Difference is { } f ? $"{f:E1}" : "unchecked",
        ]));
    }

    private static void WriteJson(Utf8JsonWriter w, Roof roof, IReadOnlyList<StepTiming> timings, IReadOnlyList<StepTiming> graphs, IReadOnlyList<(string Name, string Error)> failed)
    {
        w.WriteString("native", Engine.Version);
        w.WriteString("device", Device.Default.Name);
        if (roof.On is { } on)
            w.WriteString("device_name", on);
        w.WriteNumber("threads", Workers.Count);
        w.WriteBoolean("tf32", Tf32);
        w.WriteNumber("roof_gflops", roof.Gflops);
        if (roof.On is not null)
            w.WriteNumber("roof_gigabytes_per_second", roof.Levels[^1].GigabytesPerSecond);
        w.WriteStartObject("eager");
        foreach (var t in timings)
            t.Write(w);
        w.WriteEndObject();
        w.WriteStartObject("graph");
        foreach (var t in graphs)
            t.Write(w);
        foreach (var (name, error) in failed)
        {
            w.WriteStartObject(name);
            w.WriteString("error", error);
            w.WriteEndObject();
        }
        w.WriteEndObject();
    }
}
