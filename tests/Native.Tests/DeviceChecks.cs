using Native.Benchmarks;

namespace Native.Tests;

/// <summary>
/// What must hold on any device of the CUDA back end, written once: the emulator's tests run it everywhere, the GPU's where there is one. The default
/// device is the process's, so these checks run beside no other test.
/// </summary>
internal static class DeviceChecks
{
    // Less than a block of Philox, tails, more than a block of threads, more than a grid.
    private static readonly long[] Sizes = [0, 1, 2, 3, 5, 7, 1023, 1025, 40_003];

    /// <summary>Fills have the cpu's bits, and leave the generator where the cpu's do.</summary>
    public static void RandomBitsAreTheCpus(Device device) => OpKit.OnFreshThread(() =>
    {
        var fills = new List<(string What, Func<Generator, long, Device, Tensor> Fill)>();
        foreach (DType t in (DType[])[DType.F32, DType.F64])
            fills.AddRange(
            [
                ($"uniform {t.Name()}", (g, n, d) => Tensor.Rand([n], g, -1.5, 0.25, t, d)), ($"normal {t.Name()}", (g, n, d) => Tensor.Randn([n], g, 0.5, 2, t, d)),
                ($"bernoulli {t.Name()}", (g, n, d) => Tensor.Bernoulli([n], 0.375, g, t, d)), ($"dropout {t.Name()}", (g, n, d) => Tensor.DropoutMask([n], 0.1, g, t, d)),
                ($"gumbel {t.Name()}", (g, n, d) => Tensor.Gumbel([n], g, t, d)),
            ]);
        fills.AddRange([("i32", (g, n, d) => Tensor.RandInt(-5, 6, [n], g, DType.I32, d)), ("i64", (g, n, d) => Tensor.RandInt(long.MinValue, long.MaxValue, [n], g, DType.I64, d))]);
        foreach (var (what, fill) in fills)
            foreach (long n in Sizes)
            {
                using var scope = TensorScope.Begin("fill");
                // The block's number passes 2^32 within the longer fills.
                Generator here = new(0) { State = (0x1234567890ABCDEF, 4 * 0xFFFF_FFF0UL) }, there = new(0) { State = here.State };
                Tensor expected = fill(here, n, Device.Cpu), actual = fill(there, n, device);
                Assert.Same(device, actual.Device);
                if (OpKit.BitDifference(OpKit.ToDoubles([expected]), OpKit.ToDoubles([actual])) is { } difference)
                    Assert.Fail($"{what}, {n} elements: {difference}");
                Assert.Equal(here.State, there.State);
            }
    });

    /// <summary>The reference workloads at small sizes: everything they make is on the device, their first losses are the cpu's, and a second run has the bits of the first.</summary>
    public static void WorkloadsAgreeAndRepeat(Device device, params string[] workloads) => OpKit.OnFreshThread(() =>
    {
        foreach (string name in workloads)
        {
            double[][] first = State(name, device), again = State(name, device);
            if (OpKit.BitDifference(first, again) is { } difference)
                Assert.Fail($"{name}, run again: {difference}");
            double[] expected = State(name, Device.Cpu)[0];
            double off = StepBench.Difference(first[0], expected);
            Assert.True(off <= 1e-4, $"{name}: {off:E1}; {string.Join(" ", first[0])} against the cpu's {string.Join(" ", expected)}");
        }
    });

