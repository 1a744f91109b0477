namespace Native;

/// <summary>
/// Position of the largest or smallest element along a dim, as i64 with the dim kept at size 1. The first of equals; a NaN counts as the
/// extreme of either kind.
/// </summary>
internal sealed class ArgExtremeOp(int dim, bool smallest) : StructuredOp(smallest ? "argmin" : "argmax")
{
    /// <summary>What instances call themselves, by their parameters.</summary>
    internal static IEnumerable<string> Names() => ["argmax", "argmin"];

    public override string? NoDerivative => "integer output";

    public override OutputSpecs Infer(Inputs x)
    {
        if (x[0].DType == DType.Bool)
            throw new DTypeException($"{Name}: bool has no order; input = {x[0].Describe()}. Convert it with .To(DType.U8).");
        Check.That(x[0].Layout.Dims[dim] > 0, Name, $"dim {dim} has no elements and {Name} of nothing has no value; input = {x[0].Describe()}.");
        return [new(PickOp.OneOf(x[0], dim), DType.I64)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => PickEntry.Extreme(y[0], x[0], dim, smallest);

    public override Tensor?[] Backward(Tensor g, Saved s) => [null];

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("rows", x => [x[0].ArgMax(1)], new SampleInput([4, 7]) { Distinct = true }) { Reference = x => [LineOracle.Map(x[0], 4, 7, 1, v => [First(v, (a, b) => a > b)])], Orders = 0 };
        yield return new("middle", x => [x[0].ArgMin(1, keepDim: true)], new SampleInput([2, 5, 3]) { Distinct = true })
        {
            Reference = x => [LineOracle.Map(x[0], 2, 5, 3, v => [First(v, (a, b) => a < b)])],
            Orders = 0,
        };
        yield return new("ties", x => [x[0].ArgMax(0), x[0].ArgMin(0)], new SampleInput([6]) { Values = [1, 3, 0, 3, 0, 1] }) { Reference = _ => [[1], [2]], Orders = 0 };
        yield return new("NaN", x => [x[0].ArgMax(0), x[0].ArgMin(0)], new SampleInput([4]) { Values = [1, double.NaN, 3, double.NaN] }) { Reference = _ => [[1], [1]], Orders = 0 };
        yield return new("all", x => [x[0].ArgMax()], new SampleInput([2, 3]) { Values = [0, 5, 1, 2, 4, 3], DType = DType.I64 }) { Reference = _ => [[1]], Orders = 0 };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("empty", () => Tensor.Zeros([2, 0]).ArgMax(1), "argmax: dim 1 has no elements");
        yield return new("dim", () => Tensor.Zeros([2]).ArgMin(1), "argmin: dim 1 is out of range; input = f32[2]@cpu");
        yield return new("bool", () => Tensor.Zeros([2], DType.Bool).ArgMin(0), "argmin: bool has no order");
    }

    private static int First(double[] v, Func<double, double, bool> beats)
    {
        int at = 0;
        for (int i = 1; i < v.Length; i++)
            if (beats(v[i], v[at]))
                at = i;
        return at;
    }
}

/// <summary>Reads one element per line: y[.., 0, ..] = x[.., index[.., 0, ..], ..]; 0 where the index is the ignored one.</summary>
internal sealed class PickOp(int dim, long? ignored = null) : StructuredOp("pick")
{
    private long _n;

