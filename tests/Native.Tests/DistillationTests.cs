using Native.Benchmarks;
using Native.Methods;

namespace Native.Tests;

/// <summary>Distillation of Scalable Recollections: what is stored, what a student is shown, and that a run survives its end.</summary>
[Trait("Category", "Cpu")]
public sealed class DistillationTests
{
    private static readonly DistillationOptions Tiny = new(Variables: 8, Items: 40, Episodes: 30, Epochs: 1, Batch: 20, Student: DistillNet.Mlp, Teacher: DistillNet.Mlp);

    private static Mlp Untrained(TaskStream stream) => new Mlp(stream.InputSize, stream.Outputs, new Generator(1), 20);

    private static DiscreteAutoEncoder Coder(int variables = 8) => new(new CodeSize(variables, 2), 1, 28, new Generator(2));

    [Theory]
    [InlineData(168, 10.07)]
    [InlineData(62, 50.3)]
    [InlineData(38, 101.5)]
    public void Total_compression_is_what_the_columns_say(int variables, double times) => OpKit.OnFreshThread(() =>
    {
        var size = new CodeSize(variables, 2);
        Assert.Equal(times, 50_000 * 6272.0 / size.TotalBits(50_000, 1), 0.05);
        var stream = DistortionTests.Digits(60, 20);
        using var method = new DistillationStudy(stream, new SeedStreams(0), Tiny with { Variables = variables, Items = 50 });
        Assert.Equal(size.TotalBits(50, 1), method.StorageBits);
        using var code = new DistillationStudy(stream, new SeedStreams(0), Tiny with { Variables = variables, Items = 50, Sampling = DistillSampling.Code });
        Assert.Equal(size.TotalBits(0, 1), code.StorageBits);
        using var sample = new DistillationStudy(stream, new SeedStreams(0), Tiny with { Source = DistillSource.Sample, Share = 0.1, Items = 50 });
        Assert.Equal(5 * 6272, sample.StorageBits);
    });

