using System.Numerics;
using System.Runtime.InteropServices;

namespace Native;

/// <summary>
/// cuBLAS for the emulated device: the same signatures, computed by the CPU's <see cref="Gemm"/> and hence with its bits. It refuses what cuBLAS refuses
/// with the same status, and what cuBLAS takes on trust besides: null matrices, a C that overlaps a factor or, in a batch, itself. With
/// tf32, by math mode or by compute type, the factors of an f32 product are rounded to 10 bits of mantissa, ties away from zero, and summed in f32.
/// </summary>
/// <param name="queue">Given (stream, work) for each product, to run it now or when its stream comes to it; null runs it at once.</param>
internal sealed unsafe class HostBlas(Action<nint, Action>? queue = null) : ICudaBlas
{
    private const int WorkspaceAlignment = 256;

    private readonly Dictionary<nint, Handle> _handles = [];
    private nint _last;

    public string Source => "the host's BLAS";

    public BlasStatus Create(out nint handle)
    {
        lock (_handles)
            _handles.Add(handle = ++_last, new());
        return BlasStatus.Success;
    }

    public BlasStatus Destroy(nint handle)
    {
        lock (_handles)
            return _handles.Remove(handle) ? BlasStatus.Success : BlasStatus.NotInitialized;
    }

    public BlasStatus SetStream(nint handle, nint stream) => Set(handle, true, h => h.Stream = stream);

    public BlasStatus SetMathMode(nint handle, BlasMath mode) => Set(handle, mode is BlasMath.Default or BlasMath.Tf32, h => h.Math = mode);

    public BlasStatus SetPointerMode(nint handle, BlasPointerMode mode) =>
        Set(handle, mode is BlasPointerMode.Host or BlasPointerMode.Device, h => h.Mode = mode);

    public BlasStatus SetWorkspace(nint handle, nint pointer, long bytes) =>
        Set(handle, bytes >= 0 && (pointer != 0 || bytes == 0) && pointer % WorkspaceAlignment == 0, _ => { });

    public BlasStatus Sgemm(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, float* alpha, float* a, int lda, float* b, int ldb, float* beta, float* c, int ldc) =>
        Run(handle, new Call<float>(opA, opB, m, n, k, a, lda, 0, b, ldb, 0, c, ldc, 0, 1), alpha, beta);

    public BlasStatus Dgemm(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, double* alpha, double* a, int lda, double* b, int ldb, double* beta, double* c, int ldc) =>
        Run(handle, new Call<double>(opA, opB, m, n, k, a, lda, 0, b, ldb, 0, c, ldc, 0, 1), alpha, beta);

    public BlasStatus SgemmStridedBatched(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, float* alpha, float* a, int lda, long strideA,
        float* b, int ldb, long strideB, float* beta, float* c, int ldc, long strideC, int batch) =>
        Run(handle, new Call<float>(opA, opB, m, n, k, a, lda, strideA, b, ldb, strideB, c, ldc, strideC, batch), alpha, beta);

    public BlasStatus DgemmStridedBatched(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, double* alpha, double* a, int lda, long strideA,
        double* b, int ldb, long strideB, double* beta, double* c, int ldc, long strideC, int batch) =>
        Run(handle, new Call<double>(opA, opB, m, n, k, a, lda, strideA, b, ldb, strideB, c, ldc, strideC, batch), alpha, beta);

    public BlasStatus GemmEx(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, void* alpha, void* a, BlasType typeA, int lda, void* b, BlasType typeB, int ldb,
        void* beta, void* c, BlasType typeC, int ldc, BlasCompute compute) =>
        GemmStridedBatchedEx(handle, opA, opB, m, n, k, alpha, a, typeA, lda, 0, b, typeB, ldb, 0, beta, c, typeC, ldc, 0, 1, compute);

    public BlasStatus GemmStridedBatchedEx(nint handle, BlasOp opA, BlasOp opB, int m, int n, int k, void* alpha, void* a, BlasType typeA, int lda, long strideA,
        void* b, BlasType typeB, int ldb, long strideB, void* beta, void* c, BlasType typeC, int ldc, long strideC, int batch, BlasCompute compute)
    {
        if (Find(handle) is null)
            return BlasStatus.NotInitialized;
        // cuBLAS offers more combinations; these are the ones with one type throughout.
        return (typeA, typeB, typeC, compute) switch
        {
            (BlasType.F32, BlasType.F32, BlasType.F32, BlasCompute.F32 or BlasCompute.F32FastTf32) =>
                Run(handle, new Call<float>(opA, opB, m, n, k, (float*)a, lda, strideA, (float*)b, ldb, strideB, (float*)c, ldc, strideC, batch), (float*)alpha, (float*)beta,
                    compute == BlasCompute.F32FastTf32),
            (BlasType.F64, BlasType.F64, BlasType.F64, BlasCompute.F64) =>
                Run(handle, new Call<double>(opA, opB, m, n, k, (double*)a, lda, strideA, (double*)b, ldb, strideB, (double*)c, ldc, strideC, batch), (double*)alpha, (double*)beta),
            _ => BlasStatus.NotSupported,
        };
    }

