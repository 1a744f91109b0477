using System.Collections.Concurrent;

namespace Native;

/// <summary>
/// For every result pixel of a convolution, the kernel places that meet a source pixel, as byte offsets into a panel of weights and into
/// source planes: <see cref="Taps.Table"/>. Taps in the padding are not in it. Depends on the geometry only and is kept.
/// </summary>
internal sealed unsafe class TapTables
{
    // Geometries of a long-lived process; more than this and it is a stream of shapes, for which keeping is no use. Of large maps fewer: 64 MiB in all.
    private const int MostKept = 256;
    private const long MostPairs = 4 << 20;

    private static long keptPairs;

    private static readonly ConcurrentDictionary<(ConvSum Sum, nint PlaceBytes, nint PixelBytes), TapTables> Kept = new();

    private readonly nint[] _pairs;
    private readonly nint[] _starts;
    private readonly nint* _table;

    private TapTables(ConvSum sum, nint placeBytes, nint pixelBytes)
    {
        var pairs = new List<nint>();
        _starts = new nint[sum.ResultPixels + 1];
        for (nint q = 0; q < sum.ResultPixels; q++)
        {
            for (nint ky = 0; ky < (nint)sum.S.KernelH; ky++)
            {
                nint y = sum.Row(q / sum.ResultW, ky);
                for (nint kx = 0; y >= 0 && kx < (nint)sum.S.KernelW; kx++)
                {
                    nint x = sum.Column(q % sum.ResultW, kx);
                    if (x < 0)
                        continue;
                    pairs.Add(((ky * (nint)sum.S.KernelW) + kx) * placeBytes);
                    pairs.Add(((y * sum.SourceW) + x) * pixelBytes);
                }
            }
            _starts[q + 1] = pairs.Count / 2;
        }
        // Pinned: kernels keep plain pointers into it.
        _pairs = GC.AllocateUninitializedArray<nint>(Math.Max(1, pairs.Count), pinned: true);
        pairs.CopyTo(_pairs);
        fixed (nint* table = _pairs)
            _table = table;
    }

    /// <summary>The tables of a geometry.</summary>
    /// <param name="sum">Batch, channels and groups are not looked at.</param>
    /// <param name="placeBytes">Bytes between kernel places of a panel.</param>
    /// <param name="pixelBytes">Bytes between pixels of a source plane.</param>
    public static TapTables Of(ConvSum sum, nint placeBytes, nint pixelBytes)
    {
        var key = (new ConvSum(sum.S with { Batch = 1, Channels = 1, Filters = 1, Groups = 1 }, sum.Adjoint), placeBytes, pixelBytes);
        if (Kept.TryGetValue(key, out var tables))
            return tables;
        var made = new TapTables(key.Item1, placeBytes, pixelBytes);
        if (Kept.Count >= MostKept || Interlocked.Add(ref keptPairs, made._pairs.Length / 2) > MostPairs)
        {
            Kept.Clear();
            Volatile.Write(ref keptPairs, made._pairs.Length / 2);
        }
        // One larger than all others together lives as long as its call.
        if (made._pairs.Length / 2 <= MostPairs)
            Kept[key] = made;
        return made;
    }

    /// <summary>The taps of result pixel <paramref name="q"/> over <paramref name="sources"/> channels.</summary>
    public Taps At(nint q, nint sources, nint stepA, nint stepB) =>
        new(sources, _table + (2 * _starts[q]), _starts[q + 1] - _starts[q], stepA, stepB);
}
