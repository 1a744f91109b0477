using System.Numerics;

namespace Native;

/// <summary>
/// Splits a loop over independent items into chunks for the thread pool. The cut depends on the item count and the cost only, never on
/// the number of threads, so a result that is reduced chunk by chunk has the same bits on every machine.
/// </summary>
internal static class Chunks
{
    /// <summary>Elements touched below which handing work to another thread costs more than it saves.</summary>
    public const long Grain = 8192;

    /// <summary>Runs <paramref name="body"/> on ranges [start, end) that together cover [0, items).</summary>
    /// <param name="items">Number of items; 0 runs nothing.</param>
    /// <param name="cost">Elements touched per item.</param>
    /// <param name="body">Receives start and end; must not depend on the order in which ranges run.</param>
    public static void For(long items, long cost, Action<long, long> body)
    {
        if (items <= 0)
            return;
        // At least one grain per chunk, and at most 64 chunks: enough to balance, few enough to hand out quickly.
        long size = CeilDiv(items, Workers.Chunks(items * cost, Grain));
        int count = (int)CeilDiv(items, size);
        if (count == 1)
            body(0, items);
        else
            Run(count, i => body(i * size, Math.Min(items, (i + 1) * size)));
    }

    /// <summary>
    /// Runs <paramref name="body"/> once per part, each part being <paramref name="cost"/> elements of work: for loops whose cut is
    /// their own (images of a convolution, partial results of a reduction).
    /// </summary>
    public static void Parts(long parts, long cost, Action<int> body)
    {
        if (parts > 1 && parts * cost >= 2 * Grain)
            Run(checked((int)parts), body);
        else
            for (int i = 0; i < parts; i++)
                body(i);
    }

    public static long CeilDiv(long a, long b) => (a + b - 1) / b;

    private static void Run(int count, Action<int> body)
    {
        var job = new Job(body);
        Workers.Run(count, ref job);
    }

    // One small closure per kernel call: next to the shortest loop that comes here, it does not show.
    private readonly struct Job(Action<int> body) : IJob
    {
        public void Run(int chunk) => body(chunk);
    }
}
