using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector512;

namespace Native;

// The logarithm family. x = 2^e * m with m in [sqrt(1/2), sqrt(2)), f = m - 1 exact, log x = e ln 2 + f + f^2 P(f).
internal static partial class MathFn
{
    // (log(1+f) - f) / f^2 for 1+f in [sqrt(1/2), sqrt(2)]; own weighted Remez fit, degree 8, error with rounded coefficients 2^-27.4
    // relative to log(1+f).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> LogPolyF(Vector512<float> f)
    {
        var p = Create(-0.076196447f);
        p = FusedMultiplyAdd(p, f, Create(0.129036874f));
        p = FusedMultiplyAdd(p, f, Create(-0.132434323f));
        p = FusedMultiplyAdd(p, f, Create(0.141819611f));
        p = FusedMultiplyAdd(p, f, Create(-0.166090503f));
        p = FusedMultiplyAdd(p, f, Create(0.200019673f));
        p = FusedMultiplyAdd(p, f, Create(-0.250015825f));
        p = FusedMultiplyAdd(p, f, Create(0.333333254f));
        return FusedMultiplyAdd(p, f, Create(-0.499999881f));
    }

    // (log(1+f) - f) / f^2 for 1+f in [sqrt(1/2), sqrt(2)]; own weighted Remez fit, degree 19, error with rounded coefficients 2^-54.8
    // relative to log(1+f).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> LogPolyD(Vector512<double> f)
    {
        var p = Create(0.026156431711665325);
        p = FusedMultiplyAdd(p, f, Create(-0.06004269630445398));
        p = FusedMultiplyAdd(p, f, Create(0.0652968589462503));
        p = FusedMultiplyAdd(p, f, Create(-0.056788220715464));
        p = FusedMultiplyAdd(p, f, Create(0.05659073249120444));
        p = FusedMultiplyAdd(p, f, Create(-0.061942505669427904));
        p = FusedMultiplyAdd(p, f, Create(0.06685908611906423));
        p = FusedMultiplyAdd(p, f, Create(-0.07149947449031703));
        p = FusedMultiplyAdd(p, f, Create(0.076914358740829));
        p = FusedMultiplyAdd(p, f, Create(-0.08332863583724576));
        p = FusedMultiplyAdd(p, f, Create(0.09090927286946023));
        p = FusedMultiplyAdd(p, f, Create(-0.10000017953829475));
        p = FusedMultiplyAdd(p, f, Create(0.11111111104121213));
        p = FusedMultiplyAdd(p, f, Create(-0.12499999604244408));
        p = FusedMultiplyAdd(p, f, Create(0.14285714279528058));
        p = FusedMultiplyAdd(p, f, Create(-0.16666666671357794));
        p = FusedMultiplyAdd(p, f, Create(0.20000000000086));
        p = FusedMultiplyAdd(p, f, Create(-0.24999999999974915));
        p = FusedMultiplyAdd(p, f, Create(0.33333333333333026));
        return FusedMultiplyAdd(p, f, Create(-0.5000000000000003));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> LogOnePlusF(Vector512<float> u, Vector512<float> c)
    {
        // log(u + c) for u normal and |c| at most half an ulp of u. f + fl = (u + c) / 2^e - 1; k*Ln2Hi is exact (trailing zeros),
        // so the sum rounds once at the end. Beyond 2^40 c is below the last bit, and its scale would leave the exponent range.
        var m = LogSplitF(u, out var e);
        c = ConditionalSelect(GreaterThan(u, Create(F32.Log1pBig)), Create(0f), c * Pow2F(Create(F32.Magic) - e));
        var f0 = m - Create(1f);
        var f = f0 + c;
        var fl = c - (f - f0);
        var y = FusedMultiplyAdd(f * f, LogPolyF(f), FusedMultiplyAdd(e, Create(F32.Ln2Lo), fl));
        return FusedMultiplyAdd(e, Create(F32.Ln2Hi), f + y);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LogF(Vector512<float> x)
    {
        var tiny = LessThan(x, Create(F32.MinNormal));
        var m = LogSplitF(ConditionalSelect(tiny, x * Create(F32.LogUp), x), out var e);
        e = ConditionalSelect(tiny, e - Create(F32.LogUpBits), e);
        var f = m - Create(1f);
        var y = FusedMultiplyAdd(f * f, LogPolyF(f), e * Create(F32.Ln2Lo));
        y = FusedMultiplyAdd(e, Create(F32.Ln2Hi), f + y);
        var edge = ConditionalSelect(LessThan(x, Create(0f)), Create(float.NaN), x);
        edge = ConditionalSelect(Vector512.Equals(x, Create(0f)), Create(-float.PositiveInfinity), edge);
        return ConditionalSelect(GreaterThan(x, Create(0f)) & LessThan(x, Create(float.PositiveInfinity)), y, edge);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Log1pF(Vector512<float> x)
    {
        // u + c = 1 + x exactly, whichever of the two is larger.
        var u = Create(1f) + x;
        var b = u - Create(1f);
        var c = Create(1f) - (u - b) + (x - b);
        var y = LogOnePlusF(u, c);
        var edge = ConditionalSelect(LessThan(x, Create(-1f)), Create(float.NaN), x);
        edge = ConditionalSelect(Vector512.Equals(x, Create(-1f)), Create(-float.PositiveInfinity), edge);
        return OrSignF(ConditionalSelect(GreaterThan(x, Create(-1f)) & LessThan(x, Create(float.PositiveInfinity)), y, edge), x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SoftplusF(Vector512<float> x)
    {
        // max(x, 0) + log(1 + e^-|x|): e^-|x| is in [0, 1], so nothing overflows and 1 + e rounds with a known error.
        var e = ExpF(-Abs(x));
        var u = Create(1f) + e;
        return ConditionalSelect(GreaterThan(x, Create(0f)), x, Create(0f)) + LogOnePlusF(u, e - (u - Create(1f)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> LogOnePlusD(Vector512<double> u, Vector512<double> c)
    {
        // log(u + c) for u normal and |c| at most half an ulp of u. f + fl = (u + c) / 2^e - 1; k*Ln2Hi is exact (trailing zeros),
        // so the sum rounds once at the end. Beyond 2^40 c is below the last bit, and its scale would leave the exponent range.
        var m = LogSplitD(u, out var e);
        c = ConditionalSelect(GreaterThan(u, Create(F64.Log1pBig)), Create(0.0), c * Pow2D(Create(F64.Magic) - e));
        var f0 = m - Create(1.0);
        var f = f0 + c;
        var fl = c - (f - f0);
        var y = FusedMultiplyAdd(f * f, LogPolyD(f), FusedMultiplyAdd(e, Create(F64.Ln2Lo), fl));
        return FusedMultiplyAdd(e, Create(F64.Ln2Hi), f + y);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> LogD(Vector512<double> x)
    {
        var tiny = LessThan(x, Create(F64.MinNormal));
        var m = LogSplitD(ConditionalSelect(tiny, x * Create(F64.LogUp), x), out var e);
        e = ConditionalSelect(tiny, e - Create(F64.LogUpBits), e);
        var f = m - Create(1.0);
        var y = FusedMultiplyAdd(f * f, LogPolyD(f), e * Create(F64.Ln2Lo));
        y = FusedMultiplyAdd(e, Create(F64.Ln2Hi), f + y);
        var edge = ConditionalSelect(LessThan(x, Create(0.0)), Create(double.NaN), x);
        edge = ConditionalSelect(Vector512.Equals(x, Create(0.0)), Create(-double.PositiveInfinity), edge);
        return ConditionalSelect(GreaterThan(x, Create(0.0)) & LessThan(x, Create(double.PositiveInfinity)), y, edge);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Log1pD(Vector512<double> x)
    {
        // u + c = 1 + x exactly, whichever of the two is larger.
        var u = Create(1.0) + x;
        var b = u - Create(1.0);
        var c = Create(1.0) - (u - b) + (x - b);
        var y = LogOnePlusD(u, c);
        var edge = ConditionalSelect(LessThan(x, Create(-1.0)), Create(double.NaN), x);
        edge = ConditionalSelect(Vector512.Equals(x, Create(-1.0)), Create(-double.PositiveInfinity), edge);
        return OrSignD(ConditionalSelect(GreaterThan(x, Create(-1.0)) & LessThan(x, Create(double.PositiveInfinity)), y, edge), x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> SoftplusD(Vector512<double> x)
    {
        // max(x, 0) + log(1 + e^-|x|): e^-|x| is in [0, 1], so nothing overflows and 1 + e rounds with a known error.
        var e = ExpD(-Abs(x));
        var u = Create(1.0) + e;
        return ConditionalSelect(GreaterThan(x, Create(0.0)), x, Create(0.0)) + LogOnePlusD(u, e - (u - Create(1.0)));
    }
}
