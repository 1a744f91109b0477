using System.CommandLine;
using Native.Methods;
using Native.Nn;

namespace Native.Benchmarks;

/// <summary><c>native run METHOD</c>: trains a method on a stream and prints the accuracy matrix and its figures.</summary>
internal static class RunCommand
{
    public static Command Create(Ui ui)
    {
        var method = new Argument<string>("METHOD")
        { Description = $"{string.Join(", ", MethodTable.All.Select(m => $"{m.Name} ({m.Summary})"))}." };
        var stream = new Option<string>("--stream")
        {
            Description = $"{string.Join(", ", StreamTable.All.Select(s => $"{s.Name} ({s.Data})"))}.",
            HelpName = "NAME",
            DefaultValueFactory = _ => "split-mnist",
        };
        var scenario = new Option<string>("--scenario")
        {
            Description = "What is told at test time: class (nothing), task (the task), domain (nothing; all tasks share two outputs: the first or second class of its pair, which unshuffled is the parity of the digit).",
            HelpName = "NAME",
            DefaultValueFactory = _ => "class",
        };
        var seed = new Option<ulong>("--seed") { Description = "Seed of weights, order and replay.", HelpName = "S" };
        var training = new TrainerOptions();
        var epochs = new Option<int>("--epochs") { Description = "Passes over each task.", HelpName = "E", DefaultValueFactory = _ => training.Epochs };
        var batch = new Option<int>("--batch") { Description = "Images per step.", HelpName = "N", DefaultValueFactory = _ => training.BatchSize };
        var rate = new Option<double?>("--lr") { Description = "Learning rate (default: the method's).", HelpName = "R" };
        var buffer = new Option<int?>("--buffer") { Description = "Images in the replay memory (default: the method's).", HelpName = "N" };
        var shuffle = new Option<bool>("--shuffle-classes") { Description = "Draw the order of the classes from the seed instead of {0,1} to {8,9}." };
        var data = DataCommand.FolderOption();
        var unofficial = new Option<bool>("--allow-unofficial") { Description = "Accept data files whose checksums differ." };
        var set = new Option<string[]>("--set") { Description = "Any option of the method, by name; may be repeated.", HelpName = "NAME=VALUE", DefaultValueFactory = _ => [] };
        var cells = new Option<string?>("--out")
        { Description = "Run as a cell of this folder: done once, continued after an interruption.", HelpName = "DIR" };
        var every = new Option<string?>("--checkpoint-every") { Description = "With --out, save the state this often: 30s, 5m, or a number of steps (default 30s).", HelpName = "T" };
        var retry = new Option<bool>("--retry") { Description = "With --out, try the cell again if it has failed." };
        var json = new Option<string?>("--json") { Description = "Write settings and figures to this file.", HelpName = "FILE" };
        var pictures = new Option<string?>("--pictures") { Description = "Write pictures of what the method has made to this folder, as PNG.", HelpName = "DIR" };
        var memories = new Option<string?>("--memories") { Description = "Write the networks that a method keeps in place of data to this folder, as safetensors.", HelpName = "DIR" };
        var command = new Command("run", "Trains a method on a stream of tasks.")
        { method, stream, scenario, seed, epochs, batch, rate, buffer, shuffle, data, unofficial, json, set, cells, every, retry, pictures, memories };
        command.SetAction(parse =>
        {
            string name = StreamTable.Find(parse.GetRequiredValue(stream)).Name;
            var pairs = Pairs("run", parse.GetRequiredValue(set));
            var spec = new RunSpec(
                MethodTable.Find(parse.GetRequiredValue(method)),
                name,
                Scenarios.Parse(parse.GetRequiredValue(scenario)),
                parse.GetValue(seed),
                new TrainerOptions(parse.GetValue(epochs), parse.GetValue(batch)),
                new MethodSettings(parse.GetValue(rate), parse.GetValue(buffer), pairs, name),
                parse.GetValue(shuffle));
            var folder = DataFolder.From(parse.GetValue(data));
            var request = new StreamRequest(folder, spec.Scenario, spec.Seed)
            { Explicit = parse.GetValue(data) is not null, AllowUnofficial = parse.GetValue(unofficial), ShuffleClasses = spec.ShuffleClasses };
            if (parse.GetValue(cells) is not { } root)
                return parse.GetValue(every) is not null ? throw new UsageException("native run: --checkpoint-every needs a folder to save in. Add --out DIR.")
                    : parse.GetValue(retry) ? throw new UsageException("native run: --retry needs a folder of cells. Add --out DIR.")
                    : Run(ui, spec, request, parse.GetValue(json), parse.GetValue(pictures), parse.GetValue(memories));
            if ((parse.GetValue(pictures) is not null ? "--pictures" : parse.GetValue(memories) is not null ? "--memories" : null) is { } lost)
                throw new UsageException($"native run: a cell of --out keeps its results, not its network, so there is nothing to picture or to write. Leave --out or {lost} out.");
            if (request.AllowUnofficial)
                throw new UsageException("native run: --allow-unofficial data are not those that a cell of --out stands for. Leave one of the two out.");
            return RunCell(ui, spec, folder, root, parse.GetValue(every), parse.GetValue(retry), parse.GetValue(json));
        });
        return command;
    }

