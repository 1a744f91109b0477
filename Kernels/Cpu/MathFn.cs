using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector512;

namespace Native;

/// <summary>
/// Elementary functions on 512-bit vectors, at most 2 ulp over the whole finite range for float and double, with the same bits on AVX-512,
/// AVX2, no-FMA hardware and CUDA: only + - * / sqrt, explicit fused multiply-add, bit operations and selections, never a platform libm,
/// an estimate or an out-of-range conversion. A scalar or a tail goes through the same lanes. Sign and payload of a NaN are not specified.
/// Kernels/Cuda/common.cuh and trigpow.cuh repeat each function in the same order of operations. The name without suffix is generic; F is
/// float, D double. The build compiles the text of the other MathFn files for 256-bit vectors too (Kernels/Directory.Build.targets).
/// </summary>
internal static partial class MathFn
{
    /// <summary>e^x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Exp<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? ExpOf(x)
        : Create(ExpOf(x.GetLower()), ExpOf(x.GetUpper()));

    /// <summary>e^x - 1, precise near 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Expm1<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? Expm1Of(x)
        : Create(Expm1Of(x.GetLower()), Expm1Of(x.GetUpper()));

    /// <summary>Natural logarithm: -inf at 0, NaN below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Log<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? LogOf(x)
        : Create(LogOf(x.GetLower()), LogOf(x.GetUpper()));

    /// <summary>log(1 + x), precise near 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Log1p<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? Log1pOf(x)
        : Create(Log1pOf(x.GetLower()), Log1pOf(x.GetUpper()));

    /// <summary>Hyperbolic tangent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Tanh<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? TanhOf(x)
        : Create(TanhOf(x.GetLower()), TanhOf(x.GetUpper()));

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Sigmoid<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? SigmoidOf(x)
        : Create(SigmoidOf(x.GetLower()), SigmoidOf(x.GetUpper()));

    /// <summary>log(1 + e^x), without overflow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Softplus<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? SoftplusOf(x)
        : Create(SoftplusOf(x.GetLower()), SoftplusOf(x.GetUpper()));

    /// <summary>Error function.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Erf<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? ErfOf(x)
        : Create(ErfOf(x.GetLower()), ErfOf(x.GetUpper()));

    /// <summary>Sine, exact reduction for every finite x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Sin<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? SinOf(x)
        : Create(SinOf(x.GetLower()), SinOf(x.GetUpper()));

    /// <summary>Cosine, exact reduction for every finite x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Cos<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? CosOf(x)
        : Create(CosOf(x.GetLower()), CosOf(x.GetUpper()));

    /// <summary>Hyperbolic sine.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Sinh<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? SinhOf(x)
        : Create(SinhOf(x.GetLower()), SinhOf(x.GetUpper()));

    /// <summary>Hyperbolic cosine.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Cosh<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? CoshOf(x)
        : Create(CoshOf(x.GetLower()), CoshOf(x.GetUpper()));

    /// <summary>1 / sqrt(x), each operation correctly rounded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Rsqrt<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? RsqrtOf(x)
        : Create(RsqrtOf(x.GetLower()), RsqrtOf(x.GetUpper()));

    /// <summary>-1, 0 or 1; zeros keep their sign and NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Sign<T>(Vector512<T> x) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? SignOf(x)
        : Create(SignOf(x.GetLower()), SignOf(x.GetUpper()));

    /// <summary>x^y with the special cases of C99 pow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Pow<T>(Vector512<T> x, Vector512<T> y) where T : unmanaged => Vector512.IsHardwareAccelerated
        ? PowOf(x, y)
        : Create(PowOf(x.GetLower(), y.GetLower()), PowOf(x.GetUpper(), y.GetUpper()));

    // Reached only by a kernel instantiated for an integer type, which the op table forbids.
    private static NotSupportedException NotReal<T>() => new($"MathFn: elementary functions take float or double; got {typeof(T).Name}.");

    /// <summary>e^x. One element through the vector code.</summary>
    public static float Exp(float x) => ExpF(Vector256.CreateScalar(x)).ToScalar();

    /// <inheritdoc cref="Exp(float)"/>
    public static double Exp(double x) => ExpD(Vector256.CreateScalar(x)).ToScalar();

    /// <summary>Natural logarithm: -inf at 0, NaN below. One element through the vector code.</summary>
    public static float Log(float x) => LogF(Vector256.CreateScalar(x)).ToScalar();

    /// <inheritdoc cref="Log(float)"/>
    public static double Log(double x) => LogD(Vector256.CreateScalar(x)).ToScalar();

    /// <summary>log(1 + x), precise near 0. One element through the vector code.</summary>
    public static float Log1p(float x) => Log1pF(Vector256.CreateScalar(x)).ToScalar();

    /// <inheritdoc cref="Log1p(float)"/>
    public static double Log1p(double x) => Log1pD(Vector256.CreateScalar(x)).ToScalar();

    /// <summary>Sine, exact reduction for every finite x. One element through the vector code.</summary>
    public static float Sin(float x) => SinF(Vector256.CreateScalar(x)).ToScalar();

    /// <inheritdoc cref="Sin(float)"/>
    public static double Sin(double x) => SinD(Vector256.CreateScalar(x)).ToScalar();

    /// <summary>Cosine, exact reduction for every finite x. One element through the vector code.</summary>
    public static float Cos(float x) => CosF(Vector256.CreateScalar(x)).ToScalar();

    /// <inheritdoc cref="Cos(float)"/>
    public static double Cos(double x) => CosD(Vector256.CreateScalar(x)).ToScalar();

    /// <summary>Square root, correctly rounded. One element through the vector code.</summary>
    public static float Sqrt(float x) => Vector256.Sqrt(Vector256.CreateScalar(x)).ToScalar();

    /// <inheritdoc cref="Sqrt(float)"/>
    public static double Sqrt(double x) => Vector256.Sqrt(Vector256.CreateScalar(x)).ToScalar();
}
