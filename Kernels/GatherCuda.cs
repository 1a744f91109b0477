namespace Native;

/// <summary><see cref="GatherKernels"/> on a GPU, with the CPU's bits.</summary>
internal static class GatherCuda
{
    // A thread per column needs many columns, or loops so short that it does not matter.
    private const long ManyColumns = 4096, ShortColumn = 64;

    internal static readonly KernelFamily Family = new("gather", DType.F32, DType.F64, DType.I32, DType.I64, DType.U8);
    private static readonly CudaKernel Check = new(Family, "gather_check"), Select = new(Family, "gather_select"), Each = new(Family, "gather_each");
    private static readonly CudaKernel Columns = new(Family, "gather_add_columns"), Chain = new(Family, "gather_chain"), Add = new(Family, "gather_add");

    /// <summary>Elements that only move are bits: the type that has as many.</summary>
    public static DType Bits(long size) => size switch
    {
        1 => DType.U8,
        4 => DType.I32,
        _ => DType.I64,
    };

    /// <summary>Position of the first index outside [0, size), where the host waits for it (<see cref="IndexFlag"/>); else -1.</summary>
    public static long FirstOutside(Tensor index, long size)
    {
        using var flag = IndexFlag.On(index.Device);
        CheckArgs args = new() { Flag = flag.Pointer, Index = Launch.At(index), N = Launch.Int(index.Count, "gather"), Size = Launch.Int(size, "gather") };
        Launch.Run(index.Device, Check, DType.I64, Launch.Over(index.Device, args.N), args);
        return flag.First();
    }

    public static void IndexSelect(Tensor y, Tensor x, Tensor index, long n, DimSplit split)
    {
        // In the widest units that whole rows consist of.
        int size = x.DType.Size();
        long bytes = split.Inner * size | Launch.At(x) | Launch.At(y), unit = bytes % 8 == 0 ? 8 : bytes % 4 == 0 ? 4 : size;
        var args = Gathering(y, x, index, n, split with { Inner = split.Inner * size / unit }, y.ByteSize / unit);
        Launch.Run(y.Device, Select, Bits(unit), Launch.Over(y.Device, args.Total), args);
    }

    public static void Gather(Tensor y, Tensor x, Tensor index, long n, DimSplit split)
    {
        var args = Gathering(y, x, index, n, split, y.Count);
        Launch.Run(y.Device, Each, Bits(y.DType.Size()), Launch.Over(y.Device, args.Total), args);
    }

    public static void IndexAdd(Tensor y, Tensor source, Tensor index, long n, DimSplit split) => Chained(y, source, index, n, split, own: false);

    public static void ScatterAdd(Tensor y, Tensor source, Tensor index, long n, DimSplit split)
    {
        long columns = split.Outer * split.Inner;
        if (columns < ManyColumns && split.Size > ShortColumn)
        {
            Chained(y, source, index, n, split, own: true);
            return;
        }
        Launch.Int(source.Count, "scatter_add");
        var args = Gathering(y, source, index, n, split, columns);
        Launch.Run(y.Device, Columns, y.DType, Launch.Over(y.Device, args.Total), args);
    }

    // Positions that name one destination are linked first; then each chain is added by one thread, in order.
    private static void Chained(Tensor y, Tensor source, Tensor index, long n, DimSplit split, bool own)
    {
        int links = Launch.Int(index.Count, "gather");
        if (links == 0)
            return;
        Launch.Int(y.Count, "gather");
        var chain = Tensor.Allocate(Layout.Of([2, links]), DType.I32, y.Device);
        CopyKernels.Fill(chain, 0);
        nint next = Launch.At(chain), follows = next + ((nint)links * sizeof(int));
        ChainArgs link = new() { Next = next, Follows = follows, Index = Launch.At(index), Total = links, M = (int)split.Size, Inner = own ? (int)split.Inner : 1 };
        Launch.Run(y.Device, Chain, DType.I64, Launch.Over(y.Device, links), link);
        AddArgs args = new()
        {
            Y = Launch.At(y),
            X = Launch.At(source),
            Index = Launch.At(index),
            Next = next,
            Follows = follows,
            Total = Launch.Int(source.Count, "gather"),
            N = (int)n,
            M = (int)split.Size,
            Inner = (int)split.Inner,
            Own = own ? 1 : 0,
        };
        Launch.Run(y.Device, Add, y.DType, Launch.Over(y.Device, args.Total), args);
        Ambient.Current.Release(chain.Storage);
    }

    private static GatherArgs Gathering(Tensor y, Tensor x, Tensor index, long n, DimSplit split, long total)
    {
        Launch.Int(Math.Max(x.Count, y.Count), "gather");
        return new()
        {
            Y = Launch.At(y),
            X = Launch.At(x),
            Index = Launch.At(index),
            Total = Launch.Int(total, "gather"),
            N = (int)n,
            M = (int)split.Size,
            Inner = (int)split.Inner,
        };
    }

    private struct CheckArgs
    {
        public nint Flag, Index;
        public int N, Size;
    }

    private struct GatherArgs
    {
        public nint Y, X, Index;
        public int Total, N, M, Inner;
    }

    private struct ChainArgs
    {
        public nint Next, Follows, Index;
        public int Total, M, Inner;
    }

    private struct AddArgs
    {
        public nint Y, X, Index, Next, Follows;
        public int Total, N, M, Inner, Own;
    }
}