    /// <summary>The values of <c>--set</c>, each name once.</summary>
    public static Dictionary<string, string> Pairs(string verb, IEnumerable<string> set)
    {
        var pairs = set.Select(MethodOptions.Pair).ToList();
        if (pairs.GroupBy(p => p.Key).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new UsageException($"native {verb}: --set {twice.Key} is given {twice.Count()} times. Give it once.");
        return new Dictionary<string, string>(pairs, StringComparer.Ordinal);
    }

    private static int Run(Ui ui, RunSpec spec, StreamRequest request, string? json, string? pictures, string? memories)
    {
        // Everything that can be wrong with the command itself, before data are read and long before a result is written.
        spec.Training.Validate();
        spec.Method.Configure(spec.Settings);
        if (json is not null)
            AtomicFile.Probe(json);
        var stream = StreamTable.Find(spec.Stream).Build(request);
        ui.Line($"{spec.Method.Name} on {spec.Stream}, {spec.Scenario.Name()}-incremental, seed {spec.Seed}: {spec.Method.Summary}");
        DescribeData(ui, stream);
        var run = MethodRun.Execute(spec, stream, p => Report(ui, p), ui.Cancel, m =>
        {
            Picture(ui, spec, m, pictures);
            Keep(ui, spec, m, memories);
        });
        Print(ui, run);
        if (json is null)
            return App.Success;
        AtomicFile.WriteJson(json, w => MethodRun.WriteJson(w, run));
        ui.Line($"wrote {json}");
        return App.Success;
    }

    private static void Picture(Ui ui, RunSpec spec, IMethod method, string? folder)
    {
        if (folder is null)
            return;
        if (method is not IPictures shows)
            throw new UsageException($"native run: {spec.Method.Name} has no pictures to show. Leave --pictures out.");
        Directory.CreateDirectory(folder);
        foreach (var (name, image) in shows.Pictures())
        {
            string path = Path.Combine(folder, $"{name}.png");
            Png.Write(path, image);
            ui.Line($"wrote {path}");
        }
    }

    private static void Keep(Ui ui, RunSpec spec, IMethod method, string? folder)
    {
        if (folder is null)
            return;
        if (method is not IMemories keeps)
            throw new UsageException($"native run: {spec.Method.Name} keeps no networks in place of data. Leave --memories out.");
        Directory.CreateDirectory(folder);
        foreach (var (name, net) in keeps.Memories)
        {
            string path = Path.Combine(folder, $"{name}.safetensors");
            net.Save(path);
            ui.Line($"wrote {path}: {net.ParameterCount} numbers, {new FileInfo(path).Length} bytes");
        }
    }

    // The same cell as one of the suite: it is not run twice, and a suite on the folder finds it done.
    private static int RunCell(Ui ui, RunSpec spec, DataFolder folder, string root, string? every, bool retry, string? json)
    {
        spec.Training.Validate();
        if (json is not null)
            AtomicFile.Probe(json);
        var (time, steps) = RunCheckpoint.ParseInterval(every ?? "30s");
        var cell = Cell.Of(spec with { Stream = SuiteCommand.Real(spec.Stream, folder) });
        var store = new CellStore(root);
        ui.Line($"cell {cell.Id} of {root}: {cell.Label}, {store.Status(cell).ToString().ToLowerInvariant()}");
        int left = new CellRunner(store, new CellOptions(folder, time, steps, Retry: retry), ui).Run([cell]);
        CellTable.Of(store, [cell]).Print(ui);
        if (json is not null && store.Result(cell) is not null)
            AtomicFile.WriteText(json, store.ResultText(cell));
        return SuiteCommand.Failures(ui, store, [cell], left);
    }

    /// <summary>Says which data are used; loudly when they stand in for others.</summary>
    public static void DescribeData(Ui ui, TaskStream stream)
    {
        var (train, test, items) = (stream.TrainItems, stream.TestItems, stream.IsText ? "texts" : "images");
        ui.Line($"data: {train.Name}, {train.Count} {items}, and {test.Name}, {test.Count} {items}; {train.Provenance}");
        if (stream.Name == "split-mnist" && !train.Name.StartsWith("mnist", StringComparison.Ordinal))
            ui.Line($"data: MNIST was not found, so this is NOT MNIST. Pass --data DIR or set {DataFolder.Variable} for the real images.");
    }

    /// <summary>The status line between phases, and a line after each.</summary>
    public static void Report(Ui ui, TrainerProgress p)
    {
        if (p.Row is null)
            ui.Status($"phase {p.Phase}/{p.Phases} {Label(p)} step {p.Step}/{p.Steps} loss {p.Loss:F4} {p.Elapsed.TotalSeconds:F1} s");
        else if (p.Phase == 0)
            ui.Line($"phase 0/{p.Phases}: as initialised, mean accuracy {100 * p.Row.Average():F2}%");
        else
            ui.Line($"phase {p.Phase}/{p.Phases}: {Label(p)} {p.Steps} steps, last loss {p.Loss:F4}, mean accuracy over all tasks "
                + $"{100 * p.Row.Average():F2}%, {p.Elapsed.TotalSeconds:F1} s");
    }

    private static string Label(TrainerProgress p) => p.Task is { Index: >= 0 } task ? $"task {task.Name}" : "all tasks";

    private static void Print(Ui ui, RunRecord run)
    {
        var a = run.Result.Matrix;
        ui.Line();
        ui.Line("accuracy matrix a[i,j], in %: test accuracy on task j after training phase i");
        ui.Table(["after phase", .. run.Stream.Tasks.Select(t => $"{t.Index + 1} {t.Name}>")],
            Enumerable.Range(0, a.Rows).Select(i => (IReadOnlyList<string>)
                [i == 0 ? "0 (initialised)" : a.Joint ? "1 (all tasks)" : $"{i} {run.Stream.Tasks[i - 1].Name}", .. a.Row(i).Select(v => $"{100 * v:F2}")]));
        ui.Table(["figure", "value", "definition"], run.Metrics.Select(m => new[] { m.Name, m.ToString(), m.Definition }));
        ui.Line($"{run.Parameters} parameters, {run.StorageBits} bits of stored images, {run.Result.Steps} steps; "
            + $"training {run.Result.TrainTime.TotalSeconds:F1} s, tests {run.Result.TestTime.TotalSeconds:F1} s; options {run.Options}");
    }
}
