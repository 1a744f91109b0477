using Native.Nn;
using Native.Optim;

namespace Native.Tests;

/// <summary>What the reference workloads asked of modules and optimisers: gradients as values, frozen modules, copies across dtypes.</summary>
[Trait("Category", "Cpu")]
public sealed class MinimizeTests
{
    private static Sequential Net(ulong seed, DType dtype = DType.F64)
    {
        var g = new Generator(seed);
        return new(new Linear(5, 8, g, dtype: dtype), new Tanh(), new Linear(8, 3, g, dtype: dtype), new BatchNorm(3, dtype: dtype));
    }

    private static double[] Values(Module m) => [.. m.Parameters().SelectMany(p => p.ToArray<double>())];

    [Fact]
    public void Minimize_is_backward_and_step_without_buffers()
    {
        using Sequential a = Net(1), b = Net(1);
        using var plain = new Adam(a.Parameters(), 0.1);
        using var values = new Adam(b.Parameters(), 0.1);
        for (int i = 0; i < 3; i++)
        {
            using var scope = TensorScope.Begin();
            Tensor x = NnKit.Values(i, 4, 5), la = a.Forward(x).Square().Mean(), lb = b.Forward(x).Square().Mean();
            plain.ZeroGrad();
            la.Backward();
            plain.Step();
            values.Minimize(lb);
            NnKit.Same(Values(a), Values(b), $"update {i}");
            // The output that the caller holds is still there, though its graph is not.
            Assert.Equal(la.Item<double>(), lb.Item<double>());
            Assert.Throws<GradException>(() => values.Minimize(lb));
        }
        Assert.All(b.Parameters(), p => Assert.Null(p.Grad));
    }

    [Theory]
    [InlineData(0.01)]
    [InlineData(1e6)]
    public void Minimize_with_a_bound_is_backward_clip_and_step(double bound)
    {
        using Sequential a = Net(1), b = Net(1);
        using var plain = new Sgd(a.Parameters(), 0.1);
        using var values = new Sgd(b.Parameters(), 0.1);
        a.Parameters()[0].GradMask = b.Parameters()[0].GradMask = Tensor.Concat([Tensor.Zeros([4, 5], DType.F64), Tensor.Ones([4, 5], DType.F64)]);
        for (int i = 0; i < 3; i++)
        {
            using var scope = TensorScope.Begin();
            Tensor x = NnKit.Values(i, 4, 5);
            plain.ZeroGrad();
            // The bias meets a sum, so its gradient is one number seen many times.
            Tensor loss(Sequential net) => net.Forward(x).Square().Mean() + net.Parameters()[1].Sum();
            loss(a).Backward();
            double norm = Clip.GradNorm(a.Parameters(), bound);
            plain.Step();
            Assert.Equal(norm, values.Minimize(loss(b), bound).Item<double>(), 1e-12 * norm);
            NnKit.Near(Values(a), Values(b).ToArray(), 1e-12, $"update {i}");
        }
    }

    [Fact]
    public void Minimize_obeys_the_mask_and_refuses_a_loss_that_does_not_depend_on_a_parameter()
    {
        using var p = Parameter.From(Tensor.From(1.0, 2.0), "p");
        using var q = Parameter.From(Tensor.From(1.0), "q");
        using var sgd = new Sgd([p, q], 0.5);
        p.GradMask = Tensor.From(0.0, 1.0);
        sgd.Minimize(p.Sum() + q.Sum());
        Assert.Equal([1, 1.5], p.ToArray<double>());
        Assert.Equal([0.5], q.ToArray<double>());
        Assert.StartsWith("grad: input 1 = ", NnKit.Message<GradException>(() => sgd.Minimize(p.Sum())));
    }

