using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector512;

namespace Native;

// The error function.
internal static partial class MathFn
{
    // erf(x)/x - 1 in z = x^2 <= 1; own weighted Remez fit, degree 6, error with rounded coefficients 2^-26.0 relative to x.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> ErfSmallPolyF(Vector512<float> z)
    {
        var p = Create(7.88913167e-05f);
        p = FusedMultiplyAdd(p, z, Create(-0.000802084396f));
        p = FusedMultiplyAdd(p, z, Create(0.00518953567f));
        p = FusedMultiplyAdd(p, z, Create(-0.0268544443f));
        p = FusedMultiplyAdd(p, z, Create(0.112836003f));
        p = FusedMultiplyAdd(p, z, Create(-0.37612626f));
        return FusedMultiplyAdd(p, z, Create(0.128379166f));
    }

    // log(erfc(1 + w)) for w in [0, 3]; own weighted Remez fit, degree 6, error with rounded coefficients 2^-26.9 times erfc, that is
    // absolute in erf.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> ErfcLogPolyF(Vector512<float> w)
    {
        var p = Create(0.000185570156f);
        p = FusedMultiplyAdd(p, w, Create(-0.00182614964f));
        p = FusedMultiplyAdd(p, w, Create(0.00989087578f));
        p = FusedMultiplyAdd(p, w, Create(-0.0415006801f));
        p = FusedMultiplyAdd(p, w, Create(-0.84311831f));
        p = FusedMultiplyAdd(p, w, Create(-2.6389668f));
        return FusedMultiplyAdd(p, w, Create(-1.84960556f));
    }

    // erf(x)/x - 1 in z = x^2 <= 1; own weighted Remez fit, degree 12, error with rounded coefficients 2^-55.9 relative to x.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> ErfSmallPolyD(Vector512<double> z)
    {
        var p = Create(5.960685348363502e-11);
        p = FusedMultiplyAdd(p, z, Create(-1.1374954862909296e-09));
        p = FusedMultiplyAdd(p, z, Create(1.466032824399821e-08));
        p = FusedMultiplyAdd(p, z, Create(-1.6350396109483092e-07));
        p = FusedMultiplyAdd(p, z, Create(1.6461008462592439e-06));
        p = FusedMultiplyAdd(p, z, Create(-1.4925595770910213e-05));
        p = FusedMultiplyAdd(p, z, Create(0.00012055331132887413));
        p = FusedMultiplyAdd(p, z, Create(-0.0008548326981423169));
        p = FusedMultiplyAdd(p, z, Create(0.0052239776248283794));
        p = FusedMultiplyAdd(p, z, Create(-0.026866170645077868));
        p = FusedMultiplyAdd(p, z, Create(0.11283791670954885));
        p = FusedMultiplyAdd(p, z, Create(-0.3761263890318375));
        return FusedMultiplyAdd(p, z, Create(0.1283791670955126));
    }

    // log(erfc(1 + w)) for w in [0, 5]; own weighted Remez fit, degree 19, error with rounded coefficients 2^-57.2 times erfc, that is
    // absolute in erf.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> ErfcLogPolyD(Vector512<double> w)
    {
        var p = Create(-1.223503856885583e-13);
        p = FusedMultiplyAdd(p, w, Create(4.115869293203323e-12));
        p = FusedMultiplyAdd(p, w, Create(-6.404681117342233e-11));
        p = FusedMultiplyAdd(p, w, Create(6.119364799395092e-10));
        p = FusedMultiplyAdd(p, w, Create(-4.002756913449347e-09));
        p = FusedMultiplyAdd(p, w, Create(1.8719402059597e-08));
        p = FusedMultiplyAdd(p, w, Create(-6.145213824143215e-08));
        p = FusedMultiplyAdd(p, w, Create(1.1506856719756599e-07));
        p = FusedMultiplyAdd(p, w, Create(1.1812160021603294e-07));
        p = FusedMultiplyAdd(p, w, Create(-2.033206104495264e-06));
        p = FusedMultiplyAdd(p, w, Create(9.587372598430928e-06));
        p = FusedMultiplyAdd(p, w, Create(-2.7146105154543117e-05));
        p = FusedMultiplyAdd(p, w, Create(2.6272130200694347e-05));
        p = FusedMultiplyAdd(p, w, Create(0.0002373242845034831));
        p = FusedMultiplyAdd(p, w, Create(-0.001977902954378847));
        p = FusedMultiplyAdd(p, w, Create(0.01003382542785738));
        p = FusedMultiplyAdd(p, w, Create(-0.04156109804618498));
        p = FusedMultiplyAdd(p, w, Create(-0.8431072563584932));
        p = FusedMultiplyAdd(p, w, Create(-2.6389675142347913));
        return FusedMultiplyAdd(p, w, Create(-1.8496055099332482));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> ErfF(Vector512<float> x)
    {
        // Odd polynomial below 1; above, 1 - e^g with g a polynomial for log(erfc): no division and no x*x to be rounded in the
        // exponent.
        var a = Abs(x);
        var small = FusedMultiplyAdd(x, ErfSmallPolyF(x * x), x);
        var g = ErfcLogPolyF(ConditionalSelect(GreaterThan(a, Create(F32.ErfHi)), Create(F32.ErfHi), a) - Create(1f));
        var r = ExpReduceF(g, out var t);
        var s = Pow2F(t);
        var big = FusedMultiplyAdd(-ExpMinus1F(r), s, Create(1f) - s);
        return ConditionalSelect(LessThan(a, Create(1f)), small, OrSignF(big, x));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> ErfD(Vector512<double> x)
    {
        // Odd polynomial below 1; above, 1 - e^g with g a polynomial for log(erfc): no division and no x*x to be rounded in the
        // exponent.
        var a = Abs(x);
        var small = FusedMultiplyAdd(x, ErfSmallPolyD(x * x), x);
        var g = ErfcLogPolyD(ConditionalSelect(GreaterThan(a, Create(F64.ErfHi)), Create(F64.ErfHi), a) - Create(1.0));
        var r = ExpReduceD(g, out var t);
        var s = Pow2D(t);
        var big = FusedMultiplyAdd(-ExpMinus1D(r), s, Create(1.0) - s);
        return ConditionalSelect(LessThan(a, Create(1.0)), small, OrSignD(big, x));
    }
}
