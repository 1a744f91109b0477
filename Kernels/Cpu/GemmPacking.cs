using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Native;

/// <content>The rearrangements of <c>RunPacked</c>: all write panels of [k][padded], zero beyond the width, except CopyRows.</content>
internal static unsafe partial class GemmDriver<T, TVec, TLanes>
{
    /// <summary>dest[i * step + p] = source[i * ld + p].</summary>
    private static void CopyRows(T* dest, nint step, T* source, nint ld, nint rows, nint k)
    {
        for (nint i = 0; i < rows; i++)
            new ReadOnlySpan<T>(source + (i * ld), (int)k).CopyTo(new Span<T>(dest + (i * step), (int)k));
    }

    /// <summary>dest[p * padded + i] = source[p * ld + i]: the panel's columns are neighbours in memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyColumns(T* dest, nint padded, T* source, nint ld, nint width, nint k)
    {
        nint p = 0;
        if (width == Width)
        {
            for (; p < k; p++)
            {
                TLanes.Store(TLanes.Load(source + (p * ld)), dest + (p * padded));
                TLanes.Store(TLanes.Load(source + (p * ld) + TLanes.Count), dest + (p * padded) + TLanes.Count);
            }
        }
        else if (width == padded && width <= TLanes.Count)
        {
            // Full vectors spill into what the next rows overwrite; the last rows, where that would leave the panel or the matrix, follow.
            for (; p < k && (p * padded) + TLanes.Count <= k * padded && (p * ld) + TLanes.Count <= ((k - 1) * ld) + width; p++)
                TLanes.Store(TLanes.Load(source + (p * ld)), dest + (p * padded));
        }
        for (; p < k; p++)
        {
            for (nint i = 0; i < width; i++)
                dest[(p * padded) + i] = source[(p * ld) + i];
            for (nint i = width; i < padded; i++)
                dest[(p * padded) + i] = T.Zero;
        }
    }

    /// <summary>dest[p * padded + i] = source[i * ld + p]: every column of the panel is contiguous in memory.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Transpose(T* dest, nint padded, T* source, nint ld, nint width, nint k)
    {
        nint doneK = 0, doneColumns = 0;
        if (typeof(T) == typeof(float) && Sse.IsSupported)
        {
            (doneK, doneColumns) = (k / 4 * 4, width / 4 * 4);
            for (nint i = 0; i < doneColumns; i += 4)
                Transpose4((float*)dest + i, padded, (float*)source + (i * ld), ld, doneK);
        }
        for (nint i = 0; i < width; i++)
        {
            for (nint p = i < doneColumns ? doneK : 0; p < k; p++)
                dest[(p * padded) + i] = source[(i * ld) + p];
        }
        for (nint i = width; i < padded; i++)
        {
            for (nint p = 0; p < k; p++)
                dest[(p * padded) + i] = T.Zero;
        }
    }

    /// <summary>Four columns of a panel, <paramref name="k"/> a multiple of four, in blocks of 4 x 4.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Transpose4(float* dest, nint padded, float* source, nint ld, nint k)
    {
        for (nint p = 0; p < k; p += 4)
        {
            Vector128<float> r0 = Vector128.Load(source + p), r1 = Vector128.Load(source + ld + p);
            Vector128<float> r2 = Vector128.Load(source + (2 * ld) + p), r3 = Vector128.Load(source + (3 * ld) + p);
            Vector128<float> low01 = Sse.UnpackLow(r0, r1), high01 = Sse.UnpackHigh(r0, r1);
            Vector128<float> low23 = Sse.UnpackLow(r2, r3), high23 = Sse.UnpackHigh(r2, r3);
            float* d = dest + (p * padded);
            Sse.MoveLowToHigh(low01, low23).Store(d);
            Sse.MoveHighToLow(low23, low01).Store(d + padded);
            Sse.MoveLowToHigh(high01, high23).Store(d + (2 * padded));
            Sse.MoveHighToLow(high23, high01).Store(d + (3 * padded));
        }
    }
}
