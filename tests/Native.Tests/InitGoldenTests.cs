using Native.Nn;

namespace Native.Tests;

/// <summary>Bounds and deviations of initial values against PyTorch's, and samples against the bounds.</summary>
public class InitGoldenTests
{
    private static readonly NnKit.GoldenFile Golden = new("init");

    [Fact]
    public void BoundsAndDeviationsLikePyTorch()
    {
        foreach (string c in Golden.Cases)
        {
            double? mine = c switch
            {
                "linear_weight" or "linear_bias" => Init.DefaultBound([1000, 300]),
                "conv2d_weight" or "conv2d_bias" or "conv_transpose2d_weight" or "conv_transpose2d_bias" => Init.DefaultBound([512, 32, 3, 5]),
                "kaiming_normal_fan_in" => Init.KaimingDeviation([800, 200], Init.GainRelu, Fan.In),
                "kaiming_uniform_fan_in" => Init.KaimingBound([800, 200], Init.GainRelu, Fan.In),
                "kaiming_normal_fan_out" => Init.KaimingDeviation([800, 200], Init.GainRelu, Fan.Out),
                "kaiming_uniform_fan_out" => Init.KaimingBound([800, 200], Init.GainRelu, Fan.Out),
                "kaiming_normal_conv_fan_out" => Init.KaimingDeviation([128, 64, 3, 5], Init.GainRelu, Fan.Out),
                "embedding" => 1,
                "batchnorm" => null,
                _ when c.StartsWith("xavier_uniform", StringComparison.Ordinal) => Init.XavierBound([800, 200], Gain(c)),
                _ when c.StartsWith("xavier_normal", StringComparison.Ordinal) => Init.XavierDeviation([800, 200], Gain(c)),
                _ => throw new UsageException($"no initialisation for the case {c}"),
            };
            if (mine is { } value)
                NnKit.Near([Golden.Number(Golden.Has($"{c}.bound") ? $"{c}.bound" : $"{c}.std")], [value], 1e-14, c);
        }
    }

    private static double Gain(string c)
    {
        double gain = c[(c.LastIndexOf("al_", StringComparison.Ordinal) is var i and > 0 ? i + 3 : c.IndexOf("form_", StringComparison.Ordinal) + 5)..] switch
        {
            "linear" => 1,
            "relu" => Init.GainRelu,
            "tanh" => Init.GainTanh,
            _ => Init.GainLeakyRelu(Math.Abs(Golden.Number($"{c}.gain") - Init.GainLeakyRelu(0.01)) < 1e-9 ? 0.01 : 0.2),
        };
        NnKit.Near([Golden.Number($"{c}.gain")], [gain], 1e-14, $"{c} gain");
        return gain;
    }

    [Fact]
    public void BatchNormStartsLikePyTorch()
    {
        using var bn = new BatchNorm(3, dtype: DType.F64);
        NnKit.Near(Golden.Array("batchnorm.weight"), bn.Weight!, 0, "weight");
        NnKit.Near(Golden.Array("batchnorm.bias"), bn.Bias!, 0, "bias");
        NnKit.Near(Golden.Array("batchnorm.running_mean"), bn.RunningMean, 0, "mean");
        NnKit.Near(Golden.Array("batchnorm.running_var"), bn.RunningVar, 0, "variance");
    }

    [Fact]
    public void SamplesFillTheirDistribution()
    {
        var rng = new Generator(5);
        double[] u = Init.Uniform([100, 100], 0.25, rng, DType.F64).ToArray<double>(), n = Init.Normal([100, 100], 0.5, rng, DType.F64).ToArray<double>();
        Assert.All(u, v => Assert.InRange(v, -0.25, 0.25));
        Assert.InRange(u.Max(), 0.249, 0.25);
        Assert.InRange(u.Min(), -0.25, -0.249);
        // Deviations of 10,000 draws scatter by about 0.7%; five of those.
        Assert.InRange(Math.Sqrt(u.Average(v => v * v)), 0.25 / Math.Sqrt(3) * 0.965, 0.25 / Math.Sqrt(3) * 1.035);
        Assert.InRange(Math.Sqrt(n.Average(v => v * v)), 0.5 * 0.965, 0.5 * 1.035);
        Assert.InRange(n.Average(), -0.025, 0.025);
        Assert.InRange(n.Count(v => Math.Abs(v) < 0.5) / 10_000.0, 0.66, 0.705);
    }

    [Fact]
    public void LayersUseTheDefaults()
    {
        var rng = new Generator(6);
        using var linear = new Linear(300, 200, rng);
        using var conv = new Conv2d(8, 16, 3, rng, groups: 2);
        using var transposed = new ConvTranspose2d(16, 8, 3, rng, groups: 2);
        foreach (var (p, bound) in new[] { (linear.Weight, Golden.Number("linear_weight.bound")), (linear.Bias!, Golden.Number("linear_bias.bound")), (conv.Weight, 1 / 6.0), (transposed.Weight, 1 / 6.0) })
        {
            Assert.InRange(p.ToArray<float>().Max(), bound * 0.95, bound * 1.0001);
            Assert.InRange(p.ToArray<float>().Min(), -bound * 1.0001, -bound * 0.95);
        }
        Assert.Equal([16, 4, 3, 3], conv.Weight.Shape.ToArray());
        Assert.Equal([16, 4, 3, 3], transposed.Weight.Shape.ToArray());
    }

    [Fact]
    public void OneDimHasNoFans() =>
        Assert.Contains("fans need a weight of at least two dims", NnKit.Message<ShapeException>(() => Init.DefaultWeight([3], new Generator(0))), StringComparison.Ordinal);
}
