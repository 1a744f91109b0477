using System.Text.Json;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary>A published number beside ours. All numbers in the paper's unit, accuracies in percent.</summary>
/// <param name="Row">As published.</param>
/// <param name="Column">As published; <c>claim</c> for a statement.</param>
/// <param name="Paper">Published value; null for a claim.</param>
/// <param name="PaperSpread">Published spread, if any.</param>
/// <param name="Ours">Our mean and interval over the seeds; for a claim, of the difference that it is about.</param>
/// <param name="Seeds">The seeds that are finished.</param>
/// <param name="Verdict">How they compare.</param>
/// <param name="Command">What makes this row.</param>
/// <param name="Run">What makes one seed of it.</param>
/// <param name="Provenance">Where the hyper-parameters come from.</param>
internal sealed record ReproducedCell(
    string Row, string Column, double? Paper, double? PaperSpread, TInterval Ours, IReadOnlyList<ulong> Seeds, Verdict Verdict, string Command, string Run, string Provenance);

/// <summary>A published table beside what a store of cells holds of it.</summary>
internal sealed class Reproduction(PaperTable table, Preset preset, int seeds, DataFolder data, Filter? only = null)
{
    public PaperTable Table => table;

    /// <summary>Cells of the plan: for each seed in turn, what each row needs.</summary>
    public IReadOnlyList<Cell> Plan() => [.. Enumerable.Range(0, seeds)
        .SelectMany(seed => Wanted().Select(recipe => recipe.Resolve(preset, (ulong)seed, data).Cell)).OfType<Cell>().Distinct()];

    /// <summary>Every published number with ours.</summary>
    public IReadOnlyList<ReproducedCell> Compare(CellStore store) =>
    [
        .. table.Cells.Where(Chosen).Select(c => Compare(store, c)),
        .. table.Claims.Where(Chosen).Select(c => Compare(store, c)),
    ];

    /// <summary>Recipes that a run is needed for: sizes and options are known without.</summary>
    private IEnumerable<Recipe> Wanted() => table.Cells.Where(c => Chosen(c) && !IsStatic(c.Column.Measure)).Select(c => c.Recipe)
        .Concat(table.Claims.Where(Chosen).SelectMany(c => c.Recipes)).Concat(table.Points.Where(Chosen).Select(p => p.Recipe)).OfType<Recipe>().DistinctBy(r => r.Command);

    /// <summary>The points of a figure that are measured, with what makes one seed of each.</summary>
    public ReportTable Points(CellStore store) => new(["series", "x>", "y>", "interval of y>", "n>", "run"], [.. table.Points.Where(Chosen).Select(p =>
    {
        var y = TInterval.Of([.. Values(store, p.Recipe, p.YMeasure).Values.Values]);
        var x = p.X is { } given ? new TInterval(given, 0, 1) : TInterval.Of([.. Values(store, p.Recipe, p.XMeasure).Values.Values]);
        static string exact(double? v) => v?.ToString("R", System.Globalization.CultureInfo.InvariantCulture) ?? "";
        return y.Count == 0 || x.Count == 0 ? null : new[] { p.Series, exact(x.Mean), exact(y.Mean), exact(y.Half), $"{y.Count}", p.Recipe.Command };
    }).OfType<string[]>()]);

    // What is written exactly as a row is that row alone: its name may be a method's as well, or hold commas between the names of others.
    private readonly bool _exact = only is not null && table.Cells.Select(c => c.Row).Concat(table.Claims.Select(c => c.Text)).Concat(table.Points.Select(p => p.Series)).Contains(only.ToString(), StringComparer.Ordinal);

    private bool Chosen(PaperCell cell) => Chosen(cell.Row, cell.Recipe?.Method ?? "");

    private bool Chosen(PaperClaim claim) => Chosen(claim.Text, claim.Left.Method);

    private bool Chosen(PaperPoint point) => Chosen(point.Series, point.Recipe.Method);

