using System.Runtime.InteropServices;

namespace Native.Tests;

/// <summary>Row-major products by cuBLAS's column-major calls: through the real binding to a plain cuBLAS, and through the emulated device's BLAS.</summary>
[Trait("Category", "Emulator")]
public sealed unsafe class CudaBlasTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    // m, n, k apart from each other, one of each a 1, and an empty sum.
    private static readonly (int M, int N, int K)[] Shapes = [(5, 7, 3), (1, 6, 4), (8, 1, 2), (3, 4, 1), (17, 9, 33), (4, 5, 0)];

    [NeedsFact(GpuKit.Gxx)]
    public void The_binding_multiplies()
    {
        GpuKit.Build("fake_cublas.cpp", _folder.File("libcublas.so.12"));
        var blas = CudaBlas.Open(GpuKit.Bare(_folder.Path) with { CudaPath = _folder.Path }, driverVersion: null);
        blas.Check(blas.Create(out nint handle), "cublasCreate");
        Products<float>(blas, handle, bits: false);
        Products<double>(blas, handle, bits: false);
        Products<float>(blas, handle, bits: false, tf32: true);
        long* state = stackalloc long[7];
        ((delegate* unmanaged<nint, long*, void>)LibraryLoader.Find(CudaLibrary.Blas, GpuKit.Bare(_folder.Path) with { CudaPath = _folder.Path }).Entry("fake_state"))(handle, state);
        Assert.Equal((77, -1), (state[5], state[6]));
        blas.Check(blas.Destroy(handle), "cublasDestroy");
    }

    [NeedsFact(GpuKit.Gxx)]
    public void The_binding_passes_settings()
    {
        GpuKit.Build("fake_cublas.cpp", _folder.File("libcublas.so.12"));
        var places = GpuKit.Bare(_folder.Path) with { CudaPath = _folder.Path };
        var blas = CudaBlas.Open(places, driverVersion: null);
        blas.Check(blas.Create(out nint handle), "cublasCreate");
        blas.Check(blas.SetStream(handle, unchecked((nint)0x0102030405060708)), "cublasSetStream");
        blas.Check(blas.SetMathMode(handle, BlasMath.Tf32), "cublasSetMathMode");
        blas.Check(blas.SetPointerMode(handle, BlasPointerMode.Device), "cublasSetPointerMode");
        blas.Check(blas.SetWorkspace(handle, unchecked((nint)0x7f01020304050600), 5_000_000_001), "cublasSetWorkspace");
        long* state = stackalloc long[7];
        ((delegate* unmanaged<nint, long*, void>)LibraryLoader.Find(CudaLibrary.Blas, places).Entry("fake_state"))(handle, state);
        Assert.Equal([0x0102030405060708, 3, 1, 0x7f01020304050600, 5_000_000_001], new Span<long>(state, 5).ToArray());
        blas.Check(blas.Destroy(handle), "cublasDestroy");
    }

    [Fact]
    public void The_host_multiplies_with_the_bits_of_the_cpu()
    {
        var blas = new HostBlas();
        blas.Check(blas.Create(out nint handle), "cublasCreate");
        Products<float>(blas, handle, bits: true);
        Products<double>(blas, handle, bits: true);
    }

    [Fact]
    public void Tf32_on_the_host_rounds_the_factors_and_nothing_else()
    {
        // To 10 bits of mantissa, ties away from zero; what is no number stays.
        float[] from = [1 + MathF.ScaleB(1, -11), 1 + MathF.ScaleB(1, -11) - MathF.ScaleB(1, -23), -1 - MathF.ScaleB(1, -11), 0, -0f, float.PositiveInfinity];
        float[] to = [1 + MathF.ScaleB(1, -10), 1, -1 - MathF.ScaleB(1, -10), 0, -0f, float.PositiveInfinity];
        Assert.Equal(to.Select(BitConverter.SingleToUInt32Bits), from.Select(HostBlas.Tf32).Select(BitConverter.SingleToUInt32Bits));
        Assert.True(float.IsNaN(HostBlas.Tf32(BitConverter.UInt32BitsToSingle(0x7F800001))));
        var blas = new HostBlas();
        blas.Check(blas.Create(out nint handle), "cublasCreate");
        const int N = 7;
        using Buf<float> a = new(KernelKit.Random(2 * N * N, 1)), b = new(KernelKit.Random(2 * N * N, 2)), c = new(new double[2 * N * N]), expected = new(new double[2 * N * N]), exact = new(new double[2 * N * N]);
        using Buf<float> ra = new(a.ToArray().Select(x => (double)HostBlas.Tf32((float)x)).ToArray()), rb = new(b.ToArray().Select(x => (double)HostBlas.Tf32((float)x)).ToArray());
        Gemm.RunBatched(false, true, N, N, N, ra.P, N, rb.P, N, expected.P, N, false, 2, N * N, N * N, N * N);
        Gemm.RunBatched(false, true, N, N, N, a.P, N, b.P, N, exact.P, N, false, 2, N * N, N * N, N * N);
        Assert.NotEqual(exact.ToArray(), expected.ToArray());
        void product(bool tf32) => BlasMatMul.RunBatched(blas, handle, false, true, N, N, N, a.P, N, b.P, N, c.P, N, false, 2, N * N, N * N, N * N, tf32);
        product(tf32: true);
        Assert.Equal(expected.ToArray(), c.ToArray());
        product(tf32: false);
        Assert.Equal(exact.ToArray(), c.ToArray());
        BlasMatMul.Run(blas, handle, false, true, N, N, N, a.P, N, b.P, N, c.P, N, accumulate: false, tf32: true);
        Assert.Equal(expected.ToArray()[..(N * N)], c.ToArray()[..(N * N)]);
        // The handle's mode does the same to a plain sgemm, and nothing to f64 or to a call that names its precision.
        blas.Check(blas.SetMathMode(handle, BlasMath.Tf32), "cublasSetMathMode");
        product(tf32: false);
        Assert.Equal(expected.ToArray(), c.ToArray());
        float* one = stackalloc float[] { 1 }, zero = stackalloc float[] { 0 };
        BlasStatus ex(BlasType type, BlasCompute compute) => blas.GemmEx(handle, BlasOp.Transpose, BlasOp.None, N, N, N, one, b.P, type, N, a.P, type, N, zero, c.P, type, N, compute);
        Assert.Equal(BlasStatus.Success, ex(BlasType.F32, BlasCompute.F32));
        Assert.Equal(exact.ToArray()[..(N * N)], c.ToArray()[..(N * N)]);
        Assert.Equal(BlasStatus.NotSupported, ex(BlasType.F32, BlasCompute.F64));
        Assert.Equal(BlasStatus.NotSupported, ex(BlasType.F64, BlasCompute.F32FastTf32));
        blas.Check(blas.Destroy(handle), "cublasDestroy");
        Assert.Equal(BlasStatus.NotInitialized, ex(BlasType.F32, BlasCompute.F32));
    }

    private static void Products<T>(ICudaBlas blas, nint handle, bool bits, bool tf32 = false) where T : unmanaged, System.Numerics.INumber<T>
    {
        foreach (var (m, n, k) in Shapes)
            foreach (bool transA in (bool[])[false, true])
                foreach (bool transB in (bool[])[false, true])
                    foreach (bool accumulate in (bool[])[false, true])
                        foreach (int batch in (int[])[0, 1, 3])
                        {
                            // Rows further apart than they are long, and one matrix B for the whole batch.
                            int lda = (transA ? m : k) + 2, ldb = (transB ? k : n) + 1, ldc = n + 3, products = Math.Max(batch, 1);
                            long strideA = (long)(transA ? k : m) * lda + 5, strideC = (long)m * ldc + 4;
                            using Buf<T> a = new(KernelKit.Random(products * strideA, 1)), b = new(KernelKit.Random((long)(transB ? n : k) * ldb + 1, 2));
                            using Buf<T> expected = new(KernelKit.Random(products * strideC, 3)), actual = new(KernelKit.Random(products * strideC, 3));
                            if (batch == 0)
                            {
                                Gemm.Run(transA, transB, m, n, k, a.P, lda, b.P, ldb, expected.P, ldc, accumulate);
                                BlasMatMul.Run(blas, handle, transA, transB, m, n, k, a.P, lda, b.P, ldb, actual.P, ldc, accumulate, tf32);
                            }
                            else
                            {
                                Gemm.RunBatched(transA, transB, m, n, k, a.P, lda, b.P, ldb, expected.P, ldc, accumulate, batch, strideA, 0, strideC);
                                BlasMatMul.RunBatched(blas, handle, transA, transB, m, n, k, a.P, lda, b.P, ldb, actual.P, ldc, accumulate, batch, strideA, 0, strideC, tf32);
                            }
                            KernelKit.Close(expected.ToArray(), actual.ToArray(), bits ? 0 : KernelKit.Tolerance<T>(),
                                $"{typeof(T).Name} {m}x{n}x{k} {(transA ? 'T' : 'N')}{(transB ? 'T' : 'N')} accumulate {accumulate} batch {batch}");
                        }
    }

    [Fact]
    public void Scalars_scale_and_zero_means_unread()
    {
        var blas = new HostBlas();
        blas.Check(blas.Create(out nint handle), "cublasCreate");
        // Column-major: A = [1 3; 2 4], B = [5; 6], so A B = [23; 34].
        float* a = stackalloc float[] { 1, 2, 3, 4 }, b = stackalloc float[] { 5, 6 }, c = stackalloc float[] { 10, 20 };
        float* nan = stackalloc float[] { float.NaN, float.NaN, float.NaN, float.NaN };
        float alpha = 2, beta = -1, zero = 0;
        BlasStatus gemm(float* alpha, float* a, float* beta, float* c) => blas.Sgemm(handle, BlasOp.None, BlasOp.None, 2, 1, 2, alpha, a, 2, b, 2, beta, c, 2);
        Assert.Equal(BlasStatus.Success, gemm(&alpha, a, &beta, c));
        Assert.Equal([36f, 48f], new Span<float>(c, 2).ToArray());
        (c[0], c[1]) = (float.NaN, float.NaN);
        Assert.Equal(BlasStatus.Success, gemm(&alpha, a, &zero, c));
        Assert.Equal([46f, 68f], new Span<float>(c, 2).ToArray());
        Assert.Equal(BlasStatus.Success, gemm(&zero, nan, &beta, c));
        Assert.Equal([-46f, -68f], new Span<float>(c, 2).ToArray());
        Assert.Equal(BlasStatus.Success, gemm(&zero, null, &zero, c));
        Assert.Equal([0f, 0f], new Span<float>(c, 2).ToArray());
        Assert.Equal(BlasStatus.Success, gemm(&alpha, nan, &zero, c));
        Assert.Equal([float.NaN, float.NaN], new Span<float>(c, 2).ToArray());
    }

    [Fact]
    public void A_queue_gets_the_work_of_the_handles_stream_and_scalars_have_their_time()
    {
        var queued = new List<(nint Stream, Action Work)>();
        var blas = new HostBlas((stream, work) => queued.Add((stream, work)));
        blas.Check(blas.Create(out nint handle), "cublasCreate");
        blas.Check(blas.SetStream(handle, 17), "cublasSetStream");
        double* a = stackalloc double[] { 3 }, b = stackalloc double[] { 5 }, c = stackalloc double[] { 0 }, scalars = stackalloc double[] { 1, 0 };
        void product() => blas.Check(blas.Dgemm(handle, BlasOp.None, BlasOp.None, 1, 1, 1, scalars, a, 1, b, 1, scalars + 1, c, 1), "cublasDgemm");
        product();
        Assert.Equal(0, c[0]);
        // Read at the call in host mode, at the run in device mode: a graph replays the first with the old scalar, the second with the new.
        blas.Check(blas.SetPointerMode(handle, BlasPointerMode.Device), "cublasSetPointerMode");
        product();
        scalars[0] = 10;
        Assert.Equal([17, 17], queued.Select(q => q.Stream));
        queued[0].Work();
        Assert.Equal(15, c[0]);
        queued[1].Work();
        Assert.Equal(150, c[0]);
    }

    [Fact]
    public void What_cublas_refuses_the_host_refuses()
    {
        var blas = new HostBlas();
        blas.Check(blas.Create(out nint handle), "cublasCreate");
        float* one = stackalloc float[] { 1 }, zero = stackalloc float[] { 0 };
        const int Room = 1000;
        float* memory = (float*)NativeMemory.AllocZeroed(3 * Room, sizeof(float));
        BlasStatus run(BlasOp opA = BlasOp.None, BlasOp opB = BlasOp.None, int m = 4, int n = 5, int k = 6, int lda = 6, int ldb = 6, int ldc = 4, long strideC = 20, int batch = 2,
            long strideA = 36, long strideB = 0, int atA = 0, int atB = Room, int atC = 2 * Room, bool nullA = false, bool nullB = false, bool nullC = false, bool noAlpha = false,
            bool noBeta = false, nint? with = null) =>
            blas.SgemmStridedBatched(with ?? handle, opA, opB, m, n, k, noAlpha ? null : one, nullA ? null : memory + atA, lda, strideA, nullB ? null : memory + atB, ldb, strideB,
                noBeta ? null : zero, nullC ? null : memory + atC, ldc, strideC, batch);
        void refused(BlasStatus status) => Assert.Equal(BlasStatus.InvalidValue, status);
        void taken(BlasStatus status) => Assert.Equal(BlasStatus.Success, status);

        taken(run());
        // Leading dims: of op(A) m x k and op(B) k x n, with the bound of the stored matrix.
        taken(run(lda: 4));
        refused(run(lda: 3));
        taken(run(BlasOp.Transpose, lda: 6));
        refused(run(BlasOp.Transpose, lda: 5));
        refused(run(BlasOp.ConjugateTranspose, lda: 5));
        refused(run(ldb: 5));
        taken(run(opB: BlasOp.Transpose, ldb: 5));
        refused(run(opB: BlasOp.Transpose, ldb: 4));
        refused(run(ldc: 3));
        refused(run(m: 0, ldc: 0));
        // Sizes and operations.
        refused(run(m: -1));
        refused(run(n: -1));
        refused(run(k: -1));
        refused(run(batch: -1));
        refused(run((BlasOp)3));
        refused(run(opB: (BlasOp)(-1)));
        // Pointers.
        refused(run(noAlpha: true));
        refused(run(noBeta: true));
        refused(run(nullA: true));
        refused(run(nullB: true));
        refused(run(nullC: true));
        taken(run(k: 0, nullA: true, nullB: true));
        taken(run(batch: 0, nullC: true));
        // C over itself, over A, over B; behind the last element of A it may begin.
        refused(run(strideC: 19));
        taken(run(strideC: 0, batch: 1));
        refused(run(strideA: -36));
        refused(run(strideB: -1));
        refused(run(atC: 0));
        refused(run(atC: Room));
        refused(run(atC: 36 + 33));
        taken(run(atC: 36 + 34));
        refused(run(atC: Room - 39));
        taken(run(atC: Room - 40));
        // Handles and settings.
        Assert.Equal(BlasStatus.NotInitialized, run(with: 99));
        Assert.Equal(BlasStatus.NotInitialized, blas.SetStream(99, 0));
        refused(blas.SetMathMode(handle, (BlasMath)77));
        taken(blas.SetMathMode(handle, BlasMath.Tf32));
        refused(blas.SetPointerMode(handle, (BlasPointerMode)2));
        refused(blas.SetWorkspace(handle, 0, 1024));
        refused(blas.SetWorkspace(handle, 128, 1024));
        refused(blas.SetWorkspace(handle, 256, -1));
        taken(blas.SetWorkspace(handle, 256, 1024));
        taken(blas.Destroy(handle));
        Assert.Equal(BlasStatus.NotInitialized, blas.Destroy(handle));
        Assert.Equal(BlasStatus.NotInitialized, run());
        NativeMemory.Free(memory);
    }

    [Fact]
    public void A_refusal_is_an_error_with_the_call_and_the_status()
    {
        var blas = new HostBlas();
        blas.Check(blas.Create(out nint handle), "cublasCreate");
        float* x = stackalloc float[] { 1 };
        var e = Assert.Throws<KernelException>(() => BlasMatMul.Run(blas, handle, false, false, 2, 3, 4, x, 1, x, 3, x, 3, false));
        Assert.Equal("cublasSgemm: CUBLAS_STATUS_INVALID_VALUE (7); the host's BLAS. This is a bug in Native: please report it with the output of native doctor.", e.Message);
        Assert.Contains("does not fit 32 bits", Assert.Throws<ShapeException>(() => BlasMatMul.Run(blas, handle, false, false, 1L << 31, 3, 4, x, 1, x, 3, x, 3, false)).Message);
        Assert.Contains("Int32", Assert.Throws<DTypeException>(() => BlasMatMul.Run(blas, handle, false, false, 1, 1, 1, (int*)x, 1, (int*)x, 1, (int*)x, 1, false)).Message);
    }
}
