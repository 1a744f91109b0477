namespace Native;

/// <summary>
/// <see cref="ConvEntries"/> on a GPU, as products of matrices that are never stored: exact by <c>conv2d.cu</c>; with operands rounded to the 10 bits of
/// tf32, and f32 sums, on tensor cores by <c>conv2d_tf32.cu</c>, for those who ask. Tiles and shared sums follow from the shape alone, and so does the
/// order of every sum. Tensors are dense.
/// </summary>
internal static class Conv2dCuda
{
    // Blocks that fill a large device; what falls short shares its sums. A constant, so that bits do not depend on the device.
    private const long FullDevice = 256;

    // What a block sums at least before a sum is worth sharing, and parts of a sum at most.
    private const long ShortestPart = 128, MostParts = 128;

    private static readonly KernelFamily Family = new("conv2d", _ => KernelFamily.Join("conv2d.cuh", "conv2d_pixels.cuh", "conv2d_weight.cuh", "conv2d.cu"), DType.F32, DType.F64);

    private static readonly KernelFamily TensorFamily = new("conv2d_tf32", _ => KernelFamily.Join("mma.cuh", "conv2d.cuh", "conv2d_pixels.cuh", "conv2d_weight.cuh", "conv2d_tf32.cu"), DType.F32);

    private static readonly CudaKernel Sum = new(Family, "conv2d_sum");

    // Cost: of one multiply-add, relative to the largest tile's.
    private static readonly Tile[] Tiles =
    [
        new(new(Family, "conv2d_128x128"), 128, 128, 1.0), new(new(Family, "conv2d_64x64"), 64, 64, 1.35),
        new(new(Family, "conv2d_32x256"), 32, 256, 1.2), new(new(Family, "conv2d_16x256"), 16, 256, 1.5),
    ];

    private static readonly Tile[] WeightTiles =
    [
        new(new(Family, "conv2d_weight_128x128"), 128, 128, 1.0), new(new(Family, "conv2d_weight_64x64"), 64, 64, 1.35),
        new(new(Family, "conv2d_weight_32x64"), 32, 64, 1.8),
    ];

    private static readonly Tile[] TensorTiles =
    [
        new(new(TensorFamily, "conv2d_tf32_128x128"), 128, 128, 1.0), new(new(TensorFamily, "conv2d_tf32_64x64"), 64, 64, 1.6),
        new(new(TensorFamily, "conv2d_tf32_32x128"), 32, 128, 1.8),
    ];

    private static readonly Tile[] TensorWeightTiles =
    [
        new(new(TensorFamily, "conv2d_tf32_weight_128x128"), 128, 128, 1.0), new(new(TensorFamily, "conv2d_tf32_weight_64x64"), 64, 64, 1.6),
        new(new(TensorFamily, "conv2d_tf32_weight_32x64"), 32, 64, 2.2),
    ];

    /// <summary>y = conv(x, w) + bias, then the epilogue.</summary>
    public static void Forward(in ConvShape s, Tensor x, Tensor w, Tensor? bias, Tensor y, bool tf32, Epilogue after)
    {
        if (y.Count == 0)
            return;
        ConvArgs args = new()
        {
            Sources = (int)s.ChannelsPerGroup,
            Results = (int)s.FiltersPerGroup,
            WSource = (int)(s.KernelH * s.KernelW),
            WResult = (int)s.Taps,
            V = new Axis(s.Height, s.OutH, s.KernelH, s.StrideH, s.PadH, s.DilationH),
            H = new Axis(s.Width, s.OutW, s.KernelW, s.StrideW, s.PadW, s.DilationW),
        };
        Run(s, ref args, x, w, bias, y, tf32, after, "conv2d");
    }

