namespace Native;

/// <summary>
/// Matrix products of row-major tensors, batched. A transposed view costs nothing: its strides select the transposed form. On a GPU this
/// is cuBLAS, with <c>matmul.cu</c> as the readable oracle; in f32 with factors
/// rounded to tf32 where <see cref="Ambient.Tf32"/> says so.
/// </summary>
internal static unsafe class MatMulKernels
{
    /// <summary>
    /// y[..., m, n] = a[..., m, k] b[..., k, n]; y is dense; leading dims of a and b broadcast to y's. With <paramref name="accumulate"/> the product
    /// is added to what y holds.
    /// </summary>
    public static void Run(Tensor y, Tensor a, Tensor b, bool accumulate = false)
    {
        if (a.Layout.Dims[^1] == 0)
        {
            // An empty sum. A BLAS refuses the leading dims that empty matrices have.
            if (!accumulate && y.Count > 0)
                CopyKernels.Fill(y, 0);
            return;
        }
        Tensor? ownA = null, ownB = null;
        var pa = Operand.Of(a) ?? Operand.Of(ownA = Dense(a))!.Value;
        var pb = Operand.Of(b) ?? Operand.Of(ownB = Dense(b))!.Value;
        var blas = y.Device.IsCpu || y.Count == 0 ? null : BlasHandle.Of(Ambient.Current.Cuda(y.Device));
        blas?.Announce(y, a, b);
        try
        {
            if (y.DType == DType.F32)
                Run<float>(blas, y, ownA ?? a, pa, ownB ?? b, pb, accumulate);
            else
                Run<double>(blas, y, ownA ?? a, pa, ownB ?? b, pb, accumulate);
        }
        catch (KernelException) when (blas is not null)
        {
            blas.Explain();
            throw;
        }
        blas?.Finish();
        if (ownA is not null)
            Ambient.Current.Release(ownA.Storage);
        if (ownB is not null)
            Ambient.Current.Release(ownB.Storage);
    }

    private static Tensor Dense(Tensor x)
    {
        var copy = Tensor.Allocate(Layout.Of(x.Shape), x.DType, x.Device);
        CopyKernels.Copy(x, copy);
        return copy;
    }

    private static void Run<T>(BlasHandle? blas, Tensor y, Tensor a, Operand oa, Tensor b, Operand ob, bool accumulate) where T : unmanaged
    {
        long m = y.Layout.Dims[^2], n = y.Layout.Dims[^1], k = a.Layout.Dims[^1], batch = m * n == 0 ? 0 : y.Count / (m * n);
        if (batch == 0)
            return;
        foreach (var t in (ReadOnlySpan<Tensor>)[y, a, b])
            GraphCapture.Touch(t);
        T* py = y.Data<T>(), pa = a.Data<T>(), pb = b.Data<T>();
        var product = new Multiplier<T>(blas);
        if (batch == 1)
        {
            product.Run(oa.Transposed, ob.Transposed, m, n, k, pa, oa.Lead, pb, ob.Lead, py, n, accumulate);
            return;
        }
        // Leading dims as an odometer; each operand's broadcast dims have stride 0.
        var lead = Leading(y.Layout);
        var grid = new RowGrid(lead, Leading(a.Layout), Leading(b.Layout), null);
        if (grid.Rows == 1)
        {
            product.RunBatched(oa.Transposed, ob.Transposed, m, n, k, pa, oa.Lead, pb, ob.Lead, py, n, accumulate, batch, grid.SA, grid.SB, m * n);
            return;
        }
        var at = grid.At(0);
        for (long row = 0; row < grid.Rows; row++)
        {
            product.RunBatched(oa.Transposed, ob.Transposed, m, n, k, pa + at.A, oa.Lead, pb + at.B, ob.Lead, py + row * grid.Inner * m * n, n, accumulate, grid.Inner, grid.SA, grid.SB, m * n);
            grid.Advance(ref at);
        }
    }

    /// <summary>Where products of one device are computed: here, or by its BLAS.</summary>
    private readonly ref struct Multiplier<T>(BlasHandle? blas) where T : unmanaged
    {
        public void Run(bool transA, bool transB, long m, long n, long k, T* a, long lda, T* b, long ldb, T* c, long ldc, bool accumulate)
        {
            if (blas is null)
                Gemm.Run(transA, transB, m, n, k, a, lda, b, ldb, c, ldc, accumulate);
            else
                BlasMatMul.Run(blas.Blas, blas.Handle, transA, transB, m, n, k, a, lda, b, ldb, c, ldc, accumulate, Ambient.Current.Tf32);
        }

        public void RunBatched(bool transA, bool transB, long m, long n, long k, T* a, long lda, T* b, long ldb, T* c, long ldc, bool accumulate,
            long batch, long strideA, long strideB, long strideC)
        {
            if (blas is null)
                Gemm.RunBatched(transA, transB, m, n, k, a, lda, b, ldb, c, ldc, accumulate, batch, strideA, strideB, strideC);
            else
                BlasMatMul.RunBatched(blas.Blas, blas.Handle, transA, transB, m, n, k, a, lda, b, ldb, c, ldc, accumulate, batch, strideA, strideB, strideC, Ambient.Current.Tf32);
        }
    }

    // The layout of a batch: the last two dims fixed at 0.
    private static Layout Leading(Layout x) => x.Select(x.Rank - 1, 0).Select(x.Rank - 2, 0);

    /// <summary>How the last two dims of a tensor lie in memory, in BLAS terms; null when neither order has unit stride.</summary>
    private readonly record struct Operand(bool Transposed, long Lead)
    {
        public static Operand? Of(Tensor x)
        {
            long rows = x.Layout.Dims[^2], columns = x.Layout.Dims[^1], down = x.Layout.Strides[^2], across = x.Layout.Strides[^1];
            if ((across == 1 || columns <= 1) && (down >= columns || rows <= 1))
                return new Operand(false, Math.Max(down, columns));
            if ((down == 1 || rows <= 1) && across >= rows)
                return new Operand(true, across);
            return null;
        }
    }
}
