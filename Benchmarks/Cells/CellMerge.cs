using System.Text.Json.Nodes;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary>
/// Brings the cells of several folders together. What comes out depends on the cells alone, not on how they were spread or in which order the folders are
/// named: equal cells have equal results, the furthest state and the first error in order of characters are kept, and the shortest time.
/// </summary>
internal static class CellMerge
{
    /// <summary>Copies everything of <paramref name="from"/> into <paramref name="to"/>; returns the number of cells there afterwards.</summary>
    /// <exception cref="DataFormatException">Something in a folder is no cell.</exception>
    /// <exception cref="UsageException">Two folders hold different results of one cell, or somebody works on a cell.</exception>
    public static int Run(IReadOnlyList<CellStore> from, CellStore to, CancellationToken cancel)
    {
        foreach (var store in from.Append(to))
            if (store.Damaged() is [var (_, reason), ..])
                throw new DataFormatException(reason);
        foreach (var store in from)
            foreach (var cell in store.All())
            {
                cancel.ThrowIfCancellationRequested();
                if (store.Status(cell) == CellStatus.Running)
                    throw new UsageException($"merge: cell {cell.Id} ({cell.Label}) of {store.Root} is being run. Merge when it is done.");
                using var claim = to.Claim(cell) ?? throw new UsageException($"merge: cell {cell.Id} ({cell.Label}) of {to.Root} is being run. Merge when it is done.");
                Copy(store, to, cell);
            }
        return to.All().Count;
    }

    private static void Copy(CellStore from, CellStore to, Cell cell)
    {
        if (from.Result(cell) is not null)
        {
            string text = from.ResultText(cell);
            if (to.Result(cell) is not null && to.ResultText(cell) != text)
                throw new UsageException($"merge: cell {cell.Id} ({cell.Label}) has another result in {from.Root} ({DeviceOf(from, cell)}) than in what was merged before it "
                    + $"({DeviceOf(to, cell)}). Delete one of the two.");
            to.Finish(cell, text, Shorter(from.TimingOf(cell), to.TimingOf(cell)));
            return;
        }
        if (to.Result(cell) is not null)
            return;
        if (File.Exists(from.StatePath(cell)) && Steps(from, cell) > Steps(to, cell))
            File.Copy(from.StatePath(cell), to.StatePath(cell), overwrite: true);
        if (from.Error(cell) is { } error && (to.Error(cell) is not { } known || string.CompareOrdinal(error, known) < 0))
            to.Fail(cell, error);
    }

    private static JsonObject Shorter(JsonObject? a, JsonObject? b)
    {
        if (a is null || b is null)
            return a ?? b ?? [];
        double x = a["trainSeconds"]?.GetValue<double>() ?? 0, y = b["trainSeconds"]?.GetValue<double>() ?? 0;
        return x < y || (x == y && string.CompareOrdinal(CanonicalJson.Text(a), CanonicalJson.Text(b)) <= 0) ? a : b;
    }

    private static long Steps(CellStore store, Cell cell)
    {
        if (!File.Exists(store.StatePath(cell)))
            return -1;
        long steps = 0;
        new RunStateReader(store.StatePath(cell)).Number("loop.steps", ref steps);
        return steps;
    }

    private static string DeviceOf(CellStore store, Cell cell) => store.TimingOf(cell)?["device"]?.GetValue<string>() ?? "device unknown";
}
