using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native.Benchmarks;

/// <summary>
/// What this machine can do at most, measured just before the ops: multiply-adds from registers, and streams from each level of memory. Fractions of
/// these say more than times, because they survive a change of machine.
/// </summary>
/// <param name="Gflops">f32 operations in 10^9/s, two per multiply-add, all threads.</param>
/// <param name="Levels">For working sets up to so many bytes: bytes read plus written in 10^9/s, all threads.</param>
/// <param name="Threads">Threads used; 0 on a GPU.</param>
internal sealed record Roof(double Gflops, IReadOnlyList<(long UpTo, double GigabytesPerSecond)> Levels, int Threads)
{
    private const int FmaRounds = 100_000, Accumulators = 12, Repetitions = 12;

    // Every fraction of the multiply-add roof hangs on this one figure, and a neighbour on one of two cores halves it: long enough to outlast a slice.
    private const double FmaSeconds = 0.3;

    // Many chunks of the same registers, because a helper that is asleep joins late: with one chunk each, the caller would do both.
    private const int FmaChunks = 32;

    // Working sets: inside the private caches, inside the shared one, and beyond every cache.
    private static readonly (long UpTo, long Measured)[] Sets = [(1 << 20, 384 << 10), (24 << 20, 6 << 20), (long.MaxValue, 192 << 20)];

    /// <summary>The GPU that this is the roof of; null for the processor.</summary>
    public string? On { get; init; }

    /// <summary>One line with every level.</summary>
    public string Describe() => $"roof: {Gflops:F0} GFLOP/s (f32 multiply-add); streams of two arrays in and one out: "
        + string.Join(", ", Levels.Select(l => $"{l.GigabytesPerSecond:F0} GB/s {(l.UpTo == long.MaxValue ? "beyond" : $"up to {l.UpTo >> 20} MiB")}"))
        + (On is null ? $"; {Threads} threads, best of {Repetitions} or more, measured now" : $"; {On}, by events, best of {Repetitions} or more, measured now");

    /// <summary>Measures a device, for tf32 where that is asked for and there is such a thing.</summary>
    public static Roof Of(Device device, bool tf32 = false) => device.IsCpu ? Measure() : DeviceRoof.Measure(device, tf32);

    /// <summary>Measures all; the best of several short repetitions, since other processes can only make it slower.</summary>
    public static Roof Measure()
    {
        int threads = Workers.Count, lanes = Vector512.IsHardwareAccelerated ? Vector512<float>.Count : Vector256<float>.Count;
        var fma = new FmaJob { Sink = new float[FmaChunks * 64] };
        double fmaTime = Best(() => Workers.Run(FmaChunks, ref fma), FmaSeconds);
        var levels = Sets.Select(s => (s.UpTo, Stream(s.Measured, threads))).ToArray();
        return new Roof(2.0 * lanes * Accumulators * FmaRounds * FmaChunks / fmaTime / 1e9, levels, threads);
    }

    /// <summary>The least time in which this many operations and bytes of a working set could be done: whichever takes longer.</summary>
    public double Seconds(double flops, double bytes, double workingSet) =>
        Math.Max(flops / (Gflops * 1e9), bytes / (Levels.First(l => workingSet <= l.UpTo).GigabytesPerSecond * 1e9));

    // The mix of a pointwise op: two arrays in, one out. A pure copy moves fewer bytes a second, because stores cost more than loads.
    private static double Stream(long bytes, int threads)
    {
        int n = (int)(bytes / 12), rounds = (int)Math.Max(1, (24 << 20) / bytes);
        var job = new StreamJob { A = new float[n], B = new float[n], Y = new float[n], Chunks = threads, Rounds = rounds };
        double time = Best(() => Workers.Run(threads, ref job));
        return 12.0 * n * rounds / time / 1e9;
    }

    private static double Best(Action action, double seconds = 0)
    {
        double best = double.PositiveInfinity;
        long begin = Stopwatch.GetTimestamp();
        for (int i = 0; i < Repetitions || Stopwatch.GetElapsedTime(begin).TotalSeconds < seconds; i++)
        {
            long start = Stopwatch.GetTimestamp();
            action();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return best;
    }

    private struct FmaJob : IJob
    {
        public float[] Sink;

        public readonly void Run(int chunk) => Sink[chunk * 64] = Vector512.IsHardwareAccelerated ? Fma512() : Fma256();
    }

    // Twelve chains: enough to hide a latency of four or five cycles on two units. Values stay at 1 (0.5 * 1 + 0.5): no denormals, no overflow.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static float Fma512()
    {
        var half = Vector512.Create(0.5f);
        Vector512<float> a = Vector512<float>.One, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
        for (int n = 0; n < FmaRounds; n++)
        {
            a = Vector512.FusedMultiplyAdd(a, half, half);
            b = Vector512.FusedMultiplyAdd(b, half, half);
            c = Vector512.FusedMultiplyAdd(c, half, half);
            d = Vector512.FusedMultiplyAdd(d, half, half);
            e = Vector512.FusedMultiplyAdd(e, half, half);
            f = Vector512.FusedMultiplyAdd(f, half, half);
            g = Vector512.FusedMultiplyAdd(g, half, half);
            h = Vector512.FusedMultiplyAdd(h, half, half);
            i = Vector512.FusedMultiplyAdd(i, half, half);
            j = Vector512.FusedMultiplyAdd(j, half, half);
            k = Vector512.FusedMultiplyAdd(k, half, half);
            l = Vector512.FusedMultiplyAdd(l, half, half);
        }
        return (a + b + c + d + e + f + g + h + i + j + k + l)[0];
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static float Fma256()
    {
        var half = Vector256.Create(0.5f);
        Vector256<float> a = Vector256<float>.One, b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;
        for (int n = 0; n < FmaRounds; n++)
        {
            a = Vector256.FusedMultiplyAdd(a, half, half);
            b = Vector256.FusedMultiplyAdd(b, half, half);
            c = Vector256.FusedMultiplyAdd(c, half, half);
            d = Vector256.FusedMultiplyAdd(d, half, half);
            e = Vector256.FusedMultiplyAdd(e, half, half);
            f = Vector256.FusedMultiplyAdd(f, half, half);
            g = Vector256.FusedMultiplyAdd(g, half, half);
            h = Vector256.FusedMultiplyAdd(h, half, half);
            i = Vector256.FusedMultiplyAdd(i, half, half);
            j = Vector256.FusedMultiplyAdd(j, half, half);
            k = Vector256.FusedMultiplyAdd(k, half, half);
            l = Vector256.FusedMultiplyAdd(l, half, half);
        }
        return (a + b + c + d + e + f + g + h + i + j + k + l)[0];
    }

    private struct StreamJob : IJob
    {
        public float[] A, B, Y;
        public int Chunks, Rounds;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run(int chunk)
        {
            int start = (int)Workers.Start(Y.Length, Chunks, chunk), end = (int)Workers.Start(Y.Length, Chunks, chunk + 1);
            ref float a = ref A[0], b = ref B[0], y = ref Y[0];
            for (int round = 0; round < Rounds; round++)
                for (int i = start; i + 16 <= end; i += 16)
                    (Vector512.LoadUnsafe(ref a, (nuint)i) + Vector512.LoadUnsafe(ref b, (nuint)i)).StoreUnsafe(ref y, (nuint)i);
        }
    }
}
