using Native.Methods;
using Native.Nn;
using Xunit.Abstractions;

namespace Native.Tests;

/// <summary>
/// The engine's acid test: the gradient of a loss after many recorded steps of descent, with respect to what made the images that were learned from, is the
/// true one.
/// </summary>
[Trait("Category", "Cpu")]
public sealed class MetaGradientTests(ITestOutputHelper output)
{
    private static readonly Lazy<(ImageSet Train, ImageSet Test)> Digits = new(() => SyntheticDigits.Make(new Generator(6), 400, 40));

    /// <summary>Four digits as 7 x 7 images; two tasks of two steps, pools of 6, a generator of 5 hidden units.</summary>
    private static readonly MetaOptions Small = new(Pool: 6, MetaInnerSteps: 2, MetaPerClass: 3, MetaBatch: 8, InitialRate: 0.1, Latent: 3, Generator: GeneratorKind.Mlp,
        GeneratorWidth: 5, LearnerFilters: 2, Square: 4, MetaSteps: 10);

    /// <summary>The paper's loop, 25 steps through two convolutions each in generator and learner, at narrower widths.</summary>
    private static readonly MetaOptions Larger = new(Pool: 12, MetaPerClass: 4, MetaBatch: 40, Latent: 16, GeneratorWidth: 24, GeneratorFilters: 8, LearnerFilters: 4, MetaSteps: 10);

    internal static TaskStream Stream(int classes) => TaskStream.Split("digits", Digits.Value.Train, Digits.Value.Test, Scenario.ClassIncremental, classes, 2);

    private static MetaTrainer Trainer(MetaOptions o, int classes, DType dtype = DType.F64, bool generates = true)
    {
        var trainer = new MetaTrainer(o, Stream(classes), new Generator(3), generates, dtype);
        trainer.Draw();
        return trainer;
    }

    /// <summary>The meta-loss with the same noise every time.</summary>
    private static double Loss(MetaTrainer trainer)
    {
        using var scope = TensorScope.Begin("loss");
        var before = trainer.Noise.State;
        double loss = trainer.Loss().Item<double>();
        trainer.Noise.State = before;
        return loss;
    }

    private static double[][] Gradient(MetaTrainer trainer)
    {
        using var scope = TensorScope.Begin("gradient");
        var before = trainer.Noise.State;
        var gradient = Autograd.Grad(trainer.Loss(), [.. trainer.Parameters.Parameters()]);
        trainer.Noise.State = before;
        return [.. gradient.Select(g => g.ToArray<double>())];
    }

    private static void Move(Parameter p, double[] values) => p.CopyFrom<double>(values);

    [Theory]
    [InlineData("as it is")]
    [InlineData("logits as they are", LearnerNorm.Batch, LearnerShrink.MaxPool, false, false)]
    [InlineData("norm-free", LearnerNorm.None)]
    [InlineData("weight norm, stride", LearnerNorm.Weight, LearnerShrink.Stride)]
    [InlineData("all losses, a rate per step, learned noise", LearnerNorm.Batch, LearnerShrink.MaxPool, true)]
    public void Every_element_agrees_with_central_differences(string name, LearnerNorm norm = LearnerNorm.Batch, LearnerShrink shrink = LearnerShrink.MaxPool, bool more = false,
        bool headNorm = true)
    {
        using var trainer = Trainer(Small with { LearnerNorm = norm, LearnerShrink = shrink, HeadNorm = headNorm, Intermediate = more, PerStepRates = more, Curriculum = more }, 4);
        double[][] exact = Gradient(trainer);
        // Every rate counts; the first step's momentum has no velocity to keep.
        Assert.All(exact[^2], v => Assert.NotEqual(0, v));
        Assert.All(exact[^1][(more ? 1 : 0)..], v => Assert.NotEqual(0, v));
        const double step = 1e-6;
        double worst = 0, scale = exact.SelectMany(g => g).Max(Math.Abs);
        int count = 0;
        foreach (var (k, p) in trainer.Parameters.Parameters().Index())
        {
            double[] at = p.ToArray<double>();
            for (int i = 0; i < at.Length; i++, count++)
            {
                double[] moved = [.. at];
                moved[i] = at[i] + step;
                Move(p, moved);
                double up = Loss(trainer);
                moved[i] = at[i] - step;
                Move(p, moved);
                double difference = (up - Loss(trainer)) / (2 * step);
                worst = Math.Max(worst, Math.Abs(difference - exact[k][i]));
            }
            Move(p, at);
        }
        output.WriteLine($"{name}: {count} elements, largest {scale:E2}, worst difference {worst:E2}");
        Assert.True(worst <= 1e-6 * scale + 1e-8, $"{name}: off by {worst:E2}; the largest element is {scale:E2}");
    }

