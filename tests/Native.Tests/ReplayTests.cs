using Native.Methods;

namespace Native.Tests;

public sealed class ReplayTests
{
    private static ReservoirBuffer Filled(int capacity, int offered, ulong seed)
    {
        var buffer = new ReservoirBuffer(capacity, 4, new Generator(seed));
        for (int i = 0; i < offered; i++)
            buffer.Add([(byte)i, 1, 2, 3], i, i % 5);
        return buffer;
    }

    [Fact]
    public void The_first_images_are_all_kept()
    {
        var buffer = Filled(10, 7, 0);
        Assert.Equal(7, buffer.Count);
        Assert.Equal(Enumerable.Range(0, 7), Enumerable.Range(0, 7).Select(buffer.TargetAt));
    }

    [Fact]
    public void Every_item_offered_is_kept_with_the_same_probability()
    {
        const int Capacity = 10, Offered = 40, Runs = 4000;
        var kept = new int[Offered];
        for (ulong seed = 0; seed < Runs; seed++)
        {
            var buffer = Filled(Capacity, Offered, seed);
            Assert.Equal(Capacity, buffer.Count);
            for (int slot = 0; slot < Capacity; slot++)
                kept[buffer.TargetAt(slot)]++;
        }
        // Each is kept in a quarter of the runs: 1000 +- 27; five deviations allow for forty of them.
        Assert.All(kept, n => Assert.InRange(n, 1000 - 137, 1000 + 137));
        // Ten offered after each other are a quarter of what is kept: 10,000 +- 76. A memory that favours early or late items by 4% shows here.
        Assert.All(kept.Chunk(10).Select(g => g.Sum()), n => Assert.InRange(n, 10_000 - 380, 10_000 + 380));
    }

    [Fact]
    public void Storage_is_counted_as_the_papers_do() => Assert.Equal(500L * 6272, new ReservoirBuffer(500, 784, new Generator(0)).StorageBits);

    [Fact]
    public void Draws_are_different_images_of_other_tasks_with_their_own_pixels()
    {
        using var scope = TensorScope.Begin();
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental);
        var buffer = new ReservoirBuffer(30, stream.InputSize, new Generator(3));
        foreach (var task in stream.Tasks)
            buffer.Add(stream.BatchOf(stream.Train, task.Train.AsSpan(0, 5)));
        var seen = new HashSet<int>();
        for (int n = 0; n < 50; n++)
        {
            var batch = buffer.Draw(stream, 10, exceptTask: 2)!;
            Assert.Equal(10, batch.Count);
            Assert.Equal(10, Enumerable.Range(0, 10).Select(i => batch.Pixels[4 * i + 1]).Distinct().Count());
            for (int i = 0; i < batch.Count; i++)
            {
                Assert.NotEqual(2, batch.Tasks[i]);
                Assert.Equal(batch.Targets[i], batch.Pixels[4 * i]);
                seen.Add(batch.Pixels[4 * i + 1]);
            }
        }
        Assert.Equal(20, seen.Count);
    }

    [Fact]
    public void A_memory_without_other_tasks_draws_nothing_and_a_small_one_what_it_has()
    {
        using var scope = TensorScope.Begin();
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental);
        var buffer = new ReservoirBuffer(30, stream.InputSize, new Generator(3));
        Assert.Null(buffer.Draw(stream, 10, exceptTask: 0));
        buffer.Add(stream.BatchOf(stream.Train, stream.Tasks[0].Train.AsSpan(0, 3)));
        Assert.Null(buffer.Draw(stream, 10, exceptTask: 0));
        Assert.Equal(3, buffer.Draw(stream, 10, exceptTask: 1)!.Count);
    }

    [Fact]
    public void A_memory_of_nothing_is_refused() =>
        Assert.StartsWith("replay: 0 images of 784 bytes", Assert.Throws<UsageException>(() => new ReservoirBuffer(0, 784, new Generator(0))).Message);
}
