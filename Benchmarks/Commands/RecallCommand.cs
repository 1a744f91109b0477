using System.CommandLine;
using System.Globalization;
using System.Text;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary>
/// <c>native recall METHOD</c>: what the figures of Automatic Recall Machines show of one run: pictures, which classes were recalled when, accuracies
/// on the way, and the correlations of gradients.
/// </summary>
internal static class RecallCommand
{
    public static Command Create(Ui ui)
    {
        var method = new Argument<string>("METHOD")
        { Description = "arm, or another method for its curves alone.", DefaultValueFactory = _ => "arm" };
        var stream = new Option<string>("--stream") { Description = "As for run.", HelpName = "NAME", DefaultValueFactory = _ => "mnist-5k-5" };
        var seed = new Option<ulong>("--seed") { Description = "Seed of weights, order and recall.", HelpName = "S" };
        var epochs = new Option<int>("--epochs") { Description = "Passes over each task.", HelpName = "E", DefaultValueFactory = _ => 1 };
        var every = new Option<int>("--every") { Description = "Iterations between tests; 0 for after each task.", HelpName = "N", DefaultValueFactory = _ => 10 };
        var gradients = new Option<int>("--gradients") { Description = "Recalled images whose gradients are compared (1000 in the paper); 0 for none.", HelpName = "N" };
        var set = new Option<string[]>("--set") { Description = "An option of the method, as name=value; may be repeated.", HelpName = "NAME=VALUE" };
        var folder = new Option<string>("--out") { Description = "Folder for the files.", HelpName = "DIR", DefaultValueFactory = _ => "runs/recall" };
        var data = DataCommand.FolderOption();
        var command = new Command("recall", "Shows what a run of Automatic Recall Machines recalls.") { method, stream, seed, epochs, every, gradients, set, folder, data };
        command.SetAction(parse => Run(ui, parse.GetRequiredValue(method), new MethodSettings(
                Options: RunCommand.Pairs("recall", parse.GetValue(set) ?? []), Stream: parse.GetRequiredValue(stream)),
            new StreamRequest(DataFolder.From(parse.GetValue(data)), Scenario.ClassIncremental, parse.GetValue(seed)) { Explicit = parse.GetValue(data) is not null },
            new TrainerOptions(parse.GetValue(epochs)), parse.GetValue(every), parse.GetValue(gradients), parse.GetRequiredValue(folder)));
        return command;
    }

    private static int Run(Ui ui, string name, MethodSettings settings, StreamRequest request, TrainerOptions training, int every, int gradients, string folder)
    {
        training.Validate();
        var row = MethodTable.Find(name);
        if (row.Joint || !row.Scenarios.Contains(request.Scenario))
            throw new UsageException($"recall: {name} does not learn classes task by task. Use arm, or for curves naive, lwf, adi or er.");
        if (gradients < 0 || gradients > 0 && !name.StartsWith("arm", StringComparison.Ordinal))
            throw new UsageException($"recall: gradients of {gradients} recalled images cannot be compared with {name}. Use arm, and 1 or more.");
        object options = row.Configure(settings);
        string file(string what) => Path.Combine(folder, what);
        AtomicFile.Probe(file("accuracy.csv"));
        var stream = StreamTable.Find(settings.Stream!).Build(request);
        var seeds = new SeedStreams(request.Seed);
        using var method = row.Create(stream, seeds, options);
        RunCommand.DescribeData(ui, stream);
        long steps = stream.Tasks.Sum(t => (long)training.StepsIn(t));
        // The first and the last recall of each task but the first, as far as tasks are of one length.
        long task = steps / stream.Tasks.Count;
        var pictured = Enumerable.Range(1, stream.Tasks.Count - 1).SelectMany(t => new[] { t * task, (t + 1) * task - 1 }).ToHashSet();
        var history = RecallStudy.Run(method, stream, seeds.Batch, training, every, pictured, (t, n) => ui.Status($"iteration {t}/{n}"), ui.Cancel);
        Write(ui, file("accuracy.csv"), ["iteration", .. stream.Tasks.Select(t => $"task {t.Index + 1}")], history.Evaluated.Zip(history.Accuracies, (t, a) => Line(t, a)));
        if (history.Recalled.Count > 0)
            Write(ui, file("recalled.csv"), ["iteration", .. Enumerable.Range(0, stream.Outputs).Select(c => $"class {c}")],
                history.Iterations.Zip(history.Recalled, (t, p) => Line(t, p.Select(v => (double)v))));
        if (history.Pictures is { } pictures)
        {
            Png.Write(file("recalled.png"), pictures);
            ui.Line($"wrote {file("recalled.png")}: in pairs of rows recalled images, and below each the real one that it started from");
        }
        ui.Line($"after {steps} iterations: {string.Join(", ", history.Accuracies[^1].Select(a => $"{100 * a:F1}%"))}; average {100 * history.Accuracies[^1].Average():F2}%");
        if (gradients > 0)
            Gradients(ui, (AutomaticRecallMachine)method, stream, gradients, new Generator(request.Seed).Stream("gradients"), file("gradients.csv"));
        return App.Success;
    }

    private static void Gradients(Ui ui, AutomaticRecallMachine arm, TaskStream stream, int samples, Generator random, string path)
    {
        var (rows, passedOver) = GradientCorrelation.Measure(arm, stream, samples, random, ui.Cancel);
        string text(Correlated c) => c.Count == 0 ? "n/a" : $"{c.Mean:F3} +- {c.Spread:F3}";
        ui.Table(["layer", "targets", "corr. class 1 (origin)", "corr. class 2 (target)"],
            rows.Select(r => new[] { r.Layer, r.Hard ? "hard" : "soft", text(r.Origin), text(r.Target) }));
        ui.Line($"{samples} recalled images, of which {passedOver} were recalled as the class that they started from and are left out");
        Write(ui, path, ["layer", "targets", "class 1", "spread", "class 2", "spread", "products"],
            rows.Select(r => string.Join(',', r.Layer, r.Hard ? "hard" : "soft", Number(r.Origin.Mean), Number(r.Origin.Spread), Number(r.Target.Mean), Number(r.Target.Spread), r.Target.Count)));
    }

    private static string Line(long first, IEnumerable<double> values) => string.Join(',', values.Select(Number).Prepend($"{first}"));

    private static string Number(double v) => v.ToString("G6", CultureInfo.InvariantCulture);

    private static void Write(Ui ui, string path, IEnumerable<string> head, IEnumerable<string> lines)
    {
        AtomicFile.WriteText(path, new StringBuilder().AppendLine(string.Join(',', head)).AppendJoin('\n', lines).Append('\n').ToString());
        ui.Line($"wrote {path}");
    }
}
