using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector512;

namespace Native;

// General power. f64: log x in double-double, so that y*log x keeps its last bit at |y log x| = 745. f32: the f64 functions, two halves
// at a time.
internal static partial class MathFn
{
    // ((atanh(s)/s - 1)/z - 1/3) / z in z = s^2 <= 0.02945; own weighted Remez fit, degree 7, error with rounded coefficients 2^-66.3
    // relative to atanh(s).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> PowPolyD(Vector512<double> z)
    {
        var p = Create(0.05994768718740017);
        p = FusedMultiplyAdd(p, z, Create(0.058373778387908366));
        p = FusedMultiplyAdd(p, z, Create(0.06668160254312747));
        p = FusedMultiplyAdd(p, z, Create(0.07692278395407388));
        p = FusedMultiplyAdd(p, z, Create(0.09090909435744363));
        p = FusedMultiplyAdd(p, z, Create(0.1111111110876345));
        p = FusedMultiplyAdd(p, z, Create(0.14285714285722576));
        return FusedMultiplyAdd(p, z, Create(0.1999999999999999));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> PowLogD(Vector512<double> x, out Vector512<double> lo)
    {
        // log x = hi + lo for x > 0 with about 65 bits: e*ln 2 + 2 atanh(s), s = (m-1)/(m+1); every step that reaches above 2^-66
        // carries its error.
        var tiny = LessThan(x, Create(F64.MinNormal));
        var m = LogSplitD(ConditionalSelect(tiny, x * Create(F64.LogUp), x), out var e);
        e = ConditionalSelect(tiny, e - Create(F64.LogUpBits), e);
        var f = m - Create(1.0);
        var d = m + Create(1.0);
        var dl = m - (d - Create(1.0));
        var i = Create(1.0) / d;
        var s = f * i;
        var sl = FusedMultiplyAdd(-s, dl, FusedMultiplyAdd(-s, d, f)) * i;
        var z = s * s;
        var zl = FusedMultiplyAdd(s, s, -z) + (s + s) * sl;
        // a + al = 1/3 + z*Q(z), b + bl = z*a, h + hl = 2s*(1 + b).
        var q = FusedMultiplyAdd(z, PowPolyD(z), Create(F64.ThirdLo));
        var a = Create(F64.Third) + q;
        var al = q - (a - Create(F64.Third));
        var b = z * a;
        var bl = FusedMultiplyAdd(z, a, -b) + FusedMultiplyAdd(z, al, zl * a);
        var s2 = s + s;
        var sl2 = sl + sl;
        var c = s2 * b;
        var cl = FusedMultiplyAdd(s2, b, -c) + FusedMultiplyAdd(s2, bl, sl2 * b);
        var h = s2 + c;
        var hl = c - (h - s2) + (sl2 + cl);
        // e*Ln2Hi is exact, and is 0 or larger than h.
        var k = e * Create(F64.Ln2Hi);
        var y = k + h;
        lo = h - (y - k) + FusedMultiplyAdd(e, Create(F64.Ln2Lo), hl);
        return y;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> PowEdgesD(Vector512<double> x, Vector512<double> y, Vector512<double> mag)
    {
        // The special cases of C99 pow, on top of mag = |x|^y.
        var whole = Vector512.Equals(Floor(y), y);
        var half = y * Create(0.5);
        var odd = whole & ~Vector512.Equals(Floor(half), half);
        var a = Abs(x);
        var v = ConditionalSelect(Vector512.Equals(a, Create(1.0)), Create(1.0), mag);
        var root = LessThan(x, Create(0.0)) & LessThan(a, Create(double.PositiveInfinity)) & ~whole;
        v = ConditionalSelect(root, Create(double.NaN), v);
        v = ConditionalSelect(odd, OrSignD(v, x), v);
        v = ConditionalSelect(Vector512.Equals(x, x) & Vector512.Equals(y, y), v, x + y);
        return ConditionalSelect(Vector512.Equals(y, Create(0.0)) | Vector512.Equals(x, Create(1.0)), Create(1.0), v);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> PowD(Vector512<double> x, Vector512<double> y)
    {
        var a = Abs(x);
        var l = PowLogD(a, out var lo);
        l = ConditionalSelect(Vector512.Equals(a, Create(0.0)), Create(-double.PositiveInfinity), l);
        l = ConditionalSelect(Vector512.Equals(a, Create(double.PositiveInfinity)), Create(double.PositiveInfinity), l);
        var p = y * l;
        var pl = FusedMultiplyAdd(y, l, -p) + y * lo;
        // Outside +-PowHi the answer is 0 or infinity, and the error term would be inf - inf.
        var inside = LessThan(Abs(p), Create(F64.PowHi));
        p = ConditionalSelect(inside, p, ConditionalSelect(GreaterThan(p, Create(0.0)), Create(F64.PowHi), Create(-F64.PowHi)));
        pl = ConditionalSelect(inside, pl, Create(0.0));
        var r = ExpReduceD(p, out var t);
        return PowEdgesD(x, y, ExpScaleD(ExpMinus1D(r + pl), t));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> PowF(Vector512<float> x, Vector512<float> y) =>
        Narrow(PowHalf(WidenLower(x), WidenLower(y)), PowHalf(WidenUpper(x), WidenUpper(y)));

    // Not inlined twice into every caller: two full f64 functions are worth a call.
    [MethodImpl(MethodImplOptions.NoInlining | MethodImplOptions.AggressiveOptimization)]
    private static Vector512<double> PowHalf(Vector512<double> x, Vector512<double> y) => PowEdgesD(x, y, ExpD(y * LogD(Abs(x))));
}
