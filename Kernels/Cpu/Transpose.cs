using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Native;

/// <summary>A square block small enough to be transposed within the registers.</summary>
internal unsafe interface ISquare<T> where T : unmanaged
{
    /// <summary>Rows and columns of the block.</summary>
    static abstract int Side { get; }

    /// <summary>to[c * toStep + r] = from[r * fromStep + c] for r and c below <see cref="Side"/>.</summary>
    static abstract void Move(T* from, nint fromStep, T* to, nint toStep);
}

/// <summary>
/// Rows become columns. Whole square blocks pass through the registers; a ragged end is no special case, since the last block is moved
/// back until it fits and overlaps the one before it. One thread: callers share out rows or columns.
/// </summary>
internal static unsafe class Transpose
{
    /// <summary>
    /// Columns done together, all the way down: few, since rows of the destination that are a power of two apart share cache sets, and
    /// more than a dozen half-written lines push each other out (64 columns: half the speed at 1024 x 1024).
    /// </summary>
    private const int Strip = 16;

    /// <summary>
    /// to[c * toStep + r] = from[r * fromStep + c] for r below <paramref name="rows"/> and c below <paramref name="columns"/>; steps in
    /// elements. Bits are moved, not computed with. Nothing else is read or written; the two must not overlap.
    /// </summary>
    public static void Run<T>(T* from, nint fromStep, T* to, nint toStep, nint rows, nint columns) where T : unmanaged
    {
        nint least = Math.Min(rows, columns);
        if (sizeof(T) == 4 && least >= 16 && Avx512F.IsSupported)
            Blocks<float, Square16F32>((float*)from, fromStep, (float*)to, toStep, rows, columns);
        else if (sizeof(T) == 4 && least >= 8 && Avx.IsSupported)
            Blocks<float, Square8F32>((float*)from, fromStep, (float*)to, toStep, rows, columns);
        else if (sizeof(T) == 4 && least >= 4 && Sse.IsSupported)
            Blocks<float, Square4F32>((float*)from, fromStep, (float*)to, toStep, rows, columns);
        else if (sizeof(T) == 8 && least >= 8 && Avx512F.IsSupported)
            Blocks<double, Square8F64>((double*)from, fromStep, (double*)to, toStep, rows, columns);
        else if (sizeof(T) == 8 && least >= 4 && Avx.IsSupported)
            Blocks<double, Square4F64>((double*)from, fromStep, (double*)to, toStep, rows, columns);
        else
            Blocks<T, Square1<T>>(from, fromStep, to, toStep, rows, columns);
    }

    /// <summary>The same by blocks of one kind; rows and columns are at least its side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Blocks<T, TSquare>(T* from, nint fromStep, T* to, nint toStep, nint rows, nint columns)
        where T : unmanaged where TSquare : struct, ISquare<T>
    {
        int side = TSquare.Side;
        for (nint strip = 0; strip < columns; strip += Strip)
        {
            nint end = Math.Min(strip + Strip, columns);
            for (nint row = 0; row < rows; row += side)
            {
                nint r = Math.Min(row, rows - side);
                for (nint column = strip; column < end; column += side)
                {
                    nint c = Math.Min(column, columns - side);
                    TSquare.Move(from + (r * fromStep) + c, fromStep, to + (c * toStep) + r, toStep);
                }
            }
        }
    }
}

internal readonly unsafe struct Square1<T> : ISquare<T> where T : unmanaged
{
    public static int Side => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Move(T* from, nint fromStep, T* to, nint toStep) => *to = *from;
}

internal readonly unsafe struct Square4F32 : ISquare<float>
{
    public static int Side => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Move(float* from, nint fromStep, float* to, nint toStep)
    {
        Vector128<float> r0 = Vector128.Load(from), r1 = Vector128.Load(from + fromStep);
        Vector128<float> r2 = Vector128.Load(from + (2 * fromStep)), r3 = Vector128.Load(from + (3 * fromStep));
        Vector128<float> low01 = Sse.UnpackLow(r0, r1), high01 = Sse.UnpackHigh(r0, r1);
        Vector128<float> low23 = Sse.UnpackLow(r2, r3), high23 = Sse.UnpackHigh(r2, r3);
        Sse.MoveLowToHigh(low01, low23).Store(to);
        Sse.MoveHighToLow(low23, low01).Store(to + toStep);
        Sse.MoveLowToHigh(high01, high23).Store(to + (2 * toStep));
        Sse.MoveHighToLow(high23, high01).Store(to + (3 * toStep));
    }
}

