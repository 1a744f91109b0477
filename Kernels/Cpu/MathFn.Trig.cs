using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector512;

namespace Native;

// Sine and cosine: reduction to |r| <= pi/4 (with its error lo), both polynomials, then a choice by quadrant.
internal static partial class MathFn
{
    // (sin(r)/r - 1) / z in z = r^2, |r| <= 0.80; own weighted Remez fit, degree 2, error with rounded coefficients 2^-27.5 relative to
    // r.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> SinPolyF(Vector512<float> z)
    {
        var p = Create(-0.000195052402f);
        p = FusedMultiplyAdd(p, z, Create(0.00833209045f));
        return FusedMultiplyAdd(p, z, Create(-0.166666538f));
    }

    // (cos(r) - 1 + z/2) / z^2 in z = r^2, |r| <= 0.80; own weighted Remez fit, degree 2, error with rounded coefficients 2^-30.8
    // absolute in cos.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> CosPolyF(Vector512<float> z)
    {
        var p = Create(2.44249222e-05f);
        p = FusedMultiplyAdd(p, z, Create(-0.00138872513f));
        return FusedMultiplyAdd(p, z, Create(0.0416666456f));
    }

    // (sin(r)/r - 1) / z in z = r^2, |r| <= 0.79; own weighted Remez fit, degree 5, error with rounded coefficients 2^-57.7 relative to
    // r.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> SinPolyD(Vector512<double> z)
    {
        var p = Create(1.589493149480162e-10);
        p = FusedMultiplyAdd(p, z, Create(-2.5050726859158825e-08));
        p = FusedMultiplyAdd(p, z, Create(2.7557313498576296e-06));
        p = FusedMultiplyAdd(p, z, Create(-0.00019841269829270371));
        p = FusedMultiplyAdd(p, z, Create(0.00833333333332177));
        return FusedMultiplyAdd(p, z, Create(-0.1666666666666663));
    }

    // (cos(r) - 1 + z/2) / z^2 in z = r^2, |r| <= 0.79; own weighted Remez fit, degree 5, error with rounded coefficients 2^-62.5
    // absolute in cos.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> CosPolyD(Vector512<double> z)
    {
        var p = Create(-1.1358371148343715e-11);
        p = FusedMultiplyAdd(p, z, Create(2.0875699342576466e-09));
        p = FusedMultiplyAdd(p, z, Create(-2.755731418205926e-07));
        p = FusedMultiplyAdd(p, z, Create(2.480158728891454e-05));
        p = FusedMultiplyAdd(p, z, Create(-0.0013888888888873253));
        return FusedMultiplyAdd(p, z, Create(0.041666666666666595));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> TrigReduceF(Vector512<float> x, out Vector512<float> t, out Vector512<float> lo)
    {
        // x = n*pi/2 + r + lo, t = Magic + n. The first product is exact inside the fma, and so is its difference with x; the second
        // is kept with its error.
        t = FusedMultiplyAdd(x, Create(F32.TwoOverPi), Create(F32.Magic));
        var n = t - Create(F32.Magic);
        var r1 = FusedMultiplyAdd(n, Create(-F32.Pio21), x);
        var p = n * Create(F32.Pio22);
        var pl = FusedMultiplyAdd(n, Create(F32.Pio22), -p);
        var r = r1 - p;
        var b = r - r1;
        lo = r1 - (r - b) - (p + b) - FusedMultiplyAdd(n, Create(F32.Pio23), pl);
        if (GreaterThanAny(Abs(x), Create(F32.TrigLimit))) TrigHugeF(x, ref r, ref lo, ref t);
        return r;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> SinPartF(Vector512<float> r, Vector512<float> lo)
    {
        var z = r * r;
        return r + FusedMultiplyAdd(r * z, SinPolyF(z), lo);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> CosPartF(Vector512<float> r, Vector512<float> lo)
    {
        var z = r * r;
        return Create(1f) + FusedMultiplyAdd(z, FusedMultiplyAdd(z, CosPolyF(z), Create(-0.5f)), -(r * lo));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> SinF(Vector512<float> x)
    {
        var r = TrigReduceF(x, out var t, out var lo);
        var y = QuadrantF(t, SinPartF(r, lo), CosPartF(r, lo));
        // sin(-0) = -0, which the sums above lose.
        return ConditionalSelect(Vector512.Equals(x, Create(0f)), x, y);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> CosF(Vector512<float> x)
    {
        var r = TrigReduceF(x, out var t, out var lo);
        return QuadrantF(t + Create(1f), SinPartF(r, lo), CosPartF(r, lo));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> TrigReduceD(Vector512<double> x, out Vector512<double> t, out Vector512<double> lo)
    {
        // x = n*pi/2 + r + lo, t = Magic + n. The first product is exact inside the fma, and so is its difference with x; the second
        // is kept with its error.
        t = FusedMultiplyAdd(x, Create(F64.TwoOverPi), Create(F64.Magic));
        var n = t - Create(F64.Magic);
        var r1 = FusedMultiplyAdd(n, Create(-F64.Pio21), x);
        var p = n * Create(F64.Pio22);
        var pl = FusedMultiplyAdd(n, Create(F64.Pio22), -p);
        var r = r1 - p;
        var b = r - r1;
        lo = r1 - (r - b) - (p + b) - FusedMultiplyAdd(n, Create(F64.Pio23), pl);
        if (GreaterThanAny(Abs(x), Create(F64.TrigLimit))) TrigHugeD(x, ref r, ref lo, ref t);
        return r;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> SinPartD(Vector512<double> r, Vector512<double> lo)
    {
        var z = r * r;
        return r + FusedMultiplyAdd(r * z, SinPolyD(z), lo);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<double> CosPartD(Vector512<double> r, Vector512<double> lo)
    {
        var z = r * r;
        return Create(1.0) + FusedMultiplyAdd(z, FusedMultiplyAdd(z, CosPolyD(z), Create(-0.5)), -(r * lo));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> SinD(Vector512<double> x)
    {
        var r = TrigReduceD(x, out var t, out var lo);
        var y = QuadrantD(t, SinPartD(r, lo), CosPartD(r, lo));
        // sin(-0) = -0, which the sums above lose.
        return ConditionalSelect(Vector512.Equals(x, Create(0.0)), x, y);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<double> CosD(Vector512<double> x)
    {
        var r = TrigReduceD(x, out var t, out var lo);
        return QuadrantD(t + Create(1.0), SinPartD(r, lo), CosPartD(r, lo));
    }
}
