using Native.Methods;
using Native.Nn;

namespace Native.Tests;

/// <summary>Automatic Recall Machines, step by step: the objective against plain sums, what moves when, and from where.</summary>
public sealed class RecallTests
{
    private const int M = 6, Pixels = 16, Classes = 5;
    private static readonly int[] Present = [1, 3];

    /// <summary>Digits cut small, one network narrow enough to run in no time.</summary>
    internal static readonly Lazy<TaskStream> Digits = new(() =>
    {
        var (train, test) = SyntheticDigits.Make(new Generator(5), 400, 100);
        return TaskStream.SplitDigits("digits", train, test, Scenario.ClassIncremental);
    });

    internal static readonly ArmOptions Small = new(Width: 24, RecallFrom: 0);

    /// <summary>Runs some batches of the first task and some of the second.</summary>
    internal static void Train(IMethod method, TaskStream stream, int first, int second = 0)
    {
        foreach (var (task, steps) in new[] { (stream.Tasks[0], first), (stream.Tasks[1], second) }.Where(p => p.Item2 > 0))
        {
            method.BeginTask(task, steps);
            for (int i = 0; i < steps; i++)
                Step(method, stream, task, i);
        }
    }

    internal static double Step(IMethod method, TaskStream stream, StreamTask task, int i, int count = 10)
    {
        using var scope = TensorScope.Begin("step");
        return method.Observe(stream.BatchOf(stream.Train, task.Train.AsSpan(i * count % (task.Train.Length - count), count))).Item();
    }

    internal static float[] Values(Module net) => [.. net.State().Values.Where(t => t.DType == DType.F32).SelectMany(t => t.ToArray<float>())];

    // The formulas of eq. 5, 9 and 10 with the released code's normalisations, written as sums over numbers.
    private static double Plain(double[] x, double[] before, double[] now, ArmOptions o)
    {
        double value = 0;
        var mean = new double[Classes];
        for (int i = 0; i < M; i++)
        {
            double[] p = Softmax(before, i), q = Softmax(now, i);
            double d = 0, away = 0, awayNow = 0;
            for (int c = 0; c < Classes; c++)
            {
                double m = (p[c] + q[c]) / 2;
                d += o.Disagreement switch
                {
                    Disagreement.FromMixture => 0.5 * (m * Math.Log(m / p[c]) + m * Math.Log(m / q[c])),
                    Disagreement.JensenShannon => 0.5 * (p[c] * Math.Log(p[c] / m) + q[c] * Math.Log(q[c] / m)),
                    _ => -p[c] * Math.Log(q[c]),
                };
                mean[c] += p[c] / M;
                if (Present.Contains(c))
                    (away, awayNow) = (away - Math.Log(p[c]), awayNow - Math.Log(q[c]));
            }
            value += (o.DisagreementWeight * d + o.AwayBefore * away / Present.Length + o.AwayNow * awayNow / Present.Length) / M;
            value -= o.Sharpness * -Math.Log(p.Max()) / M;
        }
        value += o.Diversity * mean.Sum(m => -m * Math.Log(m));
        double norms = 0, down = 0, right = 0;
        for (int i = 0; i < M; i++)
        {
            norms += Math.Sqrt(Enumerable.Range(0, Pixels).Sum(k => x[i * Pixels + k] * x[i * Pixels + k]));
            for (int r = 0; r < 4; r++)
                for (int c = 0; c < 4; c++)
                {
                    double v = x[i * Pixels + 4 * r + c];
                    down += r < 3 ? Math.Pow(x[i * Pixels + 4 * r + 4 + c] - v, 2) : 0;
                    right += c < 3 ? Math.Pow(x[i * Pixels + 4 * r + c + 1] - v, 2) : 0;
                }
        }
        // One channel: c (h-1) w = c h (w-1) = 12.
        return value - o.Norm * norms / (M * Pixels) - o.Smoothness * 2 * (down / 12 + right / 12) / M;
    }

    private static double[] Softmax(double[] logits, int row)
    {
        double[] e = [.. logits.Skip(row * Classes).Take(Classes).Select(Math.Exp)];
        return [.. e.Select(v => v / e.Sum())];
    }

    private static readonly ArmOptions Nothing = new(DisagreementWeight: 0, AwayBefore: 0, AwayNow: 0, Diversity: 0, Sharpness: 0, Norm: 0, Smoothness: 0);

    public static TheoryData<string> Terms => ["all", "fromMixture", "jensenShannon", "crossEntropy", "awayBefore", "awayNow", "diversity", "sharpness", "norm", "smoothness"];

