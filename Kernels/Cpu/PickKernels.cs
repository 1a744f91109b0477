using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>One element per line: the first extreme's position, a read, a write. NaN counts as the extreme of either kind, as in PyTorch.</summary>
internal static unsafe class PickKernels
{
    // Lines up to this length are laid side by side, one per lane: their branches cannot be foreseen.
    private const long Short = 16;

    public static void Extreme<T>(Lines lines, T* x, long* index, bool smallest) where T : unmanaged, INumber<T>
    {
        if (lines.Inner == 1 && lines.N <= Short)
        {
            long width = Vector512<T>.Count;
            Chunks.For(Chunks.CeilDiv(lines.Count, width), lines.N * width, (from, to) =>
            {
                for (long k = from * width; k < Math.Min(lines.Count, to * width); k += width)
                    ShortLines(x + k * lines.N, lines.N, Math.Min(width, lines.Count - k), index + k, smallest);
            });
            return;
        }
        Chunks.For(lines.Count, lines.N, (from, to) =>
        {
            for (long k = from; k < to; k++)
                index[k] = smallest ? Smallest(x + lines.Start(k), lines.N, lines.Inner) : Largest(x + lines.Start(k), lines.N, lines.Inner);
        });
    }

    private static void ShortLines<T>(T* x, long n, long lines, long* index, bool smallest) where T : unmanaged, INumber<T>
    {
        int width = Vector512<T>.Count;
        T* turned = stackalloc T[(int)Short * width];
        for (long i = 0; i < n; i++)
            for (long line = 0; line < lines; line++)
                turned[i * width + line] = x[line * n + i];
        Vector512<T> best = Vector512.Load(turned), at = Vector512<T>.Zero;
        for (long i = 1; i < n; i++)
        {
            var v = Vector512.Load(turned + i * width);
            var wins = Vector512.AndNot(Vector512.Equals(best, best), smallest ? Vector512.GreaterThanOrEqual(v, best) : Vector512.LessThanOrEqual(v, best));
            best = Vector512.ConditionalSelect(wins, v, best);
            at = Vector512.ConditionalSelect(wins, Vector512.Create(T.CreateTruncating(i)), at);
        }
        at.Store(turned);
        for (long line = 0; line < lines; line++)
            index[line] = long.CreateTruncating(turned[line]);
    }

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
        new Span<T>(y, checked((int)(lines.Count * lines.N))).Clear();
        for (long k = 0; k < lines.Count; k++)
            if (index[k] != ignored)
                y[lines.Start(k) + Checked("place", index[k], lines.N, k) * lines.Inner] = x[k];
    }

    /// <summary>Throws for the first index that is neither ignored nor an element of a line of n.</summary>
    public static void Check(string op, long* index, long lines, long n, long? ignored)
    {
        for (long k = 0; k < lines; k++)
            if (index[k] != ignored)
                Checked(op, index[k], n, k);
    }

    private static long Checked(string op, long i, long n, long line) => (ulong)i < (ulong)n ? i
        : throw Outside(op, i, n, line);

    /// <summary>What to throw for an index that is none.</summary>
    public static ShapeException Outside(string op, long i, long n, long line) =>
        new($"{op}: index {i} of line {line} is out of range; a line has {n} elements. Use 0..{n - 1}.");
}
