namespace Native.Methods;

/// <summary>What a student is shown.</summary>
public enum DistillSource
{
    /// <summary>Recollections of stored codes.</summary>
    Recollections,

    /// <summary>All the images that would be stored: 'Real Data', 'Real x Teacher y'.</summary>
    Real,

    /// <summary>A share of them: '10% Sample'.</summary>
    Sample,
}

/// <summary>What a student is told of an image.</summary>
public enum DistillTargets
{
    /// <summary>The teacher's probabilities.</summary>
    Teacher,

    /// <summary>The class.</summary>
    Labels,
}

/// <summary>Which of the stored items a student is shown next.</summary>
public enum DistillSampling
{
    /// <summary>Any: buffer sampling.</summary>
    Random,

    /// <summary>Of k the one whose loss is the student's largest.</summary>
    Active,

    /// <summary>The same among k of k n that minimise the sum of squared similarities.</summary>
    Diverse,

    /// <summary>The same among k of k n drawn by a determinantal point process.</summary>
    Determinantal,

    /// <summary>No stored item at all: a code whose variables are uniform.</summary>
    Code,
}

/// <summary>Kinds of teachers and students.</summary>
public enum DistillNet
{
    /// <summary>LeNet with 20 and 50 filters and 500 units: of the two that go under the name the one whose students learn as fast as the published ones.</summary>
    Cnn,

    /// <summary>LeNet-5 of 1998.</summary>
    LeNet5,

    /// <summary>Two hidden layers of 100.</summary>
    Mlp,

    /// <summary>The reduced ResNet-18.</summary>
    ResNet,
}