internal readonly unsafe struct Square8F32 : ISquare<float>
{
    public static int Side => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Move(float* from, nint fromStep, float* to, nint toStep)
    {
        var (a0, a1, a2, a3) = Four(from, fromStep);
        var (b0, b1, b2, b3) = Four(from + (4 * fromStep), fromStep);
        nint four = 4 * toStep;
        Halves(a0, b0, to, four);
        Halves(a1, b1, to + toStep, four);
        Halves(a2, b2, to + (2 * toStep), four);
        Halves(a3, b3, to + (3 * toStep), four);
    }

    // Four rows of eight as the columns j and 4 + j of the block, in the two halves of vector j.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<float>, Vector256<float>, Vector256<float>, Vector256<float>) Four(float* from, nint step)
    {
        Vector256<float> r0 = Vector256.Load(from), r1 = Vector256.Load(from + step);
        Vector256<float> r2 = Vector256.Load(from + (2 * step)), r3 = Vector256.Load(from + (3 * step));
        Vector256<float> low01 = Avx.UnpackLow(r0, r1), high01 = Avx.UnpackHigh(r0, r1);
        Vector256<float> low23 = Avx.UnpackLow(r2, r3), high23 = Avx.UnpackHigh(r2, r3);
        return (Avx.Shuffle(low01, low23, 0x44), Avx.Shuffle(low01, low23, 0xEE),
            Avx.Shuffle(high01, high23, 0x44), Avx.Shuffle(high01, high23, 0xEE));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Halves(Vector256<float> a, Vector256<float> b, float* to, nint step)
    {
        Avx.Permute2x128(a, b, 0x20).Store(to);
        Avx.Permute2x128(a, b, 0x31).Store(to + step);
    }
}

internal readonly unsafe struct Square16F32 : ISquare<float>
{
    public static int Side => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Move(float* from, nint fromStep, float* to, nint toStep)
    {
        nint four = 4 * fromStep;
        var (a0, a1, a2, a3) = Four(from, fromStep);
        var (b0, b1, b2, b3) = Four(from + four, fromStep);
        var (c0, c1, c2, c3) = Four(from + (2 * four), fromStep);
        var (d0, d1, d2, d3) = Four(from + (3 * four), fromStep);
        four = 4 * toStep;
        Quarters(a0, b0, c0, d0, to, four);
        Quarters(a1, b1, c1, d1, to + toStep, four);
        Quarters(a2, b2, c2, d2, to + (2 * toStep), four);
        Quarters(a3, b3, c3, d3, to + (3 * toStep), four);
    }

    // Four rows of sixteen as the columns j, 4 + j, 8 + j and 12 + j of the block, in the four quarters of vector j.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float>, Vector512<float>, Vector512<float>, Vector512<float>) Four(float* from, nint step)
    {
        Vector512<float> r0 = Vector512.Load(from), r1 = Vector512.Load(from + step);
        Vector512<float> r2 = Vector512.Load(from + (2 * step)), r3 = Vector512.Load(from + (3 * step));
        Vector512<float> low01 = Avx512F.UnpackLow(r0, r1), high01 = Avx512F.UnpackHigh(r0, r1);
        Vector512<float> low23 = Avx512F.UnpackLow(r2, r3), high23 = Avx512F.UnpackHigh(r2, r3);
        return (Avx512F.Shuffle(low01, low23, 0x44), Avx512F.Shuffle(low01, low23, 0xEE),
            Avx512F.Shuffle(high01, high23, 0x44), Avx512F.Shuffle(high01, high23, 0xEE));
    }

    /// <summary>Vector i of the result, stored at <paramref name="to"/> + i * step, is quarter i of each of the four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Quarters(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* to, nint step)
    {
        Vector512<float> even01 = Avx512F.Shuffle4x128(a, b, 0x88), odd01 = Avx512F.Shuffle4x128(a, b, 0xDD);
        Vector512<float> even23 = Avx512F.Shuffle4x128(c, d, 0x88), odd23 = Avx512F.Shuffle4x128(c, d, 0xDD);
        Avx512F.Shuffle4x128(even01, even23, 0x88).Store(to);
        Avx512F.Shuffle4x128(odd01, odd23, 0x88).Store(to + step);
        Avx512F.Shuffle4x128(even01, even23, 0xDD).Store(to + (2 * step));
        Avx512F.Shuffle4x128(odd01, odd23, 0xDD).Store(to + (3 * step));
    }
}

internal readonly unsafe struct Square4F64 : ISquare<double>
{
    public static int Side => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Move(double* from, nint fromStep, double* to, nint toStep)
    {
        Vector256<double> r0 = Vector256.Load(from), r1 = Vector256.Load(from + fromStep);
        Vector256<double> r2 = Vector256.Load(from + (2 * fromStep)), r3 = Vector256.Load(from + (3 * fromStep));
        Vector256<double> even01 = Avx.UnpackLow(r0, r1), odd01 = Avx.UnpackHigh(r0, r1);
        Vector256<double> even23 = Avx.UnpackLow(r2, r3), odd23 = Avx.UnpackHigh(r2, r3);
        Avx.Permute2x128(even01, even23, 0x20).Store(to);
        Avx.Permute2x128(odd01, odd23, 0x20).Store(to + toStep);
        Avx.Permute2x128(even01, even23, 0x31).Store(to + (2 * toStep));
        Avx.Permute2x128(odd01, odd23, 0x31).Store(to + (3 * toStep));
    }
}

internal readonly unsafe struct Square8F64 : ISquare<double>
{
    public static int Side => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Move(double* from, nint fromStep, double* to, nint toStep)
    {
        nint two = 2 * fromStep;
        var (a0, a1) = Two(from, fromStep);
        var (b0, b1) = Two(from + two, fromStep);
        var (c0, c1) = Two(from + (2 * two), fromStep);
        var (d0, d1) = Two(from + (3 * two), fromStep);
        // Quarters counts in floats.
        Square16F32.Quarters(a0, b0, c0, d0, (float*)to, 4 * toStep);
        Square16F32.Quarters(a1, b1, c1, d1, (float*)(to + toStep), 4 * toStep);
    }

    // Two rows of eight as the columns j, 2 + j, 4 + j and 6 + j of the block, in the four quarters of vector j.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<float>, Vector512<float>) Two(double* from, nint step)
    {
        Vector512<double> r0 = Vector512.Load(from), r1 = Vector512.Load(from + step);
        return (Avx512F.UnpackLow(r0, r1).AsSingle(), Avx512F.UnpackHigh(r0, r1).AsSingle());
    }
}
