namespace Native.Tests;

/// <summary>
/// A driver that passes everything on to the emulated one, until a call of a kind that a test names fails. From then on every call returns
/// that error, as a GPU's driver does once its context is lost.
/// </summary>
internal sealed unsafe class FaultyDriver(ICudaDriver inner) : ICudaDriver
{
    private readonly Dictionary<string, int> _calls = [];
    private CudaResult _lost;
    private (string Call, int Number, CudaResult Result, bool Lasting) _plan = ("", 0, CudaResult.Success, false);

    /// <summary>Called with the name of an entry before it fails, and before the failure is described.</summary>
    public Action<string>? Before { get; set; }

    /// <summary>Calls that reached the driver after its context was lost: nobody should ask it anything more.</summary>
    public List<string> AfterLoss { get; } = [];

    /// <summary>The n-th call from now on of an entry (its name without the prefix) returns a result; if it is lasting, so does every call after it.</summary>
    public void FailAt(string call, int number, CudaResult result, bool lasting = true)
    {
        _calls.Clear();
        _plan = (call, number, result, lasting);
    }

    /// <summary>Every call of an entry from now on returns a result; other entries work.</summary>
    public void FailAll(string call, CudaResult result) => _plan = (call, 0, result, false);

    public string Source => inner.Source;

    public CudaResult Init() => inner.Init();
    public CudaResult DriverGetVersion(out int version) => inner.DriverGetVersion(out version);
    public CudaResult DeviceGetName(int ordinal, out string name) => inner.DeviceGetName(ordinal, out name);
    public CudaResult DeviceTotalMem(int ordinal, out long bytes) => inner.DeviceTotalMem(ordinal, out bytes);
    public CudaResult DeviceGetAttribute(int ordinal, CudaAttribute attribute, out int value) => inner.DeviceGetAttribute(ordinal, attribute, out value);
    public CudaResult DevicePrimaryCtxRetain(int ordinal, out nint context) => inner.DevicePrimaryCtxRetain(ordinal, out context);
    public CudaResult MemGetInfo(out long free, out long total) => inner.MemGetInfo(out free, out total);

    public CudaResult DeviceGetCount(out int count)
    {
        // Every test has a device of its own number.
        count = int.MaxValue;
        return CudaResult.Success;
    }

    public CudaResult CtxSetCurrent(nint context) => Verdict("CtxSetCurrent") ?? inner.CtxSetCurrent(context);

    public CudaResult MemAlloc(out nint pointer, long bytes)
    {
        pointer = 0;
        return Verdict("MemAlloc") ?? inner.MemAlloc(out pointer, bytes);
    }

    public CudaResult MemFree(nint pointer) => Verdict("MemFree") ?? inner.MemFree(pointer);

    public CudaResult MemAllocAsync(out nint pointer, long bytes, nint stream)
    {
        pointer = 0;
        return Verdict("MemAllocAsync") ?? inner.MemAllocAsync(out pointer, bytes, stream);
    }

    public CudaResult MemFreeAsync(nint pointer, nint stream) => Verdict("MemFreeAsync") ?? inner.MemFreeAsync(pointer, stream);

    public CudaResult MemHostAlloc(out nint pointer, long bytes)
    {
        pointer = 0;
        return Verdict("MemHostAlloc") ?? inner.MemHostAlloc(out pointer, bytes);
    }

    public CudaResult MemFreeHost(nint pointer) => Verdict("MemFreeHost") ?? inner.MemFreeHost(pointer);
    public CudaResult MemcpyHtoDAsync(nint to, void* from, long bytes, nint stream) => Verdict("MemcpyHtoDAsync") ?? inner.MemcpyHtoDAsync(to, from, bytes, stream);
    public CudaResult MemcpyDtoHAsync(void* to, nint from, long bytes, nint stream) => Verdict("MemcpyDtoHAsync") ?? inner.MemcpyDtoHAsync(to, from, bytes, stream);
    public CudaResult MemcpyDtoDAsync(nint to, nint from, long bytes, nint stream) => Verdict("MemcpyDtoDAsync") ?? inner.MemcpyDtoDAsync(to, from, bytes, stream);
    public CudaResult MemsetD8Async(nint to, byte value, long bytes, nint stream) => Verdict("MemsetD8Async") ?? inner.MemsetD8Async(to, value, bytes, stream);

    public CudaResult ModuleLoadData(out nint module, ReadOnlySpan<byte> image)
    {
        module = 0;
        return Verdict("ModuleLoadData") ?? inner.ModuleLoadData(out module, image);
    }