    /// <summary>gx = the adjoint of x -> conv(x, w) at gy, + bias, then the epilogue.</summary>
    public static void DataGrad(in ConvShape s, Tensor gy, Tensor w, Tensor? bias, Tensor gx, bool tf32, Epilogue after)
    {
        if (gx.Count == 0)
            return;
        ConvArgs args = new()
        {
            Sources = (int)s.FiltersPerGroup,
            Results = (int)s.ChannelsPerGroup,
            Adjoint = 1,
            WSource = (int)s.Taps,
            WResult = (int)(s.KernelH * s.KernelW),
            V = new Axis(s.Height, s.OutH, s.KernelH, s.StrideH, s.PadH, s.DilationH).Adjoint(),
            H = new Axis(s.Width, s.OutW, s.KernelW, s.StrideW, s.PadW, s.DilationW).Adjoint(),
        };
        Run(s, ref args, gy, w, bias, gx, tf32, after, "conv2d_data_grad");
    }

    /// <summary>gw = the adjoint of w -> conv(x, w) at gy.</summary>
    public static void WeightGrad(in ConvShape s, Tensor x, Tensor gy, Tensor gw, bool tf32)
    {
        if (s.Batch == 0)
        {
            CopyCuda.Fill(gw, 0);
            return;
        }
        CheckCounts(x, gy, gw, "conv2d_weight_grad");
        long depth = s.Batch * s.OutPixels;
        var tile = Choose(HasTensorCores(gw, tf32) ? TensorWeightTiles : WeightTiles, s.FiltersPerGroup, s.Taps);
        long tilesM = Up(s.FiltersPerGroup, tile.M), tilesN = Up(s.Taps, tile.N), blocks = tilesM * tilesN * s.Groups;
        int splits = Splits(blocks, depth);
        using var parts = new Parts(gw, splits);
        ConvWeightArgs args = new()
        {
            Gw = parts.At,
            X = Launch.At(x),
            Gy = Launch.At(gy),
            Batch = (int)s.Batch,
            Groups = (int)s.Groups,
            Channels = (int)s.ChannelsPerGroup,
            Filters = (int)s.FiltersPerGroup,
            TilesM = (int)tilesM,
            TilesN = (int)tilesN,
            Splits = splits,
            Count = (int)gw.Count,
            V = new Axis(s.Height, s.OutH, s.KernelH, s.StrideH, s.PadH, s.DilationH),
            H = new Axis(s.Width, s.OutW, s.KernelW, s.StrideW, s.PadW, s.DilationW),
        };
        Launch.Run(gw.Device, tile.Kernel, gw.DType, CudaGrid.Of(Launch.Int(blocks * splits, "conv2d_weight_grad"), Launch.Threads), args);
        parts.AddUp(null, 1, 1, default);
    }

    private static void Run(in ConvShape s, ref ConvArgs args, Tensor x, Tensor w, Tensor? bias, Tensor y, bool tf32, Epilogue after, string name)
    {
        CheckCounts(x, w, y, name);
        // All phases are given the tiles of the largest one, which is the first.
        long phases = (long)args.V.Phases * args.H.Phases, pixels = s.Batch * Up(args.V.To, args.V.Phases > 1 ? args.V.Stride : 1) * Up(args.H.To, args.H.Phases > 1 ? args.H.Stride : 1);
        long depth = args.Sources * Up(args.V.Kernel, args.V.TapStep) * Up(args.H.Kernel, args.H.TapStep);
        var tile = Choose(HasTensorCores(y, tf32) ? TensorTiles : Tiles, args.Results, pixels);
        long tilesM = Up(args.Results, tile.M), tilesN = Up(pixels, tile.N), blocks = tilesM * tilesN * phases * s.Groups;
        int splits = Splits(blocks, depth), plane = args.V.To * args.H.To;
        using var parts = new Parts(y, splits);
        args.Y = parts.At;
        args.X = Launch.At(x);
        args.W = Launch.At(w);
        args.Bias = bias is null ? 0 : Launch.At(bias);
        args.Slope = after.P;
        args.Rectify = (int)after.Rectify;
        args.Batch = (int)s.Batch;
        args.Groups = (int)s.Groups;
        args.TilesM = (int)tilesM;
        args.TilesN = (int)tilesN;
        args.Splits = splits;
        args.Count = (int)y.Count;
        args.Packed = phases == 1 && (args.Adjoint == 0 || (args.V.Stride == 1 && args.H.Stride == 1)) && plane % 4 == 0 && args.Y % 16 == 0 ? 1 : 0;
        Launch.Run(y.Device, tile.Kernel, y.DType, CudaGrid.Of(Launch.Int(blocks * splits, name), Launch.Threads), args);
        parts.AddUp(bias, plane, args.Results * args.Groups, after);
        if (after.Rectify == Rectify.None)
            after.Finish(y);
    }

