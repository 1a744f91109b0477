namespace Native;

/// <summary><see cref="PoolEntries"/> and <see cref="UpsampleEntries"/> on a GPU.</summary>
internal static class PoolCuda
{
    // So many pixels of a bin one thread adds up by itself.
    private const long Walk = 32;

    private static readonly KernelFamily Family = new("pool2d", DType.F32, DType.F64);

    // Pixels are only moved: integers go as the type of their size.
    private static readonly KernelFamily Moves = new("upsample", DType.F32, DType.F64, DType.U8);

    private static readonly CudaKernel MaxForward = new(Family, "pool2d_max"), MaxAdjoint = new(Family, "pool2d_max_grad"), Gather = new(Family, "pool2d_max_gather"),
        Mean = new(Family, "pool2d_mean"), MeanAdjoint = new(Family, "pool2d_mean_grad"), Nearest = new(Moves, "upsample_nearest");

    public static void Max(PoolShape s, Tensor x, Tensor y, Tensor index) => RunMax(MaxForward, s, x, y, index);

    /// <summary>As <see cref="PoolEntries.MaxGrad"/>, for indices that lie in their windows, as those of maxima do.</summary>
    public static void MaxGrad(PoolShape s, Tensor gy, Tensor index, Tensor gx)
    {
        using var at = DenseInput.Of(index);
        RunMax(MaxAdjoint, s, gy, gx, at.Tensor);
    }

    public static void MaxGather(PoolShape s, Tensor v, Tensor index, Tensor y)
    {
        using var at = DenseInput.Of(index);
        RunMax(Gather, s, v, y, at.Tensor);
    }

    public static void Average(PoolShape s, bool countIncludePad, bool adjoint, Tensor x, Tensor y) => RunMean(adjoint, x, y, s.KernelH * s.KernelW, new()
    {
        Planes = (int)s.Planes,
        Height = (int)s.Height,
        Width = (int)s.Width,
        OutH = (int)s.OutH,
        OutW = (int)s.OutW,
        KernelH = (int)s.KernelH,
        KernelW = (int)s.KernelW,
        StrideH = (int)s.StrideH,
        StrideW = (int)s.StrideW,
        PadH = (int)s.PadH,
        PadW = (int)s.PadW,
        Divisor = countIncludePad ? (int)(s.KernelH * s.KernelW) : 0,
    });

    public static void AdaptiveAverage(long planes, long height, long width, long outH, long outW, bool adjoint, Tensor x, Tensor y) =>
        RunMean(adjoint, x, y, Chunks.CeilDiv(height, outH) * Chunks.CeilDiv(width, outW), new()
        {
            Planes = (int)planes,
            Height = (int)height,
            Width = (int)width,
            OutH = (int)outH,
            OutW = (int)outW,
            Even = 1,
        });

    public static void Upsample(Tensor x, Tensor y, long factor)
    {
        using var dense = DenseInput.Of(x);
        int n = Launch.Int(y.Count, Nearest.Name);
        UpsampleArgs args = new() { Y = Launch.At(y), X = Launch.At(dense.Tensor), N = n, Width = (int)y.Layout.Dims[^1], Factor = (int)factor };
        var moved = y.DType.Size() switch { 1 => DType.U8, 4 => DType.F32, _ => DType.F64 };
        Launch.Run(y.Device, Nearest, moved, Launch.Over(y.Device, n), args);
    }

    /// <summary>The sums over squares: means over windows beside each other, divided by 1.</summary>
    public static void BlockSums(Tensor x, Tensor y, long factor)
    {
        var dims = x.Layout.Dims;
        RunMean(adjoint: false, x, y, factor * factor, new()
        {
            Planes = (int)Shape.Product(dims[..^2]),
            Height = (int)dims[^2],
            Width = (int)dims[^1],
            OutH = (int)y.Layout.Dims[^2],
            OutW = (int)y.Layout.Dims[^1],
            KernelH = (int)factor,
            KernelW = (int)factor,
            StrideH = (int)factor,
            StrideW = (int)factor,
            Divisor = 1,
        });
    }

    private static void RunMax(CudaKernel kernel, PoolShape s, Tensor x, Tensor y, Tensor index)
    {
        using var dx = DenseInput.Of(x);
        Launch.Int(x.Count, kernel.Name);
        int n = Launch.Int(y.Count, kernel.Name);
        MaxArgs args = new()
        {
            Y = Launch.At(y),
            X = Launch.At(dx.Tensor),
            Index = Launch.At(index),
            Planes = (int)s.Planes,
            Height = (int)s.Height,
            Width = (int)s.Width,
            OutH = (int)s.OutH,
            OutW = (int)s.OutW,
            KernelH = (int)s.KernelH,
            KernelW = (int)s.KernelW,
            StrideH = (int)s.StrideH,
            StrideW = (int)s.StrideW,
            PadH = (int)s.PadH,
            PadW = (int)s.PadW,
            DilationH = (int)s.DilationH,
            DilationW = (int)s.DilationW,
        };
        Launch.Run(y.Device, kernel, y.DType, Launch.Over(y.Device, n), args);
    }

    private static void RunMean(bool adjoint, Tensor x, Tensor y, long pixels, MeanArgs args)
    {
        using var dx = DenseInput.Of(x);
        var kernel = adjoint ? MeanAdjoint : Mean;
        Launch.Int(x.Count, kernel.Name);
        int n = Launch.Int(y.Count, kernel.Name);
        var team = pixels <= Walk ? Team.Alone : Team.ForRows(pixels);
        (args.Y, args.X, args.Team) = (Launch.At(y), Launch.At(dx.Tensor), team);
        Launch.Run(y.Device, kernel, y.DType, adjoint ? Launch.Over(y.Device, n) : team.Grid(n), args);
    }

    private struct MaxArgs
    {
        public nint Y, X, Index;
        public int Planes, Height, Width, OutH, OutW, KernelH, KernelW, StrideH, StrideW, PadH, PadW, DilationH, DilationW;
    }

    private struct MeanArgs
    {
        public nint Y, X;
        public int Planes, Height, Width, OutH, OutW, Even, KernelH, KernelW, StrideH, StrideW, PadH, PadW, Divisor;
        public Team Team;
    }

    private struct UpsampleArgs
    {
        public nint Y, X;
        public int N, Width, Factor;
    }
}
