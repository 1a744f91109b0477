namespace Native;

/// <summary>Every pixel of the last two dims becomes a square of equal pixels. <see cref="BlockSumOp"/> is its adjoint.</summary>
internal sealed class UpsampleOp(long factor) : StructuredOp("upsample")
{
    public override OutputSpecs Infer(Inputs x)
    {
        var dims = x[0].Shape.ToArray();
        dims[^2] *= factor;
        dims[^1] *= factor;
        return [new(Layout.Of(dims), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Moves(x, y);

    public override void Forward(Inputs x, Outputs y) => UpsampleEntries.Nearest(x[0], y[0], factor);

    public override Tensor?[] Backward(Tensor g, Saved s) => [new BlockSumOp(factor).Apply(g)];

    internal static IEnumerable<Sample> Samples()
    {
        // The same by views, written along each dim.
        Tensor Twice(Tensor x) => x.RepeatInterleave(2, -1).RepeatInterleave(2, -2);
        yield return new("planes", x => [x[0].UpsampleNearest(2)], new SampleInput([2, 1, 2]))
        {
            Reference = x => [[.. new[] { 0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3 }.Select(i => x[0][i])]],
            Composed = x => [Twice(x[0])],
        };
        yield return new("by three", x => [x[0].UpsampleNearest(3)], new SampleInput([1, 2])) { Reference = x => [[.. Enumerable.Range(0, 18).Select(i => x[0][i % 6 / 3])]] };
        yield return new("nothing", x => [x[0].UpsampleNearest(2)], new SampleInput([2, 0, 3])) { Reference = _ => [[]], Orders = 0 };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("factor", () => Tensor.Zeros([2, 2]).UpsampleNearest(0), "upsample_nearest: the factor must be positive, not 0");
        yield return new("rank", () => Tensor.Zeros([2]).UpsampleNearest(2), "upsample_nearest: needs at least two dims, height and width; input = f32[2]@cpu.");
    }
}

/// <summary>Sums over squares of pixels: the gradient of <see cref="UpsampleOp"/>, which is its own gradient in turn.</summary>
internal sealed class BlockSumOp(long factor) : StructuredOp("block_sum")
{
    public override OutputSpecs Infer(Inputs x)
    {
        var dims = x[0].Shape.ToArray();
        dims[^2] /= factor;
        dims[^1] /= factor;
        return [new(Layout.Of(dims), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => UpsampleEntries.Sums(x[0], y[0], factor);

    public override Tensor?[] Backward(Tensor g, Saved s) => [new UpsampleOp(factor).Apply(g)];

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("two squares", x => [new BlockSumOp(2).Apply(x[0])], new SampleInput([2, 4]))
        {
            Reference = x => [[x[0][0] + x[0][1] + x[0][4] + x[0][5], x[0][2] + x[0][3] + x[0][6] + x[0][7]]],
            Composed = x => [x[0].Reshape(1, 2, 2, 2).Sum([1, 3])],
        };
        yield return new("planes of one", x => [new BlockSumOp(2).Apply(x[0])], new SampleInput([2, 2, 2]))
        {
            Reference = x => [[x[0][..4].Sum(), x[0][4..].Sum()]],
        };
    }
}
