using Native.Nn;
using Native.Optim;

namespace Native.Tests;

public class FlatViewTests
{
    private static Sequential Net() => new(new Linear(3, 4, new Generator(1), dtype: DType.F64), new Nn.Tanh(), new Linear(4, 2, new Generator(2), dtype: DType.F64));

    private static double[] Join(IEnumerable<Tensor> tensors) => [.. tensors.SelectMany(t => t.ToArray<double>())];

    [Fact]
    public void ParametersAndGradientsAreSlicesOfTwoBlocks()
    {
        using var net = Net();
        using var plain = Net();
        var x = NnKit.Values(4, 5, 3);
        plain.Forward(x).Square().Sum().Backward();
        double[] values = Join(net.Parameters());
        var flat = new FlatView(net);
        NnKit.Same(values, flat.Values.ToArray<double>(), "values");
        net.Forward(x).Square().Sum().Backward();
        NnKit.Same(Join(plain.Parameters().Select(p => p.Grad!)), flat.Gradients.ToArray<double>(), "gradients");
        net.Forward(x).Square().Sum().Backward();
        NnKit.Near([.. Join(plain.Parameters().Select(p => p.Grad!)).Select(g => 2 * g)], flat.Gradients, 1e-15, "accumulated");
        using (Autograd.NoGrad())
        {
            flat.Values.FillInPlace(0.5);
            net.Parameters()[1].FillInPlace(2);
        }
        Assert.Equal(0.5, net.Parameters()[0].ToArray<double>()[0]);
        Assert.Equal(2, flat.Values[12].Item());
        Assert.Equal(0.5, flat.Values[11].Item());
        Assert.Equal([0, 12, 16, 24, 26], flat.Offsets);
        Assert.Equal([4, 3], flat.Split(flat.Values)[0].Shape.ToArray());
    }

    [Fact]
    public void VersionsBelongToTheSlice()
    {
        using var net = Net();
        var flat = new FlatView(net);
        Parameter a = net.Parameters()[0], b = net.Parameters()[1];
        var y = a.Square().Sum();
        using (Autograd.NoGrad())
            b.AddInPlace(1);
        y.Backward(retainGraph: true);
        using (Autograd.NoGrad())
            flat.Values.MulInPlace(2);
        Assert.Contains("changed in place", NnKit.Message<GradException>(() => y.Backward()), StringComparison.Ordinal);
    }

    [Fact]
    public void AGraphFromBeforeTheMoveIsRefused()
    {
        using var net = Net();
        var y = net.Parameters()[0].Square().Sum();
        _ = new FlatView(net);
        Assert.Contains("changed in place", NnKit.Message<GradException>(() => y.Backward()), StringComparison.Ordinal);
    }

    [Fact]
    public void AGradientThatWasReplacedComesHome()
    {
        using var net = Net();
        var flat = new FlatView(net);
        net.Parameters()[0].Grad = null;
        net.Parameters()[1].Grad = Tensor.Ones([4], DType.F64);
        double[] g = flat.Gradients.ToArray<double>();
        Assert.Equal(4, g.Sum());
        Assert.Equal(1, g[12]);
        net.Parameters()[1].Grad!.FillInPlace(3);
        Assert.Equal(3, flat.Gradients[13].Item());
    }

    [Fact]
    public void OptimisersStepOnTheBlock()
    {
        using var net = Net();
        using var plain = Net();
        var flat = new FlatView(net);
        using var whole = new Adam([flat.Parameter], 0.01);
        using var parts = new Adam(plain.Parameters(), 0.01);
        for (int t = 0; t < 5; t++)
            foreach (var (n, o) in new (Module, Optimizer)[] { (net, whole), (plain, parts) })
            {
                o.ZeroGrad();
                n.Forward(NnKit.Values(t, 5, 3)).Square().Sum().Backward();
                o.Step();
            }
        NnKit.Same(Join(plain.Parameters()), flat.Values.ToArray<double>(), "after five steps");
    }

    [Fact]
    public void RefusesTwiceMixedAndGrown()
    {
        using var net = Net();
        var flat = new FlatView(net);
        Assert.Contains("lives in a flat block already", NnKit.Message<UsageException>(() => new FlatView(net)), StringComparison.Ordinal);
        using var mixed = new Sequential(new Linear(2, 2, new Generator(1)), new Linear(2, 2, new Generator(1), dtype: DType.F64));
        Assert.Contains("different dtypes", NnKit.Message<DTypeException>(() => new FlatView(mixed)), StringComparison.Ordinal);
        net.Parameters()[0].Grow([5, 3]);
        Assert.Contains("grew and has left the block", NnKit.Message<UsageException>(() => _ = flat.Gradients), StringComparison.Ordinal);
    }

    [Fact]
    public void DisposingTheModuleFreesTheBlocks() => OpKit.OnFreshThread(() =>
    {
        var stats = Ambient.Current.Allocator;
        long before = stats.Stats.LiveCount;
        var net = Net();
        _ = new FlatView(net);
        Assert.Equal(before + 2, stats.Stats.LiveCount);
        var p = net.Parameters()[0];
        net.Dispose();
        Assert.Equal(before, stats.Stats.LiveCount);
        Assert.Throws<LifetimeException>(() => p + 1);
    });
}
