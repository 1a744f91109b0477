using System.Diagnostics;

namespace Native.Benchmarks;

/// <summary>One op to time.</summary>
/// <param name="Family">The op's family; each has a class under BenchmarkDotNet.</param>
/// <param name="Name">As selected with <c>--only</c>.</param>
/// <param name="Case">The same for another engine, which has no use for our names.</param>
/// <param name="Flops">Useful floating-point operations of one call; 0 where bytes are all that counts.</param>
/// <param name="Bytes">Bytes that one call must read and write at least.</param>
/// <param name="Prepare">Makes the operands and the call. Runs and is called inside a scope, without recording.</param>
internal sealed record OpBench(string Family, string Name, OpCase Case, double Flops, double Bytes, Func<OpCall> Prepare)
{
    // Tiered compilation counts 30 calls when 100 ms have passed without new code, and then compiles beside the calls.
    private const double WarmSeconds = 0.3, MostWarmSeconds = 2;

    private const int WarmSamples = 3;

    // On a device, where starting and reading a clock takes longer; and as many calls as its queue takes without making the host wait.
    private const double DeviceSample = 1e-3;

    // What is compiled meanwhile is no part of a replay.
    private const double DeviceWarmSeconds = 0.05;

    private const int MostQueued = 500, GraphWarmUp = 4;

    /// <summary>Bytes that must stay in a cache for the op to run at that cache's speed; more are moved where some are both read and written.</summary>
    public double WorkingSet { get; init; } = Bytes;

    /// <summary>Workloads that run just this; empty where the row belongs to none.</summary>
    public IReadOnlyList<string> Workloads { get; init; } = [];

    /// <summary>Everything that the workloads consist of, on both sides of the caches.</summary>
    public static IReadOnlyList<OpBench> All { get; } =
    [
        .. MatMulRows.All, .. ConvRows.All, .. NormRows.All, .. SoftmaxRows.All, .. PointwiseRows.All, .. OptimRows.All, .. DispatchRows.All,
    ];

    /// <summary>Those whose name contains, or whose workload is, an entry of the comma-separated list; all without one.</summary>
    /// <exception cref="UsageException">An entry selects nothing.</exception>
    public static IReadOnlyList<OpBench> Select(string? list)
    {
        if (list is null)
            return All;
        string[] parts = list.Split(',');
        foreach (string part in parts)
            if (!All.Any(o => o.Is(part)))
                throw new UsageException($"bench: no op's name contains '{part}', and it is no workload. Ops are named like {string.Join(", ", All.DistinctBy(o => o.Family).Select(o => o.Name))}.");
        return [.. All.Where(o => parts.Any(o.Is))];
    }

    /// <summary>Numbers in [-1, 1), the same for the same seed.</summary>
    public static Tensor Operand(Shape shape, ulong seed) => Tensor.Rand(shape, new Generator(seed).Stream("bench"), -1, 1);

    /// <summary>Times the op for about so many seconds.</summary>
    public OpTiming Time(double seconds, CancellationToken cancel)
    {
        using var constant = Autograd.NoGrad();
        using var operands = TensorScope.Begin("bench-operands");
        using var call = Prepare();
        double once = WarmUp(call.Run, run => Sample(run, 1), WarmSeconds, cancel);
        // As many calls per sample as make 200 us.
        int calls = (int)Math.Clamp(200e-6 / once, 1, 10_000);
        var times = new List<double>(1 << 14);
        long managed = GC.GetAllocatedBytesForCurrentThread();
        for (long start = Stopwatch.GetTimestamp(); times.Count < 5 || Stopwatch.GetElapsedTime(start).TotalSeconds < seconds;)
        {
            cancel.ThrowIfCancellationRequested();
            times.Add(Sample(call.Run, calls));
        }
        managed = GC.GetAllocatedBytesForCurrentThread() - managed;
        times.Sort();
        return new OpTiming(this, times[0], times[times.Count / 2], times.Count, (double)managed / times.Count / calls);
    }

