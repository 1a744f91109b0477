using System.CommandLine;

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
        var command = new Command("steps", "Times one optimisation step of each reference workload.") { only, seconds, json, noCheck };
        command.SetAction(parse => Run(ui, parse.GetValue(only), parse.GetValue(seconds), parse.GetValue(json), !parse.GetValue(noCheck)));
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

    private static int Run(Ui ui, string? only, double seconds, string? json, bool check)
    {
        if (!(seconds > 0 && seconds <= 3600))
            throw new UsageException($"bench: --seconds must be above 0 and at most 3600; got {seconds}.");
        var rows = WorkloadTable.Select(only);
        if (json is not null)
            AtomicFile.Probe(json);
        var roof = Roof.Measure();
        var timings = new List<StepTiming>();
        foreach (var row in rows)
        {
            ui.Status(row.Name);
            timings.Add(StepBench.Run(row, seconds, roof.Gflops, check, ui.Cancel));
        }
        ui.Table(["workload", "median ms>", "min ms>", "steps>", "peak MiB>", "managed KiB>", "pauses>", "ops>", "of roof>", "f64 differs by>"], timings.Select(t => new[]
        {
            t.Name, $"{t.MedianMs:F2}", $"{t.MinMs:F2}", $"{t.Steps}", $"{t.PeakBytes / 1048576.0:F1}", $"{t.ManagedBytes / 1024.0:F0}",
            $"{100 * t.Pauses:F2}%", $"{t.Ops}", t.Roof is { } r ? $"{100 * r:F0}%" : "n/a", t.Difference is { } d ? $"{d:E1}" : "unchecked",
        }));
        ui.Line($"of roof: stated operations over {roof.Gflops:F0} GFLOP/s, {roof.Threads} threads. Losses are finite" + (!check ? "; the comparison with f64 was left out." : "; those of the first step are within "
            + string.Join(", ", rows.GroupBy(r => r.Tolerance).OrderBy(g => g.Key).Select(g => $"{g.Key:G1} ({string.Join(", ", g.Select(r => r.Name))})")) + " of the same step in f64."));
        if (json is null)
            return App.Success;
        AtomicFile.WriteJson(json, w =>
        {
            w.WriteString("native", Engine.Version);
            w.WriteString("device", Device.Default.Name);
            w.WriteNumber("threads", Workers.Count);
            w.WriteBoolean("tf32", Ambient.Current.Tf32);
            w.WriteNumber("roof_gflops", roof.Gflops);
            w.WriteStartObject("eager");
            foreach (var t in timings)
                t.Write(w);
            w.WriteEndObject();
            w.WriteStartObject("graph");
            w.WriteEndObject();
        });
        ui.Line($"wrote {json}");
        return App.Success;
    }
}
