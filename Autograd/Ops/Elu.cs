using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>The exponential linear unit. Three rows close the family: the last is its own derivative.</summary>
public static partial class Ops
{
    /// <summary>x where positive, else p (e^x - 1); the derivative at 0 is p.</summary>
    public static readonly UnaryOp Elu = Define<EluFn>("elu", cuda: "a > T(0) ? a : p * nat_expm1(a)",
        vjp: (g, x, _, p, _) => g * EluSlope!.Apply(x, p),
        new(-2, 2, 0), [(1, 0), (0.5, 0)]);

    /// <summary>1 where x is positive, else p e^x.</summary>
    public static readonly UnaryOp EluSlope = Define<EluSlopeFn>("elu_slope", cuda: "a > T(0) ? T(1) : p * nat_exp(a)",
        vjp: (g, x, _, p, _) => g * EluTail!.Apply(x, p),
        new(-2, 2, 0), [(1, 0), (0.5, 0)]);

    /// <summary>0 where x is positive, else p e^x.</summary>
    public static readonly UnaryOp EluTail = Define<EluTailFn>("elu_tail", cuda: "a > T(0) ? T(0) : p * nat_exp(a)",
        vjp: (g, _, y, _, _) => g * y,
        new(-2, 2, 0), [(1, 0), (0.5, 0)]);

    private readonly struct EluFn : IParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x, Vector512<T> p, Vector512<T> _) where T : unmanaged, INumber<T> =>
            Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512<T>.Zero), x, p * MathFn.Expm1(x));

        public static double Reference(double x, double p, double q) => x > 0 ? x : p * (Math.Exp(x) - 1);
    }

    private readonly struct EluSlopeFn : IParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x, Vector512<T> p, Vector512<T> _) where T : unmanaged, INumber<T> =>
            Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512<T>.Zero), Vector512<T>.One, p * MathFn.Exp(x));

        public static double Reference(double x, double p, double q) => x > 0 ? 1 : p * Math.Exp(x);
    }

    private readonly struct EluTailFn : IParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x, Vector512<T> p, Vector512<T> _) where T : unmanaged, INumber<T> =>
            Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512<T>.Zero), Vector512<T>.Zero, p * MathFn.Exp(x));

        public static double Reference(double x, double p, double q) => x > 0 ? 0 : p * Math.Exp(x);
    }
}