    /// <summary>The nearest number with 10 bits of mantissa, of two the one further from zero; as the tensor cores' <c>cvt.rna</c>.</summary>
    public static float Tf32(float x)
    {
        if (!float.IsFinite(x))
            return x;
        return BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits(x) + 0x1000) & ~0x1FFFu);
    }

    private BlasStatus Set(nint handle, bool valid, Action<Handle> set)
    {
        if (Find(handle) is not { } found)
            return BlasStatus.NotInitialized;
        if (!valid)
            return BlasStatus.InvalidValue;
        set(found);
        return BlasStatus.Success;
    }

    private Handle? Find(nint handle)
    {
        lock (_handles)
            return _handles.GetValueOrDefault(handle);
    }

    private BlasStatus Run<T>(nint handle, Call<T> call, T* alpha, T* beta, bool? tf32 = null) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (Find(handle) is not { } found)
            return BlasStatus.NotInitialized;
        if (alpha == null || beta == null || !call.Valid())
            return BlasStatus.InvalidValue;
        bool round = typeof(T) == typeof(float) && (tf32 ?? found.Math == BlasMath.Tf32);
        // Scalars of the host are read now, those of the device when the product runs, as a captured graph shows.
        Action work;
        if (found.Mode == BlasPointerMode.Host)
        {
            T al = *alpha, be = *beta;
            if (!call.Sound(readsFactors: al != T.Zero))
                return BlasStatus.InvalidValue;
            work = () => call.Compute(al, be, round);
        }
        else
        {
            if (!call.Sound(readsFactors: true))
                return BlasStatus.InvalidValue;
            work = () => call.Compute(*alpha, *beta, round);
        }
        if (call.Empty)
            return BlasStatus.Success;
        if (queue is null)
            work();
        else
            queue(found.Stream, work);
        return BlasStatus.Success;
    }

    private sealed class Handle
    {
        public nint Stream;
        public BlasPointerMode Mode;
        public BlasMath Math;
    }

    /// <summary>The arguments of a product, in cuBLAS's terms.</summary>
    private readonly struct Call<T>(BlasOp opA, BlasOp opB, int m, int n, int k, T* a, int lda, long strideA, T* b, int ldb, long strideB, T* c, int ldc, long strideC, int batch)
        where T : unmanaged, IFloatingPointIeee754<T>
    {
        private readonly T* _a = a, _b = b, _c = c;

        public bool Empty => m == 0 || n == 0 || batch == 0;

        /// <summary>What cuBLAS itself checks.</summary>
        public bool Valid() => m >= 0 && n >= 0 && k >= 0 && batch >= 0 && Known(opA) && Known(opB)
            && lda >= Math.Max(1, opA == BlasOp.None ? m : k) && ldb >= Math.Max(1, opB == BlasOp.None ? k : n) && ldc >= Math.Max(1, m);

        /// <summary>What cuBLAS takes on trust.</summary>
        public bool Sound(bool readsFactors)
        {
            if (Empty)
                return true;
            if (_c == null || batch > 1 && strideC < Extent(m, n, ldc) || strideA < 0 || strideB < 0)
                return false;
            if (k == 0 || !readsFactors)
                return true;
            long size = Extent(m, n, ldc) + (batch - 1) * strideC;
            return _a != null && _b != null && Apart(_a, SizeA, _c, size) && Apart(_b, SizeB, _c, size);
        }

        private long SizeA => (opA == BlasOp.None ? Extent(m, k, lda) : Extent(k, m, lda)) + (batch - 1) * strideA;

        private long SizeB => (opB == BlasOp.None ? Extent(k, n, ldb) : Extent(n, k, ldb)) + (batch - 1) * strideB;

        /// <summary>The product. A column-major matrix is its transpose in rows, so the factors change places.</summary>
        public void Compute(T alpha, T beta, bool round)
        {
            if (round && k > 0 && alpha != T.Zero)
            {
                T* roundA = Rounded(_a, SizeA), roundB = Rounded(_b, SizeB);
                new Call<T>(opA, opB, m, n, k, roundA, lda, strideA, roundB, ldb, strideB, _c, ldc, strideC, batch).Compute(alpha, beta, round: false);
                NativeMemory.Free(roundA);
                NativeMemory.Free(roundB);
                return;
            }
            bool plain = alpha == T.One && (beta == T.Zero || beta == T.One);
            if (plain)
            {
                Gemm.RunBatched(opB != BlasOp.None, opA != BlasOp.None, n, m, k, _b, ldb, _a, lda, _c, ldc, beta == T.One, batch, strideB, strideA, strideC);
                return;
            }
            var product = (T*)NativeMemory.Alloc((nuint)((long)m * n), (nuint)sizeof(T));
            for (int i = 0; i < batch; i++)
            {
                // With alpha = 0 the factors are not read, with beta = 0 C is not: what lies there may be NaN.
                if (alpha != T.Zero)
                    Gemm.Run(opB != BlasOp.None, opA != BlasOp.None, n, m, k, _b + i * strideB, ldb, _a + i * strideA, lda, product, m, accumulate: false);
                for (long column = 0; column < n; column++)
                    for (long row = 0; row < m; row++)
                    {
                        T* at = _c + i * strideC + column * ldc + row;
                        T old = beta == T.Zero ? T.Zero : beta * *at;
                        *at = alpha == T.Zero ? old : alpha * product[column * m + row] + old;
                    }
            }
            NativeMemory.Free(product);
        }

        // A copy, gaps between rows included.
        private static T* Rounded(T* x, long count)
        {
            float* y = (float*)NativeMemory.Alloc((nuint)count, sizeof(float));
            for (long i = 0; i < count; i++)
                y[i] = Tf32(((float*)x)[i]);
            return (T*)y;
        }

        private static bool Known(BlasOp op) => op is BlasOp.None or BlasOp.Transpose or BlasOp.ConjugateTranspose;

        // Elements from the first to behind the last of a column-major matrix.
        private static long Extent(long rows, long columns, long ld) => (columns - 1) * ld + rows;

        private static bool Apart(T* x, long xs, T* y, long ys) => x + xs <= y || y + ys <= x;
    }
}
