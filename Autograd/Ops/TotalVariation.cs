namespace Native;

/// <summary>down times the sum of squared vertical differences of images [n, c, h, w] + right times that of horizontal ones, a scalar.</summary>
internal sealed class TotalVariationOp(double down, double right) : StructuredOp("total_variation")
{
    public override OutputSpecs Infer(Inputs x)
    {
        Check.Float(x[0], Name, "images");
        Check.Rank(x[0], 4, Name, "images", "[n, c, h, w]");
        Check.That(x[0].Layout.Dims[2] > 1 && x[0].Layout.Dims[3] > 1, Name, $"a pixel without neighbours has no variation; images = {x[0].Describe()}. Give at least 2x2 pixels.");
        return [new(Layout.Scalar, x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(6 * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => VariationEntry.Forward(y[0], x[0], down, right);

    public override Saves SavesFor(Inputs x) => Saves.Input0;

    public override Tensor?[] Backward(Tensor g, Saved s) => [new TotalVariationGradOp(down, right).Apply(g, s.Input(0))];

    internal static Tensor Compose(double down, double right, Tensor x) => x.Diff(2).Square().Sum() * down + x.Diff(3).Square().Sum() * right;

    internal static IEnumerable<Sample> Samples()
    {
        foreach (Shape shape in new Shape[] { [2, 3, 4, 5], [1, 1, 2, 2], [1, 2, 3, 40] })
            yield return new($"{shape}", x => [new TotalVariationOp(0.5, 0.25).Apply(x[0])], new SampleInput(shape))
            {
                Reference = x => [[Naive(x[0], (int)shape[2], (int)shape[3])]],
                Composed = x => [Compose(0.5, 0.25, x[0])],
            };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("rank", () => Functional.TotalVariation(Tensor.Zeros([3, 4, 4])), "total_variation: images must have 4 dims [n, c, h, w]");
        yield return new("one row", () => Functional.TotalVariation(Tensor.Zeros([1, 1, 1, 4])), "total_variation: a pixel without neighbours has no variation; images = f32[1,1,1,4]@cpu");
        yield return new("integers", () => Functional.TotalVariation(Tensor.Zeros([1, 1, 2, 2], DType.I64)), "total_variation: ");
    }

    private static double Naive(double[] x, int h, int w)
    {
        double sum = 0;
        for (int i = 0; i < x.Length; i++)
        {
            if (i / w % h < h - 1)
                sum += 0.5 * Math.Pow(x[i + w] - x[i], 2);
            if (i % w < w - 1)
                sum += 0.25 * Math.Pow(x[i + 1] - x[i], 2);
        }
        return sum;
    }
}

/// <summary>g (a scalar) times the gradient of <see cref="TotalVariationOp"/>. It is linear in the images and symmetric, so it is its own derivative.</summary>
internal sealed class TotalVariationGradOp(double down, double right) : StructuredOp("total_variation_grad")
{
    public override OutputSpecs Infer(Inputs x) => [new(Layout.Of(x[1].Shape), x[1].DType)];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(10 * x[1].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => VariationEntry.Grad(y[0], x[0], x[1], down, right);

    public override Saves SavesFor(Inputs x) => Saves.Input0 | (x[0].RequiresGrad ? Saves.Input1 : Saves.None);

    public override Tensor?[] Backward(Tensor v, Saved s) =>
    [
        s.Needs(0) ? (v * new TotalVariationGradOp(down, right).Apply(Tensor.Full([], 1, v.DType, v.Device), s.Input(1))).Sum() : null,
        s.Needs(1) ? new TotalVariationGradOp(down, right).Apply(s.Input(0), v) : null,
    ];

    internal static IEnumerable<Sample> Samples()
    {
        foreach (Shape shape in new Shape[] { [2, 3, 4, 5], [1, 1, 2, 2], [1, 2, 3, 40] })
            yield return new($"{shape}", x => [new TotalVariationGradOp(0.5, 0.25).Apply(x[0], x[1])], new SampleInput([]), new(shape))
            {
                Composed = x => Composite.Vjp(t => [TotalVariationOp.Compose(0.5, 0.25, t[0])], [x[1]], [x[0]])!,
            };
    }
}