    [Theory]
    [MemberData(nameof(Terms))]
    public void The_objective_is_the_papers_sum_term_by_term(string term)
    {
        var o = term switch
        {
            "all" => new ArmOptions(),
            "fromMixture" => Nothing with { DisagreementWeight = 2 },
            "jensenShannon" => Nothing with { DisagreementWeight = 1, Disagreement = Disagreement.JensenShannon },
            "crossEntropy" => Nothing with { DisagreementWeight = 1, Disagreement = Disagreement.CrossEntropy },
            "awayBefore" => Nothing with { AwayBefore = 1 },
            "awayNow" => Nothing with { AwayNow = 0.5 },
            "diversity" => Nothing with { Diversity = 16 },
            "sharpness" => Nothing with { Sharpness = 0.1 },
            "norm" => Nothing with { Norm = 3 },
            _ => Nothing with { Smoothness = 2 },
        };
        using var scope = TensorScope.Begin();
        Tensor x = NnKit.Values(1, M, Pixels), old = NnKit.Values(2, Pixels, Classes) * 2, now = NnKit.Values(3, Pixels, Classes) * 2;
        var away = Tensor.From([.. Enumerable.Range(0, Classes).Select(c => Present.Contains(c) ? -0.5 : 0)], [Classes]);
        Tensor value(Tensor at) => RecallObjective.Value(at, at.Reshape(M, 1, 4, 4), at.MatMul(old), at.MatMul(now), away, o);
        double expected(double[] at)
        {
            using var inner = TensorScope.Begin();
            var t = Tensor.From(at, [M, Pixels]);
            return Plain(at, t.MatMul(old).ToArray<double>(), t.MatMul(now).ToArray<double>(), o);
        }
        double[] start = x.ToArray<double>();
        Assert.Equal(expected(start), value(x).Item(), 1e-12);
        // And its gradient is that sum's, constants being constant: central differences along one direction.
        var leaf = x.Detach().RequireGrad();
        double[] gradient = Autograd.Grad(value(leaf), leaf).ToArray<double>(), direction = KernelKit.Random(M * Pixels, 4);
        double slope = gradient.Zip(direction, (a, b) => a * b).Sum();
        const double H = 1e-5;
        double numeric = (expected([.. start.Zip(direction, (a, b) => a + H * b)]) - expected([.. start.Zip(direction, (a, b) => a - H * b)])) / (2 * H);
        Assert.Equal(numeric, slope, 1e-7 * (1 + Math.Abs(numeric)));
    }

    [Fact]
    public void The_batchs_classes_share_one_weight_and_the_rest_none() =>
        OpKit.OnFreshThread(() => Assert.Equal([0f, -0.5f, 0, -0.5f, 0], RecallObjective.Away(Present, Classes).ToArray<float>()));

    [Fact]
    public void A_black_image_has_a_gradient_without_NaN() => OpKit.OnFreshThread(() =>
    {
        var leaf = Tensor.Zeros([2, 9]).RequireGrad();
        Assert.All(Autograd.Grad(RecallObjective.Prior(leaf, leaf.Reshape(2, 1, 3, 3), 1, 1), leaf).ToArray<float>(), g => Assert.Equal(0f, g));
    });

    [Fact]
    public void Ascent_raises_the_objective_and_moves_pixels_only() => OpKit.OnFreshThread(() =>
    {
        var stream = Digits.Value;
        using var arm = new AutomaticRecallMachine(stream, new SeedStreams(1), Small with { RecallFrom = null });
        Train(arm, stream, 8, 3);
        var (now, before) = arm.Networks;
        float[] nowValues = Values(now), beforeValues = Values(before);
        var batch = stream.BatchOf(stream.Train, stream.Tasks[1].Train.AsSpan(0, 10));
        var start = arm.Begin(batch, out long[] origin);
        // M = N without replacement: each image once, as it is.
        Assert.Equal(Enumerable.Range(0, 10).Select(i => (long)i), origin.Order());
        Assert.Equal(batch.X.TakeRows(Tensor.From(origin, [10])).ToArray<float>(), start.ToArray<float>());
        var images = start.Clone();
        arm.Climb(batch, images);
        var away = RecallObjective.Away([2, 3], 10);
        double value(Tensor x) => RecallObjective.Value(x, x.Reshape(-1, 1, 28, 28), before.Forward(x), now.Forward(x), away, Small).Item();
        Assert.True(value(images) > value(start) + 0.05, $"{value(start)} to {value(images)}");
        Assert.Equal(nowValues, Values(now));
        Assert.Equal(beforeValues, Values(before));
        Assert.All(now.Parameters(), p => Assert.Null(p.Grad));
    });

