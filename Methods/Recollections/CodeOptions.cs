namespace Native.Methods;

/// <summary>What decides a <see cref="RecollectionModule"/>; the methods' options give it.</summary>
/// <param name="Size">c and l.</param>
/// <param name="CodeRate">beta, the auto-encoder's step size.</param>
/// <param name="Stabilise">N, updates on recollections; 0 for one update on the incoming examples alone.</param>
/// <param name="ReplayBatch">Recollections of a set.</param>
/// <param name="Tau">Temperature.</param>
/// <param name="KlWeight">Weight of the codes' divergence from uniform ones.</param>
/// <param name="ReencodeEvery">Steps between renewals of all codes; 0 for never.</param>
/// <param name="StaleCodes">Store the code made before the update.</param>
/// <param name="Transfer">Begin with an auto-encoder of the stream's background images.</param>
/// <param name="Offline">Begin with one of the stream's own training images, of all tasks.</param>
/// <param name="TransferPasses">Passes over them.</param>
public readonly record struct ModuleSettings(
    CodeSize Size, double CodeRate, int Stabilise, int ReplayBatch, double Tau, double KlWeight, int ReencodeEvery, bool StaleCodes, bool Transfer, bool Offline, int TransferPasses)
{
    internal void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(CodeRate), CodeRate), (nameof(ReplayBatch), ReplayBatch), (nameof(Tau), Tau), (nameof(TransferPasses), TransferPasses));
        OptionRange.NotNegative(method, (nameof(Stabilise), Stabilise), (nameof(KlWeight), KlWeight), (nameof(ReencodeEvery), ReencodeEvery));
        if (Transfer && Offline)
            throw new UsageException($"{method}: transfer begins with other images and offline with the stream's own. Choose one.");
    }
}

/// <summary>The streams of the paper, each with values of its own.</summary>
internal enum RecollectionData
{
    Rotations,
    Cifar100,
    Omniglot,
}

/// <summary>
/// Settings of <see cref="RecollectionReplay"/>; "appendix" is that of Scalable Recollections, and the defaults are those of MNIST-Rotations with a buffer of 100
/// images.
/// </summary>
/// <param name="Variables">c = 104 (appendix).</param>
/// <param name="Categories">l = 4 (appendix).</param>
/// <param name="Items">L = 3000 (table 1); 5000 on CIFAR-100 (table 2), 1000 on Omniglot (follows from 312 and 62 bits for 50 and 10 images).</param>
/// <param name="ReplayBatch">5 recollections beside the new example (appendix: "batch size", as in Meta-Experience Replay's code); 10 where none is printed, ours.</param>
/// <param name="LearningRate">alpha = 0.01 (appendix), plain SGD as in the code of GEM and MER; 1e-3 on CIFAR-100 and Omniglot.</param>
/// <param name="CodeRate">beta = 1e-3 (appendix). Adam, which the paper does not name and its rates fit.</param>
/// <param name="Stabilise">
/// N. 0 trains the auto-encoder on the incoming examples alone, which the appendix says was done on MNIST-Rotations; 1 elsewhere, ours: printed is N = 10 for figure 5
/// only.
/// </param>
/// <param name="Tau">1 (appendix).</param>
/// <param name="KlWeight">0: the paper names a reconstruction loss only; 1 is the evidence bound.</param>
/// <param name="Repeats">Steps per incoming example: 1; 3 in a row of Omniglot.</param>
/// <param name="ReencodeEvery">0, an extension: every so many steps all codes are decoded and encoded anew.</param>
/// <param name="StaleCodes">Ablation: store the code from before the update instead of after it (algorithm 1).</param>
/// <param name="Transfer">Begin with an auto-encoder trained on other images: CIFAR-10 before CIFAR-100 (table 3, figure 6).</param>
/// <param name="Offline">Control of figure 6: begin with an auto-encoder trained on all tasks at once.</param>
/// <param name="TransferPasses">100 "iterations" (text of question 8), read as passes over those images, 100 a step.</param>
/// <param name="Width">Hidden units or filters; 100 on digits (two layers of 100, which EwC's printed storage gives), 0 for the residual network's own 20.</param>
public sealed record RecollectionOptions(
    int Variables = 104, int Categories = 4, int Items = 3000, int ReplayBatch = 5, double LearningRate = 0.01, double CodeRate = 1e-3, int Stabilise = 0,
    double Tau = 1, double KlWeight = 0, int Repeats = 1, int ReencodeEvery = 0, bool StaleCodes = false, bool Transfer = false, bool Offline = false, int TransferPasses = 100,
    int Width = 100) : IMethodOptions
{
    /// <summary>The defaults on a stream of the paper.</summary>
    public static RecollectionOptions For(MethodSettings settings) => Recollections.Of(settings) switch
    {
        RecollectionData.Cifar100 => new RecollectionOptions(620, 3, 5000, 10, 1e-3, 1e-4, Stabilise: 1, Width: 0),
        RecollectionData.Omniglot => new RecollectionOptions(312, 2, 1000, 10, 1e-3, 1e-3, Stabilise: 1, Width: 0),
        _ => new RecollectionOptions(),
    };

    internal ModuleSettings Module => new(new CodeSize(Variables, Categories), CodeRate, Stabilise, ReplayBatch, Tau, KlWeight, ReencodeEvery, StaleCodes, Transfer, Offline, TransferPasses);

    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(Items), Items), (nameof(LearningRate), LearningRate), (nameof(Repeats), Repeats));
        OptionRange.NotNegative(method, (nameof(Width), Width));
        Module.Validate(method);
    }
}