/// <summary>Settings of <see cref="DistillationStudy"/>. "Appendix" is the paper's "MNIST Generative Distillation Experiments"; what it does not state is ours.</summary>
/// <param name="Setting">Sizes that belong together: 500 epochs of teacher and auto-encoder (paper: appendix), 60 (cpu), 2 (quick). On a CPU a run ends after 10,000 episodes, those with share=0.01 and with variables=38 after 100,000.</param>
/// <param name="Source">What the student is shown.</param>
/// <param name="Targets">What it is told of it.</param>
/// <param name="Sampling">Which item comes next.</param>
/// <param name="Variables">c of the codes: 168 for 10x, 62 for 50x, 38 for 100x (appendix).</param>
/// <param name="Categories">l: 2 (appendix).</param>
/// <param name="Share">Share of the items that a sample keeps: 0.1, 0.02 and 0.01 in table 7.</param>
/// <param name="Items">Images that pass through the memory: 50,000 (appendix), drawn from the training images; all of them where there are fewer.</param>
/// <param name="Teacher">The teacher: a LeNet (question 9); ResNet-18 on Omniglot.</param>
/// <param name="Student">The student: the same (table 7) or a perceptron, whose 2 x 100 is ours (table 8 prints no size; MNIST-Rotations' storage gives it).</param>
/// <param name="Episodes">Episodes, of one item and one update: 100,000 (tables 7 to 9); a million on Omniglot.</param>
/// <param name="StudentRate">A rate of the student: 1e-3 (appendix), Adam's.</param>
/// <param name="SecondRate">Another that is tried beside it: 1e-4 (appendix), or "none". Each figure is the better one's, on the test set, as the paper reports it.</param>
/// <param name="Candidates">k = 10 of active sampling (appendix).</param>
/// <param name="Spread">n = 10 of diverse sampling: k n items are thinned to k (appendix).</param>
/// <param name="Subset">Algorithm 3's gamma, the share of the rest that a step looks at: 1, unstated.</param>
/// <param name="Epochs">Passes of teacher and auto-encoder.</param>
/// <param name="Batch">Their images per step. Unstated; 100 in Jang, Gu and Poole 2017.</param>
/// <param name="TeacherRate">Adam's. Unstated; 1e-4 for the ResNet (appendix).</param>
/// <param name="CodeRate">Adam's, of the auto-encoder. Unstated; 1e-3 is the better of table 5's for these sizes.</param>
/// <param name="Tau">Temperature: 1 (appendix).</param>
/// <param name="KlWeight">Weight of the codes' divergence from uniform ones: 0.</param>
/// <param name="ModelSeed">Seed of teacher and auto-encoder, so that runs of many seeds distill one teacher; "none" for the run's own.</param>
public sealed record DistillationOptions(
    RecollectionSetting Setting = RecollectionSetting.Paper, DistillSource Source = DistillSource.Recollections, DistillTargets Targets = DistillTargets.Teacher,
    DistillSampling Sampling = DistillSampling.Random, int Variables = 168, int Categories = 2, double Share = 0.1, int Items = 50_000, DistillNet Teacher = DistillNet.Cnn,
    DistillNet Student = DistillNet.Cnn, int Episodes = 100_000, double StudentRate = 1e-3, double? SecondRate = 1e-4, int Candidates = 10, int Spread = 10, double Subset = 1,
    int Epochs = 500, int Batch = 100, double TeacherRate = 1e-3, double CodeRate = 1e-3, double Tau = 1, double KlWeight = 0, int? ModelSeed = 0) : IMethodOptions
{
    /// <summary>The defaults of the setting and the stream that are asked for. On a CPU Omniglot's networks are LeNets and its episodes 100,000, instead of ResNets and a million.</summary>
    public static DistillationOptions For(MethodSettings settings)
    {
        var setting = RecollectionSettings.Of(settings);
        var of = setting switch
        {
            RecollectionSetting.Quick => new DistillationOptions(setting, Episodes: 1000, Epochs: 2),
            RecollectionSetting.Cpu => new(setting, Epochs: 60, Episodes: Long(settings) ? 100_000 : 10_000),
            _ => new(),
        };
        bool omniglot = settings.Stream?.StartsWith("omniglot", StringComparison.Ordinal) ?? false;
        return !omniglot || setting == RecollectionSetting.Quick ? of
            : setting == RecollectionSetting.Cpu ? of with { Episodes = 100_000 }
            : of with { Teacher = DistillNet.ResNet, Student = DistillNet.ResNet, Episodes = 1_000_000, TeacherRate = 1e-4, StudentRate = 1e-4, SecondRate = null };
    }

    // The columns whose order at the end is the paper's point: 1% of the images, and codes that take as much.
    private static bool Long(MethodSettings settings) => settings.Options is { } options
        && options.Any(o => (o.Key, o.Value) is ("share", "0.01") or ("variables", "38"));

    /// <summary>The student's rates.</summary>
    internal double[] Rates => SecondRate is { } second ? [StudentRate, second] : [StudentRate];

    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(Share), Share), (nameof(Items), Items), (nameof(Episodes), Episodes), (nameof(StudentRate), StudentRate), (nameof(SecondRate), SecondRate ?? 1),
            (nameof(Candidates), Candidates), (nameof(Spread), Spread), (nameof(Subset), Subset), (nameof(Epochs), Epochs), (nameof(Batch), Batch), (nameof(TeacherRate), TeacherRate),
            (nameof(CodeRate), CodeRate), (nameof(Tau), Tau));
        OptionRange.NotNegative(method, (nameof(KlWeight), KlWeight), (nameof(ModelSeed), ModelSeed ?? 0));
        if (Source == DistillSource.Recollections)
            _ = new CodeSize(Variables, Categories);
        if (Share > 1 || Subset > 1)
            throw new UsageException($"{method}: share = {Share} and subset = {Subset}; neither can be above 1, which is everything.");
        if (Source != DistillSource.Recollections && Sampling == DistillSampling.Code)
            throw new UsageException($"{method}: sampling=code draws codes, and source={Source.ToString().ToLowerInvariant()} has none. Leave source out.");
        if (Source == DistillSource.Recollections && Targets == DistillTargets.Labels && Sampling == DistillSampling.Code)
            throw new UsageException($"{method}: a random code has no label. Leave targets=labels out.");
        if (Sampling is DistillSampling.Diverse or DistillSampling.Determinantal && Candidates < 2)
            throw new UsageException($"{method}: diverse sampling keeps 2 items or more; candidates = {Candidates}.");
        if (Sampling is DistillSampling.Diverse or DistillSampling.Determinantal && (long)Candidates * Spread > 10_000)
            throw new UsageException($"{method}: {Candidates} x {Spread} items to choose from in every episode are more than 10000. Give fewer candidates or a smaller spread.");
    }
}
