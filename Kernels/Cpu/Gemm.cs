using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// Matrix products on the CPU: C[m,n] = (accumulate ? C : 0) + op(A) op(B), all row-major.
/// </summary>
/// <remarks>
/// The algorithm follows from shape and transposes alone, and every element of C is summed in one fixed order over k, so the bits depend
/// neither on the number of threads nor on the vector width. Some shapes sum k in 64 bytes of lanes, some in blocks: two shapes may
/// round differently.
/// </remarks>
internal static unsafe class Gemm
{
    /// <summary>Below this many multiply-adds a product of a batch runs on one thread, and the batch is what is shared out.</summary>
    private const long SmallProduct = 128L * 128 * 128;

    /// <summary>
    /// One product. A is stored [m,k] (or [k,m] if <paramref name="transA"/>) with rows <paramref name="lda"/> elements apart, B [k,n]
    /// (or [n,k] if <paramref name="transB"/>) with <paramref name="ldb"/>, C [m,n] with <paramref name="ldc"/>. T is float or double.
    /// C must not overlap A or B. With k = 0 C becomes zero unless <paramref name="accumulate"/>.
    /// </summary>
    /// <exception cref="DTypeException">T is neither float nor double.</exception>
    public static void Run<T>(
        bool transA, bool transB, long m, long n, long k, T* a, long lda, T* b, long ldb, T* c, long ldc, bool accumulate)
        where T : unmanaged
    {
        Product<T> product = new(transA, transB, (nint)m, (nint)n, (nint)k, a, (nint)lda, b, (nint)ldb, c, (nint)ldc, accumulate);
        Run(product);
    }

    /// <summary>
    /// <paramref name="batch"/> products of one shape; product i reads and writes at i times the strides (elements). Strides of A and
    /// B may be 0 (the same matrix for all); C's products must not overlap.
    /// </summary>
    /// <exception cref="DTypeException">T is neither float nor double.</exception>
    public static void RunBatched<T>(
        bool transA, bool transB, long m, long n, long k, T* a, long lda, T* b, long ldb, T* c, long ldc, bool accumulate,
        long batch, long strideA, long strideB, long strideC)
        where T : unmanaged
    {
        Batch<T> job = new()
        {
            First = new(transA, transB, (nint)m, (nint)n, (nint)k, a, (nint)lda, b, (nint)ldb, c, (nint)ldc, accumulate),
            Count = batch,
            StrideA = strideA,
            StrideB = strideB,
            StrideC = strideC,
            Chunks = 1,
        };
        long work = Math.Max(m * n * k, 1);
        if (work >= SmallProduct)
        {
            job.Run(0); // each product is shared out by itself
            return;
        }
        job.Chunks = Workers.Chunks(batch * work, GemmDriver.Grain);
        Workers.Run(job.Chunks, ref job);
    }

    private static void Run<T>(Product<T> product) where T : unmanaged
    {
        if (typeof(T) == typeof(float))
        {
            if (Vector512.IsHardwareAccelerated)
                GemmDriver<float, Vector512<float>, F32x16>.Run(product.As<float>());
            else
                GemmDriver<float, Vector256<float>, F32x8>.Run(product.As<float>());
        }
        else if (typeof(T) == typeof(double))
        {
            if (Vector512.IsHardwareAccelerated)
                GemmDriver<double, Vector512<double>, F64x8>.Run(product.As<double>());
            else
                GemmDriver<double, Vector256<double>, F64x4>.Run(product.As<double>());
        }
        else
        {
            throw new DTypeException($"matmul: no product of this element type; it is {typeof(T).Name}. Convert to f32 or f64 first.");
        }
    }

    private struct Batch<T> : IJob where T : unmanaged
    {
        public Product<T> First;
        public long Count, StrideA, StrideB, StrideC;
        public int Chunks;

        public readonly void Run(int chunk)
        {
            long end = Workers.Start(Count, Chunks, chunk + 1);
            for (long i = Workers.Start(Count, Chunks, chunk); i < end; i++)
            {
                Product<T> product = First;
                product.A += i * StrideA;
                product.B += i * StrideB;
                product.C += i * StrideC;
                Gemm.Run(product);
            }
        }
    }
}

/// <summary>The arguments of one product, named as in <see cref="Gemm"/>.Run; lengths and steps in elements.</summary>
internal unsafe struct Product<T>(
    bool transA, bool transB, nint m, nint n, nint k, T* a, nint lda, T* b, nint ldb, T* c, nint ldc, bool accumulate)
    where T : unmanaged
{
    public bool TransA = transA, TransB = transB, Accumulate = accumulate;
    public nint M = m, N = n, K = k, Lda = lda, Ldb = ldb, Ldc = ldc;
    public T* A = a, B = b, C = c;

    /// <summary>The same arguments under the element type that T is known to be.</summary>
    public readonly Product<TOther> As<TOther>() where TOther : unmanaged =>
        new(TransA, TransB, M, N, K, (TOther*)A, Lda, (TOther*)B, Ldb, (TOther*)C, Ldc, Accumulate);
}