    public CudaResult ModuleUnload(nint module) => Verdict("ModuleUnload") ?? inner.ModuleUnload(module);

    public CudaResult ModuleGetFunction(out nint function, nint module, string name)
    {
        function = 0;
        return Verdict("ModuleGetFunction") ?? inner.ModuleGetFunction(out function, module, name);
    }

    public CudaResult FuncGetAttribute(out int value, CudaFunctionAttribute attribute, nint function) => inner.FuncGetAttribute(out value, attribute, function);
    public CudaResult FuncSetAttribute(nint function, CudaFunctionAttribute attribute, int value) => inner.FuncSetAttribute(function, attribute, value);

    public CudaResult OccupancyMaxActiveBlocksPerMultiprocessor(out int blocks, nint function, int threads) =>
        inner.OccupancyMaxActiveBlocksPerMultiprocessor(out blocks, function, threads);

    public CudaResult LaunchKernel(nint function, in CudaGrid grid, nint stream, void* arguments, int argumentBytes) =>
        Verdict("LaunchKernel") ?? inner.LaunchKernel(function, grid, stream, arguments, argumentBytes);

    public CudaResult StreamCreate(out nint stream)
    {
        stream = 0;
        return Verdict("StreamCreate") ?? inner.StreamCreate(out stream);
    }

    public CudaResult StreamDestroy(nint stream) => Verdict("StreamDestroy") ?? inner.StreamDestroy(stream);
    public CudaResult StreamSynchronize(nint stream) => Verdict("StreamSynchronize") ?? inner.StreamSynchronize(stream);
    public CudaResult StreamWaitEvent(nint stream, nint happened) => Verdict("StreamWaitEvent") ?? inner.StreamWaitEvent(stream, happened);
    public CudaResult EventCreate(out nint handle) => inner.EventCreate(out handle);
    public CudaResult EventDestroy(nint handle) => Verdict("EventDestroy") ?? inner.EventDestroy(handle);
    public CudaResult EventRecord(nint handle, nint stream) => Verdict("EventRecord") ?? inner.EventRecord(handle, stream);
    public CudaResult EventQuery(nint handle) => Verdict("EventQuery") ?? inner.EventQuery(handle);
    public CudaResult EventSynchronize(nint handle) => Verdict("EventSynchronize") ?? inner.EventSynchronize(handle);
    public CudaResult EventElapsedTime(out float milliseconds, nint start, nint end) => inner.EventElapsedTime(out milliseconds, start, end);
    public CudaResult StreamBeginCapture(nint stream) => Verdict("StreamBeginCapture") ?? inner.StreamBeginCapture(stream);
    public CudaResult StreamEndCapture(nint stream, out nint graph) => inner.StreamEndCapture(stream, out graph);
    public CudaResult StreamIsCapturing(nint stream, out bool capturing) => inner.StreamIsCapturing(stream, out capturing);
    public CudaResult GraphInstantiate(out nint executable, nint graph) => inner.GraphInstantiate(out executable, graph);
    public CudaResult GraphExecUpdate(nint executable, nint graph) => inner.GraphExecUpdate(executable, graph);
    public CudaResult GraphLaunch(nint executable, nint stream) => Verdict("GraphLaunch") ?? inner.GraphLaunch(executable, stream);
    public CudaResult GraphExecDestroy(nint executable) => Verdict("GraphExecDestroy") ?? inner.GraphExecDestroy(executable);
    public CudaResult GraphDestroy(nint graph) => Verdict("GraphDestroy") ?? inner.GraphDestroy(graph);
    public CudaResult GraphGetNodeCount(nint graph, out long nodes) => inner.GraphGetNodeCount(graph, out nodes);

    public (string Name, string Text) Describe(CudaResult result)
    {
        Before?.Invoke("Describe");
        return CudaError.Describe(result);
    }

    // Null: the call is the inner driver's.
    private CudaResult? Verdict(string call)
    {
        if (_lost != CudaResult.Success)
        {
            lock (AfterLoss)
                AfterLoss.Add(call);
            return _lost;
        }
        int number;
        lock (_calls)
            number = _calls[call] = _calls.GetValueOrDefault(call) + 1;
        if (_plan.Call != call || (_plan.Number != number && _plan.Number != 0))
            return null;
        Before?.Invoke(call);
        if (_plan.Lasting)
            _lost = _plan.Result;
        return _plan.Result;
    }
}
