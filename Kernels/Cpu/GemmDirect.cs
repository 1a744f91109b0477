using System.Runtime.CompilerServices;

namespace Native;

/// <content>Small and thin products: the kernels read A and B where they lie.</content>
internal static unsafe partial class GemmDriver<T, TVec, TLanes>
{
    /// <summary>B [k,n] as it lies, or transposed into panels first; A either way.</summary>
    private static void RunDirect(Product<T> p)
    {
        DirectJob job = new()
        {
            P = p,
            RowPanels = RowPanels(p.M),
            ColumnPanels = (p.N + Width - 1) / Width,
            // Walk along the rows of C when B fits the first-level cache, else keep a panel of B and walk down.
            RowsOuter = p.K * p.N * sizeof(T) <= 48 << 10,
        };
        nint ragged = p.N % Width;
        if (p.TransB)
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
        nint tiles = job.RowPanels * job.ColumnPanels;
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
        public nint RowPanels, ColumnPanels;
        public bool RowsOuter;
        public T* Edge, Packed;
        public int Chunks;

        public readonly void Run(int chunk)
        {
            nint tiles = RowPanels * ColumnPanels;
            nint end = (nint)Workers.Start(tiles, Chunks, chunk + 1);
            nint rowStep = P.TransA ? 1 : P.Lda, kStep = P.TransA ? P.Lda : 1;
            for (nint t = (nint)Workers.Start(tiles, Chunks, chunk); t < end; t++)
            {
                (nint i, nint j) = RowsOuter ? (t / ColumnPanels, t % ColumnPanels) : (t % RowPanels, t / RowPanels);
                nint row = RowStart(P.M, RowPanels, i), rows = RowStart(P.M, RowPanels, i + 1) - row;
                nint column = j * Width, columns = Math.Min(Width, P.N - column);
                bool ragged = columns % TLanes.Count != 0;
                T* b = Packed != null ? Packed + (column * P.K) : ragged ? Edge : P.B + column;
                nint ldb = Packed != null || ragged ? Padded(columns) : P.Ldb;
                Tile(rows, columns, P.K, P.A + (row * rowStep), rowStep, kStep, b, ldb, P.C + (row * P.Ldc) + column, P.Ldc, P.Accumulate);
            }
        }
    }

    /// <summary>A [m,k] and B [n,k]: k is contiguous in both, so k is summed in lanes and nothing is rearranged.</summary>
    private static void RunDot(Product<T> p)
    {
        DotJob job = new()
        {
            P = p,
            RowPanels = (p.M + TLanes.DotRows - 1) / TLanes.DotRows,
            ColumnPanels = (p.N + 3) / 4,
        };
        nint tiles = job.RowPanels * job.ColumnPanels;
        job.Chunks = (int)Math.Min(tiles, Workers.Chunks((long)p.M * p.N * p.K, GemmDriver.Grain));
        Workers.Run(job.Chunks, ref job);
    }

    private struct DotJob : IJob
    {
        public Product<T> P;
        public nint RowPanels, ColumnPanels;
        public int Chunks;

        public readonly void Run(int chunk)
        {
            T* sums = Scratch.Get<T>(Scratch.Slot.GemmTile, TLanes.DotRows * 4 * DotLanes<T>.Count);
            nint tiles = RowPanels * ColumnPanels;
            nint end = (nint)Workers.Start(tiles, Chunks, chunk + 1);
            // The smaller matrix is walked in the inner loop: it stays cached while the larger one passes by once.
            bool rowsInner = P.M <= P.N;
            for (nint t = (nint)Workers.Start(tiles, Chunks, chunk); t < end; t++)
            {
                (nint i, nint j) = rowsInner ? (t % RowPanels, t / RowPanels) : (t / ColumnPanels, t % ColumnPanels);
                nint row = RowStart(P.M, RowPanels, i), rows = RowStart(P.M, RowPanels, i + 1) - row;
                nint column = j * 4, columns = Math.Min(4, P.N - column);
                GemmKernels<T, TVec, TLanes>.Dot(
                    (int)rows, (int)columns, P.K, P.A + (row * P.Lda), P.Lda, P.B + (column * P.Ldb), P.Ldb, sums);
                AddUp(sums, rows, columns, P.C + (row * P.Ldc) + column, P.Ldc, P.Accumulate);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddUp(T* sums, nint rows, nint columns, T* c, nint ldc, bool accumulate)
    {
        for (nint i = 0; i < rows; i++, c += ldc, sums += 4 * DotLanes<T>.Count)
        {
            DotLanes<T>.SumFour(sums, sums);
            for (nint j = 0; j < columns; j++)
                c[j] = accumulate ? c[j] + sums[j] : sums[j];
        }
    }
}
