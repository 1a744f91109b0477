using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Native;

/// <content>
/// Large products, blocked for the caches: a block of A and a block of B are rearranged into panels that the kernel reads with unit
/// stride, in parallel; then tiles of C are computed in parallel. Panels of B hold [k][2 vectors]; panels of A hold rows as they are
/// (or [k][rows of the tile] if A is transposed), since the kernel reads either.
/// </content>
internal static unsafe partial class GemmDriver<T, TVec, TLanes>
{
    /// <summary>Depth of a block: a panel of B is then 32 KiB and stays in the first-level cache while panels of A pass.</summary>
    private const int BlockK = 256;

    /// <summary>Rows of packed A and columns of packed B held at once.</summary>
    private const int BlockM = 3072, BlockN = 4096;

    /// <summary>Row panels (A stays in the second-level cache) and column panels of one chunk.</summary>
    private const int ChunkRows = 16, ChunkColumns = 8;

    private static void RunPacked(Product<T> p)
    {
        nint blocksK = (p.K + BlockK - 1) / BlockK;
        nint deepest = (p.K + blocksK - 1) / blocksK;
        T* packedA = Scratch.Get<T>(Scratch.Slot.GemmA, Math.Min(p.M, BlockM) * StepA(deepest));
        T* packedB = Scratch.Get<T>(Scratch.Slot.GemmB, (Math.Min(p.N, BlockN) + Width) * deepest);
        for (nint column = 0; column < p.N; column += BlockN)
        {
            for (nint block = 0; block < blocksK; block++)
            {
                for (nint row = 0; row < p.M; row += BlockM)
                {
                    PackedJob job = new()
                    {
                        P = p,
                        PackedA = packedA,
                        PackedB = packedB,
                        Row = row,
                        Rows = Math.Min(BlockM, p.M - row),
                        Column = column,
                        Columns = Math.Min(BlockN, p.N - column),
                        K0 = RowStart(p.K, blocksK, block),
                        K = RowStart(p.K, blocksK, block + 1) - RowStart(p.K, blocksK, block),
                        Accumulate = p.Accumulate || block > 0,
                    };
                    job.Run(packB: row == 0);
                }
            }
        }
    }

    /// <summary>
    /// Elements between rows of packed A: whole cache lines, an odd number of them, so that the rows of a tile do not all fall
    /// into the same few sets of the first-level cache.
    /// </summary>
    private static nint StepA(nint k)
    {
        nint line = 64 / sizeof(T);
        return (((k + line - 1) / line) | 1) * line;
    }

    private struct PackedJob : IJob
    {
        public Product<T> P;
        public T* PackedA, PackedB;
        public nint Row, Rows, Column, Columns, K0, K;
        public bool Accumulate;

        private bool packing;
        private nint stepA, rowPanels, columnPanels, rowGroups, columnGroups;
        private int chunksA, chunksB;

        public void Run(bool packB)
        {
            stepA = StepA(K);
            rowPanels = RowPanels(Rows);
            columnPanels = (Columns + Width - 1) / Width;

            packing = true;
            chunksA = (int)Math.Min(rowPanels, Workers.Chunks((long)Rows * K, PackGrain));
            chunksB = packB ? (int)Math.Min(columnPanels, Workers.Chunks((long)Columns * K, PackGrain)) : 0;
            Workers.Run(chunksA + chunksB, ref this);

            packing = false;
            rowGroups = (rowPanels + ChunkRows - 1) / ChunkRows;
            columnGroups = (columnPanels + ChunkColumns - 1) / ChunkColumns;
            Workers.Run((int)(rowGroups * columnGroups), ref this);
        }

        /// <summary>Elements moved that are worth a chunk.</summary>
        private const int PackGrain = 16 << 10;

        public readonly void Run(int chunk)
        {
            if (!packing)
                Multiply(chunk / columnGroups, chunk % columnGroups);
            else if (chunk < chunksA)
                PackA(chunk);
            else
                PackB(chunk - chunksA);
        }

        private readonly void PackA(int chunk)
        {
            nint end = (nint)Workers.Start(rowPanels, chunksA, chunk + 1);
            for (nint i = (nint)Workers.Start(rowPanels, chunksA, chunk); i < end; i++)
            {
                nint row = RowStart(Rows, rowPanels, i), rows = RowStart(Rows, rowPanels, i + 1) - row;
                if (P.TransA)
                    CopyColumns(PackedA + (row * stepA), rows, P.A + (K0 * P.Lda) + Row + row, P.Lda, rows, K);
                else
                    CopyRows(PackedA + (row * stepA), stepA, P.A + ((Row + row) * P.Lda) + K0, P.Lda, rows, K);
            }
        }

        private readonly void PackB(int chunk)
        {
            nint end = (nint)Workers.Start(columnPanels, chunksB, chunk + 1);
            for (nint j = (nint)Workers.Start(columnPanels, chunksB, chunk); j < end; j++)
            {
                nint column = j * Width, columns = Math.Min(Width, Columns - column);
                T* panel = PackedB + (column * K);
                if (P.TransB)
                    Transpose(panel, Padded(columns), P.B + ((Column + column) * P.Ldb) + K0, P.Ldb, columns, K);
                else
                    CopyColumns(panel, Padded(columns), P.B + (K0 * P.Ldb) + Column + column, P.Ldb, columns, K);
            }
        }

        /// <summary>C is touched once per tile, after the whole loop over k: ask for it before, or the tile ends in cache misses.</summary>
        private static void Prefetch(T* c, nint ldc, nint rows)
        {
            if (!Sse.IsSupported)
                return;
            for (; rows > 0; rows--, c += ldc)
            {
                Sse.Prefetch0(c);
                Sse.Prefetch0(c + TLanes.Count);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void Multiply(nint rowGroup, nint columnGroup)
        {
            nint lastRow = RowStart(rowPanels, rowGroups, rowGroup + 1), lastColumn = RowStart(columnPanels, columnGroups, columnGroup + 1);
            for (nint j = RowStart(columnPanels, columnGroups, columnGroup); j < lastColumn; j++)
            {
                nint column = j * Width, columns = Math.Min(Width, Columns - column);
                for (nint i = RowStart(rowPanels, rowGroups, rowGroup); i < lastRow; i++)
                {
                    nint row = RowStart(Rows, rowPanels, i), rows = RowStart(Rows, rowPanels, i + 1) - row;
                    T* c = P.C + ((Row + row) * P.Ldc) + Column + column;
                    nint rowStep = P.TransA ? 1 : stepA, kStep = P.TransA ? rows : 1;
                    T* a = PackedA + (row * stepA), b = PackedB + (column * K);
                    Prefetch(c, P.Ldc, rows);
                    Tile(rows, columns, K, a, rowStep, kStep, b, Padded(columns), c, P.Ldc, Accumulate);
                }
            }
        }
    }
}
