namespace Native;

/// <summary>Result codes of the driver that this library reacts to, under the driver's numbers; every other number is passed on as it is.</summary>
internal enum CudaResult
{
    Success = 0,
    InvalidValue = 1,
    OutOfMemory = 2,
    NotInitialized = 3,
    Deinitialized = 4,
    NoDevice = 100,
    InvalidDevice = 101,
    InvalidImage = 200,
    InvalidContext = 201,
    NoBinaryForGpu = 209,
    InvalidSource = 300,
    InvalidHandle = 400,
    NotFound = 500,
    NotReady = 600,
    IllegalAddress = 700,
    LaunchOutOfResources = 701,
    LaunchFailed = 719,
    StreamCaptureUnsupported = 900,
    StreamCaptureInvalidated = 901,
    StreamCaptureUnmatched = 903,
    CapturedEvent = 907,
    GraphExecUpdateFailure = 910,
    Unknown = 999,
}

/// <summary>Facts of a device that are asked for, under the driver's numbers (<c>CUdevice_attribute</c>).</summary>
internal enum CudaAttribute
{
    MaxThreadsPerBlock = 1,
    SharedMemoryPerBlock = 8,
    WarpSize = 10,
    ClockRate = 13,
    MultiprocessorCount = 16,
    MemoryClockRate = 36,
    MemoryBusWidth = 37,
    L2CacheSize = 38,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,

    /// <summary>1 where memory can be allocated in a stream's order.</summary>
    MemoryPoolsSupported = 115,
}

/// <summary>Facts of a kernel, under the driver's numbers (<c>CUfunction_attribute</c>).</summary>
internal enum CudaFunctionAttribute
{
    MaxThreadsPerBlock = 0,
    SharedBytes = 1,
    LocalBytes = 3,
    Registers = 4,

    /// <summary>Can be set: bytes of shared memory that a launch may ask for beside the static ones; above 48 KiB it must be.</summary>
    MaxDynamicSharedBytes = 8,

    /// <summary>Can be set: percent of the first cache that is to be shared memory; -1 leaves it to the driver.</summary>
    PreferredSharedCarveout = 9,
}

/// <summary>Grid and block of a launch.</summary>
internal readonly record struct CudaGrid(int BlocksX, int BlocksY, int BlocksZ, int Threads)
{
    /// <summary>A line of blocks.</summary>
    public static CudaGrid Of(int blocks, int threads) => new(blocks, 1, 1, threads);
}

/// <summary>
/// The driver API as far as it is used, one method per entry point, under its name without the prefix and with its result codes: the seam at
/// which a GPU's driver and the emulator are exchanged. Nothing above it knows which of the two it talks to. Handles are pointers.
/// All calls but <see cref="Init"/> need the device's context current on the calling thread (<see cref="CtxSetCurrent"/>).
/// </summary>
internal unsafe interface ICudaDriver
{
    /// <summary>For messages: which library, or that it is emulated.</summary>
    string Source { get; }

    CudaResult Init();
    CudaResult DriverGetVersion(out int version);
    CudaResult DeviceGetCount(out int count);
    CudaResult DeviceGetName(int ordinal, out string name);
    CudaResult DeviceTotalMem(int ordinal, out long bytes);
    CudaResult DeviceGetAttribute(int ordinal, CudaAttribute attribute, out int value);
    CudaResult DevicePrimaryCtxRetain(int ordinal, out nint context);
    CudaResult CtxSetCurrent(nint context);
    CudaResult MemGetInfo(out long free, out long total);

    CudaResult MemAlloc(out nint pointer, long bytes);
    CudaResult MemFree(nint pointer);

    /// <summary>Memory that is there when the stream comes to it. Where <see cref="CudaAttribute.MemoryPoolsSupported"/> is 1.</summary>
    CudaResult MemAllocAsync(out nint pointer, long bytes, nint stream);

    /// <summary>Gives memory back when the stream comes to it, whichever of the two ways it was allocated.</summary>
    CudaResult MemFreeAsync(nint pointer, nint stream);

    /// <summary>Host memory that never moves: what the device copies from and to by itself.</summary>
    CudaResult MemHostAlloc(out nint pointer, long bytes);
    CudaResult MemFreeHost(nint pointer);

    /// <summary>Asynchronous on the stream when the host side is pinned, else complete (host side) on return.</summary>
    CudaResult MemcpyHtoDAsync(nint to, void* from, long bytes, nint stream);
    CudaResult MemcpyDtoHAsync(void* to, nint from, long bytes, nint stream);
    CudaResult MemcpyDtoDAsync(nint to, nint from, long bytes, nint stream);
    CudaResult MemsetD8Async(nint to, byte value, long bytes, nint stream);

    CudaResult ModuleLoadData(out nint module, ReadOnlySpan<byte> image);
    CudaResult ModuleUnload(nint module);
    CudaResult ModuleGetFunction(out nint function, nint module, string name);
    CudaResult FuncGetAttribute(out int value, CudaFunctionAttribute attribute, nint function);
    CudaResult FuncSetAttribute(nint function, CudaFunctionAttribute attribute, int value);
    CudaResult OccupancyMaxActiveBlocksPerMultiprocessor(out int blocks, nint function, int threads);

    /// <summary>Queues a kernel whose one parameter is the block of bytes at <paramref name="arguments"/>, copied before the call returns.</summary>
    CudaResult LaunchKernel(nint function, in CudaGrid grid, nint stream, void* arguments, int argumentBytes);

    CudaResult StreamCreate(out nint stream);
    CudaResult StreamDestroy(nint stream);
    CudaResult StreamSynchronize(nint stream);
    CudaResult StreamWaitEvent(nint stream, nint happened);
    CudaResult EventCreate(out nint handle);
    CudaResult EventDestroy(nint handle);
    CudaResult EventRecord(nint handle, nint stream);
    CudaResult EventQuery(nint handle);
    CudaResult EventSynchronize(nint handle);
    CudaResult EventElapsedTime(out float milliseconds, nint start, nint end);

    /// <summary>Thread-local capture: what the driver forbids meanwhile on this thread (allocate, free, synchronise, load) returns its error codes.</summary>
    CudaResult StreamBeginCapture(nint stream);
    CudaResult StreamEndCapture(nint stream, out nint graph);

    /// <summary>Whether what is queued on a stream is being recorded, a broken recording included. Permitted at any time.</summary>
    CudaResult StreamIsCapturing(nint stream, out bool capturing);
    CudaResult GraphInstantiate(out nint executable, nint graph);
    CudaResult GraphExecUpdate(nint executable, nint graph);
    CudaResult GraphLaunch(nint executable, nint stream);
    CudaResult GraphExecDestroy(nint executable);
    CudaResult GraphDestroy(nint graph);
    CudaResult GraphGetNodeCount(nint graph, out long nodes);

    /// <summary>Name and text of a result code, as the driver gives them.</summary>
    (string Name, string Text) Describe(CudaResult result);
}
