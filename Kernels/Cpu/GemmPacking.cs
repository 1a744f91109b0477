using System.Runtime.CompilerServices;

namespace Native;

/// <content>Panels: a strip of a matrix as [k][step], what lies beyond the strip's width left undefined.</content>
internal static unsafe partial class GemmDriver<T, TVec, TLanes>
{
    /// <summary>Elements moved that are worth a chunk.</summary>
    private const int PackGrain = 16 << 10;

    /// <summary>
    /// Elements from row to row of packed A: whole cache lines, an odd number of them, so that the rows of a tile do not all fall
    /// into the same few sets of the first-level cache.
    /// </summary>
    private static nint StepA(nint k)
    {
        nint line = 64 / sizeof(T);
        return (((k + line - 1) / line) | 1) * line;
    }

    /// <summary>Whether rows this far apart share so few sets of the first-level cache that a tile's rows push each other out.</summary>
    private static bool Collides(nint step) => step * sizeof(T) % 1024 == 0;

    /// <summary>Columns of one panel of B, rows k0 to k0 + k, whichever way B is stored.</summary>
    private static void PackB(T* dest, Product<T> p, nint column, nint columns, nint k0, nint k)
    {
        if (p.TransB)
            Transpose.Run(p.B + (column * p.Ldb) + k0, p.Ldb, dest, Padded(columns), columns, k);
        else
            CopyColumns(dest, Padded(columns), p.B + (k0 * p.Ldb) + column, p.Ldb, columns, k);
    }

    /// <summary>dest[i * step + p] = source[i * ld + p].</summary>
    private static void CopyRows(T* dest, nint step, T* source, nint ld, nint rows, nint k)
    {
        for (nint i = 0; i < rows; i++)
            new ReadOnlySpan<T>(source + (i * ld), (int)k).CopyTo(new Span<T>(dest + (i * step), (int)k));
    }

    /// <summary>dest[p * step + i] = source[p * ld + i]: the panel's columns, two vectors at most, are neighbours in memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyColumns(T* dest, nint step, T* source, nint ld, nint width, nint k)
    {
        // Whole vectors take neighbours along, which the next rows overwrite or nobody reads; not so where they would leave the matrix
        // or the panel.
        bool two = width > TLanes.Count;
        nint copied = two ? Width : TLanes.Count, p = 0;
        nint lastSource = ((k - 1) * ld) + width - copied, lastDest = (k * step) - copied;
        for (; p < k && p * ld <= lastSource && p * step <= lastDest; p++)
        {
            TLanes.Store(TLanes.Load(source + (p * ld)), dest + (p * step));
            if (two)
                TLanes.Store(TLanes.Load(source + (p * ld) + TLanes.Count), dest + (p * step) + TLanes.Count);
        }
        for (; p < k; p++)
        {
            for (nint i = 0; i < width; i++)
                dest[(p * step) + i] = source[(p * ld) + i];
        }
    }
}
