using System.Text.Json.Nodes;

namespace Native.Benchmarks;

/// <summary>What a cell yielded, read back.</summary>
internal sealed class CellResult(Cell cell, JsonObject json, JsonObject? timing)
{
    public Cell Cell => cell;

    /// <summary>What keeps JSON from being the result of a cell; null when nothing does.</summary>
    public static string? Fault(Cell cell, JsonObject json) =>
        Text(json["cell"]) != cell.Id ? "'cell' is not the name of its folder"
        : json["finalState"] is { } final && Text(final) is null ? "'finalState' is no text"
        : json["storageBits"] is { } bits && !(bits is JsonValue b && b.TryGetValue<long>(out _)) ? "'storageBits' is no whole number"
        : json["accuracyMatrix"] is { } matrix && !(matrix is JsonArray rows && rows.All(r => r is JsonArray a && a.All(IsNumber))) ? "'accuracyMatrix' is no array of arrays of numbers"
        : json["undefined"] is { } undefined && !(undefined is JsonObject reasons && reasons.All(r => Text(r.Value) is not null)) ? "'undefined' is no object of texts"
        : null;

    /// <summary>What keeps JSON from being the times of a cell; null when nothing does.</summary>
    public static string? Fault(JsonObject timing) =>
        new[] { "trainSeconds", "testSeconds" }.FirstOrDefault(k => timing[k] is { } v && !IsNumber(v)) is { } key ? $"'{key}' is no number"
        : timing["device"] is { } device && Text(device) is null ? "'device' is no text"
        : null;

    private static string? Text(JsonNode? node) => node is JsonValue v && v.TryGetValue<string>(out string? text) ? text : null;

    private static bool IsNumber(JsonNode? node) => node is JsonValue v && v.TryGetValue<double>(out double number) && double.IsFinite(number);

    /// <summary>Seconds of training and tests together; 0 when unknown.</summary>
    public double Seconds => (timing?["trainSeconds"]?.GetValue<double>() ?? 0) + (timing?["testSeconds"]?.GetValue<double>() ?? 0);

    /// <summary>Digest of the method's final state: equal for equal bits.</summary>
    public string? FinalState => json["finalState"]?.GetValue<string>();

    /// <summary>Bits kept of earlier items.</summary>
    public long StorageBits => json["storageBits"]?.GetValue<long>() ?? 0;

    /// <summary>
    /// A figure by name, fractions as fractions; null when it is undefined. <c>task3</c> is the final accuracy on the third task, <c>average3</c> the
    /// mean over the first three tasks after the third phase, <c>retained3</c> that after the last one; everything else is a key of the result.
    /// </summary>
    public double? this[string measure] =>
        Numbered(measure, "task") is { } task ? At(Phases, task)
        : Numbered(measure, "average") is { } phase ? Average(phase, phase)
        : Numbered(measure, "retained") is { } tasks ? Average(Phases, tasks)
        : json[measure] is JsonValue v && v.TryGetValue(out double number) ? number
        : null;

    /// <summary>Why a figure is undefined.</summary>
    public string? Reason(string measure) => json["undefined"]?[measure]?.GetValue<string>();

    private JsonArray Matrix => json["accuracyMatrix"] as JsonArray ?? [];

    private int Phases => Matrix.Count;

    private double? At(int phase, int task) =>
        phase >= 1 && phase <= Matrix.Count && Matrix[phase - 1] is JsonArray row && task >= 1 && task <= row.Count ? row[task - 1]!.GetValue<double>() : null;

    private double? Average(int phase, int tasks)
    {
        double sum = 0;
        for (int task = 1; task <= tasks; task++)
            if (At(phase, task) is { } a)
                sum += a;
            else
                return null;
        return sum / tasks;
    }

    private static int? Numbered(string measure, string prefix) =>
        measure.StartsWith(prefix, StringComparison.Ordinal) && int.TryParse(measure.AsSpan(prefix.Length), out int n) && n > 0 ? n : null;
}
