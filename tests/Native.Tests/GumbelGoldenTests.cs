namespace Native.Tests;

/// <summary>The Gumbel-softmax against PyTorch with PyTorch's noise, and its sampling against the softmax.</summary>
[Trait("Category", "Cpu")]
public sealed class GumbelGoldenTests
{
    private static readonly OrderedDictionary<string, HostArray> Golden = GoldenCase.Read("gumbel.npz");

    public static TheoryData<string> Names => [.. GoldenCase.Names(Golden, "tau")];

    [Theory]
    [MemberData(nameof(Names))]
    public void Agrees(string name)
    {
        var c = new GoldenCase(Golden, name);
        c.Check(() => Functional.GumbelSoftmax(c["logits"], c["noise"], c["tau"].Item(), hard: name.EndsWith("hard", StringComparison.Ordinal)), "logits");
    }

    [Fact]
    public void Hard_samples_are_one_hot_and_drawn_from_the_softmax()
    {
        double[] p = [0.5, 0.3, 0.2];
        const int Rows = 20000;
        var logits = Tensor.From(p, [3]).Log().Expand([Rows, 3]);
        var y = Functional.GumbelSoftmax(logits, 0.5, new Generator(7), hard: true);
        Assert.All(y.ToArray<double>(), v => Assert.True(v is 0 or 1));
        Assert.All(y.Sum(1).ToArray<double>(), v => Assert.Equal(1, v));
        double[] counts = y.Sum(0).ToArray<double>();
        double chi2 = counts.Zip(p, (n, q) => Math.Pow(n - Rows * q, 2) / (Rows * q)).Sum();
        Assert.True(chi2 < 13.8, $"chi-square {chi2} with 2 degrees of freedom; 13.8 is the 0.1 % point");
    }

    [Fact]
    public void A_temperature_must_be_positive() =>
        Assert.Throws<UsageException>(() => Functional.GumbelSoftmax(Tensor.Zeros([2, 2]), 0, new Generator(1)));
}
