using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Native;

/// <summary>The vector operations of the GEMM kernels, so that one text serves float and double at both vector widths.</summary>
internal unsafe interface ILanes<T, TVec> where T : unmanaged where TVec : unmanaged
{
    /// <summary>Elements per vector.</summary>
    static abstract int Count { get; }

    /// <summary>Most rows of a tile of two vectors: 2 * rows accumulators + 3 must fit the registers (32 with AVX-512, else 16).</summary>
    static abstract int TileRows { get; }

    /// <summary>Most rows of a dot tile of four columns: 4 * rows accumulators + 5 must fit the registers.</summary>
    static abstract int DotRows { get; }

    /// <summary>Most rows of a convolution's tile of two vectors, which has fewer addresses to keep than a product's.</summary>
    static abstract int TapRows { get; }

    static abstract TVec Load(T* p);
    static abstract void Store(TVec v, T* p);

    /// <summary>The one value at <paramref name="p"/> in every lane.</summary>
    static abstract TVec Splat(T* p);

    /// <summary>x * y + z.</summary>
    static abstract TVec Fma(TVec x, TVec y, TVec z);
    static abstract TVec Add(TVec x, TVec y);

    /// <summary>Lanes from <paramref name="first"/> on, zero below.</summary>
    static abstract TVec From(TVec x, int first);
}

internal readonly unsafe struct F32x16 : ILanes<float, Vector512<float>>
{
    public static int Count => 16;
    public static int TileRows => 12;
    public static int DotRows => 5;
    public static int TapRows => 14;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* p) => Vector512.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> v, float* p) => v.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Splat(float* p) => Vector512.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Fma(Vector512<float> x, Vector512<float> y, Vector512<float> z) =>
        Vector512.FusedMultiplyAdd(x, y, z);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Add(Vector512<float> x, Vector512<float> y) => x + y;
    public static Vector512<float> From(Vector512<float> x, int first) =>
        x & Vector512.GreaterThanOrEqual(Vector512<float>.Indices, Vector512.Create((float)first));
}

internal readonly unsafe struct F64x8 : ILanes<double, Vector512<double>>
{
    public static int Count => 8;
    public static int TileRows => 12;
    public static int DotRows => 5;
    public static int TapRows => 14;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Load(double* p) => Vector512.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<double> v, double* p) => v.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Splat(double* p) => Vector512.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Fma(Vector512<double> x, Vector512<double> y, Vector512<double> z) =>
        Vector512.FusedMultiplyAdd(x, y, z);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Add(Vector512<double> x, Vector512<double> y) => x + y;
    public static Vector512<double> From(Vector512<double> x, int first) =>
        x & Vector512.GreaterThanOrEqual(Vector512<double>.Indices, Vector512.Create((double)first));
}

/// <summary>The path without AVX-512. A machine with neither FMA nor AVX runs it too: the vector type then does it in software.</summary>
internal readonly unsafe struct F32x8 : ILanes<float, Vector256<float>>
{
    public static int Count => 8;
    public static int TileRows => 6;
    public static int DotRows => 2;
    public static int TapRows => 6;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* p) => Vector256.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> v, float* p) => v.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Splat(float* p) => Vector256.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Fma(Vector256<float> x, Vector256<float> y, Vector256<float> z) =>
        Vector256.MultiplyAddEstimate(x, y, z);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Add(Vector256<float> x, Vector256<float> y) => x + y;
    public static Vector256<float> From(Vector256<float> x, int first) =>
        x & Vector256.GreaterThanOrEqual(Vector256<float>.Indices, Vector256.Create((float)first));
}

/// <inheritdoc cref="F32x8"/>
internal readonly unsafe struct F64x4 : ILanes<double, Vector256<double>>
{
    public static int Count => 4;
    public static int TileRows => 6;
    public static int DotRows => 2;
    public static int TapRows => 6;
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<double> Load(double* p) => Vector256.Load(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<double> v, double* p) => v.Store(p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<double> Splat(double* p) => Vector256.Create(*p);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<double> Fma(Vector256<double> x, Vector256<double> y, Vector256<double> z) =>
        Vector256.MultiplyAddEstimate(x, y, z);
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<double> Add(Vector256<double> x, Vector256<double> y) => x + y;
    public static Vector256<double> From(Vector256<double> x, int first) =>
        x & Vector256.GreaterThanOrEqual(Vector256<double>.Indices, Vector256.Create((double)first));
}

/// <summary>
/// Sums of dot products: k is summed in 64 bytes of lanes whatever the vector width, and the lanes meet in the tree of
/// <see cref="Lanes"/>, so that the bits are the same with every instruction set.
/// </summary>
internal static unsafe class DotLanes<T> where T : unmanaged, INumberBase<T>
{
    public static int Count => 64 / sizeof(T);

    /// <summary>Adds up the lanes of the four sums at <paramref name="from"/>; <paramref name="to"/> may be the same place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SumFour(T* from, T* to)
    {
        if (typeof(T) == typeof(float) && Sse.IsSupported)
        {
            // The last steps add across four vectors instead of within each: a third of the instructions.
            float* f = (float*)from;
            Vector128<float> y0 = Quarter(f), y1 = Quarter(f + 16), y2 = Quarter(f + 32), y3 = Quarter(f + 48);
            Vector128<float> pairs01 = Sse.UnpackLow(y0, y1) + Sse.UnpackHigh(y0, y1);
            Vector128<float> pairs23 = Sse.UnpackLow(y2, y3) + Sse.UnpackHigh(y2, y3);
            (Sse.MoveLowToHigh(pairs01, pairs23) + Sse.MoveHighToLow(pairs23, pairs01)).Store((float*)to);
            return;
        }
        for (int i = 0; i < 4; i++, from += Count)
        {
            for (int half = Count / 2; half > 0; half /= 2)
            {
                for (int lane = 0; lane < half; lane++)
                    from[lane] += from[lane + half];
            }
            to[i] = *from;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Quarter(float* p)
    {
        Vector256<float> half = Vector256.Load(p) + Vector256.Load(p + 8);
        return half.GetLower() + half.GetUpper();
    }
}
