using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector512;

namespace Native;

/// <summary>
/// Elementary functions on 512-bit vectors, at most 2 ulp over the whole finite range for float and double, with the same bits on AVX-512,
/// AVX2, no-FMA hardware and CUDA: only + - * / sqrt, explicit fused multiply-add, bit operations and selections, never a platform libm,
/// an estimate or an out-of-range conversion. A scalar or a tail goes through the same lanes. Sign and payload of a NaN are not specified.
/// Kernels/Cuda/common.cuh repeats each function in the same order of operations. The name without suffix is generic; F is float, D double.
/// </summary>
internal static partial class MathFn
{
    /// <summary>e^x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Exp<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? ExpF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? ExpD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>e^x - 1, precise near 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Expm1<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? Expm1F(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? Expm1D(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>Natural logarithm: -inf at 0, NaN below.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Log<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? LogF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? LogD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>log(1 + x), precise near 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Log1p<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? Log1pF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? Log1pD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>Hyperbolic tangent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Tanh<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? TanhF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? TanhD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>1 / (1 + e^-x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Sigmoid<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? SigmoidF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? SigmoidD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>log(1 + e^x), without overflow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Softplus<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? SoftplusF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? SoftplusD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>Error function.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Erf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? ErfF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? ErfD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>Sine, exact reduction for every finite x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Sin<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? SinF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? SinD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>Cosine, exact reduction for every finite x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Cos<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? CosF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? CosD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>Hyperbolic sine.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Sinh<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? SinhF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? SinhD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>Hyperbolic cosine.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Cosh<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? CoshF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? CoshD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>1 / sqrt(x), each operation correctly rounded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Rsqrt<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? RsqrtF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? RsqrtD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>-1, 0 or 1; zeros keep their sign and NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Sign<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? SignF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? SignD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    /// <summary>x^y with the special cases of C99 pow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Pow<T>(Vector512<T> x, Vector512<T> y) where T : unmanaged =>
        typeof(T) == typeof(float) ? PowF(x.AsSingle(), y.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? PowD(x.AsDouble(), y.AsDouble()).As<double, T>() : throw NotReal<T>();

    // Reached only by a kernel instantiated for an integer type, which the op table forbids.
    private static NotSupportedException NotReal<T>() => new($"MathFn: elementary functions take float or double; got {typeof(T).Name}.");

    /// <summary>e^x. One element through the vector code.</summary>
    public static float Exp(float x) => ExpF(CreateScalar(x)).ToScalar();

    /// <inheritdoc cref="Exp(float)"/>
    public static double Exp(double x) => ExpD(CreateScalar(x)).ToScalar();

    /// <summary>Natural logarithm: -inf at 0, NaN below. One element through the vector code.</summary>
    public static float Log(float x) => LogF(CreateScalar(x)).ToScalar();

    /// <inheritdoc cref="Log(float)"/>
    public static double Log(double x) => LogD(CreateScalar(x)).ToScalar();

    /// <summary>log(1 + x), precise near 0. One element through the vector code.</summary>
    public static float Log1p(float x) => Log1pF(CreateScalar(x)).ToScalar();

    /// <inheritdoc cref="Log1p(float)"/>
    public static double Log1p(double x) => Log1pD(CreateScalar(x)).ToScalar();

    /// <summary>Sine, exact reduction for every finite x. One element through the vector code.</summary>
    public static float Sin(float x) => SinF(CreateScalar(x)).ToScalar();

    /// <inheritdoc cref="Sin(float)"/>
    public static double Sin(double x) => SinD(CreateScalar(x)).ToScalar();

    /// <summary>Cosine, exact reduction for every finite x. One element through the vector code.</summary>
    public static float Cos(float x) => CosF(CreateScalar(x)).ToScalar();

    /// <inheritdoc cref="Cos(float)"/>
    public static double Cos(double x) => CosD(CreateScalar(x)).ToScalar();

    /// <summary>Square root, correctly rounded. One element through the vector code.</summary>
    public static float Sqrt(float x) => Vector512.Sqrt(CreateScalar(x)).ToScalar();

    /// <inheritdoc cref="Sqrt(float)"/>
    public static double Sqrt(double x) => Vector512.Sqrt(CreateScalar(x)).ToScalar();

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
}
