namespace Native;

/// <summary><see cref="ScanEntry"/> on a GPU.</summary>
internal static class ScanCuda
{
    // A block's tile of a contiguous line; lines at least this long are worth a block.
    private const int Tile = 1024, Short = 128;

    private static readonly KernelFamily Family = new("scan", DType.F32, DType.F64, DType.I32, DType.I64);
    private static readonly CudaKernel SumRows = new(Family, "scan_sum_rows"), SumColumns = new(Family, "scan_sum_columns");
    private static readonly CudaKernel ProductRows = new(Family, "scan_product_rows"), ProductColumns = new(Family, "scan_product_columns");
    private static readonly CudaKernel Differences = new(Family, "scan_difference");

    public static void CumSum(Tensor y, Tensor x, int dim, bool reverse)
    {
        using var dense = DenseInput.Of(x);
        Run(SumRows, SumColumns, y, dense.Tensor, dim, new() { Reverse = reverse ? 1 : 0 });
    }

    public static void Others(Tensor y, Tensor x, int dim)
    {
        using var dense = DenseInput.Of(x);
        Run(ProductRows, ProductColumns, y, dense.Tensor, dim, new() { Exclusive = 1 });
        Run(ProductRows, ProductColumns, y, dense.Tensor, dim, new() { Exclusive = 1, Reverse = 1, Times = 1 });
    }

    public static void Difference(Tensor y, Tensor x, int dim, bool adjoint)
    {
        using var dense = DenseInput.Of(x);
        Lines from = Lines.Of(x.Layout, dim), to = Lines.Of(y.Layout, dim);
        Launch.Int(x.Count, "diff");
        DifferenceArgs args = new()
        {
            Y = Launch.At(y),
            X = Launch.At(dense.Tensor),
            Count = Launch.Int(y.Count, "diff"),
            N = (int)from.N,
            To = (int)to.N,
            Inner = (int)to.Inner,
            Adjoint = adjoint ? 1 : 0,
        };
        Launch.Run(y.Device, Differences, y.DType, Launch.Over(y.Device, args.Count), args);
    }

    private static void Run(CudaKernel rows, CudaKernel columns, Tensor y, Tensor x, int dim, ScanArgs args)
    {
        if (y.Count == 0)
            return;
        Launch.Int(y.Count, "scan");
        var lines = Lines.Of(y.Layout, dim);
        (args.Y, args.X, args.Lines, args.N, args.Inner) = (Launch.At(y), Launch.At(x), (int)lines.Count, (int)lines.N, (int)lines.Inner);
        bool byRow = args.Inner == 1 && args.N >= Short;
        var kernel = byRow ? rows : columns;
        int segments = byRow ? Segments(512, Launch.Threads, 4 * Tile) : Segments(1 << 14, 64, 64), unit = byRow ? Tile : 1;
        args.Segment = (((args.N - 1) / segments / unit) + 1) * unit;
        args.Segments = (args.N + args.Segment - 1) / args.Segment;
        var grid = CudaGrid.Of(byRow ? args.Lines : (args.Lines + Launch.Threads - 1) / Launch.Threads, Launch.Threads) with { BlocksY = args.Segments };
        if (args.Segments == 1)
        {
            Launch.Run(y.Device, kernel, y.DType, grid, args);
            return;
        }
        var totals = Tensor.Allocate(Layout.Of([args.Segments, args.Lines]), DType.F64, y.Device);
        args.Totals = Launch.At(totals);
        Launch.Run(y.Device, kernel, y.DType, grid, args with { Cutting = 1 });
        Launch.Run(y.Device, kernel, y.DType, grid, args);
        Ambient.Current.Release(totals.Storage);

        // As many as make enough blocks or threads of these lines, as the second launch can add up, and as are worth their time.
        int Segments(int busy, int most, int least) => Math.Max(1, Math.Min(Math.Min(most, (busy + args.Lines - 1) / args.Lines), args.N / least));
    }

    private struct ScanArgs
    {
        public nint Y, X, Totals;
        public int Lines, N, Inner, Segment, Segments, Reverse, Exclusive, Times, Cutting;
    }

    private struct DifferenceArgs
    {
        public nint Y, X;
        public int Count, N, To, Inner, Adjoint;
    }
}
