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
    /// <summary>Depth of a tile: a panel of B is then 32 KiB and stays in the first-level cache while panels of A pass.</summary>
    private const int BlockK = 256;

    /// <summary>Rows of A and columns of B held at once, and elements of both together.</summary>
    private const int BlockM = 3072, BlockN = 4096, BlockElements = 1 << 19;

    /// <summary>Row panels (A stays in the second-level cache) and column panels of one chunk, at most.</summary>
    private const int ChunkRows = 16, ChunkColumns = 8;

    /// <summary>Chunks that keep all cores of a large machine busy to the end.</summary>
    private const int ManyChunks = 32;

    private static void RunPacked(Product<T> p)
    {
        nint rows = Math.Min(p.M, BlockM), columns = Math.Min(p.N, BlockN);
        // As many blocks of k as fit are packed at once: every packing is a point where all threads wait for each other.
        nint blocks = (p.K + BlockK - 1) / BlockK, atOnce = Math.Max(1, BlockElements / ((rows + columns) * BlockK));
        nint rounds = (blocks + atOnce - 1) / atOnce;
        nint deepest = Math.Min(p.K, (RowStart(p.K, blocks, 1) + 1) * ((blocks + rounds - 1) / rounds));
        bool inPlace = !Collides(p.Lda);
        T* packedA = inPlace ? null : Scratch.Get<T>(Scratch.Slot.GemmA, rows * StepA(deepest));
        T* packedB = Scratch.Get<T>(Scratch.Slot.GemmB, (columns + Width) * deepest);
        for (nint column = 0; column < p.N; column += BlockN)
        {
            for (nint round = 0; round < rounds; round++)
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
                        Blocks = blocks,
                        FirstBlock = RowStart(blocks, rounds, round),
                        EndBlock = RowStart(blocks, rounds, round + 1),
                    };
                    job.Run(packB: row == 0);
                }
            }
        }
    }

    private struct PackedJob : IJob
    {
        public Product<T> P;
        public T* PackedA, PackedB;
        public nint Row, Rows, Column, Columns, Blocks, FirstBlock, EndBlock;

        private bool packing;
        private nint k0, depth, stepA, rowPanels, columnPanels, rowGroups, columnGroups;
        private int chunksA, chunksB;

        public void Run(bool packB)
        {
            k0 = RowStart(P.K, Blocks, FirstBlock);
            depth = RowStart(P.K, Blocks, EndBlock) - k0;
            stepA = PackedA == null ? P.Lda : StepA(depth);
            rowPanels = RowPanels(Rows);
            columnPanels = (Columns + Width - 1) / Width;

            packing = true;
            chunksA = PackedA == null ? 0 : (int)Math.Min(rowPanels, Workers.Chunks((long)Rows * depth, PackGrain));
            chunksB = packB ? (int)Math.Min(columnPanels, Workers.Chunks((long)Columns * depth, PackGrain)) : 0;
            Workers.Run(chunksA + chunksB, ref this);

            packing = false;
            nint wanted = Math.Min(ManyChunks, Workers.Chunks((long)Rows * Columns * depth, GemmDriver.Grain));
            rowGroups = (rowPanels + ChunkRows - 1) / ChunkRows;
            columnGroups = Math.Min(columnPanels, Math.Max((columnPanels + ChunkColumns - 1) / ChunkColumns, wanted / rowGroups));
            rowGroups = Math.Min(rowPanels, Math.Max(rowGroups, wanted / columnGroups));
            Workers.Run((int)(rowGroups * columnGroups), ref this);
        }

        public readonly void Run(int chunk)
        {
            if (!packing)
                Multiply(chunk / columnGroups, chunk % columnGroups);
            else if (chunk < chunksA)
                PackA(chunk);
            else
                PackB(chunk - chunksA);
        }

        // Block after block of k within a chunk: the panels of a block share cache lines of the source.
        private readonly void PackA(int chunk)
        {
            nint end = (nint)Workers.Start(rowPanels, chunksA, chunk + 1);
            for (nint block = FirstBlock; block < EndBlock; block++)
            {
                nint from = RowStart(P.K, Blocks, block), k = RowStart(P.K, Blocks, block + 1) - from, skip = from - k0;
                for (nint i = (nint)Workers.Start(rowPanels, chunksA, chunk); i < end; i++)
                {
                    nint row = RowStart(Rows, rowPanels, i), rows = RowStart(Rows, rowPanels, i + 1) - row;
                    T* panel = PackedA + (row * stepA);
                    if (P.TransA)
                        CopyColumns(panel + (skip * rows), rows, P.A + (from * P.Lda) + Row + row, P.Lda, rows, k);
                    else
                        CopyRows(panel + skip, stepA, P.A + ((Row + row) * P.Lda) + from, P.Lda, rows, k);
                }
            }
        }

        private readonly void PackB(int chunk)
        {
            nint end = (nint)Workers.Start(columnPanels, chunksB, chunk + 1);
            for (nint block = FirstBlock; block < EndBlock; block++)
            {
                nint from = RowStart(P.K, Blocks, block), k = RowStart(P.K, Blocks, block + 1) - from, skip = from - k0;
                for (nint j = (nint)Workers.Start(columnPanels, chunksB, chunk); j < end; j++)
                {
                    nint column = j * Width, columns = Math.Min(Width, Columns - column);
                    T* panel = PackedB + (column * depth) + (skip * Padded(columns));
                    GemmDriver<T, TVec, TLanes>.PackB(panel, P, Column + column, columns, from, k);
                }
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

        private readonly void Multiply(nint rowGroup, nint columnGroup)
        {
            for (nint block = FirstBlock; block < EndBlock; block++)
                Multiply(rowGroup, columnGroup, RowStart(P.K, Blocks, block), RowStart(P.K, Blocks, block + 1));
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void Multiply(nint rowGroup, nint columnGroup, nint kStart, nint kEnd)
        {
            bool accumulate = P.Accumulate || kStart > 0;
            nint skip = kStart - k0;
            nint lastRow = RowStart(rowPanels, rowGroups, rowGroup + 1), lastColumn = RowStart(columnPanels, columnGroups, columnGroup + 1);
            for (nint j = RowStart(columnPanels, columnGroups, columnGroup); j < lastColumn; j++)
            {
                nint column = j * Width, columns = Math.Min(Width, Columns - column);
                T* b = PackedB + (column * depth) + (skip * Padded(columns));
                for (nint i = RowStart(rowPanels, rowGroups, rowGroup); i < lastRow; i++)
                {
                    nint row = RowStart(Rows, rowPanels, i), rows = RowStart(Rows, rowPanels, i + 1) - row;
                    T* c = P.C + ((Row + row) * P.Ldc) + Column + column;
                    nint rowStep = P.TransA ? 1 : stepA, kStep = !P.TransA ? 1 : PackedA == null ? P.Lda : rows;
                    T* a = PackedA == null ? P.A + ((Row + row) * rowStep) + (kStart * kStep) : PackedA + (row * stepA) + (skip * kStep);
                    Prefetch(c, P.Ldc, rows);
                    Tile(rows, columns, kEnd - kStart, a, rowStep, kStep, b, Padded(columns), c, P.Ldc, accumulate);
                }
            }
        }
    }
}
