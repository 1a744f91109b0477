using System.Diagnostics;

namespace Native.Benchmarks;

/// <summary><c>native profile WORKLOAD</c>: the operations of a step by time, with the rates they reach.</summary>
internal static class StepProfile
{
    private const int Repeats = 3;

    public static int Run(Ui ui, WorkloadRow row, bool shapes, int top)
    {
        if (top < 1)
            throw new UsageException($"profile: --top must be 1 or more; got {top}.");
        var roof = Roof.Measure();
        using var workload = row.Make(DType.F32, 0);
        StepBench.WarmUp(workload, seconds: 1);
        // The fastest of a few steps: what disturbed the others is no part of the step.
        var (total, events) = Enumerable.Range(0, Repeats).Select(_ => Step(workload)).MinBy(s => s.Total);
        double inside = events.Sum(e => e.Elapsed.TotalSeconds);
        var groups = events.GroupBy(e => shapes ? $"{e.Name}  {e.Shapes}" : e.Name)
            .Select(g => (Name: g.Key, Seconds: g.Sum(e => e.Elapsed.TotalSeconds), Calls: g.Count(), Flops: g.Sum(e => (double)e.Flops), Bytes: g.Sum(e => (double)e.Bytes)))
            .OrderByDescending(g => g.Seconds).ToList();
        ui.Table(["op", "share>", "ms>", "calls>", "us/call>", "GFLOP/s>", "of roof>", "GB/s>"], groups.Take(top).Select(g => new[]
        {
            g.Name, $"{100 * g.Seconds / total:F1}%", $"{1e3 * g.Seconds:F3}", $"{g.Calls}", $"{1e6 * g.Seconds / g.Calls:F1}",
            g.Flops > 0 ? $"{g.Flops / g.Seconds / 1e9:F1}" : "",
            // What the arithmetic or the memory traffic alone would take, whichever is more; the working set is what one call touches.
            $"{100 * roof.Seconds(g.Flops, g.Bytes, g.Bytes / g.Calls) / g.Seconds:F0}%", $"{g.Bytes / g.Seconds / 1e9:F1}",
        }));
        ui.Line($"{row.Name}: {1e3 * total:F2} ms for one step under the profiler, {events.Count} operations; {100 * (total - inside) / total:F1}% is outside kernels "
            + $"(dispatch, views, the engine). {roof.Describe()}.");
        return App.Success;
    }

    private static (double Total, IReadOnlyList<ProfilerEvent> Events) Step(Workload workload)
    {
        using var session = Profiler.Start();
        long start = Stopwatch.GetTimestamp();
        StepBench.Losses(workload);
        return (Stopwatch.GetElapsedTime(start).TotalSeconds, session.Events);
    }
}
