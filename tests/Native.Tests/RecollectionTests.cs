using Native.Methods;

namespace Native.Tests;

/// <summary>Algorithms 1 and 2 of Scalable Recollections, step by step against the same done by hand, and what they refuse.</summary>
[Trait("Category", "Cpu")]
public sealed class RecollectionTests
{
    private static readonly RecollectionOptions Small = new(Variables: 6, Categories: 4, Items: 40, ReplayBatch: 5, Stabilise: 3, Width: 16);

    private static readonly RecollectionGemOptions SmallGem = new(Variables: 6, Categories: 4, Items: 20, CodeBatch: 2, Width: 16);

    private static TaskStream Digits => RecallTests.Digits.Value;

    private static TaskStream Told
    {
        get
        {
            var (train, test) = SyntheticDigits.Make(new Generator(5), 100, 50);
            return TaskStream.SplitDigits("digits", train, test, Scenario.TaskIncremental);
        }
    }

    private static Batch Some(int task, int from, int count = 4) => Digits.BatchOf(Digits.Train, Digits.Tasks[task].Train.AsSpan(from, count));

    private static float[] Weights(RecollectionModule module) => [.. module.Net.Parameters().SelectMany(p => p.Value.ToArray<float>())];

    // The module that a method with seed 1 makes, and its predictor.
    private static (RecollectionModule Module, SgdLearner Learner) Hand(ModuleSettings settings, Func<Generator, IndexBuffer> buffer, double rate)
    {
        var seeds = new SeedStreams(1);
        var learner = new SgdLearner(Recollections.Predictor(Digits, seeds, 16), rate);
        return (new RecollectionModule(Digits, seeds, settings, buffer(seeds.Replay)), learner);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(0)]
    public void A_step_decodes_all_sets_updates_the_auto_encoder_then_the_predictor_and_stores_last(int n) => OpKit.OnFreshThread(() =>
    {
        var options = Small with { Stabilise = n };
        using var method = new RecollectionReplay(Digits, new SeedStreams(1), options);
        var (module, learner) = Hand(options.Module, r => IndexBuffer.Reservoir(new CodeSize(6, 4), 40, r), options.LearningRate);
        for (int step = 0; step < 4; step++)
        {
            var batch = Some(0, 4 * step);
            using (TensorScope.Begin("step"))
                method.Observe(batch);
            using var scope = TensorScope.Begin("hand");
            // Every set is decoded by the decoder of the beginning: copies of the images, before any update.
            var sets = new List<Batch>();
            for (int s = 0; s < Math.Max(1, n) && module.Buffer.Count > 0; s++)
            {
                int[] slots = module.Buffer.Draw(options.ReplayBatch);
                var set = module.Recall(slots);
                sets.Add(new Batch(Digits, set.X.Clone(), set.Targets, set.Tasks).With(batch));
            }
            Assert.Equal(step == 0 ? 0 : Math.Max(1, n), sets.Count);
            Assert.All(sets, s => Assert.Equal(Math.Min(5, 4 * step) + 4, s.Count));
            for (int s = 0; s < Math.Max(1, n); s++)
                module.Learn(n == 0 || step == 0 ? batch.X : sets[s].X);
            learner.Descend(learner.Loss(step == 0 ? batch : sets[0]));
            // The code is of the encoder after its updates.
            module.Store(module.Encode(batch), batch);
            Assert.Equal(Weights(module), Weights(method.Module));
            Assert.Equal(4 * (step + 1), method.Module.Buffer.Count);
        }
        int[] all = [.. Enumerable.Range(0, 16)];
        Assert.Equal(module.Buffer.Codes(all).ToArray<long>(), method.Module.Buffer.Codes(all).ToArray<long>());
        using var constant = Autograd.NoGrad();
        var x = Some(1, 0).X;
        Assert.Equal(learner.Predict(x).ToArray<float>(), method.Predict(x, null).ToArray<float>());
        module.Dispose();
        learner.Dispose();
    });

