namespace Native.Tests;

/// <summary>Read this first: ten tests that show the API.</summary>
public class Tiny
{
    [Fact]
    public void Tensors_are_made_from_arrays_and_read_back()
    {
        var x = Tensor.From([1f, 2, 3, 4, 5, 6], [2, 3]);
        Assert.Equal("f32[2,3]@cpu", x.Describe());
        Assert.Equal([1f, 4, 2, 5, 3, 6], x.T.ToArray<float>());
        Assert.Equal(21, x.Sum().Item());
    }

    [Fact]
    public void Arithmetic_broadcasts()
    {
        var column = Tensor.From([10f, 20], [2, 1]);
        var row = Tensor.From([1f, 2, 3], [3]);
        Assert.Equal([11f, 12, 13, 21, 22, 23], (column + row).ToArray<float>());
    }

    [Fact]
    public void A_gradient_is_a_value()
    {
        var x = Tensor.From([1f, 2, 3], [3]).RequireGrad();
        var y = x.Square().Sum();
        Assert.Equal([2f, 4, 6], Autograd.Grad(y, x).ToArray<float>());
    }

    [Fact]
    public void Derivatives_of_any_order()
    {
        var x = Tensor.Scalar(2.0).RequireGrad();
        var first = Autograd.Grad(x.Pow(4.0), x, createGraph: true);
        var second = Autograd.Grad(first, x, createGraph: true);
        var third = Autograd.Grad(second, x);
        Assert.Equal((32, 48, 48), (first.Item(), second.Item(), third.Item()));
    }

    [Fact]
    public void Backward_accumulates_into_leaves()
    {
        var w = Tensor.From([0.5f, -1], [2]).RequireGrad();
        (w * 3f).Sum().Backward();
        (w * 3f).Sum().Backward();
        Assert.Equal([6f, 6], w.Grad!.ToArray<float>());
    }

    [Fact]
    public void A_step_of_gradient_descent()
    {
        var w = Parameter.From(Tensor.From([2f, -3], [2]), "w");
        float before = w.Square().Sum().Item<float>(), after;
        using (TensorScope.Begin("step"))
        {
            w.Square().Sum().Backward();
            using (Autograd.NoGrad())
                w.CopyFrom((w - 0.1 * w.Grad!).AsSpan<float>());
            after = w.Square().Sum().Item<float>();
        }
        Assert.True(after < before);
    }

    [Fact]
    public void A_scope_frees_what_was_made_inside_and_keeps_what_it_is_told_to()
    {
        Tensor kept, lost;
        using (var step = TensorScope.Begin("step"))
        {
            lost = Tensor.Ones([4]);
            kept = step.Keep(lost * 2);
        }
        Assert.Equal([2f, 2, 2, 2], kept.ToArray<float>());
        Assert.False(lost.IsAlive);
    }

    [Fact]
    public void Inside_NoGrad_nothing_is_recorded()
    {
        var x = Tensor.Ones([2]).RequireGrad();
        using (Autograd.NoGrad())
            Assert.False((x * 2).RequiresGrad);
        Assert.True((x * 2).RequiresGrad);
        Assert.Equal("mul_scalar", (x * 2).GradFn!.Name);
    }

    [Fact]
    public void Mistakes_are_answered_in_a_sentence()
    {
        var e = Assert.Throws<ShapeException>(() => Tensor.Ones([2, 3]) + Tensor.Ones([4]));
        Assert.Equal("add: shapes do not broadcast; lhs = f32[2,3]@cpu, rhs = f32[4]@cpu; lhs.dim(1)=3, rhs.dim(0)=4. Dims must be equal or 1.", e.Message);
    }

    [Fact]
    public void Your_own_function_can_be_checked_against_differences() =>
        GradCheck.Require(x => x[0] * x[1].Sigmoid(), [Tensor.From([0.3, -1.2], [2, 1]), Tensor.From([1.0, 0.5, -2], [3])], new() { Order = 2 });
}
