using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

// From the element type to F or D. The type test is a constant to the JIT, so nothing of it is left in a kernel.
internal static partial class MathFn
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> ExpOf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? ExpF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? ExpD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> Expm1Of<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? Expm1F(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? Expm1D(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> LogOf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? LogF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? LogD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> Log1pOf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? Log1pF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? Log1pD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> TanhOf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? TanhF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? TanhD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> SigmoidOf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? SigmoidF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? SigmoidD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> SoftplusOf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? SoftplusF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? SoftplusD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> ErfOf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? ErfF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? ErfD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> SinOf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? SinF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? SinD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> CosOf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? CosF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? CosD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> SinhOf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? SinhF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? SinhD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> CoshOf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? CoshF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? CoshD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> RsqrtOf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? RsqrtF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? RsqrtD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> SignOf<T>(Vector512<T> x) where T : unmanaged =>
        typeof(T) == typeof(float) ? SignF(x.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? SignD(x.AsDouble()).As<double, T>() : throw NotReal<T>();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> PowOf<T>(Vector512<T> x, Vector512<T> y) where T : unmanaged =>
        typeof(T) == typeof(float) ? PowF(x.AsSingle(), y.AsSingle()).As<float, T>()
        : typeof(T) == typeof(double) ? PowD(x.AsDouble(), y.AsDouble()).As<double, T>() : throw NotReal<T>();
}
