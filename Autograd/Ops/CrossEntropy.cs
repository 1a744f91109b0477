namespace Native;

/// <summary>
/// Softmax and cross-entropy of integer targets in one kernel: logits [rows, classes] and i64 targets [rows] give losses [rows]. Rows whose target
/// is <paramref name="ignoreIndex"/> have loss and gradient 0. <paramref name="smoothing"/> of each target's mass is spread over all classes.
/// </summary>
internal sealed class SoftmaxCrossEntropyOp(long ignoreIndex, double smoothing) : StructuredOp("softmax_cross_entropy")
{
    public override OutputSpecs Infer(Inputs x)
    {
        Check.Float(x[0], Name, "logits");
        Check.Rank(x[0], 2, Name, "logits", "[rows, classes]");
        PickOp.CheckIndex(x[1], [x[0].Layout.Dims[0]], Name);
        return [new(x[1].Layout.Dense(), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(4 * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => SoftmaxEntry.CrossEntropy(y[0], x[0], x[1], ignoreIndex, smoothing);

    public override Saves SavesFor(Inputs x) => Saves.Input0 | Saves.Input1;

    public override Tensor?[] Backward(Tensor g, Saved s) => [new SoftmaxCrossEntropyGradOp(ignoreIndex, smoothing).Apply(s.Input(0), s.Input(1), g)];

    internal static IEnumerable<Sample> Samples() => CrossEntropySamples.All((x, smoothing) => new SoftmaxCrossEntropyOp(-100, smoothing).Apply(x[0], x[1]),
        CrossEntropySamples.Composed, CrossEntropySamples.Loss, scaled: false);

    internal static IEnumerable<ErrorSample> Errors()
    {
        var op = new SoftmaxCrossEntropyOp(-100, 0);
        yield return new("class", () => op.Apply(Tensor.Zeros([2, 3]), Tensor.From<long>(0, 3)), "cross_entropy: target 3 of row 1 is no class; logits = f32[2,3]@cpu");
        yield return new("rank", () => op.Apply(Tensor.Zeros([3]), Tensor.From<long>(0)), "softmax_cross_entropy: logits must have 2 dims [rows, classes]");
        yield return new("rows", () => op.Apply(Tensor.Zeros([2, 3]), Tensor.From<long>(0)), "softmax_cross_entropy: index must have shape [2]");
        yield return new("dtype", () => op.Apply(Tensor.Zeros([1, 3]), Tensor.Zeros([1])), "softmax_cross_entropy: indices must be i64");
    }
}

/// <summary>
/// The mean of <see cref="SoftmaxCrossEntropyOp"/> over the rows that count, a scalar; NaN when none does. The second output is the share of each row in
/// that mean: 1 / count, or 0.
/// </summary>
internal sealed class MeanCrossEntropyOp(long ignoreIndex, double smoothing) : StructuredOp("mean_cross_entropy")
{
    public override OutputSpecs Infer(Inputs x)
    {
        Check.Float(x[0], Name, "logits");
        Check.Rank(x[0], 2, Name, "logits", "[rows, classes]");
        PickOp.CheckIndex(x[1], [x[0].Layout.Dims[0]], Name);
        return [new(Layout.Scalar, x[0].DType), new(x[1].Layout.Dense(), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(4 * x[0].Count + y[1].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => SoftmaxEntry.MeanCrossEntropy(y[0], y[1], x[0], x[1], ignoreIndex, smoothing);

    public override Saves SavesFor(Inputs x) => Saves.Input0 | Saves.Input1 | Saves.Output1;

    public override Tensor?[] Backward(Tensor g, Saved s) => [new SoftmaxCrossEntropyGradOp(ignoreIndex, smoothing).Apply(s.Input(0), s.Input(1), g * s.OutputAt(1).Detach())];

    internal static IEnumerable<Sample> Samples() => CrossEntropySamples.All((x, smoothing) => new MeanCrossEntropyOp(-100, smoothing).Apply(x[0], x[1]),
        (x, smoothing) => CrossEntropySamples.Composed(x, smoothing).Sum() / x[1].Ne(-100).Sum().To(x[0].DType), CrossEntropySamples.Loss, scaled: false, mean: true);
}

/// <summary>(softmax(x) - smoothed one-hot) scale, per row: the derivative of <see cref="SoftmaxCrossEntropyOp"/>.</summary>
internal sealed class SoftmaxCrossEntropyGradOp(long ignoreIndex, double smoothing) : StructuredOp("softmax_cross_entropy_grad")
{
    public override OutputSpecs Infer(Inputs x) => [new(x[0].Layout.Dense(), x[0].DType)];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(7 * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => SoftmaxEntry.CrossEntropyGrad(y[0], x[0], x[1], x[2], ignoreIndex, smoothing);

    public override Saves SavesFor(Inputs x) => Saves.Input0 | Saves.Input1 | (x[0].RequiresGrad ? Saves.Input2 : Saves.None);

    public override Tensor?[] Backward(Tensor v, Saved s)
    {
        Tensor x = s.Input(0), targets = s.Input(1);
        Tensor? gx = null, gScale = null;
        if (s.Needs(0))
        {
            // The rows that count carry their scale, the others 0; the target enters linearly and is gone after one derivative.
            var kept = new PickOp(1, ignoreIndex).Apply(Tensor.Full([1, 1], 1, x.DType, x.Device).Expand(x.Shape), targets.Reshape(-1, 1));
            var scale = s.Input(2).Reshape(-1, 1) * kept;
            gx = new SoftmaxGradOp(1).Apply(v * scale, x.Softmax(1));
        }
        if (s.Needs(2))
        {
            var ones = Tensor.Full([x.Shape[0]], 1, x.DType, x.Device);
            gScale = (v * new SoftmaxCrossEntropyGradOp(ignoreIndex, smoothing).Apply(x, targets, ones)).Sum(1);
        }
        return [gx, null, gScale];
    }

    internal static IEnumerable<Sample> Samples() => CrossEntropySamples.All((x, smoothing) => new SoftmaxCrossEntropyGradOp(-100, smoothing).Apply(x[0], x[1], x[2]),
        CrossEntropySamples.ComposedGrad, CrossEntropySamples.Gradient, scaled: true);
}

/// <summary>Cross-entropy by its definition, for the tests of the fused kernels.</summary>
internal static class CrossEntropySamples
{
    private const long Ignored = -100;

    public static IEnumerable<Sample> All(Func<Tensor[], double, Tensor> run, Func<Tensor[], double, Tensor> composed,
        Func<double[], double[], double, int, double, double[]> row, bool scaled, bool mean = false)
    {
        foreach (double smoothing in new[] { 0, 0.1 })
            foreach (double[] targets in new[] { new double[] { 2, 0, 4 }, new double[] { 1, Ignored, 3 } })
            {
                SampleInput[] inputs = [new([3, 5]), new([3]) { DType = DType.I64, Values = targets }];
                if (scaled)
                    inputs = [.. inputs, new([3])];
                yield return new($"smoothing {smoothing} targets {string.Join(',', targets)}", x => [run(x, smoothing)], inputs)
                {
                    Reference = x =>
                    {
                        double[] all = [.. Enumerable.Range(0, 3).SelectMany(r => row(x[0][(5 * r)..(5 * r + 5)], Goal(targets[r], smoothing), smoothing, (int)targets[r], scaled ? x[2][r] : 1))];
                        return [mean ? [all.Sum() / targets.Count(t => t != Ignored)] : all];
                    },
                    Composed = x => [composed(x, smoothing)],
                };
            }
    }

    public static double[] Loss(double[] x, double[] goal, double smoothing, int target, double scale) =>
        [-LineOracle.Softmax(x).Zip(goal, (p, q) => q == 0 ? 0 : q * Math.Log(p)).Sum()];

    public static double[] Gradient(double[] x, double[] goal, double smoothing, int target, double scale) =>
        [.. LineOracle.Softmax(x).Zip(goal, (p, q) => target == Ignored ? 0 : (p - q) * scale)];

    // The distribution that the softmax is compared with; nothing where the row is ignored.
    private static double[] Goal(double target, double smoothing) =>
        [.. Enumerable.Range(0, 5).Select(c => target == Ignored ? 0 : (c == target ? 1 - smoothing : 0) + smoothing / 5)];

    public static Tensor Composed(Tensor[] x, double smoothing) => -(x[0].LogSoftmax(1) * Goals(x, smoothing)).Sum(1);

    public static Tensor ComposedGrad(Tensor[] x, double smoothing)
    {
        var goals = Goals(x, smoothing);
        return (x[0].Softmax(1) * goals.Sum(1, keepDim: true) - goals) * x[2].Reshape(3, 1);
    }

    private static Tensor Goals(Tensor[] x, double smoothing) =>
        Tensor.From<double>(x[1].ToArray<long>().SelectMany(t => Goal(t, smoothing)).ToArray(), [3, 5]).To(x[0].DType);
}
