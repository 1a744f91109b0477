using Native.Methods;
using Native.Nn;

namespace Native.Tests;

/// <summary>Batch normalisation while images are recalled, on a narrow residual network: the largest hidden variable of the published numbers.</summary>
public sealed class RecallNormTests
{
    // Colour images of 16 x 16, ten classes: the grey level is the class.
    private static TaskStream Colours()
    {
        const int Count = 60, Size = 3 * 16 * 16;
        var random = new Generator(6);
        var pixels = new byte[Count * Size];
        int[] labels = [.. Enumerable.Range(0, Count).Select(i => i % 10)];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)(20 * labels[i / Size] + random.NextInt64(30));
        var set = new ImageSet("colours", pixels, labels, Count, 3, 16, 16, "made by the test");
        return TaskStream.SplitDigits("colours", set, set, Scenario.ClassIncremental);
    }

    private static float[] Running(Classifier net) => [.. net.NamedBuffers().Where(b => b.Name.Contains("running", StringComparison.Ordinal)).SelectMany(b => b.Value.ToArray<float>())];

    [Theory]
    [InlineData(RecallNorm.TrainUpdate)]
    [InlineData(RecallNorm.TrainKeep)]
    [InlineData(RecallNorm.Eval)]
    public void Running_statistics_move_while_recalling_only_as_told(RecallNorm mode) => OpKit.OnFreshThread(() =>
    {
        var stream = Colours();
        var options = new ArmOptions(LearningRate: 0.01, PixelRate: 1, Steps: 2, Width: 2, RecallFrom: 0, RecallNorm: mode);
        using var arm = new AutomaticRecallMachine(stream, new SeedStreams(1), options);
        arm.BeginTask(stream.Tasks[0], 1);
        RecallTests.Step(arm, stream, stream.Tasks[0], 0, 6);
        var (now, before) = arm.Networks;
        using var scope = TensorScope.Begin();
        var batch = stream.BatchOf(stream.Train, stream.Tasks[0].Train.AsSpan(0, 6));
        float[] nowBefore = Running(now), beforeBefore = Running(before), parameters = [.. now.Parameters().SelectMany(p => p.ToArray<float>())];
        var images = arm.Begin(batch, out _);
        arm.Climb(batch, images);
        Assert.Equal(mode != RecallNorm.TrainUpdate, nowBefore.SequenceEqual(Running(now)));
        Assert.Equal(mode != RecallNorm.TrainUpdate, beforeBefore.SequenceEqual(Running(before)));
        float[] after = [.. now.Parameters().SelectMany(p => p.ToArray<float>())];
        Assert.Equal(parameters, after);
        Assert.True(now.Training && before.Training);
        Assert.All(images.ToArray<float>(), v => Assert.True(float.IsFinite(v)));
    });

    [Fact]
    public void The_distilling_step_gives_each_batch_its_own_statistics() => OpKit.OnFreshThread(() =>
    {
        var stream = Colours();
        using var net = Classifier.For(stream, new Generator(1), 2);
        using var scope = TensorScope.Begin();
        Tensor a = stream.BatchOf(stream.Train, [0, 1, 2, 3]).X, b = stream.BatchOf(stream.Train, [6, 7, 8]).X;
        var (first, second) = Distillation.Targets(net, a, b);
        Assert.Equal(Distillation.Targets(net, a).ToArray<float>(), first.ToArray<float>());
        Assert.Equal(Distillation.Targets(net, b).ToArray<float>(), second.ToArray<float>());
        var joined = Distillation.Targets(net, Tensor.Concat([a, b])).ToArray<float>();
        Assert.NotEqual(joined[..first.ToArray<float>().Length], first.ToArray<float>());
    });

    [Fact]
    public void Testing_uses_running_statistics_and_moves_nothing() => OpKit.OnFreshThread(() =>
    {
        var stream = Colours();
        using var naive = new Naive(stream, new SeedStreams(1), new NaiveOptions(0.01, Width: 2));
        naive.BeginTask(stream.Tasks[0], 2);
        RecallTests.Step(naive, stream, stream.Tasks[0], 0, 6);
        using var scope = TensorScope.Begin();
        using var constant = Autograd.NoGrad();
        var images = stream.BatchOf(stream.Test, [0, 1, 2]).X;
        float[] together = naive.Predict(images, null).ToArray<float>(), alone = naive.Predict(images.Narrow(0, 0, 1), null).ToArray<float>();
        // An answer does not depend on what else is in the batch, nor on what was asked before.
        for (int i = 0; i < alone.Length; i++)
            Assert.Equal(together[i], alone[i], 1e-5f);
        Assert.Equal(together, naive.Predict(images, null).ToArray<float>());
    });

    [Fact]
    public void Adi_also_descends_on_the_mismatch_of_statistics() => OpKit.OnFreshThread(() =>
    {
        var stream = Colours();
        using var adi = new Adi(stream, new SeedStreams(1), new AdiOptions(LearningRate: 0.01, PixelRate: 1, Generated: 4, Steps: 1, GenerateFrom: 1, Width: 2));
        adi.BeginTask(stream.Tasks[0], 1);
        RecallTests.Step(adi, stream, stream.Tasks[0], 0, 6);
        adi.BeginTask(stream.Tasks[1], 1);
        Assert.True(double.IsFinite(RecallTests.Step(adi, stream, stream.Tasks[1], 0, 6)));
        // The hook by itself: what it is given is the layer's input, before running statistics move.
        using var norm = new BatchNorm(3);
        float[]? seen = null, running = null;
        norm.Watch = t => (seen, running) = (t.ToArray<float>(), norm.RunningMean.ToArray<float>());
        using var scope = TensorScope.Begin();
        var x = Tensor.Rand([5, 3], new Generator(2));
        norm.Forward(x);
        Assert.Equal(x.ToArray<float>(), seen!);
        Assert.Equal([0f, 0, 0], running!);
        Assert.NotEqual([0f, 0, 0], norm.RunningMean.ToArray<float>());
    });

    [Fact]
    public void The_virtual_step_of_interfered_retrieval_moves_no_statistics() => OpKit.OnFreshThread(() =>
    {
        var stream = Colours();
        using var mir = new ErMir(stream, new SeedStreams(1), new ErMirOptions(LearningRate: 0.02, Capacity: 12, ReplayBatch: 3, CompareToBest: false, Width: 2));
        using SgdLearner hand = new(stream, new SeedStreams(1), 0.02, 2), ahead = new(stream, new SeedStreams(1), 0.02, 2);
        mir.BeginTask(stream.Tasks[0], 2);
        for (int i = 0; i < 2; i++)
        {
            var first = stream.BatchOf(stream.Train, stream.Tasks[0].Train.AsSpan(6 * i, 6));
            mir.Observe(first);
            hand.Descend(hand.Loss(first));
            ahead.Descend(ahead.Loss(first));
        }
        mir.BeginTask(stream.Tasks[1], 1);
        var batch = stream.BatchOf(stream.Train, stream.Tasks[1].Train.AsSpan(0, 6));
        var candidates = stream.BatchOf(stream.Train, stream.Tasks[0].Train.AsSpan(0, 12));
        float[] each(SgdLearner learner)
        {
            using var constant = Autograd.NoGrad();
            return Functional.CrossEntropy(learner.Logits(candidates.X), candidates.Y, reduction: Reduction.None).ToArray<float>();
        }
        // The released code: the batch, the candidates, the replayed images; the virtual step is another network's.
        ahead.Descend(ahead.Loss(batch));
        float[] after = each(ahead);
        var loss = hand.Loss(batch);
        float[] before = each(hand);
        int[] chosen = ErMir.Most([.. after.Zip(before, (a, b) => a - b)], 3);
        loss += hand.Loss(stream.BatchOf(stream.Train, [.. chosen.Select(i => stream.Tasks[0].Train[i])]));
        hand.Descend(loss);
        Assert.Equal(loss.Item(), mir.Observe(batch).Item(), 1e-4);
        float[] expected = Running(hand.Net), actual = Running(mir.Net);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-4f);
        // Two passes of the first task and three now.
        Assert.All(mir.Net.NamedBuffers().Where(b => b.Name.EndsWith("num_batches_tracked", StringComparison.Ordinal)), b => Assert.Equal(5, b.Value.ToArray<long>()[0]));
    });

    [Fact]
    public void The_network_of_before_answers_icarl_with_its_running_statistics() => OpKit.OnFreshThread(() =>
    {
        var stream = Colours();
        using var icarl = new Icarl(stream, new SeedStreams(1), new IcarlOptions(LearningRate: 0.02, Capacity: 20, Iterations: 1, Width: 2));
        for (int t = 0; t < 2; t++)
        {
            icarl.BeginTask(stream.Tasks[t], 1);
            RecallTests.Step(icarl, stream, stream.Tasks[t], 0, 6);
        }
        var x = stream.BatchOf(stream.Train, [0, 1, 2, 3]).X;
        // What it says of an image does not depend on what else is in the batch, nor on what was asked before.
        Tensor y = Tensor.Arange(4), past = icarl.IsPast([0, 1]);
        float[] together = icarl.Targets(x, y, past).ToArray<float>(), alone = icarl.Targets(x.Narrow(0, 0, 1), y.Narrow(0, 0, 1), past).ToArray<float>();
        for (int i = 0; i < alone.Length; i++)
            Assert.Equal(together[i], alone[i], 1e-5f);
        Assert.Equal(together, icarl.Targets(x, y, past).ToArray<float>());
    });
}
