using Native.Nn;
using Native.Optim;

namespace Native.Tests;

/// <summary>What PyTorch's numbers do not cover: many tensors at once, masks, state, and that training neither grows nor scatters memory.</summary>
public class OptimTests
{
    private static Parameter Make(int seed, params long[] shape)
    {
        var p = Parameter.From(NnKit.Values(seed, shape), $"p{seed}");
        p.Grad = NnKit.Values(seed + 100, shape);
        return p;
    }

    [Fact]
    public void ManyTensorsAtOnceAreEachAlone()
    {
        // Sizes around vectors and chunk edges, with both element types in one call.
        int[] sizes = [1, 7, 8, 9, 4097, 30000, 3];
        Func<IReadOnlyList<Parameter>, Optimizer>[] kinds = [p => new Sgd(p, 0.1, weightDecay: 0.1), p => new Sgd(p, 0.1, 0.9, nesterov: true), p => new Adam(p, 0.1, weightDecay: 0.1), p => new Adam(p, 0.1, weightDecay: 0.1, decoupled: true)];
        foreach (var kind in kinds)
        {
            var many = sizes.Select((n, i) => Make(i, n)).ToList();
            var single = Parameter.From(Tensor.From([.. KernelKit.Random(9000, 5).Select(v => (float)v)], [9000]), "single");
            single.Grad = Tensor.OnesLike(single);
            float[] before = single.ToArray<float>();
            using var all = kind([.. many, single]);
            for (int t = 0; t < 3; t++)
                all.Step();
            Assert.NotEqual(before, single.ToArray<float>());
            for (int i = 0; i < sizes.Length; i++)
            {
                var p = Make(i, sizes[i]);
                using var one = kind([p]);
                for (int t = 0; t < 3; t++)
                    one.Step();
                NnKit.Same(p.ToArray<double>(), many[i].ToArray<double>(), $"tensor {i}");
            }
        }
    }

    [Fact]
    public void SameBitsOnAnyThreads() => KernelKit.SameBitsOnAnyThreads(() =>
    {
        var p = Make(1, 100_003);
        using var opt = new Adam([p], 0.1);
        opt.Step();
        double norm = Clip.GradNorm([p], 1);
        return [.. p.ToArray<double>(), norm];
    }, "adam");

    [Fact]
    public void AdamWDecaysTheWeightsThemselves()
    {
        Parameter a = Make(1, 5), b = Make(1, 5);
        using var decayed = new Adam([a], 0.1, weightDecay: 0.5, decoupled: true);
        using var plain = new Adam([b], 0.1);
        double[] w = a.ToArray<double>();
        decayed.Step();
        plain.Step();
        NnKit.Near([.. b.ToArray<double>().Select((v, i) => v - 0.1 * 0.5 * w[i])], a, 1e-13, "decoupled");
    }

    [Fact]
    public void MasksHoldElementsStill()
    {
        var p = Make(1, 4);
        p.GradMask = Tensor.From(1.0, 0, 0.5, 0);
        double[] w = p.ToArray<double>(), g = p.Grad!.ToArray<double>();
        double norm = Clip.GradNorm([p], 1e9);
        NnKit.Near([Math.Sqrt(g[0] * g[0] + 0.25 * g[2] * g[2])], [norm], 1e-13, "norm");
        using var opt = new Sgd([p], 0.1, 0.9);
        opt.Step();
        NnKit.Near([w[0] - 0.1 * g[0], w[1], w[2] - 0.05 * g[2], w[3]], p, 1e-15, "masked");
        Assert.Equal(w[1], p.ToArray<double>()[1]);
        NnKit.Same(g, p.Grad!.ToArray<double>(), "the gradient itself");
        Assert.Contains("mask must have shape [4]", NnKit.Message<ShapeException>(() => p.GradMask = Tensor.Ones([3], DType.F64)), StringComparison.Ordinal);
    }

    [Fact]
    public void GroupsHaveTheirOwnRates()
    {
        Parameter a = Make(1, 2), b = Make(2, 2), idle = Make(3, 2);
        idle.Grad = null;
        double[] wa = a.ToArray<double>(), wb = b.ToArray<double>(), wi = idle.ToArray<double>();
        using var opt = new Sgd([a, idle], 0.1);
        opt.AddGroup([b], 0.2);
        opt.Step();
        NnKit.Near([.. wa.Select((v, i) => v - 0.1 * a.Grad!.ToArray<double>()[i])], a, 1e-15, "a");
        NnKit.Near([.. wb.Select((v, i) => v - 0.2 * b.Grad!.ToArray<double>()[i])], b, 1e-15, "b");
        NnKit.Same(wi, idle.ToArray<double>(), "no gradient, no step");
        Assert.Contains("is in a group already", NnKit.Message<UsageException>(() => opt.AddGroup([a], 1)), StringComparison.Ordinal);
        Assert.Contains("must be dense with the same shape", NnKit.Message<GradException>(() => a.Grad = Tensor.Zeros([3], DType.F64)), StringComparison.Ordinal);
        Assert.Contains("finite number of 0 or more", NnKit.Message<UsageException>(() => opt.Lr = double.NaN), StringComparison.Ordinal);
        Assert.Contains("must be in [0, 1)", NnKit.Message<UsageException>(() => new Adam([b], beta1: 1)), StringComparison.Ordinal);
    }

