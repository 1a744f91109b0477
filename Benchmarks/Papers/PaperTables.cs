using Native.Methods;

namespace Native.Benchmarks;

/// <summary>Every table and figure with claims of the five papers, as published.</summary>
internal static class PaperTables
{
    public static IReadOnlyList<PaperTable> All { get; } = [.. ArmTables.All, .. SrmTables.All, .. DgmTables.All, .. MetaTables.All, .. MyGoTables.All];

    /// <summary>The table of an id; <see cref="UsageException"/> with the nearest for any other.</summary>
    public static PaperTable Find(string id) => All.FirstOrDefault(t => t.Id == id) ?? throw Unknown.Name("table", id, [.. All.Select(t => t.Id)]);
}
