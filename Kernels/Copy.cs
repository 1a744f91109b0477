using System.Numerics.Tensors;

namespace Native;

/// <summary>Moves and converts elements between layouts. Entries are device-neutral; source and destination have equal dims.</summary>
internal static unsafe class CopyKernels
{
    /// <summary>destination = source, same dtype, any two layouts that do not overlap.</summary>
    public static void Copy(Tensor source, Tensor destination)
    {
        if (source.Count == 0)
            return;
        if (!destination.Device.IsCpu)
        {
            CopyCuda.Copy(source, destination);
            return;
        }
        switch (source.DType.Size())
        {
            case 1:
                Copy<byte>(source, destination);
                break;
            case 4:
                Copy<int>(source, destination);
                break;
            default:
                Copy<long>(source, destination);
                break;
        }
    }

    /// <summary>Dense destination = source, same dtype, on different devices.</summary>
    public static void Move(Tensor source, Tensor destination)
    {
        if (source.Count == 0)
            return;
        // Through the host, unless one side is the host: two devices need not see each other's memory.
        if (!source.Device.IsCpu)
        {
            using var near = source.OnHost();
            Move(near, destination);
            return;
        }
        using var dense = DenseInput.Of(source);
        byte* from = (byte*)dense.Tensor.Storage.Pointer + (dense.Tensor.Layout.Offset * source.DType.Size());
        if (destination.Device.IsCpu)
            Buffer.MemoryCopy(from, (void*)(destination.Storage.Pointer + (nint)(destination.Layout.Offset * source.DType.Size())), destination.ByteSize, destination.ByteSize);
        else
            Ambient.Current.Cuda(destination.Device).Write(destination.Storage.Pointer + (nint)(destination.Layout.Offset * source.DType.Size()), from, destination.ByteSize);
    }

    /// <summary>Every element of a dense tensor = value.</summary>
    public static void Fill(Tensor y, double value)
    {
        if (!y.Device.IsCpu)
        {
            CopyCuda.Fill(y, value);
            return;
        }
        switch (y.DType)
        {
            case DType.F32:
                FillWith(y, (float)value);
                break;
            case DType.F64:
                FillWith(y, value);
                break;
            case DType.I32:
                FillWith(y, (int)value);
                break;
            case DType.I64:
                FillWith(y, (long)value);
                break;
            case DType.U8:
                FillWith(y, (byte)value);
                break;
            default:
                FillWith(y, (byte)(value != 0 ? 1 : 0));
                break;
        }
    }

    /// <summary>
    /// Dense destination = source converted: floats to integers truncate and saturate (NaN becomes 0), anything to bool is "not 0".
    /// </summary>
    public static void Cast(Tensor source, Tensor destination)
    {
        if (source.Count == 0)
            return;
        if (!destination.Device.IsCpu)
        {
            CopyCuda.Cast(source, destination);
            return;
        }
        switch (source.DType)
        {
            case DType.F32:
                CastFrom<float>(source, destination);
                break;
            case DType.F64:
                CastFrom<double>(source, destination);
                break;
            case DType.I32:
                CastFrom<int>(source, destination);
                break;
            case DType.I64:
                CastFrom<long>(source, destination);
                break;
            default:
                CastFrom<byte>(source, destination);
                break;
        }
    }

    private static void FillWith<T>(Tensor y, T value) where T : unmanaged
    {
        T* p = y.Data<T>();
        for (long i = 0; i < y.Count; i += int.MaxValue)
            new Span<T>(p + i, (int)Math.Min(int.MaxValue, y.Count - i)).Fill(value);
    }

