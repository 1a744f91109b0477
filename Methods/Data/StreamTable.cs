namespace Native.Methods;

/// <summary>Every stream that <c>--stream</c> takes: those of the papers, and twins drawn by the program that need no data.</summary>
public static class StreamTable
{
    /// <summary>The rows, in the order of the tables.</summary>
    public static IReadOnlyList<StreamRow> All { get; } = [.. DigitStreams.Rows, .. ColourStreams.Rows, .. OtherStreams.Rows];

    /// <summary>The row of a name; <see cref="UsageException"/> with the nearest for any other.</summary>
    public static StreamRow Find(string name) => All.FirstOrDefault(s => s.Name == name) ?? throw Unknown.Name("stream", name, [.. All.Select(s => s.Name)]);
}
