namespace Native;

/// <summary>
/// The Jensen-Shannon divergence of the softmaxes of two logit matrices [rows, classes], one number per row. With m = (p + q) / 2 it is
/// 1/2 KL(p || m) + 1/2 KL(q || m), or, from the mixture, 1/2 KL(m || p) + 1/2 KL(m || q). All logits are finite.
/// </summary>
internal sealed class JensenShannonOp(bool fromMixture) : StructuredOp("jensen_shannon")
{
    public override OutputSpecs Infer(Inputs x)
    {
        Check.Float(x[0], Name, "logitsP");
        Check.Rank(x[0], 2, Name, "logitsP", "[rows, classes]");
        Check.SameDType(x[0], x[1], Name, "logitsP", "logitsQ");
        Check.ShapeIs(x[1], x[0].Shape, Name, "logitsQ");
        return [new(Layout.Of([x[0].Layout.Dims[0]]), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(24 * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => DivergenceEntry.Forward(y[0], x[0], x[1], fromMixture);

    public override Saves SavesFor(Inputs x) => Saves.Input0 | Saves.Input1;

    public override Tensor?[] Backward(Tensor g, Saved s) => new JensenShannonGradOp(fromMixture).ApplyAll(s.Input(0), s.Input(1), g);

    /// <summary>The same as ordinary operations.</summary>
    internal static Tensor Compose(bool fromMixture, Tensor a, Tensor b) =>
        Functional.JensenShannon(a.LogSoftmax(1), b.LogSoftmax(1), fromMixture, 1, Reduction.None);

    internal static IEnumerable<Sample> Samples()
    {
        foreach (bool fromMixture in new[] { false, true })
            foreach (Shape shape in new Shape[] { [3, 5], [2, 19], [1, 1] })
                yield return new($"{shape}{(fromMixture ? " from the mixture" : "")}", x => [new JensenShannonOp(fromMixture).Apply(x[0], x[1])], new SampleInput(shape), new(shape))
                {
                    Reference = x => [LineOracle.Map(x[0], x[1], (int)shape[0], (int)shape[1], 1, (a, b) => [Naive(LineOracle.Softmax(a), LineOracle.Softmax(b), fromMixture)])],
                    Composed = x => [Compose(fromMixture, x[0], x[1])],
                };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("shape", () => Functional.JensenShannonOfLogits(Tensor.Zeros([2, 3]), Tensor.Zeros([2, 4])), "jensen_shannon: logitsQ must have shape [2,3]; logitsQ = f32[2,4]@cpu");
        yield return new("rank", () => Functional.JensenShannonOfLogits(Tensor.Zeros([3]), Tensor.Zeros([3])), "jensen_shannon: logitsP must have 2 dims [rows, classes]");
        yield return new("dtype", () => Functional.JensenShannonOfLogits(Tensor.Zeros([1, 3]), Tensor.Zeros([1, 3], DType.F64)), "jensen_shannon: ");
    }

    private static double Naive(double[] p, double[] q, bool fromMixture)
    {
        double sum = 0;
        for (int i = 0; i < p.Length; i++)
        {
            double m = (p[i] + q[i]) / 2;
            sum += fromMixture ? m * Math.Log(m / p[i]) + m * Math.Log(m / q[i]) : p[i] * Math.Log(p[i] / m) + q[i] * Math.Log(q[i] / m);
        }
        return sum / 2;
    }
}

/// <summary>The gradients of <see cref="JensenShannonOp"/> with respect to both logit matrices, from those and the gradient [rows] of the divergences; the order after this one is composed.</summary>
internal sealed class JensenShannonGradOp(bool fromMixture) : StructuredOp("jensen_shannon_grad")
{
    public override OutputSpecs Infer(Inputs x) => [new(Layout.Of(x[0].Shape), x[0].DType), new(Layout.Of(x[0].Shape), x[0].DType)];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of((fromMixture ? 42 : 32) * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => DivergenceEntry.Grad(y[0], y[1], x[0], x[1], x[2], fromMixture);

    public override Saves SavesFor(Inputs x) => Saves.Input0 | Saves.Input1 | Saves.Input2;

    public override Tensor?[] Backward(Tensor v, Saved s) =>
        Composite.Vjp(t => Formula(t[0].LogSoftmax(1), t[1].LogSoftmax(1), t[2].Reshape(-1, 1)), [s.Input(0), s.Input(1), s.Input(2)], [v, s.GradOf(1)]);

    // The kernel's formulas, from log-probabilities. m - p sums to 0, so nothing of it goes through the softmax.
    private Tensor[] Formula(Tensor logP, Tensor logQ, Tensor g)
    {
        Tensor p = logP.Exp(), q = logQ.Exp(), logM = logQ + (logP - logQ).Softplus() - Math.Log(2);
        if (!fromMixture)
            return [g * Slope(p, (logP - logM) * 0.5), g * Slope(q, (logQ - logM) * 0.5)];
        Tensor m = logM.Exp(), half = logM * 0.5 - (logP + logQ) * 0.25;
        return [g * (Slope(p, half) + (p - m) * 0.5), g * (Slope(q, half) + (q - m) * 0.5)];

        static Tensor Slope(Tensor p, Tensor d) => p * (d - (p * d).Sum(1, keepDim: true));
    }

    internal static IEnumerable<Sample> Samples()
    {
        foreach (bool fromMixture in new[] { false, true })
            yield return new(fromMixture ? "from the mixture" : "", x => new JensenShannonGradOp(fromMixture).ApplyAll(x), new SampleInput([3, 5]), new([3, 5]), new([3]))
            {
                Composed = x => Composite.Vjp(t => [JensenShannonOp.Compose(fromMixture, t[0], t[1])], [x[0], x[1]], [x[2]])!,
            };
    }
}
