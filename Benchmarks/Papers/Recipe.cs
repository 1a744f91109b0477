using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary>How large the runs of a plan are.</summary>
internal enum Preset
{
    /// <summary>Seconds: a thousand items of a stream that needs no download. Shows what works, compares with no paper.</summary>
    Quick,

    /// <summary>The paper's own data, sizes and number of seeds.</summary>
    Paper,
}

/// <summary>What reproduces a published row: a method, its options, a stream and a protocol, all but the seed.</summary>
/// <param name="Method">Name of the method's row, whether it exists yet or not.</param>
/// <param name="Stream">Name of the stream's row, likewise.</param>
/// <param name="Options">Options that differ from the method's defaults for this stream, as <c>name=value</c>.</param>
internal sealed record Recipe(string Method, string Stream, params string[] Options)
{
    /// <summary>Training and test items of a quick run.</summary>
    public const int QuickTrain = 3000, QuickTest = 1000;

    // Streams whose data sets may be absent, remembered for the life of the process.
    private static readonly ConcurrentDictionary<(string, string), string?> Absent = new();

    /// <summary>What is told at test time; null for the stream's own.</summary>
    public Scenario? Scenario { get; init; }

    /// <summary>Passes over each task.</summary>
    public int Epochs { get; init; } = 1;

    /// <summary>Items per step.</summary>
    public int BatchSize { get; init; } = 10;

    /// <summary>The command that runs one seed of it.</summary>
    public string Command => $"native run {Method} --stream {Stream}{(Scenario is { } s ? $" --scenario {s.Name()}" : "")}"
        + $"{(Epochs == 1 ? "" : $" --epochs {Epochs}")}{(BatchSize == 10 ? "" : $" --batch {BatchSize}")}{string.Concat(Options.Select(o => $" --set {o}"))}";

    /// <summary>The options of the paper's size, as JSON; null when the method does not exist.</summary>
    public JsonObject? Defaults => MethodTable.All.FirstOrDefault(m => m.Name == Method) is { } method
        ? Cell.ToJson(method.Configure(new MethodSettings(Options: Pairs(Options), Stream: Stream))) : null;

    /// <summary>The cell of a seed, or why there is none.</summary>
    public (Cell? Cell, string? Reason) Resolve(Preset preset, ulong seed, DataFolder data)
    {
        if (MethodTable.All.FirstOrDefault(m => m.Name == Method) is not { } method)
            return (null, "not built");
        string name = preset == Preset.Quick ? Twin(Stream) : Stream;
        if (StreamTable.All.FirstOrDefault(s => s.Name == name) is not { } stream)
            return (null, $"not built: the stream {name}");
        var scenario = Scenario ?? stream.Usual;
        if (!method.Scenarios.Contains(scenario))
            return (null, $"{Method} has no {scenario.Name()}-incremental scenario");
        if (method.Missing() is { } lacking)
            return (null, lacking);
        if (Missing(stream, data) is { } missing)
            return (null, missing);
        return (Cell.Of(new RunSpec(method, name, scenario, seed, new TrainerOptions(preset == Preset.Quick ? 1 : Epochs, BatchSize),
            preset == Preset.Quick ? QuickSettings(Method, Stream, Options) : new MethodSettings(Options: Pairs(Options), Stream: Stream),
            MaxTrain: preset == Preset.Quick ? QuickItems(name) : null, MaxTest: preset == Preset.Quick ? QuickTest : null)), null);
    }

