namespace Native.Methods;

/// <summary>
/// Settings of <see cref="Gen"/>. "Script" is <c>gen_reproduce.py</c> of Maximally Interfered Retrieval with its default arguments; the rows that later
/// tables quote (79.3 +- 0.6 and 82.1 +- 0.3% on MNIST) are its "best_baseline" and "best_mir_gen". It has no values for CIFAR-10.
/// </summary>
/// <param name="LearningRate">0.01, plain SGD for the classifier (script, both rows).</param>
/// <param name="GeneratorRate">1e-3, Adam's default, for the generator (released code).</param>
/// <param name="Iterations">15 steps of the generator and 15 of the classifier per batch (script, both rows).</param>
/// <param name="ReplayPerImage">4 replayed images for each new one; 10 with retrieval (script).</param>
/// <param name="ReplayWeight">3, on the replayed loss (script, both rows).</param>
/// <param name="WarmUp">1000: the divergence's weight grows with the images seen of a task, seen / this (script, both rows).</param>
/// <param name="MaxBeta">1: up to here (script, both rows).</param>
/// <param name="Hidden">128, width of the generator (script, both rows).</param>
/// <param name="Depth">2 hidden layers; 1 with retrieval (script).</param>
/// <param name="Latent">50 (script, both rows).</param>
/// <param name="Dropout">0 in the generator; 0.4 with retrieval (script). The classifier's is 0.2 (released code).</param>
/// <param name="Width">Hidden units of the classifier; 0 for the script's 400.</param>
/// <param name="Ascents">0: images are drawn from the prior. 10: codes climb from there towards what the batch interferes with (script, "mir_iters").</param>
/// <param name="ClassifierInterference">0.1 with retrieval, for the classifier: cross-entropy of the network after a virtual step against the one of before (script, "cls_xent_coeff").</param>
/// <param name="ClassifierConfidence">1 with retrieval: minus the entropy of the prediction of the network of before (script, "cls_ent_coeff").</param>
/// <param name="ClassifierSpread">1 with retrieval: distance to the codes found before (script, "cls_div_coeff").</param>
/// <param name="GeneratorInterference">0.1 with retrieval, for the generator: divergence after a virtual step minus that of the generator of before (script, "gen_kl_coeff"; "gen_rec_coeff" is 0).</param>
/// <param name="GeneratorConfidence">1 with retrieval (script, "gen_ent_coeff").</param>
/// <param name="GeneratorSpread">1 with retrieval (script, "gen_div_coeff").</param>
public sealed record GenOptions(
    double LearningRate = 0.01, double GeneratorRate = 1e-3, int Iterations = 15, int ReplayPerImage = 4, double ReplayWeight = 3,
    double WarmUp = 1000, double MaxBeta = 1, int Hidden = 128, int Depth = 2, int Latent = 50, double Dropout = 0, int Width = 0,
    int Ascents = 0, double ClassifierInterference = 0, double ClassifierConfidence = 0, double ClassifierSpread = 0,
    double GeneratorInterference = 0, double GeneratorConfidence = 0, double GeneratorSpread = 0) : IMethodOptions
{
    /// <summary>"best_mir_gen" of the script: GEN-MIR.</summary>
    public static GenOptions Retrieving { get; } = new(ReplayPerImage: 10, Depth: 1, Dropout: 0.4, Ascents: 10,
        ClassifierInterference: 0.1, ClassifierConfidence: 1, ClassifierSpread: 1, GeneratorInterference: 0.1, GeneratorConfidence: 1, GeneratorSpread: 1);

    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate), (nameof(GeneratorRate), GeneratorRate), (nameof(Iterations), Iterations),
            (nameof(ReplayPerImage), ReplayPerImage), (nameof(WarmUp), WarmUp), (nameof(Hidden), Hidden), (nameof(Depth), Depth), (nameof(Latent), Latent));
        OptionRange.NotNegative(method, (nameof(ReplayWeight), ReplayWeight), (nameof(MaxBeta), MaxBeta), (nameof(Width), Width), (nameof(Ascents), Ascents));
        OptionRange.Share(method, (nameof(Dropout), Dropout));
        OptionRange.Finite(method, (nameof(ClassifierInterference), ClassifierInterference), (nameof(ClassifierConfidence), ClassifierConfidence),
            (nameof(ClassifierSpread), ClassifierSpread), (nameof(GeneratorInterference), GeneratorInterference), (nameof(GeneratorConfidence), GeneratorConfidence),
            (nameof(GeneratorSpread), GeneratorSpread));
    }
}
