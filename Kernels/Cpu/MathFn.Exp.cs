using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector512;

namespace Native;

// The exponential family. e^x = 2^k * (1 + p), p = e^r - 1, r = x - k ln 2; every member uses the one polynomial for p.
internal static partial class MathFn
{
    // (e^r - 1 - r) / r^2 for |r| <= ln(2)/2 + 0.001; own weighted Remez fit, degree 5, error with rounded coefficients 2^-28.7 relative
    // to e^r - 1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> ExpPolyF(Vector512<float> r)
    {
        var p = Create(0.00019845918f);
        p = FusedMultiplyAdd(p, r, Create(0.00139408931f));
        p = FusedMultiplyAdd(p, r, Create(0.00833338965f));
        p = FusedMultiplyAdd(p, r, Create(0.0416663587f));
        p = FusedMultiplyAdd(p, r, Create(0.166666657f));
        return FusedMultiplyAdd(p, r, Create(0.5f));
    }

    // (e^r - 1 - r) / r^2 for |r| <= ln(2)/2 + 0.001; own weighted Remez fit, degree 10, error with rounded coefficients 2^-60.3
    // relative to e^r - 1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> ExpPolyD(Vector512<double> r)
    {
        var p = Create(2.087531695205355e-09);
        p = FusedMultiplyAdd(p, r, Create(2.510927041071958e-08));
        p = FusedMultiplyAdd(p, r, Create(2.755740349729082e-07));
        p = FusedMultiplyAdd(p, r, Create(2.7557243605670005e-06));
        p = FusedMultiplyAdd(p, r, Create(2.4801587170581215e-05));
        p = FusedMultiplyAdd(p, r, Create(0.00019841269886655214));
        p = FusedMultiplyAdd(p, r, Create(0.001388888888896385));
        p = FusedMultiplyAdd(p, r, Create(0.008333333333321452));
        p = FusedMultiplyAdd(p, r, Create(0.041666666666666505));
        p = FusedMultiplyAdd(p, r, Create(0.16666666666666677));
        return FusedMultiplyAdd(p, r, Create(0.5));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> ExpReduceF(Vector512<float> x, out Vector512<float> t)
    {
        // t = Magic + k with k = x / ln 2 rounded to nearest even by the addition itself; Ln2Hi has trailing zeros, so k*Ln2Hi and
        // the first difference are exact.
        t = FusedMultiplyAdd(x, Create(F32.Log2e), Create(F32.Magic));
        var k = t - Create(F32.Magic);
        return FusedMultiplyAdd(k, Create(-F32.Ln2Lo), FusedMultiplyAdd(k, Create(-F32.Ln2Hi), x));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> ExpMinus1F(Vector512<float> r) => FusedMultiplyAdd(r * r, ExpPolyF(r), r);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> ExpSplitF(Vector512<float> x, out Vector512<float> t, out Vector512<float> q)
    {
        // e^x = 2^k (1 + r + q): r keeps its rounding error in q, and the two stay apart, because 2^k (1 + r) - 1 may be smaller
        // than r.
        t = FusedMultiplyAdd(x, Create(F32.Log2e), Create(F32.Magic));
        var k = t - Create(F32.Magic);
        var r0 = FusedMultiplyAdd(k, Create(-F32.Ln2Hi), x);
        var r = FusedMultiplyAdd(k, Create(-F32.Ln2Lo), r0);
        q = FusedMultiplyAdd(r * r, ExpPolyF(r), FusedMultiplyAdd(k, Create(-F32.Ln2Lo), r0 - r));
        return r;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> ExpScaleF(Vector512<float> p, Vector512<float> t)
    {
        // (1 + p) * 2^k in two steps, so that k reaches the subnormals and the last binade with one rounding.
        var t1 = FusedMultiplyAdd(t - Create(F32.Magic), Create(0.5f), Create(F32.Magic));
        var t2 = t - (t1 - Create(F32.Magic));
        var s = Pow2F(t1);
        return FusedMultiplyAdd(p, s, s) * Pow2F(t2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ExpF(Vector512<float> x)
    {
        var c = ConditionalSelect(GreaterThan(x, Create(F32.ExpHi)), Create(F32.ExpHi), x);
        c = ConditionalSelect(LessThan(x, Create(F32.ExpLo)), Create(F32.ExpLo), c);
        var r = ExpReduceF(c, out var t);
        return ExpScaleF(ExpMinus1F(r), t);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> SumMinus1F(Vector512<float> r, Vector512<float> q, Vector512<float> s, Vector512<float> c)
    {
        // s*r + s*q + c with |c| >= |s*r| or c = 0, s a power of two: the error of the large sum joins the small term, so only the
        // last addition rounds.
        var sr = s * r;
        var w = c + sr;
        return w + FusedMultiplyAdd(q, s, sr - (w - c));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Expm1F(Vector512<float> x)
    {
        // 2^k (1 + r + q) - 1. Half of it is formed, because 2^k overflows in the last binade.
        var c = ConditionalSelect(GreaterThan(x, Create(F32.ExpHi)), Create(F32.ExpHi), x);
        c = ConditionalSelect(LessThan(x, Create(F32.Expm1Lo)), Create(F32.Expm1Lo), c);
        var r = ExpSplitF(c, out var t, out var q);
        var h = Pow2F(t - Create(1f));
        var y = SumMinus1F(r, q, h, h - Create(0.5f));
        // For k = 0 the answer is r + q itself, subnormals included; the sign is put back because -0 was lost in the sum.
        return OrSignF(ConditionalSelect(Vector512.Equals(t, Create(F32.Magic)), r + q, y + y), x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> DivideByF(Vector512<float> n, Vector512<float> d, Vector512<float> dl)
    {
        // n / (d + dl) with dl the rounding error of d: one division and one Newton step on the exact remainder.
        var r = Create(1f) / d;
        var q = n * r;
        var e = FusedMultiplyAdd(-q, dl, FusedMultiplyAdd(-q, d, n));
        return FusedMultiplyAdd(e, r, q);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SigmoidF(Vector512<float> x)
    {
        // With E = e^-|x| <= 1 nothing overflows: 1/(1+E) for x >= 0 and E/(1+E) below.
        var e = ExpF(-Abs(x));
        var d = Create(1f) + e;
        return DivideByF(ConditionalSelect(LessThan(x, Create(0f)), e, Create(1f)), d, e - (d - Create(1f)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> TanhF(Vector512<float> x)
    {
        // u = e^(-2|x|) - 1 in (-1, 0] keeps full relative precision near 0; tanh|x| = -u / (2 + u).
        var a = Abs(x);
        a = ConditionalSelect(GreaterThan(a, Create(F32.TanhHi)), Create(F32.TanhHi), a);
        var r = ExpSplitF(a * Create(-2f), out var t, out var q);
        var s = Pow2F(t);
        var u = SumMinus1F(r, q, s, s - Create(1f));
        var d = Create(2f) + u;
        return OrSignF(DivideByF(-u, d, u - (d - Create(2f))), x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> CoshF(Vector512<float> x)
    {
        // h = e^|x| / 2, formed with k - 1 so that it overflows only where cosh does; e^-|x| / 2 = 1/(4h).
        var a = Abs(x);
        a = ConditionalSelect(GreaterThan(a, Create(F32.CoshHi)), Create(F32.CoshHi), a);
        var r = ExpReduceF(a, out var t);
        var h = ExpScaleF(ExpMinus1F(r), t - Create(1f));
        return h + Create(0.25f) / h;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SinhF(Vector512<float> x)
    {
        // Below 1 from u = e^|x| - 1 as u - (u^2/2) / (u+1), precise near 0; above as e^|x|/2 - e^-|x|/2; one division serves both.
        var a = Abs(x);
        a = ConditionalSelect(GreaterThan(a, Create(F32.CoshHi)), Create(F32.CoshHi), a);
        var r = ExpSplitF(a, out var t, out var q);
        var h = ExpScaleF(r + q, t - Create(1f));
        var s = Pow2F(t);
        var u = SumMinus1F(r, q, s, s - Create(1f));
        var small = LessThan(a, Create(1f));
        var n = ConditionalSelect(small, u * u * Create(-0.5f), Create(-0.25f));
        var d = ConditionalSelect(small, u + Create(1f), h);
        return OrSignF(ConditionalSelect(small, u, h) + n / d, x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> ExpReduceD(Vector512<double> x, out Vector512<double> t)
    {
        // t = Magic + k with k = x / ln 2 rounded to nearest even by the addition itself; Ln2Hi has trailing zeros, so k*Ln2Hi and
        // the first difference are exact.
        t = FusedMultiplyAdd(x, Create(F64.Log2e), Create(F64.Magic));
        var k = t - Create(F64.Magic);
        return FusedMultiplyAdd(k, Create(-F64.Ln2Lo), FusedMultiplyAdd(k, Create(-F64.Ln2Hi), x));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> ExpMinus1D(Vector512<double> r) => FusedMultiplyAdd(r * r, ExpPolyD(r), r);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> ExpSplitD(Vector512<double> x, out Vector512<double> t, out Vector512<double> q)
    {
        // e^x = 2^k (1 + r + q): r keeps its rounding error in q, and the two stay apart, because 2^k (1 + r) - 1 may be smaller
        // than r.
        t = FusedMultiplyAdd(x, Create(F64.Log2e), Create(F64.Magic));
        var k = t - Create(F64.Magic);
        var r0 = FusedMultiplyAdd(k, Create(-F64.Ln2Hi), x);
        var r = FusedMultiplyAdd(k, Create(-F64.Ln2Lo), r0);
        q = FusedMultiplyAdd(r * r, ExpPolyD(r), FusedMultiplyAdd(k, Create(-F64.Ln2Lo), r0 - r));
        return r;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> ExpScaleD(Vector512<double> p, Vector512<double> t)
    {
        // (1 + p) * 2^k in two steps, so that k reaches the subnormals and the last binade with one rounding.
        var t1 = FusedMultiplyAdd(t - Create(F64.Magic), Create(0.5), Create(F64.Magic));
        var t2 = t - (t1 - Create(F64.Magic));
        var s = Pow2D(t1);
        return FusedMultiplyAdd(p, s, s) * Pow2D(t2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> ExpD(Vector512<double> x)
    {
        var c = ConditionalSelect(GreaterThan(x, Create(F64.ExpHi)), Create(F64.ExpHi), x);
        c = ConditionalSelect(LessThan(x, Create(F64.ExpLo)), Create(F64.ExpLo), c);
        var r = ExpReduceD(c, out var t);
        return ExpScaleD(ExpMinus1D(r), t);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> SumMinus1D(Vector512<double> r, Vector512<double> q, Vector512<double> s, Vector512<double> c)
    {
        // s*r + s*q + c with |c| >= |s*r| or c = 0, s a power of two: the error of the large sum joins the small term, so only the
        // last addition rounds.
        var sr = s * r;
        var w = c + sr;
        return w + FusedMultiplyAdd(q, s, sr - (w - c));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> Expm1D(Vector512<double> x)
    {
        // 2^k (1 + r + q) - 1. Half of it is formed, because 2^k overflows in the last binade.
        var c = ConditionalSelect(GreaterThan(x, Create(F64.ExpHi)), Create(F64.ExpHi), x);
        c = ConditionalSelect(LessThan(x, Create(F64.Expm1Lo)), Create(F64.Expm1Lo), c);
        var r = ExpSplitD(c, out var t, out var q);
        var h = Pow2D(t - Create(1.0));
        var y = SumMinus1D(r, q, h, h - Create(0.5));
        // For k = 0 the answer is r + q itself, subnormals included; the sign is put back because -0 was lost in the sum.
        return OrSignD(ConditionalSelect(Vector512.Equals(t, Create(F64.Magic)), r + q, y + y), x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> DivideByD(Vector512<double> n, Vector512<double> d, Vector512<double> dl)
    {
        // n / (d + dl) with dl the rounding error of d: one division and one Newton step on the exact remainder.
        var r = Create(1.0) / d;
        var q = n * r;
        var e = FusedMultiplyAdd(-q, dl, FusedMultiplyAdd(-q, d, n));
        return FusedMultiplyAdd(e, r, q);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> SigmoidD(Vector512<double> x)
    {
        // With E = e^-|x| <= 1 nothing overflows: 1/(1+E) for x >= 0 and E/(1+E) below.
        var e = ExpD(-Abs(x));
        var d = Create(1.0) + e;
        return DivideByD(ConditionalSelect(LessThan(x, Create(0.0)), e, Create(1.0)), d, e - (d - Create(1.0)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> TanhD(Vector512<double> x)
    {
        // u = e^(-2|x|) - 1 in (-1, 0] keeps full relative precision near 0; tanh|x| = -u / (2 + u).
        var a = Abs(x);
        a = ConditionalSelect(GreaterThan(a, Create(F64.TanhHi)), Create(F64.TanhHi), a);
        var r = ExpSplitD(a * Create(-2.0), out var t, out var q);
        var s = Pow2D(t);
        var u = SumMinus1D(r, q, s, s - Create(1.0));
        var d = Create(2.0) + u;
        return OrSignD(DivideByD(-u, d, u - (d - Create(2.0))), x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> CoshD(Vector512<double> x)
    {
        // h = e^|x| / 2, formed with k - 1 so that it overflows only where cosh does; e^-|x| / 2 = 1/(4h).
        var a = Abs(x);
        a = ConditionalSelect(GreaterThan(a, Create(F64.CoshHi)), Create(F64.CoshHi), a);
        var r = ExpReduceD(a, out var t);
        var h = ExpScaleD(ExpMinus1D(r), t - Create(1.0));
        return h + Create(0.25) / h;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> SinhD(Vector512<double> x)
    {
        // Below 1 from u = e^|x| - 1 as u - (u^2/2) / (u+1), precise near 0; above as e^|x|/2 - e^-|x|/2; one division serves both.
        var a = Abs(x);
        a = ConditionalSelect(GreaterThan(a, Create(F64.CoshHi)), Create(F64.CoshHi), a);
        var r = ExpSplitD(a, out var t, out var q);
        var h = ExpScaleD(r + q, t - Create(1.0));
        var s = Pow2D(t);
        var u = SumMinus1D(r, q, s, s - Create(1.0));
        var small = LessThan(a, Create(1.0));
        var n = ConditionalSelect(small, u * u * Create(-0.5), Create(-0.25));
        var d = ConditionalSelect(small, u + Create(1.0), h);
        return OrSignD(ConditionalSelect(small, u, h) + n / d, x);
    }
}
