using System.CommandLine;
using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary>
/// <c>native suite</c>: runs the cells of a plan that are not done. Preset quick, the default, is every method once, briefly, the gradients of every op and the speed of
/// a few, with claims that must hold; preset paper is every published table whose methods and data are here.
/// </summary>
internal static class SuiteCommand
{
    private const string PlanFile = "plan.json", Other = "other version";

    public static Command Create(Ui ui)
    {
        var stream = new Option<string>("--stream")
        {
            Description = $"Stream of preset quick: {string.Join(", ", StreamTable.All.Select(s => s.Name))}.",
            HelpName = "NAME",
            DefaultValueFactory = _ => "split-mnist",
        };
        var options = new PlanOptions(Preset.Quick, Path.Combine("runs", "suite"));
        var command = new Command("suite", "Runs many cells, skips what is done, and checks what they must show.") { stream };
        options.AddTo(command);
        command.SetAction(parse => Run(ui, options.Of(parse), StreamTable.Find(parse.GetRequiredValue(stream))));
        command.Add(Status(ui));
        command.Add(Merge(ui));
        return command;
    }

    private static int Run(Ui ui, PlanOptions options, StreamRow stream)
    {
        var clock = Stopwatch.StartNew();
        var store = new CellStore(options.Folder);
        bool quick = options.Preset == Preset.Quick;
        var tables = quick ? [] : PaperTables.All.Select(t => new Reproduction(t, Preset.Paper, options.Seeds, options.Data)).ToList();
        IReadOnlyList<Cell> all = quick ? Quick(stream, options) : [.. tables.SelectMany(t => t.Plan()
            .Where(c => options.Only is not { } only || only.Matches(t.Table.Id, c.Method, c.Stream))).Distinct()];
        var plan = options.Part(all);
        if (plan.Count == 0)
            throw new UsageException($"suite: no cell is meant by --only {options.Only}. Name a method, a stream or, with --preset paper, a table.");
        WritePlan(options.Folder, all);
        ui.Line($"preset {PlanOptions.Name(options.Preset)}, seeds 0 to {options.Seeds - 1}: {plan.Count} cells, {plan.Count(c => store.Status(c) == CellStatus.Done)} done already");
        if (quick)
            RunCommand.DescribeData(ui, Build(plan[0], options.Data));
        int left = new CellRunner(store, options.Cells, ui).Run(plan);
        if (options.Index is not null)
            return Failures(ui, store, plan, left);
        ui.Line();
        var table = CellTable.Of(store, plan);
        table.Print(ui);
        // A part of the plan says nothing about the claims.
        int verdict = quick && options.Only is null ? Checks(ui, options, store, plan, table) : App.Success;
        if (!quick)
            Papers(ui, store, options.Folder, tables);
        int failures = Failures(ui, store, plan, left);
        ui.Line($"{clock.Elapsed.TotalSeconds:F1} s; results in {options.Folder}");
        return Math.Max(verdict, failures);
    }

    // What it trains is arm; the study of its gradients is a table of its own.
    private const string Study = "arm-gradients";

    // Its released code is run beside it, as a control: both claim something.
    private const string Sleeper = "mygo";

    /// <summary>Every method that can run on the stream, seed by seed.</summary>
    private static IReadOnlyList<Cell> Quick(StreamRow stream, PlanOptions options)
    {
        string name = Real(stream.Name, options.Data);
        return [.. Enumerable.Range(0, options.Seeds).SelectMany(seed => MethodTable.All
            .Where(m => m.Scenarios.Contains(m.Usual ?? stream.Usual) && m.Missing() is null && (options.Only is { } only ? only.Matches(m.Name, name) : m.Name != Study))
            .SelectMany(m => m.Name == Sleeper ? new[] { new[] { "variant=literal" }, [] } : [[]], (m, set) => (Method: m, Set: set))
            .Select(m => Cell.Of(new RunSpec(m.Method, name, m.Method.Usual ?? stream.Usual, (ulong)seed, new TrainerOptions(), Recipe.QuickSettings(m.Method.Name, name, m.Set),
                MaxTrain: Recipe.QuickItems(name), MaxTest: Recipe.QuickTest))))];
    }

    /// <summary>The stream that a cell is of: with no MNIST at hand, one of drawn digits, and it says so.</summary>
    public static string Real(string stream, DataFolder data) => stream == "split-mnist" && !Mnist.Here(data) ? "split-digits" : stream;

    private static TaskStream Build(Cell cell, DataFolder data) => StreamTable.Find(cell.Stream)
        .Build(new StreamRequest(data, cell.Scenario, cell.Seed) { Explicit = true, MaxTrain = cell.MaxTrain, MaxTest = cell.MaxTest });

