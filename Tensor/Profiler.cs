using System.Diagnostics;
using System.Text.Json;

namespace Native;

/// <summary>
/// Records every operation of this thread while a session is open: <c>using (Profiler.Start("trace.json")) step();</c>. The trace
/// opens in Perfetto or chrome://tracing; <see cref="ProfilerSession.Table"/> sums by operation. Closed, it costs nothing.
/// </summary>
public static class Profiler
{
    [ThreadStatic]
    private static ProfilerSession? current;

    /// <summary>Begins recording; on disposal the trace is written to the path, if one is given.</summary>
    public static ProfilerSession Start(string? path = null)
    {
        if (current is not null)
            throw new UsageException("profiler: a session is already open on this thread. Dispose it first.");
        return current = new ProfilerSession(path, () => current = null);
    }

    /// <summary>Called by the dispatcher after an operation ran under watch.</summary>
    /// <param name="op">Its name.</param>
    /// <param name="start">Timestamp of the host.</param>
    /// <param name="elapsed">On a GPU by its own clock; null where the work was recorded and did not run.</param>
    /// <param name="inputs">What it was given.</param>
    /// <param name="y">Its first output.</param>
    /// <param name="flops">As its row states them.</param>
    /// <param name="bytes">The least it has to move.</param>
    /// <param name="noFlops">Why it states no FLOPs, or null.</param>
    internal static void Record(string op, long start, TimeSpan? elapsed, ReadOnlySpan<Tensor?> inputs, Tensor y, long flops, long bytes, string? noFlops)
    {
        string shapes = string.Join(" ", inputs.ToArray().OfType<Tensor>().Select(x => x.DType.Name() + x.Shape)) + " -> " + y.DType.Name() + y.Shape;
        current?.Add(new ProfilerEvent(op, start, elapsed ?? TimeSpan.Zero, bytes, flops, shapes) { NoFlops = noFlops }, y);
        DebugLines.Operation(op, elapsed, bytes, flops, inputs, y);
    }

    /// <summary>Called after work that is no operation: sums of gradients, updates of parameters.</summary>
    internal static void Note(string what, long start, long bytes)
    {
        current?.Add(new ProfilerEvent(what, start, Stopwatch.GetElapsedTime(start), bytes, 0, ""));
        DebugLines.Other(what, start, bytes);
    }

    /// <summary>Where NATIVE_DEBUG lines go; the command line sets it to standard error.</summary>
    public static Action<string>? Line { get; set; }
}

/// <summary>One recorded operation.</summary>
/// <param name="Name">Operation.</param>
/// <param name="Start">Stopwatch timestamp.</param>
/// <param name="Elapsed">Duration.</param>
/// <param name="Bytes">Bytes that must be read or written at the least.</param>
/// <param name="Flops">Useful floating-point operations.</param>
/// <param name="Shapes">Operand shapes.</param>
public readonly record struct ProfilerEvent(string Name, long Start, TimeSpan Elapsed, long Bytes, long Flops, string Shapes)
{
    /// <summary>Why there are no operations; null when there are.</summary>
    internal string? NoFlops { get; init; }
}

/// <summary>An open recording.</summary>
public sealed class ProfilerSession : IDisposable
{
    private readonly string? _path;
    private readonly Action _end;
    private readonly Watch _before = Ambient.Current.Watch;
    private readonly List<ProfilerEvent> _events = [];
    private readonly long _start = Stopwatch.GetTimestamp();

    internal ProfilerSession(string? path, Action end)
    {
        (_path, _end) = (path, end);
        Ambient.Current.Watch |= Watch.Profile;
    }

    /// <summary>What was recorded so far, in order.</summary>
    public IReadOnlyList<ProfilerEvent> Events => _events;

    /// <summary>Called with each operation and its first output while the output is there.</summary>
    internal Action<ProfilerEvent, Tensor>? Inspect { get; set; }

    internal void Add(ProfilerEvent e, Tensor? y = null)
    {
        _events.Add(e);
        if (y is not null)
            Inspect?.Invoke(e, y);
    }

    /// <summary>Time by operation, largest first: name, share, total, mean, calls.</summary>
    public string Table()
    {
        double total = Math.Max(1e-9, _events.Sum(e => e.Elapsed.TotalMicroseconds));
        var rows = _events.GroupBy(e => e.Name)
            .Select(g => (Name: g.Key, Sum: g.Sum(e => e.Elapsed.TotalMicroseconds), Calls: g.Count()))
            .OrderByDescending(r => r.Sum)
            .Select(r => $"{r.Name,-24} {100 * r.Sum / total,6:F1}% {r.Sum,12:F1} us {r.Sum / r.Calls,10:F2} us {r.Calls,8}");
        return $"{"op",-24} {"share",7} {"total",15} {"mean",13} {"calls",8}\n" + string.Join('\n', rows);
    }

    /// <summary>Ends the recording and writes the trace.</summary>
    public void Dispose()
    {
        Ambient.Current.Watch = _before;
        _end();
        if (_path is null)
            return;
        using var file = File.Create(_path);
        using var json = new Utf8JsonWriter(file);
        json.WriteStartObject();
        json.WriteStartArray("traceEvents");
        foreach (var e in _events)
        {
            json.WriteStartObject();
            json.WriteString("name", e.Name);
            json.WriteString("ph", "X");
            json.WriteNumber("pid", 1);
            json.WriteNumber("tid", 1);
            json.WriteNumber("ts", Stopwatch.GetElapsedTime(_start, e.Start).TotalMicroseconds);
            json.WriteNumber("dur", e.Elapsed.TotalMicroseconds);
            json.WriteStartObject("args");
            json.WriteString("shapes", e.Shapes);
            json.WriteNumber("bytes", e.Bytes);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