/// <summary>Settings of <see cref="RecollectionGem"/>; see <see cref="RecollectionOptions"/> for those that are not told here.</summary>
/// <param name="Variables">c = 104 (appendix).</param>
/// <param name="Categories">l = 4 (appendix).</param>
/// <param name="Items">3000 in all, in equal shares per task: 150 (table 1); 5000 on CIFAR-100 (table 2).</param>
/// <param name="LearningRate">0.1 (code of Gradient Episodic Memory for MNIST-Rotations; appendix for CIFAR-100).</param>
/// <param name="Strength">0.5 (the same code); 0.01 on CIFAR-100 (appendix, with recollections).</param>
/// <param name="CodeRate">beta = 1e-3; 1e-4 on CIFAR-100 with a buffer of 200 images (appendix). Adam.</param>
/// <param name="Stabilise">N of algorithm 2; 0 on MNIST-Rotations (appendix), 1 elsewhere, ours.</param>
/// <param name="ReplayBatch">Recollections of a set of algorithm 2, where N is not 0: 10, ours.</param>
/// <param name="CodeBatch">
/// Examples of an update of the auto-encoder: 1, for algorithm 2 goes example by example, and so does the auto-encoder of the replay rows; the predictor takes the whole batch
/// of ten of GEM's code. 0 for the whole batch.
/// </param>
/// <param name="Epsilon">1e-3 (code of Gradient Episodic Memory).</param>
/// <param name="Tau">1.</param>
/// <param name="KlWeight">0.</param>
/// <param name="ReencodeEvery">0.</param>
/// <param name="StaleCodes">Off.</param>
/// <param name="Transfer">Off.</param>
/// <param name="Offline">Off.</param>
/// <param name="TransferPasses">100.</param>
/// <param name="Width">100 on digits, 0 for the residual network's own 20.</param>
public sealed record RecollectionGemOptions(
    int Variables = 104, int Categories = 4, int Items = 3000, double LearningRate = 0.1, double Strength = 0.5, double CodeRate = 1e-3, int Stabilise = 0,
    int ReplayBatch = 10, int CodeBatch = 1, double Epsilon = 1e-3, double Tau = 1, double KlWeight = 0, int ReencodeEvery = 0, bool StaleCodes = false, bool Transfer = false,
    bool Offline = false, int TransferPasses = 100, int Width = 100) : IMethodOptions
{
    /// <summary>The defaults on a stream of the paper.</summary>
    public static RecollectionGemOptions For(MethodSettings settings) => Recollections.Of(settings) switch
    {
        RecollectionData.Cifar100 => new RecollectionGemOptions(620, 3, 5000, Strength: 0.01, CodeRate: 1e-4, Stabilise: 1, Width: 0),
        RecollectionData.Omniglot => new RecollectionGemOptions(312, 2, 1000, CodeRate: 1e-3, Stabilise: 1, Width: 0),
        _ => new RecollectionGemOptions(),
    };

    internal ModuleSettings Module => new(new CodeSize(Variables, Categories), CodeRate, Stabilise, ReplayBatch, Tau, KlWeight, ReencodeEvery, StaleCodes, Transfer, Offline, TransferPasses);

    internal GemOptions Gem => new(LearningRate, Items, Strength, Epsilon, Width);

    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(Items), Items), (nameof(LearningRate), LearningRate));
        OptionRange.NotNegative(method, (nameof(CodeBatch), CodeBatch), (nameof(Strength), Strength), (nameof(Epsilon), Epsilon), (nameof(Width), Width));
        Module.Validate(method);
    }
}

/// <summary>Settings of <see cref="RealReplay"/>.</summary>
/// <param name="LearningRate">0.01 on MNIST-Rotations, 1e-3 on CIFAR-100 and Omniglot (appendix of Scalable Recollections), plain SGD.</param>
/// <param name="Capacity">100 images (table 1).</param>
/// <param name="ReplayBatch">5 images beside the new one (appendix); 10 where none is printed, ours.</param>
/// <param name="Repeats">Steps per incoming example: 1; 3 in a row of Omniglot.</param>
/// <param name="Width">Hidden units or filters; 100 on digits, 0 for the residual network's own 20.</param>
public sealed record RealReplayOptions(double LearningRate = 0.01, int Capacity = 100, int ReplayBatch = 5, int Repeats = 1, int Width = 100) : IMethodOptions
{
    /// <summary>The defaults on a stream of the paper.</summary>
    public static RealReplayOptions For(MethodSettings settings) => Recollections.Of(settings) switch
    {
        RecollectionData.Cifar100 => new RealReplayOptions(1e-3, 200, 10, Width: 0),
        RecollectionData.Omniglot => new RealReplayOptions(1e-3, 50, 10, Width: 0),
        _ => new RealReplayOptions(),
    };

    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate), (nameof(Capacity), Capacity), (nameof(ReplayBatch), ReplayBatch), (nameof(Repeats), Repeats));
        OptionRange.NotNegative(method, (nameof(Width), Width));
    }
}
