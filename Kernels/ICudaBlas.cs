namespace Native;

/// <summary>Result codes of cuBLAS, under its numbers.</summary>
internal enum BlasStatus
{
    Success = 0,
    NotInitialized = 1,
    AllocFailed = 3,
    InvalidValue = 7,
    ArchMismatch = 8,
    MappingError = 11,
    ExecutionFailed = 13,
    InternalError = 14,
    NotSupported = 15,
    LicenseError = 16,
}

/// <summary>op(A) of a product: A or its transpose (<c>cublasOperation_t</c>).</summary>
internal enum BlasOp
{
    None = 0,
    Transpose = 1,
    ConjugateTranspose = 2,
}

/// <summary>Precision of products in f32 (<c>cublasMath_t</c>).</summary>
internal enum BlasMath
{
    /// <summary>Full f32.</summary>
    Default = 0,

    /// <summary>Factors rounded to 10 bits of mantissa, sums in f32, on tensor cores.</summary>
    Tf32 = 3,
}

/// <summary>Element types of <see cref="ICudaBlas.GemmEx"/> (<c>cudaDataType</c>).</summary>
internal enum BlasType
{
    F32 = 0,
    F64 = 1,
}

/// <summary>In what <see cref="ICudaBlas.GemmEx"/> computes (<c>cublasComputeType_t</c>): the precision of one call, whatever the handle's math mode.</summary>
internal enum BlasCompute
{
    F32 = 68,
    F64 = 70,

    /// <summary>Factors in f32, rounded to 10 bits of mantissa, sums in f32, on tensor cores.</summary>
    F32FastTf32 = 77,
}

/// <summary>Where alpha and beta lie (<c>cublasPointerMode_t</c>).</summary>
internal enum BlasPointerMode
{
    /// <summary>In host memory, read during the call.</summary>
    Host = 0,

    /// <summary>In device memory, read when the product runs.</summary>
    Device = 1,
}

/// <summary>
/// cuBLAS as far as it is used, under its own signatures: column-major, C = alpha op(A) op(B) + beta C with op(A) m x k and op(B) k x n; A, B and C are
/// device pointers. A fresh handle has pointer mode Host and math Default. <see cref="BlasMatMul"/> is the row-major way in.
/// </summary>
internal unsafe interface ICudaBlas
{
    /// <summary>For messages: which library, or that the host computes.</summary>
    string Source { get; }

    /// <summary>A handle of the current context.</summary>
    BlasStatus Create(out nint handle);

    BlasStatus Destroy(nint handle);
    BlasStatus SetStream(nint handle, nint stream);
    BlasStatus SetMathMode(nint handle, BlasMath mode);
    BlasStatus SetPointerMode(nint handle, BlasPointerMode mode);

    /// <summary>Device memory for split products, aligned to 256 bytes. Set it after <see cref="SetStream"/>, which resets it, and before a capture: cuBLAS allocates its own otherwise.</summary>
    BlasStatus SetWorkspace(nint handle, nint pointer, long bytes);

    BlasStatus Sgemm(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, float* alpha, float* a, int lda, float* b, int ldb, float* beta, float* c, int ldc);

    BlasStatus Dgemm(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, double* alpha, double* a, int lda, double* b, int ldb, double* beta, double* c, int ldc);

    /// <summary>Product i of the batch begins at i times the strides (elements); those of A and B may be 0.</summary>
    BlasStatus SgemmStridedBatched(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, float* alpha, float* a, int lda, long strideA,
        float* b, int ldb, long strideB, float* beta, float* c, int ldc, long strideC, int batch);

    /// <inheritdoc cref="SgemmStridedBatched"/>
    BlasStatus DgemmStridedBatched(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, double* alpha, double* a, int lda, long strideA,
        double* b, int ldb, long strideB, double* beta, double* c, int ldc, long strideC, int batch);

    /// <summary>A product whose types and precision are arguments; the algorithm is cuBLAS's own choice. Here A, B, C and the scalars have one type, that of the computation.</summary>
    BlasStatus GemmEx(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, void* alpha, void* a, BlasType typeA, int lda, void* b, BlasType typeB, int ldb,
        void* beta, void* c, BlasType typeC, int ldc, BlasCompute compute);

    /// <summary><see cref="GemmEx"/> of a batch, with strides as <see cref="SgemmStridedBatched"/>.</summary>
    BlasStatus GemmStridedBatchedEx(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, void* alpha, void* a, BlasType typeA, int lda, long strideA,
        void* b, BlasType typeB, int ldb, long strideB, void* beta, void* c, BlasType typeC, int ldc, long strideC, int batch, BlasCompute compute);
}

/// <summary>Status codes as exceptions.</summary>
internal static class BlasError
{
    /// <summary>Nothing on success; else a <see cref="KernelException"/> that names the call, the status and what to do.</summary>
    public static void Check(this ICudaBlas blas, BlasStatus status, string what)
    {
        if (status != BlasStatus.Success)
            throw new KernelException($"{what}: {Name(status)} ({(int)status}); {blas.Source}. {Advice(status)}");
    }

    private static string Name(BlasStatus status) => status switch
    {
        BlasStatus.NotInitialized => "CUBLAS_STATUS_NOT_INITIALIZED",
        BlasStatus.AllocFailed => "CUBLAS_STATUS_ALLOC_FAILED",
        BlasStatus.InvalidValue => "CUBLAS_STATUS_INVALID_VALUE",
        BlasStatus.ArchMismatch => "CUBLAS_STATUS_ARCH_MISMATCH",
        BlasStatus.MappingError => "CUBLAS_STATUS_MAPPING_ERROR",
        BlasStatus.ExecutionFailed => "CUBLAS_STATUS_EXECUTION_FAILED",
        BlasStatus.InternalError => "CUBLAS_STATUS_INTERNAL_ERROR",
        BlasStatus.NotSupported => "CUBLAS_STATUS_NOT_SUPPORTED",
        BlasStatus.LicenseError => "CUBLAS_STATUS_LICENSE_ERROR",
        _ => "an unknown status",
    };

    private static string Advice(BlasStatus status) => status switch
    {
        BlasStatus.NotInitialized => "The driver may be older than this cuBLAS, or out of memory: run native doctor.",
        BlasStatus.AllocFailed => "The GPU is out of memory: use a smaller batch.",
        BlasStatus.ArchMismatch or BlasStatus.NotSupported => "This cuBLAS is too old for the GPU: install a newer one.",
        BlasStatus.ExecutionFailed or BlasStatus.MappingError => "Earlier work on the GPU may have failed: set NATIVE_SYNC=1 to find the launch.",
        _ => "This is a bug in Native: please report it with the output of native doctor.",
    };
}
