using System.Numerics;

namespace Native;

/// <summary>
/// How the threads of a block share lines of a tensor: members of a team differ in the bits from <paramref name="Low"/> to below <paramref name="High"/>
/// of their number. Twin of <c>Team</c> in device.cuh. Chosen from shapes alone, since it decides the order of sums.
/// </summary>
internal readonly record struct Team(int Low, int High)
{
    // Bits of a thread's number in a warp and in a block.
    private const int Warp = 5, All = 8;

    // So many elements of a line one thread may walk before another joins it.
    private const long Walk = 32;

    /// <summary>One thread for a line.</summary>
    public static Team Alone { get; } = new(0, 0);

    /// <summary>All threads of a block for a line.</summary>
    public static Team Block { get; } = new(0, All);

    /// <summary>Teams for lines of n elements that lie side by side: neighbouring threads take neighbouring elements.</summary>
    public static Team ForRows(long n) => n > Walk << Warp ? Block : new(0, Math.Min(Bits(n), Warp));

    /// <summary>
    /// Teams for lines of n elements that are <paramref name="inner"/> apart, with as many lines between them: neighbouring threads take neighbouring lines.
    /// </summary>
    public static Team For(long n, long inner) =>
        inner == 1 ? ForRows(n) : new(All - Math.Min(Bits((n + Walk - 1) / Walk), All - Math.Min(Bits(inner), Warp)), All);

    /// <summary>
    /// Teams for the channels of [batch, channels, length]: a block's worth for each, unless its runs of neighbours are too short to read alone.
    /// </summary>
    public static Team ForChannels(long channels, long length) => length >= 8 ? Block : new(Math.Min(Bits(channels), Warp), All);

    /// <summary>One team for each of <paramref name="lines"/>.</summary>
    public CudaGrid Grid(long lines)
    {
        long perBlock = Launch.Threads >> (High - Low);
        return CudaGrid.Of((int)((lines + perBlock - 1) / perBlock), Launch.Threads);
    }

    // Bits that number n things.
    private static int Bits(long n) => BitOperations.Log2(BitOperations.RoundUpToPowerOf2((ulong)Math.Max(n, 1)));
}
