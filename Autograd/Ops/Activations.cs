using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>Activations and their fused derivatives; the derivative of a hot op is an op.</summary>
public static partial class Ops
{
    /// <summary>Hyperbolic tangent.</summary>
    public static readonly UnaryOp Tanh = Define<TanhFn>("tanh", cuda: "nat_tanh(a)",
        vjp: (g, _, y) => TanhGrad!.Apply(g, y),
        new(-3, 3), composed: (g, _, y, _, _) => g * (1 - y.Square()));

    /// <summary>g * (1 - y^2).</summary>
    public static readonly BinaryOp TanhGrad = Define<TanhGradFn>("tanh_grad", cuda: "a * (T(1) - b * b)",
        vjpA: (gg, _, y, _) => TanhGrad!.Apply(gg, y),
        vjpB: (gg, g, y, _) => gg * (g * y) * -2,
        [new(-2, 2), new(-0.9, 0.9)]);

    /// <summary>1 / (1 + e^-x).</summary>
    public static readonly UnaryOp Sigmoid = Define<SigmoidFn>("sigmoid", cuda: "nat_sigmoid(a)",
        vjp: (g, _, y) => SigmoidGrad!.Apply(g, y),
        new(-3, 3), composed: (g, _, y, _, _) => g * (y * (1 - y)));

    /// <summary>g * y * (1 - y).</summary>
    public static readonly BinaryOp SigmoidGrad = Define<SigmoidGradFn>("sigmoid_grad", cuda: "a * (b * (T(1) - b))",
        vjpA: (gg, _, y, _) => SigmoidGrad!.Apply(gg, y),
        vjpB: (gg, g, y, _) => gg * (g * (1 - y * 2)),
        [new(-2, 2), new(0.1, 0.9)]);

    /// <summary>log(1 + e^x), without overflow. A row of its own: as max(x,0) + log(1+exp(-|x|)) its second derivative would be wrong at 0.</summary>
    public static readonly UnaryOp Softplus = Define<SoftplusFn>("softplus", cuda: "nat_softplus(a)",
        vjp: (g, x, _) => g * x.Sigmoid(),
        new(-3, 3));

    /// <summary>max(x, 0); NaN stays NaN; the derivative at 0 is 0.</summary>
    public static readonly UnaryOp Relu = Define<ReluFn>("relu", cuda: "a < T(0) ? T(0) : a",
        vjp: (g, _, y) => LeakyReluGrad!.Apply(g, y),
        new(-2, 2, 0), Domain.Float);

    /// <summary>x where x is positive, else p * x; the derivative at 0 is p.</summary>
    public static readonly UnaryOp LeakyRelu = Define<LeakyReluFn>("leaky_relu", cuda: "a > T(0) ? a : a * p",
        vjp: (g, x, _, p, _) => LeakyReluGrad!.Apply(g, x, p),
        new(-2, 2, 0), [(0.2, 0)]);

    /// <summary>g where x is positive, else p * g: the mask of both rectifiers. Piecewise constant in x, so its derivative there is 0.</summary>
    public static readonly BinaryOp LeakyReluGrad = DefineParam<LeakyReluGradFn>("leaky_relu_grad", cuda: "b > T(0) ? a : a * p",
        vjpA: (gg, _, x, _, p, _) => LeakyReluGrad!.Apply(gg, x, p),
        vjpB: (_, _, _, _, _, _) => null,
        [new(-2, 2), new(-2, 2, 0)], [(0, 0), (0.2, 0)]);

    private readonly struct TanhFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => MathFn.Tanh(x);

        public static double Reference(double x) => Math.Tanh(x);
    }

    private readonly struct TanhGradFn : IBinaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> g, Vector512<T> y) where T : unmanaged, INumber<T> => g * (Vector512<T>.One - y * y);

        public static double Reference(double g, double y) => g * (1 - y * y);
    }

    private readonly struct SigmoidFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => MathFn.Sigmoid(x);

        public static double Reference(double x) => 1 / (1 + Math.Exp(-x));
    }

    private readonly struct SigmoidGradFn : IBinaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> g, Vector512<T> y) where T : unmanaged, INumber<T> => g * (y * (Vector512<T>.One - y));

        public static double Reference(double g, double y) => g * y * (1 - y);
    }

    private readonly struct SoftplusFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => MathFn.Softplus(x);

        public static double Reference(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));
    }

    private readonly struct ReluFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> =>
            Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512<T>.Zero), Vector512<T>.Zero, x);

        public static double Reference(double x) => x < 0 ? 0 : x;
    }

    private readonly struct LeakyReluFn : IParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x, Vector512<T> p, Vector512<T> _) where T : unmanaged, INumber<T> =>
            Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512<T>.Zero), x, x * p);

        public static double Reference(double x, double p, double q) => x > 0 ? x : x * p;
    }

    private readonly struct LeakyReluGradFn : IBinaryParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> g, Vector512<T> x, Vector512<T> p, Vector512<T> _) where T : unmanaged, INumber<T> =>
            Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512<T>.Zero), g, g * p);

        public static double Reference(double g, double x, double p, double q) => x > 0 ? g : g * p;
    }
}
