using System.Numerics;
using System.Runtime.CompilerServices;

namespace Native;

internal readonly struct N13 : INumber { public static int Value => 13; }
internal readonly struct N14 : INumber { public static int Value => 14; }

/// <summary>What one tile sums over: rounds over the entries of a table, both operands moving on after each round.</summary>
internal readonly unsafe struct Taps(nint steps, nint* table, nint count, nint stepA, nint stepB)
{
    /// <summary>Rounds: input channels, images or rows of pixels, whatever the caller walks along.</summary>
    public readonly nint Steps = steps;

    /// <summary>Pairs (offset into A, offset into B) in bytes.</summary>
    public readonly nint* Table = table;

    /// <summary>Pairs.</summary>
    public readonly nint Count = count;

    /// <summary>Elements by which A and B move on after a round.</summary>
    public readonly nint StepA = stepA, StepB = stepB;
}

/// <summary>
/// The register kernel of the convolutions: a tile of rows x vectors of C, summed over taps whose places in A and B come from a table. A
/// column of A is contiguous, a row of B is whole vectors at any address; what a table leaves out, such as taps in the padding, costs nothing.
/// </summary>
/// <remarks>
/// The accumulators are spelt out, and the method calls nothing after its loop, for the reasons given at <see cref="GemmKernels{T, TVec, TLanes}"/>.
/// Up to 14 rows of two vectors, or 6 of four, fill the 32 registers of AVX-512.
/// </remarks>
internal static unsafe class TapKernels<T, TVec, TLanes>
    where T : unmanaged, INumberBase<T>
    where TVec : unmanaged
    where TLanes : struct, ILanes<T, TVec>
{
    /// <summary>Most rows of a tile of four vectors.</summary>
    public static int WideRows => TLanes.TapRows >= 14 ? 6 : 2;

    /// <summary>C[rows, vectors * lanes] = (accumulate ? C : 0) + the sum over the taps + (bias ? bias[row] : 0).</summary>
    /// <param name="rows">1 to <c>TLanes.TapRows</c>; to <see cref="WideRows"/> with four vectors.</param>
    /// <param name="vectors">1, 2 or 4.</param>
    /// <param name="taps">The sum.</param>
    /// <param name="a">Left operand; the rows are neighbours.</param>
    /// <param name="b">Right operand.</param>
    /// <param name="c">Result.</param>
    /// <param name="ldc">Elements between rows of C.</param>
    /// <param name="accumulate">Adds to C; the sum of the taps is finished first.</param>
    /// <param name="bias">[rows], or null.</param>
    public static void Tile(int rows, int vectors, in Taps taps, T* a, T* b, T* c, nint ldc, bool accumulate, T* bias)
    {
        if (vectors == 2)
            Tile<N2>(rows, taps, a, b, c, ldc, accumulate, bias);
        else if (vectors == 1)
            Tile<N1>(rows, taps, a, b, c, ldc, accumulate, bias);
        else
            Tile<N4>(rows, taps, a, b, c, ldc, accumulate, bias);
    }

    private static void Tile<TVectors>(int rows, in Taps taps, T* a, T* b, T* c, nint ldc, bool accumulate, T* bias)
        where TVectors : struct, INumber
    {
        switch (rows)
        {
            case 1: Tile<N1, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            case 2: Tile<N2, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            case 3: Tile<N3, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            case 4: Tile<N4, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            case 5: Tile<N5, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            case 6: Tile<N6, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            case 7: Tile<N7, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            case 8: Tile<N8, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            case 9: Tile<N9, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            case 10: Tile<N10, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            case 11: Tile<N11, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            case 12: Tile<N12, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            case 13: Tile<N13, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            case 14: Tile<N14, TVectors>(taps, a, b, c, ldc, accumulate, bias); break;
            default: throw new ArgumentOutOfRangeException(nameof(rows), rows, "A tile has 1 to 14 rows.");
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TRows, TVectors>(in Taps taps, T* a, T* b, T* c, nint ldc, bool accumulate, T* bias)
        where TRows : struct, INumber
        where TVectors : struct, INumber
    {
        TVec c00 = default, c10 = default, c20 = default, c30 = default, c40 = default, c50 = default, c60 = default;
        TVec c70 = default, c80 = default, c90 = default, ca0 = default, cb0 = default, cc0 = default, cd0 = default;
        TVec c01 = default, c11 = default, c21 = default, c31 = default, c41 = default, c51 = default, c61 = default;
        TVec c71 = default, c81 = default, c91 = default, ca1 = default, cb1 = default, cc1 = default, cd1 = default;
        TVec c02 = default, c12 = default, c22 = default, c32 = default, c42 = default, c52 = default;
        TVec c03 = default, c13 = default, c23 = default, c33 = default, c43 = default, c53 = default;
        TVec b1 = default, b2 = default, b3 = default;
        nint* table = taps.Table, end = table + (2 * taps.Count);
        nint stepA = taps.StepA, stepB = taps.StepB;
        for (nint steps = taps.Steps; steps > 0; steps--)
        {
            for (nint* t = table; t < end; t += 2)
            {
                T* column = (T*)((byte*)a + t[0]), row = (T*)((byte*)b + t[1]);
                TVec b0 = TLanes.Load(row);
                if (TVectors.Value > 1)
                    b1 = TLanes.Load(row + TLanes.Count);
                if (TVectors.Value > 2)
                    (b2, b3) = (TLanes.Load(row + (2 * TLanes.Count)), TLanes.Load(row + (3 * TLanes.Count)));
                {
                    TVec x = TLanes.Splat(column);
                    c00 = TLanes.Fma(x, b0, c00);
                    if (TVectors.Value > 1) c01 = TLanes.Fma(x, b1, c01);
                    if (TVectors.Value > 2) (c02, c03) = (TLanes.Fma(x, b2, c02), TLanes.Fma(x, b3, c03));
                }
                if (TRows.Value > 1)
                {
                    TVec x = TLanes.Splat(column + 1);
                    c10 = TLanes.Fma(x, b0, c10);
                    if (TVectors.Value > 1) c11 = TLanes.Fma(x, b1, c11);
                    if (TVectors.Value > 2) (c12, c13) = (TLanes.Fma(x, b2, c12), TLanes.Fma(x, b3, c13));
                }
                if (TRows.Value > 2)
                {
                    TVec x = TLanes.Splat(column + 2);
                    c20 = TLanes.Fma(x, b0, c20);
                    if (TVectors.Value > 1) c21 = TLanes.Fma(x, b1, c21);
                    if (TVectors.Value > 2) (c22, c23) = (TLanes.Fma(x, b2, c22), TLanes.Fma(x, b3, c23));
                }
                if (TRows.Value > 3)
                {
                    TVec x = TLanes.Splat(column + 3);
                    c30 = TLanes.Fma(x, b0, c30);
                    if (TVectors.Value > 1) c31 = TLanes.Fma(x, b1, c31);
                    if (TVectors.Value > 2) (c32, c33) = (TLanes.Fma(x, b2, c32), TLanes.Fma(x, b3, c33));
                }
                if (TRows.Value > 4)
                {
                    TVec x = TLanes.Splat(column + 4);
                    c40 = TLanes.Fma(x, b0, c40);
                    if (TVectors.Value > 1) c41 = TLanes.Fma(x, b1, c41);
                    if (TVectors.Value > 2) (c42, c43) = (TLanes.Fma(x, b2, c42), TLanes.Fma(x, b3, c43));
                }
                if (TRows.Value > 5)
                {
                    TVec x = TLanes.Splat(column + 5);
                    c50 = TLanes.Fma(x, b0, c50);
                    if (TVectors.Value > 1) c51 = TLanes.Fma(x, b1, c51);
                    if (TVectors.Value > 2) (c52, c53) = (TLanes.Fma(x, b2, c52), TLanes.Fma(x, b3, c53));
                }
                if (TRows.Value > 6)
                {
                    TVec x = TLanes.Splat(column + 6);
                    c60 = TLanes.Fma(x, b0, c60);
                    if (TVectors.Value > 1) c61 = TLanes.Fma(x, b1, c61);
                }
                if (TRows.Value > 7)
                {
                    TVec x = TLanes.Splat(column + 7);
                    c70 = TLanes.Fma(x, b0, c70);
                    if (TVectors.Value > 1) c71 = TLanes.Fma(x, b1, c71);
                }
                if (TRows.Value > 8)
                {
                    TVec x = TLanes.Splat(column + 8);
                    c80 = TLanes.Fma(x, b0, c80);
                    if (TVectors.Value > 1) c81 = TLanes.Fma(x, b1, c81);
                }
                if (TRows.Value > 9)
                {
                    TVec x = TLanes.Splat(column + 9);
                    c90 = TLanes.Fma(x, b0, c90);
                    if (TVectors.Value > 1) c91 = TLanes.Fma(x, b1, c91);
                }
                if (TRows.Value > 10)
                {
                    TVec x = TLanes.Splat(column + 10);
                    ca0 = TLanes.Fma(x, b0, ca0);
                    if (TVectors.Value > 1) ca1 = TLanes.Fma(x, b1, ca1);
                }
                if (TRows.Value > 11)
                {
                    TVec x = TLanes.Splat(column + 11);
                    cb0 = TLanes.Fma(x, b0, cb0);
                    if (TVectors.Value > 1) cb1 = TLanes.Fma(x, b1, cb1);
                }
                if (TRows.Value > 12)
                {
                    TVec x = TLanes.Splat(column + 12);
                    cc0 = TLanes.Fma(x, b0, cc0);
                    if (TVectors.Value > 1) cc1 = TLanes.Fma(x, b1, cc1);
                }
                if (TRows.Value > 13)
                {
                    TVec x = TLanes.Splat(column + 13);
                    cd0 = TLanes.Fma(x, b0, cd0);
                    if (TVectors.Value > 1) cd1 = TLanes.Fma(x, b1, cd1);
                }
            }
            a += stepA;
            b += stepB;
        }
        bool biased = bias != null;
        Put<TVectors>(c00, c01, c02, c03, c, accumulate, biased, bias);
        if (TRows.Value > 1) { c += ldc; bias++; Put<TVectors>(c10, c11, c12, c13, c, accumulate, biased, bias); }
        if (TRows.Value > 2) { c += ldc; bias++; Put<TVectors>(c20, c21, c22, c23, c, accumulate, biased, bias); }
        if (TRows.Value > 3) { c += ldc; bias++; Put<TVectors>(c30, c31, c32, c33, c, accumulate, biased, bias); }
        if (TRows.Value > 4) { c += ldc; bias++; Put<TVectors>(c40, c41, c42, c43, c, accumulate, biased, bias); }
        if (TRows.Value > 5) { c += ldc; bias++; Put<TVectors>(c50, c51, c52, c53, c, accumulate, biased, bias); }
        if (TRows.Value > 6) { c += ldc; bias++; Put<TVectors>(c60, c61, b2, b3, c, accumulate, biased, bias); }
        if (TRows.Value > 7) { c += ldc; bias++; Put<TVectors>(c70, c71, b2, b3, c, accumulate, biased, bias); }
        if (TRows.Value > 8) { c += ldc; bias++; Put<TVectors>(c80, c81, b2, b3, c, accumulate, biased, bias); }
        if (TRows.Value > 9) { c += ldc; bias++; Put<TVectors>(c90, c91, b2, b3, c, accumulate, biased, bias); }
        if (TRows.Value > 10) { c += ldc; bias++; Put<TVectors>(ca0, ca1, b2, b3, c, accumulate, biased, bias); }
        if (TRows.Value > 11) { c += ldc; bias++; Put<TVectors>(cb0, cb1, b2, b3, c, accumulate, biased, bias); }
        if (TRows.Value > 12) { c += ldc; bias++; Put<TVectors>(cc0, cc1, b2, b3, c, accumulate, biased, bias); }
        if (TRows.Value > 13) { c += ldc; bias++; Put<TVectors>(cd0, cd1, b2, b3, c, accumulate, biased, bias); }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TVectors>(TVec v0, TVec v1, TVec v2, TVec v3, T* c, bool accumulate, bool biased, T* bias)
        where TVectors : struct, INumber
    {
        Put(v0, c, accumulate, biased, bias);
        if (TVectors.Value > 1)
            Put(v1, c + TLanes.Count, accumulate, biased, bias);
        if (TVectors.Value > 2)
        {
            Put(v2, c + (2 * TLanes.Count), accumulate, biased, bias);
            Put(v3, c + (3 * TLanes.Count), accumulate, biased, bias);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(TVec v, T* c, bool accumulate, bool biased, T* bias)
    {
        if (accumulate)
            v = TLanes.Add(TLanes.Load(c), v);
        if (biased)
            v = TLanes.Add(v, TLanes.Splat(bias));
        TLanes.Store(v, c);
    }
}
