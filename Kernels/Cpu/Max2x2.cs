using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Native;

/// <summary>
/// Max pooling of f32 planes in 2x2 windows that tile them, sixteen windows at a time: the general loop spends its time on branches that data
/// decide. The candidates are compared in the general loop's order with its rule for NaN, so values and indices are the same to the bit.
/// </summary>
internal static unsafe class Max2x2
{
    private static readonly Vector512<int> Even = Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);

    public static bool Fits(in PoolShape s) =>
        Avx512F.IsSupported && s is { KernelH: 2, KernelW: 2, StrideH: 2, StrideW: 2, PadH: 0, PadW: 0, DilationH: 1, DilationW: 1 } && s.InPixels < 1 << 30;

    /// <summary>One plane; see <see cref="Pool2dKernels.MaxForward"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Plane(in PoolShape s, float* x, float* y, long* index)
    {
        long width = s.Width, outH = s.OutH, outW = s.OutW, inputs = s.InPixels, outputs = s.OutPixels;
        for (long row = 0; row < outH; row++)
        {
            long column = 0;
            // A vector may read into the next rows of the plane and write into the next outputs, which are written again later; never past the plane.
            for (; column < outW && ((2 * row) + 1) * width + 2 * column + 32 <= inputs && row * outW + column + 16 <= outputs; column += 16)
                Sixteen(x, (int)(2 * row * width + 2 * column), (int)width, y + row * outW + column, index + row * outW + column);
            for (; column < outW; column += 16)
                Rest(x, (int)(2 * row * width + 2 * column), (int)width, y + row * outW + column, index + row * outW + column, (int)Math.Min(16, outW - column));
        }
    }

    // The same for fewer than sixteen windows, and where a whole vector would reach beyond the plane.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Rest(float* x, int first, int width, float* y, long* index, int count)
    {
        Vector512<float> left = Lanes.FirstLanes<float>(2 * count), right = Lanes.FirstLanes<float>(2 * count - 16);
        Vector512<float> l0 = Avx512F.MaskLoad(x + first, left, default), l1 = Avx512F.MaskLoad(x + first + 16, right, default);
        Vector512<float> m0 = Avx512F.MaskLoad(x + first + width, left, default), m1 = Avx512F.MaskLoad(x + first + width + 16, right, default);
        var (best, from) = Maxima(l0, l1, m0, m1, first, width);
        Avx512F.MaskStore(y, Lanes.FirstLanes<float>(count), best);
        var (low, high) = Vector512.Widen(from);
        Avx512F.MaskStore(index, Vector512.LessThan(Vector512<long>.Indices, Vector512.Create((long)count)), low);
        Avx512F.MaskStore(index + 8, Vector512.LessThan(Vector512<long>.Indices, Vector512.Create(count - 8L)), high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Sixteen(float* x, int first, int width, float* y, long* index)
    {
        Vector512<float> l0 = Vector512.Load(x + first), l1 = Vector512.Load(x + first + 16), m0 = Vector512.Load(x + first + width), m1 = Vector512.Load(x + first + width + 16);
        var (best, from) = Maxima(l0, l1, m0, m1, first, width);
        best.Store(y);
        var (low, high) = Vector512.Widen(from);
        low.Store(index);
        high.Store(index + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float> Best, Vector512<int> From) Maxima(Vector512<float> l0, Vector512<float> l1, Vector512<float> m0, Vector512<float> m1, int first, int width)
    {
        Vector512<int> even = Even, odd = even + Vector512<int>.One, at = even + Vector512.Create(first);
        var best = Avx512F.PermuteVar16x32x2(l0, even, l1);
        var from = at;
        Challenge(Avx512F.PermuteVar16x32x2(l0, odd, l1), at + Vector512<int>.One, ref best, ref from);
        Challenge(Avx512F.PermuteVar16x32x2(m0, even, m1), at + Vector512.Create(width), ref best, ref from);
        Challenge(Avx512F.PermuteVar16x32x2(m0, odd, m1), at + Vector512.Create(width + 1), ref best, ref from);
        return (best, from);
    }

    // True for a larger value and for the first NaN; false for everything after a NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Challenge(Vector512<float> v, Vector512<int> at, ref Vector512<float> best, ref Vector512<int> from)
    {
        var wins = Vector512.AndNot(Vector512.Equals(best, best), Vector512.LessThanOrEqual(v, best));
        best = Vector512.ConditionalSelect(wins, v, best);
        from = Vector512.ConditionalSelect(wins.AsInt32(), at, from);
    }
}
