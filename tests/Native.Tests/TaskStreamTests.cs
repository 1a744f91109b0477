using Native.Methods;

namespace Native.Tests;

public sealed class TaskStreamTests
{
    /// <summary>Images of four pixels; the first is the label, the second the index, so that they can be recognised.</summary>
    internal static ImageSet Tiny(string name, int count, int classes = 10)
    {
        var pixels = new byte[count * 4];
        var labels = new int[count];
        for (int i = 0; i < count; i++)
            (pixels[4 * i], pixels[4 * i + 1], labels[i]) = ((byte)(i % classes), (byte)i, i % classes);
        return new ImageSet(name, pixels, labels, count, 1, 2, 2, "made by the test");
    }

    internal static TaskStream Stream(Scenario scenario, int train = 60, int test = 20, Generator? order = null) =>
        TaskStream.SplitDigits("tiny", Tiny("tiny train", train), Tiny("tiny test", test), scenario, order);

    [Fact]
    public void Class_incremental_tasks_are_pairs_in_order_with_a_head_of_ten()
    {
        var s = Stream(Scenario.ClassIncremental);
        Assert.Equal(["{0,1}", "{2,3}", "{4,5}", "{6,7}", "{8,9}"], s.Tasks.Select(t => t.Name));
        Assert.Equal(10, s.Outputs);
        Assert.Equal(Enumerable.Range(0, 60), s.Tasks.SelectMany(t => t.Train).Order());
        Assert.All(s.Tasks, t => Assert.All(t.Train, i => Assert.Contains(s.Train.Labels[i], t.Classes)));
        Assert.All(s.Tasks, t => Assert.All(t.Test, i => Assert.Contains(s.Test.Labels[i], t.Classes)));
        Assert.Equal(Enumerable.Range(0, 10), Enumerable.Range(0, 10).Select(s.Target));
    }

    [Fact]
    public void Domain_incremental_targets_are_the_parity_and_tasks_share_two_outputs()
    {
        var s = Stream(Scenario.DomainIncremental);
        Assert.Equal(2, s.Outputs);
        Assert.All(Enumerable.Range(0, 10), label => Assert.Equal(label % 2, s.Target(label)));
        Assert.All(s.Tasks, t => Assert.Equal([0, 1], t.Outputs));
    }

    [Fact]
    public void Batches_carry_pixels_targets_and_in_task_incremental_a_mask()
    {
        using var scope = TensorScope.Begin();
        var s = Stream(Scenario.TaskIncremental);
        var b = s.BatchOf(s.Train, [3, 28]);
        Assert.Equal([3 / 255f, 3 / 255f, 0, 0, 8 / 255f, 28 / 255f, 0, 0], b.X.ToArray<float>());
        Assert.Equal([3L, 8L], b.Y.ToArray<long>());
        Assert.Equal([1, 4], b.Tasks);
        var mask = b.Mask!.ToArray<float>();
        Assert.Equal([2, 3], Enumerable.Range(0, 10).Where(i => mask[i] == 0));
        Assert.Equal([8, 9], Enumerable.Range(0, 10).Where(i => mask[10 + i] == 0));
        Assert.Null(Stream(Scenario.ClassIncremental).BatchOf(s.Train, [0]).Mask);
        // Two equal logits that compete: ln 2, however large the others are.
        var logits = Tensor.From([50f, 50, 1, 1, 50, 50, 50, 50, 50, 50], [1, 10]);
        Assert.Equal(Math.Log(2), s.BatchOf(s.Train, [3]).Loss(logits).Item(), 1e-6);
    }

    [Fact]
    public void The_union_holds_every_training_image_once()
    {
        var union = Stream(Scenario.ClassIncremental).Union();
        Assert.Equal(-1, union.Index);
        Assert.Equal(Enumerable.Range(0, 60), union.Train.Order());
        Assert.Empty(union.Test);
    }

    [Fact]
    public void A_drawn_class_order_is_a_permutation_that_the_seed_decides()
    {
        var s = Stream(Scenario.DomainIncremental, order: new SeedStreams(5).Order);
        Assert.Equal(Enumerable.Range(0, 10), s.ClassOrder.Order());
        Assert.NotEqual(Enumerable.Range(0, 10), s.ClassOrder);
        Assert.Equal(s.ClassOrder, Stream(Scenario.DomainIncremental, order: new SeedStreams(5).Order).ClassOrder);
        Assert.All(s.Tasks, t => Assert.Equal([0, 1], t.Classes.Select(s.Target)));
    }

    [Fact]
    public void Sequences_of_one_seed_are_independent()
    {
        SeedStreams a = new(1), b = new(1);
        a.Noise.NextUInt32();
        Assert.Equal(a.Batch.NextUInt32(), b.Batch.NextUInt32());
        var seeds = new[] { a.Init, a.Order, a.Batch, a.Noise, a.Replay }.Select(g => g.Seed);
        Assert.Equal(5, seeds.Distinct().Count());
    }

    [Fact]
    public void Data_that_cannot_be_cut_are_refused()
    {
        Assert.Equal("stream: few has no image of class 5; 10 classes are wanted. Use a larger set.",
            Assert.Throws<UsageException>(() => TaskStream.SplitDigits("s", Tiny("few", 5), Tiny("t", 20), Scenario.ClassIncremental)).Message);
        Assert.Equal("stream: 10 classes do not divide into tasks of 3. Choose a divisor.",
            Assert.Throws<UsageException>(() => TaskStream.Split("s", Tiny("a", 20), Tiny("b", 20), Scenario.ClassIncremental, 10, 3)).Message);
        Assert.Equal("scenario: 'clas' is not known; there are class, task, domain. Did you mean 'class'?",
            Assert.Throws<UsageException>(() => Scenarios.Parse("clas")).Message);
    }
}
