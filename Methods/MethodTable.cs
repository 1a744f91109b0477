namespace Native.Methods;

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
    Func<TaskStream, SeedStreams, object, IMethod> Create)
{
    /// <summary>Tested on batches that hold all classes seen so far (<see cref="TrainerOptions.MixedTests"/>).</summary>
    public bool MixedTests { get; init; }

    /// <summary>Why it cannot run on this machine; null when it can.</summary>
    public Func<string?> Missing { get; init; } = () => null;

    /// <summary>The scenario of its paper, where a plan of many methods leaves the choice; null for the stream's.</summary>
    public Scenario? Usual { get; init; }
}

/// <summary>Every method that <c>native run</c> takes.</summary>
public static class MethodTable
{
    private const string Arm = "Automatic Recall Machines (Ji et al. 2020)", Mir = "Maximally Interfered Retrieval (Aljundi et al. 2019)",
        Synthetic = "Learning on synthetic data (Masarczyk and Tautkute 2020)", Sleep = "MyGO (Ji and Song 2025)";

    private static readonly Scenario[] Every = [Scenario.ClassIncremental, Scenario.TaskIncremental, Scenario.DomainIncremental];

    // Methods whose replayed answers are distributions over all outputs, which a mask per task has no place in.
    private static readonly Scenario[] Untold = [Scenario.ClassIncremental, Scenario.DomainIncremental];

    private static readonly Scenario[] Classes = [Scenario.ClassIncremental];

    /// <summary>The rows, in the order of the tables.</summary>
    public static IReadOnlyList<MethodRow> All { get; } =
    [
        Row("naive", "baseline", "plain SGD, one task after the other; the lower bound", Every,
            NaiveOptions.For, (stream, seeds, o) => new Naive(stream, seeds, o)),
        Row("joint", "baseline", "plain SGD on all tasks at once, the rate falling to 0; the upper bound", Every,
            _ => new JointOptions(), (stream, seeds, o) => new Joint(stream, seeds, o), joint: true),
        Row("stationary", Arm, "plain SGD on all tasks at once, the rate constant: the tables' \"naive, stationary\"", Every,
            JointOptions.Stationary, (stream, seeds, o) => new Joint(stream, seeds, o), joint: true),
        Row("er", Mir, "new batch plus a batch from a memory of images (reservoir)", Every,
            _ => new ErOptions(), (stream, seeds, o) => new Er(stream, seeds, o)),
        Row("er-mir", Mir, "the same, answering with the images that the batch interferes with most", Every,
            ErMirOptions.For, (stream, seeds, o) => new ErMir(stream, seeds, o)),
        Row("gem", "Gradient Episodic Memory (Lopez-Paz and Ranzato 2017)", "steps that raise no earlier task's loss on its memory", Every,
            _ => new GemOptions(), (stream, seeds, o) => new Gem(stream, seeds, o)),
        Row("icarl", "iCaRL (Rebuffi et al. 2017)", "exemplars by herding, nearest mean of exemplars, distillation", Classes,
            _ => new IcarlOptions(), (stream, seeds, o) => new Icarl(stream, seeds, o)),
        Row("gen", Mir, "a variational auto-encoder that replays, several steps per batch", Untold,
            _ => new GenOptions(), (stream, seeds, o) => new Gen(stream, seeds, o)),
        Row("gen-mir", Mir, "the same, climbing its codes to where the batch interferes most", Untold,
            _ => GenOptions.Retrieving, (stream, seeds, o) => new Gen(stream, seeds, o)),
        Row("lwf", "Learning without Forgetting (Li and Hoiem 2017), as in ARM", "a second step towards what the network of before says of the batch", Untold,
            LwfOptions.For, (stream, seeds, o) => new Lwf(stream, seeds, o)),
        Row("adi", "Adaptive DeepInversion (Yin et al. 2020), as in ARM", "images made from the network for classes drawn at random", Classes,
            AdiOptions.For, (stream, seeds, o) => new Adi(stream, seeds, o)),
        Row("arm", Arm, "images recalled from the network where the batch interferes most", Classes,
            ArmOptions.For, (stream, seeds, o) => new AutomaticRecallMachine(stream, seeds, o)),
        Row("arm-gradients", Arm, "arm, and then how its recalled images' gradients resemble those of real ones (appendix A.7)", Classes,
            data => ArmOptions.For(data) with { GradientSamples = 1000 }, (stream, seeds, o) => new AutomaticRecallMachine(stream, seeds, o)),
        Row("ewc", "Elastic Weight Consolidation (Kirkpatrick et al. 2017), as in GEM's code", "a quadratic penalty that holds what earlier tasks used", Every,
            _ => new EwcOptions(), (stream, seeds, o) => new Ewc(stream, seeds, o)),
        Row("dgr", "Deep Generative Replay (Shin et al. 2017), as in van de Ven and Tolias 2019", "a scholar: generator and solver, taught by the one before", Untold,
            _ => new DgrOptions(), (stream, seeds, o) => new Dgr(stream, seeds, o)),
        Meta("meta-synthetic", "a fresh learner on images of a meta-learned generator", LearnerSource.Synthetic, LearnerRates.Synthetic),
        Meta("meta-real", "the same learner on real images; the rate and momentum of the synthetic ones, or rates=real for its own", LearnerSource.Real, LearnerRates.Synthetic),
        Meta("meta-gan", "the same learner on images of a conditional GAN", LearnerSource.Gan, LearnerRates.Synthetic),
        Meta("meta-mlp", "a perceptron on real images, plain SGD, as few steps", LearnerSource.Real, LearnerRates.Fixed, LearnerKind.Mlp),
        .. Recollections.Rows,
        .. RecollectionRows.Offline,
        Row("mygo", Sleep, "wake and sleep: a copy and a generative memory learn a task, a student learns from dreams of all; variant=literal|paper|repaired", Every,
            _ => new MyGoOptions(), (stream, seeds, o) => new MyGo(stream, seeds, o)) with { Usual = Scenario.TaskIncremental },
        Compared("mygo-finetune", "fine-tuning on MyGO's network; domain: the paper's shared head of two units, task: a head per task", MyGoBaseline.Finetune),
        Compared("mygo-frozen", "heads on MyGO's network as initialised", MyGoBaseline.Frozen),
        Compared("mygo-joint", "MyGO's network on all tasks at once", MyGoBaseline.Joint),
        Compared("mygo-lwf", "Learning without Forgetting on MyGO's network", MyGoBaseline.Lwf),
        Row("mygo-dgr", Sleep, "Deep Generative Replay on MyGO's network", Every, _ => new MyGoReplayOptions(), (stream, seeds, o) => new MyGoReplay(stream, seeds, o)) with
        { Usual = Scenario.TaskIncremental },
    ];

