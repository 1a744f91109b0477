using Native.Nn;

namespace Native.Tests;

public class CheckpointTests
{
    private static Sequential Net() => new(new Linear(3, 6, new Generator(1), dtype: DType.F64), new Nn.Tanh(), new Linear(6, 3, new Generator(2), dtype: DType.F64), new Nn.Tanh());

    /// <summary>Loss, gradient of the input, then those of the parameters.</summary>
    private static double[][] Train(Module net, Func<Tensor, Tensor> run)
    {
        var x = NnKit.Values(5, 4, 3).RequireGrad();
        net.ZeroGrad();
        var loss = run(x).Square().Sum();
        loss.Backward();
        return [loss.ToArray<double>(), x.Grad!.ToArray<double>(), .. net.Parameters().Select(p => p.Grad!.ToArray<double>())];
    }

    private static void Equal(double[][] want, double[][] got)
    {
        Assert.Equal(want.Length, got.Length);
        for (int i = 0; i < want.Length; i++)
            NnKit.Same(want[i], got[i], $"result {i}");
    }

    [Fact]
    public void EqualsPlainToTheBit()
    {
        using var net = Net();
        Equal(Train(net, net.Forward), Train(net, x => Checkpoint.Run(net.Forward, x)));
        Equal(Train(net, x => net.Forward(x * 2)), Train(net, x => Checkpoint.Run(net.Forward, x * 2)));
    }

    [Fact]
    public void NestsAndGradsOfSomeTargets()
    {
        using var net = Net();
        Tensor Nested(Tensor x) => Checkpoint.Run(y => net[3].Forward(Checkpoint.Run(z => net[2].Forward(Checkpoint.Run(net[1].Forward, net[0].Forward(z))), y)), x);
        Equal(Train(net, net.Forward), Train(net, Nested));
        var x = NnKit.Values(5, 4, 3).RequireGrad();
        var w = net.Parameters()[0];
        foreach (var targets in new Tensor[][] { [x], [w], [w, x] })
        {
            var want = Autograd.Grad(net.Forward(x).Square().Sum(), targets);
            var got = Autograd.Grad(Nested(x).Square().Sum(), targets);
            for (int i = 0; i < targets.Length; i++)
                NnKit.Same(want[i].ToArray<double>(), got[i].ToArray<double>(), $"target {i} of {targets.Length}");
        }
    }

    [Fact]
    public void ALeafUsedInsideAndOutside()
    {
        using var net = Net();
        var w = net.Parameters()[0];
        Tensor Plain(Tensor x, Func<Tensor, Tensor> f) => (f(x) * w.Sum() + f(x * 0.5)).Square().Sum() + w.Square().Sum();
        var x = NnKit.Values(5, 4, 3).RequireGrad();
        var want = Autograd.Grad(Plain(x, net.Forward), [w, x]);
        var got = Autograd.Grad(Plain(x, y => Checkpoint.Run(net.Forward, y)), [w, x]);
        for (int i = 0; i < 2; i++)
            NnKit.Near(want[i].ToArray<double>(), got[i], 1e-13, $"target {i}");
        // An input that itself depends on the captured leaf: the two paths must not be counted twice.
        want = Autograd.Grad(net.Forward(x * w.Sum()).Square().Sum(), [w, x]);
        got = Autograd.Grad(Checkpoint.Run(net.Forward, x * w.Sum()).Square().Sum(), [w, x]);
        for (int i = 0; i < 2; i++)
            NnKit.Near(want[i].ToArray<double>(), got[i], 1e-13, $"dependent target {i}");
    }

    [Fact]
    public void GradientsOfGradients()
    {
        using var net = Net();
        Tensor[] targets = [NnKit.Values(5, 4, 3).RequireGrad(), .. net.Parameters()];
        double[][] Second(Func<Tensor, Tensor> f)
        {
            var x = targets[0] * net.Parameters()[1].Sum();
            var first = Autograd.Grad(f(x).Square().Sum(), [x, .. net.Parameters()], createGraph: true);
            var penalty = first.Select(g => g.Square().Sum()).Aggregate((a, b) => a + b);
            return [.. Autograd.Grad(penalty, targets).Select(g => g.ToArray<double>())];
        }
        var want = Second(net.Forward);
        foreach (Func<Tensor, Tensor> f in new Func<Tensor, Tensor>[] { x => Checkpoint.Run(net.Forward, x), x => Checkpoint.Run(y => Checkpoint.Run(net.Forward, y), x) })
        {
            var got = Second(f);
            for (int i = 0; i < want.Length; i++)
                NnKit.Near(want[i], got[i], 1e-11, $"target {i}");
        }
    }

