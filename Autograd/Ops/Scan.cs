namespace Native;

/// <summary>Running sum along a dim. Its derivative is the running sum from the other end.</summary>
internal sealed class CumSumOp(int dim, bool reverse) : StructuredOp("cumsum")
{
    public override OutputSpecs Infer(Inputs x)
    {
        if (x[0].DType is DType.Bool or DType.U8)
            throw new DTypeException($"cumsum: needs f32, f64, i32 or i64; input = {x[0].Describe()}. Convert it with .To(DType.I64).");
        return [new(x[0].Layout.Dense(), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => ScanEntry.CumSum(y[0], x[0], dim, reverse);

    public override Tensor?[] Backward(Tensor g, Saved s) => [new CumSumOp(dim, !reverse).Apply(g)];

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("vector", x => [x[0].CumSum(0)], new SampleInput([70])) { Reference = x => [Naive(x[0], 1, 70, 1, false)] };
        yield return new("middle", x => [x[0].CumSum(1)], new SampleInput([2, 3, 4])) { Reference = x => [Naive(x[0], 2, 3, 4, false)] };
        yield return new("reversed", x => [new CumSumOp(1, reverse: true).Apply(x[0])], new SampleInput([4, 5])) { Reference = x => [Naive(x[0], 4, 5, 1, true)] };
        yield return new("i64", x => [x[0].CumSum(-1)], new SampleInput([2, 6], -5, 5) { DType = DType.I64 }) { Reference = x => [Naive(x[0], 2, 6, 1, false)], Orders = 0 };
        yield return new("empty", x => [x[0].CumSum(0)], new SampleInput([0, 3])) { Reference = _ => [[]], Orders = 0 };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("dim", () => Tensor.Zeros([2, 3]).CumSum(2), "cumsum: dim 2 is out of range; input = f32[2,3]@cpu");
        yield return new("bool", () => Tensor.Zeros([3], DType.Bool).CumSum(0), "cumsum: needs f32, f64, i32 or i64; input = bool[3]@cpu");
    }

    private static double[] Naive(double[] x, int outer, int n, int inner, bool reverse) => LineOracle.Map(x, outer, n, inner, line =>
    {
        var y = new double[n];
        for (int i = 0; i < n; i++)
            for (int k = 0; k < n; k++)
                if (reverse ? k >= i : k <= i)
                    y[i] += line[k];
        return y;
    });
}

/// <summary>
/// For each element the product of the others on its line: the gradient of a product, without a division. Its own derivative builds
/// the n x n table of factors, which only derivatives of order two and above pay for.
/// </summary>
internal sealed class ProdOfOthersOp(int dim) : StructuredOp("prod_of_others")
{
    public override OutputSpecs Infer(Inputs x)
    {
        Check.Float(x[0], Name);
        return [new(x[0].Layout.Dense(), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(3 * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => ScanEntry.Others(y[0], x[0], dim);

    public override Saves SavesFor(Inputs x) => Saves.Input0;

    public override Tensor?[] Backward(Tensor g, Saved s)
    {
        // Row i of the table is the line with element i replaced by 1, so output i is the product of row i.
        var lines = s.Input(0).Transpose(dim, -1);
        long n = lines.Shape[-1];
        var (diagonal, elsewhere) = Identity(n, lines);
        Shape row = [.. lines.Shape.Span[..^1], 1, n], column = [.. lines.Shape.Span[..^1], n, 1];
        var table = Ops.MulNoNan.Apply(elsewhere, lines.Reshape(row)) + diagonal;
        var gt = g.Transpose(dim, -1).Reshape(column) * new ProdOfOthersOp(table.Rank - 1).Apply(table);
        return [(gt * elsewhere).Sum(-2).Transpose(dim, -1)];
    }

    private static (Tensor Diagonal, Tensor Elsewhere) Identity(long n, Tensor like)
    {
        var values = new double[n * n];
        for (long i = 0; i < n; i++)
            values[i * n + i] = 1;
        var diagonal = Tensor.From(values, [n, n], like.Device).To(like.DType);
        return (diagonal, 1 - diagonal);
    }

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("rows", x => [new ProdOfOthersOp(1).Apply(x[0])], new SampleInput([3, 4])) { Reference = x => [Naive(x[0], 3, 4, 1)] };
        yield return new("middle", x => [new ProdOfOthersOp(1).Apply(x[0])], new SampleInput([2, 3, 2])) { Reference = x => [Naive(x[0], 2, 3, 2)] };
        yield return new("one", x => [new ProdOfOthersOp(0).Apply(x[0])], new SampleInput([1])) { Reference = _ => [[1]] };
        yield return new("zeros", x => [new ProdOfOthersOp(0).Apply(x[0])], new SampleInput([4]) { Values = [0, 2, 0, 3] }) { Reference = x => [Naive(x[0], 1, 4, 1)] };
    }

    private static double[] Naive(double[] x, int outer, int n, int inner) => LineOracle.Map(x, outer, n, inner, line =>
    {
        var y = new double[n];
        for (int i = 0; i < n; i++)
        {
            y[i] = 1;
            for (int k = 0; k < n; k++)
                if (k != i)
                    y[i] *= line[k];
        }
        return y;
    });
}

/// <summary>Differences of neighbours along a dim, x[i+1] - x[i], and their adjoint. Linear, so each is the other's derivative.</summary>
internal sealed class DiffOp(int dim, bool adjoint) : StructuredOp("diff")
{
    public override OutputSpecs Infer(Inputs x)
    {
        Check.Float(x[0], Name);
        var dims = x[0].Shape.ToArray();
        Check.That(adjoint || dims[dim] >= 1, Name, $"dim {dim} has no elements, so no differences; input = {x[0].Describe()}.");
        dims[dim] += adjoint ? 1 : -1;
        return [new(Layout.Of(dims), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(y[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => ScanEntry.Difference(y[0], x[0], dim, adjoint);

    public override Tensor?[] Backward(Tensor g, Saved s) => [new DiffOp(dim, !adjoint).Apply(g)];

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("rows", x => [x[0].Diff()], new SampleInput([3, 5])) { Reference = x => [LineOracle.Map(x[0], 3, 5, 1, Naive)] };
        yield return new("middle", x => [x[0].Diff(1)], new SampleInput([2, 4, 3])) { Reference = x => [LineOracle.Map(x[0], 2, 4, 3, Naive)] };
        yield return new("to nothing", x => [x[0].Diff(0)], new SampleInput([1, 3])) { Reference = _ => [[]], Orders = 0 };
        yield return new("adjoint", x => [new DiffOp(0, adjoint: true).Apply(x[0])], new SampleInput([3, 2]))
        {
            Reference = x => [LineOracle.Map(x[0], 1, 3, 2, v => [-v[0], v[0] - v[1], v[1] - v[2], v[2]])],
        };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("empty", () => Tensor.Zeros([0]).Diff(), "diff: dim 0 has no elements");
    }

    private static double[] Naive(double[] line) => [.. line.Skip(1).Zip(line, (b, a) => b - a)];
}
