namespace Native;

/// <summary>Entries of the total variation of images. Inputs have any strides; weights are per squared difference.</summary>
internal static unsafe class VariationEntry
{
    // Pixels of a block, and most blocks: a block's thread then walks at least four.
    private const int Chunk = 1024, MostChunks = 1024;

    private static readonly KernelFamily Family = new("variation", DType.F32, DType.F64);

    private static readonly CudaKernel Sums = new(Family, "variation_sums"), Total = new(Family, "variation_total"), GradKernel = new(Family, "variation_grad");

    /// <summary>y (a scalar) = down times the sum of squared vertical differences of x [n, c, h, w] + right times that of horizontal ones.</summary>
    public static void Forward(Tensor y, Tensor x, double down, double right)
    {
        using var dense = DenseInput.Of(x);
        var (planes, h, w) = Geometry(x);
        if (!y.Device.IsCpu)
            Launched(y, dense.Tensor, down, right);
        else if (y.DType == DType.F32)
            *y.Data<float>() = VariationKernels.Forward(planes, h, w, dense.Tensor.Data<float>(), (float)down, (float)right);
        else
            *y.Data<double>() = VariationKernels.Forward(planes, h, w, dense.Tensor.Data<double>(), down, right);
    }

    /// <summary>gx from g (a scalar).</summary>
    public static void Grad(Tensor gx, Tensor g, Tensor x, double down, double right)
    {
        using DenseInput dense = DenseInput.Of(x), dg = DenseInput.Of(g);
        var (planes, h, w) = Geometry(x);
        if (!gx.Device.IsCpu)
        {
            var args = Arguments(dense.Tensor, down, right);
            args.Out = Launch.At(gx);
            args.G = Launch.At(dg.Tensor);
            Launch.Run(gx.Device, GradKernel, gx.DType, Launch.Over(gx.Device, x.Count), args);
        }
        else if (gx.DType == DType.F32)
            VariationKernels.Grad(planes, h, w, dense.Tensor.Data<float>(), *dg.Tensor.Data<float>(), (float)(2 * down), (float)(2 * right), gx.Data<float>());
        else
            VariationKernels.Grad(planes, h, w, dense.Tensor.Data<double>(), *dg.Tensor.Data<double>(), 2 * down, 2 * right, gx.Data<double>());
    }

    private static void Launched(Tensor y, Tensor x, double down, double right)
    {
        var args = Arguments(x, down, right);
        args.Chunk = (int)Math.Max(Chunk, (x.Count + MostChunks - 1) / MostChunks);
        args.Chunks = (int)((x.Count + args.Chunk - 1) / args.Chunk);
        var partial = Tensor.Allocate(Layout.Of([2 * args.Chunks]), x.DType, x.Device);
        args.Out = Launch.At(partial);
        Launch.Run(y.Device, Sums, y.DType, CudaGrid.Of(args.Chunks, Launch.Threads), args);
        (args.Out, args.Partial) = (Launch.At(y), Launch.At(partial));
        Launch.Run(y.Device, Total, y.DType, CudaGrid.Of(1, Launch.Threads), args);
        Ambient.Current.Release(partial.Storage);
    }

    private static Args Arguments(Tensor x, double down, double right)
    {
        var (_, h, w) = Geometry(x);
        return new() { X = Launch.At(x), Down = down, Right = right, Count = Launch.Int(x.Count, "variation"), Height = (int)h, Width = (int)w };
    }

    private static (long Planes, long H, long W) Geometry(Tensor x)
    {
        var d = x.Layout.Dims;
        return (d[0] * d[1], d[2], d[3]);
    }

    private struct Args
    {
        public nint Out, X, G, Partial;
        public double Down, Right;
        public int Count, Height, Width, Chunk, Chunks;
    }
}
