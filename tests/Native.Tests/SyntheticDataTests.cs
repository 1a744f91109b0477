using Native.Benchmarks;
using Native.Methods;

namespace Native.Tests;

/// <summary>Synthetic data by meta-gradients as a method: pools, pairing, rates, the guard, tests on mixed batches, controls and pictures.</summary>
[Trait("Category", "Cpu")]
public sealed class SyntheticDataTests
{
    private static readonly MetaOptions Tiny = MetaOptions.For(MetaSetting.Quick) with
    { MetaSteps = 4, GanSteps = 3, Pool = 8, MetaPerClass = 3, PerClass = 3, MetaBatch = 10, GeneratorWidth = 8, LearnerFilters = 2, Square = 4, MetaSeed = null };

    [Fact]
    public void A_pool_is_drawn_without_replacement_until_it_is_used_up()
    {
        var pool = new ClassPool(7, new Generator(1));
        var drawn = new long[21];
        pool.Next(drawn.AsSpan(0, 5));
        pool.Next(drawn.AsSpan(5, 9));
        pool.Next(drawn.AsSpan(14));
        for (int round = 0; round < 3; round++)
            Assert.Equal([0L, 1, 2, 3, 4, 5, 6], drawn[(7 * round)..(7 * round + 7)].Order());
        Assert.NotEqual(drawn[..7], drawn[7..14]);
        ClassPool[] pools = [new(3, null), new(2, null)];
        long[] rows = new long[6];
        ClassPool.Rows(pools, rows);
        Assert.Equal([0L, 1, 2, 3, 4, 3], rows);
        Assert.Contains("0 images are no pool", Assert.Throws<UsageException>(() => new ClassPool(0, null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Classes_are_paired_anew_in_every_meta_step_and_nothing_but_inputs_changes()
    {
        using var trainer = new MetaTrainer(Tiny, MetaGradientTests.Stream(10), new Generator(1), true);
        var seen = new HashSet<string>();
        for (int i = 0; i < 8; i++)
        {
            trainer.Draw();
            long[][] tasks = [.. trainer.Labels.Select(l => l.ToArray<long>())];
            Assert.All(tasks, t => Assert.Equal(2, t.Distinct().Count()));
            Assert.Equal(10, tasks.SelectMany(t => t).Distinct().Count());
            seen.Add(string.Join(' ', tasks.SelectMany(t => t.Distinct())));
        }
        Assert.Equal(8, seen.Count);
    }

    [Theory]
    [InlineData(MetaOptimizer.Adam, 3e-3)]
    [InlineData(MetaOptimizer.Gradient, 0.3)]
    public void Both_meta_optimisers_lower_the_meta_loss_and_learn_the_rates(MetaOptimizer optimizer, double rate)
    {
        var o = Tiny with { MetaSteps = 30, MetaOptimizer = optimizer, MetaRate = rate, MetaDecay = 1, MetaBatch = 60, Pool = 12, MetaPerClass = 6, LearnerFilters = 4 };
        using var trainer = new MetaTrainer(o, MetaGradientTests.Stream(4), new Generator(1), true);
        var before = trainer.Parameters.ReadRates()[0];
        Assert.Equal((o.InitialRate, o.InitialMomentum), (Math.Round(before.Rate, 6), Math.Round(before.Momentum, 6)));
        // One pairing, one learner, one noise: what falls is the function itself.
        trainer.Draw();
        var noise = trainer.Noise.State;
        double[] losses = [.. Enumerable.Range(0, 30).Select(_ =>
        {
            using var scope = TensorScope.Begin("step");
            trainer.Noise.State = noise;
            return trainer.Body()[0].Item();
        })];
        Assert.True(losses[^1] < losses[0] - 0.02, $"{optimizer}: {string.Join(' ', losses)}");
        Assert.NotEqual(before, trainer.Parameters.ReadRates()[0]);
    }

    [Fact]
    public void Training_that_diverges_stops_and_says_where()
    {
        using var trainer = new MetaTrainer(Tiny with { InitialRate = 1e30 }, MetaGradientTests.Stream(4), new Generator(1), true);
        string message = Assert.Throws<NumericException>(() =>
        {
            for (int i = 0; i < 4; i++)
                trainer.Step();
        }).Message;
        // The rate is that of the step, not what the update has made of it.
        Assert.Matches("^meta-learning: step [1-4] of 4 gave a meta-loss of (NaN|∞|Infinity|[0-9.E+]+) and a meta-gradient of norm (NaN|∞|Infinity|[0-9.E+]+), "
            + "at a learned rate of 1E\\+30 and a momentum of 0.5; the step before .* Lower metaRate", message);
    }

    [Theory]
    [InlineData("meta-synthetic")]
    [InlineData("meta-real")]
    [InlineData("meta-real", "rates=real")]
    [InlineData("meta-gan")]
    [InlineData("meta-mlp")]
    [InlineData("meta-synthetic", "learnerNorm=batch", "testNorm=running", "learnerShrink=maxPool", "curriculum=true", "intermediate=true", "perStepRates=true", "classesPerTask=5")]
    public void Every_control_runs_the_same_from_memory_and_from_scratch(string method, params string[] options) => OpKit.OnFreshThread(() =>
    {
        string[] tiny = ["setting=quick", "metaSteps=3", "ganSteps=2", "pool=8", "metaPerClass=3", "perClass=3", "metaBatch=10", "generatorWidth=8", "learnerFilters=2", "square=4", $"metaSeed={987 + method.Length + (20 * options.Length)}"];
        string Run()
        {
            using var text = new MemoryStream();
            var row = MethodTable.Find(method);
            var spec = new RunSpec(row, "split-digits", Scenario.ClassIncremental, 2, new TrainerOptions(BatchSize: 40),
                new MethodSettings(Options: ((string[])[.. tiny, .. options]).Select(MethodOptions.Pair).ToDictionary(StringComparer.Ordinal)), MaxTrain: 400, MaxTest: 100);
            var stream = StreamTable.Find("split-digits").Build(new StreamRequest(DataFolder.From(null, null), Scenario.ClassIncremental, 2) { MaxTrain = 400, MaxTest = 100 });
            using (var json = new System.Text.Json.Utf8JsonWriter(text))
            {
                json.WriteStartObject();
                MethodRun.WriteJson(json, MethodRun.Execute(spec, stream, null, CancellationToken.None));
                json.WriteEndObject();
            }
            return System.Text.Encoding.UTF8.GetString(text.ToArray());
        }
        // The first learns, the second takes over what was learned: results, final state and work must not show it.
        Assert.Equal(Run(), Run());
    });

    [Fact]
    public void A_gan_takes_over_the_rates_that_synthetic_data_have_learned() => OpKit.OnFreshThread(() =>
    {
        var stream = MetaGradientTests.Stream(10);
        var task = stream.Tasks[0];
        (int Prepared, string State) Train(MetaOptions o)
        {
            using var method = new SyntheticData(stream, new SeedStreams(4), o with { MetaSeed = 4711 });
            method.BeginTask(task, 1);
            int prepared = method.Prepared;
            using (TensorScope.Begin("step"))
                method.Observe(stream.BatchOf(stream.Train, task.Train.AsSpan(0, 2)));
            method.EndTask(task);
            var state = new RunStateWriter();
            method.Persist(state);
            return (prepared, state.Digest());
        }
        // More than there are is all of them either way, so the bits are the same and nothing is remembered from one to the other.
        MetaOptions gan = Tiny with { Source = LearnerSource.Gan, MetaBatch = 10_001 }, other = gan with { MetaBatch = 10_000 };
        var alone = Train(gan);
        Assert.Equal(0, alone.Prepared);
        Assert.Equal(0, Train(Tiny with { MetaBatch = 10_000, GanSteps = 1 }).Prepared);
        Assert.Equal((Tiny.MetaSteps, alone.State), Train(other));
        Assert.Equal((Tiny.MetaSteps + Tiny.GanSteps, alone.State), Train(other));
        // A control without a GAN has nothing but the rates to take over; a rate of its own is another.
        Assert.Equal(Tiny.MetaSteps, Train(other with { Source = LearnerSource.Real }).Prepared);
        Assert.Equal(0, Train(other with { Source = LearnerSource.Real, Rates = LearnerRates.Real }).Prepared);
    });

    [Theory]
    [InlineData(LearnerSource.Synthetic, LearnerRates.Synthetic)]
    [InlineData(LearnerSource.Real, LearnerRates.Real)]
    [InlineData(LearnerSource.Gan, LearnerRates.Fixed)]
    [InlineData(LearnerSource.Gan, LearnerRates.Synthetic, 2)]
    public void Interrupted_after_any_step_of_meta_training_it_ends_with_the_same_bits(LearnerSource source, LearnerRates rates, int parts = 1) => OpKit.OnFreshThread(() =>
    {
        const int steps = 6;
        using var folder = new TemporaryFolder();
        var stream = MetaGradientTests.Stream(10);
        SyntheticData Fresh() => new(stream, new SeedStreams(4), Tiny with { Source = source, Rates = rates, MetaSteps = steps, GanSteps = steps });
        byte[] Train(int interruptedAt)
        {
            var method = Fresh();
            method.BeginTask(stream.Tasks[0], steps);
            for (int i = 0; i < steps; i++)
            {
                if (i == interruptedAt)
                {
                    var saved = new RunStateWriter();
                    method.Persist(saved);
                    saved.Save(folder.File("middle"));
                    method.Dispose();
                    method = Fresh();
                    var reader = new RunStateReader(folder.File("middle"));
                    method.Persist(reader);
                    reader.Finish();
                }
                using var scope = TensorScope.Begin("step");
                method.Observe(stream.BatchOf(stream.Train, stream.Tasks[0].Train.AsSpan(0, 2)));
                Assert.Equal(parts * (i + 1), method.Prepared);
            }
            method.EndTask(stream.Tasks[0]);
            var final = new RunStateWriter();
            method.Persist(final);
            final.Save(folder.File("final"));
            method.Dispose();
            return File.ReadAllBytes(folder.File("final"));
        }
        byte[] alone = Train(-1);
        for (int i = 0; i < steps; i++)
            Assert.Equal(alone, Train(i));
    });

    [Fact]
    public void A_method_knows_what_it_keeps_and_refuses_what_contradicts_itself()
    {
        using var synthetic = new SyntheticData(MetaGradientTests.Stream(10), new SeedStreams(1), Tiny);
        Assert.Equal(32 * new MetaParameters(Tiny, 1, 7, 10, new Generator(1)).Generator!.ParameterCount, synthetic.StorageBits);
        Assert.Contains("0 of 4 steps of meta-training are done", Assert.Throws<UsageException>(() => synthetic.EndTask(MetaGradientTests.Stream(10).Tasks[0])).Message, StringComparison.Ordinal);
        void Refused(string message, params string[] options) => Assert.StartsWith(message, Assert.Throws<UsageException>(() => MethodTable.Find("meta-synthetic")
            .Configure(new MethodSettings(Options: options.Select(MethodOptions.Pair).ToDictionary(StringComparer.Ordinal)))).Message, StringComparison.Ordinal);
        Refused("meta-synthetic: images of a generator come with the rates learned beside them; rates = real.", "rates=real");
        Refused("meta-synthetic: a momentum of 0 cannot be learned", "initialMomentum=0");
        Refused("meta-synthetic: pool = 0 is not a positive number.", "pool=0");
        Refused("meta-synthetic: clip = NaN is not a positive number.", "clip=NaN");
        Assert.StartsWith("meta-learning: 10 classes do not divide into tasks of 3.", Assert.Throws<UsageException>(() =>
            new MetaTrainer(Tiny with { ClassesPerTask = 3 }, MetaGradientTests.Stream(10), new Generator(1), true)).Message, StringComparison.Ordinal);
        Assert.StartsWith("meta-learning: images of 28 x 28 are not squares that divide into squares of 3.", Assert.Throws<UsageException>(() =>
            new MetaTrainer(Tiny with { Square = 3 }, MetaGradientTests.Stream(10), new Generator(1), true)).Message, StringComparison.Ordinal);
        Assert.StartsWith("generator: a side of 7", Assert.Throws<UsageException>(() =>
            new MetaTrainer(Tiny with { Generator = GeneratorKind.Conv }, MetaGradientTests.Stream(10), new Generator(1), true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Pixels_on_the_host_and_on_the_device_are_the_same()
    {
        var stream = MetaGradientTests.Stream(10);
        var pixels = new ImagePixels(stream, 4);
        int[] some = [0, 5, 7];
        using var scope = TensorScope.Begin("test");
        float[] host = pixels.Gather(some), device = pixels.Of(stream.BatchOf(stream.Train, some).X).ToArray<float>();
        Assert.Equal(host.Length, device.Length);
        for (int i = 0; i < host.Length; i++)
            Assert.Equal(host[i], device[i], 1e-5f);
        Assert.InRange(host.Min(), -1, -0.9f);
        Assert.True(host.Max() > 0);
    }

    [Fact]
    public void Pictures_show_every_class()
    {
        using var method = new SyntheticData(MetaGradientTests.Stream(10), new SeedStreams(1), Tiny);
        var pictures = method.Pictures();
        Assert.Equal(["synthetic-strip", "synthetic-samples"], pictures.Select(p => p.Name));
        // Ten images of 7 x 7, each pixel doubled, a gap of 1 between and around them.
        Assert.Equal([1L, 16, 151], pictures[0].Image.Shape.ToArray());
        Assert.Equal([1L, 151, 151], pictures[1].Image.Shape.ToArray());
        Assert.True(pictures[0].Image.As<byte>().Distinct().Count() > 10);
    }

    [Fact]
    public void What_is_learned_is_kept_in_a_folder_for_the_runs_of_other_processes_and_changes_none_of_their_bits() => OpKit.OnFreshThread(() =>
    {
        using TemporaryFolder shared = new(), apart = new();
        var stream = MetaGradientTests.Stream(4);
        RunRecord run(string method, ulong seed, TemporaryFolder folder)
        {
            using var there = TrainedNets.In(folder.Path);
            var row = MethodTable.Find(method);
            var defaults = (MetaOptions)row.Configure(new MethodSettings(Options: new Dictionary<string, string> { ["setting"] = "quick" }));
            var options = Tiny with { MetaSeed = 3, Source = defaults.Source, Rates = defaults.Rates };
            return MethodRun.Execute(new RunSpec(row, stream.Name, stream.Scenario, seed, new TrainerOptions(), new MethodSettings()), options, stream, null, null, default);
        }
        int files(TemporaryFolder folder) => Directory.GetFiles(folder.Path).Length;
        run("meta-synthetic", 0, shared);
        Assert.Equal(1, files(shared));
        // The same generator, and the same rates: nothing new is learned. A GAN is.
        var synthetic = run("meta-synthetic", 1, shared);
        run("meta-real", 1, shared);
        Assert.Equal(1, files(shared));
        var gan = run("meta-gan", 1, shared);
        Assert.Equal(2, files(shared));
        var alone = run("meta-gan", 1, apart);
        Assert.Equal(2, files(apart));
        Assert.Equal(alone.FinalState, gan.FinalState);
        Assert.Equal(alone.Result.Work, gan.Result.Work);
        Assert.NotEqual(synthetic.FinalState, gan.FinalState);
    });

    [Fact]
    public void A_claim_about_a_change_is_reproduced_from_its_four_runs()
    {
        using var folder = new TemporaryFolder();
        using StringWriter text = new(), error = new();
        string[] sets = [.. ((string[])["metaSteps=4", "pool=8", "metaPerClass=3", "perClass=3", "metaBatch=10", "generatorWidth=8", "learnerFilters=2", "square=4", "metaSeed=77", "innerSteps=9"])
            .SelectMany(o => (string[])["--set", o])];
        int code = App.Run(["reproduce", "synthetic/figure5", "--preset", "quick", "--seeds", "2", "--only", "from 5 to 75 inner steps synthetic data lose less than real data", "--out", folder.Path, "--json", folder.File("c.json"), .. sets], text, error);
        Assert.True(code == 0, $"{text}{error}");
        // Steps per task are the row's own; everything else is what --set says.
        var results = Directory.GetFiles(folder.Path, "result.json", SearchOption.AllDirectories).Select(SideFile.Json).ToList();
        Assert.Equal(8, results.Count);
        Assert.All(results, r => Assert.Equal(8, r.GetProperty("options").GetProperty("pool").GetInt32()));
        double mean(string method, int steps) => results.Where(r => r.GetProperty("method").GetString() == method && r.GetProperty("options").GetProperty("innerSteps").GetInt32() == steps)
            .Average(r => r.GetProperty("averageAccuracy").GetDouble());
        double expected = 100 * ((mean("meta-synthetic", 75) - mean("meta-synthetic", 5)) - (mean("meta-real", 75) - mean("meta-real", 5)));
        using var json = System.Text.Json.JsonDocument.Parse(File.ReadAllText(folder.File("c.json")));
        var row = json.RootElement[0];
        Assert.Equal(2, row.GetProperty("n").GetInt32());
        Assert.Equal(expected, row.GetProperty("mean").GetDouble(), 1e-9);
        Assert.NotEqual(0, mean("meta-real", 75) - mean("meta-real", 5));
    }

    [Fact]
    public void The_command_line_writes_pictures_and_refuses_where_there_are_none()
    {
        using var folder = new TemporaryFolder();
        using StringWriter text = new(), error = new();
        string[] run = ["run", "meta-synthetic", "--stream", "split-digits", "--batch", "500", "--set", "setting=quick", "--set", "metaSteps=1", "--set", "square=4", "--set", "metaSeed=none", "--set", "pool=6", "--set", "metaPerClass=2"];
        Assert.True(App.Run([.. run, "--pictures", folder.Path], text, error) == 0, error.ToString());
        Assert.Equal([1L, 16, 151], Png.Read(folder.File("synthetic-strip.png")).Shape.ToArray());
        Assert.Equal(2, App.Run([.. run, "--pictures", folder.Path, "--out", folder.Path], text, error));
        Assert.Contains("there is nothing to picture", error.ToString(), StringComparison.Ordinal);
        Assert.Equal(2, App.Run(["run", "naive", "--stream", "split-digits", "--batch", "3000", "--pictures", folder.Path], text, error));
        Assert.Contains("naive has no pictures to show", error.ToString(), StringComparison.Ordinal);
    }

    /// <summary>Answers class 0 to all, and notes which tasks came in a batch.</summary>
    private sealed class Spy(TaskStream stream) : IMethod
    {
        public List<int> Sizes { get; } = [];

        public long ParameterCount => 0;

        public long StorageBits => 0;

        public void BeginTask(StreamTask task, int steps) => Sizes.Clear();

        public Tensor Observe(Batch batch) => Tensor.Scalar(0f);

        public void EndTask(StreamTask task)
        {
        }

        public Tensor Predict(Tensor images, StreamTask? task)
        {
            Sizes.Add((int)images.Shape[0]);
            var logits = new float[images.Shape[0] * stream.Outputs];
            for (int i = 0; i < images.Shape[0]; i++)
                logits[i * stream.Outputs] = 1;
            return Tensor.From(logits, [images.Shape[0], stream.Outputs]);
        }

        public void Persist(RunState state)
        {
        }

        public void Dispose()
        {
        }
    }

    [Fact]
    public void Mixed_tests_hold_the_classes_seen_so_far_and_count_by_task()
    {
        var stream = MetaGradientTests.Stream(4);
        using var spy = new Spy(stream);
        var result = new Trainer(stream, new TrainerOptions(EvaluationBatch: 6, MixedTests: true)).Run(spy, joint: false, new Generator(1));
        int n0 = stream.Tasks[0].Test.Length, n1 = stream.Tasks[1].Test.Length, zeros = stream.Tasks[0].Test.Count(i => stream.Test.Labels[i] == 0);
        for (int phase = 0; phase <= 2; phase++)
            Assert.Equal([(double)zeros / n0, 0], result.Matrix.Row(phase));
        // After the second task: both at once, in batches that differ by at most one.
        Assert.Equal(n0 + n1, spy.Sizes.Sum());
        Assert.Equal((n0 + n1 + 5) / 6, spy.Sizes.Count);
        Assert.InRange(spy.Sizes.Max() - spy.Sizes.Min(), 0, 1);
        Assert.Throws<UsageException>(() => new Trainer(TaskStream.SplitDigits("d", stream.Train, stream.Test, Scenario.TaskIncremental), new TrainerOptions(MixedTests: true)));
    }
}
