using Native.Methods;

namespace Native.Benchmarks;

/// <summary>The cells of a plan with what they yielded, one row for all seeds of one setting.</summary>
internal static class CellTable
{
    /// <summary>Settings in the order of the plan; a figure that is undefined says why.</summary>
    public static ReportTable Of(CellStore store, IReadOnlyList<Cell> plan) => new(
        ["method", "options", "stream", "average accuracy %>", "forgetting %>", "n>", "stored bits>", "s per run>"],
        [.. plan.GroupBy(c => c.Group).Select(g =>
        {
            var results = g.Select(store.Result).OfType<CellResult>().ToList();
            var first = g.First();
            return new[]
            {
                first.Method, Short(Changed(first)), first.Stream, Figure(results, "averageAccuracy"), Figure(results, "forgetting"), $"{results.Count}/{g.Count()}",
                results.Count == 0 ? "" : $"{results[0].StorageBits}", results.Count == 0 ? "" : $"{results.Average(r => r.Seconds):F1}",
            };
        })]);

    /// <summary>The options that differ from the method's own for this stream, as typed after <c>--set</c>.</summary>
    public static string Changed(Cell cell)
    {
        if (MethodTable.All.FirstOrDefault(m => m.Name == cell.Method) is not { } row)
            return CanonicalJson.Text(cell.Options);
        var defaults = Cell.ToJson(row.Configure(new MethodSettings(Stream: cell.Stream)));
        return string.Join(' ', cell.Options.Where(o => CanonicalJson.Text(o.Value) != CanonicalJson.Text(defaults[o.Key])).Select(o => $"{o.Key}={o.Value?.ToString() ?? "none"}"));
    }

    /// <summary>The first few of them, for a line; cell.json has all.</summary>
    public static string Short(string changed)
    {
        const int Shown = 3;
        string[] parts = changed.Split(' ');
        return parts.Length <= Shown + 1 ? changed : $"{string.Join(' ', parts[..Shown])} and {parts.Length - Shown} more";
    }

    /// <summary>Mean and interval of a figure in percent.</summary>
    private static string Figure(List<CellResult> results, string measure)
    {
        if (results.Count == 0)
            return "";
        var values = results.Select(r => r[measure]).OfType<double>().ToList();
        if (values.Count == 0)
            return $"n/a: {results[0].Reason(measure) ?? "no such figure"}";
        var t = TInterval.Of([.. values.Select(v => 100 * v)]);
        return t.Half is { } half ? $"{t.Mean:F2} ± {half:F2}" : $"{t.Mean:F2}";
    }
}
