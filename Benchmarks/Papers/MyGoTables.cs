using Native.Methods;
using static Native.Benchmarks.Published;

namespace Native.Benchmarks;

/// <summary>
/// MyGO: Memory Yielding Generative Offline-consolidation for Lifelong Learning Systems (Ji and Song 2025): tables 1 and 2, and two tables of our own: its comparisons under one protocol, and
/// the effect of what its section 5 proposes.
/// </summary>
internal static class MyGoTables
{
    private const string Paper = "MyGO", Spread = "none printed; one run", Mnist = "split-mnist", News = "ag-news-2", Part = "ag-news-2-part";
    private const string Code = "released code (src/test.py): Adam 1e-3 and 1e-4, batch 128, 5 epochs, 1000 sleep steps; the paper gives none";

    // The released code loads the training split only, and its fine-tuning has one shared head of two outputs without a task id.
    private const string OnTraining = "the paper's number is accuracy on training data", AsTheirs = "on TRAINING data, as the released code evaluates";

    public static IReadOnlyList<PaperTable> All { get; } = [Final(), Course(), Comparison(), Flags()];

    private static Recipe With(string method, string stream, Scenario scenario, params string[] options) =>
        new(method, stream, options) { Scenario = scenario, Epochs = 5, BatchSize = 128 };

    private static Recipe Tuned(string stream) => With("mygo-finetune", stream, Scenario.DomainIncremental);

    private static Recipe Fair(string stream) => With("mygo-finetune", stream, Scenario.TaskIncremental);

    private static Recipe MyGo(string stream, string variant) => With("mygo", stream, Scenario.TaskIncremental, $"variant={variant}");

    // Their evaluation first, then ours; then the other readings of MyGO, which nobody has published numbers for.
    private static IEnumerable<PaperCell> Rows(string data, string stream, PaperColumn[] onTraining, PaperColumn[] onTest, double[] tuned, double[] mygo)
    {
        IEnumerable<PaperCell> theirs(string row, Recipe recipe, double[] v) => Plain($"{data}{row}", recipe, onTraining, Code, v).Select(c => c with { Remark = AsTheirs });
        IEnumerable<PaperCell> ours(string row, Recipe recipe, double[] v, string why) => Plain($"{data}{row} (test data)", recipe, onTest, Code, v).NotComparable(why);
        return
        [
            .. theirs("Fine-tuning", Tuned(stream), tuned),
            .. theirs("MyGO", MyGo(stream, "literal"), mygo),
            .. ours("Fine-tuning", Tuned(stream), tuned, OnTraining),
            .. ours("MyGO", MyGo(stream, "literal"), mygo, OnTraining),
            .. ours("MyGO, as the text has it", MyGo(stream, "paper"), mygo, $"the released code does something else; {OnTraining}"),
            .. ours("MyGO, repaired", MyGo(stream, "repaired"), mygo, $"the released code does something else; {OnTraining}"),
        ];
    }

    private static PaperTable Final()
    {
        PaperColumn[] tasks(int n, string task, string average) => [.. Enumerable.Range(1, n).Select(t => new PaperColumn($"T{t} Acc.", $"{task}{t}")), new("Average Acc.", average)];
        IEnumerable<PaperCell> rows(string data, string stream, double[] tuned, double[] mygo) => Rows(data, stream,
            tasks(tuned.Length - 1, "trainTask", "trainAverageAccuracy"), tasks(tuned.Length - 1, "task", "averageAccuracy"), tuned, mygo);
        double[] newsTuned = [63.11, 96.37, 79.74], news = [76.64, 73.43, 75.03];
        return new("mygo/table1", Paper, "Final accuracy after completion of all tasks", Spread, 1,
        [
            .. rows("Split-MNIST: ", Mnist, [43.85, 69.59, 21.90, 95.44, 99.61, 66.08], [99.23, 95.14, 96.96, 99.46, 95.15, 97.19]),
            .. rows("Split-AG News: ", News, newsTuned, news),
            .. rows("Split-AG News, 15225 of 120000 rows: ", Part, newsTuned, news).Select(c => c with { Remark = c.Remark is { } r ? $"{r}; an eighth of the data" : "an eighth of the data" }),
        ])
        { Claims = [.. Claims(Mnist), .. Claims(News), .. Claims(Part), .. Bars()] };
    }

