using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>Squared differences of neighbouring pixels of images [planes, h, w], and their gradient.</summary>
internal static unsafe class VariationKernels
{
    /// <summary>down times the sum of squared vertical differences + right times that of horizontal ones.</summary>
    public static T Forward<T>(long planes, long h, long w, T* x, T down, T right) where T : unmanaged, IFloatingPointIeee754<T>
    {
        // Two sums per plane, then the planes' sums in order.
        T* sums = Scratch.Get<T>(Scratch.Slot.Reduce, 2 * planes);
        Chunks.For(planes, 2 * h * w, (start, end) =>
        {
            for (long p = start; p < end; p++)
            {
                T* plane = x + p * h * w;
                sums[p] = Lanes.Sum<T, SquaredDifference<T>>(plane + w, plane, plane, (h - 1) * w, default);
                T rows = T.Zero;
                for (long r = 0; r < h; r++)
                    rows += Lanes.Sum<T, SquaredDifference<T>>(plane + r * w + 1, plane + r * w, plane, w - 1, default);
                sums[planes + p] = rows;
            }
        });
        return down * Lanes.Sum(sums, planes) + right * Lanes.Sum(sums + planes, planes);
    }

    /// <summary>gx = g (2 down (above - below) + 2 right (before - after)), with the differences to the four neighbours, 0 where there is none.</summary>
    public static void Grad<T>(long planes, long h, long w, T* x, T g, T down, T right, T* gx) where T : unmanaged, IFloatingPointIeee754<T> =>
        Chunks.For(planes, 5 * h * w, (start, end) =>
        {
            for (long row = start * h; row < end * h; row++)
                GradRow(w, row % h > 0, row % h + 1 < h, x + row * w, g, down, right, gx + row * w);
        });

    private static void GradRow<T>(long w, bool hasAbove, bool hasBelow, T* x, T g, T down, T right, T* gx) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int width = Vector512<T>.Count;
        Vector512<T> scale = Vector512.Create(g), vertical = Vector512.Create(down), horizontal = Vector512.Create(right), zero = Vector512<T>.Zero;
        long i = 1;
        // The first and the last pixel have one neighbour less.
        gx[0] = Edge(0);
        for (; i + width < w; i += width)
        {
            var at = Vector512.Load(x + i);
            Vector512<T> above = hasAbove ? at - Vector512.Load(x + i - w) : zero, below = hasBelow ? Vector512.Load(x + i + w) - at : zero;
            (scale * (vertical * (above - below) + horizontal * ((at - Vector512.Load(x + i - 1)) - (Vector512.Load(x + i + 1) - at)))).Store(gx + i);
        }
        for (; i < w; i++)
            gx[i] = Edge(i);

        T Edge(long i)
        {
            T above = hasAbove ? x[i] - x[i - w] : T.Zero, below = hasBelow ? x[i + w] - x[i] : T.Zero;
            T before = i > 0 ? x[i] - x[i - 1] : T.Zero, after = i + 1 < w ? x[i + 1] - x[i] : T.Zero;
            return g * (down * (above - below) + right * (before - after));
        }
    }

    private readonly struct SquaredDifference<T> : ITerm<T> where T : unmanaged
    {
        public static Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> k) => (a - b) * (a - b);
    }
}
