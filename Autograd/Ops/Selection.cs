using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>Rows that choose, clip or round. Kinks and ties are decided here, once for every device.</summary>
public static partial class Ops
{
    /// <summary>|x|; the derivative at 0 is 0.</summary>
    public static readonly UnaryOp Abs = Define<AbsFn>("abs", cuda: "a < T(0) ? -a : (a == T(0) ? T(0) : a)",
        vjp: (g, x, _) => g * x.Sign(),
        new(-2, 2, 0), Domain.Number);

    /// <summary>-1, 0 or 1, and 0 for NaN. Constant between its jumps: its derivative is 0.</summary>
    public static readonly UnaryOp Sign = Define<SignFn>("sign", cuda: "T(a > T(0)) - T(a < T(0))",
        vjp: (_, _, _) => null,
        new(-2, 2, 0), Domain.Number);

    /// <summary>The largest whole number not above x. Constant between its jumps: its derivative is 0.</summary>
    public static readonly UnaryOp Floor = Define<FloorFn>("floor", cuda: "floor(a)",
        vjp: (_, _, _) => null,
        new(-2, 2, -2, -1, 0, 1, 2));

    /// <summary>x limited to [p, q] (q wins where p is above it); NaN stays NaN; the gradient passes where p &lt;= x &lt;= q, bounds included.</summary>
    public static readonly UnaryOp Clamp = Define<ClampFn>("clamp", cuda: "(a < p ? p : a) > q ? q : (a < p ? p : a)",
        vjp: (g, x, _, p, q) => ClampGrad!.Apply(g, x, p, q),
        new(-2, 2, -0.5, 1), [(-0.5, 1)], Domain.Number);

    /// <summary>g where p &lt;= x &lt;= q, else 0.</summary>
    public static readonly BinaryOp ClampGrad = DefineParam<ClampGradFn>("clamp_grad", cuda: "b >= p && b <= q ? a : T(0)",
        vjpA: (gg, _, x, _, p, q) => ClampGrad!.Apply(gg, x, p, q),
        vjpB: (_, _, _, _, _, _) => null,
        [new(-2, 2), new(-2, 2, -0.5, 1)], [(-0.5, 1)]);

    /// <summary>The larger of two; NaN wins; at a tie each side gets half of the gradient.</summary>
    public static readonly BinaryOp Maximum = Define<MaximumFn>("maximum", cuda: "a != a ? a : (a > b ? a : b)",
        vjpA: (g, a, b, _) => g * Above!.Apply(a, b),
        vjpB: (g, a, b, _) => g * Above!.Apply(b, a),
        [new(-2, -0.1), new(0.1, 2)], Domain.Number);

    /// <summary>The smaller of two; NaN wins; at a tie each side gets half of the gradient.</summary>
    public static readonly BinaryOp Minimum = Define<MinimumFn>("minimum", cuda: "a != a ? a : (a < b ? a : b)",
        vjpA: (g, a, b, _) => g * Above!.Apply(b, a),
        vjpB: (g, a, b, _) => g * Above!.Apply(a, b),
        [new(-2, -0.1), new(0.1, 2)], Domain.Number);

    /// <summary>1 where a &gt; b, 1/2 where equal, else 0: a tie's share. Piecewise constant: its derivatives are 0.</summary>
    public static readonly BinaryOp Above = Define<AboveFn>("above", cuda: "a > b ? T(1) : (a == b ? T(0.5) : T(0))",
        vjpA: (_, _, _, _) => null,
        vjpB: (_, _, _, _) => null,
        [new(-2, -0.1), new(0.1, 2)]);

    private readonly struct AbsFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => Vector512.Abs(x);

        public static double Reference(double x) => Math.Abs(x);
    }

    private readonly struct SignFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> =>
            (Vector512.GreaterThan(x, Vector512<T>.Zero) & Vector512<T>.One) - (Vector512.LessThan(x, Vector512<T>.Zero) & Vector512<T>.One);

        public static double Reference(double x) => double.IsNaN(x) ? 0 : Math.Sign(x);
    }

    private readonly struct FloorFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> =>
            typeof(T) == typeof(float) ? Vector512.Floor(x.AsSingle()).As<float, T>() : Vector512.Floor(x.AsDouble()).As<double, T>();

        public static double Reference(double x) => Math.Floor(x);
    }

    private readonly struct ClampFn : IParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T>
        {
            var raised = Vector512.ConditionalSelect(Vector512.LessThan(x, p), p, x);
            return Vector512.ConditionalSelect(Vector512.GreaterThan(raised, q), q, raised);
        }

        public static double Reference(double x, double p, double q)
        {
            double raised = x < p ? p : x;
            return raised > q ? q : raised;
        }
    }

    private readonly struct ClampGradFn : IBinaryParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> g, Vector512<T> x, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T> =>
            g & Vector512.GreaterThanOrEqual(x, p) & Vector512.LessThanOrEqual(x, q);

        public static double Reference(double g, double x, double p, double q) => x >= p && x <= q ? g : 0;
    }

    private readonly struct MaximumFn : IBinaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> =>
            Vector512.ConditionalSelect(Vector512.GreaterThan(a, b) | ~Vector512.Equals(a, a), a, b);

        public static double Reference(double a, double b) => double.IsNaN(a) || a > b ? a : b;
    }

    private readonly struct MinimumFn : IBinaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> =>
            Vector512.ConditionalSelect(Vector512.LessThan(a, b) | ~Vector512.Equals(a, a), a, b);

        public static double Reference(double a, double b) => double.IsNaN(a) || a < b ? a : b;
    }

    private readonly struct AboveFn : IBinaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T>
        {
            var half = Vector512.Create(T.CreateTruncating(0.5));
            return (Vector512.GreaterThan(a, b) & Vector512<T>.One) + (Vector512.Equals(a, b) & half);
        }

        public static double Reference(double a, double b) => a > b ? 1 : a == b ? 0.5 : 0;
    }
}
