using Native.Methods;

namespace Native.Tests;

/// <summary>What must come out on data that the program makes, in seconds: who is above whom, whatever the exact numbers.</summary>
[Trait("Category", "Cpu")]
public sealed class MyGoOrderTests
{
    private static double Final(TaskStream stream, Func<SeedStreams, IMethod> make, Action<IMethod>? look = null, bool joint = false)
    {
        var seeds = new SeedStreams(1);
        using var method = make(seeds);
        var result = new Trainer(stream, new TrainerOptions(2, 32)).Run(method, joint, seeds.Batch);
        look?.Invoke(method);
        return Metrics.AverageAccuracy(result.Matrix).Value!.Value;
    }

    private static TaskStream Stream(string name, Scenario scenario) =>
        StreamTable.Find(name).Build(new StreamRequest(DataFolder.From(null, null), scenario) { MaxTrain = 2000, MaxTest = 400 });

    private static double Baseline(TaskStream stream, MyGoBaseline kind) =>
        Final(stream, s => new MyGoComparison(stream, s, kind, new MyGoComparisonOptions(TrainingAccuracy: false)), joint: kind == MyGoBaseline.Joint);

    [Theory]
    [InlineData("split-digits", 0.03)]
    [InlineData("topics-2", 0.1)]
    public void Features_that_learn_are_above_random_ones_and_dreams_keep_them(string name, double margin) => OpKit.OnFreshThread(() =>
    {
        var stream = Stream(name, Scenario.TaskIncremental);
        var options = new MyGoOptions(SleepSteps: 100, SleepBatch: 32, TrainingAccuracy: false);
        double literal = Final(stream, s => new MyGo(stream, s, options with { Variant = MyGoVariant.Literal })),
            repaired = Final(stream, s => new MyGo(stream, s, options)), frozen = Baseline(stream, MyGoBaseline.Frozen), joint = Baseline(stream, MyGoBaseline.Joint);
        Assert.Equal(frozen, literal);
        Assert.True(repaired > literal + margin, $"repaired {repaired}, literal {literal}");
        Assert.True(repaired > joint - 0.03, $"repaired {repaired}, joint {joint}");
    });

    [Fact]
    public void Dreams_of_a_vae_mind_the_class_that_was_asked_for() => OpKit.OnFreshThread(() =>
    {
        var stream = Stream("split-digits", Scenario.TaskIncremental);
        double accuracy = double.NaN;
        Final(stream, s => new MyGo(stream, s, new MyGoOptions(Memory: MemoryKind.Vae, MemoryUpdates: 12, SleepSteps: 5, TrainingAccuracy: false)),
            m => accuracy = ((MyGo)m).Measure(CancellationToken.None).First(f => f.Key == "dreamAccuracy").Value!.Value);
        // Chance is a half; a label is drawn for each of 1000 dreams of 5 tasks.
        Assert.True(accuracy > 0.55, $"{accuracy}");
    });

    [Fact]
    public void One_head_for_all_tasks_forgets_and_training_together_does_not() => OpKit.OnFreshThread(() =>
    {
        var stream = Stream("split-digits", Scenario.DomainIncremental);
        double tuned = Baseline(stream, MyGoBaseline.Finetune), joint = Baseline(stream, MyGoBaseline.Joint);
        Assert.True(joint > tuned + 0.05, $"joint {joint}, fine-tuning {tuned}");
    });

    [Fact]
    public void A_flow_undoes_itself_and_its_volume_is_that_of_its_derivative() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin();
        var random = new Generator(1);
        using var flow = new FlowMemory(new MemorySizes(2, 3, Bounded: false, Hidden: 8, Latent: 1, Rate: 1e-3), random);
        Tensor x = Tensor.Randn([1, 3], random), classes = Tensor.From(1L);
        var (code, volume) = flow.Code(x, classes);
        Assert.All(flow.Item(code, classes).ToArray<float>().Zip(x.ToArray<float>()), p => Assert.Equal(p.Second, p.First, 1e-4f));
        // The determinant of the Jacobian by differences.
        const float h = 1e-2f;
        double[,] j = new double[3, 3];
        for (int k = 0; k < 3; k++)
        {
            float[] up = x.ToArray<float>(), down = x.ToArray<float>();
            up[k] += h;
            down[k] -= h;
            float[] a = flow.Code(Tensor.From(up, [1, 3]), classes).Code.ToArray<float>(), b = flow.Code(Tensor.From(down, [1, 3]), classes).Code.ToArray<float>();
            for (int i = 0; i < 3; i++)
                j[i, k] = (a[i] - b[i]) / (2 * h);
        }
        double determinant = j[0, 0] * (j[1, 1] * j[2, 2] - j[1, 2] * j[2, 1]) - j[0, 1] * (j[1, 0] * j[2, 2] - j[1, 2] * j[2, 0]) + j[0, 2] * (j[1, 0] * j[2, 1] - j[1, 1] * j[2, 0]);
        Assert.Equal(Math.Log(determinant), volume.Item(), 5e-3);
        Assert.NotEqual(0, volume.Item());
    });
}