    [Fact]
    public void Random_directions_of_twenty_five_steps_agree_with_central_differences()
    {
        using var trainer = Trainer(Larger, 10);
        double[][] exact = Gradient(trainer);
        var parameters = trainer.Parameters.Parameters();
        double[][] at = [.. parameters.Select(p => p.ToArray<double>())];
        double norm = Math.Sqrt(exact.Sum(g => g.Sum(v => v * v)));
        for (int direction = 0; direction < 3; direction++)
        {
            var random = new Generator((ulong)direction).Stream("direction");
            double[][] d = [.. at.Select(a => a.Select(_ => random.NextDouble() - 0.5).ToArray())];
            double length = Math.Sqrt(d.Sum(v => v.Sum(e => e * e))), step = 1e-6 / length;
            double Shifted(double by)
            {
                for (int k = 0; k < at.Length; k++)
                    Move(parameters[k], [.. at[k].Select((a, i) => a + by * d[k][i])]);
                return Loss(trainer);
            }
            double slope = (Shifted(step) - Shifted(-step)) / (2e-6), expected = exact.Zip(d).Sum(e => e.First.Zip(e.Second).Sum(v => v.First * v.Second)) / length;
            output.WriteLine($"direction {direction}: {slope:E6}, gradient {expected:E6}, norm {norm:E2}");
            Assert.True(Math.Abs(slope - expected) <= 1e-5 * norm, $"direction {direction}: {slope:E6} instead of {expected:E6}; the gradient's norm is {norm:E2}");
        }
    }

    [Fact]
    public void Rates_learned_on_real_batches_agree_with_central_differences()
    {
        using var trainer = Trainer(Small with { PerStepRates = true }, 4, generates: false);
        Assert.Equal(2, trainer.Parameters.Parameters().Count);
        double[][] exact = Gradient(trainer);
        foreach (var (k, p) in trainer.Parameters.Parameters().Index())
        {
            double[] at = p.ToArray<double>();
            Assert.Equal(4, at.Length);
            for (int i = 0; i < at.Length; i++)
            {
                double[] moved = [.. at];
                moved[i] += 1e-6;
                Move(p, moved);
                double up = Loss(trainer);
                moved[i] -= 2e-6;
                Move(p, moved);
                Assert.Equal((up - Loss(trainer)) / 2e-6, exact[k][i], 1e-6 * Math.Abs(exact[k][i]) + 1e-8);
                Move(p, at);
            }
        }
    }

    [Fact]
    public void The_first_order_is_another_gradient_of_the_same_loss()
    {
        using MetaTrainer exact = Trainer(Larger, 10), first = Trainer(Larger with { FirstOrder = true }, 10);
        Assert.Equal(Loss(exact), Loss(first));
        double[] a = [.. Gradient(exact).SelectMany(g => g)], b = [.. Gradient(first).SelectMany(g => g)];
        double dot(double[] x, double[] y) => x.Zip(y).Sum(e => e.First * e.Second);
        double cosine = dot(a, b) / Math.Sqrt(dot(a, a) * dot(b, b)), length = Math.Sqrt(dot(b, b) / dot(a, a));
        output.WriteLine($"cosine {cosine:F4}, length {length:F4}");
        Assert.Contains(b, v => v != 0);
        Assert.True(cosine < 0.999 || Math.Abs(length - 1) > 0.01, $"cosine {cosine}, length {length}");
    }

