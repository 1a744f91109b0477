namespace Native;

/// <summary><see cref="PickEntry"/> on a GPU.</summary>
internal static class PickCuda
{
    private static readonly KernelFamily Extremes = new("extreme", _ => KernelFamily.Resource("reduce.cuh") + KernelFamily.Resource("extreme.cu"),
        DType.F32, DType.F64, DType.I32, DType.I64, DType.U8);

    private static readonly KernelFamily Family = new("pick", DType.I32, DType.I64, DType.U8);
    private static readonly ReduceCuda Largest = new(Extremes, "extreme_argmax"), Smallest = new(Extremes, "extreme_argmin");
    private static readonly CudaKernel Read = new(Family, "pick_read"), Placed = new(Family, "pick_place");

    public static void Extreme(Tensor index, Tensor x, int dim, bool smallest)
    {
        Span<bool> reduced = stackalloc bool[x.Rank];
        reduced[dim] = true;
        // A pair of a value and a position.
        (smallest ? Smallest : Largest).Run(index, x, reduced, x.DType.Size() == 8 ? 16 : 8);
    }

    public static void Pick(Tensor y, Tensor x, Tensor index, int dim, long? ignored)
    {
        using DenseInput di = DenseInput.Of(index);
        PickArgs args = new()
        {
            Y = Launch.At(y),
            X = Launch.At(x),
            Index = Launch.At(di.Tensor),
            Ignored = ignored ?? 0,
            Lines = Launch.Int(y.Count, "pick"),
            N = Launch.Int(x.Layout.Dims[dim], "pick"),
            Step = Launch.Int(x.Layout.Strides[dim], "pick"),
            Ignores = ignored is null ? 0 : 1,
            Starts = new(x.Layout.Select(dim, 0)),
        };
        Check("pick", di.Tensor, args.N, ignored);
        Launch.Run(y.Device, Read, WhereCuda.OfSize(y.DType), Launch.Over(y.Device, args.Lines), args);
    }

    public static void Place(Tensor y, Tensor x, Tensor index, int dim, long? ignored)
    {
        using DenseInput dx = DenseInput.Of(x), di = DenseInput.Of(index);
        var lines = Lines.Of(y.Layout, dim);
        PlaceArgs args = new()
        {
            Y = Launch.At(y),
            X = Launch.At(dx.Tensor),
            Index = Launch.At(di.Tensor),
            Ignored = ignored ?? 0,
            Count = Launch.Int(y.Count, "place"),
            N = (int)lines.N,
            Inner = (int)lines.Inner,
            Ignores = ignored is null ? 0 : 1,
        };
        Check("place", di.Tensor, args.N, ignored);
        Launch.Run(y.Device, Placed, WhereCuda.OfSize(y.DType), Launch.Over(y.Device, args.Count), args);
    }

    // Waiting for a GPU at every index would cost more than the kernel: there the kernel itself stops. The emulator can afford the cpu's message.
    private static unsafe void Check(string op, Tensor index, long n, long? ignored)
    {
        if (index.Device.Kind != DeviceKind.Emu || EmulatedDriver.IsCapturingHere)
            return;
        using var near = index.OnHost();
        PickKernels.Check(op, near.Data<long>(), near.Count, n, ignored);
    }

    private struct PickArgs
    {
        public nint Y, X, Index;
        public long Ignored;
        public int Lines, N, Step, Ignores;
        public Strided Starts;
    }

    private struct PlaceArgs
    {
        public nint Y, X, Index;
        public long Ignored;
        public int Count, N, Inner, Ignores;
    }
}
