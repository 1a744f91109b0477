namespace Native;

/// <summary><see cref="PickEntry"/> on a GPU; its kernels are in gather.cu.</summary>
internal static class PickCuda
{
    // A line that one thread walks; a longer one gets a block, unless there are many.
    private const long ShortLine = 64, ManyLines = 16384;

    private static readonly CudaKernel Picked = new(GatherCuda.Family, "gather_pick"), Placed = new(GatherCuda.Family, "gather_place");
    private static readonly CudaKernel ByLine = new(GatherCuda.Family, "gather_extreme_lines"), ByBlock = new(GatherCuda.Family, "gather_extreme");

    /// <summary>x is dense.</summary>
    public static void Extreme(Tensor index, Tensor x, Lines lines, bool smallest)
    {
        Launch.Int(x.Count, "argmax");
        ExtremeArgs args = new()
        {
            Y = Launch.At(index),
            X = Launch.At(x),
            Lines = Launch.Int(lines.Count, "argmax"),
            N = (int)lines.N,
            Inner = (int)lines.Inner,
            Smallest = smallest ? 1 : 0,
        };
        bool walk = lines.N <= ShortLine || lines.Count >= ManyLines;
        Launch.Run(x.Device, walk ? ByLine : ByBlock, x.DType == DType.Bool ? DType.U8 : x.DType, Launch.Over(x.Device, walk ? lines.Count : lines.Count * Launch.Threads), args);
    }

    /// <summary>y and index are dense.</summary>
    /// <exception cref="ShapeException">An index is out of range, where the host waits for it (<see cref="IndexFlag"/>).</exception>
    public static void Pick(Tensor y, Tensor x, Tensor index, int dim, long? ignored)
    {
        using var flag = IndexFlag.On(y.Device);
        Launch.Int(x.Storage.Bytes / x.DType.Size(), "pick");
        PickArgs args = new()
        {
            Y = Launch.At(y),
            X = Launch.At(x),
            Index = Launch.At(index),
            Flag = flag.Pointer,
            Ignored = ignored ?? 0,
            Lines = Launch.Int(y.Count, "pick"),
            N = Launch.Int(x.Layout.Dims[dim], "pick"),
            Step = (int)x.Layout.Strides[dim],
            Ignores = ignored is null ? 0 : 1,
            Starts = new(x.Layout, 1u << dim),
        };
        Launch.Run(y.Device, Picked, GatherCuda.Bits(y.DType.Size()), Launch.Over(y.Device, args.Lines), args);
        Require("pick", flag, index, args.N);
    }

    /// <summary>All are dense.</summary>
    /// <exception cref="ShapeException">An index is out of range, where the host waits for it (<see cref="IndexFlag"/>).</exception>
    public static void Place(Tensor y, Tensor x, Tensor index, Lines lines, long? ignored)
    {
        using var flag = IndexFlag.On(y.Device);
        PlaceArgs args = new()
        {
            Y = Launch.At(y),
            X = Launch.At(x),
            Index = Launch.At(index),
            Flag = flag.Pointer,
            Ignored = ignored ?? 0,
            Lines = Launch.Int(lines.Count, "place"),
            N = (int)lines.N,
            Inner = (int)lines.Inner,
            Ignores = ignored is null ? 0 : 1,
        };
        Launch.Run(y.Device, Placed, GatherCuda.Bits(y.DType.Size()), Launch.Over(y.Device, Launch.Int(Math.Max(y.Count, lines.Count), "place")), args);
        Require("place", flag, index, lines.N);
    }

    private static void Require(string op, IndexFlag flag, Tensor index, long n)
    {
        if (flag.First() is >= 0 and var line)
            throw PickKernels.Outside(op, index.ToArray<long>()[line], n, line);
    }

    private struct ExtremeArgs
    {
        public nint Y, X;
        public int Lines, N, Inner, Smallest;
    }

    private struct PickArgs
    {
        public nint Y, X, Index, Flag;
        public long Ignored;
        public int Lines, N, Step, Ignores;
        public Strided Starts;
    }

    private struct PlaceArgs
    {
        public nint Y, X, Index, Flag;
        public long Ignored;
        public int Lines, N, Inner, Ignores;
    }
}
