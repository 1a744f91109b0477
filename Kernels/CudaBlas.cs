using System.Runtime.InteropServices;

namespace Native;

/// <summary>cuBLAS, bound by name at run time: versions 11.2 to 13. Each method is one call through a function pointer.</summary>
internal sealed unsafe class CudaBlas : ICudaBlas
{
    private static readonly Lazy<CudaBlas> Shared = new(() =>
    {
        var blas = Open(new(), Driver.TryVersion());
        DebugLines.Print(1, $"cuBLAS {Driver.VersionText(blas.Version)}, {blas.Source}");
        return blas;
    });

    private readonly delegate* unmanaged<nint*, BlasStatus> _create;
    private readonly delegate* unmanaged<nint, BlasStatus> _destroy;
    private readonly delegate* unmanaged<nint, nint, BlasStatus> _setStream;
    private readonly delegate* unmanaged<nint, BlasMath, BlasStatus> _setMathMode;
    private readonly delegate* unmanaged<nint, BlasPointerMode, BlasStatus> _setPointerMode;
    private readonly delegate* unmanaged<nint, nint, nuint, BlasStatus> _setWorkspace;
    private readonly delegate* unmanaged<nint, BlasOp, BlasOp, int, int, int, float*, float*, int, float*, int, float*, float*, int, BlasStatus> _sgemm;
    private readonly delegate* unmanaged<nint, BlasOp, BlasOp, int, int, int, double*, double*, int, double*, int, double*, double*, int, BlasStatus> _dgemm;
    private readonly delegate* unmanaged<nint, BlasOp, BlasOp, int, int, int, float*, float*, int, long, float*, int, long, float*, float*, int, long, int, BlasStatus> _sgemmBatched;
    private readonly delegate* unmanaged<nint, BlasOp, BlasOp, int, int, int, double*, double*, int, long, double*, int, long, double*, double*, int, long, int, BlasStatus> _dgemmBatched;
    private readonly delegate* unmanaged<nint, BlasOp, BlasOp, int, int, int, void*, void*, BlasType, int, void*, BlasType, int, void*, void*, BlasType, int, BlasCompute, int, BlasStatus> _gemmEx;
    private readonly delegate* unmanaged<nint, BlasOp, BlasOp, int, int, int, void*, void*, BlasType, int, long, void*, BlasType, int, long, void*, void*, BlasType, int, long, int, BlasCompute, int, BlasStatus> _gemmBatchedEx;

    // CUBLAS_GEMM_DEFAULT: cuBLAS chooses.
    private const int AnyAlgorithm = -1;

    private CudaBlas(LibrarySearch library)
    {
        Source = library.Path;
        Version = AskVersion(library.Entry("cublasGetProperty"));
        _create = (delegate* unmanaged<nint*, BlasStatus>)library.Entry("cublasCreate_v2");
        _destroy = (delegate* unmanaged<nint, BlasStatus>)library.Entry("cublasDestroy_v2");
        _setStream = (delegate* unmanaged<nint, nint, BlasStatus>)library.Entry("cublasSetStream_v2");
        _setMathMode = (delegate* unmanaged<nint, BlasMath, BlasStatus>)library.Entry("cublasSetMathMode");
        _setPointerMode = (delegate* unmanaged<nint, BlasPointerMode, BlasStatus>)library.Entry("cublasSetPointerMode_v2");
        _setWorkspace = (delegate* unmanaged<nint, nint, nuint, BlasStatus>)library.Entry("cublasSetWorkspace_v2");
        _sgemm = (delegate* unmanaged<nint, BlasOp, BlasOp, int, int, int, float*, float*, int, float*, int, float*, float*, int, BlasStatus>)library.Entry("cublasSgemm_v2");
        _dgemm = (delegate* unmanaged<nint, BlasOp, BlasOp, int, int, int, double*, double*, int, double*, int, double*, double*, int, BlasStatus>)library.Entry("cublasDgemm_v2");
        _sgemmBatched = (delegate* unmanaged<nint, BlasOp, BlasOp, int, int, int, float*, float*, int, long, float*, int, long, float*, float*, int, long, int, BlasStatus>)
            library.Entry("cublasSgemmStridedBatched");
        _dgemmBatched = (delegate* unmanaged<nint, BlasOp, BlasOp, int, int, int, double*, double*, int, long, double*, int, long, double*, double*, int, long, int, BlasStatus>)
            library.Entry("cublasDgemmStridedBatched");
        _gemmEx = (delegate* unmanaged<nint, BlasOp, BlasOp, int, int, int, void*, void*, BlasType, int, void*, BlasType, int, void*, void*, BlasType, int, BlasCompute, int, BlasStatus>)
            library.Entry("cublasGemmEx");
        _gemmBatchedEx = (delegate* unmanaged<nint, BlasOp, BlasOp, int, int, int, void*, void*, BlasType, int, long, void*, BlasType, int, long, void*, void*, BlasType, int, long, int, BlasCompute, int, BlasStatus>)
            library.Entry("cublasGemmStridedBatchedEx");
    }

