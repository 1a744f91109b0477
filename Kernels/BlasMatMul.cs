namespace Native;

/// <summary>
/// Row-major products through cuBLAS: C = (accumulate ? C : 0) + op(A) op(B), arguments as in <see cref="Gemm"/>. What is row-major here is the
/// transpose in columns there, so cuBLAS is asked for the transposed product, op(B)' op(A)', and nothing is copied. Pointers are the device's; the
/// handle is in pointer mode Host. T is float or double; with tf32 the factors of an f32 product are rounded for tensor cores, that call only.
/// </summary>
internal static unsafe class BlasMatMul
{
    /// <summary>One product. <see cref="ShapeException"/> when a dim or a lead does not fit 32 bits; <see cref="KernelException"/> when cuBLAS refuses.</summary>
    public static void Run<T>(ICudaBlas blas, nint handle, bool transA, bool transB, long m, long n, long k, T* a, long lda, T* b, long ldb, T* c, long ldc, bool accumulate, bool tf32 = false)
        where T : unmanaged
    {
        BlasOp first = Op(transB), second = Op(transA);
        int rows = Int(n), columns = Int(m), depth = Int(k), leadB = Int(ldb), leadA = Int(lda), leadC = Int(ldc);
        if (typeof(T) == typeof(float))
        {
            float one = 1, beta = accumulate ? 1 : 0;
            if (tf32)
                blas.Check(blas.GemmEx(handle, first, second, rows, columns, depth, &one, b, BlasType.F32, leadB, a, BlasType.F32, leadA, &beta, c, BlasType.F32, leadC,
                    BlasCompute.F32FastTf32), "cublasGemmEx");
            else
                blas.Check(blas.Sgemm(handle, first, second, rows, columns, depth, &one, (float*)b, leadB, (float*)a, leadA, &beta, (float*)c, leadC), "cublasSgemm");
        }
        else if (typeof(T) == typeof(double))
        {
            double one = 1, beta = accumulate ? 1 : 0;
            blas.Check(blas.Dgemm(handle, first, second, rows, columns, depth, &one, (double*)b, leadB, (double*)a, leadA, &beta, (double*)c, leadC), "cublasDgemm");
        }
        else
        {
            throw Unknown<T>();
        }
    }

    /// <summary><paramref name="batch"/> products; product i reads and writes at i times the strides (elements). Strides of A and B may be 0.</summary>
    public static void RunBatched<T>(ICudaBlas blas, nint handle, bool transA, bool transB, long m, long n, long k, T* a, long lda, T* b, long ldb, T* c, long ldc,
        bool accumulate, long batch, long strideA, long strideB, long strideC, bool tf32 = false)
        where T : unmanaged
    {
        BlasOp first = Op(transB), second = Op(transA);
        int rows = Int(n), columns = Int(m), depth = Int(k), leadB = Int(ldb), leadA = Int(lda), leadC = Int(ldc), count = Int(batch);
        if (typeof(T) == typeof(float))
        {
            float one = 1, beta = accumulate ? 1 : 0;
            if (tf32)
                blas.Check(blas.GemmStridedBatchedEx(handle, first, second, rows, columns, depth, &one, b, BlasType.F32, leadB, strideB, a, BlasType.F32, leadA, strideA,
                    &beta, c, BlasType.F32, leadC, strideC, count, BlasCompute.F32FastTf32), "cublasGemmStridedBatchedEx");
            else
                blas.Check(blas.SgemmStridedBatched(handle, first, second, rows, columns, depth, &one, (float*)b, leadB, strideB, (float*)a, leadA, strideA,
                    &beta, (float*)c, leadC, strideC, count), "cublasSgemmStridedBatched");
        }
        else if (typeof(T) == typeof(double))
        {
            double one = 1, beta = accumulate ? 1 : 0;
            blas.Check(blas.DgemmStridedBatched(handle, first, second, rows, columns, depth, &one, (double*)b, leadB, strideB, (double*)a, leadA, strideA,
                &beta, (double*)c, leadC, strideC, count), "cublasDgemmStridedBatched");
        }
        else
        {
            throw Unknown<T>();
        }
    }

    private static BlasOp Op(bool transposed) => transposed ? BlasOp.Transpose : BlasOp.None;

    // cuBLAS counts in 32 bits before version 12.
    private static int Int(long x) => x is >= 0 and <= int.MaxValue ? (int)x
        : throw new ShapeException($"matmul: a dim or a row length does not fit 32 bits on a GPU; it is {x}. Split the product.");

    private static DTypeException Unknown<T>() => new($"matmul: no product of this element type; it is {typeof(T).Name}. Convert to f32 or f64 first.");
}
