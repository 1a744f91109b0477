using Native.Methods;
using Native.Nn;

namespace Native.Tests;

/// <summary>One step of each baseline against the same step done by hand, and what its parts promise.</summary>
public sealed class BaselineStepTests
{
    private static TaskStream Digits => RecallTests.Digits.Value;

    private static Batch Some(TaskStream stream, int task, int from = 0, int count = 10) =>
        stream.BatchOf(stream.Train, stream.Tasks[task].Train.AsSpan(from, count));

    private static void Same(Module expected, Module actual, float tolerance = 2e-6f)
    {
        float[] a = RecallTests.Values(expected), b = RecallTests.Values(actual);
        for (int i = 0; i < a.Length; i++)
            Assert.Equal(a[i], b[i], tolerance);
    }

    [Fact]
    public void Lwf_steps_on_the_batch_and_then_towards_what_it_said_before() => OpKit.OnFreshThread(() =>
    {
        var options = new LwfOptions(Width: 24, DistillWeight: 2, DistillFrom: 3);
        using Lwf lwf = new(Digits, new SeedStreams(1), options), twin = new(Digits, new SeedStreams(1), options with { DistillFrom = 99 });
        foreach (var method in new[] { lwf, twin })
            RecallTests.Train(method, Digits, 3);
        using var hand = new SgdLearner(Digits, new SeedStreams(1), 0.05, 24);
        using var first = new SgdLearner(Digits, new SeedStreams(1), 0.05, 24);
        for (int i = 0; i < 3; i++)
            hand.Descend(hand.Loss(Some(Digits, 0, 10 * i)));
        var batch = Some(Digits, 0, 30);
        hand.Descend(hand.Loss(batch));
        // The copy is from the start of the task: the network as initialised. KL(old || new) at temperature 1.
        Tensor logP;
        using (Autograd.NoGrad())
            logP = first.Logits(batch.X).LogSoftmax(1);
        hand.Descend(2 * Functional.KlDivergence(logP, hand.Logits(batch.X).LogSoftmax(1)));
        lwf.Observe(batch);
        using var constant = Autograd.NoGrad();
        float[] expected = hand.Predict(batch.X).ToArray<float>(), actual = lwf.Predict(batch.X, null).ToArray<float>();
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-5f);
    });

    private static Tensor[] Gradients(ErMir mir, Batch batch) => Autograd.Grad(batch.Loss(mir.Net.Forward(batch.X)), [.. mir.Net.Parameters()]);

    [Fact]
    public void Interference_is_the_loss_after_a_virtual_step_minus_the_loss_before() => OpKit.OnFreshThread(() =>
    {
        using var mir = new ErMir(Digits, new SeedStreams(1), new ErMirOptions(Width: 24));
        using var hand = new SgdLearner(Digits, new SeedStreams(1), 0.1, 24);
        Batch batch = Some(Digits, 1), candidates = Some(Digits, 0, 0, 20);
        var (before, after) = mir.Losses(Gradients(mir, batch), candidates);
        float[] each() => Functional.CrossEntropy(hand.Logits(candidates.X), candidates.Y, reduction: Reduction.None).ToArray<float>();
        using (Autograd.NoGrad())
            Assert.Equal(each(), before);
        hand.Descend(hand.Loss(batch));
        float[] moved = each();
        for (int i = 0; i < moved.Length; i++)
            Assert.Equal(moved[i], after[i], 1e-5f);
        Assert.Equal([3, 0, 4], ErMir.Most([5f, -1, 2, 9, 5, 1], 3));
    });

    [Fact]
    public void Replay_of_the_most_interfered_takes_them_from_the_candidates() => OpKit.OnFreshThread(() =>
    {
        // All 20 images of task 0 are candidates and two are replayed: the loss of the step is that of the batch and of just those two.
        using var mir = new ErMir(Digits, new SeedStreams(1), new ErMirOptions(Width: 24, Capacity: 20, ReplayBatch: 2, CompareToBest: false));
        mir.BeginTask(Digits.Tasks[0], 2);
        Batch one = Some(Digits, 0), two = Some(Digits, 0, 10), batch = Some(Digits, 1), old = Some(Digits, 0, 0, 20);
        mir.Observe(one);
        mir.Observe(two);
        mir.BeginTask(Digits.Tasks[1], 1);
        var (before, after) = mir.Losses(Gradients(mir, batch), old);
        int[] worst = ErMir.Most([.. after.Zip(before, (a, b) => a - b)], 2);
        using var hand = new SgdLearner(Digits, new SeedStreams(1), 0.1, 24);
        hand.Descend(hand.Loss(one));
        hand.Descend(hand.Loss(two));
        var chosen = Digits.BatchOf(Digits.Train, [.. worst.Select(i => Digits.Tasks[0].Train[i])]);
        double expected = (hand.Loss(batch) + hand.Loss(chosen)).Item();
        Assert.Equal(expected, mir.Observe(batch).Item(), 1e-5);
    });

    [Fact]
    public void Adi_draws_past_classes_only_without_repetition_while_they_last() => OpKit.OnFreshThread(() =>
    {
        var random = new Generator(3);
        Assert.Equal([0L, 1, 4, 7], Adi.DrawClasses(4, [0, 1, 4, 7], random).Order());
        var counts = new int[10];
        for (int i = 0; i < 300; i++)
            foreach (long c in Adi.DrawClasses(10, [0, 1, 4, 7], random))
                counts[c]++;
        Assert.All(new[] { 2, 3, 5, 6, 8, 9 }, c => Assert.Equal(0, counts[c]));
        // 750 each, +- 24.
        Assert.All(new[] { 0, 1, 4, 7 }, c => Assert.InRange(counts[c], 630, 870));
    });

    [Fact]
    public void Adi_descends_on_class_minus_divergence_plus_prior() => OpKit.OnFreshThread(() =>
    {
        using var adi = new Adi(Digits, new SeedStreams(1), new AdiOptions(Width: 24, ClassWeight: 2, DisagreementWeight: 3, Norm: 4, Smoothness: 5));
        var random = new Generator(4);
        Tensor x = Tensor.Rand([6, 784], random), before = Tensor.Randn([6, 10], random), now = Tensor.Randn([6, 10], random), classes = Tensor.RandInt(0, 10, [6], random);
        double expected = 2 * Functional.CrossEntropy(before, classes).Item()
            - 3 * Functional.JensenShannon(before.LogSoftmax(1), now.LogSoftmax(1), fromMixture: true).Item()
            + 4 * x.Norm(1).Sum().Item() / (6 * 784) + 5 * Functional.TotalVariation(x.Reshape(6, 1, 28, 28)).Item();
        Assert.Equal(expected, adi.Loss(x, before, now, classes).Item(), 1e-4);
    });

    [Fact]
    public void Icarl_asks_new_classes_for_the_truth_and_old_ones_for_what_they_were() => OpKit.OnFreshThread(() =>
    {
        using var icarl = new Icarl(Digits, new SeedStreams(1), new IcarlOptions(Width: 24, Capacity: 40, Iterations: 1));
        // Images of an exemplar's class 0 or 1 and of the new classes 2 and 3: also the old ones' own class is asked for what it was.
        var batch = Digits.BatchOf(Digits.Train, [.. Digits.Tasks[0].Train[..5], .. Digits.Tasks[1].Train[..5]]);
        float[] hot = icarl.Targets(batch.X, batch.Y, null).ToArray<float>();
        float[] mixed = icarl.Targets(batch.X, batch.Y, icarl.IsPast([0, 1])).ToArray<float>();
        for (int i = 0; i < batch.Count; i++)
            for (int c = 0; c < 10; c++)
            {
                Assert.Equal(c == batch.Targets[i] ? 1 : 0, hot[10 * i + c]);
                if (c < 2)
                    Assert.InRange(mixed[10 * i + c], 0.2f, 0.8f);
                else
                    Assert.Equal(hot[10 * i + c], mixed[10 * i + c]);
            }
    });

    [Fact]
    public void Icarl_answers_with_the_nearest_mean_of_exemplars() => OpKit.OnFreshThread(() =>
    {
        using var icarl = new Icarl(Digits, new SeedStreams(1), new IcarlOptions(Width: 24, Capacity: 40, Iterations: 2));
        Assert.Equal(10, icarl.Predict(Some(Digits, 0).X, null).Shape[1]);
        for (int t = 0; t < 2; t++)
        {
            icarl.BeginTask(Digits.Tasks[t], 4);
            for (int i = 0; i < 4; i++)
                RecallTests.Step(icarl, Digits, Digits.Tasks[t], i);
            icarl.EndTask(Digits.Tasks[t]);
        }
        using var constant = Autograd.NoGrad();
        float[] scores = icarl.Predict(Some(Digits, 1, 0, 20).X, null).ToArray<float>();
        // Classes that have not come are out of the question, whatever the image.
        for (int i = 0; i < 20; i++)
            Assert.InRange(Array.IndexOf(scores, scores[(10 * i)..(10 * i + 10)].Max(), 10 * i) - 10 * i, 0, 3);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Ewc_pays_for_every_task_what_the_sum_over_tasks_says(bool perSample) => OpKit.OnFreshThread(() =>
    {
        var options = new EwcOptions(LearningRate: 0.05, Strength: 7, FisherSamples: 12, PerSample: perSample, Width: 8);
        using var ewc = new Ewc(Digits, new SeedStreams(1), options);
        using var hand = new SgdLearner(Digits, new SeedStreams(1), 0.05, 8);
        var parameters = hand.Net.Parameters();
        List<(Tensor[] F, Tensor[] At)> kept = [];
        Tensor penalty()
        {
            var sum = Tensor.Scalar(0f);
            foreach (var (f, at) in kept)
                for (int i = 0; i < parameters.Count; i++)
                    sum += (f[i] * (parameters[i].Value - at[i]).Square()).Sum();
            return 7 * sum;
        }
        for (int t = 0; t < 3; t++)
        {
            ewc.BeginTask(Digits.Tasks[t], 5);
            for (int i = 0; i < 5; i++)
            {
                var batch = Some(Digits, t, 10 * i % 30);
                ewc.Observe(batch);
                var loss = hand.Loss(batch);
                hand.Descend(kept.Count == 0 ? loss : loss + penalty());
            }
            ewc.EndTask(Digits.Tasks[t]);
            int[] last = Digits.Tasks[t].Train[^12..];
            Tensor[] squares(int[] members) => [.. Autograd.Grad(hand.Loss(Digits.BatchOf(Digits.Train, members)), [.. parameters]).Select(g => g.Square().Detach())];
            Tensor[] fisher = squares(perSample ? last[..1] : last);
            for (int i = 1; perSample && i < last.Length; i++)
                fisher = [.. fisher.Zip(squares([last[i]]), (a, b) => a + b)];
            kept.Add(([.. fisher.Select(f => perSample ? f * (1.0 / 12) : f)], [.. parameters.Select(p => p.Value.Detach().Clone())]));
            var x = Some(Digits, 0).X;
            using var constant = Autograd.NoGrad();
            float[] expected = hand.Predict(x).ToArray<float>(), actual = ewc.Predict(x, null).ToArray<float>();
            for (int i = 0; i < expected.Length; i++)
                Assert.Equal(expected[i], actual[i], 1e-4f);
            Assert.Equal(64 * ewc.ParameterCount * (t + 1), ewc.StorageBits);
        }
    });

    [Fact]
    public void A_generators_bound_is_cross_entropy_and_divergence() => OpKit.OnFreshThread(() =>
    {
        var sizes = new VaeSizes(30, 12, 2, 4);
        using var vae = new Vae(sizes, new Generator(1), new Generator(2));
        var x = Tensor.Rand([2000, 30], new Generator(3));
        var (reconstruction, drawn) = vae.Loss(x);
        var (_, exact) = vae.LossExact(x);
        // One code per image estimates the divergence without bias.
        Assert.Equal(exact.Item(), drawn.Item(), 0.1);
        var (mean, variance) = vae.Encode(x);
        float[] m = mean.ToArray<float>(), v = variance.ToArray<float>();
        double expected = m.Zip(v, (a, b) => 0.5 * (a * a + b - Math.Log(b) - 1)).Sum() / 2000;
        Assert.Equal(expected, exact.Item(), 1e-4);
        Assert.InRange(reconstruction.Item(), 30 * 0.6, 30 * 0.8);
        Assert.Equal([7L, 30], vae.Sample(7, new Generator(4)).Shape.ToArray());
    });

    [Fact]
    public void Soft_labels_below_the_floor_pull_nothing() => OpKit.OnFreshThread(() =>
    {
        Tensor logits = Tensor.From([20f, 0, 0], [1, 3]).RequireGrad(), labels = Tensor.From([0f, 1, 0], [1, 3]);
        var loss = Gen.SoftLoss(logits, labels);
        Assert.Equal(-Math.Log(1e-5), loss.Item(), 1e-4);
        Assert.All(Autograd.Grad(loss, logits).ToArray<float>(), g => Assert.Equal(0f, g));
        var fair = Tensor.From([1f, 2, 3], [1, 3]);
        Assert.Equal(Functional.CrossEntropy(fair, labels).Item(), Gen.SoftLoss(fair, labels).Item(), 1e-5);
    });

    [Fact]
    public void Networks_have_the_sizes_that_the_papers_count() => OpKit.OnFreshThread(() =>
    {
        // Automatic Recall Machines, tables 1 to 3: 1.09M, 1.16M, 478K; GEN on MNIST: 1.14M with both generators.
        using var cifar = new ResNet18(10, new Generator(0));
        using var mini = new ResNet18(100, new Generator(0), side: 84);
        Assert.Equal((1_094_750, 1_157_240), (cifar.ParameterCount, mini.ParameterCount));
        Assert.Equal([1L, 100], mini.Forward(Tensor.Zeros([1, 3 * 84 * 84])).Shape.ToArray());
        using var small = new ResNet18(10, new Generator(0), filters: 5, side: 16);
        Assert.Equal([2L, 10], small.Predict(Tensor.Rand([2, 3 * 16 * 16], new Generator(1))).Shape.ToArray());
        foreach (Classifier net in new Classifier[] { cifar, mini, small })
            Assert.Equal(net.Parameters().Count, net.Layers.Sum(l => l.Blocks.Count));
    });
}
