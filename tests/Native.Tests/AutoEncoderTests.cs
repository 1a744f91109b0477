using Native.Methods;

namespace Native.Tests;

/// <summary>The auto-encoders of Scalable Recollections: geometry, codes, losses.</summary>
[Trait("Category", "Cpu")]
public sealed class AutoEncoderTests
{
    private static readonly CodeSize Small = new(6, 4);

    private static DiscreteAutoEncoder Make(int channels = 1, int side = 28, DType dtype = DType.F32) => new(Small, channels, side, new Generator(3), dtype);

    private static Tensor Images(int n, int pixels, DType dtype = DType.F32) => Tensor.Rand([n, pixels], new Generator(4), dtype: dtype);

    [Theory]
    [InlineData(1, 28)]
    [InlineData(3, 32)]
    [InlineData(3, 54)]
    public void Images_come_down_to_2_x_2_and_back(int channels, int side)
    {
        using var net = Make(channels, side);
        var x = Images(3, channels * side * side);
        Assert.Equal(new Shape([3, 6, 4]), net.Logits(x).Shape);
        var codes = net.Encode(x, new Generator(5));
        Assert.Equal(new Shape([3, 6]), codes.Shape);
        Assert.Equal(x.Shape, net.Decode(net.OneHot(codes)).Shape);
        Assert.All(net.Recall(codes).ToArray<float>(), v => Assert.InRange(v, 0f, 1f));
        using var control = new ContinuousAutoEncoder(2, channels, side, new Generator(1));
        Assert.Equal(new Shape([3, 8]), control.Encode(x).Shape);
        Assert.Equal(x.Shape, control.Reconstruct(x).Shape);
        Assert.Equal(256, control.Bits);
    }

    [Theory]
    [InlineData(27)]
    [InlineData(55)]
    [InlineData(0)]
    public void Other_sides_are_refused(int side) =>
        Assert.Contains("Give a side from 28 to 54", Assert.Throws<UsageException>(() => Make(1, side)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_sample_is_the_one_hot_of_the_largest_and_has_the_soft_gradient()
    {
        using var net = Make(dtype: DType.F64);
        var logits = Tensor.Randn([2, 6, 4], new Generator(6), dtype: DType.F64).RequireGrad();
        var noise = Tensor.Gumbel([2, 6, 4], new Generator(7), DType.F64);
        var weight = Tensor.Randn([2, 6, 4], new Generator(8), dtype: DType.F64);
        var hard = DiscreteAutoEncoder.Sample(logits, noise, tau: 0.7);
        Assert.Equal(net.OneHot((logits + noise).ArgMax(2)).ToArray<double>(), hard.Reshape(2, -1).ToArray<double>());
        var soft = ((logits + noise) / 0.7).Softmax(2);
        NnKit.Near(Autograd.Grad((soft * weight).Sum(), logits).ToArray<double>(), Autograd.Grad((hard * weight).Sum(), logits), 1e-12, "gradient");
    }

    [Fact]
    public void The_loss_is_the_Bernoulli_cross_entropy_summed_over_pixels_and_averaged_over_images()
    {
        using var net = Make(dtype: DType.F64);
        var x = Images(3, 784, DType.F64);
        var noise = Tensor.Gumbel([3, 6, 4], new Generator(7), DType.F64);
        var p = net.Recall((net.Logits(x) + noise).ArgMax(2)).ToArray<double>();
        double[] t = x.ToArray<double>();
        double expected = -t.Zip(p, (a, b) => a * Math.Log(b) + (1 - a) * Math.Log(1 - b)).Sum() / 3;
        Assert.Equal(expected, net.Loss(x, noise).Item(), 1e-9 * expected);
        double[] q = net.Logits(x).Softmax(2).ToArray<double>();
        double kl = q.Sum(v => v * Math.Log(v * 4)) / 3;
        Assert.True(kl > 0);
        Assert.Equal(kl, DiscreteAutoEncoder.Divergence(net.Logits(x)).Item(), 1e-9);
        Assert.Equal(expected + 0.5 * kl, net.Loss(x, noise, klWeight: 0.5).Item(), 1e-9 * expected);
        // With a generator as with its noise.
        Assert.Equal(net.Loss(x, noise).Item(), net.Loss(x, new Generator(7)).Item(), 1e-9);
    }

    [Fact]
    public void Codes_are_samples_and_without_noise_the_likeliest()
    {
        using var net = Make();
        var x = Images(20, 784);
        long[] a = net.Encode(x, new Generator(1)).ToArray<long>(), b = net.Encode(x, new Generator(2)).ToArray<long>();
        Assert.NotEqual(a, b);
        Assert.Equal(net.Encode(x, new Generator(1)).ToArray<long>(), a);
        Assert.Equal(net.Logits(x).ArgMax(2).ToArray<long>(), net.Encode(x, null).ToArray<long>());
    }

    [Fact]
    public void Training_reconstructs_better()
    {
        using var net = Make();
        using var adam = new Optim.Adam(net.Parameters(), 3e-3);
        // Four images over and over: two squares and two stripes.
        var x = Tensor.From([.. Enumerable.Range(0, 4 * 784).Select(i => (float)(i / 784 % 2 == 0 ? i % 28 / (i / 784 + 7) % 2 : i / 28 % 28 / (i / 784 + 7) % 2))], [4, 784]);
        var noise = new Generator(1);
        double first = net.Loss(x, noise).Item();
        for (int i = 0; i < 200; i++)
        {
            using var step = TensorScope.Begin("step");
            adam.Minimize(net.Loss(x, noise));
        }
        Assert.InRange(net.Loss(x, noise).Item(), 0, first / 2);
    }
}