    // What the paper says of its numbers, each with a baseline that has the same heads.
    private static IEnumerable<PaperClaim> Claims(string stream)
    {
        PaperClaim claim(string text, Recipe left, string measure, Recipe? right, string rightMeasure, double margin = 0) =>
            new($"{stream}: {text}", left, measure, right, rightMeasure, margin) { Provenance = Code };
        string average = "averageAccuracy";
        return
        [
            claim("the released code's accuracies never change after a task's own phase", MyGo(stream, "literal"), "trainFlat", null, "", 0.5),
            claim("MyGO (released code) forgets less than fine-tuning with one shared head", Tuned(stream), "forgetting", MyGo(stream, "literal"), "forgetting"),
            claim("MyGO (released code) is above fine-tuning with a head per task", MyGo(stream, "literal"), average, Fair(stream), average),
            claim("MyGO (released code) is above random features without any sleep", MyGo(stream, "literal"), average, With("mygo-frozen", stream, Scenario.TaskIncremental), average),
            claim("MyGO as the text has it is above fine-tuning with a head per task", MyGo(stream, "paper"), average, Fair(stream), average),
            claim("MyGO repaired is above fine-tuning with a head per task", MyGo(stream, "repaired"), average, Fair(stream), average),
            claim("MyGO repaired is above MyGO as the text has it", MyGo(stream, "repaired"), average, MyGo(stream, "paper"), average),
        ];
    }

    private static IEnumerable<PaperClaim> Bars()
    {
        PaperClaim above(string stream, double margin, string what) =>
            new(FormattableString.Invariant($"{stream}: MyGO repaired is above {100 * margin:F2}% on test data{what}"), MyGo(stream, "repaired"), "averageAccuracy", null, Margin: margin) { Provenance = Code };
        return [above(Mnist, 0.98, ""), above(Part, 0.7503, ", the paper's MyGO"), above(Part, 0.7974, ", the paper's fine-tuning")];
    }

    private static PaperTable Course()
    {
        PaperColumn[] after(string measure) => [.. Enumerable.Range(1, 5).Select(t => new PaperColumn($"After Task {t}", $"{measure}{t}"))];
        return new("mygo/table2", Paper, "Evolution of average accuracy on Split-MNIST", Spread, 1,
            [.. Rows("", Mnist, after("trainAverage"), after("average"), [100.00, 78.04, 63.71, 73.06, 66.08], [99.23, 97.19, 97.11, 97.70, 97.19])]);
    }

    // A claim above chance is a small one; the number beside it is what the row is for.
    private static PaperTable Comparison()
    {
        IEnumerable<PaperClaim> rows(string stream, Scenario scenario) => new[] { "mygo-finetune", "mygo-frozen", "mygo-lwf", "mygo-dgr", "mygo variant=paper", "mygo variant=repaired", "mygo variant=repaired memory=vae", "mygo-joint" }
            .Select(m => m.Split(' ')).Select(m => new PaperClaim($"{stream}, {scenario.Name()}-incremental: {string.Join(' ', m)} is above chance",
                With(m[0], stream, scenario, m[1..]), "averageAccuracy", null, Margin: scenario != Scenario.ClassIncremental ? 0.5 : stream == Mnist ? 0.1 : 0.25)
            { Provenance = Code });
        Scenario[] all = [Scenario.TaskIncremental, Scenario.DomainIncremental, Scenario.ClassIncremental];
        return new("mygo/comparison", Paper, "Comparisons under one protocol and network, test data (ours)", "none", 5, [])
        { Claims = [.. all.SelectMany(s => rows(Mnist, s)), .. all.SelectMany(s => rows(Part, s))] };
    }

    // Section 5, future work: each against the same run without it, seed by seed.
    private static PaperTable Flags()
    {
        IEnumerable<PaperClaim> rows(string stream) => new[]
        {
            ("memory=vae", "a VAE as memory raises accuracy"), ("memory=flow", "a flow as memory raises accuracy"), ("featureWeight=1", "distilling features too raises accuracy"),
            ("adaptiveSleep=true", "a sleep that ends when the loss is flat raises accuracy"), ("sleepStart=before", "sleeping from the network as it was raises accuracy"),
            ("wakeDistill=1", "the earlier heads' answers to the new items raise accuracy"),
        }.Select(f => new PaperClaim($"{stream}: {f.Item2}", With("mygo", stream, Scenario.TaskIncremental, "variant=repaired", f.Item1), "averageAccuracy", MyGo(stream, "repaired")) { Provenance = "section 5, future work" });
        return new("mygo/flags", Paper, "Effect of what section 5 proposes, on the repaired variant (ours)", "none", 5, []) { Claims = [.. rows(Mnist), .. rows(Part)] };
    }
}