    [Theory]
    [InlineData(LearnerNorm.Batch, LearnerShrink.MaxPool, true)]
    [InlineData(LearnerNorm.Batch, LearnerShrink.MaxPool, false)]
    [InlineData(LearnerNorm.None, LearnerShrink.Stride, false)]
    [InlineData(LearnerNorm.Weight, LearnerShrink.MaxPool, false)]
    public void The_learners_hessian_is_symmetric(LearnerNorm norm, LearnerShrink shrink, bool headNorm)
    {
        var net = new ConvLearner(1, 8, 4, 3, norm, shrink, 0.1, headNorm);
        var random = new Generator(4);
        Tensor x = NnKit.Values(9, 6, 1, 8, 8), y = Tensor.From([0L, 1, 2, 3, 0, 1], [6]);
        var w = net.Fresh((shape, deviation) => Tensor.Randn(shape, random, std: deviation, dtype: DType.F64), DType.F64);
        Assert.Equal(net.Shapes.Count, w.Length);
        // With respect to weights and images: the block between them is what synthetic data are learned through.
        double asymmetry = GradCheck.HessianAsymmetry(v => Functional.CrossEntropy(net.Forward(v[..^1], v[^1]), y), [.. w, x]);
        Assert.InRange(asymmetry, 0, 1e-12);
    }

    [Fact]
    public void Normalised_logits_have_mean_0_and_variance_1_over_the_batch_for_every_class()
    {
        using var scope = TensorScope.Begin();
        var net = new ConvLearner(1, 8, 4, 3, LearnerNorm.Batch, LearnerShrink.MaxPool, 0.1, headNorm: true);
        var random = new Generator(4);
        var w = net.Fresh((shape, deviation) => Tensor.Randn(shape, random, std: deviation, dtype: DType.F64), DType.F64);
        var logits = net.Forward(w, NnKit.Values(9, 6, 1, 8, 8));
        Assert.Equal(3, net.Normalised.Count);
        Assert.All(logits.Mean(0).ToArray<double>(), m => Assert.InRange(m, -1e-12, 1e-12));
        // Less than 1 by the epsilon beside the variance.
        Assert.All(logits.Square().Mean(0).ToArray<double>(), v => Assert.InRange(v, 0.99, 1));
    }

    [Theory]
    [InlineData(Recompute.Inner)]
    [InlineData(Recompute.All)]
    public void Computed_again_the_bits_are_the_same_and_the_memory_is_less(Recompute recompute) => OpKit.OnFreshThread(() =>
    {
        (float[][] Bits, long Peak) Train(Recompute mode)
        {
            (float[][], long) result = default;
            OpKit.OnFreshThread(() =>
            {
                using var trainer = new MetaTrainer(Larger with { Recompute = mode, PerStepRates = true }, Stream(10), new Generator(3), true);
                for (int i = 0; i < 3; i++)
                    trainer.Step();
                result = ([.. trainer.Parameters.Parameters().Concat(trainer.Parameters.Buffers()).Where(t => t.DType == DType.F32).Select(t => t.ToArray<float>())],
                    Ambient.Current.Allocator.Stats.Peak);
            });
            return result;
        }
        var (plain, most) = Train(Recompute.None);
        var (again, less) = Train(recompute);
        output.WriteLine($"{recompute}: peak {less} instead of {most} bytes");
        Assert.Equal(plain.Length, again.Length);
        for (int i = 0; i < plain.Length; i++)
            Assert.Equal(plain[i].Select(BitConverter.SingleToInt32Bits), again[i].Select(BitConverter.SingleToInt32Bits));
        Assert.True(less < 0.7 * most, $"peak {less} instead of {most} bytes");
    });
}
