using Native.Nn;
using Native.Optim;

namespace Native.Tests;

public class ModuleTests
{
    private static Sequential Mlp(ulong seed = 1, DType dtype = DType.F64)
    {
        var rng = new Generator(seed);
        return new Sequential(new Linear(3, 5, rng, dtype: dtype), new Nn.Tanh(), new Sequential(new Linear(5, 2, rng, dtype: dtype)));
    }

    [Fact]
    public void NamesArePathsInOrder()
    {
        using var net = Mlp();
        Assert.Equal(["0.weight", "0.bias", "2.0.weight", "2.0.bias"], net.NamedParameters().Select(p => p.Name));
        Assert.Equal(["0.weight", "0.bias", "2.0.weight", "2.0.bias"], net.Parameters().Select(p => p.Name));
        Assert.Equal(3 * 5 + 5 + 5 * 2 + 2, net.ParameterCount);
    }

    [Fact]
    public void TrainAndEvalReachEverything()
    {
        using var net = new Sequential(new Sequential(new BatchNorm(2)), new Dropout(0.5, new Generator(1)));
        net.Eval();
        Assert.All(net.Children, c => Assert.False(c.Training));
        Assert.False(((Sequential)net[0])[0].Training);
        net.Train();
        Assert.True(((Sequential)net[0])[0].Training);
    }

    [Fact]
    public void WithRunsOnValuesAndRestores()
    {
        using var net = Mlp();
        var x = NnKit.Values(2, 4, 3);
        double[] before = net.Forward(x).ToArray<double>();
        var values = net.Parameters().Select((p, i) => NnKit.Values(10 + i, p.Shape.ToArray()).RequireGrad()).ToArray();
        Tensor y;
        using (net.With(values))
        {
            y = net.Forward(x);
            using (net.With([.. values.Select(v => v.Detach() * 0)]))
                NnKit.Same(new double[8], net.Forward(x).ToArray<double>(), "inner region");
            NnKit.Same(y.ToArray<double>(), net.Forward(x).ToArray<double>(), "after the inner region");
        }
        NnKit.Same(before, net.Forward(x).ToArray<double>(), "after the region");
        var h = (x.MatMul(values[0].T) + values[1]).Tanh().MatMul(values[2].T) + values[3];
        NnKit.Same(h.ToArray<double>(), y.ToArray<double>(), "by hand");
        double[][] want = [.. Autograd.Grad(h.Square().Sum(), values).Select(g => g.ToArray<double>())];
        var got = Autograd.Grad(y.Square().Sum(), values);
        for (int i = 0; i < 4; i++)
            NnKit.Same(want[i], got[i].ToArray<double>(), $"gradient {i}");
        Assert.All(net.Parameters(), p => Assert.Null(p.Grad));
    }

    [Fact]
    public void WithRefusesWhatDoesNotFitAndWrongOrder()
    {
        using var net = Mlp();
        Assert.Contains("has 4 parameters but 1 values", NnKit.Message<ShapeException>(() => net.With([Tensor.Zeros([1])])), StringComparison.Ordinal);
        Assert.Contains("2.0.bias must have shape [2]", NnKit.Message<ShapeException>(() => net.With([.. net.Parameters().Take(3), Tensor.Zeros([3], DType.F64)])), StringComparison.Ordinal);
        var outer = net.With([.. net.Parameters().Select(p => p.Clone())]);
        var inner = net.With([.. net.Parameters().Select(p => p.Clone())]);
        Assert.Contains("Dispose regions in reverse order", NnKit.Message<UsageException>(outer.Dispose), StringComparison.Ordinal);
        inner.Dispose();
        outer.Dispose();
        Assert.All(net.Parameters(), p => Assert.Same(p, p.Value));
    }

