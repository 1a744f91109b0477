namespace Native;

/// <summary>
/// softmax((logits + noise) / tau) along a dim. Hard: the first output is the one-hot of its largest (the first of equals), with the gradient of the relaxed
/// sample, which is the second output.
/// </summary>
internal sealed class GumbelSoftmaxOp(double tau, bool hard, int dim) : StructuredOp("gumbel_softmax")
{
    public override OutputSpecs Infer(Inputs x)
    {
        Check.Float(x[0], Name, "logits");
        Check.SameDType(x[0], x[1], Name, "logits", "noise");
        Check.ShapeIs(x[1], x[0].Shape, Name, "noise");
        var one = new OutputSpec(Layout.Of(x[0].Shape), x[0].DType);
        return hard ? [one, one] : [one];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of((hard ? 9 : 7) * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => SoftmaxEntry.Gumbel(hard ? y[0] : null, hard ? y[1] : y[0], x[0], x[1], tau, dim);

    public override Saves SavesFor(Inputs x) => hard ? Saves.Output1 : Saves.Output0;

    public override Tensor?[] Backward(Tensor g, Saved s)
    {
        // What arrives at the one-hot passes straight through to the sample.
        var total = hard && s.GradOf(1) is { } soft ? g + soft : g;
        var gx = new GumbelSoftmaxGradOp(tau, dim).Apply(total, hard ? s.OutputAt(1) : s.Output);
        return [s.Needs(0) ? gx : null, s.Needs(1) ? gx : null];
    }

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (shape, dim, outer, n, inner) in SoftmaxSamples.Geometries)
        {
            int d = dim < 0 ? dim + shape.Rank : dim;
            yield return new($"{shape} along {dim}", x => [new GumbelSoftmaxOp(0.7, false, d).Apply(x[0], x[1])], new SampleInput(shape), new(shape))
            {
                Reference = x => [LineOracle.Map(x[0], x[1], outer, n, inner, (l, z) => LineOracle.Softmax([.. l.Zip(z, (a, b) => (a + b) / 0.7)]))],
                Composed = x => [((x[0] + x[1]) / 0.7).Softmax(d)],
            };
            // The one-hot's gradient is that of the sample, which is no difference quotient of it: GumbelSoftmaxTests.
            yield return new($"{shape} along {dim}, hard", x => new GumbelSoftmaxOp(0.7, true, d).ApplyAll(x[0], x[1]), new SampleInput(shape) { Distinct = true }, new(shape, 0, 0.001))
            {
                Reference = x =>
                [
                    LineOracle.Map(x[0], x[1], outer, n, inner, (l, z) => [.. l.Zip(z, (a, b) => a + b).Select((v, i) => i == Largest(l, z) ? 1.0 : 0.0)]),
                    LineOracle.Map(x[0], x[1], outer, n, inner, (l, z) => LineOracle.Softmax([.. l.Zip(z, (a, b) => (a + b) / 0.7)])),
                ],
                Orders = 0,
            };
        }

        static int Largest(double[] l, double[] z)
        {
            double[] v = [.. l.Zip(z, (a, b) => a + b)];
            return Array.IndexOf(v, v.Max());
        }
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        var rng = new Generator(1);
        yield return new("noise", () => Functional.GumbelSoftmax(Tensor.Zeros([2, 3]), Tensor.Zeros([3, 2]), 1), "gumbel_softmax: noise must have shape [2,3]; noise = f32[3,2]@cpu");
        yield return new("dim", () => Functional.GumbelSoftmax(Tensor.Zeros([2, 3]), 1, rng, dim: 2), "gumbel_softmax: dim 2 is out of range");
        yield return new("tau", () => Functional.GumbelSoftmax(Tensor.Zeros([2, 3]), double.NaN, rng), "gumbel_softmax: the temperature must be positive; tau = NaN");
    }
}

/// <summary>y (g - sum of g y) / tau: the derivative of <see cref="GumbelSoftmaxOp"/> from the relaxed sample y.</summary>
internal sealed class GumbelSoftmaxGradOp(double tau, int dim) : StructuredOp("gumbel_softmax_grad")
{
    public override OutputSpecs Infer(Inputs x) => [new(Layout.Of(x[0].Shape), x[0].DType)];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(5 * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => SoftmaxEntry.GumbelGrad(y[0], x[0], x[1], tau, dim);

    public override Saves SavesFor(Inputs x) => x[1].RequiresGrad ? Saves.Input0 | Saves.Input1 : Saves.Input1;

    public override Tensor?[] Backward(Tensor v, Saved s)
    {
        var y = s.Input(1);
        Tensor? gy = null;
        if (s.Needs(1))
        {
            var g = s.Input(0);
            gy = (v * (g - (g * y).Sum(dim, keepDim: true)) - g * (v * y).Sum(dim, keepDim: true)) / tau;
        }
        return [s.Needs(0) ? new GumbelSoftmaxGradOp(tau, dim).Apply(v, y) : null, gy];
    }

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (shape, dim, outer, n, inner) in SoftmaxSamples.Geometries)
        {
            int d = dim < 0 ? dim + shape.Rank : dim;
            yield return new($"{shape} along {dim}", x => [new GumbelSoftmaxGradOp(0.7, d).Apply(x[0], x[1])], new SampleInput(shape), new(shape, 0.1, 0.9))
            {
                Reference = x => [LineOracle.Map(x[0], x[1], outer, n, inner, (g, y) => [.. g.Select((v, i) => y[i] * (v - g.Zip(y, (a, b) => a * b).Sum()) / 0.7)])],
                Composed = x => [x[1] * (x[0] - (x[0] * x[1]).Sum(d, keepDim: true)) / 0.7],
            };
        }
    }
}
