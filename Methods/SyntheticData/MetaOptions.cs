namespace Native.Methods;

/// <summary>Sizes that belong together; single options change them further.</summary>
public enum MetaSetting
{
    /// <summary>Under two minutes: images halved to 14 x 14, small networks, convolutions of stride 2, pools of 100 images, 1,500 meta-steps.</summary>
    Quick,

    /// <summary>The paper's inner loop with 1,200 meta-steps.</summary>
    Cpu,

    /// <summary>The paper's inner loop with 3,000 meta-steps (unstated there; Generative Teaching Networks take 2,000).</summary>
    Paper,
}

/// <summary>What the learner is trained on (figure 4).</summary>
public enum LearnerSource
{
    /// <summary>Images of the meta-learned generator.</summary>
    Synthetic,

    /// <summary>Real images: 'Real data'.</summary>
    Real,

    /// <summary>Images of a conditional GAN: 'GAN based'.</summary>
    Gan,
}

/// <summary>Where the learner's rate and momentum come from.</summary>
public enum LearnerRates
{
    /// <summary>Meta-learned together with the generator.</summary>
    Synthetic,

    /// <summary>Meta-learned through inner batches of real images: the other reading of 'Real data'.</summary>
    Real,

    /// <summary>The initial ones, as they are: 'MLP'.</summary>
    Fixed,
}

/// <summary>The statistics that batch normalisation uses at test; the paper leaves them open.</summary>
public enum TestNorm
{
    /// <summary>Those of the test batch, as in the meta-loss: Generative Teaching Networks' port. Test batches then hold the classes seen so far, mixed.</summary>
    Batch,

    /// <summary>Running ones: a tenth of each inner batch, so mostly those of the latest task.</summary>
    Running,

    /// <summary>Those of the latest inner batch (higher's example).</summary>
    Last,
}

/// <summary>What moves the generator.</summary>
public enum MetaOptimizer
{
    /// <summary>Adam, as Generative Teaching Networks.</summary>
    Adam,

    /// <summary>The plain gradient: equation 1.</summary>
    Gradient,
}

/// <summary>The learner's kind.</summary>
public enum LearnerKind
{
    /// <summary>Two convolution layers and a linear one (section 4).</summary>
    Conv,

    /// <summary>784-400-400-10, the 'MLP' of figure 4 (Hsu et al. 2018).</summary>
    Mlp,
}

