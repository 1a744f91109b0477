using System.Collections.Concurrent;
using System.Diagnostics;

namespace Native;

/// <content>Streams, events and graphs. Everything runs at once, so that a stream is only a place where a capture can be on.</content>
internal sealed unsafe partial class EmulatedDriver
{
    private readonly ConcurrentDictionary<nint, Graph> _graphs = new();
    private readonly ConcurrentDictionary<nint, long> _events = new();

    // The real capture is thread-local too: other threads may go on working meanwhile.
    [ThreadStatic]
    private static Graph? _capture;

    public CudaResult StreamCreate(out nint stream)
    {
        stream = Handle();
        return CudaResult.Success;
    }

    public CudaResult StreamDestroy(nint stream) => CudaResult.Success;

    public CudaResult StreamSynchronize(nint stream) => Forbidden("cuStreamSynchronize") ?? CudaResult.Success;

    public CudaResult StreamWaitEvent(nint stream, nint happened) => _events.ContainsKey(happened) ? CudaResult.Success : CudaResult.InvalidHandle;

    public CudaResult EventCreate(out nint handle)
    {
        handle = Handle();
        _events[handle] = 0;
        return CudaResult.Success;
    }

    public CudaResult EventDestroy(nint handle) => _events.TryRemove(handle, out _) ? CudaResult.Success : CudaResult.InvalidHandle;

    public CudaResult EventRecord(nint handle, nint stream)
    {
        if (!_events.ContainsKey(handle))
            return CudaResult.InvalidHandle;
        if (!IsCapturing(stream))
            _events[handle] = Stopwatch.GetTimestamp();
        return CudaResult.Success;
    }

    public CudaResult EventQuery(nint handle) => IsCaptured("cuEventQuery") ?? CudaResult.Success;

    public CudaResult EventSynchronize(nint handle) => IsCaptured("cuEventSynchronize") ?? CudaResult.Success;

    public CudaResult EventElapsedTime(out float milliseconds, nint start, nint end)
    {
        milliseconds = 0;
        if (!_events.TryGetValue(start, out long from) || !_events.TryGetValue(end, out long to) || from == 0 || to == 0)
            return CudaResult.InvalidHandle;
        milliseconds = (float)Stopwatch.GetElapsedTime(from, to).TotalMilliseconds;
        return CudaResult.Success;
    }

    public CudaResult StreamBeginCapture(nint stream)
    {
        if (_capture is not null)
            return Fail("a capture is on already", CudaResult.StreamCaptureUnsupported);
        _capture = new Graph(stream);
        return CudaResult.Success;
    }

    public CudaResult StreamEndCapture(nint stream, out nint graph)
    {
        graph = 0;
        if (_capture is not { } captured || captured.Stream != stream)
            return Fail("no capture is on", CudaResult.StreamCaptureUnmatched);
        _capture = null;
        if (captured.Broken is { } why)
            return Fail(why, CudaResult.StreamCaptureInvalidated);
        graph = Handle();
        _graphs[graph] = captured;
        return CudaResult.Success;
    }

    public CudaResult StreamIsCapturing(nint stream, out bool capturing)
    {
        capturing = IsCapturing(stream);
        return CudaResult.Success;
    }

    public CudaResult GraphInstantiate(out nint executable, nint graph)
    {
        executable = 0;
        if (!_graphs.TryGetValue(graph, out var g))
            return CudaResult.InvalidHandle;
        executable = Handle();
        _graphs[executable] = g;
        return CudaResult.Success;
    }

    public CudaResult GraphExecUpdate(nint executable, nint graph)
    {
        if (!_graphs.TryGetValue(executable, out var old) || !_graphs.TryGetValue(graph, out var fresh))
            return CudaResult.InvalidHandle;
        if (old.Nodes != fresh.Nodes)
            return Fail($"the graph has {fresh.Nodes} nodes, the executable {old.Nodes}", CudaResult.GraphExecUpdateFailure);
        _graphs[executable] = fresh;
        return CudaResult.Success;
    }

    public CudaResult GraphLaunch(nint executable, nint stream)
    {
        if (!_graphs.TryGetValue(executable, out var g))
            return CudaResult.InvalidHandle;
        if (Forbidden("cuGraphLaunch") is { } code)
            return code;
        foreach (var step in g.Steps)
        {
            var result = step();
            if (result != CudaResult.Success)
                return result;
        }
        return CudaResult.Success;
    }

    public CudaResult GraphExecDestroy(nint executable) => GraphDestroy(executable);

    public CudaResult GraphDestroy(nint graph) => _graphs.TryRemove(graph, out _) ? CudaResult.Success : CudaResult.InvalidHandle;

    public CudaResult GraphGetNodeCount(nint graph, out long nodes)
    {
        nodes = _graphs.TryGetValue(graph, out var g) ? g.Nodes : 0;
        return g is null ? CudaResult.InvalidHandle : CudaResult.Success;
    }

    private static bool IsCapturing(nint stream) => _capture is { } c && c.Stream == stream;

    // What may not happen while a capture is on, on this thread: refused, and the capture is lost.
    private static CudaResult? Forbidden(string what)
    {
        if (_capture is not { } c)
            return null;
        c.Broken ??= $"{what} is not permitted while a stream is being captured";
        return Fail(c.Broken, CudaResult.StreamCaptureUnsupported);
    }

    private static CudaResult? IsCaptured(string what) => _capture is null ? null : Fail($"{what} is not permitted while a stream is being captured", CudaResult.CapturedEvent);

    /// <summary>Runs work of another library on a stream: at once, or at every launch of the graph that is being captured.</summary>
    public static void Queue(nint stream, Action step) => RecordOrRun(stream, step);

    private static CudaResult RecordOrRun(nint stream, Action step)
    {
        if (IsCapturing(stream))
        {
            return Record(stream, () =>
            {
                step();
                return CudaResult.Success;
            });
        }
        step();
        return CudaResult.Success;
    }

    private static CudaResult Record(nint stream, Func<CudaResult> step)
    {
        _capture!.Steps.Add(step);
        _capture.Nodes++;
        return CudaResult.Success;
    }

    // What the emulator does at every launch of the graph, and a GPU would not: no node.
    private static void Beside(Action step) => _capture!.Steps.Add(() =>
    {
        step();
        return CudaResult.Success;
    });

    private sealed class Graph(nint stream)
    {
        public nint Stream => stream;

        public List<Func<CudaResult>> Steps { get; } = [];

        public long Nodes { get; set; }

        public string? Broken { get; set; }
    }
}