    /// <inheritdoc/>
    public string Source { get; }

    /// <summary>The version that the library gives, in CUDA's way of counting: 12040 is 12.4; its major version is its toolkit's.</summary>
    public int Version { get; }

    /// <summary>The process's cuBLAS; <see cref="DeviceException"/> with the list of what was tried when there is none.</summary>
    public static CudaBlas Load() => Shared.Value;

    /// <summary>The first cuBLAS found whose major version is not above the driver's (null: any). <see cref="DeviceException"/> when there is none.</summary>
    public static CudaBlas Open(LibraryPlaces places, int? driverVersion) => new(LibraryLoader.Find(CudaLibrary.Blas, places, handle =>
    {
        int version = AskVersion(NativeLibrary.GetExport(handle, "cublasGetProperty"));
        return driverVersion is { } driver && version / 1000 > driver / 1000
            ? $"it is cuBLAS {Driver.VersionText(version)}, newer than the driver's CUDA {Driver.VersionText(driver)}" : null;
    }).Require());

    public BlasStatus Create(out nint handle)
    {
        handle = 0;
        fixed (nint* p = &handle)
            return _create(p);
    }

    public BlasStatus Destroy(nint handle) => _destroy(handle);

    public BlasStatus SetStream(nint handle, nint stream) => _setStream(handle, stream);

    public BlasStatus SetMathMode(nint handle, BlasMath mode) => _setMathMode(handle, mode);

    public BlasStatus SetPointerMode(nint handle, BlasPointerMode mode) => _setPointerMode(handle, mode);

    public BlasStatus SetWorkspace(nint handle, nint pointer, long bytes) => _setWorkspace(handle, pointer, (nuint)bytes);

    public BlasStatus Sgemm(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, float* alpha, float* a, int lda, float* b, int ldb, float* beta, float* c, int ldc) =>
        _sgemm(handle, opA, opB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);

    public BlasStatus Dgemm(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, double* alpha, double* a, int lda, double* b, int ldb, double* beta, double* c, int ldc) =>
        _dgemm(handle, opA, opB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);

    public BlasStatus SgemmStridedBatched(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, float* alpha, float* a, int lda, long strideA,
        float* b, int ldb, long strideB, float* beta, float* c, int ldc, long strideC, int batch) =>
        _sgemmBatched(handle, opA, opB, m, n, k, alpha, a, lda, strideA, b, ldb, strideB, beta, c, ldc, strideC, batch);

    public BlasStatus DgemmStridedBatched(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, double* alpha, double* a, int lda, long strideA,
        double* b, int ldb, long strideB, double* beta, double* c, int ldc, long strideC, int batch) =>
        _dgemmBatched(handle, opA, opB, m, n, k, alpha, a, lda, strideA, b, ldb, strideB, beta, c, ldc, strideC, batch);

    public BlasStatus GemmEx(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, void* alpha, void* a, BlasType typeA, int lda, void* b, BlasType typeB, int ldb,
        void* beta, void* c, BlasType typeC, int ldc, BlasCompute compute) =>
        _gemmEx(handle, opA, opB, m, n, k, alpha, a, typeA, lda, b, typeB, ldb, beta, c, typeC, ldc, compute, AnyAlgorithm);

    public BlasStatus GemmStridedBatchedEx(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, void* alpha, void* a, BlasType typeA, int lda, long strideA,
        void* b, BlasType typeB, int ldb, long strideB, void* beta, void* c, BlasType typeC, int ldc, long strideC, int batch, BlasCompute compute) =>
        _gemmBatchedEx(handle, opA, opB, m, n, k, alpha, a, typeA, lda, strideA, b, typeB, ldb, strideB, beta, c, typeC, ldc, strideC, batch, compute, AnyAlgorithm);

    // Without a handle, hence without a GPU: properties 0 and 1 are the major and the minor version.
    private static int AskVersion(nint entry)
    {
        var ask = (delegate* unmanaged<int, int*, BlasStatus>)entry;
        int major = 0, minor = 0;
        _ = ask(0, &major);
        _ = ask(1, &minor);
        return major * 1000 + minor * 10;
    }
}
