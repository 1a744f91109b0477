namespace Native.Tests;

/// <summary>
/// A driver, a compiler and a BLAS whose every call succeeds and does nothing: what a launch costs above it is ours. Addresses are made up, results are
/// never read.
/// </summary>
internal sealed unsafe class NullDriver : ICudaDriver, IKernelCompiler, ICudaBlas
{
    private nint _next = 1 << 20;

    /// <summary>What products return.</summary>
    public BlasStatus Product { get; set; }

    /// <summary>Kernels queued so far, those of the BLAS included.</summary>
    public long Launches { get; private set; }

    public string Source => "nothing";

    public static (Device Device, NullDriver Driver) Make()
    {
        var driver = new NullDriver();
        return (DriverKit.Over(driver, new CudaBackend(driver, () => driver)), driver);
    }

    public byte[] Compile(string source, string name, string arch) => [];

    public CudaResult Init() => 0;
    public CudaResult DriverGetVersion(out int version) => Give(out version, 12000);
    public CudaResult DeviceGetCount(out int count) => Give(out count, int.MaxValue);
    public CudaResult DeviceTotalMem(int ordinal, out long bytes) => Give(out bytes, 1L << 40);
    public CudaResult DevicePrimaryCtxRetain(int ordinal, out nint context) => Give(out context, 1);
    public CudaResult CtxSetCurrent(nint context) => 0;

    public CudaResult DeviceGetName(int ordinal, out string name)
    {
        name = "null";
        return 0;
    }

    public CudaResult DeviceGetAttribute(int ordinal, CudaAttribute attribute, out int value) => Give(out value, attribute switch
    {
        CudaAttribute.MultiprocessorCount => 132,
        CudaAttribute.ComputeCapabilityMajor => 9,
        _ => 0,
    });

    public CudaResult MemGetInfo(out long free, out long total)
    {
        free = total = 1L << 40;
        return 0;
    }

    public CudaResult MemAlloc(out nint pointer, long bytes) => Give(out pointer, (_next += (nint)(bytes + 511) & ~(nint)255));
    public CudaResult MemFree(nint pointer) => 0;
    public CudaResult MemAllocAsync(out nint pointer, long bytes, nint stream) => MemAlloc(out pointer, bytes);
    public CudaResult MemFreeAsync(nint pointer, nint stream) => 0;
    public CudaResult MemHostAlloc(out nint pointer, long bytes) => MemAlloc(out pointer, bytes);
    public CudaResult MemFreeHost(nint pointer) => 0;
    public CudaResult MemcpyHtoDAsync(nint to, void* from, long bytes, nint stream) => 0;
    public CudaResult MemcpyDtoHAsync(void* to, nint from, long bytes, nint stream) => 0;
    public CudaResult MemcpyDtoDAsync(nint to, nint from, long bytes, nint stream) => 0;
    public CudaResult MemsetD8Async(nint to, byte value, long bytes, nint stream) => 0;
    public CudaResult ModuleLoadData(out nint module, ReadOnlySpan<byte> image) => Give(out module, 1);
    public CudaResult ModuleUnload(nint module) => 0;
    public CudaResult ModuleGetFunction(out nint function, nint module, string name) => Give(out function, 1);
    public CudaResult FuncGetAttribute(out int value, CudaFunctionAttribute attribute, nint function) => Give(out value, 0);
    public CudaResult FuncSetAttribute(nint function, CudaFunctionAttribute attribute, int value) => 0;
    public CudaResult OccupancyMaxActiveBlocksPerMultiprocessor(out int blocks, nint function, int threads) => Give(out blocks, 8);

    public CudaResult LaunchKernel(nint function, in CudaGrid grid, nint stream, void* arguments, int argumentBytes)
    {
        Launches++;
        return 0;
    }

    public CudaResult StreamCreate(out nint stream) => Give(out stream, 1);
    public CudaResult StreamDestroy(nint stream) => 0;
    public CudaResult StreamSynchronize(nint stream) => 0;
    public CudaResult StreamWaitEvent(nint stream, nint happened) => 0;
    public CudaResult EventCreate(out nint handle) => Give(out handle, 1);
    public CudaResult EventDestroy(nint handle) => 0;
    public CudaResult EventRecord(nint handle, nint stream) => 0;
    public CudaResult EventQuery(nint handle) => 0;
    public CudaResult EventSynchronize(nint handle) => 0;
    public CudaResult EventElapsedTime(out float milliseconds, nint start, nint end) => Give(out milliseconds, 1);
    public CudaResult StreamBeginCapture(nint stream) => 0;
    public CudaResult StreamEndCapture(nint stream, out nint graph) => Give(out graph, 1);
    public CudaResult StreamIsCapturing(nint stream, out bool capturing) => Give(out capturing, false);
    public CudaResult GraphInstantiate(out nint executable, nint graph) => Give(out executable, 1);
    public CudaResult GraphExecUpdate(nint executable, nint graph) => 0;
    public CudaResult GraphLaunch(nint executable, nint stream) => 0;
    public CudaResult GraphExecDestroy(nint executable) => 0;
    public CudaResult GraphDestroy(nint graph) => 0;
    public CudaResult GraphGetNodeCount(nint graph, out long nodes) => Give(out nodes, 1);
    public (string Name, string Text) Describe(CudaResult result) => CudaError.Describe(result);

    public BlasStatus Create(out nint handle)
    {
        handle = 1;
        return 0;
    }

    public BlasStatus Destroy(nint handle) => 0;
    public BlasStatus SetStream(nint handle, nint stream) => 0;
    public BlasStatus SetMathMode(nint handle, BlasMath mode) => 0;
    public BlasStatus SetPointerMode(nint handle, BlasPointerMode mode) => 0;
    public BlasStatus SetWorkspace(nint handle, nint pointer, long bytes) => 0;

    public BlasStatus Sgemm(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, float* alpha, float* a, int lda, float* b, int ldb, float* beta, float* c, int ldc) => Queued();

    public BlasStatus Dgemm(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, double* alpha, double* a, int lda, double* b, int ldb, double* beta, double* c, int ldc) =>
        Queued();

    public BlasStatus SgemmStridedBatched(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, float* alpha, float* a, int lda, long strideA,
        float* b, int ldb, long strideB, float* beta, float* c, int ldc, long strideC, int batch) => Queued();

    public BlasStatus DgemmStridedBatched(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, double* alpha, double* a, int lda, long strideA,
        double* b, int ldb, long strideB, double* beta, double* c, int ldc, long strideC, int batch) => Queued();

    public BlasStatus GemmEx(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, void* alpha, void* a, BlasType typeA, int lda, void* b, BlasType typeB, int ldb,
        void* beta, void* c, BlasType typeC, int ldc, BlasCompute compute) => Queued();

    public BlasStatus GemmStridedBatchedEx(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, void* alpha, void* a, BlasType typeA, int lda, long strideA,
        void* b, BlasType typeB, int ldb, long strideB, void* beta, void* c, BlasType typeC, int ldc, long strideC, int batch, BlasCompute compute) => Queued();

    private BlasStatus Queued()
    {
        Launches++;
        return Product;
    }

    private static CudaResult Give<T>(out T place, T value)
    {
        place = value;
        return 0;
    }
}
