using System.Runtime.InteropServices;
using System.Text;

namespace Native;

/// <summary>
/// libcuda, bound by name at run time: CUDA 11.4 to 13, nothing to install but the GPU's driver. Each method is one call through a function pointer;
/// the table of pointers is in Driver.Entries.cs. Nothing is allocated per launch.
/// </summary>
internal sealed unsafe partial class Driver : ICudaDriver
{
    private const uint NonBlocking = 1;         // CU_STREAM_NON_BLOCKING: no hidden order with the default stream, which nothing of ours uses
    private const int ThreadLocal = 1;          // CU_STREAM_CAPTURE_MODE_THREAD_LOCAL

    private static readonly Lazy<Driver> Shared = new(() => Open(LibraryLoader.Find(CudaLibrary.Driver)));

    /// <inheritdoc/>
    public string Source { get; }

    /// <summary>The process's driver; <see cref="DeviceException"/> with the list of what was tried when there is none.</summary>
    public static Driver Load() => Shared.Value;

    /// <summary>The driver of a search's library; <see cref="DeviceException"/> when it has none, or one too old.</summary>
    public static Driver Open(LibrarySearch search)
    {
        search.Require();
        return new Driver(search.Path, search.Entry);
    }

    /// <summary>The CUDA version of the process's driver, in CUDA's numbers; null when there is no driver.</summary>
    public static int? TryVersion()
    {
        try
        {
            return Load().DriverGetVersion(out int version) == CudaResult.Success ? version : null;
        }
        catch (DeviceException)
        {
            return null;
        }
    }

    /// <summary>CUDA's number for a version as words: 12040 is 12.4.</summary>
    public static string VersionText(int version) => $"{version / 1000}.{version % 1000 / 10}";

    public CudaResult Init() => _init(0);

    public CudaResult DriverGetVersion(out int version)
    {
        version = 0;
        fixed (int* p = &version)
            return _driverGetVersion(p);
    }

    public CudaResult DeviceGetCount(out int count)
    {
        count = 0;
        fixed (int* p = &count)
            return _deviceGetCount(p);
    }

    public CudaResult DeviceGetName(int ordinal, out string name)
    {
        const int Length = 256;
        byte* text = stackalloc byte[Length];
        text[0] = 0;
        int device;
        var result = _deviceGet(&device, ordinal);
        if (result == CudaResult.Success)
            result = _deviceGetName(text, Length, device);
        name = Text(text);
        return result;
    }

    public CudaResult DeviceTotalMem(int ordinal, out long bytes)
    {
        int device;
        nuint total = 0;
        var result = _deviceGet(&device, ordinal);
        if (result == CudaResult.Success)
            result = _deviceTotalMem(&total, device);
        bytes = (long)total;
        return result;
    }

    public CudaResult DeviceGetAttribute(int ordinal, CudaAttribute attribute, out int value)
    {
        int device, fact = 0;
        var result = _deviceGet(&device, ordinal);
        if (result == CudaResult.Success)
            result = _deviceGetAttribute(&fact, attribute, device);
        value = fact;
        return result;
    }

    public CudaResult DevicePrimaryCtxRetain(int ordinal, out nint context)
    {
        int device;
        nint made = 0;
        var result = _deviceGet(&device, ordinal);
        if (result == CudaResult.Success)
            result = _devicePrimaryCtxRetain(&made, device);
        context = made;
        return result;
    }

    public CudaResult CtxSetCurrent(nint context) => _ctxSetCurrent(context);

    public CudaResult MemGetInfo(out long free, out long total)
    {
        nuint f = 0, t = 0;
        var result = _memGetInfo(&f, &t);
        (free, total) = ((long)f, (long)t);
        return result;
    }

    public CudaResult MemAlloc(out nint pointer, long bytes)
    {
        pointer = 0;
        fixed (nint* p = &pointer)
            return _memAlloc(p, (nuint)bytes);
    }

    public CudaResult MemFree(nint pointer) => _memFree(pointer);

    public CudaResult MemAllocAsync(out nint pointer, long bytes, nint stream)
    {
        pointer = 0;
        fixed (nint* p = &pointer)
            return _memAllocAsync(p, (nuint)bytes, stream);
    }

    public CudaResult MemFreeAsync(nint pointer, nint stream) => _memFreeAsync(pointer, stream);

    public CudaResult MemHostAlloc(out nint pointer, long bytes)
    {
        pointer = 0;
        fixed (nint* p = &pointer)
            return _memHostAlloc(p, (nuint)bytes, 0);
    }

    public CudaResult MemFreeHost(nint pointer) => _memFreeHost(pointer);

    public CudaResult MemcpyHtoDAsync(nint to, void* from, long bytes, nint stream) => _memcpyHtoD(to, from, (nuint)bytes, stream);

    public CudaResult MemcpyDtoHAsync(void* to, nint from, long bytes, nint stream) => _memcpyDtoH(to, from, (nuint)bytes, stream);

    public CudaResult MemcpyDtoDAsync(nint to, nint from, long bytes, nint stream) => _memcpyDtoD(to, from, (nuint)bytes, stream);