    [Fact]
    public void Gradients_as_values_release_activations_but_never_the_output() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin();
        var x = NnKit.Values(3, 64, 64).RequireGrad();
        long Live(bool release)
        {
            Tensor h = x.Tanh(), y = h.Exp().Sum().Exp();       // exp saves its output: the last one is y itself
            var g = Autograd.Grad(y * 1e-9, [x], releaseActivations: release)[0];
            Assert.True(g.IsAlive && y.IsAlive == !release);
            Assert.Equal(!release, h.IsAlive);
            var z = x.Exp().Sum().Log().Exp();
            Autograd.Grad(z, [x], releaseActivations: release);
            Assert.True(double.IsFinite(z.Item<double>()));
            return Ambient.Current.Allocator.Stats.Live;
        }
        long before = Ambient.Current.Allocator.Stats.Live, kept = Live(release: false) - before;
        before = Ambient.Current.Allocator.Stats.Live;
        long released = Live(release: true) - before;
        Assert.True(released < kept, $"{released} bytes with release, {kept} without");
    });

    [Fact]
    public void A_frozen_module_passes_gradients_and_takes_none()
    {
        using var net = Net(2);
        using var scope = TensorScope.Begin();
        var x = NnKit.Values(4, 4, 5).RequireGrad();
        double[] Slope(Tensor y) => Autograd.Grad((y * NnKit.Values(9, 4, 3)).Sum(), x).ToArray<double>();
        double[] free = Slope(net.Forward(x));
        using (net.Freeze())
        {
            NnKit.Same(free, Slope(net.Forward(x)), "slope");
            net.Forward(x).Square().Sum().Backward();
            Assert.False(net.Forward(x.Detach()).RequiresGrad);
        }
        Assert.NotNull(x.Grad);
        Assert.All(net.Parameters(), p => Assert.Null(p.Grad));
        Assert.True(net.Forward(x.Detach()).RequiresGrad);
    }

    [Fact]
    public void A_module_copies_another_of_its_build_and_dtypes_convert()
    {
        using Sequential single = Net(3, DType.F32), exact = Net(4);
        using (TensorScope.Begin())
            single.Forward(NnKit.Values(5, 6, 5).To(DType.F32));       // moves the running statistics
        exact.CopyFrom(single);
        foreach (var (name, t) in exact.State())
            if (t.DType == DType.F64)
                Assert.Equal(Array.ConvertAll(single.State()[name].ToArray<float>(), v => (double)v), t.ToArray<double>());
        using var other = new Sequential(new Linear(5, 8, new Generator(0), dtype: DType.F64));
        Assert.Equal("copy: the other module does not fit; missing: 2.weight, 2.bias, 3.weight, 3.bias, 3.running_mean and 2 more; not expected: none. Build both modules alike.",
            NnKit.Message<UsageException>(() => exact.CopyFrom(other)));
        using var wider = new Sequential(new Linear(5, 9, new Generator(0)), new Tanh(), new Linear(9, 3, new Generator(0)), new BatchNorm(3));
        double[] before = Values(exact);
        Assert.Throws<ShapeException>(() => exact.CopyFrom(wider));
        NnKit.Same(before, Values(exact), "values after a refused copy");
    }

    [Fact]
    public void Reshaping_layers()
    {
        using var scope = TensorScope.Begin();
        var x = Tensor.Arange(12).Reshape(2, 6);
        using var split = new Unflatten(3, 1, 2);
        Assert.Equal("[2,3,1,2]", split.Forward(x).Shape.ToString());
        Assert.Throws<ShapeException>(() => split.Forward(Tensor.Scalar(1.0)));
        using var up = new UpsampleNearest(2);
        Assert.Equal([1, 1, 2, 2, 1, 1, 2, 2], up.Forward(Tensor.From([1.0, 2], [1, 1, 1, 2])).ToArray<double>());
    }

    [Fact]
    public void A_parameter_outside_modules_frees_its_gradient_and_mask() => OpKit.OnFreshThread(() =>
    {
        long before = Ambient.Current.Allocator.Stats.LiveCount;
        using (TensorScope.Begin())
        using (var p = Parameter.From(Tensor.From(1.0, 2.0)))
        {
            p.GradMask = Tensor.From(0.0, 1.0);
            p.Square().Sum().Backward();
            Assert.NotNull(p.Grad);
        }
        Assert.Equal(before, Ambient.Current.Allocator.Stats.LiveCount);
    });

    [Fact]
    public void An_unrolled_loop_keeps_its_graph_step_by_step_and_nothing_else() => OpKit.OnFreshThread(() =>
    {
        (double[] Gradient, long Live) Unroll(bool nested)
        {
            using var outer = TensorScope.Begin("outer");
            var rate = NnKit.Values(1).RequireGrad();
            Tensor w = NnKit.Values(2, 16, 16).RequireGrad(), x = NnKit.Values(3, 16, 16);
            for (int i = 0; i < 5; i++)
            {
                using var inner = nested ? TensorScope.Begin("inner") : null;
                var g = Autograd.Grad((x.MatMul(w).Tanh() * 0.5 + 1).Log().Sum(), w, createGraph: true);
                var next = w - rate * g;
                w = inner?.Keep(next, graph: true) ?? next;
            }
            long live = Ambient.Current.Allocator.Stats.Live;
            return (Autograd.Grad(w.Square().Sum(), rate).ToArray<double>(), live);
        }
        var (plain, all) = Unroll(nested: false);
        var (kept, some) = Unroll(nested: true);
        NnKit.Same(plain, kept, "d loss / d rate");
        Assert.True(some < 0.9 * all, $"{some} bytes with inner scopes, {all} without");
    });
}
