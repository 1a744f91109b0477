using System.CommandLine;
using System.Diagnostics;
using System.Text;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary>A statement that the suite tests, and what was found.</summary>
internal sealed record SuiteCheck(string Claim, bool Holds, string Found);

/// <summary>The figures that the claims are about, fractions; NaN where one is undefined.</summary>
internal sealed record SuiteFigures(
    double Joint, double Naive, double Replay, double NaiveForgets, double ReplayForgets, bool Same, int GradChecks, int GradChecksFailed)
{
    /// <summary>Every claim, judged. NaN compares false, so a claim about it does not hold.</summary>
    public IReadOnlyList<SuiteCheck> Claims() =>
    [
        new("joint training reaches 85%", Joint >= 0.85, Percent(Joint)),
        new("fine-tuning knows the last task only (15 to 25%)", Naive is >= 0.15 and <= 0.25, Percent(Naive)),
        new("fine-tuning forgets (above 80%)", NaiveForgets > 0.8, Percent(NaiveForgets)),
        new("replay of 500 images is at least 30 points above fine-tuning", Replay >= Naive + 0.3, $"{Percent(Replay)} against {Percent(Naive)}"),
        new("replay forgets less than fine-tuning", ReplayForgets < NaiveForgets, $"{Percent(ReplayForgets)} against {Percent(NaiveForgets)}"),
        new("joint training is above replay", Joint > Replay, $"{Percent(Joint)} against {Percent(Replay)}"),
        new("the same seed gives the same accuracies", Same, Same ? "equal bits" : "they differ"),
        new($"derivatives of every op agree with differences, orders 1 to {SuiteCommand.GradOrder}", GradChecks > 0 && GradChecksFailed == 0,
            $"{GradChecks - GradChecksFailed} of {GradChecks}"),
    ];

    private static string Percent(double fraction) => SuiteCommand.Percent(fraction);
}

/// <summary>
/// <c>native suite</c>: in under a minute, everything that exists once: each method on the stream, the gradients of every op, the speed of a
/// few. Fails when a claim does not hold.
/// </summary>
internal static class SuiteCommand
{
    // As many images as the drawn digits have: with MNIST at hand the suite takes no longer, and says which part it used.
    private const int TrainImages = 12_000, TestImages = 2_000;
    private const int Seeds = 2, SamplesPerOp = 2;

    /// <summary>Highest order of derivative checked.</summary>
    public const int GradOrder = 2;

    private const double BenchSeconds = 0.25;
    private static readonly string[] BenchOps = ["matmul-256-nn", "matmul-1024-nn", "matmul-10x784x400-nt", "add-1048576", "tanh-1048576"];

