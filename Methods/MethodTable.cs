namespace Native.Methods;

/// <summary>What a user may set on the command line; null leaves the method's own default, whose provenance its Options record states.</summary>
/// <param name="LearningRate">Step size.</param>
/// <param name="Capacity">Images in a replay memory.</param>
public sealed record MethodSettings(double? LearningRate = null, int? Capacity = null);

/// <summary>A method by name.</summary>
/// <param name="Name">As typed.</param>
/// <param name="Paper">Where it comes from.</param>
/// <param name="Summary">One line.</param>
/// <param name="Joint">Trained on all tasks at once.</param>
/// <param name="Scenarios">Scenarios supported.</param>
/// <param name="Configure">The options used, from the settings: printed, and stored with the results.</param>
/// <param name="Create">Makes one, freshly initialised from the seed's sequences.</param>
public sealed record MethodRow(
    string Name,
    string Paper,
    string Summary,
    bool Joint,
    IReadOnlyList<Scenario> Scenarios,
    Func<MethodSettings, object> Configure,
    Func<TaskStream, SeedStreams, object, IMethod> Create);

/// <summary>Every method that <c>native run</c> takes.</summary>
public static class MethodTable
{
    private static readonly Scenario[] Every = [Scenario.ClassIncremental, Scenario.TaskIncremental, Scenario.DomainIncremental];

    /// <summary>The rows, in the order of the tables.</summary>
    public static IReadOnlyList<MethodRow> All { get; } =
    [
        Row("naive", "baseline", "plain SGD, one task after the other; the lower bound", joint: false,
            Naive, (stream, seeds, o) => new Naive(stream, seeds, o)),
        Row("joint", "baseline", "plain SGD on all tasks at once; the upper bound", joint: true,
            Joint, (stream, seeds, o) => new Joint(stream, seeds, o)),
        Row("er", "Aljundi et al. 2019 (reservoir replay)", "new batch plus a batch from a memory of images", joint: false,
            Replay, (stream, seeds, o) => new Er(stream, seeds, o)),
    ];

    /// <summary>The row of a name; <see cref="UsageException"/> with the nearest for any other.</summary>
    public static MethodRow Find(string name) => All.FirstOrDefault(m => m.Name == name) ?? throw Unknown.Name("method", name, [.. All.Select(m => m.Name)]);

    private static MethodRow Row<TOptions>(string name, string paper, string summary, bool joint,
        Func<MethodSettings, TOptions> configure, Func<TaskStream, SeedStreams, TOptions, IMethod> create) where TOptions : notnull =>
        new(name, paper, summary, joint, Every, s => configure(s), (stream, seeds, o) => create(stream, seeds, (TOptions)o));

    private static NaiveOptions Naive(MethodSettings s)
    {
        NoMemory(s, "naive");
        var o = new NaiveOptions();
        return o with { LearningRate = Rate(s, o.LearningRate) };
    }

    private static JointOptions Joint(MethodSettings s)
    {
        NoMemory(s, "joint");
        var o = new JointOptions();
        return o with { LearningRate = Rate(s, o.LearningRate) };
    }

    private static ErOptions Replay(MethodSettings s)
    {
        var o = new ErOptions();
        if (s.Capacity is < 1)
            throw new UsageException($"er: a memory of {s.Capacity} images holds nothing. Give --buffer 1 or more.");
        return o with { LearningRate = Rate(s, o.LearningRate), Capacity = s.Capacity ?? o.Capacity };
    }

    private static void NoMemory(MethodSettings s, string name)
    {
        if (s.Capacity is { } capacity)
            throw new UsageException($"{name}: it keeps no images, so a memory of {capacity} means nothing. Leave --buffer out.");
    }

    private static double Rate(MethodSettings s, double otherwise)
    {
        double rate = s.LearningRate ?? otherwise;
        if (!(rate > 0 && double.IsFinite(rate)))
            throw new UsageException($"learning rate: {rate} is not a positive number.");
        return rate;
    }
}
