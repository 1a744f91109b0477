using System.Runtime.CompilerServices;
using System.Text;

namespace Native;

/// <summary>
/// The last launches of one thread on one device, for the message of an error that the driver reports later than its cause. A launch costs a few stores
/// and allocates nothing; texts are made when somebody asks. It holds layouts and names, never a tensor, so that it keeps no memory from anybody.
/// </summary>
internal sealed class LaunchRing
{
    /// <summary>How many launches are remembered.</summary>
    public const int Length = 64;

    // Operands shown of a launch; an optimiser's update has hundreds.
    private const int Shown = 6;

    private readonly Entry[] _entries = new Entry[Length];
    private int _operands;

    /// <summary>Launches so far.</summary>
    public long Count { get; private set; }

    /// <summary>The latest launch as text, "" before the first.</summary>
    public string Latest => Count == 0 ? "" : Text(Count - 1, operands: false);

    /// <summary>The launches that are remembered, latest first: kernel, grid, block, operands and, where it was recorded, the line of C# that asked.</summary>
    public IReadOnlyList<string> Texts => [.. Enumerable.Range(1, (int)Math.Min(Count, Length)).Select(back => Text(Count - back, operands: true))];

    /// <summary>A tensor that the coming launch is given.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Operand(Layout layout, DType dtype)
    {
        int i = _operands++;
        if (i < Shown)
            _entries[Count & (Length - 1)].Operands[i] = new(layout, dtype);
    }

    /// <summary>A kernel that is about to be queued, with the operands named since the launch before.</summary>
    /// <param name="name">Its name, without the element type.</param>
    /// <param name="dtype">Element type; null when the name says all.</param>
    /// <param name="grid">Blocks and threads; default when they are a library's secret.</param>
    /// <param name="site">The line of C# that asked; null when that is not recorded.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(string name, DType? dtype, in CudaGrid grid, string? site = null)
    {
        ref var entry = ref _entries[Count++ & (Length - 1)];
        (entry.Name, entry.DType, entry.Grid, entry.Site, entry.OperandCount) = (name, dtype, grid, site, _operands);
        _operands = 0;
    }

    /// <summary>The latest launch as text, with its operands; "" before the first.</summary>
    public string LatestWithOperands => Count == 0 ? "" : Text(Count - 1, operands: true);

    private string Text(long number, bool operands)
    {
        ref var entry = ref _entries[number & (Length - 1)];
        var text = new StringBuilder(entry.Name);
        if (entry.DType is { } dtype)
            text.Append('_').Append(dtype.Name());
        var g = entry.Grid;
        if (g.Threads > 0)
            text.Append(" grid(").Append(g.BlocksX).Append(g.BlocksY > 1 || g.BlocksZ > 1 ? $",{g.BlocksY},{g.BlocksZ}" : "").Append(") block(").Append(g.Threads).Append(')');
        if (operands && entry.OperandCount > 0)
            text.Append(' ').Append(Operands(ref entry));
        if (operands && entry.Site is { Length: > 0 } site)
            text.Append(" at ").Append(site);
        return text.ToString();
    }

    private static string Operands(ref Entry entry)
    {
        var texts = new List<string>();
        for (int i = 0; i < Math.Min(entry.OperandCount, Shown); i++)
        {
            var (layout, dtype) = entry.Operands[i];
            texts.Add(DebugLines.Describe(layout!, dtype));
        }
        if (entry.OperandCount > Shown)
            texts.Add($"{entry.OperandCount - Shown} more");
        return string.Join(", ", texts);
    }

    private struct Entry
    {
        public string? Name, Site;
        public DType? DType;
        public CudaGrid Grid;
        public int OperandCount;
        public OperandList Operands;
    }

    private readonly record struct OperandEntry(Layout? Layout, DType DType);

    [InlineArray(Shown)]
    private struct OperandList
    {
        private OperandEntry _first;
    }
}
