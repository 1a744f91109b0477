using System.Numerics;
using System.Runtime.CompilerServices;

namespace Native;

/// <summary>A number known when the kernel is compiled: comparisons with it are folded away.</summary>
internal interface INumber
{
    static abstract int Value { get; }
}

internal readonly struct N1 : INumber { public static int Value => 1; }
internal readonly struct N2 : INumber { public static int Value => 2; }
internal readonly struct N3 : INumber { public static int Value => 3; }
internal readonly struct N4 : INumber { public static int Value => 4; }
internal readonly struct N5 : INumber { public static int Value => 5; }
internal readonly struct N6 : INumber { public static int Value => 6; }
internal readonly struct N7 : INumber { public static int Value => 7; }
internal readonly struct N8 : INumber { public static int Value => 8; }
internal readonly struct N9 : INumber { public static int Value => 9; }
internal readonly struct N10 : INumber { public static int Value => 10; }
internal readonly struct N11 : INumber { public static int Value => 11; }
internal readonly struct N12 : INumber { public static int Value => 12; }

/// <summary>
/// The register kernels of <see cref="Gemm"/>. Each is one loop over k whose accumulators all live in registers, spelt out because the
/// compiler keeps only named locals there. The rows beyond TRows and the second column vector are folded away per instance.
/// </summary>
/// <remarks>
/// Leaf methods on purpose: a call or a stackalloc after the loop makes the JIT spill every accumulator (four times slower, measured).
/// AggressiveOptimization: compiled fully at once; without it the first calls would run through the unoptimised tier.
/// </remarks>
internal static unsafe class GemmKernels<T, TVec, TLanes>
    where T : unmanaged, INumberBase<T>
    where TVec : unmanaged
    where TLanes : struct, ILanes<T, TVec>
{
    /// <summary>
    /// C[rows, vectors * lanes] = (accumulate ? C : 0) + A B. Element (i, p) of A lies at a[i * rowStep + p * kStep], row p of B at
    /// b + p * ldb: the same text reads packed panels, plain rows and plain columns.
    /// </summary>
    public static void Tile(
        int rows, int vectors, nint k, T* a, nint rowStep, nint kStep, T* b, nint ldb, T* c, nint ldc, bool accumulate)
    {
        if (vectors == 1)
            Tile<N1>(rows, k, a, rowStep, kStep, b, ldb, c, ldc, accumulate);
        else
            Tile<N2>(rows, k, a, rowStep, kStep, b, ldb, c, ldc, accumulate);
    }

    private static void Tile<TVectors>(
        int rows, nint k, T* a, nint rowStep, nint kStep, T* b, nint ldb, T* c, nint ldc, bool accumulate) where TVectors : struct, INumber
    {
        switch (rows)
        {
            case 1: Tile<N1, TVectors>(k, a, rowStep, kStep, b, ldb, c, ldc, accumulate); break;
            case 2: Tile<N2, TVectors>(k, a, rowStep, kStep, b, ldb, c, ldc, accumulate); break;
            case 3: Tile<N3, TVectors>(k, a, rowStep, kStep, b, ldb, c, ldc, accumulate); break;
            case 4: Tile<N4, TVectors>(k, a, rowStep, kStep, b, ldb, c, ldc, accumulate); break;
            case 5: Tile<N5, TVectors>(k, a, rowStep, kStep, b, ldb, c, ldc, accumulate); break;
            case 6: Tile<N6, TVectors>(k, a, rowStep, kStep, b, ldb, c, ldc, accumulate); break;
            case 7: Tile<N7, TVectors>(k, a, rowStep, kStep, b, ldb, c, ldc, accumulate); break;
            case 8: Tile<N8, TVectors>(k, a, rowStep, kStep, b, ldb, c, ldc, accumulate); break;
            case 9: Tile<N9, TVectors>(k, a, rowStep, kStep, b, ldb, c, ldc, accumulate); break;
            case 10: Tile<N10, TVectors>(k, a, rowStep, kStep, b, ldb, c, ldc, accumulate); break;
            case 11: Tile<N11, TVectors>(k, a, rowStep, kStep, b, ldb, c, ldc, accumulate); break;
            case 12: Tile<N12, TVectors>(k, a, rowStep, kStep, b, ldb, c, ldc, accumulate); break;
            default: throw new ArgumentOutOfRangeException(nameof(rows), rows, "A tile has 1 to 12 rows.");
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TRows, TVectors>(
        nint k, T* a, nint rowStep, nint kStep, T* b, nint ldb, T* c, nint ldc, bool accumulate)
        where TRows : struct, INumber
        where TVectors : struct, INumber
    {
        TVec c00 = default, c10 = default, c20 = default, c30 = default, c40 = default, c50 = default;
        TVec c60 = default, c70 = default, c80 = default, c90 = default, ca0 = default, cb0 = default;
        TVec c01 = default, c11 = default, c21 = default, c31 = default, c41 = default, c51 = default;
        TVec c61 = default, c71 = default, c81 = default, c91 = default, ca1 = default, cb1 = default;
        TVec b1 = default;
        // Four row pointers, each serving three rows through one index register: twelve would not fit the general registers.
        nint twoRows = 2 * rowStep;
        T* a3 = a + (3 * rowStep), a6 = a + (6 * rowStep), a9 = a + (9 * rowStep);
        for (; k > 0; k--)
        {
            TVec b0 = TLanes.Load(b);
            if (TVectors.Value > 1)
                b1 = TLanes.Load(b + TLanes.Count);
            b += ldb;
            {
                TVec x = TLanes.Splat(a);
                c00 = TLanes.Fma(x, b0, c00);
                if (TVectors.Value > 1) c01 = TLanes.Fma(x, b1, c01);
            }
            if (TRows.Value > 1)
            {
                TVec x = TLanes.Splat(a + rowStep);
                c10 = TLanes.Fma(x, b0, c10);
                if (TVectors.Value > 1) c11 = TLanes.Fma(x, b1, c11);
            }
            if (TRows.Value > 2)
            {
                TVec x = TLanes.Splat(a + twoRows);
                c20 = TLanes.Fma(x, b0, c20);
                if (TVectors.Value > 1) c21 = TLanes.Fma(x, b1, c21);
            }
            a += kStep;
            if (TRows.Value > 3)
            {
                TVec x = TLanes.Splat(a3);
                c30 = TLanes.Fma(x, b0, c30);
                if (TVectors.Value > 1) c31 = TLanes.Fma(x, b1, c31);
            }
            if (TRows.Value > 4)
            {
                TVec x = TLanes.Splat(a3 + rowStep);
                c40 = TLanes.Fma(x, b0, c40);
                if (TVectors.Value > 1) c41 = TLanes.Fma(x, b1, c41);
            }
            if (TRows.Value > 5)
            {
                TVec x = TLanes.Splat(a3 + twoRows);
                c50 = TLanes.Fma(x, b0, c50);
                if (TVectors.Value > 1) c51 = TLanes.Fma(x, b1, c51);
            }
            a3 += kStep;
            if (TRows.Value > 6)
            {
                TVec x = TLanes.Splat(a6);
                c60 = TLanes.Fma(x, b0, c60);
                if (TVectors.Value > 1) c61 = TLanes.Fma(x, b1, c61);
            }
            if (TRows.Value > 7)
            {
                TVec x = TLanes.Splat(a6 + rowStep);
                c70 = TLanes.Fma(x, b0, c70);
                if (TVectors.Value > 1) c71 = TLanes.Fma(x, b1, c71);
            }
            if (TRows.Value > 8)
            {
                TVec x = TLanes.Splat(a6 + twoRows);
                c80 = TLanes.Fma(x, b0, c80);
                if (TVectors.Value > 1) c81 = TLanes.Fma(x, b1, c81);
            }
            a6 += kStep;
            if (TRows.Value > 9)
            {
                TVec x = TLanes.Splat(a9);
                c90 = TLanes.Fma(x, b0, c90);
                if (TVectors.Value > 1) c91 = TLanes.Fma(x, b1, c91);
            }
            if (TRows.Value > 10)
            {
                TVec x = TLanes.Splat(a9 + rowStep);
                ca0 = TLanes.Fma(x, b0, ca0);
                if (TVectors.Value > 1) ca1 = TLanes.Fma(x, b1, ca1);
            }
            if (TRows.Value > 11)
            {
                TVec x = TLanes.Splat(a9 + twoRows);
                cb0 = TLanes.Fma(x, b0, cb0);
                if (TVectors.Value > 1) cb1 = TLanes.Fma(x, b1, cb1);
            }
            a9 += kStep;
        }
        Put<TVectors>(c00, c01, c, accumulate); c += ldc;
        if (TRows.Value > 1) { Put<TVectors>(c10, c11, c, accumulate); c += ldc; }
        if (TRows.Value > 2) { Put<TVectors>(c20, c21, c, accumulate); c += ldc; }
        if (TRows.Value > 3) { Put<TVectors>(c30, c31, c, accumulate); c += ldc; }
        if (TRows.Value > 4) { Put<TVectors>(c40, c41, c, accumulate); c += ldc; }
        if (TRows.Value > 5) { Put<TVectors>(c50, c51, c, accumulate); c += ldc; }
        if (TRows.Value > 6) { Put<TVectors>(c60, c61, c, accumulate); c += ldc; }
        if (TRows.Value > 7) { Put<TVectors>(c70, c71, c, accumulate); c += ldc; }
        if (TRows.Value > 8) { Put<TVectors>(c80, c81, c, accumulate); c += ldc; }
        if (TRows.Value > 9) { Put<TVectors>(c90, c91, c, accumulate); c += ldc; }
        if (TRows.Value > 10) { Put<TVectors>(ca0, ca1, c, accumulate); c += ldc; }
        if (TRows.Value > 11) { Put<TVectors>(cb0, cb1, c, accumulate); }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TVectors>(TVec v0, TVec v1, T* c, bool accumulate) where TVectors : struct, INumber
    {
        TLanes.Store(accumulate ? TLanes.Add(v0, TLanes.Load(c)) : v0, c);
        if (TVectors.Value > 1)
            TLanes.Store(accumulate ? TLanes.Add(v1, TLanes.Load(c + TLanes.Count)) : v1, c + TLanes.Count);
    }

    /// <summary>
    /// Dot products of <paramref name="rows"/> rows of A with 4 rows of B, k contiguous in both and at least DotLanes long. Writes the
    /// lanes, still to be added up, as [rows][4][DotLanes] to <paramref name="sums"/>. With <paramref name="columns"/> below 4 the last
    /// row of B is read again in place of the missing ones.
    /// </summary>
    public static void Dot(int rows, int columns, nint k, T* a, nint lda, T* b, nint ldb, T* sums)
    {
        T* b1 = b + (Math.Min(1, columns - 1) * ldb), b2 = b + (Math.Min(2, columns - 1) * ldb), b3 = b + (Math.Min(3, columns - 1) * ldb);
        // A narrow vector does its part of the lanes and then goes over k again for the rest.
        for (int lane = 0; lane < DotLanes<T>.Count; lane += TLanes.Count)
        {
            switch (rows)
            {
                case 1: Dot<N1>(lane, k, a, lda, b, b1, b2, b3, sums); break;
                case 2: Dot<N2>(lane, k, a, lda, b, b1, b2, b3, sums); break;
                case 3: Dot<N3>(lane, k, a, lda, b, b1, b2, b3, sums); break;
                case 4: Dot<N4>(lane, k, a, lda, b, b1, b2, b3, sums); break;
                case 5: Dot<N5>(lane, k, a, lda, b, b1, b2, b3, sums); break;
                default: throw new ArgumentOutOfRangeException(nameof(rows), rows, "A dot tile has 1 to 5 rows.");
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static void Dot<TRows>(int lane, nint k, T* a, nint lda, T* b0, T* b1, T* b2, T* b3, T* sums) where TRows : struct, INumber
    {
        TVec c00 = default, c01 = default, c02 = default, c03 = default;
        TVec c10 = default, c11 = default, c12 = default, c13 = default;
        TVec c20 = default, c21 = default, c22 = default, c23 = default;
        TVec c30 = default, c31 = default, c32 = default, c33 = default;
        TVec c40 = default, c41 = default, c42 = default, c43 = default;
        a += lane; b0 += lane; b1 += lane; b2 += lane; b3 += lane;
        T* a1 = a + lda, a2 = a + (2 * lda), a3 = a + (3 * lda), a4 = a + (4 * lda);
        nint last = k - DotLanes<T>.Count, p = 0;
        for (; p <= last; p += DotLanes<T>.Count)
        {
            TVec y0 = TLanes.Load(b0 + p), y1 = TLanes.Load(b1 + p), y2 = TLanes.Load(b2 + p), y3 = TLanes.Load(b3 + p);
            {
                TVec x = TLanes.Load(a + p);
                c00 = TLanes.Fma(x, y0, c00); c01 = TLanes.Fma(x, y1, c01);
                c02 = TLanes.Fma(x, y2, c02); c03 = TLanes.Fma(x, y3, c03);
            }
            if (TRows.Value > 1)
            {
                TVec x = TLanes.Load(a1 + p);
                c10 = TLanes.Fma(x, y0, c10); c11 = TLanes.Fma(x, y1, c11);
                c12 = TLanes.Fma(x, y2, c12); c13 = TLanes.Fma(x, y3, c13);
            }
            if (TRows.Value > 2)
            {
                TVec x = TLanes.Load(a2 + p);
                c20 = TLanes.Fma(x, y0, c20); c21 = TLanes.Fma(x, y1, c21);
                c22 = TLanes.Fma(x, y2, c22); c23 = TLanes.Fma(x, y3, c23);
            }
            if (TRows.Value > 3)
            {
                TVec x = TLanes.Load(a3 + p);
                c30 = TLanes.Fma(x, y0, c30); c31 = TLanes.Fma(x, y1, c31);
                c32 = TLanes.Fma(x, y2, c32); c33 = TLanes.Fma(x, y3, c33);
            }
            if (TRows.Value > 4)
            {
                TVec x = TLanes.Load(a4 + p);
                c40 = TLanes.Fma(x, y0, c40); c41 = TLanes.Fma(x, y1, c41);
                c42 = TLanes.Fma(x, y2, c42); c43 = TLanes.Fma(x, y3, c43);
            }
        }
        if (p < k)
        {
            // The ragged end: step back to the last full lanes and blank, on both sides, what has been counted already.
            int skip = (int)(p - last) - lane;
            TVec y0 = TLanes.From(TLanes.Load(b0 + last), skip), y1 = TLanes.From(TLanes.Load(b1 + last), skip);
            TVec y2 = TLanes.From(TLanes.Load(b2 + last), skip), y3 = TLanes.From(TLanes.Load(b3 + last), skip);
            {
                TVec x = TLanes.From(TLanes.Load(a + last), skip);
                c00 = TLanes.Fma(x, y0, c00); c01 = TLanes.Fma(x, y1, c01);
                c02 = TLanes.Fma(x, y2, c02); c03 = TLanes.Fma(x, y3, c03);
            }
            if (TRows.Value > 1)
            {
                TVec x = TLanes.From(TLanes.Load(a1 + last), skip);
                c10 = TLanes.Fma(x, y0, c10); c11 = TLanes.Fma(x, y1, c11);
                c12 = TLanes.Fma(x, y2, c12); c13 = TLanes.Fma(x, y3, c13);
            }
            if (TRows.Value > 2)
            {
                TVec x = TLanes.From(TLanes.Load(a2 + last), skip);
                c20 = TLanes.Fma(x, y0, c20); c21 = TLanes.Fma(x, y1, c21);
                c22 = TLanes.Fma(x, y2, c22); c23 = TLanes.Fma(x, y3, c23);
            }
            if (TRows.Value > 3)
            {
                TVec x = TLanes.From(TLanes.Load(a3 + last), skip);
                c30 = TLanes.Fma(x, y0, c30); c31 = TLanes.Fma(x, y1, c31);
                c32 = TLanes.Fma(x, y2, c32); c33 = TLanes.Fma(x, y3, c33);
            }
            if (TRows.Value > 4)
            {
                TVec x = TLanes.From(TLanes.Load(a4 + last), skip);
                c40 = TLanes.Fma(x, y0, c40); c41 = TLanes.Fma(x, y1, c41);
                c42 = TLanes.Fma(x, y2, c42); c43 = TLanes.Fma(x, y3, c43);
            }
        }
        sums += lane;
        Put(c00, c01, c02, c03, sums);
        if (TRows.Value > 1) Put(c10, c11, c12, c13, sums + (4 * DotLanes<T>.Count));
        if (TRows.Value > 2) Put(c20, c21, c22, c23, sums + (8 * DotLanes<T>.Count));
        if (TRows.Value > 3) Put(c30, c31, c32, c33, sums + (12 * DotLanes<T>.Count));
        if (TRows.Value > 4) Put(c40, c41, c42, c43, sums + (16 * DotLanes<T>.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(TVec v0, TVec v1, TVec v2, TVec v3, T* sums)
    {
        TLanes.Store(v0, sums);
        TLanes.Store(v1, sums + DotLanes<T>.Count);
        TLanes.Store(v2, sums + (2 * DotLanes<T>.Count));
        TLanes.Store(v3, sums + (3 * DotLanes<T>.Count));
    }

    /// <summary>y += the sum of x[i] times row i of B, for 1 or 8 rows, in ascending i for every element.</summary>
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    public static void AddRows<TRows>(nint columns, T* x, T* b, nint ldb, T* y) where TRows : struct, INumber
    {
        TVec x0 = TLanes.Splat(x), x1 = default, x2 = default, x3 = default, x4 = default, x5 = default, x6 = default, x7 = default;
        if (TRows.Value == 8)
        {
            (x1, x2, x3, x4) = (TLanes.Splat(x + 1), TLanes.Splat(x + 2), TLanes.Splat(x + 3), TLanes.Splat(x + 4));
            (x5, x6, x7) = (TLanes.Splat(x + 5), TLanes.Splat(x + 6), TLanes.Splat(x + 7));
        }
        T* b3 = b + (3 * ldb), b6 = b + (6 * ldb);
        nint twoRows = 2 * ldb, j = 0;
        for (; j + TLanes.Count <= columns; j += TLanes.Count)
        {
            TVec sum = TLanes.Fma(x0, TLanes.Load(b + j), TLanes.Load(y + j));
            if (TRows.Value == 8)
            {
                sum = TLanes.Fma(x1, TLanes.Load(b + j + ldb), sum);
                sum = TLanes.Fma(x2, TLanes.Load(b + j + twoRows), sum);
                sum = TLanes.Fma(x3, TLanes.Load(b3 + j), sum);
                sum = TLanes.Fma(x4, TLanes.Load(b3 + j + ldb), sum);
                sum = TLanes.Fma(x5, TLanes.Load(b3 + j + twoRows), sum);
                sum = TLanes.Fma(x6, TLanes.Load(b6 + j), sum);
                sum = TLanes.Fma(x7, TLanes.Load(b6 + j + ldb), sum);
            }
            TLanes.Store(sum, y + j);
        }
        for (; j < columns; j++)
        {
            for (nint i = 0; i < TRows.Value; i++)
                y[j] = T.MultiplyAddEstimate(x[i], b[(i * ldb) + j], y[j]); // rounded as the vectors are
        }
    }
}
