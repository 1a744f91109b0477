using Native.Methods;

namespace Native.Tests;

/// <summary>What recollections are for: more of a past that costs the same bits (Scalable Recollections, table 1), on drawn digits that turn.</summary>
public sealed class RecollectionOrderTests
{
    private const int Train = 300, Variables = 26, Categories = 4, Items = 600, Images = 5;

    // Larger steps than the paper's, for fewer of them.
    private const double Rate = 0.05, CodeRate = 3e-3;

    private static readonly Lazy<TaskStream> Turning = new(() => StreamTable.Find("digits-rotations").Build(
        new StreamRequest(DataFolder.From(null), Scenario.DomainIncremental, 0) { MaxTrain = Train, MaxTest = 100 }));

    private static double Retention(Func<SeedStreams, IMethod> make, int batch)
    {
        double sum = 0;
        for (ulong seed = 0; seed < 2; seed++)
        {
            var seeds = new SeedStreams(seed);
            using var method = make(seeds);
            sum += new Trainer(Turning.Value, new TrainerOptions(BatchSize: batch)).Run(method, false, seeds.Batch).Matrix.Row(20).Average();
        }
        return sum / 2;
    }

    [Fact]
    public void Recollections_retain_more_than_real_images_of_the_same_bits()
    {
        // 600 items of 52 bits and 5 images of 6272.
        Assert.True(new CodeSize(Variables, Categories).IncrementalBits(Items) <= Images * StoredBits.Image(1, 28, 28));
        var options = new RecollectionOptions(Variables, Categories, Items, ReplayBatch: 10, LearningRate: Rate, CodeRate: CodeRate, Width: 50);
        double codes = Retention(s => new RecollectionReplay(Turning.Value, s, options), 3);
        double real = Retention(s => new RealReplay(Turning.Value, s, new RealReplayOptions(Rate, Images, ReplayBatch: 10, Width: 50)), 3);
        Assert.True(codes > real + 0.02, $"recollections {codes:P1}, real images {real:P1}");
    }

    [Fact]
    public void Gem_with_recollections_retains_more_than_with_real_images_of_the_same_bits()
    {
        // One image a task is the least that Gem keeps: 20 images, against 60 codes a task.
        var options = new RecollectionGemOptions(Variables, Categories, 1200, CodeRate: CodeRate, CodeBatch: 3, Width: 50);
        Assert.True(new CodeSize(Variables, Categories).IncrementalBits(1200) <= 20 * StoredBits.Image(1, 28, 28));
        double codes = Retention(s => new RecollectionGem(Turning.Value, s, options), 6);
        double real = Retention(s => new Gem(Turning.Value, s, new GemOptions(Capacity: 20, Width: 50), Recollections.Predictor(Turning.Value, s, 50)), 6);
        Assert.True(codes > real + 0.02, $"recollections {codes:P1}, real images {real:P1}");
    }
}