    /// <summary>
    /// Times the op on the default device, which is a GPU or the emulator, by events. Calls of a sample are queued one after the other; in a graph, the device
    /// does not wait for the host between them.
    /// </summary>
    public OpTiming TimeOnDevice(double seconds, bool inGraph, CancellationToken cancel)
    {
        using var constant = Autograd.NoGrad();
        using var operands = TensorScope.Begin("bench-operands");
        using var call = Prepare();
        using var clock = new DeviceClock(Device.Default);
        double Sample(Action queue)
        {
            clock.Start();
            queue();
            clock.Stop();
            return clock.Gpu;
        }
        double once = WarmUp(call.Run, run => Sample(run), inGraph ? DeviceWarmSeconds : WarmSeconds, cancel);
        int calls = (int)Math.Clamp(DeviceSample / Math.Max(once, 1e-7), 1, MostQueued);
        void Queue()
        {
            using var scope = TensorScope.Begin("bench");
            for (int i = 0; i < calls; i++)
                call.Run();
        }
        using var graph = inGraph ? CudaGraph.Capture("bench", Device.Default, Queue) : null;
        Action queue = graph is null ? Queue : graph.Replay;
        for (int i = 0; i < GraphWarmUp; i++)
            Sample(queue);
        List<double> times = [], host = [];
        long managed = GC.GetAllocatedBytesForCurrentThread();
        for (long start = Stopwatch.GetTimestamp(); times.Count < 5 || Stopwatch.GetElapsedTime(start).TotalSeconds < seconds;)
        {
            cancel.ThrowIfCancellationRequested();
            times.Add(Sample(queue) / calls);
            host.Add(clock.Host / calls);
        }
        managed = GC.GetAllocatedBytesForCurrentThread() - managed;
        return new OpTiming(this, times.Min(), SideFile.Median(times), times.Count, (double)managed / times.Count / calls) { Host = SideFile.Median(host) };
    }

    private bool Is(string part) => part.Length > 0 && (Name.Contains(part, StringComparison.Ordinal) || Workloads.Contains(part));

    // Until the code is compiled at full optimisation and the pool has its blocks. The runtime swaps compiled code in when it likes, so this waits
    // for three samples in a row without a faster one, and for long enough however little time the measurement gets.
    private static double WarmUp(Action call, Func<Action, double> sample, double least, CancellationToken cancel)
    {
        double once = double.PositiveInfinity;
        long start = Stopwatch.GetTimestamp();
        for (int since = 0; (since < WarmSamples || Stopwatch.GetElapsedTime(start).TotalSeconds < least)
            && Stopwatch.GetElapsedTime(start).TotalSeconds < MostWarmSeconds; since++)
        {
            cancel.ThrowIfCancellationRequested();
            double time = sample(call);
            if (time < 0.97 * once)
                since = 0;
            once = Math.Min(once, time);
        }
        return once;
    }

    private static double Sample(Action call, int calls)
    {
        using var scope = TensorScope.Begin("bench");
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < calls; i++)
            call();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
    }
}

/// <summary>What to compute, in words that any engine understands.</summary>
/// <param name="Kind">The operation.</param>
/// <param name="Sizes">Its sizes, in an order that belongs to the kind.</param>
internal readonly record struct OpCase(string Kind, params long[] Sizes);

/// <summary>A call ready to be timed.</summary>
/// <param name="Run">One call; returns its results to the pool.</param>
/// <param name="Owned">What no scope owns: parameters and optimisers.</param>
internal sealed record OpCall(Action Run, params IDisposable[] Owned) : IDisposable
{
    /// <summary>A call that makes one tensor.</summary>
    public static OpCall Of(Func<Tensor> body) => new(() => body().Dispose());

    /// <summary>A call that makes several.</summary>
    public static OpCall OfAll(Func<Tensor[]> body) => new(() =>
    {
        foreach (var t in body())
            t.Dispose();
    });

    /// <summary>Frees what no scope owns.</summary>
    public void Dispose()
    {
        foreach (var owned in Owned)
            owned.Dispose();
    }
}

/// <summary>What was measured of one op.</summary>
/// <param name="Op">The op.</param>
/// <param name="Minimum">Seconds of the fastest sample.</param>
/// <param name="Median">Seconds of the median sample.</param>
/// <param name="Samples">Number of samples.</param>
/// <param name="Managed">Managed bytes that one call allocates on the calling thread.</param>
internal sealed record OpTiming(OpBench Op, double Minimum, double Median, int Samples, double Managed)
{
    /// <summary>Seconds of the host for the median call, on a GPU; 0 on the cpu, where the host is who computes.</summary>
    public double Host { get; init; }

    /// <summary>10^9 operations per second at the median.</summary>
    public double Gflops => Op.Flops / Median / 1e9;

    /// <summary>10^9 bytes per second at the median.</summary>
    public double GigabytesPerSecond => Op.Bytes / Median / 1e9;
}
