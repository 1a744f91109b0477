using System.Diagnostics;

namespace Native.Tests;

/// <summary>Tests that change the number of threads must not run beside others that measure or change it.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class WorkersCollection
{
    public const string Name = "Workers";
}

/// <summary>The thread pool: every chunk once, from any number of callers, nested, failing, resized, without allocation.</summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed class WorkersTests : IDisposable
{
    private readonly int before = Workers.Count;

    public void Dispose() => Workers.SetCount(before);

    [Fact]
    public void Every_chunk_runs_exactly_once()
    {
        foreach (int threads in new[] { 1, 2, 4, 3 })
        {
            Workers.SetCount(threads);
            for (int round = 0; round < 300; round++)
            {
                int chunks = round % 67;
                CountJob job = new() { Counts = new int[67] };
                Workers.Run(chunks, ref job);
                for (int i = 0; i < 67; i++)
                    Assert.Equal(i < chunks ? 1 : 0, job.Counts[i]);
            }
        }
    }

    [Fact]
    public void Helpers_take_part()
    {
        Workers.SetCount(3);
        HashSet<int> seen = [];
        for (long start = Stopwatch.GetTimestamp(); seen.Count < 2 && Stopwatch.GetElapsedTime(start).TotalSeconds < 10;)
        {
            ThreadJob job = new() { Threads = new int[8] };
            Workers.Run(8, ref job);
            seen.UnionWith(job.Threads);
        }
        Assert.True(seen.Count >= 2, "only the caller ever ran a chunk");
    }

    [Fact]
    public void The_exception_of_the_lowest_failing_chunk_reaches_the_caller()
    {
        foreach (int threads in new[] { 1, 4 })
        {
            Workers.SetCount(threads);
            for (int round = 0; round < 50; round++)
            {
                FailJob job = new() { From = 5 };
                InvalidOperationException e = Assert.Throws<InvalidOperationException>(() => Workers.Run(20, ref job));
                Assert.Equal("chunk 5", e.Message);
            }
            CountJob after = new() { Counts = new int[8] };
            Workers.Run(8, ref after);
            Assert.All(after.Counts, n => Assert.Equal(1, n));
        }
    }

    [Fact]
    public void Nested_runs_are_done_inline()
    {
        Workers.SetCount(4);
        NestedJob job = new() { Inner = new int[16 * 16] };
        Workers.Run(16, ref job);
        Assert.All(job.Inner, n => Assert.Equal(1, n));
    }

    [Fact]
    public void Concurrent_callers_get_their_own_results()
    {
        Workers.SetCount(3);
        string?[] faults = new string?[4];
        Thread[] callers = [.. Enumerable.Range(0, 4).Select(t => new Thread(() => faults[t] = Hammer(t)))];
        foreach (Thread caller in callers)
            caller.Start();
        foreach (Thread caller in callers)
            caller.Join();
        Assert.All(faults, Assert.Null);
    }

    [Fact]
    public void Concurrent_products_are_right()
    {
        Workers.SetCount(3);
        bool[] right = new bool[4];
        Thread[] callers = [.. Enumerable.Range(0, 4).Select(t => new Thread(() => right[t] = Products(64 + (32 * t))))];
        foreach (Thread caller in callers)
            caller.Start();
        foreach (Thread caller in callers)
            caller.Join();
        Assert.All(right, Assert.True);
    }

    [Fact]
    public void A_run_allocates_nothing()
    {
        Workers.SetCount(2);
        SumJob job = new() { Sums = new long[16], Base = 1 };
        Workers.Run(16, ref job);
        long bytes = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            Workers.Run(16, ref job);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - bytes);
    }

    [Fact]
    public void Chunks_cover_all_items_in_order_and_depend_on_the_shape_only()
    {
        foreach (long items in new long[] { 0, 1, 7, 8191, 8192, 100_000, 3_000_000_000_000 })
        {
            Workers.SetCount(1);
            int chunks = Workers.Chunks(items, 1000);
            Workers.SetCount(4);
            Assert.Equal(chunks, Workers.Chunks(items, 1000));
            Assert.InRange(chunks, 1, 64);
            Assert.Equal(0, Workers.Start(items, chunks, 0));
            Assert.Equal(items, Workers.Start(items, chunks, chunks));
            for (int i = 0; i < chunks; i++)
            {
                long length = Workers.Start(items, chunks, i + 1) - Workers.Start(items, chunks, i);
                Assert.InRange(length, items / chunks, (items / chunks) + 1);
            }
        }
    }

    [Fact]
    public void Less_than_one_thread_is_refused() => Assert.Throws<UsageException>(() => Workers.SetCount(0));

    private static string? Hammer(int caller)
    {
        for (int round = 0; round < 2000; round++)
        {
            SumJob job = new() { Sums = new long[9], Base = (caller * 100_000) + round };
            Workers.Run(9, ref job);
            for (int i = 0; i < 9; i++)
            {
                if (job.Sums[i] != job.Base + i)
                    return $"caller {caller}, round {round}: chunk {i} holds {job.Sums[i]}";
            }
        }
        return null;
    }

    private static unsafe bool Products(int size)
    {
        float[] x = new float[size * size], y = new float[size * size];
        Array.Fill(x, 1f);
        fixed (float* a = x, c = y)
        {
            for (int round = 0; round < 30; round++)
            {
                Array.Fill(y, float.NaN);
                Gemm.Run(false, round % 2 == 0, size, size, size, a, size, a, size, c, size, false);
                if (y.AsSpan().ContainsAnyExcept((float)size))
                    return false;
            }
        }
        return true;
    }

    private struct CountJob : IJob
    {
        public int[] Counts;
        public readonly void Run(int chunk) => Interlocked.Increment(ref Counts[chunk]);
    }

    private struct SumJob : IJob
    {
        public long[] Sums;
        public long Base;
        public readonly void Run(int chunk) => Sums[chunk] = Base + chunk;
    }

    private struct ThreadJob : IJob
    {
        public int[] Threads;
        public readonly void Run(int chunk)
        {
            Threads[chunk] = Environment.CurrentManagedThreadId;
            Thread.Sleep(1);
        }
    }

    private struct FailJob : IJob
    {
        public int From;
        public readonly void Run(int chunk)
        {
            if (chunk >= From)
                throw new InvalidOperationException($"chunk {chunk}");
        }
    }

    private struct NestedJob : IJob
    {
        public int[] Inner;
        public readonly void Run(int chunk)
        {
            CountJob job = new() { Counts = new int[16] };
            Workers.Run(16, ref job);
            job.Counts.CopyTo(Inner, chunk * 16);
        }
    }
}