    [Fact]
    public void AVersionTellsThatAStepHappened()
    {
        var p = Make(1, 3);
        var y = p.Square().Sum();
        using var opt = new Sgd([p], 0.1);
        opt.Step();
        Assert.Contains("changed in place", NnKit.Message<GradException>(() => y.Backward()), StringComparison.Ordinal);
    }

    [Fact]
    public void StateContinuesExactly()
    {
        string path = Path.Combine(Path.GetTempPath(), $"native-optim-{Environment.ProcessId}.safetensors");
        try
        {
            Parameter a = Make(1, 5), b = Make(2, 3);
            using var opt = new Adam([a, b], 0.1);
            opt.Step();
            opt.Save(path);
            Parameter a2 = Parameter.From(a, "p1"), b2 = Parameter.From(b, "p2");
            (a2.Grad, b2.Grad) = (a.Grad, b.Grad);
            using var again = new Adam([a2, b2], 0.1);
            again.Load(path);
            opt.Step();
            again.Step();
            NnKit.Same(a.ToArray<double>(), a2.ToArray<double>(), "a");
            NnKit.Same(b.ToArray<double>(), b2.ToArray<double>(), "b");
            using var sgd = new Sgd([a2, b2], 0.1, 0.9);
            Assert.Contains("lacks 'p1.momentum'", NnKit.Message<UsageException>(() => sgd.Load(path)), StringComparison.Ordinal);
            using var other = new Adam([b2], 0.1);
            Assert.Contains("names 'p1.steps'", NnKit.Message<UsageException>(() => other.Load(path)), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void ANormThatIsNotFiniteIsSeen()
    {
        var p = Make(1, 3);
        p.Grad = Tensor.From(1.0, double.NaN, 2);
        foreach (double norm in new[] { 1, 2, double.PositiveInfinity })
            Assert.Contains("is NaN", NnKit.Message<NumericException>(() => Clip.GradNorm([p], 1, norm, errorIfNotFinite: true)), StringComparison.Ordinal);
        Assert.True(double.IsNaN(Clip.GradNorm([p], 1)));
        Assert.All(p.Grad.ToArray<double>(), v => Assert.True(double.IsNaN(v)));
    }

    [Fact]
    public void AThousandStepsGrowNothing() => OpKit.OnFreshThread(() =>
    {
        var rng = new Generator(1);
        using var net = new Sequential(new Linear(8, 16, rng), new Nn.Tanh(), new Linear(16, 4, rng));
        using var opt = new Adam(net.Parameters(), 1e-2);
        using var x = Tensor.From([.. KernelKit.Random(32 * 8, 1).Select(v => (float)v)], [32, 8]);
        using var target = Tensor.From([.. KernelKit.Random(32 * 4, 2).Select(v => (float)v)], [32, 4]);
        double Step()
        {
            using var step = TensorScope.Begin("train-step");
            var loss = (net.Forward(x) - target).Square().Sum();
            loss.Backward();
            Clip.GradNorm(net.Parameters(), 10);
            opt.Step();
            opt.ZeroGrad();
            return loss.Item();
        }
        double first = Step();
        for (int i = 0; i < 20; i++)
            Step();
        var before = Ambient.Current.Allocator.Stats;
        double last = 0;
        for (int i = 0; i < 1000; i++)
            last = Step();
        var after = Ambient.Current.Allocator.Stats;
        Assert.Equal(before.Live, after.Live);
        Assert.Equal(before.LiveCount, after.LiveCount);
        Assert.Equal(before.Fresh, after.Fresh);
        Assert.True(last < first / 4, $"{first} -> {last}");
    });

    [Fact]
    public void ManagedBytesPerOperationAreFew() => OpKit.OnFreshThread(() =>
    {
        using var w = Parameter.From(Tensor.Ones([16]));
        void Run()
        {
            using var scope = TensorScope.Begin("ops");
            var y = w + 1;
            for (int i = 0; i < 98; i++)
                y = y * 0.5;
            y.Sum().Backward();
        }
        for (int i = 0; i < 20; i++)
            Run();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10; i++)
            Run();
        // Each of the 100 operations runs once forward and once backward.
        double perOp = (GC.GetAllocatedBytesForCurrentThread() - before) / 2000.0;
        Assert.True(perOp <= 256, $"{perOp} managed bytes per operation");
    });
}
