using System.Diagnostics;
using System.Text.Json;

namespace Native.Benchmarks;

/// <summary>What was measured of one workload.</summary>
/// <param name="Name">Workload.</param>
/// <param name="MedianMs">Median time of a step, milliseconds.</param>
/// <param name="MinMs">Fastest step, milliseconds.</param>
/// <param name="Steps">Steps timed.</param>
/// <param name="PeakBytes">Most tensor memory that was live during a step, parameters and moments included.</param>
/// <param name="ManagedBytes">Managed allocation of one step on the thread that steps.</param>
/// <param name="Ops">Operations that ran a kernel in one step.</param>
/// <param name="Roof">Stated FLOPs over what the machine's multiply-add roof allows in the median time; null when none are stated.</param>
/// <param name="Pauses">Share of the timed steps that the collector stood still.</param>
/// <param name="Difference">Largest relative difference of the first step's losses from the same step in f64; null when that was not run.</param>
internal sealed record StepTiming(
    string Name, double MedianMs, double MinMs, int Steps, long PeakBytes, long ManagedBytes, int Ops, double? Roof, double Pauses, double? Difference)
{
    /// <summary>What only a step on a GPU has.</summary>
    public DeviceFigures? Device { get; init; }

    /// <summary>The figures by name, into an open object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject(Name);
        json.WriteNumber("median_ms", MedianMs);
        json.WriteNumber("min_ms", MinMs);
        json.WriteNumber("steps", Steps);
        json.WriteNumber("peak_bytes", PeakBytes);
        json.WriteNumber("managed_bytes", ManagedBytes);
        json.WriteNumber("ops", Ops);
        if (Roof is { } roof)
            json.WriteNumber("roof", roof);
        else
            json.WriteNull("roof");
        json.WriteNumber("pauses", Pauses);
        if (Difference is { } difference)
            json.WriteNumber("first_step_difference", difference);
        else
            json.WriteNull("first_step_difference");
        Device?.Write(json);
        json.WriteEndObject();
    }
}

/// <summary>
/// Times steps of a workload, as the peer's script does: three to warm up, then as many as fit, at least five. The warm-up goes on for a second,
/// because the runtime compiles at full optimisation in the background, 100 ms after it last met new code; the peer was compiled before.
/// </summary>
internal static class StepBench
{
    private const int WarmUpSteps = 3, Least = 5, LeastWhenSlow = 3;

    /// <summary>Measures and checks one workload.</summary>
    /// <exception cref="NumericException">A loss is not finite, or the first step differs from the f64 one.</exception>
    public static StepTiming Run(WorkloadRow row, double seconds, double gflops, bool check, CancellationToken cancel)
    {
        using var workload = row.Make(DType.F32, 0);
        var first = WarmUp(workload, Math.Min(1, seconds));
        var (ops, flops) = Count(workload);
        var allocator = Ambient.Current.Allocator;
        var times = new List<double>();
        allocator.ResetPeak();
        long managed = GC.GetAllocatedBytesForCurrentThread();
        var pauses = GC.GetTotalPauseDuration();
        for (long start = Stopwatch.GetTimestamp(); Elapsed(start) < seconds || times.Count < Least;)
        {
            cancel.ThrowIfCancellationRequested();
            if (Elapsed(start) > 5 * seconds && times.Count >= LeastWhenSlow)
                break;
            long step = Stopwatch.GetTimestamp();
            Losses(workload);
            times.Add(Elapsed(step));
        }
        double paused = (GC.GetTotalPauseDuration() - pauses).TotalSeconds / times.Sum();
        managed = (GC.GetAllocatedBytesForCurrentThread() - managed) / times.Count;
        long peak = allocator.Stats.Peak;
        double? difference = check ? Check(row, first) : null;
        double median = SideFile.Median(times);
        double? roof = flops > 0 ? flops / (gflops * 1e9 * median) : null;
        return new StepTiming(row.Name, 1e3 * median, 1e3 * times.Min(), times.Count, peak, managed, ops, roof, paused, difference);
    }

    /// <summary>Steps until so many seconds and three steps have passed; the first step's losses.</summary>
    public static double[] WarmUp(Workload workload, double seconds)
    {
        long start = Stopwatch.GetTimestamp();
        var first = Losses(workload);
        for (int i = 1; i < WarmUpSteps || Elapsed(start) < seconds; i++)
            Losses(workload);
        return first;
    }

    /// <summary>One step's losses, which must be finite.</summary>
    public static double[] Losses(Workload workload)
    {
        using var scope = TensorScope.Begin("bench-step");
        var losses = workload.Step();
        return Finite(workload.Name, losses.DType == DType.F32 ? Array.ConvertAll(losses.ToArray<float>(), v => (double)v) : losses.ToArray<double>());
    }

    /// <summary>The losses of a step, if all are finite.</summary>
    /// <exception cref="NumericException">One is not.</exception>
    public static double[] Finite(string name, double[] values)
    {
        for (int i = 0; i < values.Length; i++)
            if (!double.IsFinite(values[i]))
                throw new NumericException($"{name}: the loss of update {i + 1} of {values.Length} is {values[i]}. Run it with --nan-trap to find the operation.");
        return values;
    }

    /// <summary>Largest relative difference of two steps' losses; infinite when their numbers differ, NaN when one is NaN.</summary>
    public static double Difference(double[] losses, double[] exact)
    {
        if (losses.Length != exact.Length)
            return double.PositiveInfinity;
        double worst = 0;
        for (int i = 0; i < losses.Length; i++)
            worst = Math.Max(worst, Math.Abs(losses[i] - exact[i]) / Math.Max(Math.Abs(exact[i]), 1e-3));    // NaN stays
        return worst;
    }

    /// <summary>How far the losses of a first step are from those of the same step in f64 on the cpu.</summary>
    /// <exception cref="NumericException">Farther than the workload's tolerance.</exception>
    public static double Check(WorkloadRow row, double[] losses)
    {
        using var host = Env.Device.Override(Device.Cpu.Name);
        using var twin = row.Make(DType.F64, 0);
        double difference = Difference(losses, Losses(twin));
        double tolerance = row.Bound(Ambient.Current.Tf32);
        return difference <= tolerance ? difference : throw new NumericException(
            $"{row.Name}: the first step's losses differ from the same step in f64 by {difference:G3}, above {tolerance:G1}. Its time means nothing until they agree.");
    }

    private static (int Ops, double Flops) Count(Workload workload)
    {
        using var session = Profiler.Start();
        Losses(workload);
        return (session.Events.Count, session.Events.Sum(e => (double)e.Flops));
    }

    private static double Elapsed(long since) => Stopwatch.GetElapsedTime(since).TotalSeconds;
}