    [Fact]
    public void A_step_of_Gem_updates_the_auto_encoder_stores_and_then_projects_against_recollections_of_earlier_tasks() => OpKit.OnFreshThread(() =>
    {
        using var method = new RecollectionGem(Digits, new SeedStreams(1), SmallGem);
        var (module, learner) = Hand(SmallGem.Module, r => IndexBuffer.Ring(new CodeSize(6, 4), 5, 4, r), SmallGem.LearningRate);
        bool opposed = false;
        foreach (var (task, from) in new[] { (0, 0), (0, 4), (0, 8), (1, 0), (1, 4), (1, 8), (2, 0), (2, 4) })
        {
            var batch = Some(task, from);
            method.BeginTask(Digits.Tasks[task], 1);
            using (TensorScope.Begin("step"))
                method.Observe(batch);
            using var scope = TensorScope.Begin("hand");
            for (int i = 0; i < batch.Count; i += 2)
                module.Learn(batch.X.Narrow(0, i, 2));
            module.Store(module.Encode(batch), batch);
            Tensor gradient(Batch b) => Tensor.Concat([.. Autograd.Grad(learner.Loss(b), [.. learner.Net.Parameters()]).Select(g => g.Reshape(-1))]);
            var g = gradient(batch);
            if (task > 0)
            {
                var memories = Tensor.Stack([.. Enumerable.Range(0, task).Select(k => gradient(module.Recall(module.Buffer.SlotsOf(k))))]);
                var projected = Gem.Project(g, memories, SmallGem.Gem);
                opposed |= !ReferenceEquals(projected, g);
                g = projected;
            }
            using var constant = Autograd.NoGrad();
            long at = 0;
            foreach (var p in learner.Net.Parameters())
            {
                p.AddInPlace(-SmallGem.LearningRate * g.Narrow(0, at, p.Count).Reshape(p.Shape));
                at += p.Count;
            }
            Assert.Equal(Weights(module), Weights(method.Module));
        }
        Assert.True(opposed, "no step was projected, so nothing was compared");
        using var off = Autograd.NoGrad();
        var x = Some(1, 0).X;
        float[] expected = learner.Predict(x).ToArray<float>(), actual = method.Predict(x, null).ToArray<float>();
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-5f);
        module.Dispose();
        learner.Dispose();
    });

    [Fact]
    public void Real_replay_joins_the_new_images_and_the_drawn_ones_in_one_batch() => OpKit.OnFreshThread(() =>
    {
        var options = new RealReplayOptions(Capacity: 40, Width: 16);
        using var method = new RealReplay(Digits, new SeedStreams(1), options);
        var seeds = new SeedStreams(1);
        using var learner = new SgdLearner(Recollections.Predictor(Digits, seeds, 16), options.LearningRate);
        var memory = new ReservoirBuffer(40, Digits.InputSize, seeds.Replay);
        for (int step = 0; step < 4; step++)
        {
            using var scope = TensorScope.Begin("step");
            var batch = Some(0, 4 * step);
            double loss = method.Observe(batch).Item();
            var joined = memory.Draw(Digits, 5, -1)?.With(batch) ?? batch;
            Assert.Equal(Math.Min(5, 4 * step) + 4, joined.Count);
            var expected = learner.Loss(joined);
            Assert.Equal(expected.Item(), loss, 1e-6);
            learner.Descend(expected);
            memory.Add(batch);
        }
    });

    [Fact]
    public void Stale_codes_are_those_of_the_encoder_before_its_update() => OpKit.OnFreshThread(() =>
    {
        // With a rate of nearly 0 nothing goes stale, but for the order in which noise is drawn.
        using RecollectionReplay fresh = new(Digits, new SeedStreams(1), Small with { CodeRate = 0.02 }), stale = new(Digits, new SeedStreams(1), Small with { CodeRate = 0.02, StaleCodes = true });
        var batch = Some(0, 0, 40);
        using var before = new DiscreteAutoEncoder(new CodeSize(6, 4), 1, 28, new Generator(1).Stream("auto-encoder"));
        long[] expected = before.Encode(batch.X, new SeedStreams(1).Noise).ToArray<long>();
        foreach (var method in new[] { fresh, stale })
            method.Observe(batch);
        int[] all = [.. Enumerable.Range(0, 40)];
        Assert.Equal(expected, stale.Module.Buffer.Codes(all).ToArray<long>());
        Assert.NotEqual(expected, fresh.Module.Buffer.Codes(all).ToArray<long>());
    });

    [Fact]
    public void Codes_are_renewed_every_so_many_steps() => OpKit.OnFreshThread(() =>
    {
        using RecollectionReplay plain = new(Digits, new SeedStreams(1), Small), renewing = new(Digits, new SeedStreams(1), Small with { ReencodeEvery = 3 });
        int[] first = [.. Enumerable.Range(0, 4)];
        for (int step = 0; step < 3; step++)
        {
            foreach (var method in new[] { plain, renewing })
                method.Observe(Some(0, 4 * step));
            long[] kept = plain.Module.Buffer.Codes(first).ToArray<long>(), renewed = renewing.Module.Buffer.Codes(first).ToArray<long>();
            Assert.Equal(step < 2, kept.AsSpan().SequenceEqual(renewed));
        }
    });

    [Fact]
    public void A_label_outside_the_mask_of_its_task_is_refused()
    {
        var stream = Told;
        var x = Tensor.Zeros([2, stream.InputSize]);
        _ = new Batch(stream, x, [0, 3], [0, 1]);
        Assert.Equal("batch: output 2 is none of task 0 of digits, so the task's mask would close it. Give the task that brings it.",
            Assert.Throws<UsageException>(() => new Batch(stream, x, [0, 2], [0, 0])).Message);
        Assert.Throws<UsageException>(() => new Batch(stream, x, [0, 2], [0, 7]));
    }

    [Fact]
    public void Recollections_compete_in_the_outputs_of_their_own_tasks() => OpKit.OnFreshThread(() =>
    {
        var stream = Told;
        using var method = new RecollectionReplay(stream, new SeedStreams(1), Small);
        for (int task = 0; task < 2; task++)
            method.Observe(stream.BatchOf(stream.Train, stream.Tasks[task].Train.AsSpan(0, 6)));
        var recalled = method.Module.Recall([.. Enumerable.Range(0, 12)]);
        float[] mask = recalled.Mask!.ToArray<float>();
        for (int i = 0; i < 12; i++)
            Assert.Equal(stream.Tasks[i / 6].Outputs, Enumerable.Range(0, 10).Where(c => mask[i * 10 + c] == 0));
    });

    [Fact]
    public void What_the_module_cannot_run_on_is_refused()
    {
        var (train, test) = SyntheticDigits.Make(new Generator(5), 30, 20);
        var symmetric = new TaskStream(new StreamPlan("symmetric", train, test, TaskStream.Chunks(10, 2)) { Scale = PixelScale.Symmetric }, Scenario.ClassIncremental);
        Assert.Contains("the pixels of symmetric are in [-1,1]", Assert.Throws<UsageException>(() => new RecollectionReplay(symmetric, new SeedStreams(1), Small)).Message, StringComparison.Ordinal);
        Assert.Contains("has no other images to transfer from", Assert.Throws<UsageException>(() => new RecollectionReplay(Digits, new SeedStreams(1), Small with { Transfer = true })).Message, StringComparison.Ordinal);
        Assert.Contains("4 items have no share for each of 5 tasks", Assert.Throws<UsageException>(() => new RecollectionGem(Digits, new SeedStreams(1), SmallGem with { Items = 4 })).Message, StringComparison.Ordinal);
        Assert.Contains("which is no whole number", Assert.Throws<UsageException>(() => MethodTable.Find("srm").Configure(new MethodSettings(Options: new Dictionary<string, string> { ["variables"] = "245", ["categories"] = "2" }))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_transfer_teaches_the_auto_encoder_before_the_first_step() => OpKit.OnFreshThread(() =>
    {
        var (train, test) = SyntheticDigits.Make(new Generator(5), 200, 50);
        int loaded = 0;
        var stream = new TaskStream(new StreamPlan("with others", train, test, TaskStream.Chunks(10, 2)) { Background = () => ++loaded > 0 ? SyntheticDigits.Make(new Generator(6), 300, 20).Train : train }, Scenario.ClassIncremental);
        using RecollectionReplay plain = new(stream, new SeedStreams(1), Small), begun = new(stream, new SeedStreams(1), Small with { Transfer = true, CodeRate = 3e-3, TransferPasses = 8 });
        foreach (var method in new[] { plain, begun })
            method.BeginTask(stream.Tasks[0], 1);
        Assert.Equal(1, loaded);
        Assert.True(begun.Module.Distortion(stream.Tasks[0], 50) < 0.8 * plain.Module.Distortion(stream.Tasks[0], 50));
        float[] weights = Weights(begun.Module);
        begun.BeginTask(stream.Tasks[1], 1);
        Assert.Equal(weights, Weights(begun.Module));
    });
}
