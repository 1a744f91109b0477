using System.Diagnostics;
using System.Text.Json;

namespace Native.Benchmarks;

/// <summary>What a step on a GPU has beside its <see cref="StepTiming"/>, whose times are those of somebody who waits for each step.</summary>
/// <param name="GpuMs">Median time between the events before and after a step: the device's work and its waits for the host.</param>
/// <param name="HostMs">Median time until the host's part of a step is over, with an idle device at its start.</param>
/// <param name="Launches">Kernels and products of matrices queued in a step; of a graph, its nodes, which include copies and fills.</param>
internal sealed record DeviceFigures(double GpuMs, double HostMs, long Launches)
{
    /// <summary>The figures by name, into an open object.</summary>
    public void Write(Utf8JsonWriter json)
    {
        json.WriteNumber("gpu_ms", GpuMs);
        json.WriteNumber("host_ms", HostMs);
        json.WriteNumber("launches", Launches);
    }
}

/// <summary>One workload on a device, step by step and, if asked for, with its step in a graph.</summary>
/// <param name="Eager">Step by step.</param>
/// <param name="Graph">In a graph; null when not asked for, or not to be had.</param>
/// <param name="GraphError">Why there is no graph.</param>
internal sealed record DeviceSteps(StepTiming Eager, StepTiming? Graph, string? GraphError);

/// <summary>
/// <see cref="StepBench"/> on a GPU. A step queues its work and leaves; losses are read, and must be finite, between the timed steps. The first losses of a
/// step in a graph must have the bits of those without one.
/// </summary>
internal static class DeviceStepBench
{
    // Warm-up of a graph, its recording, and two replays.
    private const int Compared = 5;

    private const int Least = 5, LeastWhenSlow = 3;

    /// <summary>Measures and checks one workload on the default device.</summary>
    /// <exception cref="NumericException">A loss is not finite, or the first step differs from the f64 one on the cpu.</exception>
    public static DeviceSteps Run(WorkloadRow row, double seconds, Roof roof, bool check, bool graph, CancellationToken cancel)
    {
        var device = Device.Default;
        var (eager, first, work) = Eager(row, device, seconds, roof, check, cancel);
        if (!graph)
            return new(eager, null, null);
        try
        {
            return new(eager, Graph(row, device, seconds, eager, first, work, cancel), null);
        }
        catch (TensorException e)
        {
            return new(eager, null, e.Message);
        }
    }

    private static (StepTiming Timing, double[][] First, double LeastSeconds) Eager(WorkloadRow row, Device device, double seconds, Roof roof, bool check, CancellationToken cancel)
    {
        using var workload = row.Make(DType.F32, 0);
        using var clock = new DeviceClock(device);
        TensorScope? scope = null;
        Tensor? losses = null;
        var run = new Steps(workload.Name, clock, () =>
        {
            scope = TensorScope.Begin("bench-step");
            losses = workload.Step();
        }, () =>
        {
            using (scope)
                return OfDoubles(losses!);
        });
        double[][] first = run.WarmUp(seconds, cancel);
        var state = Ambient.Current.Cuda(device);
        long launched = state.Launches.Count;
        run.Step();
        launched = state.Launches.Count - launched;
        var (ops, work) = Count(run, roof);
        state.Allocator.ResetPeak();
        var timing = run.Time(seconds, cancel);
        double? difference = check ? StepBench.Check(row, first[0]) : null;
        return (timing with
        {
            PeakBytes = state.Allocator.Stats.Peak,
            Ops = ops,
            Roof = work / (timing.Device!.GpuMs / 1e3),
            Difference = difference,
            Device = timing.Device with { Launches = launched },
        }, first, work);
    }

    private static StepTiming Graph(WorkloadRow row, Device device, double seconds, StepTiming eager, double[][] expected, double work, CancellationToken cancel)
    {
        using var workload = row.Make(DType.F32, 0);
        using var clock = new DeviceClock(device);
        using var graph = CudaGraph.Capture(row.Name, device, workload.Step);
        var run = new Steps(workload.Name, clock, graph.Replay, () => OfDoubles(graph.Output));
        double[][] first = run.WarmUp(seconds, cancel);
        for (int i = 0; i < Compared; i++)
            if (!first[i].AsSpan().SequenceEqual(expected[i]))
                throw new NumericException($"{row.Name}: the losses of step {i + 1} in a graph are {string.Join(" ", first[i])}, without one {string.Join(" ", expected[i])}. Its time means nothing until they agree.");
        var timing = run.Time(seconds, cancel);
        return timing with
        {
            Ops = eager.Ops,
            PeakBytes = eager.PeakBytes,
            Roof = work / (timing.Device!.GpuMs / 1e3),
            Difference = eager.Difference,
            Device = timing.Device with { Launches = graph.Nodes },
        };
    }

    // Operations of a step, and the least time in which the device could do them: for each, its arithmetic or its bytes, whichever takes longer.
    private static (int Ops, double Seconds) Count(Steps run, Roof roof)
    {
        using var session = Profiler.Start();
        run.Step();
        return (session.Events.Count, session.Events.Sum(e => roof.Seconds(e.Flops, e.Bytes, e.Bytes)));
    }

    private static double[] OfDoubles(Tensor losses) => Array.ConvertAll(losses.ToArray<float>(), v => (double)v);

    /// <summary>Steps of one workload: one call queues, another reads the losses.</summary>
    private sealed class Steps(string name, DeviceClock clock, Action queue, Func<double[]> read)
    {
        /// <summary>One step and its losses, which must be finite.</summary>
        public double[] Step()
        {
            clock.Start();
            queue();
            clock.Stop();
            return StepBench.Finite(name, read());
        }

        /// <summary>Steps until a second or the time for measuring has passed; the losses of the first ones.</summary>
        public double[][] WarmUp(double seconds, CancellationToken cancel)
        {
            var first = new List<double[]>();
            for (long start = Stopwatch.GetTimestamp(); first.Count < Compared || Stopwatch.GetElapsedTime(start).TotalSeconds < Math.Min(1, seconds);)
            {
                cancel.ThrowIfCancellationRequested();
                first.Add(Step());
            }
            return [.. first.Take(Compared)];
        }

        public StepTiming Time(double seconds, CancellationToken cancel)
        {
            List<double> wall = [], gpu = [], host = [];
            long managed = 0;
            var pauses = GC.GetTotalPauseDuration();
            for (long start = Stopwatch.GetTimestamp(); Elapsed(start) < seconds || wall.Count < Least;)
            {
                cancel.ThrowIfCancellationRequested();
                if (Elapsed(start) > 5 * seconds && wall.Count >= LeastWhenSlow)
                    break;
                long before = GC.GetAllocatedBytesForCurrentThread();
                Step();
                managed += GC.GetAllocatedBytesForCurrentThread() - before;
                wall.Add(clock.Wall);
                gpu.Add(clock.Gpu);
                host.Add(clock.Host);
            }
            double paused = (GC.GetTotalPauseDuration() - pauses).TotalSeconds / wall.Sum();
            return new(name, 1e3 * SideFile.Median(wall), 1e3 * wall.Min(), wall.Count, 0, managed / wall.Count, 0, null, paused, null)
            { Device = new(1e3 * SideFile.Median(gpu), 1e3 * SideFile.Median(host), 0) };
        }

        private static double Elapsed(long since) => Stopwatch.GetElapsedTime(since).TotalSeconds;
    }
}
