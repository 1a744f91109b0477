namespace Native;

/// <summary>exp(x) / sum of exp(x) along a dim, the maximum subtracted first.</summary>
internal sealed class SoftmaxOp(int dim) : StructuredOp("softmax")
{
    public override OutputSpecs Infer(Inputs x)
    {
        Check.Float(x[0], Name);
        return [new(x[0].Layout.Dense(), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(5 * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => SoftmaxEntry.Softmax(y[0], x[0], dim);

    public override Saves SavesFor(Inputs x) => Saves.Output0;

    public override Tensor?[] Backward(Tensor g, Saved s) => [new SoftmaxGradOp(dim).Apply(g, s.Output)];

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (shape, dim, outer, n, inner) in SoftmaxSamples.Geometries)
            yield return new($"{shape} along {dim}", x => [x[0].Softmax(dim)], new SampleInput(shape))
            {
                Reference = x => [LineOracle.Map(x[0], outer, n, inner, LineOracle.Softmax)],
                Composed = x => [SoftmaxSamples.Composed(x[0], dim)],
            };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("integers", () => Tensor.Zeros([2, 3], DType.I64).Softmax(1), "softmax: needs f32 or f64; input = i64[2,3]@cpu");
        yield return new("dim", () => Tensor.Zeros([2, 3]).Softmax(-3), "softmax: dim -3 is out of range; input = f32[2,3]@cpu");
    }
}

/// <summary>y (g - sum of g y): the derivative of softmax from its output y.</summary>
internal sealed class SoftmaxGradOp(int dim) : StructuredOp("softmax_grad")
{
    public override OutputSpecs Infer(Inputs x) => [new(x[0].Layout.Dense(), x[0].DType)];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(4 * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => SoftmaxEntry.SoftmaxGrad(y[0], x[0], x[1], dim);

    public override Saves SavesFor(Inputs x) => x[1].RequiresGrad ? Saves.Input0 | Saves.Input1 : Saves.Input1;

    public override Tensor?[] Backward(Tensor v, Saved s)
    {
        var y = s.Input(1);
        Tensor? gy = null;
        if (s.Needs(1))
        {
            var g = s.Input(0);
            gy = v * (g - (g * y).Sum(dim, keepDim: true)) - g * (v * y).Sum(dim, keepDim: true);
        }
        return [s.Needs(0) ? new SoftmaxGradOp(dim).Apply(v, y) : null, gy];
    }

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (shape, dim, outer, n, inner) in SoftmaxSamples.Geometries)
            yield return new($"{shape} along {dim}", x => [new SoftmaxGradOp(dim < 0 ? dim + shape.Rank : dim).Apply(x[0], x[1])], new SampleInput(shape), new SampleInput(shape, 0.1, 0.9))
            {
                Reference = x => [LineOracle.Map(x[0], x[1], outer, n, inner, (g, y) => [.. g.Select((v, i) => y[i] * (v - g.Zip(y, (a, b) => a * b).Sum()))])],
                Composed = x => [x[1] * (x[0] - (x[0] * x[1]).Sum(dim, keepDim: true))],
            };
    }
}

/// <summary>x - log(sum of exp(x)) along a dim, the maximum subtracted first.</summary>
internal sealed class LogSoftmaxOp(int dim) : StructuredOp("log_softmax")
{
    public override OutputSpecs Infer(Inputs x)
    {
        Check.Float(x[0], Name);
        return [new(x[0].Layout.Dense(), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(5 * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => SoftmaxEntry.LogSoftmax(y[0], x[0], dim);

    public override Saves SavesFor(Inputs x) => Saves.Output0;

    public override Tensor?[] Backward(Tensor g, Saved s) => [new LogSoftmaxGradOp(dim).Apply(g, s.Output)];

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (shape, dim, outer, n, inner) in SoftmaxSamples.Geometries)
            yield return new($"{shape} along {dim}", x => [x[0].LogSoftmax(dim)], new SampleInput(shape))
            {
                Reference = x => [LineOracle.Map(x[0], outer, n, inner, v => [.. LineOracle.Softmax(v).Select(p => Math.Log(p))])],
                Composed = x => [SoftmaxSamples.Composed(x[0], dim).Log()],
            };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("integers", () => Tensor.Zeros([2, 3], DType.I32).LogSoftmax(1), "log_softmax: needs f32 or f64; input = i32[2,3]@cpu");
        yield return new("scalar", () => Tensor.Zeros([]).LogSoftmax(0), "log_softmax: dim 0 is out of range; input = f32[]@cpu");
    }
}

/// <summary>g - exp(y) sum of g: the derivative of log-softmax from its output y.</summary>
internal sealed class LogSoftmaxGradOp(int dim) : StructuredOp("log_softmax_grad")
{
    public override OutputSpecs Infer(Inputs x) => [new(x[0].Layout.Dense(), x[0].DType)];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(4 * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => SoftmaxEntry.LogSoftmaxGrad(y[0], x[0], x[1], dim);

    public override Saves SavesFor(Inputs x) => x[1].RequiresGrad ? Saves.Input0 | Saves.Input1 : Saves.Input1;

    public override Tensor?[] Backward(Tensor v, Saved s)
    {
        var p = s.Input(1).Exp();
        var vp = v * p;
        return [
            s.Needs(0) ? v - vp.Sum(dim, keepDim: true) : null,
            s.Needs(1) ? -(vp * s.Input(0).Sum(dim, keepDim: true)) : null,
        ];
    }

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (shape, dim, outer, n, inner) in SoftmaxSamples.Geometries)
            yield return new($"{shape} along {dim}", x => [new LogSoftmaxGradOp(dim < 0 ? dim + shape.Rank : dim).Apply(x[0], x[1])], new SampleInput(shape), new SampleInput(shape, -3, -0.1))
            {
                Reference = x => [LineOracle.Map(x[0], x[1], outer, n, inner, (g, y) => [.. g.Select((v, i) => v - Math.Exp(y[i]) * g.Sum())])],
                Composed = x => [x[0] - x[1].Exp() * x[0].Sum(dim, keepDim: true)],
            };
    }
}

/// <summary>log(sum of exp(x)) along a dim, which stays with size 1. Its gradient is the softmax, rebuilt from input and output.</summary>
internal sealed class LogSumExpOp(int dim) : StructuredOp("logsumexp")
{
    public override OutputSpecs Infer(Inputs x)
    {
        Check.Float(x[0], Name);
        return [new(PickOp.OneOf(x[0], dim), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(4 * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => SoftmaxEntry.LogSumExp(y[0], x[0], dim);

    public override Saves SavesFor(Inputs x) => Saves.Input0 | Saves.Output0;

    public override Tensor?[] Backward(Tensor g, Saved s) => [g * (s.Input(0) - s.Output).Exp()];

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (shape, dim, outer, n, inner) in SoftmaxSamples.Geometries)
            yield return new($"{shape} along {dim}", x => [x[0].LogSumExp(dim)], new SampleInput(shape))
            {
                Reference = x => [LineOracle.Map(x[0], outer, n, inner, v => [Math.Log(v.Sum(t => Math.Exp(t)))])],
                Composed = x => [x[0].Exp().Sum(dim).Log()],
            };
        yield return new("two dims", x => [x[0].LogSumExp([0, 2], keepDim: true)], new SampleInput([2, 3, 2]))
        {
            Reference = x => [[.. Enumerable.Range(0, 3).Select(j => Math.Log(Math.Exp(x[0][2 * j]) + Math.Exp(x[0][2 * j + 1]) + Math.Exp(x[0][6 + 2 * j]) + Math.Exp(x[0][7 + 2 * j])))]],
        };
    }
}

/// <summary>What the samples of the family share.</summary>
internal static class SoftmaxSamples
{
    public static readonly (Shape Shape, int Dim, int Outer, int N, int Inner)[] Geometries =
    [
        ([5], 0, 1, 5, 1), ([3, 19], 1, 3, 19, 1), ([4, 3], 0, 1, 4, 3), ([2, 3, 4], 1, 2, 3, 4), ([3, 1], 1, 3, 1, 1),
    ];

    public static Tensor Composed(Tensor x, int dim)
    {
        var e = x.Exp();
        return e / e.Sum(dim, keepDim: true);
    }
}