    [Fact]
    public void SavesAndLoads()
    {
        string path = Path.Combine(Path.GetTempPath(), $"native-module-{Environment.ProcessId}.safetensors");
        try
        {
            using var a = new Sequential(Mlp(1), new BatchNorm(2, dtype: DType.F64));
            using var b = new Sequential(Mlp(2), new BatchNorm(2, dtype: DType.F64));
            var x = NnKit.Values(3, 6, 3);
            a.Forward(x);
            a.Save(path);
            b.Load(path);
            a.Eval();
            b.Eval();
            NnKit.Same(a.Forward(x).ToArray<double>(), b.Forward(x).ToArray<double>(), "loaded");
            using var smaller = Mlp();
            Assert.Contains("not expected: 0.0.weight", NnKit.Message<UsageException>(() => smaller.Load(path)), StringComparison.Ordinal);
            using var single = new Sequential(Mlp(2, DType.F32), new BatchNorm(2));
            Assert.Contains("is f64, the module's is f32", NnKit.Message<DTypeException>(() => single.Load(path)), StringComparison.Ordinal);
            var rng = new Generator(1);
            using var wider = new Sequential(new Sequential(new Linear(3, 6, rng), new Nn.Tanh(), new Sequential(new Linear(6, 2, rng))), new BatchNorm(2));
            Assert.Contains("has shape [5,3], the module's has [6,3]", NnKit.Message<ShapeException>(() => wider.Load(path)), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void NoGradForwardHoldsTwoLayersNotAll() => OpKit.OnFreshThread(() =>
    {
        var rng = new Generator(1);
        using var net = new Sequential([.. Enumerable.Range(0, 12).SelectMany(_ => new Module[] { new Linear(256, 256, rng), new Nn.Tanh() })]);
        var stats = Ambient.Current.Allocator;
        using var scope = TensorScope.Begin("test");
        var x = Tensor.Ones([256, 256]);
        float[] recorded = net.Forward(x).ToArray<float>();
        using (Autograd.NoGrad())
        {
            using var inner = TensorScope.Begin("lean");
            stats.ResetPeak();
            long before = stats.Stats.Live;
            var y = net.Forward(x);
            Assert.InRange(stats.Stats.Peak - before, 1, 5 * 256 * 256 * 4);
            Assert.Equal(256 * 256 * 4, stats.Stats.Live - before);
            Assert.Equal(recorded, y.ToArray<float>());
            Assert.True(x.IsAlive);
        }
        using (Autograd.NoGrad())
        {
            using var views = new Sequential(new Flatten(), new Nn.Relu(), new Flatten(0), new Flatten(0));
            Assert.Equal(x.ToArray<float>(), views.Forward(x).ToArray<float>());
            Assert.True(x.IsAlive);
        }
    });

    [Fact]
    public void GrowKeepsTheCornerAndTraining()
    {
        var rng = new Generator(3);
        using var layer = new Linear(2, 3, rng, dtype: DType.F64);
        using var opt = new Adam(layer.Parameters(), 0.1);
        var x = NnKit.Values(1, 4, 2);
        layer.Forward(x).Square().Sum().Backward();
        opt.Step();
        var stale = layer.Forward(x).Square().Sum();
        double[] w = layer.Weight.ToArray<double>();
        double[] m = opt.State()["weight.m"].ToArray<double>(), g = layer.Weight.Grad!.ToArray<double>();
        layer.Weight.GradMask = Tensor.Zeros([3, 2], DType.F64);
        layer.Grow(3, 5, rng);
        Assert.Equal([5, 3], layer.Weight.Shape.ToArray());
        foreach (var (name, t, old) in new[] { ("weight", (Tensor)layer.Weight, w), ("gradient", layer.Weight.Grad!, g) })
            NnKit.Same(old, t[0..3, 0..2].ToArray<double>(), name);
        Assert.Equal(0, layer.Weight.Grad![3..5].Abs().Sum().Item());
        Assert.NotEqual(0, layer.Weight.Detach()[3..5].Abs().Sum().Item());
        Assert.Equal(15 - 6, layer.Weight.GradMask!.Sum().Item());
        Assert.Contains("has grown since", NnKit.Message<GradException>(() => stale.Backward()), StringComparison.Ordinal);
        opt.ZeroGrad();
        layer.Weight.GradMask = null;
        layer.Forward(NnKit.Values(1, 4, 3)).Square().Sum().Backward();
        opt.Step();
        var grown = opt.State()["weight.m"];
        Assert.Equal([5, 3], grown.Shape.ToArray());
        NnKit.Near([0.9 * m[0] + 0.1 * layer.Weight.Grad![0, 0].Item()], grown[0, 0].Reshape(1), 1e-13, "moment in the corner");
        NnKit.Near([0.1 * layer.Weight.Grad![4, 2].Item()], grown[4, 2].Reshape(1), 1e-13, "moment outside it");
        Assert.Contains("cannot become [4,3]", NnKit.Message<ShapeException>(() => layer.Weight.Grow([4, 3])), StringComparison.Ordinal);
    }

    [Fact]
    public void GradientOfAnOldShapeIsRefused()
    {
        var p = Parameter.From(Tensor.Ones([2]));
        var y = (p + 1).Sum();
        p.Grow([3]);
        Assert.Contains("has grown since", NnKit.Message<GradException>(() => y.Backward()), StringComparison.Ordinal);
    }

    [Fact]
    public void BatchNormCountsAndAveragesBatches()
    {
        var golden = new NnKit.GoldenFile("batchnorm");
        var x = golden.Tensor("cumulative.x");
        using var bn = new BatchNorm(2, momentum: null, golden.Number("cumulative.eps"), dtype: DType.F64);
        for (int i = 0; i < 3; i++)
        {
            var y = bn.Forward(x[i]);
            NnKit.Near(golden.Tensor("cumulative.y")[i].ToArray<double>(), y, 1e-12, $"y {i}");
            NnKit.Near(golden.Tensor("cumulative.new_running_mean")[i].ToArray<double>(), bn.RunningMean, 1e-12, $"mean {i}");
            NnKit.Near(golden.Tensor("cumulative.new_running_var")[i].ToArray<double>(), bn.RunningVar, 1e-12, $"variance {i}");
            Assert.Equal(i + 1, bn.Batches.Item<long>());
        }
        bn.Eval();
        NnKit.Near(golden.Tensor("cumulative.y")[3].ToArray<double>(), bn.Forward(x[0]), 1e-12, "eval");
    }

    [Fact]
    public void DropoutDropsItsShareAndScales()
    {
        using var layer = new Dropout(0.25, new Generator(9));
        double[] y = layer.Forward(Tensor.Ones([100, 100], DType.F64)).ToArray<double>();
        Assert.All(y, v => Assert.True(v == 0 || v == 1 / 0.75));
        Assert.InRange(y.Count(v => v == 0) / 10_000.0, 0.23, 0.27);
        Assert.NotEqual(y, layer.Forward(Tensor.Ones([100, 100], DType.F64)).ToArray<double>());
        layer.Eval();
        Assert.All(layer.Forward(Tensor.Ones([10])).ToArray<float>(), v => Assert.Equal(1, v));
    }

    [Fact]
    public void LayersWithoutAMatrixWork()
    {
        var rng = new Generator(2);
        using var table = new Embedding(5, 3, rng, DType.F64);
        using var bag = new EmbeddingBag(5, 3, rng, BagMode.Sum, DType.F64);
        var index = Tensor.From([1L, 4, 4, 0], [2, 2]);
        Assert.Equal([2, 2, 3], table.Forward(index).Shape.ToArray());
        double[] w = bag.Weight.ToArray<double>();
        NnKit.Near([w[3] + w[12], w[4] + w[13], w[5] + w[14], w[12] + w[0], w[13] + w[1], w[14] + w[2]], bag.Forward(index), 1e-15, "bags");
        using var image = new Sequential(new Conv2d(2, 4, 3, rng, padding: 1), new BatchNorm(4), new LeakyRelu(0.2), new MaxPool2d(2), new ConvTranspose2d(4, 1, 2, rng, stride: 2), new Nn.Sigmoid(), new Flatten());
        var y = image.Forward(Tensor.From([.. KernelKit.Random(3 * 2 * 8 * 8, 1).Select(v => (float)v)], [3, 2, 8, 8]));
        Assert.Equal([3, 64], y.Shape.ToArray());
        y.Sum().Backward();
        Assert.All(image.Parameters(), p => Assert.NotNull(p.Grad));
    }

    [Fact]
    public void DisposeFreesEverything() => OpKit.OnFreshThread(() =>
    {
        var stats = Ambient.Current.Allocator;
        _ = Tensor.Zeros([1]);
        long before = stats.Stats.LiveCount;
        var net = Mlp();
        using (TensorScope.Begin("step"))
            net.Forward(NnKit.Values(1, 4, 3)).Sum().Backward();
        net.Dispose();
        Assert.Equal(before, stats.Stats.LiveCount);
        Assert.Throws<LifetimeException>(() => net.Forward(NnKit.Values(1, 4, 3)));
    });
}
