using System.Runtime.CompilerServices;

namespace Native;

/// <content>Small and thin products: the kernels read A and B where they lie.</content>
internal static unsafe partial class GemmDriver<T, TVec, TLanes>
{
    /// <summary>A as it lies, transposed or not; B [k,n] as it lies, or in panels.</summary>
    internal static void RunDirect(Product<T> p)
    {
        DirectJob job = new()
        {
            P = p,
            Rows = new RowSplit(p.M, TLanes.TileRows),
            ColumnPanels = (p.N + Width - 1) / Width,
            // Walk along the rows of C while B is in the nearer caches, else keep a panel of B and walk down.
            RowsInner = p.K * p.N * sizeof(T) > 128 << 10,
        };
        nint ragged = p.N % Width;
        if (PanelsPay(p))
        {
            job.Packed = Scratch.Get<T>(Scratch.Slot.GemmB, (p.N + Width) * p.K);
            PackJob pack = new() { P = p, Packed = job.Packed, ColumnPanels = job.ColumnPanels };
            pack.Chunks = (int)Math.Min(pack.ColumnPanels, Workers.Chunks((long)p.N * p.K, PackGrain));
            Workers.Run(pack.Chunks, ref pack);
        }
        else if (ragged % TLanes.Count != 0)
        {
            // A full vector at the last columns would read past the end of B.
            job.Edge = Scratch.Get<T>(Scratch.Slot.GemmEdge, p.K * Padded(ragged));
            PackB(job.Edge, p, p.N - ragged, ragged, 0, p.K);
        }
        nint tiles = job.Rows.Count * job.ColumnPanels;
        job.Chunks = (int)Math.Min(tiles, Workers.Chunks((long)p.M * p.N * p.K, GemmDriver.Grain));
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>All of B into panels.</summary>
    private struct PackJob : IJob
    {
        public Product<T> P;
        public T* Packed;
        public nint ColumnPanels;
        public int Chunks;

        public readonly void Run(int chunk)
        {
            nint end = (nint)Workers.Start(ColumnPanels, Chunks, chunk + 1);
            for (nint j = (nint)Workers.Start(ColumnPanels, Chunks, chunk); j < end; j++)
                PackB(Packed + (j * Width * P.K), P, j * Width, Math.Min(Width, P.N - (j * Width)), 0, P.K);
        }
    }

    private struct DirectJob : IJob
    {
        public Product<T> P;
        public RowSplit Rows;
        public nint ColumnPanels;
        public bool RowsInner;
        public T* Edge, Packed;
        public int Chunks;

        public readonly void Run(int chunk)
        {
            nint tiles = Rows.Count * ColumnPanels, inner = RowsInner ? Rows.Count : ColumnPanels;
            nint t = (nint)Workers.Start(tiles, Chunks, chunk), end = (nint)Workers.Start(tiles, Chunks, chunk + 1);
            nint rowStep = P.TransA ? 1 : P.Lda, kStep = P.TransA ? P.Lda : 1;
            for (nint x = t % inner, y = t / inner; t < end; t++)
            {
                (nint i, nint j) = RowsInner ? (x, y) : (y, x);
                nint row = Rows.Start(i), rows = Rows.Start(i + 1) - row;
                nint column = j * Width, columns = Math.Min(Width, P.N - column);
                bool ragged = columns % TLanes.Count != 0;
                T* b = Packed != null ? Packed + (column * P.K) : ragged ? Edge : P.B + column;
                nint ldb = Packed != null || ragged ? Padded(columns) : P.Ldb;
                Tile(rows, columns, P.K, P.A + (row * rowStep), rowStep, kStep, b, ldb, P.C + (row * P.Ldc) + column, P.Ldc, P.Accumulate);
                if (++x == inner)
                    (x, y) = (0, y + 1);
            }
        }
    }

    /// <summary>A [m,k] and B [n,k], transposed first where they are not: k is contiguous in both and summed in lanes.</summary>
    internal static void RunDot(Product<T> p)
    {
        if (p.TransA)
            (p.TransA, p.Lda) = (false, Transposed(Scratch.Slot.GemmA, ref p.A, p.Lda, p.K, p.M));
        if (!p.TransB)
            (p.TransB, p.Ldb) = (true, Transposed(Scratch.Slot.GemmB, ref p.B, p.Ldb, p.K, p.N));
        DotJob job = new()
        {
            P = p,
            Rows = new RowSplit(p.M, TLanes.DotRows),
            ColumnPanels = (p.N + 3) / 4,
        };
        nint tiles = job.Rows.Count * job.ColumnPanels;
        job.Chunks = (int)Math.Min(tiles, Workers.Chunks((long)p.M * p.N * p.K, GemmDriver.Grain));
        Workers.Run(job.Chunks, ref job);
    }

    /// <summary>Replaces a matrix by its transposed copy; returns the step between the copy's rows.</summary>
    private static nint Transposed(Scratch.Slot slot, ref T* matrix, nint step, nint rows, nint columns)
    {
        TransposeJob job = new() { From = matrix, FromStep = step, To = Scratch.Get<T>(slot, rows * columns), Rows = rows, Columns = columns };
        job.Chunks = (int)Math.Min((rows + 63) / 64, Workers.Chunks((long)rows * columns, PackGrain));
        Workers.Run(job.Chunks, ref job);
        matrix = job.To;
        return rows;
    }

    private struct TransposeJob : IJob
    {
        public T* From, To;
        public nint FromStep, Rows, Columns;
        public int Chunks;

        public readonly void Run(int chunk)
        {
            nint row = RowStart(Rows, Chunks, chunk), rows = RowStart(Rows, Chunks, chunk + 1) - row;
            Transpose.Run(From + (row * FromStep), FromStep, To + row, Rows, rows, Columns);
        }
    }

    private struct DotJob : IJob
    {
        public Product<T> P;
        public RowSplit Rows;
        public nint ColumnPanels;
        public int Chunks;

        public readonly void Run(int chunk)
        {
            T* sums = Scratch.Get<T>(Scratch.Slot.GemmTile, TLanes.DotRows * 4 * DotLanes<T>.Count);
            // The smaller matrix is walked in the inner loop: it stays cached while the larger one passes by once.
            bool rowsInner = P.M <= P.N;
            nint tiles = Rows.Count * ColumnPanels, inner = rowsInner ? Rows.Count : ColumnPanels;
            nint t = (nint)Workers.Start(tiles, Chunks, chunk), end = (nint)Workers.Start(tiles, Chunks, chunk + 1);
            for (nint x = t % inner, y = t / inner; t < end; t++)
            {
                (nint i, nint j) = rowsInner ? (x, y) : (y, x);
                nint row = Rows.Start(i), rows = Rows.Start(i + 1) - row;
                nint column = j * 4, columns = Math.Min(4, P.N - column);
                GemmKernels<T, TVec, TLanes>.Dot(
                    (int)rows, (int)columns, P.K, P.A + (row * P.Lda), P.Lda, P.B + (column * P.Ldb), P.Ldb, sums);
                AddUp(sums, rows, columns, P.C + (row * P.Ldc) + column, P.Ldc, P.Accumulate);
                if (++x == inner)
                    (x, y) = (0, y + 1);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddUp(T* sums, nint rows, nint columns, T* c, nint ldc, bool accumulate)
    {
        for (nint i = 0; i < rows; i++, c += ldc, sums += 4 * DotLanes<T>.Count)
        {
            if (columns == 4 && !accumulate)
            {
                DotLanes<T>.SumFour(sums, c);
                continue;
            }
            DotLanes<T>.SumFour(sums, sums);
            for (nint j = 0; j < columns; j++)
                c[j] = accumulate ? c[j] + sums[j] : sums[j];
        }
    }
}
