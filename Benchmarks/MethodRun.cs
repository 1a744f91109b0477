using System.Reflection;
using System.Text.Json;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary>Everything that decides the bits of one run.</summary>
internal sealed record RunSpec(
    MethodRow Method, string Stream, Scenario Scenario, ulong Seed, TrainerOptions Training, MethodSettings Settings, bool ShuffleClasses = false,
    int? MaxTrain = null, int? MaxTest = null);

/// <summary>A finished run, ready to be printed and stored.</summary>
internal sealed record RunRecord(
    RunSpec Spec, TaskStream Stream, object Options, RunResult Result, IReadOnlyList<Metric> Metrics, long Parameters, long StorageBits, string FinalState)
{
    /// <summary>The value of a metric, or null when undefined.</summary>
    public double? this[string key] => Metrics.First(m => m.Key == key).Value;
}

/// <summary>Trains one method on one stream with one seed: the body of <c>run</c> and of each row of <c>suite</c>.</summary>
internal static class MethodRun
{
    public static RunRecord Execute(RunSpec spec, TaskStream stream, Action<TrainerProgress>? progress, CancellationToken cancel, Action<IMethod>? ended = null) =>
        Execute(spec, spec.Method.Configure(spec.Settings), stream, null, progress, cancel, ended);

    /// <summary>The same with options already resolved, and a place to save the state at; <paramref name="ended"/> gets the trained method before it is freed.</summary>
    public static RunRecord Execute(RunSpec spec, object options, TaskStream stream, RunCheckpoint? checkpoint, Action<TrainerProgress>? progress, CancellationToken cancel,
        Action<IMethod>? ended = null)
    {
        if (!spec.Method.Scenarios.Contains(spec.Scenario))
            throw new UsageException($"{spec.Method.Name}: the {spec.Scenario.Name()}-incremental scenario is not supported; there are "
                + $"{string.Join(", ", spec.Method.Scenarios.Select(s => s.Name()))}.");
        var seeds = new SeedStreams(spec.Seed);
        using var method = spec.Method.Create(stream, seeds, options);
        var result = new Trainer(stream, spec.Training with { MixedTests = spec.Method.MixedTests }).Run(method, spec.Method.Joint, seeds.Batch, progress,
            checkpoint is null ? null : checkpoint with { Seeds = seeds }, cancel);
        var final = new RunStateWriter();
        method.Persist(final);
        IReadOnlyList<Metric> metrics = [.. Metrics.All(result.Matrix, spec.Scenario), .. method is IMeasured measured ? measured.Measure(cancel) : []];
        ended?.Invoke(method);
        return new RunRecord(spec, stream, options, result, metrics, method.ParameterCount, method.StorageBits, final.Digest());
    }

    /// <summary>
    /// The run as JSON: settings, figures as fractions, and why a figure is missing. No times and no paths, and of the device its kind only, so equal seeds give equal bytes.
    /// </summary>
    public static void WriteJson(Utf8JsonWriter json, RunRecord run)
    {
        var (spec, stream) = (run.Spec, run.Stream);
        json.WriteNumber("schema", 1);
        json.WriteString("engine", Engine.Id);
        json.WriteString("device", RunCheckpoint.BackEnd);
        json.WriteString("method", spec.Method.Name);
        json.WriteString("paper", spec.Method.Paper);
        json.WriteString("stream", spec.Stream);
        json.WriteString("scenario", spec.Scenario.Name());
        json.WriteNumber("seed", spec.Seed);
        json.WriteNumber("epochs", spec.Training.Epochs);
        json.WriteNumber("batchSize", spec.Training.BatchSize);
        json.WritePropertyName("options");
        Cell.ToJson(run.Options).WriteTo(json);
        json.WriteStartObject("data");
        foreach (var (key, set) in new[] { ("train", stream.TrainItems), ("test", stream.TestItems) })
        {
            json.WriteStartObject(key);
            json.WriteString("name", set.Name);
            json.WriteNumber("images", set.Count);
            json.WriteString("provenance", set.Provenance);
            json.WriteEndObject();
        }
        json.WriteEndObject();
        json.WriteStartArray("tasks");
        foreach (var task in stream.Tasks)
            Numbers(json, task.Classes.Select(c => (double)c));
        json.WriteEndArray();
        json.WriteNumber("steps", run.Result.Steps);
        json.WriteNumber("optimizerSteps", run.Result.Work.OptimizerSteps);
        json.WriteNumber("flops", run.Result.Work.Flops);
        json.WriteNumber("parameters", run.Parameters);
        json.WriteNumber("storageBits", run.StorageBits);
        json.WriteString("finalState", run.FinalState);
        foreach (var m in run.Metrics)
            if (m.Value is { } v)
                json.WriteNumber(m.Key, v);
            else
                json.WriteNull(m.Key);
        json.WriteStartObject("undefined");
        foreach (var m in run.Metrics.Where(m => m.Value is null))
            json.WriteString(m.Key, m.Reason);
        json.WriteEndObject();
        json.WriteStartObject("definitions");
        foreach (var m in run.Metrics)
            json.WriteString(m.Key, m.Definition);
        json.WriteEndObject();
        var a = run.Result.Matrix;
        json.WritePropertyName("initialAccuracy");
        Numbers(json, a.Row(0));
        json.WriteStartArray("accuracyMatrix");
        for (int i = 1; i < a.Rows; i++)
            Numbers(json, a.Row(i));
        json.WriteEndArray();
        var answers = run.Result.Answers;
        json.WriteStartArray("classRecall");
        for (int label = 0; label < answers.Labels; label++)
            if (answers.Recall(label).Value is { } recall)
                json.WriteNumberValue(recall);
            else
                json.WriteNullValue();
        json.WriteEndArray();
        json.WritePropertyName("predictedShare");
        Numbers(json, answers.Histogram() ?? []);
        json.WritePropertyName("streamDescription");
        stream.Describe().WriteTo(json);
    }

    private static void Numbers(Utf8JsonWriter json, IEnumerable<double> values)
    {
        json.WriteStartArray();
        foreach (double v in values)
            json.WriteNumberValue(v);
        json.WriteEndArray();
    }
}
