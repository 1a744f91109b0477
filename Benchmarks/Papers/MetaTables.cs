namespace Native.Benchmarks;

/// <summary>
/// Reducing catastrophic forgetting with learning on synthetic data (Masarczyk and Tautkute 2020). The paper prints no number; figures 4 and 5 are
/// claims, figures 1 to 3 pictures (<c>native run meta-synthetic --pictures DIR</c>).
/// </summary>
internal static class MetaTables
{
    private const string Paper = "Synthetic data by meta-gradients", Given = "section 4: 250 images per class, 5 inner steps of 40; rate and momentum are learned";

    // "Almost identical" in the text; the figure's resolution allows no less.
    private const double Almost = 0.05;

    public static IReadOnlyList<PaperTable> All { get; } = [Final(), Changes()];

    private static Recipe Learner(string method, params string[] options) => new(method, "split-mnist", options) { BatchSize = 40 };

    private static PaperClaim Claim(string text, Recipe left, Recipe right, double margin = 0) => new(text, left, "averageAccuracy", right, Margin: margin) { Provenance = Given };

    private static PaperTable Final()
    {
        // 'Real data' can be read in two ways: the rate and momentum of the synthetic data, or learned through real inner batches. Both are run.
        Recipe synthetic = Learner("meta-synthetic"), real = Learner("meta-real"), own = Learner("meta-real", "rates=real"), gan = Learner("meta-gan"), mlp = Learner("meta-mlp");
        static IEnumerable<PaperPoint> curve(string series, Recipe recipe) => Enumerable.Range(1, 5).Select(t => new PaperPoint(series, recipe, "", $"average{t}", t));
        return new("synthetic/figure4", Paper, "Overall accuracy after each of five tasks of Split-MNIST", "none", 1, [])
        {
            Points =
            [
                .. curve("synthetic data", synthetic), .. curve("real data, the rate of the synthetic ones", real), .. curve("real data, a rate of their own", own),
                .. curve("data of a GAN", gan), .. curve("MLP", mlp),
            ],
            Claims =
            [
                Claim("after five tasks, synthetic data are above real data with the same learned rate", synthetic, real),
                Claim("after five tasks, synthetic data are above real data with a rate of their own", synthetic, own),
                Claim("after five tasks, real data with the rate learned for synthetic data are above the MLP", real, mlp),
                Claim("after five tasks, real data with a rate of their own are above the MLP", own, mlp),
                Claim("after five tasks, data of a GAN are not better than real data by more than 5 points", real, gan, -Almost),
                Claim("after five tasks, data of a GAN are not worse than real data by more than 5 points", gan, real, -Almost),
                new("learning on synthetic data in sequence loses less than 5 points from the first task to the last", synthetic, "average5", synthetic, "average1", -Almost) { Provenance = Given },
            ],
        };
    }

    private static PaperTable Changes()
    {
        static Recipe synthetic(string option) => Learner("meta-synthetic", option);
        static Recipe real(string option) => Learner("meta-real", option);
        static Recipe own(string option) => Learner("meta-real", "rates=real", option);
        PaperClaim[] at(int steps) =>
        [
            Claim($"with {steps} inner steps per task, synthetic data are above real data", synthetic($"innerSteps={steps}"), real($"innerSteps={steps}")),
            Claim($"with {steps} inner steps per task, synthetic data are above real data with a rate of their own", synthetic($"innerSteps={steps}"), own($"innerSteps={steps}")),
        ];
        // What falls to the level of a learner that knows the last task only has no more to lose: the control that starts as high as synthetic data tells more.
        PaperClaim[] loses(int steps) =>
        [
            Claim($"from 5 to {steps} inner steps synthetic data lose less than real data", synthetic($"innerSteps={steps}"), real($"innerSteps={steps}"))
                with { LeftBase = synthetic("innerSteps=5"), RightBase = real("innerSteps=5") },
            Claim($"from 5 to {steps} inner steps synthetic data lose less than real data with a rate of their own", synthetic($"innerSteps={steps}"), own($"innerSteps={steps}"))
                with { LeftBase = synthetic("innerSteps=5"), RightBase = own("innerSteps=5") },
        ];
        // 600 images, 15 times as many: "increasing 15-fold size of a batch" (section 5).
        PaperClaim[] batch(int perClass) =>
            [Claim($"with inner batches of {2 * perClass}, synthetic data are above real data", synthetic($"perClass={perClass}"), real($"perClass={perClass}"))];
        static IEnumerable<PaperPoint> curve(string series, Func<string, Recipe> recipe) =>
            new[] { 1, 5, 10, 25, 75 }.Select(x => new PaperPoint(series, recipe($"innerSteps={x}"), "", "averageAccuracy", x));
        return new("synthetic/figure5", Paper, "Accuracy after five tasks against the number of inner steps, and against the inner batch", "none", 1, [])
        {
            Points = [.. curve("synthetic data", synthetic), .. curve("real data", real), .. curve("real data with a rate of their own", own)],
            Claims =
            [
                .. at(1), .. at(5), .. at(10), .. at(25), .. at(75),
                Claim("on synthetic data accuracy falls from 5 to 75 inner steps", synthetic("innerSteps=5"), synthetic("innerSteps=75")),
                Claim("on real data accuracy falls from 5 to 75 inner steps", real("innerSteps=5"), real("innerSteps=75")),
                .. loses(10), .. loses(25), .. loses(75),
                .. batch(20), .. batch(100), .. batch(300),
                Claim("with inner batches of 600 synthetic data lose less than 5 points against 40", synthetic("perClass=300"), synthetic("perClass=20"), -Almost),
            ],
        };
    }
}
