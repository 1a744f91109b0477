using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Native;

/// <summary>One summand of a row sum, from up to three operands and one constant of the row.</summary>
internal interface ITerm<T> where T : unmanaged
{
    static abstract Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> k);
}

/// <summary>
/// Sums in a fixed order. Element i of a row always goes to virtual lane i mod 16, whatever the instruction set and the dtype; the
/// sixteen lanes meet in one pairwise tree (i with i+8, then +4, +2, +1). A row has therefore the same sum, to the bit, with 512, 256 or
/// 128 bit registers, and the rounding error grows with n/16 instead of n.
/// </summary>
internal static unsafe class Lanes
{
    public const int Count = 16;

    /// <summary>
    /// The sum over i of F(a[i], b[i], c[i], k). Operands that F ignores are never read, so any valid pointer may stand there.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Sum<T, F>(T* a, T* b, T* c, long n, T k)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ITerm<T>
    {
        int width = Vector512<T>.Count;
        var kk = Vector512.Create(k);
        Vector512<T> low = Vector512<T>.Zero, high = Vector512<T>.Zero;
        long i = 0;
        for (; i + Count <= n; i += Count)
        {
            low += F.Of(Vector512.Load(a + i), Vector512.Load(b + i), Vector512.Load(c + i), kk);
            if (width < Count)
                high += F.Of(Vector512.Load(a + i + width), Vector512.Load(b + i + width), Vector512.Load(c + i + width), kk);
        }
        if (i < n)
        {
            long left = n - i;
            low += Tail<T, F>(a + i, b + i, c + i, left, kk);
            if (left > width)
                high += Tail<T, F>(a + i + width, b + i + width, c + i + width, left - width, kk);
        }
        return Tree(low, high);
    }

    /// <summary>The sum of a row.</summary>
    public static T Sum<T>(T* a, long n) where T : unmanaged, IFloatingPointIeee754<T> => Sum<T, First<T>>(a, a, a, n, default);

    // Not inlined: the branch is cold and would cost the loop its registers.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector512<T> Tail<T, F>(T* a, T* b, T* c, long left, Vector512<T> k)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ITerm<T>
    {
        left = Math.Min(left, Vector512<T>.Count);
        var term = F.Of(Load(a, left, T.Zero), Load(b, left, T.Zero), Load(c, left, T.Zero), k);
        return Vector512.ConditionalSelect(FirstLanes<T>(left), term, Vector512<T>.Zero);
    }

    /// <summary>Adds sixteen lanes pairwise; for f32 they are all in <paramref name="low"/> and <paramref name="high"/> is zero.</summary>
    public static T Tree<T>(Vector512<T> low, Vector512<T> high) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (Vector512<T>.Count == Count)
        {
            var eight = low.GetLower() + low.GetUpper();
            var four = eight.GetLower() + eight.GetUpper();
            return (four[0] + four[2]) + (four[1] + four[3]);
        }
        else
        {
            var eight = low + high;
            var four = eight.GetLower() + eight.GetUpper();
            return (four[0] + four[2]) + (four[1] + four[3]);
        }
    }

    /// <summary>All bits set in the first <paramref name="count"/> lanes.</summary>
    public static Vector512<T> FirstLanes<T>(long count) where T : unmanaged, IFloatingPointIeee754<T> =>
        Vector512.LessThan(Vector512<T>.Indices, Vector512.Create(T.CreateTruncating(count)));

    /// <summary>The next vector of a row of which <paramref name="left"/> elements are left; lanes beyond the row are zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> At<T>(T* p, long left) where T : unmanaged, IFloatingPointIeee754<T> =>
        left >= Vector512<T>.Count ? Vector512.Load(p) : Load(p, left, T.Zero);

    /// <summary>Writes the next vector of a row of which <paramref name="left"/> elements are left, and nothing beyond it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Put<T>(Vector512<T> v, T* p, long left) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (left >= Vector512<T>.Count)
            v.Store(p);
        else
            Store(v, p, left);
    }

    /// <summary>
    /// Reads the first <paramref name="count"/> elements, at most a vector of them; the other lanes get <paramref name="fill"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Vector512<T> Load<T>(T* p, long count, T fill) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var v = Vector512.Create(fill);
        // A masked load does not touch, and so cannot fault on, what it leaves out. The scalar loop below gives the same values.
        if (Avx512F.IsSupported && typeof(T) == typeof(float))
            return Avx512F.MaskLoad((float*)p, FirstLanes<float>(count), v.AsSingle()).As<float, T>();
        if (Avx512F.IsSupported && typeof(T) == typeof(double))
            return Avx512F.MaskLoad((double*)p, FirstLanes<double>(count), v.AsDouble()).As<double, T>();
        T* lanes = (T*)&v;
        for (long i = 0; i < count; i++)
            lanes[i] = p[i];
        return v;
    }

    /// <summary>Writes the first <paramref name="count"/> lanes and nothing beyond them.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Store<T>(Vector512<T> v, T* p, long count) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (Avx512F.IsSupported && typeof(T) == typeof(float))
            Avx512F.MaskStore((float*)p, FirstLanes<float>(count), v.AsSingle());
        else if (Avx512F.IsSupported && typeof(T) == typeof(double))
            Avx512F.MaskStore((double*)p, FirstLanes<double>(count), v.AsDouble());
        else
        {
            T* lanes = (T*)&v;
            for (long i = 0; i < count; i++)
                p[i] = lanes[i];
        }
    }

    /// <summary>
    /// sums[j] = sum over rows i of F(a[i,j], b[i,j], c[i,j], k[j]) for a matrix of contiguous rows; row i goes to lane i mod 16, so a
    /// column has the sum that it would have as a row.
    /// </summary>
    public static void Columns<T, F>(T* a, T* b, T* c, long rows, long columns, T* k, T* sums)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ITerm<T>
    {
        long width = Vector512<T>.Count;
        long tiles = Chunks.CeilDiv(columns, width);
        Chunks.For(tiles, rows * width, (start, end) =>
        {
            for (long tile = start; tile < end; tile++)
                Tile<T, F>(a, b, c, rows, columns, tile * width, k, sums);
        });
    }

    private static void Tile<T, F>(T* a, T* b, T* c, long rows, long columns, long j, T* k, T* sums)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ITerm<T>
    {
        Vector512<T>* lanes = stackalloc Vector512<T>[Count];
        new Span<Vector512<T>>(lanes, Count).Clear();
        long left = columns - j;
        var kk = At(k + j, left);
        for (long i = 0, at = j; i < rows; i++, at += columns)
            lanes[i & (Count - 1)] += F.Of(At(a + at, left), At(b + at, left), At(c + at, left), kk);
        Put(Tree(lanes), sums + j, left);
    }

    /// <summary>The column sums of a matrix of contiguous rows.</summary>
    public static void Columns<T>(T* a, long rows, long columns, T* sums) where T : unmanaged, IFloatingPointIeee754<T> =>
        Columns<T, First<T>>(a, a, a, rows, columns, sums, sums);

    /// <summary>The same tree for sixteen lanes that are vectors of independent sums.</summary>
    public static Vector512<T> Tree<T>(Vector512<T>* lanes) where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int half = Count / 2; half > 0; half /= 2)
            for (int i = 0; i < half; i++)
                lanes[i] += lanes[i + half];
        return lanes[0];
    }

    /// <summary>The term a.</summary>
    public readonly struct First<T> : ITerm<T> where T : unmanaged
    {
        public static Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> k) => a;
    }
}