    private bool Chosen(string row, string method) => only is null || (_exact ? row == only.ToString() : only.Matches(row, method));

    private ReproducedCell Compare(CellStore store, PaperCell cell)
    {
        if (cell.Recipe is not { } recipe)
            return Row(cell, default, [], Verdict.NotRun(cell.NotComparable ?? "nothing reproduces it"));
        if (cell.Column.Measure.StartsWith(OptionOf, StringComparison.Ordinal))
            return recipe.Defaults is not { } options ? Row(cell, default, [], Verdict.NotBuilt) : Known(cell, options[cell.Column.Measure[OptionOf.Length..]]?.GetValue<double>());
        bool known = IsStatic(cell.Column.Measure);
        var (first, reason) = recipe.Resolve(known ? Preset.Paper : preset, 0, data);
        if (first is null)
            return Row(cell, default, [], reason == "not built" ? Verdict.NotBuilt : Verdict.NotRun(reason!));
        if (known)
            return Known(cell, Count(cell.Column.Measure[CountOf.Length..], first));
        var found = Values(store, recipe, cell.Column.Measure);
        var ours = TInterval.Of([.. found.Values.Values.Select(v => v * cell.Column.Scale)]);
        return Row(cell, ours, [.. found.Values.Keys],
            ours.Count == 0 ? Verdict.NotRun(found.First ?? "no seed is finished")
            : cell.NotComparable is { } no ? Verdict.NotComparable(And(no, Lost(found)))
            : preset == Preset.Quick ? Verdict.NotComparable(And(Scaled, Lost(found)))
            : Lost(found) is { } lost ? new Verdict("inconclusive", lost)
            : Judge(cell, ours));
    }

    private ReproducedCell Known(PaperCell cell, double? value) => value is { } v
        ? Row(cell, new TInterval(v, 0, 1), [], Judge(cell, new TInterval(v, 0, 1)))
        : Row(cell, default, [], Verdict.NotRun($"there is no {cell.Column.Measure}"));

    private ReproducedCell Compare(CellStore store, PaperClaim claim)
    {
        ReproducedCell row(TInterval difference, IReadOnlyList<ulong> finished, Verdict verdict) =>
            new(claim.Text, claim.Column, null, null, difference, finished, verdict, CommandOf(claim.Text), claim.Left.Command, claim.Provenance);
        foreach (var recipe in claim.Recipes)
            if (recipe.Resolve(preset, 0, data) is { Cell: null, Reason: var reason })
                return row(default, [], reason == "not built" ? Verdict.NotBuilt : Verdict.NotRun(reason!));
        var left = Values(store, claim.Left, claim.LeftMeasure, claim.LeftBase);
        // Seed by seed: both runs of a seed share initial weights and order, so their difference varies less than either.
        var found = claim.Right is { } other ? left.Less(Values(store, other, claim.RightMeasure, claim.RightBase)) : left;
        var difference = TInterval.Of([.. found.Values.Values.Select(v => 100 * v)]);
        var verdict = difference.Count == 0 ? Verdict.NotRun(found.First ?? "no seed is finished")
            : Lost(found) is { } lost ? new Verdict("inconclusive", lost) : Verdict.OfClaim(difference, 100 * claim.Margin);
        return row(difference, [.. found.Values.Keys], preset == Preset.Quick && difference.Count > 0 ? verdict with { Reason = And(Scaled, verdict.Reason) } : verdict);
    }

    private static string Scaled => $"preset quick: {Recipe.QuickTrain} items of a stand-in, not the paper's data";

    private static Verdict Judge(PaperCell cell, TInterval ours) =>
        Verdict.Of(cell.Value, cell.Spread, cell.Column.Margin ?? Math.Abs(cell.Value) / 10, cell.Column.HigherIsBetter, ours);

