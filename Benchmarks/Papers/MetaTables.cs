namespace Native.Benchmarks;

/// <summary>
/// Reducing catastrophic forgetting with learning on synthetic data (Masarczyk and Tautkute 2020). The paper prints no number; figures 4 and 5 are
/// claims, figures 1 to 3 pictures.
/// </summary>
internal static class MetaTables
{
    private const string Paper = "Synthetic data by meta-gradients", Given = "section 4: 250 images per class, 5 inner steps of 40; rate and momentum are learned";

    // "Almost identical" in the text; the figure's resolution allows no less.
    private const double Almost = 0.05;

    public static IReadOnlyList<PaperTable> All { get; } = [Final(), Steps()];

    private static Recipe Learner(string method, params string[] options) => new(method, "split-mnist", options) { BatchSize = 40 };

    private static PaperTable Final()
    {
        Recipe synthetic = Learner("meta-synthetic"), real = Learner("meta-real"), gan = Learner("meta-gan"), mlp = Learner("meta-mlp");
        return new("meta/figure4", Paper, "Overall accuracy after each of five tasks of Split-MNIST", "none", 1, [])
        {
            Claims =
            [
                new("after five tasks, synthetic data are above real data with the same learned rate", synthetic, "averageAccuracy", real) { Provenance = Given },
                new("after five tasks, real data with learned rate and momentum are above the MLP", real, "averageAccuracy", mlp) { Provenance = Given },
                new("after five tasks, data of a GAN are not better than real data by more than 5 points", real, "averageAccuracy", gan, Margin: -Almost) { Provenance = Given },
                new("after five tasks, data of a GAN are not worse than real data by more than 5 points", gan, "averageAccuracy", real, Margin: -Almost) { Provenance = Given },
                new("learning on synthetic data in sequence loses less than 5 points from the first task to the last", synthetic, "average5", synthetic, "average1", -Almost) { Provenance = Given },
            ],
        };
    }

    private static PaperTable Steps()
    {
        PaperClaim[] at(int steps) =>
        [
            new($"with {steps} inner steps per task, synthetic data are above real data", Learner("meta-synthetic", $"innerSteps={steps}"), "averageAccuracy",
                Learner("meta-real", $"innerSteps={steps}")) { Provenance = Given },
        ];
        return new("meta/figure5", Paper, "Accuracy after five tasks against the number of inner steps", "none", 1, [])
        {
            Claims =
            [
                .. at(5), .. at(10), .. at(25), .. at(75),
                new("on synthetic data accuracy falls from 5 to 75 inner steps", Learner("meta-synthetic", "innerSteps=5"), "averageAccuracy",
                    Learner("meta-synthetic", "innerSteps=75")) { Provenance = Given },
                new("on real data accuracy falls from 5 to 75 inner steps", Learner("meta-real", "innerSteps=5"), "averageAccuracy",
                    Learner("meta-real", "innerSteps=75")) { Provenance = Given },
            ],
        };
    }
}
