using Native.Methods;

namespace Native.Benchmarks;

/// <summary>A column of a published table.</summary>
/// <param name="Name">As published.</param>
/// <param name="Measure">The figure of a result that it shows: a key, <c>taskN</c> or <c>averageN</c>; or, without a run, <c>option.NAME</c> or <c>stream.NAME</c>.</param>
/// <param name="HigherIsBetter">Which way is good; null for neither.</param>
/// <param name="Scale">What our figure is multiplied with: 100 makes percent of a fraction.</param>
/// <param name="Margin">Least tolerance of a verdict, in published units; null for a tenth of the value (units that have no points).</param>
internal sealed record PaperColumn(string Name, string Measure, bool? HigherIsBetter = true, double Scale = 100, double? Margin = Verdict.Points)
{
    /// <summary>Average accuracy in percent.</summary>
    public static PaperColumn Accuracy { get; } = new("Accuracy", "averageAccuracy");

    /// <summary>Forgetting in percent; less is better.</summary>
    public static PaperColumn Forgetting { get; } = new("Forgetting", "forgetting", HigherIsBetter: false);
}

/// <summary>One published number, with what reproduces it.</summary>
/// <param name="Row">Name of the row, with what tells it from others of the same name.</param>
/// <param name="Column">Column.</param>
/// <param name="Value">As published.</param>
/// <param name="Spread">Printed after it, if any.</param>
/// <param name="Recipe">What reproduces it; null where nothing can.</param>
internal sealed record PaperCell(string Row, PaperColumn Column, double Value, double? Spread, Recipe? Recipe)
{
    /// <summary>Why the value cannot be compared with ours although it can be measured; null where it can.</summary>
    public string? NotComparable { get; init; }

    /// <summary>What a reader of the verdict must know; it stands beside the verdict and does not change it.</summary>
    public string? Remark { get; init; }

    /// <summary>Where the hyper-parameters come from.</summary>
    public string Provenance { get; init; } = "";
}

/// <summary>A statement of a figure or a text without printed numbers: one measure exceeds another, seed by seed.</summary>
/// <param name="Text">In words.</param>
/// <param name="Left">What is said to be larger.</param>
/// <param name="LeftMeasure">Its figure.</param>
/// <param name="Right">What it is compared with; null for the number <paramref name="Margin"/> alone.</param>
/// <param name="RightMeasure">Its figure.</param>
/// <param name="Margin">By how much, a fraction.</param>
internal sealed record PaperClaim(string Text, Recipe Left, string LeftMeasure, Recipe? Right, string RightMeasure = "averageAccuracy", double Margin = 0)
{
    /// <summary>What the left side's figure is reduced by, seed by seed: then the claim is about a change.</summary>
    public Recipe? LeftBase { get; init; }

    /// <summary>What the right side's figure is reduced by.</summary>
    public Recipe? RightBase { get; init; }

    /// <summary>Every recipe that it needs.</summary>
    public IEnumerable<Recipe> Recipes => new[] { Left, LeftBase, Right, RightBase }.OfType<Recipe>();

    /// <summary>The figure's column in reports.</summary>
    public string Column { get; init; } = "claim";

    /// <summary>Where the hyper-parameters come from.</summary>
    public string Provenance { get; init; } = "";
}

/// <summary>A point of a figure that the paper draws without printing numbers: measured and written to a CSV file, judged by nothing.</summary>
/// <param name="Series">The curve that it belongs to.</param>
/// <param name="Recipe">What measures it.</param>
/// <param name="XMeasure">The figure along the abscissa.</param>
/// <param name="YMeasure">The figure along the ordinate.</param>
/// <param name="X">The abscissa where it is given instead.</param>
internal sealed record PaperPoint(string Series, Recipe Recipe, string XMeasure, string YMeasure, double? X = null);

/// <summary>A table or figure of a paper as published.</summary>
/// <param name="Id">As typed: <c>arm/table3</c>.</param>
/// <param name="Paper">Which paper.</param>
/// <param name="Title">Its caption, shortened.</param>
/// <param name="SpreadKind">What is printed after +-, over how many runs.</param>
/// <param name="Seeds">Runs that the paper made.</param>
/// <param name="Cells">The published numbers, row by row.</param>
internal sealed record PaperTable(string Id, string Paper, string Title, string SpreadKind, int Seeds, IReadOnlyList<PaperCell> Cells)
{
    /// <summary>Statements of a figure.</summary>
    public IReadOnlyList<PaperClaim> Claims { get; init; } = [];

    /// <summary>Points of a figure.</summary>
    public IReadOnlyList<PaperPoint> Points { get; init; } = [];

    /// <summary>The same with options added to every recipe: another setting than the paper's.</summary>
    public PaperTable With(IReadOnlyList<string> options)
    {
        if (options.Count == 0)
            return this;
        return this with
        {
            Cells = [.. Cells.Select(c => c with { Recipe = with(c.Recipe) })],
            Points = [.. Points.Select(p => p with { Recipe = with(p.Recipe)! })],
            Claims = [.. Claims.Select(c => c with { Left = with(c.Left)!, LeftBase = with(c.LeftBase), Right = with(c.Right), RightBase = with(c.RightBase) })],
        };
        // What a recipe says of itself stays.
        Recipe? with(Recipe? r) => r is null ? null : r with { Options = [.. options.Where(o => !r.Options.Any(own => Same(own, o))), .. r.Options] };

        static bool Same(string a, string b) => string.Equals(a.Split('=')[0], b.Split('=')[0], StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Every recipe, each once.</summary>
    public IEnumerable<Recipe> Recipes => Cells.Select(c => c.Recipe).Concat(Claims.SelectMany(c => c.Recipes)).Concat(Points.Select(p => p.Recipe)).OfType<Recipe>().DistinctBy(r => r.Command);
}

/// <summary>Short ways to write published rows.</summary>
internal static class Published
{
    /// <summary>The row's numbers under the columns in order; each is (value, spread), and null prints no number.</summary>
    public static IEnumerable<PaperCell> Row(string row, Recipe? recipe, IReadOnlyList<PaperColumn> columns, string provenance, params (double Value, double? Spread)?[] values) =>
        columns.Zip(values).Where(v => v.Second is not null)
            .Select(v => new PaperCell(row, v.First, v.Second!.Value.Value, v.Second.Value.Spread, recipe) { Provenance = provenance });

    /// <summary>Numbers without spreads; NaN prints no number.</summary>
    public static IEnumerable<PaperCell> Plain(string row, Recipe? recipe, IReadOnlyList<PaperColumn> columns, string provenance, params double[] values) =>
        Row(row, recipe, columns, provenance, [.. values.Select(v => double.IsNaN(v) ? ((double, double?)?)null : (v, null))]);

    /// <summary>The same cells, marked as measured otherwise than ours would be.</summary>
    public static IEnumerable<PaperCell> NotComparable(this IEnumerable<PaperCell> cells, string reason) => cells.Select(c => c with { NotComparable = reason });
}
