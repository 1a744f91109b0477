using Native.Nn;

namespace Native.Tests;

/// <summary>Fused operations give the bits of what they replace, in value and in gradient, wherever that was promised.</summary>
[Trait("Category", "Cpu")]
public sealed class FusedTests
{
    private static readonly Activation[] Kinds = [new(ActivationKind.Relu), new(ActivationKind.LeakyRelu, 0.2), new(ActivationKind.LeakyRelu, -0.5), new(ActivationKind.Tanh), new(ActivationKind.Sigmoid)];

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F64)]
    public void A_layer_computes_the_activation_after_it_with_the_same_bits(DType dtype)
    {
        foreach (var kind in Kinds)
            foreach (bool bias in (bool[])[true, false])
                foreach (var (label, layer, shape) in Layers(bias, dtype))
                {
                    using var scope = TensorScope.Begin("layer");
                    using var pair = new Sequential(layer, Module(kind));
                    var x = Tensor.Randn(shape, new Generator(5).Stream("x")).To(dtype);
                    var apart = Run(t => kind.Apply(layer.Forward(t)), layer, x);
                    Assert.True(OpKit.BitDifference(apart, Run(pair.Forward, layer, x)) is null, $"{label} {kind} bias {bias}");
                    // Without recording, values go back to the pool in between.
                    using var off = Autograd.NoGrad();
                    Assert.True(OpKit.BitDifference([apart[0]], [OpKit.ToDoubles(pair.Forward(x))]) is null, $"{label} {kind} bias {bias}, not recorded");
                }
    }

    [Fact]
    public void The_value_between_a_layer_and_its_activation_is_not_made()
    {
        using var net = new Sequential(new Linear(3, 4, new Generator(1)), new Relu(), new Nn.Conv2d(1, 2, 3, new Generator(1)), new LeakyRelu(0.1));
        using var scope = TensorScope.Begin("names");
        using var session = Profiler.Start();
        net[2].Forward(Tensor.Ones([1, 1, 4, 4]));
        int alone = session.Events.Count;
        new Sequential(new Linear(3, 4, new Generator(1)), new Relu()).Forward(Tensor.Ones([2, 3]));
        Assert.Equal(["conv2d", "matmul", "add_relu"], session.Events.Where(e => e.Name is "conv2d" or "matmul" or "add" or "relu" or "add_relu").Select(e => e.Name));
        Assert.Equal(1, alone);
    }

    [Fact]
    public void A_masked_weight_has_the_bits_of_its_parts()
    {
        foreach (var (w, e) in new (Shape, Shape)[] { ([5, 3, 2, 2], [5, 3, 2, 2]), ([7], [7]) })
            foreach (var dtype in (DType[])[DType.F32, DType.F64])
            {
                using var scope = TensorScope.Begin("mask");
                Tensor[] x = [Tensor.Randn(w, new Generator(1).Stream("w")).To(dtype), Tensor.Randn(e, new Generator(1).Stream("e")).To(dtype)];
                Assert.Null(OpKit.BitDifference(Gradients(t => (t[1] * 3).Sigmoid() * t[0], x), Gradients(t => Functional.MaskWeight(t[0], t[1], 3), x)));
            }
    }

    [Fact]
    public void A_mask_over_rows_or_columns_is_summed_over_what_it_covers()
    {
        foreach (Shape e in new Shape[] { [4, 1], [3], [1, 3], [] })
        {
            Tensor[] x = [Tensor.Randn([4, 3], new Generator(1).Stream("w")).To(DType.F64), Tensor.Randn(e, new Generator(1).Stream("e")).To(DType.F64)];
            double[][] apart = Gradients(t => (t[1] * 3).Sigmoid() * t[0], x), fused = Gradients(t => Functional.MaskWeight(t[0], t[1], 3), x);
            for (int i = 0; i < apart.Length; i++)
                Assert.Null(OpKit.Difference(apart[i], fused[i], 1e-14, 1e-14));
        }
    }

    [Fact]
    public void A_mask_far_beyond_its_scale_is_compensated_without_overflow()
    {
        // An embedding of -90 marks what belongs to others; its gradient is nothing, not NaN. cosh(50) stands for what lies beyond.
        float[] e = [-90, 0, 90, 0.004f], g = Functional.CompensateMask(Tensor.Ones([4]), Tensor.From(e), 1e4, 1e4).ToArray<float>();
        Assert.Equal([0f, 1f, 0f], g[..3], (a, b) => Math.Abs(a - b) <= 1e-17);
        Assert.Equal((Math.Cosh(40) + 1) / 2, g[3], 1e-3 * g[3]);
    }

    [Theory]
    [InlineData(1.0)]
    [InlineData(0.3)]
    public void A_gumbel_softmax_has_the_bits_of_its_parts(double tau)
    {
        foreach (var dtype in (DType[])[DType.F32, DType.F64])
            foreach (var (shape, dim) in new (Shape, int)[] { ([26, 104, 4], 2), ([3, 37], -1), ([5, 6, 7], 1), ([4], 0) })
                foreach (bool hard in (bool[])[false, true])
                {
                    using var scope = TensorScope.Begin("gumbel");
                    var random = new Generator(3);
                    Tensor[] x = [Tensor.Randn(shape, random.Stream("x")).To(dtype), Tensor.Gumbel(shape, random.Stream("noise")).To(dtype)];
                    Tensor Apart(Tensor[] t)
                    {
                        var noisy = t[0] + t[1];
                        var soft = (tau == 1 ? noisy : noisy / tau).Softmax(dim);
                        return hard ? Functional.StraightThrough(Functional.HardMax(soft, dim), soft) : soft;
                    }
                    Assert.Null(OpKit.BitDifference(Gradients(Apart, x), Gradients(t => Functional.GumbelSoftmax(t[0], t[1], tau, hard, dim), x)));
                }
    }

    [Fact]
    public void Gumbel_ties_go_to_the_first_and_nan_stays()
    {
        var logits = Tensor.From(new[] { 1.0, 2, 2, float.NaN, 0, 1 }, [2, 3]);
        double[] y = Functional.GumbelSoftmax(logits, Tensor.ZerosLike(logits), 1, hard: true).ToArray<double>();
        Assert.Equal([0, 1, 0, 1, 0, 0], y);
        Assert.All(Functional.GumbelSoftmax(logits, Tensor.ZerosLike(logits), 1).ToArray<double>()[3..], v => Assert.True(double.IsNaN(v)));
    }

    [Fact]
    public void Second_derivatives_of_a_hard_sample_are_those_of_the_relaxed_one()
    {
        Tensor[] x = [Tensor.Randn([3, 5], new Generator(1).Stream("x")).To(DType.F64), Tensor.Randn([3, 5], new Generator(1).Stream("n")).To(DType.F64)];
        List<Tensor> soft = OpKit.Derivatives(t => [Functional.GumbelSoftmax(t[0], t[1], 0.5)], x, 2), hard = OpKit.Derivatives(t => [Functional.GumbelSoftmax(t[0], t[1], 0.5, hard: true)], x, 2);
        Assert.Equal(5, soft.Count);
        for (int i = 1; i < soft.Count; i++)
            Assert.Null(OpKit.BitDifference([OpKit.ToDoubles(soft[i])], [OpKit.ToDoubles(hard[i])]));
    }

    [Fact]
    public void Divergences_of_near_and_of_far_distributions_keep_their_digits()
    {
        // Near: with d = 1e-4 at one of two equal classes, both kinds are d^2 / 32 to leading order. Composed, f32 would see rounding only.
        Tensor a = Tensor.From([0f, 0f], [1, 2]), b = Tensor.From([1e-4f, 0f], [1, 2]);
        foreach (bool fromMixture in (bool[])[false, true])
            Assert.Equal(1e-8 / 32, Functional.JensenShannonOfLogits(a, b, fromMixture).Item(), 1e-8 / 32 * 2e-3);
        // Far: probabilities below f32's range. The true divergence is log 2; the one from the mixture is half of the sum of the two distances.
        Tensor far = Tensor.From([200f, 0f], [1, 2]), other = Tensor.From([0f, 200f], [1, 2]);
        Assert.Equal(Math.Log(2), Functional.JensenShannonOfLogits(far, other).Item(), 1e-6);
        Assert.Equal(100 - Math.Log(2), Functional.JensenShannonOfLogits(far, other, fromMixture: true).Item(), 1e-4);
        foreach (bool fromMixture in (bool[])[false, true])
        {
            var x = far.Alias().RequireGrad();
            float[] g = Autograd.Grad(Functional.JensenShannonOfLogits(x, other, fromMixture), x).ToArray<float>();
            Assert.All(g, v => Assert.True(float.IsFinite(v), $"gradient {v}"));
            Assert.Equal(fromMixture ? 0.25 : 0, g[0], 1e-6);
        }
    }

    private static IEnumerable<(string, Module, Shape)> Layers(bool bias, DType dtype)
    {
        Generator rng = new(4);
        yield return ("linear", new Linear(5, 6, rng, bias, dtype), [7, 5]);
        yield return ("linear of images", new Linear(5, 3, rng, bias, dtype), [2, 3, 5]);
        yield return ("conv", new Nn.Conv2d(3, 4, 3, rng, 1, 1, bias: bias, dtype: dtype), [2, 3, 6, 5]);
        yield return ("conv with stride and groups", new Nn.Conv2d(4, 6, 3, rng, 2, 1, groups: 2, bias: bias, dtype: dtype), [33, 4, 7, 7]);
        yield return ("transposed conv", new ConvTranspose2d(4, 3, 4, rng, 2, 1, bias: bias, dtype: dtype), [2, 4, 5, 5]);
    }

    private static Module Module(Activation kind) => kind.Kind switch
    {
        ActivationKind.Relu => new Relu(),
        ActivationKind.LeakyRelu => new LeakyRelu(kind.Slope),
        ActivationKind.Tanh => new Nn.Tanh(),
        _ => new Nn.Sigmoid(),
    };

    // Value, then the gradients of the input and of the parameters.
    private static double[][] Run(Func<Tensor, Tensor> f, Module layer, Tensor x)
    {
        var parameters = layer.Parameters();
        return Gradients(t => f(t[0]), [x], [.. parameters.Select(p => p.Value)]);
    }

    private static double[][] Gradients(Func<Tensor[], Tensor> f, Tensor[] inputs, params Tensor[] more)
    {
        Tensor[] x = [.. inputs.Select(t => t.Alias().RequireGrad())];
        var y = f(x);
        var g = Tensor.Randn(y.Shape, new Generator(9).Stream("g")).To(y.DType);
        return OpKit.ToDoubles([y, .. Autograd.Grad((y * g).Sum(), [.. x, .. more])]);
    }
}