    /// <summary>A figure by seed, and why other seeds that have ended have none.</summary>
    private sealed record Found(SortedDictionary<ulong, double> Values, SortedDictionary<ulong, string> Lost)
    {
        public string? First => Lost.Count == 0 ? null : Lost.First().Value;

        /// <summary>The difference of each seed that both have.</summary>
        public Found Less(Found other)
        {
            var found = new Found([], new SortedDictionary<ulong, string>(Lost));
            foreach (var (seed, why) in other.Lost)
                found.Lost.TryAdd(seed, why);
            foreach (var (seed, value) in Values)
                if (other.Values.TryGetValue(seed, out double less))
                    found.Values[seed] = value - less;
            return found;
        }
    }

    // Seeds are not lost at random: the hard ones fail. So the rest prove nothing about the method.
    private string? Lost(Found found) => found.First is not { } first ? null
        : $"{found.Lost.Count} of {seeds} seeds {(found.Lost.Values.All(IsFailure) ? first : $"failed or have no value: {first}")}";

    private const string Failed = "failed: ";

    private static bool IsFailure(string why) => why.StartsWith(Failed, StringComparison.Ordinal);

    private static string And(string first, string? second) => second is null ? first : $"{first}; {second}";

    private Found Values(CellStore store, Recipe recipe, string measure, Recipe? less)
    {
        var found = Values(store, recipe, measure);
        return less is null ? found : found.Less(Values(store, less, measure));
    }

    private Found Values(CellStore store, Recipe recipe, string measure)
    {
        var found = new Found([], []);
        for (ulong seed = 0; seed < (ulong)seeds; seed++)
            if (recipe.Resolve(preset, seed, data).Cell is not { } cell)
                continue;
            else if (store.Error(cell) is { } error)
                found.Lost[seed] = Failed + error.Split('\n')[0];
            else if (store.Result(cell) is not { } result)
                continue;
            else if (result[measure] is { } value)
                found.Values[seed] = value;
            else
                found.Lost[seed] = result.Reason(measure) ?? $"the result has no '{measure}'";
        return found;
    }

    private ReproducedCell Row(PaperCell cell, TInterval ours, IReadOnlyList<ulong> finished, Verdict verdict) =>
        new(cell.Row, cell.Column.Name, cell.Value, cell.Spread, ours, finished, cell.Remark is { } remark ? verdict with { Reason = And(remark, verdict.Reason) } : verdict, CommandOf(cell.Row), cell.Recipe?.Command ?? "", cell.Provenance);

    private string CommandOf(string row) => $"native reproduce {table.Id} --preset {PlanOptions.Name(preset)} --seeds {seeds} --only \"{row}\"";

    // What needs no run: options, and counts of the stream and of how it is dealt out.
    private const string OptionOf = "option.", CountOf = "stream.";

    private static bool IsStatic(string measure) => measure.StartsWith(OptionOf, StringComparison.Ordinal) || measure.StartsWith(CountOf, StringComparison.Ordinal);

    private double? Count(string name, Cell cell)
    {
        var tasks = StreamTable.Find(cell.Stream).Build(new StreamRequest(data, cell.Scenario) { Explicit = true }).Tasks;
        return name switch
        {
            "Tasks" => tasks.Count,
            "Classes" => tasks.Sum(t => t.Classes.Length),
            "Classes per task" => (double)tasks.Sum(t => t.Classes.Length) / tasks.Count,
            "#Train" => tasks.Sum(t => t.Train.Length),
            "#Test" => tasks.Sum(t => t.Test.Length),
            "#Val" => tasks.Sum(t => t.Validation.Length),
            "Batch size" => cell.BatchSize,
            _ => null,
        };
    }
}

/// <summary>The reports of a reproduction.</summary>
internal static class ReproductionReport
{
    /// <summary>For people: the numbers side by side.</summary>
    public static ReportTable Summary(IReadOnlyList<ReproducedCell> cells) => new(["row", "column", "paper>", "ours>", "n>", "verdict"],
        [.. cells.Select(c => new[] { c.Row, c.Column, Plus(c.Paper, c.PaperSpread), c.Ours.Count == 0 ? "" : Plus(c.Ours.Mean, c.Ours.Half), Count(c), c.Verdict.ToString() })]);

