using System.Numerics;

namespace Native;

/// <summary>
/// The weights of one group as the register kernel wants them: panels of [source channel][kernel place][rows], rows being the result
/// channels of one tile. The height of a panel follows the number of channels (10 for 20, 40, 80 or 160, 13 for 104): equal panels waste
/// nothing, where a fixed height would leave a thin last one.
/// </summary>
internal unsafe struct ConvPanels<T, TVec, TLanes> : IJob
    where T : unmanaged, INumberBase<T>
    where TVec : unmanaged
    where TLanes : struct, ILanes<T, TVec>
{
    // Elements moved that are worth a chunk.
    private const int Grain = 16 << 10;

    private readonly ConvSum _sum;
    private readonly T* _weight, _packed;
    private readonly nint _sourceParts;

    public ConvPanels(ConvSum sum, T* weight)
    {
        _sum = sum;
        _weight = weight;
        Count = (sum.Results + TLanes.TapRows - 1) / TLanes.TapRows;
        Height = (sum.Results + Count - 1) / Count;
        nint size = sum.Sources * sum.Places * Height;
        _packed = Scratch.Get<T>(Scratch.Slot.ConvA, Count * size);
        _sourceParts = Math.Min(sum.Sources, Workers.Chunks(size, Grain));
        Workers.Run((int)(Count * _sourceParts), ref this);
    }

    /// <summary>Panels.</summary>
    public nint Count { get; }

    /// <summary>Elements between the columns of a panel, and rows of every panel but the last.</summary>
    public nint Height { get; }

    /// <summary>First result channel of a panel.</summary>
    public readonly nint Row(nint panel) => panel * Height;

    /// <summary>Result channels of a panel.</summary>
    public readonly nint Rows(nint panel) => Math.Min(Height, _sum.Results - Row(panel));

    /// <summary>Elements between source channels of a panel.</summary>
    public readonly nint SourceStep => _sum.Places * Height;

    /// <summary>The weights of a panel from one source channel on.</summary>
    public readonly T* At(nint panel, nint source) => _packed + (((panel * _sum.Sources) + source) * SourceStep);

    /// <summary>Packs some source channels of one panel.</summary>
    public readonly void Run(int chunk)
    {
        nint panel = chunk / _sourceParts, part = chunk % _sourceParts, row = Row(panel), rows = Rows(panel), places = _sum.Places;
        nint first = (nint)Workers.Start(_sum.Sources, (int)_sourceParts, (int)part);
        nint end = (nint)Workers.Start(_sum.Sources, (int)_sourceParts, (int)part + 1);
        if (!_sum.Adjoint)
        {
            // Weight [result][source][place]: one matrix.
            nint taps = _sum.Sources * places;
            Transpose.Run(_weight + (row * taps) + (first * places), taps, At(panel, first), Height, rows, (end - first) * places);
            return;
        }
        // Weight [source][result][place]: a small matrix for every source channel.
        for (nint s = first; s < end; s++)
            Transpose.Run(_weight + (((s * _sum.Results) + row) * places), places, At(panel, s), Height, rows, places);
    }
}
