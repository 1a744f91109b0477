using Native.Nn;

namespace Native.Methods;

/// <summary>The rows of Scalable Recollections' tables, and what they have in common.</summary>
internal static class Recollections
{
    private const string Paper = "Scalable Recollections (Riemer et al. 2019)";

    private static readonly Scenario[] Every = [Scenario.ClassIncremental, Scenario.TaskIncremental, Scenario.DomainIncremental];

    private static readonly Scenario[] Told = [Scenario.ClassIncremental, Scenario.TaskIncremental];

    /// <summary>The rows of the table of methods.</summary>
    public static IEnumerable<MethodRow> Rows { get; } =
    [
        Row("srm", "replay of images decoded from stored codes (algorithm 1)", Every, RecollectionOptions.For, (stream, seeds, o) => new RecollectionReplay(stream, seeds, o)),
        Row("srm-gem", "GEM with memories decoded from stored codes (algorithm 2)", Every, RecollectionGemOptions.For, (stream, seeds, o) => new RecollectionGem(stream, seeds, o)),
        Row("srm-real", "the same replay of real images, as many as take the codes' bits", Every, RealReplayOptions.For, (stream, seeds, o) => new RealReplay(stream, seeds, o)),
        Row("srm-gem-real", "GEM with real images in the paper's network", Every, s => new GemOptions(Capacity: 100, Strength: IsCifar(s) ? 0.1 : 0.5, Width: Width(s)),
            (stream, seeds, o) => new Accounted(stream, new Gem(stream, seeds, o, Predictor(stream, seeds, o.Width)), o.Capacity)),
        Row("srm-ewc", "EWC at GEM's settings in the paper's network", Every, s => new EwcOptions(Width: Width(s), Strength: IsCifar(s) ? 1 : 1000, FisherSamples: IsCifar(s) ? 10 : 1000),
            (stream, seeds, o) => new Accounted(stream, new Ewc(stream, seeds, o, Predictor(stream, seeds, o.Width)), o.FisherSamples)),
        Row("srm-online", "plain SGD in the paper's network", Every, s => new NaiveOptions(Of(s) == RecollectionData.Rotations ? OnlineRate : 1e-3, Width(s)),
            (stream, seeds, o) => new Accounted(stream, new Naive(stream, seeds, o, Predictor(stream, seeds, o.Width)), 0)),
        Row("srm-lwf", "LwF in the paper's network", Told, s => LwfOptions.For(s.Data) with { Width = Width(s) },
            (stream, seeds, o) => new Accounted(stream, new Lwf(stream, seeds, o), 0, counted: false)),
        Row("srm-icarl", "iCaRL in the paper's network", Told, s => new IcarlOptions(Capacity: 200, Width: Width(s)),
            (stream, seeds, o) => new Accounted(stream, new Icarl(stream, seeds, o), o.Capacity, counted: false)),
    ];

    // Rate of the online row on MNIST-Rotations: that of the single predictor in GEM's script.
    private const double OnlineRate = 0.003;

    /// <summary>Which stream of the paper one is, or is like.</summary>
    public static RecollectionData Of(MethodSettings settings) => IsCifar(settings) ? RecollectionData.Cifar100
        : settings.Stream?.Contains("omniglot", StringComparison.Ordinal) == true ? RecollectionData.Omniglot : RecollectionData.Rotations;

    private static bool IsCifar(MethodSettings settings) => settings.Stream is { } s && (s.Contains("cifar", StringComparison.Ordinal) || s.Contains("textures", StringComparison.Ordinal));

    // Two layers of 100 units, or the residual network's own 20 filters.
    private static int Width(MethodSettings settings) => Of(settings) == RecollectionData.Rotations ? 100 : 0;

    /// <summary>
    /// The predictor (section "Experiments", after Gradient Episodic Memory): for one channel a perceptron of two hidden layers with Xavier's uniform weights and biases of
    /// 0, as that code has them; the residual network for three channels, and for Omniglot's alphabets.
    /// </summary>
    public static Classifier Predictor(TaskStream stream, SeedStreams seeds, int width)
    {
        if (stream.Name.StartsWith("omniglot", StringComparison.Ordinal))
            return new ResNet18(stream.Outputs, seeds.Init, width == 0 ? ResNet18.PaperFilters : width, side: stream.Train.Height, channels: stream.Train.Channels);
        var net = Classifier.For(stream, seeds.Init, width);
        if (net is not Mlp)
            return net;
        using var scope = TensorScope.Begin("xavier");
        using var constant = Autograd.NoGrad();
        foreach (var p in net.Parameters())
            p.Value.CopyInPlace(p.Value.Rank == 2 ? Init.XavierUniform(p.Shape, seeds.Init) : Tensor.Zeros(p.Shape));
        return net;
    }

    /// <summary>Bits of a real image of a stream.</summary>
    public static long ImageBits(TaskStream stream) => StoredBits.Image(stream.Train.Channels, stream.Train.Height, stream.Train.Width);

    /// <summary><c>storedImages</c>: the tables' incremental storage.</summary>
    public static Metric Stored(TaskStream stream, long bits) => new("storedImages", "incremental storage in images", StoredBits.ImageEquivalents(bits, ImageBits(stream)), null,
        "bits of items, without networks of one predictor's size and auto-encoder, over the bits of an image (H W C 8)")
    { IsFraction = false };

    /// <summary><c>items</c>.</summary>
    public static Metric Items(int items) => new("items", "items", items, null, "items kept") { IsFraction = false };

    private static MethodRow Row<TOptions>(string name, string summary, Scenario[] scenarios, Func<MethodSettings, TOptions> defaults,
        Func<TaskStream, SeedStreams, TOptions, IMethod> create) where TOptions : IMethodOptions =>
        new(name, Paper, summary, Joint: false, scenarios, s => MethodOptions.Apply(name, defaults(s), s), (stream, seeds, o) => create(stream, seeds, (TOptions)o));

    /// <summary>A baseline that also tells its storage as the tables count it.</summary>
    private sealed class Accounted(TaskStream stream, IMethod inner, int items, bool counted = true) : IMethod, IMeasured
    {
        public long ParameterCount => inner.ParameterCount;

        public long StorageBits => inner.StorageBits;

        public void BeginTask(StreamTask task, int steps) => inner.BeginTask(task, steps);

        public Tensor Observe(Batch batch) => inner.Observe(batch);

        public void EndTask(StreamTask task) => inner.EndTask(task);

        public Tensor Predict(Tensor images, StreamTask? task) => inner.Predict(images, task);

        public void Persist(RunState state) => inner.Persist(state);

        // A copy of the predictor is of the network's own cost in the tables: what is counted then are the images.
        public IReadOnlyList<Metric> Measure(CancellationToken cancel) => [Stored(stream, counted ? inner.StorageBits : items * ImageBits(stream)), Items(items)];

        public void Dispose() => inner.Dispose();
    }
}
