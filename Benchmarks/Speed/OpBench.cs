using System.Diagnostics;

namespace Native.Benchmarks;

/// <summary>One op to time.</summary>
/// <param name="Name">As selected with <c>--only</c>.</param>
/// <param name="Flops">Floating-point operations of one call.</param>
/// <param name="Bytes">Bytes that one call must read and write at least.</param>
/// <param name="Prepare">Makes the operands and returns the call. Runs and is called inside a scope, without recording.</param>
internal sealed record OpBench(string Name, double Flops, double Bytes, Func<Func<Tensor>> Prepare)
{
    // Tiered compilation finishes a method some 100 ms after its 30th call.
    private const double WarmSeconds = 0.15, MostWarmSeconds = 2;

    private const int WarmSamples = 3;

    /// <summary>The products that training and testing consist of, and chains of pointwise ops on either side of the caches.</summary>
    public static IReadOnlyList<OpBench> All { get; } =
    [
        MatMul(64, 64, 64), MatMul(256, 256, 256), MatMul(1024, 1024, 1024), MatMul(2048, 2048, 2048), MatMul(10, 784, 400),
        Pointwise("add", 16, flops: 1, inputs: 2, x => x[0] + x[1]),
        Pointwise("add", 1 << 16, flops: 1, inputs: 2, x => x[0] + x[1]),
        Pointwise("add", 1 << 20, flops: 1, inputs: 2, x => x[0] + x[1]),
        Pointwise("add", 1 << 24, flops: 1, inputs: 2, x => x[0] + x[1]),
        // Two passes: x * y is written and read again.
        Pointwise("mul-add", 1 << 20, flops: 2, inputs: 3, x => x[0] * x[1] + x[2], extraPasses: 2),
        Pointwise("tanh", 1 << 20, flops: 20, inputs: 1, x => x[0].Tanh()),
        Pointwise("sigmoid-gate", 1 << 16, flops: 22, inputs: 2, x => x[0].Sigmoid() * x[1], extraPasses: 2),
    ];

    private static OpBench MatMul(int m, int k, int n) => new($"matmul-{(m == k && k == n ? $"{m}" : $"{m}x{k}x{n}")}",
        2.0 * m * k * n, 4.0 * (m * (double)k + k * (double)n + m * (double)n), () =>
        {
            Tensor a = Operand([m, k], 1), b = Operand([k, n], 2);
            return () => a.MatMul(b);
        });

    private static OpBench Pointwise(string name, int n, double flops, int inputs, Func<Tensor[], Tensor> body, int extraPasses = 0) =>
        new($"{name}-{n}", flops * n, 4.0 * n * (inputs + 1 + extraPasses), () =>
        {
            var x = Enumerable.Range(0, inputs).Select(i => Operand([n], (ulong)i)).ToArray();
            return () => body(x);
        });

    private static Tensor Operand(Shape shape, ulong seed)
    {
        var random = new Generator(seed).Stream("bench");
        var values = new float[shape.Count];
        for (int i = 0; i < values.Length; i++)
            values[i] = 2 * random.NextSingle() - 1;
        return Tensor.From(values, shape);
    }

    /// <summary>Times the op for about so many seconds.</summary>
    public OpTiming Time(double seconds, CancellationToken cancel)
    {
        using var constant = Autograd.NoGrad();
        using var operands = TensorScope.Begin("bench-operands");
        var call = Prepare();
        double once = WarmUp(call, cancel);
        // As many calls per sample as make 200 us.
        int calls = (int)Math.Clamp(200e-6 / once, 1, 10_000);
        var times = new List<double>();
        for (long start = Stopwatch.GetTimestamp(); times.Count < 5 || Stopwatch.GetElapsedTime(start).TotalSeconds < seconds;)
        {
            cancel.ThrowIfCancellationRequested();
            times.Add(Sample(call, calls));
        }
        times.Sort();
        return new OpTiming(this, times[0], times[times.Count / 2], times.Count);
    }

    // Until the code is compiled at full optimisation and the pool has its blocks. The runtime swaps compiled code in when it likes, so this waits
    // for three samples in a row without a faster one, and for long enough however little time the measurement gets.
    private static double WarmUp(Func<Tensor> call, CancellationToken cancel)
    {
        double once = double.PositiveInfinity;
        long start = Stopwatch.GetTimestamp();
        for (int since = 0; (since < WarmSamples || Stopwatch.GetElapsedTime(start).TotalSeconds < WarmSeconds)
            && Stopwatch.GetElapsedTime(start).TotalSeconds < MostWarmSeconds; since++)
        {
            cancel.ThrowIfCancellationRequested();
            double time = Sample(call, 1);
            if (time < 0.97 * once)
                since = 0;
            once = Math.Min(once, time);
        }
        return once;
    }

    private static double Sample(Func<Tensor> call, int calls)
    {
        using var scope = TensorScope.Begin("bench");
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < calls; i++)
            call().Dispose();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
    }
}

/// <summary>What was measured of one op.</summary>
/// <param name="Op">The op.</param>
/// <param name="Minimum">Seconds of the fastest sample.</param>
/// <param name="Median">Seconds of the median sample.</param>
/// <param name="Samples">Number of samples.</param>
internal sealed record OpTiming(OpBench Op, double Minimum, double Median, int Samples)
{
    /// <summary>10^9 operations per second at the median.</summary>
    public double Gflops => Op.Flops / Median / 1e9;

    /// <summary>10^9 bytes per second at the median.</summary>
    public double GigabytesPerSecond => Op.Bytes / Median / 1e9;
}