    // The tile whose blocks, with what they waste at the edges, cost least.
    private static Tile Choose(Tile[] tiles, long m, long n)
    {
        Tile best = tiles[0];
        double least = double.PositiveInfinity;
        foreach (var t in tiles)
        {
            double cost = Up(m, t.M) * t.M * Up(n, t.N) * t.N * t.Cost;
            if (cost < least)
                (best, least) = (t, cost);
        }
        return best;
    }

    // Older devices and f64 have nothing less exact to offer.
    private static bool HasTensorCores(Tensor y, bool wanted) => wanted && y.DType == DType.F32 && Ambient.Current.Cuda(y.Device).Cuda.Facts.Major >= 8;

    private static int Splits(long blocks, long depth) => (int)Math.Clamp(Math.Min(FullDevice / blocks, depth / ShortestPart), 1, MostParts);

    private static long Up(long n, long d) => (n + d - 1) / d;

    private static void CheckCounts(Tensor a, Tensor b, Tensor c, string name)
    {
        foreach (var t in (ReadOnlySpan<Tensor>)[a, b, c])
            Launch.Int(t.Count, name);
    }

    private readonly record struct Tile(CudaKernel Kernel, int M, int N, double Cost);

    // Where blocks put their parts of the result, [splits, result]: the result itself when there is one.
    private readonly ref struct Parts(Tensor result, int splits)
    {
        private readonly Tensor _to = splits == 1 ? result : Tensor.Allocate(Layout.Of([splits, result.Count]), result.DType, result.Device);

        public nint At => Launch.At(_to);

        public void AddUp(Tensor? bias, int pixels, int channels, Epilogue after)
        {
            if (splits == 1)
                return;
            SumArgs args = new()
            {
                Y = Launch.At(result),
                Parts = At,
                Bias = bias is null ? 0 : Launch.At(bias),
                Count = (int)result.Count,
                Splits = splits,
                Pixels = pixels,
                Channels = channels,
                Slope = after.P,
                Rectify = (int)after.Rectify,
            };
            Launch.Run(result.Device, Sum, result.DType, CudaGrid.Of((int)Up(result.Count, 32), Launch.Threads), args);
        }

        public void Dispose()
        {
            if (splits > 1)
                Ambient.Current.Release(_to.Storage);
        }
    }

    private struct Axis(long from, long to, long kernel, long stride, long pad, long dilation)
    {
        public int From = (int)from, To = (int)to, Kernel = (int)kernel, Stride = (int)stride, Pad = (int)pad, Dilation = (int)dilation, Phases = 1, TapStep = 1;

        // Read and written planes exchanged.
        public readonly Axis Adjoint() => this with
        {
            From = To,
            To = From,
            Phases = Math.Min(Stride, From),
            TapStep = Stride / (int)System.Numerics.BigInteger.GreatestCommonDivisor(Stride, Dilation),
        };
    }

    private struct ConvArgs
    {
        public nint Y, X, W, Bias;
        public double Slope;
        public int Rectify, Batch, Groups, Sources, Results, Adjoint, WSource, WResult, TilesM, TilesN, Splits, Count, Packed;
        public Axis V, H;
    }

    private struct ConvWeightArgs
    {
        public nint Gw, X, Gy;
        public int Batch, Groups, Channels, Filters, TilesM, TilesN, Splits, Count;
        public Axis V, H;
    }

    private struct SumArgs
    {
        public nint Y, Parts, Bias;
        public double Slope;
        public int Count, Splits, Pixels, Channels, Rectify;
    }
}
