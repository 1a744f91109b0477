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

    // Pearson's statistic against equal shares; 61.1 is the 99.9% point at 31 degrees of freedom.
    private static double ChiSquare(int[] counts)
    {
        double mean = counts.Average();
        return counts.Sum(c => (c - mean) * (c - mean) / mean);
    }

    [Fact]
    public void What_is_kept_and_what_is_drawn_are_uniform_by_chi_square()
    {
        const int Items = 32, Capacity = 8, Runs = 3000;
        var (kept, drawn) = (new int[Items], new int[Items]);
        for (ulong seed = 0; seed < Runs; seed++)
        {
            var buffer = Filled(Capacity, Items, seed + 10_000);
            for (int slot = 0; slot < Capacity; slot++)
                kept[buffer.TargetAt(slot)]++;
            foreach (int slot in buffer.DrawSlots(3, exceptTask: -1))
                drawn[buffer.TargetAt(slot)]++;
        }
        // Of those kept, exactly Capacity per run: the counts vary less than independent ones, by a quarter.
        Assert.InRange(ChiSquare(kept), 5, 61.1);
        Assert.InRange(ChiSquare(drawn), 5, 61.1);
    }

    [Fact]
    public void A_batch_drawn_together_favours_later_images_as_the_released_code_does()
    {
        // Ten places are full of the first ten images, so each of the next ten takes one of them: 10 (9/10)^10 = 3.487 are left, where algorithm R leaves 5.
        using var scope = TensorScope.Begin();
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental, train: 200);
        int[] images = [.. stream.Tasks[0].Train.Take(20)];
        (int Together, int Single) left = (0, 0);
        const int Runs = 2000;
        for (ulong seed = 0; seed < Runs; seed++)
            foreach (bool together in (bool[])[true, false])
            {
                var buffer = new ReservoirBuffer(10, stream.InputSize, new Generator(seed));
                buffer.Add(stream.BatchOf(stream.Train, images.AsSpan(0, 10)), together);
                int[] slots = buffer.Add(stream.BatchOf(stream.Train, images.AsSpan(10, 10)), together);
                int old = 10 - slots.Where(s => s >= 0).Distinct().Count();
                if (together)
                    left.Together += old;
                else
                    left.Single += old;
            }
        // Standard errors 0.02 and 0.03.
        Assert.InRange(left.Together / (double)Runs, 3.39, 3.59);
        Assert.InRange(left.Single / (double)Runs, 4.85, 5.15);
    }

    [Fact]
    public void A_batch_that_fills_the_memory_draws_for_the_rest_among_what_fills_it()
    {
        using var scope = TensorScope.Begin();
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental, train: 200);
        var buffer = new ReservoirBuffer(15, stream.InputSize, new Generator(0));
        int[] slots = buffer.Add(stream.BatchOf(stream.Train, stream.Tasks[0].Train.AsSpan(0, 20)), together: true);
        Assert.Equal(Enumerable.Range(0, 15), slots[..15]);
        Assert.All(slots[15..], s => Assert.InRange(s, 0, 14));
        Assert.Equal(20, buffer.Offered);
    }

    [Fact]
    public void Draws_stay_uniform_over_other_tasks_while_images_come_and_go()
    {
        // After each insertion one draw, the excluded task changing now and then: the books on who is eligible must follow.
        var buffer = new ReservoirBuffer(12, 4, new Generator(1));
        var random = new Generator(2);
        var seen = new Dictionary<int, int>();
        for (int i = 0; i < 6000; i++)
        {
            buffer.Add([(byte)i, 1, 2, 3], i, (int)random.NextInt64(4));
            int except = i / 40 % 5;
            int[] slots = buffer.DrawSlots(12, except);
            int[] eligible = [.. Enumerable.Range(0, buffer.Count).Where(s => buffer.TaskAt(s) != except)];
            Assert.Equal(eligible, slots.Order());
            if (eligible.Length == 9)
            {
                int first = Array.IndexOf(eligible, buffer.DrawSlots(1, except)[0]);
                seen[first] = seen.GetValueOrDefault(first) + 1;
            }
        }
        Assert.Equal(9, seen.Count);
        // 26.1 is the 99.9% point at 8 degrees of freedom.
        Assert.InRange(ChiSquare([.. seen.Values]), 0, 26.1);
    }

    [Fact]
    public void Herding_takes_next_what_brings_the_mean_nearest()
    {
        // Mean 4. First the 4; then 2 (mean 3) ties with 6 (mean 5) and comes first; then 6 (mean 4); then 1 ties with 7.
        Assert.Equal([2, 1, 3, 0], ExemplarSets.Herd([1f, 2, 4, 6, 7], 1, 4));
        // Two features, mean (0, 0): the nearest, (0.5, 0); then (-3, 0), which halves to -1.25 where (3, 0) halves to 1.75; then (3, 0).
        Assert.Equal([3, 1, 0], ExemplarSets.Herd([3f, 0, -3, 0, 0, 5, 0.5f, 0, -0.5f, -5], 2, 3));
        Assert.Equal(3, ExemplarSets.Herd([1f, 2, 3], 1, 9).Length);
        Assert.Throws<NumericException>(() => ExemplarSets.Herd([float.NaN, 1], 1, 1));
    }

    [Fact]
    public void Exemplar_sets_shrink_from_their_end_when_classes_come()
    {
        using var scope = TensorScope.Begin();
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental);
        var sets = new ExemplarSets(8, 4);
        byte[][] images(int label) => [.. Enumerable.Range(0, 6).Select(i => new byte[] { (byte)label, (byte)i, 0, 0 })];
        sets.Add([(0, 0, images(0)), (1, 0, images(1))]);
        Assert.Equal([0, 1, 2, 3], sets.BatchOf(stream, 1).Pixels.Chunk(4).Select(p => (int)p[1]));
        sets.Add([(2, 1, images(2)), (3, 1, images(3))]);
        Assert.Equal([0, 1, 2, 3], sets.Classes);
        foreach (int label in sets.Classes)
        {
            var batch = sets.BatchOf(stream, label);
            Assert.Equal([0, 1], batch.Pixels.Chunk(4).Select(p => (int)p[1]));
            Assert.All(batch.Targets, t => Assert.Equal(label, t));
            Assert.All(batch.Tasks, t => Assert.Equal(label / 2, t));
        }
        Assert.Equal(8, sets.Count);
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
