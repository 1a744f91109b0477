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
    /// <summary>Below this many rows of C packing B costs more than reading it in place.</summary>
    private const int DirectRows = 48;

    /// <summary>Bytes of B that stay in the second-level cache while all rows of C pass over it.</summary>
    private const int DirectBytes = 256 << 10;

    /// <summary>Up to this many rows or columns of C, dot products beat transposing B.</summary>
    private const int DotSide = 32;

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
        if (!p.TransA && p.TransB && p.K >= DotLanes<T>.Count && Math.Min(p.M, p.N) <= DotSide)
            RunDot(p);
        else if (!p.TransB && p.M == 1)
            RunRow(p);
        else if ((!p.TransB && p.M <= DirectRows) || p.K * p.N * sizeof(T) <= DirectBytes)
            RunDirect(p);
        else
            RunPacked(p);
    }

    private static void Clear(Product<T> p)
    {
        for (nint i = 0; i < p.M; i++)
            new Span<T>(p.C + (i * p.Ldc), checked((int)p.N)).Clear();
    }

    /// <summary>Number of row panels; their heights differ by one at most, so that no thin last panel is left.</summary>
    private static nint RowPanels(nint rows) => (rows + TLanes.TileRows - 1) / TLanes.TileRows;

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