    /// <summary>Everything, for files.</summary>
    public static ReportTable Full(IReadOnlyList<ReproducedCell> cells) => new(["row", "column", "paper>", "paper spread>", "ours>", "interval>", "n>", "seeds", "verdict", "reason", "command", "run", "hyper-parameters"],
        [.. cells.Select(c => new[]
        {
            c.Row, c.Column, Number(c.Paper), Number(c.PaperSpread), c.Ours.Count == 0 ? "" : Number(c.Ours.Mean), Number(c.Ours.Half), Count(c),
            string.Join(' ', c.Seeds), c.Verdict.Name, c.Verdict.Reason ?? "", c.Command, c.Run, c.Provenance,
        })]);

    /// <summary>An array of one object per published number; numbers are numbers, and null is where there is none.</summary>
    public static string Json(IReadOnlyList<ReproducedCell> cells)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartArray();
            foreach (var c in cells)
            {
                json.WriteStartObject();
                json.WriteString("row", c.Row);
                json.WriteString("column", c.Column);
                Write(json, "paper", c.Paper);
                Write(json, "paperSpread", c.PaperSpread);
                Write(json, "mean", c.Ours.Count == 0 ? null : c.Ours.Mean);
                Write(json, "interval", c.Ours.Half);
                json.WriteNumber("n", c.Ours.Count);
                json.WriteString("verdict", c.Verdict.Name);
                json.WriteString("reason", c.Verdict.Reason);
                json.WriteString("command", c.Command);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        return System.Text.Encoding.UTF8.GetString(bytes.ToArray()) + "\n";
    }

    /// <summary>Writes CSV, Markdown, LaTeX and JSON below a folder, named after the table.</summary>
    public static void Write(string folder, PaperTable table, IReadOnlyList<ReproducedCell> cells)
    {
        string path = Path.Combine(folder, table.Id.Replace('/', '-'));
        string caption = $"{table.Paper}, {table.Id[(table.Id.IndexOf('/', StringComparison.Ordinal) + 1)..]}: {table.Title}. Spread of the paper: {table.SpreadKind}. Ours: mean ± 95% t-interval.";
        AtomicFile.WriteText(path + ".csv", Full(cells).Csv());
        AtomicFile.WriteText(path + ".tex", Summary(cells).Latex(caption));
        AtomicFile.WriteText(path + ".json", Json(cells));
        var provenance = new ReportTable(["row", "one seed", "hyper-parameters"], [.. cells.DistinctBy(c => (c.Row, c.Run)).Select(c => new[] { c.Row, c.Run, c.Provenance })]);
        AtomicFile.WriteText(path + ".md", $"# {table.Id}\n\n{caption}\n\n{Summary(cells).Markdown()}\n{provenance.Markdown()}");
    }

    private static void Write(Utf8JsonWriter json, string name, double? value)
    {
        // JSON has no NaN; a mean that is none is said to be none.
        if (value is { } v && double.IsFinite(v))
            json.WriteNumber(name, v);
        else
            json.WriteNull(name);
    }

    private static string Count(ReproducedCell c) => c.Ours.Count == 0 ? "" : $"{c.Ours.Count}";

    private static string Plus(double? value, double? half) => half is null ? Number(value) : $"{Number(value)} ± {(Math.Abs(value ?? 0) >= 1 ? $"{half:0.##}" : Number(half))}";

    // As many digits as published numbers have: two decimals of percent, more of small numbers.
    private static string Number(double? value) => value switch
    {
        null => "",
        { } v when !double.IsFinite(v) => "n/a",
        0 => "0",
        { } v when Math.Abs(v) < 1 => $"{v:0.####}",
        { } v => $"{v:0.##}",
    };
}