    // Steps 0 to 3 of the reference's algorithm, done by hand with the parts tested above.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_iteration_is_step_then_recall_then_step(bool union) => OpKit.OnFreshThread(() =>
    {
        var stream = Digits.Value;
        var options = Small with { RecallFrom = null, RealWeight = 0.5, UnionMean = union, Recalled = 4 };
        using AutomaticRecallMachine arm = new(stream, new SeedStreams(1), options), hand = new(stream, new SeedStreams(1), options);
        Train(arm, stream, 6, 2);
        Train(hand, stream, 6, 2);
        var (now, before) = hand.Networks;
        var task = stream.Tasks[1];
        var batch = stream.BatchOf(stream.Train, task.Train.AsSpan(2 * 10 % (task.Train.Length - 10), 10));
        using var sgd = new Optim.Sgd(now.Parameters(), options.LearningRate);
        sgd.Minimize(batch.Loss(now.Forward(batch.X)));
        var images = hand.Begin(batch, out _);
        hand.Climb(batch, images);
        Tensor soften(Tensor x)
        {
            using var constant = Autograd.NoGrad();
            return before.Forward(x).Softmax(1);
        }
        double m = union ? 14 : 4, n = union ? 14 : 10;
        var losses = Functional.CrossEntropy(now.Forward(images), soften(images), reduction: Reduction.Sum) * (1 / m)
            + Functional.CrossEntropy(now.Forward(batch.X), soften(batch.X), reduction: Reduction.Sum) * (0.5 / n);
        sgd.Minimize(losses);
        Step(arm, stream, task, 2);
        float[] expected = Values(now), actual = Values(arm.Networks.Now);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 2e-6f);
    });

    [Fact]
    public void The_copy_is_taken_before_the_batch_is_learned_and_then_stands_still() => OpKit.OnFreshThread(() =>
    {
        var stream = Digits.Value;
        using var arm = new AutomaticRecallMachine(stream, new SeedStreams(1), Small with { RecallFrom = null });
        var (now, before) = arm.Networks;
        float[] fresh = Values(now);
        Train(arm, stream, 4);
        Assert.Equal(fresh, Values(before));
        float[] trained = Values(now);
        Assert.NotEqual(fresh, trained);
        arm.BeginTask(stream.Tasks[1], 5);
        for (int i = 0; i < 5; i++)
        {
            Step(arm, stream, stream.Tasks[1], i);
            Assert.Equal(trained, Values(before));
        }
        Assert.NotEqual(trained, Values(now));
    });

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void With_a_lag_the_copy_is_taken_every_so_many_iterations(int lag) => OpKit.OnFreshThread(() =>
    {
        var stream = Digits.Value;
        using var arm = new AutomaticRecallMachine(stream, new SeedStreams(1), Small with { Lag = lag, RecallFrom = 4 });
        var (now, before) = arm.Networks;
        arm.BeginTask(stream.Tasks[0], 9);
        float[] due = [];
        for (int i = 0; i < 9; i++)
        {
            if (i % lag == 0)
                due = Values(now);
            Step(arm, stream, stream.Tasks[0], i);
            Assert.Equal(due, Values(before));
        }
        Assert.Equal(lag == 1 ? 0 : 32 * arm.ParameterCount, arm.StorageBits);
    });

    [Fact]
    public void Recall_begins_with_the_second_task_or_where_it_is_told_to() => OpKit.OnFreshThread(() =>
    {
        var stream = Digits.Value;
        foreach (int? from in (int?[])[null, 2, 7])
        {
            using var arm = new AutomaticRecallMachine(stream, new SeedStreams(1), Small with { RecallFrom = from });
            var told = new List<long>();
            arm.Recorder = r => told.Add(r.Iteration);
            Train(arm, stream, 5, 4);
            Assert.Equal(Enumerable.Range(from ?? 5, 9 - (from ?? 5)).Select(i => (long)i), told);
        }
    });

    [Fact]
    public void Images_that_start_alike_stay_alike() => OpKit.OnFreshThread(() =>
    {
        var stream = Digits.Value;
        using var arm = new AutomaticRecallMachine(stream, new SeedStreams(1), Small with { RecallFrom = null, Recalled = 25 });
        Train(arm, stream, 6, 3);
        var batch = stream.BatchOf(stream.Train, stream.Tasks[1].Train.AsSpan(0, 10));
        var images = arm.Begin(batch, out long[] origin);
        arm.Climb(batch, images);
        float[][] rows = [.. images.ToArray<float>().Chunk(784)];
        Assert.True(origin.Distinct().Count() <= 10);
        for (int i = 0; i < rows.Length; i++)
            Assert.Equal(rows[Array.IndexOf(origin, origin[i])], rows[i]);
    });

    [Fact]
    public void Repetitions_restart_continue_or_pile_up_gradients() => OpKit.OnFreshThread(() =>
    {
        var stream = Digits.Value;
        float[] run(RecallAgain again, int repeats, out List<float[]> told)
        {
            using var arm = new AutomaticRecallMachine(stream, new SeedStreams(1), Small with { RecallFrom = 6, Again = again, Repeats = repeats, Recalled = 4 });
            var list = new List<float[]>();
            arm.Recorder = r => list.Add(r.Images.ToArray<float>());
            Train(arm, stream, 7);
            told = list;
            return Values(arm.Networks.Now);
        }
        float[] once = run(RecallAgain.Restart, 1, out _), restart = run(RecallAgain.Restart, 2, out var restarted);
        float[] go = run(RecallAgain.Continue, 2, out var gone), pile = run(RecallAgain.Accumulate, 2, out var piled);
        Assert.Equal([2, 2, 2], [restarted.Count, gone.Count, piled.Count]);
        // The first recall is the same for all; the second starts from the batch or from the first.
        Assert.Equal(restarted[0], gone[0]);
        Assert.Equal(gone, piled);
        Assert.NotEqual(restarted[1], gone[1]);
        // theta after g1, after g1 + g2, and after g1 + (g1 + g2): the last step of the pile is longer by g1.
        Assert.NotEqual(once, go);
        Assert.NotEqual(go, pile);
        Assert.NotEqual(restart, go);
    });

    [Fact]
    public void Gradients_that_pile_up_are_applied_as_g1_and_then_g1_plus_g2() => OpKit.OnFreshThread(() =>
    {
        var stream = Digits.Value;
        var options = Small with { RecallFrom = 6, Again = RecallAgain.Accumulate, Repeats = 2, RealWeight = 0, Recalled = 4 };
        using AutomaticRecallMachine arm = new(stream, new SeedStreams(1), options), hand = new(stream, new SeedStreams(1), options with { RecallFrom = 100 });
        Train(arm, stream, 6);
        Train(hand, stream, 6);
        var images = new List<Tensor>();
        var task = stream.Tasks[0];
        using var keep = TensorScope.Begin("keep");
        arm.Recorder = r => Keep(images, r.Images);
        Step(arm, stream, task, 6);
        Step(hand, stream, task, 6);
        var (now, before) = hand.Networks;
        Tensor[] gradients(Tensor x)
        {
            Tensor target;
            using (Autograd.NoGrad())
                target = before.Forward(x).Softmax(1);
            return Autograd.Grad(Functional.CrossEntropy(now.Forward(x), target), [.. now.Parameters()]);
        }
        var g1 = gradients(images[0]);
        Move(now, g1);
        var g2 = gradients(images[1]);
        Move(now, [.. g1.Zip(g2, (a, b) => a + b)]);
        float[] expected = Values(now), actual = Values(arm.Networks.Now);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 2e-6f);
        foreach (var t in images)
            t.Dispose();
    });

    private static void Keep(List<Tensor> list, Tensor t)
    {
        using var outside = TensorScope.Outside();
        list.Add(t.Clone());
    }

    private static void Move(Module net, Tensor[] gradients)
    {
        using var constant = Autograd.NoGrad();
        foreach (var (p, g) in net.Parameters().Zip(gradients))
            p.AddInPlace(-Small.LearningRate * g);
    }

    [Fact]
    public void Noise_and_left_out_distillation_are_what_they_say() => OpKit.OnFreshThread(() =>
    {
        var stream = Digits.Value;
        using var arm = new AutomaticRecallMachine(stream, new SeedStreams(1), Small with { FromNoise = true, Steps = 0, Recalled = 12, RealWeight = 0 });
        var batch = stream.BatchOf(stream.Train, stream.Tasks[0].Train.AsSpan(0, 10));
        float[] noise = arm.Begin(batch, out long[] origin).ToArray<float>();
        Assert.Empty(origin);
        Assert.Equal(12 * 784, noise.Length);
        Assert.InRange(noise.Average(), 0.49f, 0.51f);
        Assert.All(noise, v => Assert.InRange(v, 0f, 1f));
    });
}
