namespace Native;

/// <summary>Products by <c>matmul.cu</c>: any strides, no copies. The readable oracle that cuBLAS is checked against; no op calls it.</summary>
internal static class MatMulCuda
{
    private const int Tile = 64;

    private static readonly KernelFamily Family = new("matmul", DType.F32, DType.F64);

    private static readonly CudaKernel Tiled = new(Family, "matmul_tiled"), ByRow = new(Family, "matmul_row"), ByColumn = new(Family, "matmul_column");

    /// <summary>y = a b, or y + a b; shapes as <see cref="MatMulKernels.Run(Tensor, Tensor, Tensor, bool)"/>.</summary>
    public static void Run(Tensor y, Tensor a, Tensor b, bool accumulate)
    {
        if (y.Count == 0)
            return;
        Matrix ma = new(a, y), mb = new(b, y);
        int batch = Int(y.Count) / (ma.Rows * mb.Columns);
        if (mb.Columns == 1)
        {
            Vector(y, ma, mb, batch, accumulate);
            return;
        }
        if (ma.Rows == 1)
        {
            Vector(y, mb.Transposed, ma.Transposed, batch, accumulate);
            return;
        }
        MatMulArgs args = new()
        {
            Y = Launch.At(y),
            A = ma.At,
            B = mb.At,
            M = ma.Rows,
            N = mb.Columns,
            K = ma.Columns,
            ARow = ma.Down,
            AColumn = ma.Across,
            BRow = mb.Down,
            BColumn = mb.Across,
            Accumulate = accumulate ? 1 : 0,
            BatchA = ma.Batch,
            BatchB = mb.Batch,
        };
        long tiles = (long)((ma.Rows + Tile - 1) / Tile) * ((mb.Columns + Tile - 1) / Tile) * batch;
        Launch.Run(y.Device, Tiled, y.DType, CudaGrid.Of(Int(tiles), Launch.Threads), args);
    }

    // y[rows] = a[rows, k] x[k, 1].
    private static void Vector(Tensor y, Matrix a, Matrix x, int batch, bool accumulate)
    {
        MatVecArgs args = new()
        {
            Y = Launch.At(y),
            A = a.At,
            X = x.At,
            Rows = a.Rows,
            K = a.Columns,
            ARow = a.Down,
            AK = a.Across,
            XK = x.Down,
            Accumulate = accumulate ? 1 : 0,
            BatchA = a.Batch,
            BatchX = x.Batch,
        };
        bool byRow = a.Across <= a.Down || a.Rows == 1;
        long blocks = (long)batch * (byRow ? a.Rows : (a.Rows + 31) / 32);
        Launch.Run(y.Device, byRow ? ByRow : ByColumn, y.DType, CudaGrid.Of(Int(blocks), Launch.Threads), args);
    }

    private static int Int(long count) => Launch.Int(count, "matmul");

    // The last two dims of a tensor, and where the matrices of y's batch begin.
    private readonly record struct Matrix(nint At, int Rows, int Columns, int Down, int Across, Strided Batch)
    {
        public Matrix(Tensor x, Tensor y) : this(Launch.At(x), Int(x.Layout.Dims[^2]), Int(x.Layout.Dims[^1]), Int(x.Layout.Strides[^2]), Int(x.Layout.Strides[^1]),
            new Strided(Lead(x.Layout).Expand(Lead(y.Layout).Shape)!))
        {
        }

        public Matrix Transposed => this with { Rows = Columns, Columns = Rows, Down = Across, Across = Down };

        private static Layout Lead(Layout x) => x.Select(x.Rank - 1, 0).Select(x.Rank - 2, 0);
    }

    private struct MatMulArgs
    {
        public nint Y, A, B;
        public int M, N, K, ARow, AColumn, BRow, BColumn, Accumulate;
        public Strided BatchA, BatchB;
    }

    private struct MatVecArgs
    {
        public nint Y, A, X;
        public int Rows, K, ARow, AK, XK, Accumulate;
        public Strided BatchA, BatchX;
    }
}
