namespace Native.Tests;

/// <summary>Losses against PyTorch, each under every reduction of the file; and those that PyTorch has not, against their definitions.</summary>
[Trait("Category", "Cpu")]
public sealed class LossGoldenTests
{
    private static readonly OrderedDictionary<string, HostArray> Losses = GoldenCase.Read("losses.npz");

    public static TheoryData<string> Names => [.. GoldenCase.Names(Losses, "cross_entropy", "nll", "bce", "mse", "l1", "kl")];

    [Theory]
    [MemberData(nameof(Names))]
    public void Losses_agree(string name)
    {
        if (name == "kl_batchmean")
        {
            var batch = new GoldenCase(Losses, name);
            batch.Check(() => Loss(batch, name, Reduction.BatchMean), "x", "target");
            return;
        }
        string[] leaves = new GoldenCase(Losses, name).Has("gtarget") ? ["x", "target"] : ["x"];
        var c = new GoldenCase(Losses, name);
        c.Check(() => Loss(c, name, Reduction.None), leaves);
        foreach (var (reduction, suffix) in new[] { (Reduction.Mean, "_mean"), (Reduction.Sum, "_sum") })
        {
            var y = Loss(c, name, reduction);
            c.Near("y" + suffix, y);
            c.Near("gx" + suffix, Autograd.Grad(y, c["x"]));
        }
    }

    private static Tensor Loss(GoldenCase c, string name, Reduction reduction)
    {
        Tensor x = c["x"], target = c["target"];
        long ignore = (long)c.Number("ignore_index", -100);
        return name.Split('_')[0] switch
        {
            "cross" => Functional.CrossEntropy(x, target, c.Optional("weight"), ignore, c.Number("label_smoothing", 0), reduction),
            "nll" => Functional.NllLoss(x, target, c.Optional("weight"), ignore, reduction),
            "bce" => Functional.BceWithLogits(x, target, c.Optional("weight"), c.Optional("pos_weight"), reduction),
            "mse" => Functional.MseLoss(x, target, reduction),
            "l1" => Functional.L1Loss(x, target, reduction),
            _ => Functional.KlDiv(x, target, logTarget: name == "kl_log", reduction),
        };
    }

    [Fact]
    public void Binary_cross_entropy_is_exact_far_out()
    {
        var x = Tensor.From(800.0, -800.0, 100.0).RequireGrad();
        var y = Functional.BceWithLogits(x, Tensor.From(0.0, 1.0, 1.0), reduction: Reduction.None);
        Assert.Equal([800, 800], y.ToArray<double>()[..2]);
        Assert.Equal(Math.Exp(-100), y[2].Item(), 1e-55);
        Assert.Equal([1, -1], Autograd.Grad(y.Sum(), x).ToArray<double>()[..2]);
    }

    [Fact]
    public void Jensen_shannon_and_its_mirror_follow_their_definitions()
    {
        double[] p = [0.7, 0.2, 0.1], q = [0.1, 0.1, 0.8];
        var m = p.Zip(q, (a, b) => (a + b) / 2).ToArray();
        Tensor logP = Tensor.From(p, [1, 3]).Log(), logQ = Tensor.From(q, [1, 3]).Log();
        Assert.Equal((Kl(p, m) + Kl(q, m)) / 2, Functional.JensenShannon(logP, logQ).Item(), 1e-14);
        Assert.Equal((Kl(m, p) + Kl(m, q)) / 2, Functional.JensenShannon(logP, logQ, fromMixture: true).Item(), 1e-14);
        Assert.Equal(Kl(p, q), Functional.KlDivergence(logP, logQ).Item(), 1e-14);
        Assert.Equal(Kl(q, p), Functional.KlDivergence(logQ, logP).Item(), 1e-14);
        Assert.Equal(Kl(q, p), Functional.KlDiv(logP, logQ, logTarget: true, Reduction.BatchMean).Item(), 1e-14);

        // Two that never meet: the bound of the true divergence.
        Tensor left = Tensor.From([0.0, -700], [1, 2]), right = Tensor.From([-700.0, 0], [1, 2]);
        Assert.Equal(Math.Log(2), Functional.JensenShannon(left, right).Item(), 1e-14);
    }

    private static double Kl(double[] p, double[] q) => p.Zip(q, (a, b) => a * Math.Log(a / b)).Sum();

    [Fact]
    public void Total_variation_has_the_published_normalisation()
    {
        double[] x = KernelKit.Random(2 * 3 * 4 * 5, 1);
        double vertical = 0, horizontal = 0;
        for (int i = 0; i < 6; i++)
            for (int r = 0; r < 4; r++)
                for (int k = 0; k < 5; k++)
                {
                    double v = x[(i * 4 + r) * 5 + k];
                    vertical += r < 3 ? Math.Pow(x[(i * 4 + r + 1) * 5 + k] - v, 2) : 0;
                    horizontal += k < 4 ? Math.Pow(x[(i * 4 + r) * 5 + k + 1] - v, 2) : 0;
                }
        double want = 2 * (vertical / (3 * 3 * 5) + horizontal / (3 * 4 * 4)) / 2;
        Assert.Equal(want, Functional.TotalVariation(Tensor.From(x, [2, 3, 4, 5])).Item(), 1e-14);
    }

    [Fact]
    public void Entropy_is_log_n_for_equal_logits_and_0_for_certainty()
    {
        var h = Functional.Entropy(Tensor.From([1.0, 1, 1, 1, 0, double.NegativeInfinity, double.NegativeInfinity, double.NegativeInfinity], [2, 4]));
        Assert.Equal(Math.Log(4), h[0].Item(), 1e-15);
        Assert.Equal(0, h[1].Item());
    }

    [Fact]
    public void Activations_follow_their_definitions()
    {
        double[] x = [-2, -0.3, 0, 0.4, 3];
        var t = Tensor.From(x, [5]).RequireGrad();
        KernelKit.Close([.. x.Select(v => v / (1 + Math.Exp(-v)))], Functional.Silu(t).ToArray<double>(), 1e-15, "silu");
        KernelKit.Close([.. x.Select(v => v > 0 ? v : 0.7 * (Math.Exp(v) - 1))], Functional.Elu(t, 0.7).ToArray<double>(), 1e-15, "elu");
        KernelKit.Close([.. x.Select(v => v > 0 ? 1 : 0.7 * Math.Exp(v))], Autograd.Grad(Functional.Elu(t, 0.7).Sum(), t).ToArray<double>(), 1e-15, "elu'");
        // Phi(1) and Phi(-2) from a table of the normal distribution.
        KernelKit.Close([0.8413447460685429, -2 * 0.022750131948179207], Functional.Gelu(Tensor.From(1.0, -2.0)).ToArray<double>(), 1e-15, "gelu");
    }

    [Fact]
    public void Cross_entropy_names_the_target_that_is_no_class()
    {
        var e = Assert.Throws<ShapeException>(() => Functional.CrossEntropy(Tensor.Zeros([2, 3]), Tensor.From<long>(0, 7)));
        Assert.Contains("target 7 of row 1", e.Message, StringComparison.Ordinal);
        Assert.True(double.IsNaN(Functional.CrossEntropy(Tensor.Zeros([1, 3]), Tensor.From(-100L)).Item()));
    }
}