    private static void Copy<T>(Tensor source, Tensor destination) where T : unmanaged
    {
        T* s = source.Data<T>(), d = destination.Data<T>();
        if (source.Layout.IsDense && destination.Layout.IsDense)
        {
            Buffer.MemoryCopy(s, d, destination.ByteSize, source.ByteSize);
            return;
        }
        var grid = new RowGrid(destination.Layout, destination.Layout, source.Layout, null);
        RowGrid matrices = grid;
        if (grid.SA == 1 && grid.SB != 1 && grid.Inner >= 4 && matrices.TakeUnitB(out long columns, out long step) && columns >= 4)
        {
            Transposed(s, d, matrices, columns, step);
            return;
        }
        var job = new CopyJob<T> { S = s, D = d, Grid = grid };
        job.Chunks = source.Count < 1 << 15 ? 1 : (int)Math.Min(Workers.Chunks(source.Count, 1 << 14), job.Grid.Rows);
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>The innermost dims of source and destination differ: each of the grid's rows is a matrix to be transposed.</summary>
    private static void Transposed<T>(T* s, T* d, RowGrid grid, long columns, long step) where T : unmanaged
    {
        // Many matrices are shared out whole, few are cut along their longer side.
        bool cutColumns = columns > grid.Inner;
        long longer = Math.Max(columns, grid.Inner), pieces = grid.Rows >= 16 ? 1 : Math.Max(1, longer / 64);
        var job = new TransposeJob<T> { S = s, D = d, Grid = grid, Columns = columns, Step = step, Pieces = pieces, CutColumns = cutColumns };
        long count = grid.Rows * grid.Inner * columns;
        job.Chunks = count < 1 << 15 ? 1 : (int)Math.Min(Workers.Chunks(count, 1 << 14), grid.Rows * pieces);
        Workers.Run(job.Chunks, ref job);
    }

    private static void CastFrom<TIn>(Tensor source, Tensor destination) where TIn : unmanaged, System.Numerics.INumber<TIn>
    {
        switch (destination.DType)
        {
            case DType.F32:
                Cast<TIn, float>(source, destination);
                break;
            case DType.F64:
                Cast<TIn, double>(source, destination);
                break;
            case DType.I32:
                Cast<TIn, int>(source, destination);
                break;
            case DType.I64:
                Cast<TIn, long>(source, destination);
                break;
            case DType.U8:
                Cast<TIn, byte>(source, destination);
                break;
            default:
                ToBool<TIn>(source, destination);
                break;
        }
    }

    private static void Cast<TIn, TOut>(Tensor source, Tensor destination)
        where TIn : unmanaged, System.Numerics.INumber<TIn> where TOut : unmanaged, System.Numerics.INumber<TOut>
    {
        TIn* s = source.Data<TIn>();
        TOut* d = destination.Data<TOut>();
        if (source.Layout.IsDense && source.Count <= int.MaxValue)
        {
            TensorPrimitives.ConvertSaturating(new ReadOnlySpan<TIn>(s, (int)source.Count), new Span<TOut>(d, (int)source.Count));
            return;
        }
        var walk = new LayoutWalk(source.Layout);
        while (walk.Next(out long at))
            *d++ = TOut.CreateSaturating(s[at]);
    }

    private static void ToBool<TIn>(Tensor source, Tensor destination) where TIn : unmanaged, System.Numerics.INumber<TIn>
    {
        TIn* s = source.Data<TIn>();
        byte* d = destination.Data<byte>();
        var walk = new LayoutWalk(source.Layout);
        while (walk.Next(out long at))
            *d++ = s[at] != TIn.Zero ? (byte)1 : (byte)0;
    }

    private struct CopyJob<T> : IJob where T : unmanaged
    {
        public T* S, D;
        public RowGrid Grid;
        public int Chunks;

        public readonly void Run(int chunk)
        {
            long from = Workers.Start(Grid.Rows, Chunks, chunk), to = Workers.Start(Grid.Rows, Chunks, chunk + 1), n = Grid.Inner;
            var at = Grid.At(from);
            for (long row = from; row < to; row++)
            {
                T* d = D + at.A, s = S + at.B;
                if (Grid.SA == 1 && Grid.SB == 1)
                    Buffer.MemoryCopy(s, d, n * sizeof(T), n * sizeof(T));
                else
                    for (long i = 0; i < n; i++)
                        d[i * Grid.SA] = s[i * Grid.SB];
                Grid.Advance(ref at);
            }
        }
    }

    private struct TransposeJob<T> : IJob where T : unmanaged
    {
        public T* S, D;
        public RowGrid Grid;
        public long Columns, Step, Pieces;
        public bool CutColumns;
        public int Chunks;

        public readonly void Run(int chunk)
        {
            long item = Workers.Start(Grid.Rows * Pieces, Chunks, chunk), end = Workers.Start(Grid.Rows * Pieces, Chunks, chunk + 1);
            var at = Grid.At(item / Pieces);
            for (long piece = item % Pieces; item < end; item++)
            {
                long r = 0, rows = Grid.Inner, c = 0, columns = Columns;
                if (CutColumns)
                    (c, columns) = Piece(Columns, piece);
                else
                    (r, rows) = Piece(Grid.Inner, piece);
                Transpose.Run(
                    S + at.B + (r * Grid.SB) + c, (nint)Grid.SB, D + at.A + (c * Step) + r, (nint)Step, (nint)rows, (nint)columns);
                if (++piece == Pieces)
                {
                    piece = 0;
                    Grid.Advance(ref at);
                }
            }
        }

        private readonly (long Start, long Length) Piece(long side, long piece)
        {
            long start = Workers.Start(side, (int)Pieces, (int)piece);
            return (start, Workers.Start(side, (int)Pieces, (int)piece + 1) - start);
        }
    }
}