    [Fact]
    public void GeneratorsAreWoundBack()
    {
        double[][] Run(bool checkpoint, out (ulong, ulong) state)
        {
            var rng = new Generator(7);
            using var net = new Sequential(Net(), new Dropout(0.5, rng));
            var got = Train(net, x =>
            {
                var y = checkpoint ? Checkpoint.Run(net.Forward, x, rng) : net.Forward(x);
                rng.NextUInt32();
                return y;
            });
            state = rng.State;
            return got;
        }
        Equal(Run(false, out var a), Run(true, out var b));
        Assert.Equal(a, b);
    }

    [Fact]
    public void RunningStatisticsMoveOnce()
    {
        double[] Run(Func<Module, Tensor, Tensor> f)
        {
            using var net = new Sequential(Net(), new BatchNorm(3, dtype: DType.F64));
            Train(net, x => f(net, x));
            return [.. net.Buffers().SelectMany(b => b.To(DType.F64).ToArray<double>())];
        }
        NnKit.Same(Run((net, x) => net.Forward(x)), Run((net, x) => Checkpoint.Run(net.Forward, x)), "statistics");
    }

    [Fact]
    public void RefusesACapturedResult()
    {
        var x = NnKit.Values(1, 3).RequireGrad();
        var hidden = x.Exp();
        Assert.Contains("uses the recorded result of exp, which is not among its inputs", NnKit.Message<GradException>(() => Checkpoint.Run(y => y * hidden, x)), StringComparison.Ordinal);
        NnKit.Near((x.Detach().Exp() * (x.Detach() + 1)).ToArray<double>(), Autograd.Grad(Checkpoint.Run(t => [t[0] * t[1]], [x, hidden])[0].Sum(), x), 1e-13, "passed as input");
    }

    [Fact]
    public void RefusesASecondRunThatDiffers()
    {
        using var net = Net();
        var x = NnKit.Values(1, 2, 3).RequireGrad();
        Tensor y;
        using (net.With([.. net.Parameters().Select(p => p.Detach().Clone().RequireGrad())]))
            y = Checkpoint.Run(net.Forward, x).Sum();
        Assert.Contains("must compute the same thing both times", NnKit.Message<GradException>(() => y.Backward()), StringComparison.Ordinal);
        y = Checkpoint.Run(net.Forward, x).Sum();
        using (Autograd.NoGrad())
            net.Parameters()[0].AddInPlace(1);
        Assert.Contains("changed in place", NnKit.Message<GradException>(() => y.Backward()), StringComparison.Ordinal);
        y = Checkpoint.Run(net.Forward, x).Sum();
        y.Backward();
        Assert.Contains("freed by an earlier backward", NnKit.Message<GradException>(() => y.Backward()), StringComparison.Ordinal);
    }

    [Fact]
    public void SeveralResultsAndVirtualParameters()
    {
        using var net = Net();
        var values = net.Parameters().Select((p, i) => (NnKit.Values(20 + i, p.Shape.ToArray()).RequireGrad() * 2)).ToArray();
        var x = NnKit.Values(5, 4, 3);
        Tensor[] Both(Tensor[] t)
        {
            var y = net.Call(t[0], t[1..]);
            return [y, y.Exp(), Tensor.Ones([1])];
        }
        Tensor Loss(Tensor[] y) => y[0].Square().Sum() + y[1].Sum();
        Tensor[] inputs = [x, .. values];
        var want = Autograd.Grad(Loss(Both(inputs)), values);
        var outputs = Checkpoint.Run(Both, inputs);
        Assert.False(outputs[2].RequiresGrad);
        var got = Autograd.Grad(Loss(outputs), values);
        for (int i = 0; i < values.Length; i++)
            NnKit.Same(want[i].ToArray<double>(), got[i].ToArray<double>(), $"value {i}");
        want = Autograd.Grad(Both(inputs)[1].Sum(), values);
        got = Autograd.Grad(Checkpoint.Run(Both, inputs)[1].Sum(), values);
        for (int i = 0; i < values.Length; i++)
            NnKit.Same(want[i].ToArray<double>(), got[i].ToArray<double>(), $"second result, value {i}");
    }

    [Fact]
    public void HoldsLessThanPlain() => OpKit.OnFreshThread(() =>
    {
        var stats = Ambient.Current.Allocator;
        Tensor Block(Tensor x)
        {
            for (int i = 0; i < 10; i++)
                x = x.Sin();
            return x;
        }
        long Peak(Func<Tensor, Tensor> block)
        {
            using var scope = TensorScope.Begin("test");
            var x = Tensor.Ones([16384]).RequireGrad();
            stats.ResetPeak();
            long before = stats.Stats.Live;
            var y = x;
            for (int i = 0; i < 10; i++)
                y = block(y);
            y.Sum().Backward();
            return (stats.Stats.Peak - before) / 65536;
        }
        long plain = Peak(Block), lean = Peak(x => Checkpoint.Run(Block, x));
        Assert.True(plain >= 100 && lean <= 30, $"plain {plain} buffers, with checkpoints {lean}");
    });
}
