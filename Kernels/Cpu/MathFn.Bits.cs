using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector512;

namespace Native;

// Functions and helpers that are a few bit operations. The masks and shifts below mean the same on every instruction set.
internal static partial class MathFn
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> RsqrtF(Vector512<float> x) => Create(1f) / Vector512.Sqrt(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> RsqrtD(Vector512<double> x) => Create(1.0) / Vector512.Sqrt(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SignF(Vector512<float> x) =>
        ConditionalSelect(GreaterThan(x, Create(0f)), Create(1f), ConditionalSelect(LessThan(x, Create(0f)), Create(-1f), x));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> SignD(Vector512<double> x) =>
        ConditionalSelect(GreaterThan(x, Create(0.0)), Create(1.0), ConditionalSelect(LessThan(x, Create(0.0)), Create(-1.0), x));

    // 2^k from t = Magic + k: the low bits of t are k, and Magic's own low bits fall off the shift.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Pow2F(Vector512<float> t) => ((t.AsInt32() << 23) + Create(0x3F800000)).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> Pow2D(Vector512<double> t) => ((t.AsInt64() << 52) + Create(0x3FF0000000000000)).AsDouble();

    // y with the sign bit of x set too.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> OrSignF(Vector512<float> y, Vector512<float> x) => y | (x & Create(-0f));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> OrSignD(Vector512<double> y, Vector512<double> x) => y | (x & Create(-0.0));

    // u = m * 2^e with m in [sqrt(1/2), sqrt(2)), for u normal and positive; e is made a number by adding it to Magic's low bits,
    // because not every instruction set converts 64-bit integers. The shift is logical for the same reason.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> LogSplitF(Vector512<float> u, out Vector512<float> e)
    {
        var b = u.AsInt32() + Create(0x3F800000 - 0x3F3504F3);
        e = ((b >>> 23) + Create(0x4B400000)).AsSingle() - Create(F32.Magic + 127f);
        return ((b & Create(0x007FFFFF)) + Create(0x3F3504F3)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> LogSplitD(Vector512<double> u, out Vector512<double> e)
    {
        var b = u.AsInt64() + Create(0x3FF0000000000000 - 0x3FE6A09E667F3BCD);
        e = ((b >>> 52) + Create(0x4338000000000000)).AsDouble() - Create(F64.Magic + 1023.0);
        return ((b & Create(0x000FFFFFFFFFFFFF)) + Create(0x3FE6A09E667F3BCD)).AsDouble();
    }

    // sin or cos of quadrant n (the low bits of t): the other polynomial when n is odd, negated when n is 2 or 3.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> QuadrantF(Vector512<float> t, Vector512<float> s, Vector512<float> c)
    {
        var n = t.AsInt32();
        var y = ConditionalSelect(Vector512.Equals(n & Create(1), Create(1)).AsSingle(), c, s);
        return (y.AsInt32() ^ ((n & Create(2)) << 30)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> QuadrantD(Vector512<double> t, Vector512<double> s, Vector512<double> c)
    {
        var n = t.AsInt64();
        var y = ConditionalSelect(Vector512.Equals(n & Create(1L), Create(1L)).AsDouble(), c, s);
        return (y.AsInt64() ^ ((n & Create(2L)) << 62)).AsDouble();
    }

    // The lanes beyond TrigLimit, one by one.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void TrigHugeF(Vector512<float> x, ref Vector512<float> r, ref Vector512<float> lo, ref Vector512<float> t)
    {
        for (int i = 0; i < Vector512<float>.Count; i++)
        {
            float xi = x.GetElement(i);
            if (!(MathF.Abs(xi) > F32.TrigLimit)) continue;
            TrigReduceExact(xi, out double hi64, out double lo64, out int q);
            float ri = (float)hi64;
            r = r.WithElement(i, ri);
            lo = lo.WithElement(i, (float)((hi64 - (double)ri) + lo64));
            t = t.WithElement(i, F32.Magic + (float)q);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void TrigHugeD(Vector512<double> x, ref Vector512<double> r, ref Vector512<double> lo, ref Vector512<double> t)
    {
        for (int i = 0; i < Vector512<double>.Count; i++)
        {
            double xi = x.GetElement(i);
            if (!(Math.Abs(xi) > F64.TrigLimit)) continue;
            TrigReduceExact(xi, out double ri, out double li, out int q);
            r = r.WithElement(i, ri);
            lo = lo.WithElement(i, li);
            t = t.WithElement(i, F64.Magic + (double)q);
        }
    }
}