    /// <summary>The row of a name; <see cref="UsageException"/> with the nearest for any other.</summary>
    public static MethodRow Find(string name) => All.FirstOrDefault(m => m.Name == name) ?? throw Unknown.Name("method", name, [.. All.Select(m => m.Name)]);

    private static MethodRow Compared(string name, string summary, MyGoBaseline kind) =>
        Row(name, Sleep, summary, Every, _ => new MyGoComparisonOptions(), (stream, seeds, o) => new MyGoComparison(stream, seeds, kind, o), joint: kind == MyGoBaseline.Joint) with
        { Usual = Scenario.TaskIncremental };

    private static MethodRow Meta(string name, string summary, LearnerSource source, LearnerRates rates, LearnerKind learner = LearnerKind.Conv) =>
        new(name, Synthetic, summary, Joint: false, Classes, s => MethodOptions.Apply(name, MetaOptions.For(s, source, rates, learner), s),
            (stream, seeds, o) => new SyntheticData(stream, seeds, (MetaOptions)o))
        { MixedTests = true };

    private static MethodRow Row<TOptions>(string name, string paper, string summary, Scenario[] scenarios,
        Func<PaperData, TOptions> defaults, Func<TaskStream, SeedStreams, TOptions, IMethod> create, bool joint = false) where TOptions : IMethodOptions =>
        new(name, paper, summary, joint, scenarios, s => MethodOptions.Apply(name, defaults(s.Data), s), (stream, seeds, o) => create(stream, seeds, (TOptions)o));
}