    public override OutputSpecs Infer(Inputs x)
    {
        _n = x[0].Layout.Dims[dim];
        var one = OneOf(x[0], dim);
        CheckIndex(x[1], one.Shape, Name);
        return [new(one, x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Picks(x[1], y);

    public override void Forward(Inputs x, Outputs y) => PickEntry.Pick(y[0], x[0], x[1], dim, ignored);

    public override Saves SavesFor(Inputs x) => Saves.Input1;

    public override Tensor?[] Backward(Tensor g, Saved s) => [new PlaceOp(dim, _n, ignored).Apply(g, s.Input(1))];

    /// <summary>x's dims with one of them 1.</summary>
    public static Layout OneOf(Tensor x, int dim)
    {
        var dims = x.Shape.ToArray();
        dims[dim] = 1;
        return Layout.Of(dims);
    }

    public static void CheckIndex(Tensor index, Shape shape, string op)
    {
        if (index.DType != DType.I64)
            throw new DTypeException($"{op}: indices must be i64; index = {index.Describe()}. Convert it with .To(DType.I64).");
        Check.ShapeIs(index, shape, op, "index");
    }

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("rows", x => [new PickOp(1).Apply(x[0], x[1])], new SampleInput([3, 4]), new SampleInput([3, 1], 0, 4) { DType = DType.I64 })
        {
            Reference = x => [LineOracle.Map(x[0], x[1], 3, 4, 1, (v, i) => [v[(int)i[0]]])],
        };
        yield return new("middle", x => [new PickOp(1).Apply(x[0], x[1])], new SampleInput([2, 3, 4]), new SampleInput([2, 1, 4], 0, 3) { DType = DType.I64 })
        {
            Reference = x => [LineOracle.Map(x[0], x[1], 2, 3, 4, (v, i) => [v[(int)i[0]]])],
        };
        yield return new("ignored", x => [new PickOp(1, -1).Apply(x[0], x[1])], new SampleInput([3, 2]), new SampleInput([3, 1]) { DType = DType.I64, Values = [1, -1, 0] })
        {
            Reference = x => [[x[0][1], 0, x[0][4]]],
        };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("range", () => new PickOp(1).Apply(Tensor.Zeros([2, 3]), Tensor.From(new long[] { 0, 3 }, [2, 1])), "pick: index 3 of line 1 is out of range; a line has 3 elements");
        yield return new("dtype", () => new PickOp(1).Apply(Tensor.Zeros([2, 3]), Tensor.Zeros([2, 1])), "pick: indices must be i64");
        yield return new("shape", () => new PickOp(1).Apply(Tensor.Zeros([2, 3]), Tensor.Zeros([2, 2], DType.I64)), "pick: index must have shape [2,1]");
    }
}

/// <summary>Writes one element per line of n zeros: the derivative of <see cref="PickOp"/>, and with ones a one-hot tensor.</summary>
internal sealed class PlaceOp(int dim, long n, long? ignored = null) : StructuredOp("place")
{
    public override OutputSpecs Infer(Inputs x)
    {
        PickOp.CheckIndex(x[1], x[0].Shape, Name);
        var dims = x[0].Shape.ToArray();
        dims[dim] = n;
        return [new(Layout.Of(dims), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Moves(x, y);

    public override void Forward(Inputs x, Outputs y) => PickEntry.Place(y[0], x[0], x[1], dim, ignored);

    public override Saves SavesFor(Inputs x) => Saves.Input1;

    public override Tensor?[] Backward(Tensor g, Saved s) => [new PickOp(dim, ignored).Apply(g, s.Input(1))];

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("rows", x => [new PlaceOp(1, 3).Apply(x[0], x[1])], new SampleInput([3, 1]), new SampleInput([3, 1]) { DType = DType.I64, Values = [2, 0, 2] })
        {
            Reference = x => [[0, 0, x[0][0], x[0][1], 0, 0, 0, 0, x[0][2]]],
        };
        yield return new("first", x => [new PlaceOp(0, 2, 9).Apply(x[0], x[1])], new SampleInput([1, 3]), new SampleInput([1, 3]) { DType = DType.I64, Values = [1, 9, 0] })
        {
            Reference = x => [[0, 0, x[0][2], x[0][0], 0, 0]],
        };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("range", () => new PlaceOp(1, 3).Apply(Tensor.Zeros([1, 1]), Tensor.From(new long[] { -1 }, [1, 1])), "place: index -1 of line 0 is out of range; a line has 3 elements");
    }
}