    /// <summary>
    /// A method's settings in a quick run: fewer inner steps where a paper makes many per batch, and thin networks and few recalled images (at the step
    /// size that keeps the step per image) where the stream has colour.
    /// </summary>
    public static MethodSettings QuickSettings(string method, string stream, params ReadOnlySpan<string> options)
    {
        bool colour = Twin(stream).StartsWith("textures", StringComparison.Ordinal);
        var all = Pairs(method switch
        {
            "meta-synthetic" or "meta-real" or "meta-gan" or "meta-mlp" => ["setting=quick", "metaSteps=100", "metaPerClass=10", "perClass=10", "metaBatch=128", "ganSteps=200"],
            // GEM's lambda is for its rotated digits; on drawn ones steps along 1000 F diverge.
            "ewc" => ["strength=100"],
            "srm-autoencoder" => ["setting=quick", "variables=20", "rate=1e-3"],
            "srm-distill" => ["setting=quick", "variables=20"],
            "mygo" => ["sleepSteps=50", "sleepBatch=32"],
            "gen" => ["iterations=2"],
            "gen-mir" => ["iterations=1", "ascents=2", "replayPerImage=2"],
            "arm" when colour => ["width=5", "recalled=10", "pixelRate=1", "steps=5"],
            "arm-gradients" when colour => ["width=5", "recalled=10", "pixelRate=1", "steps=5", "gradientSamples=20"],
            "arm-gradients" => ["gradientSamples=20"],
            "adi" when colour => ["width=5", "generated=10", "pixelRate=1", "steps=5"],
            // Rates of the paper are for twenty times as many steps.
            "srm" => [.. colour ? ["width=5"] : Array.Empty<string>(), "learningRate=0.1", "codeRate=3e-3", "replayBatch=10"],
            "srm-gem" => [.. colour ? ["width=5"] : Array.Empty<string>(), "codeRate=3e-3"],
            "srm-real" => [.. colour ? ["width=5"] : Array.Empty<string>(), "learningRate=0.1", "replayBatch=10"],
            "srm-online" => [.. colour ? ["width=5"] : Array.Empty<string>(), "learningRate=0.1"],
            "srm-ewc" when !colour => ["strength=100"],
            _ when colour => ["width=5"],
            _ => [],
        });
        foreach (var (name, value) in Pairs(options))
            all[name] = value;
        if (method is "srm" or "srm-gem")
            // A small auto-encoder, whatever the row's: the largest makes a few steps a second.
            (all["variables"], all["categories"], all["items"], all["transferPasses"]) = ("24", "4", "500", "2");
        return new MethodSettings(Options: all, Stream: stream);
    }

    /// <summary>Training items of a quick run; the rotated streams take them for each of 20 angles.</summary>
    public static int QuickItems(string stream) => stream.EndsWith("-rotations", StringComparison.Ordinal) ? QuickTrain / 20 : QuickTrain;

    private static Dictionary<string, string> Pairs(params ReadOnlySpan<string> options)
    {
        var pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string option in options)
        {
            var (name, value) = MethodOptions.Pair(option);
            pairs[name] = value;
        }
        return pairs;
    }

    /// <summary>A stream of the same kind that every machine has: drawn digits, textures or topics.</summary>
    public static string Twin(string stream) => stream switch
    {
        "mnist-5k-5" or "mnist-mir-5" or "digits-mir-5" or "split-mnist" or "split-digits" or "digits-5k-5" => "split-digits",
        "split-mnist-10" or "digits-10" => "digits-10",
        "mnist-rotations" or "digits-rotations" => "digits-rotations",
        "mnist" or "digits" or "omniglot-50" => "digits",
        "ag-news-2" or "ag-news-2-part" or "topics-2" => "topics-2",
        "cifar10-10" or "svhn-10" or "textures-10" => "textures-10",
        _ => "textures-5",
    };

    // Whether the data are here is found out by loading them: a folder that exists says little.
    private static string? Missing(StreamRow stream, DataFolder data) => Absent.GetOrAdd((stream.Name, data.Root ?? ""), _ =>
    {
        try
        {
            stream.Build(new StreamRequest(data, stream.Usual) { Explicit = true });
            return null;
        }
        catch (UsageException e) when (e.Message.StartsWith("data:", StringComparison.Ordinal))
        {
            return "data absent";
        }
        catch (DataFormatException e)
        {
            return $"data damaged: {e.Message}";
        }
    });
}
