namespace Native.Methods;

/// <summary>How the disagreement of the network of before, p, and the one of now, q, is measured (D of eq. 9).</summary>
public enum Disagreement
{
    /// <summary>1/2 KL(m || p) + 1/2 KL(m || q) with m = (p + q) / 2: what the released code computes, and so what tables 1 to 7 were made with. No bound.</summary>
    FromMixture,

    /// <summary>1/2 KL(p || m) + 1/2 KL(q || m): eq. 5 as printed, the Jensen-Shannon divergence. At most log 2.</summary>
    JensenShannon,

    /// <summary>Cross-entropy of q against p, with gradients through both: table 7, "cross-entropy as D".</summary>
    CrossEntropy,
}

/// <summary>What batch normalisation does while images are recalled (in networks that have it).</summary>
public enum RecallNorm
{
    /// <summary>Statistics of the batch, and the running ones move with every forward pass of both networks: the released code.</summary>
    TrainUpdate,

    /// <summary>Statistics of the batch; the running ones are put back afterwards.</summary>
    TrainKeep,

    /// <summary>Running statistics.</summary>
    Eval,
}

/// <summary>What recall after the first of an iteration starts from (table 7, "recall 2x" and "4x").</summary>
public enum RecallAgain
{
    /// <summary>New images from the batch: the paper ("looping from line 9 to line 6 in algorithm 1").</summary>
    Restart,

    /// <summary>The images reached so far, and a fresh gradient of the network.</summary>
    Continue,

    /// <summary>The images reached so far, and gradients of the network that add up over the repetitions: the released code, hence the published rows.</summary>
    Accumulate,
}

/// <summary>
/// Settings of <see cref="AutomaticRecallMachine"/>; the defaults are table 6's for MNIST. "Code" is the released code with its list of commands.
/// </summary>
/// <param name="LearningRate">eta0 = 0.05 (table 6), plain SGD without momentum or decay (code).</param>
/// <param name="PixelRate">eta1 = 25 (table 6): step of the ascent on the pixels.</param>
/// <param name="Recalled">M = 10 images (table 3).</param>
/// <param name="Steps">S = 10 ascent steps (table 6).</param>
/// <param name="Lag">T, iterations between copies of the network; "none" for one at the start of each task (section 4.1). 1 is unit lag (table 4).</param>
/// <param name="RecallFrom">First iteration that recalls; "none" for the first of the second task (section 4.1).</param>
/// <param name="Disagreement">D; the code's by default, because the tables were made with it.</param>
/// <param name="DisagreementWeight">1; 8 for unit lag (appendix A.4).</param>
/// <param name="RecallWeight">lambda0 of recalled images = 1 (table 6).</param>
/// <param name="RealWeight">lambda0 of real images = 1 (table 6): distillation. 0 leaves it out (table 4, "no distill", where Sharpness is 1).</param>
/// <param name="AwayBefore">lambda1 = 1 (table 6): away from the batch's classes, network of before.</param>
/// <param name="AwayNow">lambda2 = 0.1 (table 6): likewise, network of now.</param>
/// <param name="Diversity">lambda3 = 16 (table 6): entropy of the mean prediction.</param>
/// <param name="Sharpness">lambda4 = 0.1 (table 6): cross-entropy against the own argmax, minimised.</param>
/// <param name="Norm">lambda5 = 1 (table 6): length of the images, minimised.</param>
/// <param name="Smoothness">lambda6 = 1 (table 6): total variation, minimised.</param>
/// <param name="FromNoise">Start from uniform noise instead of images of the batch (table 7).</param>
/// <param name="Repeats">Recalls per iteration: 1 (table 6); 2 and 4 in table 7.</param>
/// <param name="Again">Where repetitions start; the paper's words by default.</param>
/// <param name="RecallNorm">The code's.</param>
/// <param name="UnionMean">
/// Average the two terms of line 9 over all M + N images, as algorithm 1 prints; otherwise each over its own, as the code does and table 6's two
/// columns of lambda0 suggest.
/// </param>
/// <param name="Width">Hidden units, or filters of the first stage; 0 for the paper's 400 and 20 (appendix A.3).</param>
/// <param name="GradientSamples">Recalled images whose gradients are studied after the run (<see cref="GradientCorrelation"/>); 1000 in appendix A.7, 0 for none.</param>
/// <param name="History">Sum up which classes are recalled in each task (<see cref="RecallShares"/>), for the claims of figure 4. Changes no bit of the training.</param>
public sealed record ArmOptions(
    double LearningRate = 0.05, double PixelRate = 25, int Recalled = 10, int Steps = 10, int? Lag = null, int? RecallFrom = null,
    Disagreement Disagreement = Disagreement.FromMixture, double DisagreementWeight = 1, double RecallWeight = 1, double RealWeight = 1,
    double AwayBefore = 1, double AwayNow = 0.1, double Diversity = 16, double Sharpness = 0.1, double Norm = 1, double Smoothness = 1,
    bool FromNoise = false, int Repeats = 1, RecallAgain Again = RecallAgain.Restart, RecallNorm RecallNorm = RecallNorm.TrainUpdate,
    bool UnionMean = false, int Width = 0, int GradientSamples = 0, bool History = false) : IMethodOptions
{
    /// <summary>The defaults on a stream of the paper: table 6 by data set; MNIST's for any other stream.</summary>
    public static ArmOptions For(PaperData data) => data switch
    {
        PaperData.Cifar10 => new ArmOptions(LearningRate: 0.01, PixelRate: 10, Recalled: 100),
        PaperData.MiniImageNet => new ArmOptions(LearningRate: 0.01, PixelRate: 10, Recalled: 100, RealWeight: 2, Diversity: 1, Sharpness: 1),
        _ => new ArmOptions(),
    };

    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate), (nameof(Recalled), Recalled), (nameof(Repeats), Repeats), (nameof(Lag), Lag ?? 1));
        OptionRange.NotNegative(method, (nameof(PixelRate), PixelRate), (nameof(Steps), Steps), (nameof(RecallFrom), RecallFrom ?? 0), (nameof(Width), Width),
            (nameof(GradientSamples), GradientSamples), (nameof(RecallWeight), RecallWeight), (nameof(RealWeight), RealWeight));
        OptionRange.Finite(method, (nameof(DisagreementWeight), DisagreementWeight), (nameof(AwayBefore), AwayBefore), (nameof(AwayNow), AwayNow),
            (nameof(Diversity), Diversity), (nameof(Sharpness), Sharpness), (nameof(Norm), Norm), (nameof(Smoothness), Smoothness));
    }
}
