using System.Numerics;
using System.Runtime.InteropServices;

namespace Native.Methods;

/// <summary>How far images that were made are from the nearest real one (Scalable Recollections, table 4): exact, by comparing with every one.</summary>
internal static class NearestImages
{
    // Made images that are compared with a real one while it is in the first cache.
    private const int Together = 16;

    /// <summary>For each image, the smallest mean over the pixels of |made - real| / 255.</summary>
    /// <param name="made">Values in [0, 1], image after image.</param>
    /// <param name="real">Bytes, image after image.</param>
    /// <param name="size">Pixels of an image.</param>
    /// <param name="cancel">Looked at now and then.</param>
    public static double[] Distances(float[] made, byte[] real, int size, CancellationToken cancel = default)
    {
        if (size < 1 || made.Length % size != 0 || real.Length % size != 0 || real.Length == 0)
            throw new ShapeException($"nearest images: {made.Length} numbers and {real.Length} bytes are not images of {size} pixels.");
        var nearest = new double[made.Length / size];
        int blocks = (nearest.Length + Together - 1) / Together;
        Parallel.For(0, blocks, new ParallelOptions { CancellationToken = cancel }, block =>
        {
            int from = block * Together, count = Math.Min(Together, nearest.Length - from);
            // Rounded to bytes, a distance is off by the rounding at most: what is further than the best by more cannot be nearer.
            var scaled = new float[count * size];
            var rounded = new byte[count * size];
            Span<double> slack = stackalloc double[Together], best = stackalloc double[Together];
            for (int i = 0; i < scaled.Length; i++)
            {
                scaled[i] = 255 * made[from * size + i];
                rounded[i] = (byte)Math.Clamp(MathF.Round(scaled[i]), 0, 255);
                slack[i / size] += Math.Abs(scaled[i] - rounded[i]);
            }
            best.Fill(double.PositiveInfinity);
            for (int at = 0; at < real.Length; at += size)
            {
                var image = real.AsSpan(at, size);
                for (int k = 0; k < count; k++)
                    if (Difference(rounded.AsSpan(k * size, size), image) - slack[k] < best[k])
                        best[k] = Math.Min(best[k], Difference(scaled.AsSpan(k * size, size), image));
            }
            for (int k = 0; k < count; k++)
                nearest[from + k] = best[k] / (255.0 * size);
        });
        return nearest;
    }

    private static double Difference(ReadOnlySpan<float> a, ReadOnlySpan<byte> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += Math.Abs(a[i] - b[i]);
        return sum;
    }

    private static long Difference(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        // A lane of 16 bits takes 2 x 255 each time: 64 times fit.
        const int fits = 64;
        ReadOnlySpan<Vector<byte>> va = MemoryMarshal.Cast<byte, Vector<byte>>(a), vb = MemoryMarshal.Cast<byte, Vector<byte>>(b);
        long sum = 0;
        for (int i = 0; i < va.Length;)
        {
            var lanes = Vector<ushort>.Zero;
            for (int end = Math.Min(i + fits, va.Length); i < end; i++)
            {
                Vector.Widen(Vector.Max(va[i], vb[i]) - Vector.Min(va[i], vb[i]), out var low, out var high);
                lanes += low + high;
            }
            Vector.Widen(lanes, out var first, out var second);
            sum += Vector.Sum(first + second);
        }
        for (int i = va.Length * Vector<byte>.Count; i < a.Length; i++)
            sum += Math.Abs(a[i] - b[i]);
        return sum;
    }
}
