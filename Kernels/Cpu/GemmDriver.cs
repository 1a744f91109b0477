using System.Numerics;
using System.Runtime.CompilerServices;

namespace Native;

/// <summary>Figures shared by every element type.</summary>
internal static class GemmDriver
{
    /// <summary>Multiply-adds that are worth a chunk: about 5 us of one core, against 1 us to hand a chunk over.</summary>
    public const long Grain = 1 << 18;
}

/// <summary>Picks the algorithm by shape and cuts the product into chunks for the register kernels.</summary>
internal static unsafe partial class GemmDriver<T, TVec, TLanes>
    where T : unmanaged, INumberBase<T>
    where TVec : unmanaged
    where TLanes : struct, ILanes<T, TVec>
{
    /// <summary>Deepest product whose panel of B (128 bytes a row) stays in the second-level cache while the rows of C pass over it.</summary>
    private const int DirectDepth = 4096;

    /// <summary>Bytes that a third-level cache has room for: of A, read again for every panel of B, and of packed B.</summary>
    private const long DirectBytes = 8 << 20;

    /// <summary>Where the rows of B share cache sets: rows of C, or bytes of B, up to which that is still cheaper than packing B.</summary>
    private const int CollidingRows = 128, CollidingBytes = 256 << 10;

    /// <summary>The same for A transposed: columns of C.</summary>
    private const int CollidingColumns = 256;

    private static int Width => 2 * TLanes.Count;

    public static void Run(Product<T> p)
    {
        if (p.M == 0 || p.N == 0)
            return;
        if (p.K == 0)
        {
            if (!p.Accumulate)
                Clear(p);
            return;
        }
        if (p.N == 1)
        {
            RunColumn(p);
            return;
        }
        if (p.M == 1 && p.TransA)
        {
            p.A = Gather(Scratch.Slot.GemmVector, p.A, p.Lda, p.K);
            p.TransA = false;
        }
        Multiply(p);
    }

    private static void Multiply(Product<T> p)
    {
        if (!p.TransB && p.M == 1)
            RunRow(p);
        else if (p.K >= DotLanes<T>.Count && DotPays(p))
            RunDot(p);
        else if (DirectPays(p))
            RunDirect(p);
        else
            RunPacked(p);
    }

    /// <summary>
    /// Whether dot products are the faster way, by what was measured: a tile of them runs at 0.8 of the roof and ends with a sum
    /// worth 64 steps of k; an ordinary tile runs at 0.95, of which 64 bytes filled in part waste the rest; to transpose an operand takes
    /// as long as 11 rows or columns of the product. The vector width does not come in: the bits must not depend on it.
    /// </summary>
    private static bool DotPays(Product<T> p)
    {
        double m = p.M, n = p.N, lanes = DotLanes<T>.Count;
        double dot = (1 + (64 / (double)p.K)) / 0.8 * Math.Ceiling(n / 4) * 4 / n + (p.TransA ? 11 / n : 0) + (p.TransB ? 0 : 11 / m);
        double tile = Math.Ceiling(n / lanes) * lanes / n / 0.95 + (p.TransB ? 11 / m : 0);
        return dot < tile;
    }

    /// <summary>
    /// Whether the kernel may read A where it lies and B there or in panels: measured faster than blocking wherever the caches hold
    /// what is read again. A transposed is read across its rows, which costs more out of the second-level cache or where its rows
    /// share cache sets. The step between rows does not come in: the bits depend on the shape alone.
    /// </summary>
    private static bool DirectPays(Product<T> p) => p.K <= DirectDepth
        && (long)p.M * p.K * sizeof(T) <= (p.TransA ? DirectBytes / 2 : DirectBytes)
        && (!p.TransA || p.N < CollidingColumns || p.M * sizeof(T) % 4096 != 0)
        && (!PanelsPay(p) || (long)p.K * p.N * sizeof(T) <= DirectBytes);

    /// <summary>Whether B is rearranged into panels first.</summary>
    private static bool PanelsPay(Product<T> p) => p.TransB
        || (p.N * sizeof(T) % 4096 == 0 && p.M > CollidingRows && (long)p.K * p.N * sizeof(T) > CollidingBytes);

    private static void Clear(Product<T> p)
    {
        for (nint i = 0; i < p.M; i++)
            new Span<T>(p.C + (i * p.Ldc), checked((int)p.N)).Clear();
    }

    private static nint RowStart(nint rows, nint panels, nint panel) => (nint)Workers.Start(rows, (int)panels, (int)panel);

    /// <summary>One tile of C, at most two vectors wide; a ragged width goes through a small buffer because B is padded there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile(
        nint rows, nint columns, nint k, T* a, nint rowStep, nint kStep, T* b, nint ldb, T* c, nint ldc, bool accumulate)
    {
        int vectors = columns > TLanes.Count ? 2 : 1;
        if (columns % TLanes.Count == 0)
        {
            GemmKernels<T, TVec, TLanes>.Tile((int)rows, vectors, k, a, rowStep, kStep, b, ldb, c, ldc, accumulate);
            return;
        }
        T* tile = Scratch.Get<T>(Scratch.Slot.GemmTile, TLanes.TileRows * Width);
        GemmKernels<T, TVec, TLanes>.Tile((int)rows, vectors, k, a, rowStep, kStep, b, ldb, tile, Width, false);
        for (nint i = 0; i < rows; i++)
        {
            T* from = tile + (i * Width), to = c + (i * ldc);
            for (nint j = 0; j < columns; j++)
                to[j] = accumulate ? to[j] + from[j] : from[j];
        }
    }

    private static nint Padded(nint columns) => columns > TLanes.Count ? Width : TLanes.Count;
}

/// <summary>Rows cut into panels of at most so many, their heights one apart at most, so that no thin last panel is left.</summary>
internal readonly struct RowSplit
{
    private readonly nint height, higher;

    public RowSplit(nint rows, nint most)
    {
        Count = (rows + most - 1) / most;
        (height, higher) = (rows / Count, rows % Count);
    }

    public nint Count { get; }

    /// <summary>First row of a panel; the higher panels come first. Asked for by every tile, so it does not divide.</summary>
    public nint Start(nint panel) => (panel * height) + Math.Min(panel, higher);
}