    private static int Checks(Ui ui, PlanOptions options, CellStore store, IReadOnlyList<Cell> plan, ReportTable table)
    {
        var engine = EngineChecks.Make(ui);
        var checks = Figures(plan, store, engine, Repeats(plan[0], store, options.Data, ui)).Claims();
        var claims = new ReportTable(["claim", "found", "holds"], [.. checks.Select(c => new[] { c.Claim, c.Found, c.Holds ? "yes" : "NO" })]);
        ui.Line($"speed; {engine.Roof.Describe()}");
        ui.Line(BenchCommand.Legend);
        engine.Speeds.Print(ui);
        foreach (var g in engine.Gradients.Where(g => g.Failure is not null))
            ui.Line(g.Failure!.ToString());
        claims.Print(ui);
        var text = new StringBuilder("# Suite\n\n").Append(table.Markdown()).Append('\n');
        text.Append($"Speed; {engine.Roof.Describe()}. {BenchCommand.Legend}\n\n{engine.Speeds.Markdown()}\n{claims.Markdown()}");
        AtomicFile.WriteText(Path.Combine(options.Folder, "suite.md"), text.ToString());
        AtomicFile.WriteText(Path.Combine(options.Folder, "suite.csv"), table.Csv());
        AtomicFile.WriteJson(Path.Combine(options.Folder, "suite.json"), json =>
        {
            json.WriteNumber("schema", 2);
            json.WriteString("engine", Engine.Id);
            json.WriteStartArray("cells");
            foreach (var cell in plan)
                json.WriteStringValue(cell.Id);
            json.WriteEndArray();
            json.WriteNumber("gradChecks", engine.Gradients.Count);
            json.WriteNumber("gradChecksFailed", engine.Gradients.Count(g => g.Failure is not null));
            BenchCommand.WriteJson(json, engine.Roof, [.. engine.Timings]);
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
        return Verdict(checks);
    }

    // The first cell once more, without the folder: the same bits must come out.
    private static bool Repeats(Cell cell, CellStore store, DataFolder data, Ui ui)
    {
        if (store.Result(cell)?.FinalState is not { } final)
            return false;
        ui.Status($"{cell.Label} once more");
        var row = MethodTable.Find(cell.Method);
        var spec = new RunSpec(row, cell.Stream, cell.Scenario, cell.Seed, new TrainerOptions(cell.Epochs, cell.BatchSize), new MethodSettings());
        return MethodRun.Execute(spec, cell.MethodOptions(row), Build(cell, data), null, null, ui.Cancel).FinalState == final;
    }

    private static SuiteFigures Figures(IReadOnlyList<Cell> plan, CellStore store, EngineChecks engine, bool same)
    {
        double of(Func<Cell, bool> which, string measure) => plan.Where(which).Select(c => store.Result(c)?[measure] ?? double.NaN).DefaultIfEmpty(double.NaN).Average();
        double mean(string method, string measure) => of(c => c.Method == method, measure);
        double mygo(string variant, string measure) => of(c => c.Method == Sleeper && c.Options["variant"]?.GetValue<string>() == variant, measure);
        return new SuiteFigures(mean("joint", "averageAccuracy"), mean("naive", "averageAccuracy"), mean("er", "averageAccuracy"), mean("naive", "forgetting"), mean("er", "forgetting"),
            same, engine.Gradients.Count, engine.Gradients.Count(g => g.Failure is not null))
        { Sleeping = new(mygo("literal", "sleepChange"), mygo("literal", "trainFlat"), mygo("repaired", "sleepChange"), mygo("repaired", "averageAccuracy")) };
    }

    /// <summary>The exit code: every claim must hold.</summary>
    public static int Verdict(IEnumerable<SuiteCheck> checks) => checks.All(c => c.Holds) ? App.Success : App.Failed;

    private static void Papers(Ui ui, CellStore store, string folder, List<Reproduction> tables)
    {
        var rows = new List<string[]>();
        foreach (var table in tables)
        {
            var cells = table.Compare(store);
            ReproductionReport.Write(Path.Combine(folder, "reports"), table.Table, cells);
            rows.Add([table.Table.Id, table.Table.Title, $"{cells.Count}", string.Join(", ", cells.GroupBy(c => c.Verdict.ToString()).OrderByDescending(g => g.Count()).Take(4).Select(g => $"{g.Count()} {g.Key}"))]);
        }
        new ReportTable(["table", "what", "numbers>", "verdicts"], rows).Print(ui);
    }

    /// <summary>Names the cells that failed; the exit code, with those that were <paramref name="left"/> for another device.</summary>
    public static int Failures(Ui ui, CellStore store, IReadOnlyList<Cell> plan, int left = 0)
    {
        var failed = plan.Where(c => store.Status(c) == CellStatus.Failed).ToList();
        foreach (var cell in failed)
            ui.Line($"failed: {cell.Id} {cell.Label}: {store.Error(cell)!.Split('\n')[0]}");
        if (failed.Count > 0)
            ui.Line($"{failed.Count} cells failed; their errors are kept beside them, and --retry tries them again");
        int elsewhere = plan.Count(c => store.Status(c) == CellStatus.Running);
        if (elsewhere > 0)
            ui.Line($"{elsewhere} cells are being run by other processes");
        return failed.Count + left > 0 ? App.Failed : App.Success;
    }

    private static void WritePlan(string folder, IReadOnlyList<Cell> plan) =>
        AtomicFile.WriteText(Path.Combine(folder, PlanFile), new JsonObject { ["cells"] = new JsonArray([.. plan.Select(c => (JsonNode)c.ToJson())]) }.ToJsonString() + "\n");

    private static IReadOnlyList<Cell> ReadPlan(string folder)
    {
        string path = Path.Combine(folder, PlanFile);
        if (!File.Exists(path))
            return [];
        try
        {
            if (JsonNode.Parse(File.ReadAllText(path))?["cells"] is JsonArray cells && cells.Select(Cell.FromJson).ToList() is var plan && plan.All(c => c is not null))
                return [.. plan.OfType<Cell>()];
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or InvalidOperationException)
        {
        }
        throw new DataFormatException($"suite: {path} is damaged or foreign. Delete it; the next run of the suite writes it anew.");
    }

    private static Command Status(Ui ui)
    {
        var folder = Folder();
        var command = new Command("status", "How far the cells of a folder are.") { folder };
        command.SetAction(parse =>
        {
            string root = parse.GetRequiredValue(folder);
            if (!Directory.Exists(root))
                throw new UsageException($"suite: {root} is not a folder. Name the --out of a suite.");
            var store = new CellStore(root);
            var planned = ReadPlan(root);
            IReadOnlyList<Cell> all = [.. planned, .. store.All().Where(c => !planned.Contains(c))];
            // Those of the plan are among its failures.
            var damaged = store.Damaged().Where(d => !planned.Any(c => c.Id == d.Id)).ToList();
            var states = all.Select(c => c.Engine == Engine.Id ? $"{store.Status(c)}".ToLowerInvariant() : Other).ToList();
            new ReportTable(["index>", "cell", "method", "options", "stream", "seed>", "status", "s>"], [.. all.Select((c, i) => new[]
            {
                i < planned.Count ? $"{i}" : "", c.Id, c.Method, CellTable.Changed(c), c.Stream, $"{c.Seed}", states[i], store.Result(c) is { } r ? $"{r.Seconds:F1}" : "",
            })]).Print(ui);
            ui.Line(string.Join(", ", Enum.GetNames<CellStatus>().Select(s => s.ToLowerInvariant()).Select(s => $"{states.Count(x => x == s)} {s}")));
            if (all.Where(c => c.Engine != Engine.Id).ToList() is { Count: > 0 } old)
                ui.Line($"{old.Count} cells, {old.Count(c => store.Status(c) == CellStatus.Done)} of them with results, are of another version of the engine "
                    + $"({string.Join(", ", old.Select(c => c.Engine).Distinct())}; this is {Engine.Id}): they are kept and not counted");
            foreach (var (id, reason) in damaged)
                ui.Line($"damaged: {id}: {reason}");
            return Math.Max(Failures(ui, store, [.. all.Where(c => c.Engine == Engine.Id)]), damaged.Count > 0 ? App.Failed : App.Success);
        });
        return command;
    }

    private static Command Merge(Ui ui)
    {
        var from = new Argument<string[]>("DIR") { Description = "Folders of cells.", Arity = ArgumentArity.OneOrMore };
        var folder = Folder();
        var command = new Command("merge", "Brings the cells of several folders together; the order does not matter.") { from, folder };
        command.SetAction(parse =>
        {
            foreach (string dir in parse.GetRequiredValue(from))
                if (!Directory.Exists(Path.Combine(dir, "cells")))
                    throw new UsageException($"merge: {dir} has no cells. Name the --out of a suite.");
            string root = parse.GetRequiredValue(folder);
            var store = new CellStore(root);
            int count = CellMerge.Run([.. parse.GetRequiredValue(from).Select(d => new CellStore(d))], store, ui.Cancel);
            var all = store.All();
            CellTable.Of(store, [.. all.OrderBy(c => c.Method, StringComparer.Ordinal).ThenBy(c => c.Group, StringComparer.Ordinal).ThenBy(c => c.Seed)]).Print(ui);
            ui.Line($"{count} cells in {root}, {all.Count(c => store.Status(c) == CellStatus.Done)} done");
            return App.Success;
        });
        return command;
    }

    private static Option<string> Folder() => new("--out")
    { Description = "Folder of cells.", HelpName = "DIR", DefaultValueFactory = _ => Path.Combine("runs", "suite") };
}
