using static Native.Functional;

namespace Native.Tests;

/// <summary>Edges where PyTorch's conventions are followed, each a defect once.</summary>
public class ConventionTests
{
    [Fact]
    public void Running_statistics_must_fit()
    {
        var x = Tensor.Arange(0, 4, 1, DType.F32).Reshape(2, 2);
        Assert.Contains("operands have different dtypes", Assert.Throws<DTypeException>(() =>
            BatchNorm(x, Tensor.Zeros([2], DType.F64), Tensor.Ones([2], DType.F64), null, null, training: true)).Message, StringComparison.Ordinal);
        Assert.Contains("come together", Assert.Throws<ShapeException>(() => BatchNorm(x, Tensor.Zeros([2]), null, null, null, training: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Integers_refuse_a_fraction()
    {
        foreach (Action bad in new Action[]
        {
            () => _ = Tensor.From<long>(1, 2) * 0.5, () => _ = Tensor.From<int>(1, 2) + 0.5, () => Tensor.From<long>(1).MulInPlace(0.5), () => Tensor.From<int>(1).Clamp(0.5, 2),
        })
            Assert.Contains("is no value of i", Assert.Throws<DTypeException>(bad).Message, StringComparison.Ordinal);
        Assert.Equal([2, 4], (Tensor.From<long>(1, 2) * 2).ToArray<long>());
        Assert.Equal([1, 2], Tensor.From<int>(0, 5).Clamp(1, 2).ToArray<int>());
        Assert.Equal([3, 5], Tensor.From<int>(3, 5).Clamp(min: 0).ToArray<int>());
    }

    [Fact]
    public void Arange_takes_its_dtype_from_its_numbers()
    {
        Assert.Equal([0, 0.25f, 0.5f, 0.75f], Tensor.Arange(0, 1, 0.25).ToArray<float>());
        Assert.Equal([0, 2, 4], Tensor.Arange(0, 5, 2).ToArray<long>());
        Assert.Throws<DTypeException>(() => Tensor.Arange(0, 1, 0.25, DType.I64));
    }

    [Fact]
    public void Powers_at_zero()
    {
        Tensor a = Tensor.From<double>(0, 0, 0).RequireGrad(), b = Tensor.From<double>(0, 1, 2).RequireGrad();
        var g = Autograd.Grad(a.Pow(b).Sum(), [a, b]);
        Assert.Equal([0, 1, 0], g[0].ToArray<double>());
        Assert.Equal([0, 0, 0], g[1].ToArray<double>());
    }

    [Fact]
    public void A_mean_of_equal_numbers_is_that_number()
    {
        for (int n = 1; n < 200; n++)
        {
            Assert.Equal(1f, Tensor.Ones([n]).Mean().Item<float>());
            Assert.Equal(0.0, Tensor.Full([n + 1], 3, DType.F64).Var().Item<double>());
        }
    }

    [Fact]
    public void The_upper_bound_of_a_clamp_wins() => Assert.Equal([2, 2], Tensor.From<float>(1, 5).Clamp(3, 2).ToArray<float>());

    [Fact]
    public void Counting_truths_needs_no_cast()
    {
        Assert.Equal(2, Tensor.From<long>(1, 2, 3).Eq(Tensor.From<long>(1, 0, 3)).Sum().Item<long>());
        Assert.Equal(2L * int.MaxValue, Tensor.From(int.MaxValue, int.MaxValue).Sum().Item<long>());
        Assert.Equal([510], Tensor.From<byte>(255, 255).Reshape(1, 2).Sum(1).ToArray<long>());
    }

    [Fact]
    public void Truth_values_are_not_added_in_place() =>
        Assert.Contains("bool has no arithmetic", Assert.Throws<DTypeException>(() => Tensor.From(true).AddInPlace(Tensor.From(true))).Message, StringComparison.Ordinal);
}
