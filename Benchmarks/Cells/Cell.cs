using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary>
/// Everything that decides the bits of one run, as data: it can be written down, hashed, and run from the text alone. Two cells with one id are one cell.
/// </summary>
/// <param name="Method">Name of the method's row.</param>
/// <param name="Stream">Name of the stream's row, of the data that are really used.</param>
/// <param name="Scenario">What is told at test time.</param>
/// <param name="Seed">Of everything random.</param>
/// <param name="Options">The method's resolved options, camelCase.</param>
/// <param name="Epochs">Passes over each task.</param>
/// <param name="BatchSize">Items per step.</param>
/// <param name="MaxTrain">Only the first so many training items of the data set; null = all.</param>
/// <param name="MaxTest">Likewise for tests.</param>
/// <param name="ShuffleClasses">Whether the order of classes is drawn from the seed.</param>
/// <param name="Engine">The engine's version, sources included: another one may round differently.</param>
internal sealed record Cell(
    string Method, string Stream, Scenario Scenario, ulong Seed, JsonObject Options, int Epochs, int BatchSize, int? MaxTrain, int? MaxTest,
    bool ShuffleClasses, string Engine)
{
    private const int IdLength = 16;

    private static readonly JsonSerializerOptions OptionsJson = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    };

    /// <summary>The cell of a run as asked for.</summary>
    public static Cell Of(RunSpec spec) => new(spec.Method.Name, spec.Stream, spec.Scenario, spec.Seed, ToJson(spec.Method.Configure(spec.Settings)),
        spec.Training.Epochs, spec.Training.BatchSize, spec.MaxTrain, spec.MaxTest, spec.ShuffleClasses, Benchmarks.Engine.Id);

    /// <summary>The first 16 hexadecimal digits of the SHA-256 of the canonical JSON.</summary>
    public string Id => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(CanonicalJson.Text(ToJson()))))[..IdLength];

    /// <summary>For tables and status lines: what tells it from its neighbours.</summary>
    public string Label => $"{Method} on {Stream}, seed {Seed}";

    /// <summary>Equal for cells that differ in their seed only.</summary>
    public string Group => (this with { Seed = 0 }).Id;

    /// <summary>The options that a method takes, as it takes them.</summary>
    public object MethodOptions(MethodRow row) =>
        Options.Deserialize(row.Configure(new MethodSettings()).GetType(), OptionsJson)
            ?? throw new UsageException($"cell {Id}: it has no options.");

    /// <summary>A method's options as JSON.</summary>
    public static JsonObject ToJson(object options) => (JsonObject)JsonSerializer.SerializeToNode(options, options.GetType(), OptionsJson)!;

    /// <summary>The cell as JSON; every field is there, so that a default that changes does not change its meaning.</summary>
    public JsonObject ToJson() => new()
    {
        ["method"] = Method,
        ["stream"] = Stream,
        ["scenario"] = Scenario.Name(),
        ["seed"] = Seed,
        ["options"] = Options.DeepClone(),
        ["epochs"] = Epochs,
        ["batchSize"] = BatchSize,
        ["maxTrain"] = MaxTrain,
        ["maxTest"] = MaxTest,
        ["shuffleClasses"] = ShuffleClasses,
        ["engine"] = Engine,
    };

    /// <summary>Reads what <see cref="ToJson()"/> wrote; null when it is something else.</summary>
    public static Cell? FromJson(JsonNode? node)
    {
        try
        {
            return node is JsonObject o && o["options"] is JsonObject options
                ? new Cell(Value<string>(o, "method"), Value<string>(o, "stream"), Scenarios.Parse(Value<string>(o, "scenario")), Value<ulong>(o, "seed"),
                    (JsonObject)options.DeepClone(), Value<int>(o, "epochs"), Value<int>(o, "batchSize"), o["maxTrain"]?.GetValue<int>(),
                    o["maxTest"]?.GetValue<int>(), Value<bool>(o, "shuffleClasses"), Value<string>(o, "engine"))
                : null;
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException or UsageException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public bool Equals(Cell? other) => other is not null && Id == other.Id;

    /// <inheritdoc/>
    public override int GetHashCode() => Id.GetHashCode(StringComparison.Ordinal);

    private static T Value<T>(JsonObject o, string key) => o[key] is { } v ? v.GetValue<T>() : throw new FormatException(key);
}
