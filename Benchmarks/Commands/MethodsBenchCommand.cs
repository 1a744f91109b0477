using System.CommandLine;
using System.Diagnostics;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary><c>native bench methods</c>: the time of a step of every method in every task of a stream, which must not grow with what has been learned.</summary>
internal static class MethodsBenchCommand
{
    private const int BatchSize = 10;

    public static Command Create(Ui ui)
    {
        var only = new Option<string?>("--only") { Description = "Only these methods, separated by commas.", HelpName = "LIST" };
        var stream = new Option<string>("--stream") { Description = "Which stream.", HelpName = "NAME", DefaultValueFactory = _ => "digits-5k-5" };
        var steps = new Option<int>("--steps") { Description = "Steps in each task.", HelpName = "N", DefaultValueFactory = _ => 30 };
        var json = new Option<string?>("--json") { Description = "Write the figures to this file.", HelpName = "FILE" };
        var command = new Command("methods", "Times a step of every method, task by task.") { only, stream, steps, json };
        command.SetAction(parse => Run(ui, parse.GetValue(only), parse.GetRequiredValue(stream), parse.GetValue(steps), parse.GetValue(json)));
        return command;
    }

    private static int Run(Ui ui, string? only, string name, int steps, string? json)
    {
        if (steps is < 3 or > 100_000)
            throw new UsageException($"bench methods: --steps must be 3 to 100000, for a median; got {steps}.");
        IReadOnlyList<MethodRow> rows = only is null ? [.. MethodTable.All.Where(m => !m.Joint && m.Scenarios.Contains(Scenario.ClassIncremental))] : [.. only.Split(',').Select(MethodTable.Find)];
        if (rows.FirstOrDefault(m => m.Joint || !m.Scenarios.Contains(Scenario.ClassIncremental)) is { } wrong)
            throw new UsageException($"bench methods: {wrong.Name} does not learn one task after the other with one set of outputs. Leave it out.");
        var stream = StreamTable.Find(name).Build(new StreamRequest(DataFolder.From(null)));
        if (stream.Tasks.FirstOrDefault(t => t.Train.Length < BatchSize) is { } small)
            throw new UsageException($"bench methods: task {small.Name} of {name} has {small.Train.Length} items; a batch is {BatchSize}.");
        if (json is not null)
            AtomicFile.Probe(json);
        var timings = new List<(string Method, double[] Medians)>();
        foreach (var row in rows)
        {
            ui.Status(row.Name);
            timings.Add((row.Name, Time(row, stream, steps, ui.Cancel)));
        }
        ui.Table(["method", .. stream.Tasks.Select(t => $"task {t.Index + 1}, ms>"), "last / second>"],
            timings.Select(t => new[] { t.Method }.Concat(t.Medians.Select(m => $"{1e3 * m:F2}")).Append($"{Growth(t.Medians):F2}").ToArray()));
        ui.Line($"{name}, medians of {steps} steps of {BatchSize} in each task; the first task has nothing to replay.");
        if (json is null)
            return App.Success;
        AtomicFile.WriteJson(json, w =>
        {
            w.WriteNumber("schema", 1);
            w.WriteString("engine", Engine.Version);
            w.WriteString("device", Device.Default.Name);
            w.WriteNumber("threads", Workers.Count);
            w.WriteString("stream", name);
            w.WriteNumber("steps", steps);
            w.WriteStartObject("methods");
            foreach (var (method, medians) in timings)
            {
                w.WriteStartObject(method);
                w.WriteStartArray("medianSeconds");
                foreach (double m in medians)
                    w.WriteNumberValue(m);
                w.WriteEndArray();
                w.WriteNumber("lastOverSecond", Growth(medians));
                w.WriteEndObject();
            }
            w.WriteEndObject();
        });
        ui.Line($"wrote {json}");
        return App.Success;
    }

    private static double Growth(double[] medians) => medians[^1] / medians[Math.Min(1, medians.Length - 1)];

    // The runtime's own warm-up must not look like a method that speeds up: the whole stream is run through once before.
    private static double[] Time(MethodRow row, TaskStream stream, int steps, CancellationToken cancel)
    {
        Through(row, stream, Math.Min(steps, 10), cancel);
        return Through(row, stream, steps, cancel);
    }

    private static double[] Through(MethodRow row, TaskStream stream, int steps, CancellationToken cancel)
    {
        using var method = row.Create(stream, new SeedStreams(0), row.Configure(new MethodSettings(Stream: stream.Name)));
        var medians = new List<double>();
        foreach (var task in stream.Tasks)
        {
            var times = new List<double>();
            method.BeginTask(task, steps);
            for (int i = 0; i < steps; i++)
            {
                cancel.ThrowIfCancellationRequested();
                using var scope = TensorScope.Begin("train-step");
                int from = i * BatchSize % (task.Train.Length - BatchSize + 1);
                var batch = stream.BatchOf(stream.Train, task.Train.AsSpan(from, BatchSize));
                long start = Stopwatch.GetTimestamp();
                double loss = method.Observe(batch).Item();
                times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
                if (!double.IsFinite(loss))
                    throw new NumericException($"{row.Name}: the loss is {loss} at step {i + 1} of task {task.Name}. Its time means nothing.");
            }
            method.EndTask(task);
            medians.Add(SideFile.Median(times));
        }
        return [.. medians];
    }
}
