namespace Native.Tests;

public class DerivativesTests
{
    private static Tensor F(Tensor x) => (x * x[0]).Sin() + x.Square().Sum();

    [Fact]
    public void ProductsAreThoseOfTheMatrix()
    {
        Tensor x = NnKit.Values(1, 4), v = NnKit.Values(2, 4);
        var j = Autograd.Jacobian(F, x);
        Assert.Equal([4, 4], j.Shape.ToArray());
        NnKit.Near(j.MatMul(v).ToArray<double>(), Autograd.Jvp(F, x, v), 1e-12, "jvp");
        NnKit.Near(v.MatMul(j).ToArray<double>(), Autograd.Vjp(F, x, v), 1e-12, "vjp");
        const double Step = 1e-6;
        double[] up = F(x + v * Step).ToArray<double>(), down = F(x - v * Step).ToArray<double>();
        NnKit.Near([.. up.Zip(down, (a, b) => (a - b) / (2 * Step))], Autograd.Jvp(F, x, v), 1e-8, "numeric");
    }

    [Fact]
    public void SeveralInputs()
    {
        Tensor a = NnKit.Values(1, 3), b = NnKit.Values(2, 3), va = NnKit.Values(3, 3), vb = NnKit.Values(4, 3);
        var jvp = Autograd.Jvp(x => x[0] * x[1].Exp(), [a, b], [va, vb]);
        NnKit.Near((va * b.Exp() + a * b.Exp() * vb).ToArray<double>(), jvp, 1e-12, "jvp");
        var hvp = Autograd.Hvp(x => (x[0] * x[1].Exp()).Sum(), [a, b], [va, vb]);
        NnKit.Near((vb * b.Exp()).ToArray<double>(), hvp[0], 1e-12, "hvp a");
        NnKit.Near((va * b.Exp() + a * b.Exp() * vb).ToArray<double>(), hvp[1], 1e-12, "hvp b");
    }

    [Fact]
    public void WhatDoesNotDependIsZero()
    {
        Tensor x = NnKit.Values(1, 3), v = NnKit.Values(2, 3);
        Assert.All(Autograd.Hvp(t => t.Sum(), x, v).ToArray<double>(), h => Assert.Equal(0, h));
        Assert.All(Autograd.Jvp(_ => Tensor.Ones([2], DType.F64), x, v).ToArray<double>(), h => Assert.Equal(0, h));
        Assert.All(Autograd.Hessian(t => (t * 3).Sum(), x).ToArray<double>(), h => Assert.Equal(0, h));
        Assert.Equal([1, 0, 0, 0, 1, 0, 0, 0, 1], Autograd.Jacobian(t => t, x).ToArray<double>());
    }

    [Fact]
    public void ResultsCanBeDifferentiatedOnRequest()
    {
        var x = NnKit.Values(1, 3).RequireGrad();
        var v = NnKit.Values(2, 3);
        var jvp = Autograd.Jvp(t => t.Pow(3), x, v, createGraph: true);
        NnKit.Near((v * x * 6).ToArray<double>(), Autograd.Grad(jvp.Sum(), x), 1e-12, "of jvp");
        var vjp = Autograd.Vjp(t => t.Pow(3), x, v, createGraph: true);
        NnKit.Near((v * x * 6).ToArray<double>(), Autograd.Grad(vjp.Sum(), x), 1e-12, "of vjp");
        var cubes = Autograd.Hessian(t => t.Pow(3).Sum(), x, createGraph: true);
        NnKit.Near([6, 6, 6], Autograd.Grad(cubes.Sum(), x), 1e-12, "of hessian");
        NnKit.Near((x * 6).ToArray<double>(), Autograd.Grad(Autograd.Jacobian(t => t.Pow(3), x, createGraph: true).Sum(), x), 1e-12, "of jacobian");
        Assert.False(Autograd.Vjp(t => t.Pow(3), x, v).RequiresGrad);
    }

    [Fact]
    public void LeavesNothingBehindAndWorksUnderNoGrad() => OpKit.OnFreshThread(() =>
    {
        var x = NnKit.Values(1, 3);
        Tensor v = NnKit.Values(2, 3);
        var stats = Ambient.Current.Allocator;
        using var scope = TensorScope.Begin("test");
        using var off = Autograd.NoGrad();
        long before = stats.Stats.LiveCount;
        Autograd.Hvp(t => t.Exp().Sum(), x, v);
        Autograd.Jacobian(F, x);
        Assert.Equal(before + 2, stats.Stats.LiveCount);
        Assert.False(x.RequiresGrad);
    });

    [Fact]
    public void AnOutputComputedFromAnotherCountsOnce()
    {
        var x = NnKit.Values(1, 3).RequireGrad();
        var y = x * 2;
        var z = y.Exp();
        Tensor[] ones = [Tensor.OnesLike(y), Tensor.OnesLike(y)];
        double[] want = [.. x.ToArray<double>().Select(v => 2 + 2 * Math.Exp(2 * v))];
        NnKit.Near(want, Autograd.Grad([y, z], [x], ones, retainGraph: true)[0], 1e-13, "earlier first");
        NnKit.Near(want, Autograd.Grad([z, y], [x], ones)[0], 1e-13, "later first");
    }

    [Fact]
    public void RefusesWrongDirections()
    {
        Assert.Contains("1 inputs but 0 directions", NnKit.Message<ShapeException>(() => Autograd.Jvp(t => t[0], [Tensor.Ones([2])], [])), StringComparison.Ordinal);
        Assert.Contains("direction 0 must have shape [2]", NnKit.Message<ShapeException>(() => Autograd.Hvp(t => t.Sum(), Tensor.Ones([2]), Tensor.Ones([3]))), StringComparison.Ordinal);
        Assert.Contains("is not a scalar", NnKit.Message<GradException>(() => Autograd.Vjp(t => t, Tensor.Ones([2]))), StringComparison.Ordinal);
    }
}