    [Theory]
    [InlineData(DistillSource.Real, DistillTargets.Labels, Scenario.ClassIncremental)]
    [InlineData(DistillSource.Real, DistillTargets.Teacher, Scenario.ClassIncremental)]
    [InlineData(DistillSource.Recollections, DistillTargets.Teacher, Scenario.ClassIncremental)]
    [InlineData(DistillSource.Recollections, DistillTargets.Teacher, Scenario.TaskIncremental)]
    public void A_student_is_shown_images_and_told_the_teachers_answers_to_those_very_images(DistillSource source, DistillTargets targets, Scenario scenario) => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin("test");
        using var constant = Autograd.NoGrad();
        var stream = StreamTable.Find("split-digits").Build(new StreamRequest(DataFolder.From(null, null), scenario) { MaxTrain = 60, MaxTest = 20 });
        using var teacher = Untrained(stream);
        using var coder = Coder();
        bool real = source == DistillSource.Real;
        using var memory = new DistillationMemory(stream, Tiny with { Source = source, Targets = targets }, targets == DistillTargets.Teacher ? teacher : null, real ? null : coder, new Generator(5));
        Assert.Equal(40, memory.Count);
        var (x, y, mask) = memory.Take(Tensor.Arange(0, 40, dtype: DType.I64));
        Assert.Equal(scenario == Scenario.TaskIncremental, mask is not null);
        float[] shown = x.ToArray<float>(), told = y.ToArray<float>();
        if (targets == DistillTargets.Teacher)
        {
            var logits = teacher.Predict(x);
            NnKit.Near((mask is null ? logits : logits + mask).Softmax(1).ToArray<float>().Select(v => (double)v).ToArray(), y.To(DType.F64), 1e-5, "targets");
        }
        if (mask is not null)
            for (int i = 0; i < 40; i++)
                Assert.Equal(2, Enumerable.Range(0, 10).Count(c => told[i * 10 + c] > 0));
        // Real images are rows of the training set, each once, with their classes.
        var rows = Enumerable.Range(0, 60).ToDictionary(i => string.Join(',', stream.Train.Image(i).ToArray()), i => i);
        var found = Enumerable.Range(0, 40).Select(i => rows.GetValueOrDefault(string.Join(',', stream.Scale.Bytes(shown.AsSpan(i * 784, 784))), -1)).ToList();
        if (!real)
            Assert.All(found, f => Assert.Equal(-1, f));
        else
            Assert.Equal(40, found.Distinct().Count(f => f >= 0));
        if (targets == DistillTargets.Labels)
            for (int i = 0; i < 40; i++)
                Assert.Equal(1f, told[i * 10 + stream.Train.Labels[found[i]]]);
    });

    [Fact]
    public void Diverse_candidates_are_those_of_algorithm_3_on_the_images_themselves() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin("test");
        var stream = DistortionTests.Digits(60, 20);
        using var teacher = Untrained(stream);
        var o = Tiny with { Source = DistillSource.Real, Sampling = DistillSampling.Diverse, Candidates = 4, Spread = 5 };
        using var memory = new DistillationMemory(stream, o, teacher, null, new Generator(5));
        long[] drawn = memory.Draw(20, new Generator(6));
        Assert.Equal(20, drawn.Distinct().Count());
        var x = memory.Take(Tensor.From(drawn, [20])).X;
        int[] expected = Msss.Choose(x.MatMul(x.T).ToArray<float>(), 4, new Generator(7));
        Assert.Equal(expected.Select(i => drawn[i]), memory.Thin(drawn, new Generator(7)));
    });

    [Theory]
    [InlineData(DistillSampling.Active)]
    [InlineData(DistillSampling.Diverse)]
    [InlineData(DistillSampling.Determinantal)]
    public void The_student_learns_from_the_candidate_of_its_largest_loss(DistillSampling sampling) => OpKit.OnFreshThread(() =>
    {
        var stream = DistortionTests.Digits(60, 20);
        var o = Tiny with { Source = DistillSource.Real, Targets = DistillTargets.Labels, Sampling = sampling, Candidates = 5, Spread = 3, SecondRate = null, Episodes = 10 };
        using var method = new DistillationStudy(stream, new SeedStreams(3), o);
        var task = stream.Union();
        method.BeginTask(task, 10);
        for (int i = 0; i < 10; i++)
        {
            using var scope = TensorScope.Begin("step");
            method.Observe(stream.BatchOf(stream.Train, task.Train.AsSpan(0, 2)));
            var (losses, taken) = method.LastChoice;
            Assert.Equal(5, losses.Length);
            Assert.Equal(losses.Max(), taken, 1e-5);
            Assert.True(losses.Max() > losses.Min());
        }
    });

    [Theory]
    [InlineData(DistillSampling.Random, DistillSource.Recollections)]
    [InlineData(DistillSampling.Code, DistillSource.Recollections)]
    [InlineData(DistillSampling.Diverse, DistillSource.Sample)]
    public void Interrupted_after_any_step_it_ends_with_the_same_bits_and_figures(DistillSampling sampling, DistillSource source) => OpKit.OnFreshThread(() =>
    {
        var o = Tiny with { Sampling = sampling, Source = source, Share = 0.8, Candidates = 3, Spread = 2, ModelSeed = 900 + (int)sampling };
        var stream = DistortionTests.Digits(60, 20);
        Same(stream, () => new DistillationStudy(stream, new SeedStreams(4), o), 6);
    });

    [Fact]
    public void An_interrupted_study_of_two_rates_ends_with_the_same_bits_and_figures() => OpKit.OnFreshThread(() =>
    {
        var stream = DistortionTests.Digits(60, 20);
        Same(stream, () => new AutoEncoderStudy(stream, new SeedStreams(41), new AutoEncoderOptions(Variables: 8, Epochs: 2, Batch: 20, Rates: 2, Samples: 10)), 12);
    });

    [Fact]
    public void A_teacher_taken_over_from_a_folder_gives_the_same_result_and_the_same_work() => OpKit.OnFreshThread(() =>
    {
        using var folder = new TemporaryFolder();
        string[] options = ["variables=8", "items=40", "episodes=20", "epochs=1", "batch=20", "teacher=lenet5", "student=mlp"];
        string Once()
        {
            using var text = new MemoryStream();
            using (var json = new System.Text.Json.Utf8JsonWriter(text))
            {
                json.WriteStartObject();
                MethodRun.WriteJson(json, DistortionTests.Run("srm-distill", DistortionTests.Digits(60, 20), options));
                json.WriteEndObject();
            }
            return System.Text.Encoding.UTF8.GetString(text.ToArray());
        }
        string first, second;
        using (TrainedNets.In(folder.File("trained")))
        {
            first = Once();
            Assert.Equal(2, Directory.GetFiles(folder.File("trained")).Length);
            second = Once();
            Assert.Equal(first, second);
            foreach (string file in Directory.GetFiles(folder.File("trained")))
                File.WriteAllBytes(file, File.ReadAllBytes(file)[..^40]);
            Assert.ThrowsAny<TensorException>(Once);
        }
        Assert.Equal(first, Once());
    });

    [Fact]
    public void Students_of_drawn_digits_learn_from_recollections_and_little_from_random_codes() => OpKit.OnFreshThread(() =>
    {
        var stream = DistortionTests.Digits(1500, 300);
        double Last(params string[] options) => DistortionTests.Run("srm-distill", stream,
            ["variables=38", "epochs=14", "batch=10", "teacher=mlp", "episodes=1500", "student=mlp", "secondRate=none", .. options])["episodes1500"]!.Value;
        double real = Last("source=real"), codes = Last(), random = Last("sampling=code");
        Assert.True(real > 0.7, $"real {real}, recollections {codes}, random codes {random}");
        Assert.True(codes > 0.5 && codes > random + 0.05, $"recollections {codes}, random codes {random}");
    });

    // Runs the method through with a state saved, and read back into a fresh one, before each step in turn.
    private static void Same<T>(TaskStream stream, Func<T> fresh, int steps) where T : IMethod, IMeasured
    {
        using var folder = new TemporaryFolder();
        (byte[] State, string Figures) train(int interruptedAt)
        {
            var method = fresh();
            var task = stream.Union();
            method.BeginTask(task, steps);
            for (int i = 0; i < steps; i++)
            {
                if (i == interruptedAt)
                {
                    var saved = new RunStateWriter();
                    method.Persist(saved);
                    saved.Save(folder.File("middle"));
                    method.Dispose();
                    method = fresh();
                    var reader = new RunStateReader(folder.File("middle"));
                    method.Persist(reader);
                    reader.Finish();
                }
                using var scope = TensorScope.Begin("step");
                method.Observe(stream.BatchOf(stream.Train, task.Train.AsSpan(0, 2)));
            }
            method.EndTask(task);
            var final = new RunStateWriter();
            method.Persist(final);
            final.Save(folder.File("final"));
            string figures = string.Join('\n', method.Measure(CancellationToken.None).Select(m => $"{m.Key} {m.Value:R} {m.Reason}"));
            method.Dispose();
            return (File.ReadAllBytes(folder.File("final")), figures);
        }
        // Trained anew each time: what another run has trained would make the first step the last.
        int runs = 0;
        (byte[] State, string Figures) alone(int at)
        {
            using var own = TrainedNets.In(folder.File($"run{runs++}"));
            return train(at);
        }
        var whole = alone(-1);
        for (int i = 0; i < steps; i++)
        {
            var (state, figures) = alone(i);
            Assert.Equal(whole.Figures, figures);
            Assert.Equal(whole.State, state);
        }
    }
}