/// <summary>
/// Settings of <see cref="SyntheticData"/>. "Section 4" is the paper's; "GTN" is Generative Teaching Networks' code, which the paper follows; what neither states
/// is ours. Options named meta... are those of meta-training; without it, those of the learner that is tested.
/// </summary>
/// <param name="Setting">Sizes that belong together; see <see cref="For(MetaSetting)"/>.</param>
/// <param name="Source">What the learner is trained on.</param>
/// <param name="Rates">Where its rate and momentum come from.</param>
/// <param name="InnerSteps">Steps per task at test: 5 (section 4); figure 5 goes to 75 with the generator as it was trained.</param>
/// <param name="PerClass">Images per class in a batch: 20 (section 4), which makes 40 with two classes.</param>
/// <param name="Pool">
/// Images per class, drawn without replacement until used up, then reshuffled: 250 (section 4). Enlarged in proportion where <paramref name="PerClass"/> exceeds that of meta-training.
/// </param>
/// <param name="MetaSteps">Updates of the generator. Unstated; GTN 2,000.</param>
/// <param name="MetaInnerSteps">Steps per task in meta-training: 5 (section 4).</param>
/// <param name="MetaPerClass">Images per class in an inner batch of meta-training: 20 (section 4).</param>
/// <param name="MetaBatch">Real images of all classes behind the meta-loss. Unstated; GTN 128.</param>
/// <param name="MetaOptimizer">Adam (GTN) or equation 1.</param>
/// <param name="MetaRate">Its rate, eta: unstated; 0.01 as the GTN port, which led to a smaller meta-loss than 3e-3.</param>
/// <param name="MetaDecay">Share of the rate at the end, by cosine: GTN 0.1; 1 for the constant eta of equation 1.</param>
/// <param name="Clip">Bound of the meta-gradient's norm.</param>
/// <param name="InitialRate">0.1: with GTN's 0.02 the meta-loss falls more slowly; learned as softplus of a parameter.</param>
/// <param name="InitialMomentum">GTN 0.5; learned as the logistic function of a parameter.</param>
/// <param name="PerStepRates">A rate and a momentum for each inner step (GTN) instead of one.</param>
/// <param name="ClassesPerTask">Classes of a task in meta-training: 2 (section 3), paired at random in each meta-step.</param>
/// <param name="Intermediate">Add the meta-loss after every task (GTN: every step); equation 1 has the last only.</param>
/// <param name="Curriculum">Learned noise vectors in a fixed order (GTN); the paper skips it intentionally.</param>
/// <param name="FirstOrder">Leave out products with the learner's Hessian.</param>
/// <param name="Recompute">What is run again instead of kept; changes memory and time, no bit.</param>
/// <param name="Latent">Numbers of noise per image. Unstated; the GTN port 64.</param>
/// <param name="Generator">The generator's kind.</param>
/// <param name="GeneratorWidth">Its hidden units. Unstated; GTN 1,024.</param>
/// <param name="GeneratorFilters">Maps before its first convolution. Unstated; GTN 128.</param>
/// <param name="Learner">The learner's kind.</param>
/// <param name="LearnerFilters">Filters of its first layer. Unstated; the GTN port 32 to 64.</param>
/// <param name="LearnerNorm">Batch normalisation (section 4), none, or normalised weights (GTN).</param>
/// <param name="HeadNorm">
/// With batch normalisation, the logits are normalised too: "each layer is followed by a batch normalisation layer" (section 4), as in GTN's port.
/// </param>
/// <param name="LearnerShrink">How it halves its maps: GTN by maxima.</param>
/// <param name="Slope">Of its rectifiers below 0: GTN 0.1.</param>
/// <param name="TestNorm">Batch statistics at test.</param>
/// <param name="Square">Images are replaced by means over squares of so many pixels; 1 for none.</param>
/// <param name="GanSteps">Updates of the conditional GAN.</param>
/// <param name="GanBatch">Its batch.</param>
/// <param name="MetaSeed">Seed of meta-training and GAN, so that runs of many seeds test one generator as figure 5 does; "none" for the run's own.</param>
public sealed record MetaOptions(
    MetaSetting Setting = MetaSetting.Paper, LearnerSource Source = LearnerSource.Synthetic, LearnerRates Rates = LearnerRates.Synthetic,
    int InnerSteps = 5, int PerClass = 20, int Pool = 250, int MetaSteps = 3000, int MetaInnerSteps = 5, int MetaPerClass = 20, int MetaBatch = 256,
    MetaOptimizer MetaOptimizer = MetaOptimizer.Adam, double MetaRate = 0.01, double MetaDecay = 0.1, double Clip = 1,
    double InitialRate = 0.1, double InitialMomentum = 0.5, bool PerStepRates = false, int ClassesPerTask = 2, bool Intermediate = false,
    bool Curriculum = false, bool FirstOrder = false, Recompute Recompute = Recompute.None, int Latent = 64, GeneratorKind Generator = GeneratorKind.Conv,
    int GeneratorWidth = 512, int GeneratorFilters = 64, LearnerKind Learner = LearnerKind.Conv, int LearnerFilters = 32, LearnerNorm LearnerNorm = LearnerNorm.Batch, bool HeadNorm = true,
    LearnerShrink LearnerShrink = LearnerShrink.MaxPool, double Slope = 0.1, TestNorm TestNorm = TestNorm.Batch, int Square = 1, int GanSteps = 3000,
    int GanBatch = 64, int? MetaSeed = 0) : IMethodOptions
{
    /// <summary>The options of a setting.</summary>
    public static MetaOptions For(MetaSetting setting) => setting switch
    {
        MetaSetting.Quick => new MetaOptions(setting, Pool: 100, MetaSteps: 1500, Latent: 32, Generator: GeneratorKind.Mlp, GeneratorWidth: 128, LearnerFilters: 16,
            LearnerShrink: LearnerShrink.Stride, Square: 2, GanSteps: 2000),
        MetaSetting.Cpu => new MetaOptions(setting, MetaSteps: 1200),
        _ => new MetaOptions(),
    };

    /// <summary>The defaults of a control: the setting that is asked for, else the paper's.</summary>
    internal static MetaOptions For(MethodSettings settings, LearnerSource source, LearnerRates rates, LearnerKind learner = LearnerKind.Conv)
    {
        string? text = settings.Options?.FirstOrDefault(o => o.Key.Equals(nameof(Setting), StringComparison.OrdinalIgnoreCase)).Value;
        var of = For(Enum.TryParse(text, ignoreCase: true, out MetaSetting setting) ? setting : MetaSetting.Paper) with { Source = source, Rates = rates, Learner = learner };
        // Rate of a network trained plainly: 0.05 on MNIST in Automatic Recall Machines.
        return rates == LearnerRates.Fixed ? of with { InitialRate = 0.05, InitialMomentum = 0 } : of;
    }

    /// <summary>The same with what does not touch meta-training at its default: equal for runs that share a generator or rates.</summary>
    internal MetaOptions OfTraining => OfGan with { Source = LearnerSource.Synthetic, GanSteps = 0, GanBatch = 0 };

    /// <summary>The same with what touches no training but the learner's at its default: equal for runs that share a GAN.</summary>
    internal MetaOptions OfGan => this with { InnerSteps = 0, PerClass = 0, TestNorm = TestNorm.Batch, Recompute = Recompute.None };

    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(InnerSteps), InnerSteps), (nameof(PerClass), PerClass), (nameof(Pool), Pool), (nameof(MetaInnerSteps), MetaInnerSteps),
            (nameof(MetaPerClass), MetaPerClass), (nameof(MetaBatch), MetaBatch), (nameof(MetaRate), MetaRate), (nameof(Clip), Clip), (nameof(InitialRate), InitialRate),
            (nameof(ClassesPerTask), ClassesPerTask), (nameof(Latent), Latent), (nameof(GeneratorWidth), GeneratorWidth), (nameof(GeneratorFilters), GeneratorFilters),
            (nameof(LearnerFilters), LearnerFilters), (nameof(Square), Square), (nameof(GanBatch), GanBatch));
        OptionRange.NotNegative(method, (nameof(MetaSteps), MetaSteps), (nameof(MetaDecay), MetaDecay), (nameof(Slope), Slope), (nameof(GanSteps), GanSteps), (nameof(MetaSeed), MetaSeed ?? 0));
        OptionRange.Share(method, (nameof(InitialMomentum), InitialMomentum));
        if (Rates != LearnerRates.Fixed && InitialMomentum == 0)
            throw new UsageException($"{method}: a momentum of 0 cannot be learned, because the logistic function never is 0. Give initialMomentum between 0 and 1, or rates=fixed.");
        if (Source == LearnerSource.Synthetic && Rates != LearnerRates.Synthetic)
            throw new UsageException($"{method}: images of a generator come with the rates learned beside them; rates = {Rates.ToString().ToLowerInvariant()}. Leave rates out, or choose source=real.");
    }
}