    /// <summary>Steps of the reference workloads in a graph have the bits of the same steps without one, losses and parameters: warm-up, recording and replays.</summary>
    public static void GraphsHaveTheBitsOfSteps(Device device, params string[] workloads) => OpKit.OnFreshThread(() =>
    {
        const int Steps = 4;     // two to warm up, the recording, a replay
        using var _ = Env.Device.Override(device.Name);
        foreach (string name in workloads)
        {
            using Workload alone = WorkloadTests.Make(name, DType.F32), recorded = WorkloadTests.Make(name, DType.F32);
            using var graph = CudaGraph.Capture(name, device, recorded.Step);
            for (int i = 0; i < Steps; i++)
            {
                double[] expected = StepBench.Losses(alone);
                graph.Replay();
                if (OpKit.BitDifference([expected], OpKit.ToDoubles([graph.Output])) is { } difference)
                    Assert.Fail($"{name}, step {i + 1}: {difference}");
            }
            Assert.True(graph.Nodes > 10, $"{name}: {graph.Nodes} nodes");
            if (OpKit.BitDifference(OpKit.ToDoubles([.. alone.Parameters]), OpKit.ToDoubles([.. recorded.Parameters])) is { } drift)
                Assert.Fail($"{name}, parameters after {Steps} steps: {drift}");
        }
    });

    /// <summary>Memory is back where it was when everything that was made is disposed: the pool's counters, and what the driver calls free.</summary>
    /// <param name="device">Where.</param>
    /// <param name="slack">Bytes that the driver may have taken for itself.</param>
    /// <param name="workloads">What is run.</param>
    public static void NothingLeaks(Device device, long slack, params string[] workloads) => OpKit.OnFreshThread(() =>
    {
        var state = Ambient.Current.Cuda(device);
        (MemoryStats Stats, long Free) Run()
        {
            foreach (string name in workloads)
                State(name, device);
            state.Synchronize();
            state.Allocator.Trim();
            state.Cuda.Check(state.Cuda.Driver.MemGetInfo(out long free, out _), "asking for the free memory");
            return (state.Allocator.Stats, free);
        }
        var (before, freeBefore) = Run();       // kernels are loaded, and products of matrices have their workspace
        var (after, freeAfter) = Run();
        Assert.Equal((before.Live, before.LiveCount), (after.Live, after.LiveCount));
        Assert.True(freeAfter >= freeBefore - slack, $"{freeBefore - freeAfter} bytes are gone");
    });

    /// <summary>Blocks of random sizes come and go under a limit: each keeps its numbers, the limit holds, and what does not fit is refused by name, not fatally.</summary>
    public static void TheAllocatorHoldsItsLimit(Device device, long limit) => OpKit.OnFreshThread(() =>
    {
        var allocator = Ambient.Current.Cuda(device).Allocator;
        long before = allocator.Stats.Live;
        allocator.Limit = limit;
        var random = new Generator(5);
        var held = new List<(Tensor Tensor, float Value)>();
        int refused = 0;
        for (int i = 0; i < 300; i++)
        {
            long n = 1 + random.NextInt64(limit / 40);
            try
            {
                held.Add((Tensor.Full([n], i, device: device), i));
            }
            catch (TensorMemoryException e)
            {
                refused++;
                Assert.Contains($"on {device}", e.Message, StringComparison.Ordinal);
                foreach (var (t, _) in held.Where((_, k) => k % 2 == 0))
                    t.Dispose();
                held = [.. held.Where((_, k) => k % 2 == 1)];
            }
            Assert.True(allocator.Stats.Live + allocator.Stats.Cached <= limit, $"{allocator.Stats} above {limit}");
            if (held.Count == 0 || i % 3 != 0)
                continue;
            int at = (int)random.NextInt64(held.Count);
            var (seen, value) = held[at];
            Assert.False(seen.ToArray<float>().AsSpan().ContainsAnyExcept(value), $"a block of {seen.Count} elements lost its {value}");
            seen.Dispose();
            held.RemoveAt(at);
        }
        Assert.True(refused > 2, $"the limit was met {refused} times");
        held.ForEach(h => h.Tensor.Dispose());
        Assert.Equal(before, allocator.Stats.Live);
    });

    // Losses of two steps, then the parameters.
    private static double[][] State(string name, Device device)
    {
        using var _ = Env.Device.Override(device.Name);
        using var workload = WorkloadTests.Make(name, DType.F32);
        Assert.All(workload.Parameters, p => Assert.Same(device, p.Device));
        double[] first = StepBench.Losses(workload);
        return [first, StepBench.Losses(workload), .. workload.Parameters.Select(OpKit.ToDoubles)];
    }
}
