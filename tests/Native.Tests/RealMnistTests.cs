using Native.Benchmarks;
using Native.Methods;

namespace Native.Tests;

/// <summary>A fact that needs the real MNIST files, and says so where they are not.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MnistFactAttribute : FactAttribute
{
    public MnistFactAttribute()
    {
        string? folder = Environment.GetEnvironmentVariable(DataFolder.Variable);
        if (string.IsNullOrEmpty(folder))
            Skip = $"needs the real MNIST files; set {DataFolder.Variable} to a folder that holds mnist/";
        else if (!Directory.Exists(Path.Combine(folder, "mnist")))
            Skip = $"needs the real MNIST files; {DataFolder.Variable}={folder} holds no mnist/";
    }
}

/// <summary>The three bars on the real images; about 25 s on two cores.</summary>
public sealed class RealMnistTests
{
    private static RunRecord Run(string method, int epochs)
    {
        var stream = StreamTable.Find("split-mnist").Build(new StreamRequest(DataFolder.From(null)));
        Assert.Equal("official files (MD5 checked)", stream.Train.Provenance);
        var spec = new RunSpec(MethodTable.Find(method), "split-mnist", Scenario.ClassIncremental, 0, new TrainerOptions(Epochs: epochs), new MethodSettings());
        return MethodRun.Execute(spec, stream, null, CancellationToken.None);
    }

    [MnistFact]
    public void Joint_training_reaches_97_percent_after_two_epochs() => Assert.InRange(Run("joint", 2)["averageAccuracy"] ?? double.NaN, 0.97, 1);

    [MnistFact]
    public void Fine_tuning_ends_at_one_task_and_replay_of_500_images_far_above_it()
    {
        RunRecord naive = Run("naive", 1), er = Run("er", 1);
        Assert.InRange(naive["averageAccuracy"] ?? double.NaN, 0.18, 0.22);
        Assert.InRange(naive["forgetting"] ?? double.NaN, 0.9, 1);
        // Published neighbours: 83.2% (ARM, table 3, on 5,000 images) and 85.7% (CN-DPM's reference code, reservoir).
        Assert.InRange(er["averageAccuracy"] ?? double.NaN, 0.8, 0.95);
        Assert.True(er["forgetting"] < 0.25, $"forgetting {er["forgetting"]}");
        Assert.Equal(500L * 784 * 8, er.StorageBits);
        Assert.Equal(478_410, er.Parameters);
    }
}