    public static Command Create(Ui ui)
    {
        var stream = new Option<string>("--stream")
        {
            Description = $"Stream: {string.Join(", ", StreamTable.All.Select(s => s.Name))}.",
            HelpName = "NAME",
            DefaultValueFactory = _ => "split-mnist",
        };
        var folder = new Option<string>("--out")
        { Description = "Folder for the results.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("runs", "suite") };
        var data = DataCommand.FolderOption();
        var command = new Command("suite", "Runs everything once, briefly, and checks what it must show.") { stream, folder, data };
        command.SetAction(parse => Run(ui, StreamTable.Find(parse.GetRequiredValue(stream)),
            new StreamRequest(DataFolder.From(parse.GetValue(data)))
            { Explicit = parse.GetValue(data) is not null, MaxTrain = TrainImages, MaxTest = TestImages },
            parse.GetRequiredValue(folder)));
        return command;
    }

    private static int Run(Ui ui, StreamRow row, StreamRequest request, string folder)
    {
        if (folder.Length == 0)
            throw new UsageException("suite: the name of the folder for the results is empty. Give --out DIR.");
        AtomicFile.Probe(Path.Combine(folder, "suite.json"));
        var clock = Stopwatch.StartNew();
        var stream = row.Build(request);
        RunCommand.DescribeData(ui, stream);
        var runs = Methods(ui, row, request);
        var repeat = MethodRun.Execute(runs[0].Spec, stream, null, ui.Cancel);
        var grads = Gradients(ui);
        var roof = Roof.Measure();
        var timings = OpBench.All.Where(o => BenchOps.Contains(o.Name)).Select(o =>
        {
            ui.Status($"speed of {o.Name}");
            return o.Time(BenchSeconds, ui.Cancel);
        }).ToArray();
        var checks = Figures(runs, repeat, grads).Claims();
        Print(ui, runs, grads, roof, timings, checks, clock.Elapsed);
        Write(folder, stream, runs, grads, roof, timings, checks);
        ui.Line($"{clock.Elapsed.TotalSeconds:F1} s; results in {folder}");
        return Verdict(checks);
    }

    private static List<RunRecord> Methods(Ui ui, StreamRow row, StreamRequest request)
    {
        var runs = new List<RunRecord>();
        foreach (var method in MethodTable.All)
            for (ulong seed = 0; seed < Seeds; seed++)
            {
                var spec = new RunSpec(method, row.Name, Scenario.ClassIncremental, seed, new TrainerOptions(), new MethodSettings());
                runs.Add(MethodRun.Execute(spec, row.Build(request with { Seed = seed }), p =>
                    ui.Status($"{method.Name}, seed {seed}: phase {p.Phase}/{p.Phases}, step {p.Step}/{p.Steps}"), ui.Cancel));
            }
        return runs;
    }

    private static List<GradCheckRow> Gradients(Ui ui)
    {
        var rows = new List<GradCheckRow>();
        foreach (var op in OpTable.All)
            for (int order = 1; order <= GradOrder; order++)
            {
                ui.Cancel.ThrowIfCancellationRequested();
                ui.Status($"gradients of {op.Name}, order {order}");
                if (GradCheck.RunRow(op, order, seed: 0, atMost: SamplesPerOp) is { Count: > 0 } reports)
                    rows.Add(new GradCheckRow(op.Name, order, reports));
            }
        return rows;
    }

    private static SuiteFigures Figures(List<RunRecord> runs, RunRecord repeat, List<GradCheckRow> grads) => new(
        Mean(runs, "joint", "averageAccuracy"), Mean(runs, "naive", "averageAccuracy"), Mean(runs, "er", "averageAccuracy"),
        Mean(runs, "naive", "forgetting"), Mean(runs, "er", "forgetting"),
        Enumerable.Range(0, repeat.Result.Matrix.Rows).All(i => repeat.Result.Matrix.Row(i).SequenceEqual(runs[0].Result.Matrix.Row(i))),
        grads.Count, grads.Count(g => g.Failure is not null));

    /// <summary>The exit code: every claim must hold.</summary>
    public static int Verdict(IEnumerable<SuiteCheck> checks) => checks.All(c => c.Holds) ? App.Success : App.Failed;

    private static double Mean(List<RunRecord> runs, string method, string metric) =>
        runs.Where(r => r.Spec.Method.Name == method).Select(r => r[metric] ?? double.NaN).Average();

    private static void Print(Ui ui, List<RunRecord> runs, List<GradCheckRow> grads, Roof roof, OpTiming[] timings, IReadOnlyList<SuiteCheck> checks, TimeSpan elapsed)
    {
        ui.Line();
        ui.Line($"class-incremental, {Seeds} seeds, 1 epoch, batch 10");
        ui.Table(MethodHeadings, MethodRows(runs));
        ui.Line($"speed; {roof.Describe()}");
        ui.Line(BenchCommand.Legend);
        ui.Table(BenchCommand.Headings, timings.Select(t => BenchCommand.Row(t, roof)));
        foreach (var g in grads.Where(g => g.Failure is not null))
            ui.Line(g.Failure!.ToString());
        ui.Table(["claim", "found", "holds"], checks.Select(c => new[] { c.Claim, c.Found, c.Holds ? "yes" : "NO" }));
    }

    private static readonly string[] MethodHeadings = ["method", "average accuracy>", "by seed>", "forgetting>", "stored bits>", "s per run>"];

    private static IEnumerable<string[]> MethodRows(List<RunRecord> runs) => runs.GroupBy(r => r.Spec.Method.Name).Select(g =>
    {
        var first = g.First();
        var forgetting = first.Metrics.First(m => m.Key == "forgetting");
        return new[]
        {
            g.Key, Percent(g.Average(r => r["averageAccuracy"] ?? double.NaN)), string.Join(" ", g.Select(r => Percent(r["averageAccuracy"] ?? double.NaN))),
            forgetting.Value is null ? forgetting.ToString() : Percent(g.Average(r => r["forgetting"] ?? double.NaN)),
            $"{first.StorageBits}", $"{g.Average(r => r.Result.TrainTime.TotalSeconds):F1}",
        };
    });

    private static void Write(string folder, TaskStream stream, List<RunRecord> runs, List<GradCheckRow> grads, Roof roof, OpTiming[] timings,
        IReadOnlyList<SuiteCheck> checks)
    {
        foreach (var run in runs)
            AtomicFile.WriteJson(Path.Combine(folder, $"{run.Spec.Method.Name}-seed{run.Spec.Seed}.json"), json => MethodRun.WriteJson(json, run));
        AtomicFile.WriteJson(Path.Combine(folder, "suite.json"), json =>
        {
            json.WriteNumber("schema", 1);
            json.WriteString("engine", Engine.Version);
            json.WriteString("data", $"{stream.TrainItems.Name} and {stream.TestItems.Name}; {stream.TrainItems.Provenance}");
            json.WriteStartArray("runs");
            foreach (var run in runs)
            {
                json.WriteStartObject();
                MethodRun.WriteJson(json, run);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteNumber("gradChecks", grads.Count);
            json.WriteNumber("gradChecksFailed", grads.Count(g => g.Failure is not null));
            BenchCommand.WriteJson(json, roof, timings);
            json.WriteStartArray("checks");
            foreach (var c in checks)
            {
                json.WriteStartObject();
                json.WriteString("claim", c.Claim);
                json.WriteBoolean("holds", c.Holds);
                json.WriteString("found", c.Found);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        });
        AtomicFile.WriteText(Path.Combine(folder, "suite.md"), Markdown(stream, runs, roof, timings, checks));
    }

    private static string Markdown(TaskStream stream, List<RunRecord> runs, Roof roof, OpTiming[] timings, IReadOnlyList<SuiteCheck> checks)
    {
        var (train, test) = (stream.TrainItems, stream.TestItems);
        var text = new StringBuilder("# Suite\n\n");
        text.Append($"Data: {train.Name} ({train.Count} images) and {test.Name} ({test.Count}); {train.Provenance}. ");
        text.Append($"Class-incremental, {Seeds} seeds, 1 epoch, batch 10.\n\n");
        Table(text, MethodHeadings, MethodRows(runs));
        text.Append($"Speed; {roof.Describe()}. {BenchCommand.Legend}\n\n");
        Table(text, BenchCommand.Headings, timings.Select(t => BenchCommand.Row(t, roof)));
        Table(text, ["claim", "found", "holds"], checks.Select(c => new[] { c.Claim, c.Found, c.Holds ? "yes" : "NO" }));
        text.Append("Definitions:\n\n");
        foreach (var m in runs[0].Metrics)
            text.Append($"- {m.Name}: {m.Definition}\n");
        return text.ToString();
    }

    private static void Table(StringBuilder text, IReadOnlyList<string> headings, IEnumerable<IReadOnlyList<string>> rows)
    {
        text.Append($"| {string.Join(" | ", headings.Select(h => h.TrimEnd('>')))} |\n");
        text.Append($"| {string.Join(" | ", headings.Select(h => h.EndsWith('>') ? "---:" : "---"))} |\n");
        foreach (var row in rows)
            text.Append($"| {string.Join(" | ", row)} |\n");
        text.Append('\n');
    }

    /// <summary>A fraction as a percentage; NaN, an undefined figure, as n/a.</summary>
    public static string Percent(double fraction) => double.IsNaN(fraction) ? "n/a" : $"{100 * fraction:F2}%";
}