    public CudaResult MemsetD8Async(nint to, byte value, long bytes, nint stream) => _memsetD8(to, value, (nuint)bytes, stream);

    public CudaResult ModuleLoadData(out nint module, ReadOnlySpan<byte> image)
    {
        module = 0;
        fixed (nint* p = &module)
        fixed (byte* bytes = image)
            return _moduleLoadData(p, bytes);
    }

    public CudaResult ModuleUnload(nint module) => _moduleUnload(module);

    public CudaResult ModuleGetFunction(out nint function, nint module, string name)
    {
        function = 0;
        fixed (nint* p = &function)
        fixed (byte* text = Encoding.UTF8.GetBytes(name + '\0'))
            return _moduleGetFunction(p, module, text);
    }

    public CudaResult FuncGetAttribute(out int value, CudaFunctionAttribute attribute, nint function)
    {
        value = 0;
        fixed (int* p = &value)
            return _funcGetAttribute(p, attribute, function);
    }

    public CudaResult FuncSetAttribute(nint function, CudaFunctionAttribute attribute, int value) => _funcSetAttribute(function, attribute, value);

    public CudaResult OccupancyMaxActiveBlocksPerMultiprocessor(out int blocks, nint function, int threads)
    {
        blocks = 0;
        fixed (int* p = &blocks)
            return _occupancy(p, function, threads, 0);
    }

    // The driver knows the size of the one parameter from the kernel and copies that many bytes; argumentBytes is for drivers that cannot know.
    public CudaResult LaunchKernel(nint function, in CudaGrid grid, nint stream, void* arguments, int argumentBytes) =>
        _launchKernel(function, (uint)grid.BlocksX, (uint)grid.BlocksY, (uint)grid.BlocksZ, (uint)grid.Threads, 1, 1, 0, stream, &arguments, null);

    public CudaResult StreamCreate(out nint stream)
    {
        stream = 0;
        fixed (nint* p = &stream)
            return _streamCreate(p, NonBlocking);
    }

    public CudaResult StreamDestroy(nint stream) => _streamDestroy(stream);

    public CudaResult StreamSynchronize(nint stream) => _streamSynchronize(stream);

    public CudaResult StreamWaitEvent(nint stream, nint happened) => _streamWaitEvent(stream, happened, 0);

    public CudaResult EventCreate(out nint handle)
    {
        handle = 0;
        fixed (nint* p = &handle)
            return _eventCreate(p, 0);
    }

    public CudaResult EventDestroy(nint handle) => _eventDestroy(handle);

    public CudaResult EventRecord(nint handle, nint stream) => _eventRecord(handle, stream);

    public CudaResult EventQuery(nint handle) => _eventQuery(handle);

    public CudaResult EventSynchronize(nint handle) => _eventSynchronize(handle);

    public CudaResult EventElapsedTime(out float milliseconds, nint start, nint end)
    {
        milliseconds = 0;
        fixed (float* p = &milliseconds)
            return _eventElapsedTime(p, start, end);
    }

    public CudaResult StreamBeginCapture(nint stream) => _streamBeginCapture(stream, ThreadLocal);

    public CudaResult StreamEndCapture(nint stream, out nint graph)
    {
        graph = 0;
        fixed (nint* p = &graph)
            return _streamEndCapture(stream, p);
    }

    // CU_STREAM_CAPTURE_STATUS_NONE is 0.
    public CudaResult StreamIsCapturing(nint stream, out bool capturing)
    {
        int status = 0;
        var result = _streamIsCapturing(stream, &status);
        capturing = status != 0;
        return result;
    }

    public CudaResult GraphInstantiate(out nint executable, nint graph)
    {
        executable = 0;
        fixed (nint* p = &executable)
            return _graphInstantiate(p, graph, 0);
    }

    public CudaResult GraphExecUpdate(nint executable, nint graph)
    {
        if (_graphExecUpdate2 != null)
        {
            UpdateInfo info;
            return _graphExecUpdate2(executable, graph, &info);
        }
        nint node;
        int verdict;
        return _graphExecUpdate(executable, graph, &node, &verdict);
    }

    public CudaResult GraphLaunch(nint executable, nint stream) => _graphLaunch(executable, stream);

    public CudaResult GraphExecDestroy(nint executable) => _graphExecDestroy(executable);

    public CudaResult GraphDestroy(nint graph) => _graphDestroy(graph);

    public CudaResult GraphGetNodeCount(nint graph, out long nodes)
    {
        nuint count = 0;
        var result = _graphGetNodes(graph, null, &count);
        nodes = (long)count;
        return result;
    }

    public (string Name, string Text) Describe(CudaResult result)
    {
        byte* name = null, text = null;
        if (_getErrorName(result, &name) != CudaResult.Success || _getErrorString(result, &text) != CudaResult.Success)
            return CudaError.Describe(result);
        return (Text(name), Text(text));
    }

    private static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text) ?? "";

    // CUgraphExecUpdateResultInfo of CUDA 12.
    [StructLayout(LayoutKind.Sequential)]
    private struct UpdateInfo
    {
        public int Verdict;
        public nint Node, FromNode;
    }
}
