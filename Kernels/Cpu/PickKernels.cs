using System.Numerics;

namespace Native;

/// <summary>One element per line: the first extreme's position, a read, a write. NaN counts as the extreme of either kind, as in PyTorch.</summary>
internal static unsafe class PickKernels
{
    public static void Extreme<T>(Lines lines, T* x, long* index, bool smallest) where T : unmanaged, INumber<T> =>
        Chunks.For(lines.Count, lines.N, (from, to) =>
        {
            for (long k = from; k < to; k++)
                index[k] = smallest ? Smallest(x + lines.Start(k), lines.N, lines.Inner) : Largest(x + lines.Start(k), lines.N, lines.Inner);
        });

    // The comparisons are written so that a NaN replaces any number, and nothing replaces a NaN.
    private static long Largest<T>(T* x, long n, long step) where T : unmanaged, INumber<T>
    {
        T best = *x;
        long at = 0;
        for (long i = 1; i < n; i++)
            if (!(x[i * step] <= best) && !T.IsNaN(best))
                (best, at) = (x[i * step], i);
        return at;
    }

    private static long Smallest<T>(T* x, long n, long step) where T : unmanaged, INumber<T>
    {
        T best = *x;
        long at = 0;
        for (long i = 1; i < n; i++)
            if (!(x[i * step] >= best) && !T.IsNaN(best))
                (best, at) = (x[i * step], i);
        return at;
    }

    public static void Pick<T>(Layout starts, long n, long step, T* x, long* index, T* y, long? ignored) where T : unmanaged
    {
        var walk = new LayoutWalk(starts);
        for (long k = 0; walk.Next(out long at); k++)
        {
            if (index[k] == ignored)
                y[k] = default;
            else
                y[k] = x[at + Checked("pick", index[k], n, k) * step];
        }
    }

    public static void Place<T>(Lines lines, T* x, long* index, T* y, long? ignored) where T : unmanaged
    {
        for (long i = 0; i < lines.Count * lines.N; i++)
            y[i] = default;
        for (long k = 0; k < lines.Count; k++)
            if (index[k] != ignored)
                y[lines.Start(k) + Checked("place", index[k], lines.N, k) * lines.Inner] = x[k];
    }

    private static long Checked(string op, long i, long n, long line) => (ulong)i < (ulong)n ? i
        : throw Outside(op, i, n, line);

    /// <summary>What to throw for an index that is none.</summary>
    public static ShapeException Outside(string op, long i, long n, long line) =>
        new($"{op}: index {i} of line {line} is out of range; a line has {n} elements. Use 0..{n - 1}.");
}
