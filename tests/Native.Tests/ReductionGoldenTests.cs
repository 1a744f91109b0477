namespace Native.Tests;

/// <summary>Reductions against PyTorch: values, gradients at ties and zeros, second derivatives.</summary>
[Trait("Category", "Cpu")]
public sealed class ReductionGoldenTests
{
    private static readonly OrderedDictionary<string, HostArray> Pointwise = GoldenCase.Read("pointwise.npz"), Losses = GoldenCase.Read("losses.npz");

    public static TheoryData<string> ReductionNames =>
        [.. GoldenCase.Names(Pointwise, "amax", "amin", "max_", "min_", "prod", "var", "std", "norm", "cumsum").Where(n => n != "var_single")];

    public static TheoryData<string> SoftmaxNames => [.. GoldenCase.Names(Losses, "softmax", "log_softmax", "logsumexp")];

    [Theory]
    [MemberData(nameof(ReductionNames))]
    public void Reductions_agree(string name)
    {
        var c = new GoldenCase(Pointwise, name);
        var x = c["x"];
        double correction = c.Number("unbiased", 1);
        if (name.Contains("_dim_", StringComparison.Ordinal))
        {
            var (_, index) = name.StartsWith("max", StringComparison.Ordinal) ? x.Max(c.Int("dim")) : x.Min(c.Int("dim"));
            Assert.Equal(c["index"].ToArray<long>(), index.ToArray<long>());
        }
        c.Check(() => name.Split('_') switch
        {
            ["amax", ..] => x.Amax(c.Int("dim")),
            ["amin", ..] => x.Amin(c.Int("dim")),
            ["max", "dim", ..] => x.Max(c.Int("dim")).Values,
            ["min", "dim", ..] => x.Min(c.Int("dim")).Values,
            ["max", "all", ..] => x.Max(),
            ["min", "all", ..] => x.Min(),
            ["prod", "dim"] => x.Prod(c.Int("dim")),
            ["prod", ..] => x.Prod(),
            ["var", "all", ..] => x.Var(correction),
            ["var", ..] => x.Var(c.Int("dim"), correction: correction),
            ["std", "all", ..] => x.Std(correction),
            ["std", ..] => x.Std(c.Int("dim"), correction: correction),
            ["norm", ..] => x.Norm(c.Int("dim")),
            ["cumsum", ..] => x.CumSum(c.Int("dim")),
            _ => throw new ArgumentException(name),
        }, "x");
    }

    [Theory]
    [MemberData(nameof(SoftmaxNames))]
    public void Softmax_family_agrees(string name)
    {
        var c = new GoldenCase(Losses, name);
        int dim = c.Int("dim");
        c.Check(() => name[0] == 's' ? c["x"].Softmax(dim) : name.StartsWith("log_", StringComparison.Ordinal) ? c["x"].LogSoftmax(dim) : c["x"].LogSumExp(dim), "x");
    }

    [Fact]
    public void Variance_of_one_element()
    {
        var c = new GoldenCase(Pointwise, "var_single");
        c.Near("unbiased", c["x"].Var());
        c.Near("biased", c["x"].Var(correction: 0));
    }

    [Fact]
    public void Empty_reductions_have_a_value_only_where_there_is_one()
    {
        var none = Tensor.Zeros([0, 2], DType.F64);
        Assert.Equal([1, 1], none.Prod(0).ToArray<double>());
        Assert.Equal([0, 0], none.Norm(0).ToArray<double>());
        Assert.Equal([double.NaN, double.NaN], none.Mean(0).ToArray<double>());
        Assert.Equal([double.NegativeInfinity, double.NegativeInfinity], none.LogSumExp(0).ToArray<double>());
        Assert.Contains("dim 0 has no elements", Assert.Throws<ShapeException>(() => none.Amax(0)).Message, StringComparison.Ordinal);
        Assert.Contains("dim 0 has no elements", Assert.Throws<ShapeException>(() => none.Min(0)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Integers_keep_their_extremes()
    {
        var x = Tensor.From(long.MinValue, 5, long.MinValue);
        Assert.Equal(5, x.Max().Item<long>());
        Assert.Equal(long.MinValue, x[0..1].Max().Item<long>());
        Assert.Equal(int.MaxValue, Tensor.From(int.MaxValue, int.MaxValue).Min().Item<int>());
    }

    [Fact]
    public void A_long_single_precision_cumulative_sum_keeps_its_digits()
    {
        var sums = Tensor.Full([1 << 20], 0.1).CumSum(0);
        double want = (1 << 20) * (double)0.1f;
        Assert.True(Math.Abs(sums[^1].Item() - want) <= 1e-7 * want, $"{sums[^1].Item()} instead of {want}");
    }
}
