using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// A sum and the activation after it in one pass: what follows a linear layer's product. The bits are those of the two rows one after the other. Each
/// derivative is the activation's own, from the output, and is the same for both operands.
/// </summary>
public static partial class Ops
{
    /// <summary>max(a + b, 0); NaN stays NaN; the derivative at 0 is 0.</summary>
    public static readonly BinaryOp AddRelu = DefineAdd<AddReluFn>("add_relu", cuda: "(a + b) < T(0) ? T(0) : (a + b)",
        vjp: (g, _, _, y, _, _) => LeakyReluGrad!.Apply(g, y),
        [new(-2, 2, 0), new(-0.05, 0.05)], [(0, 0)]);

    /// <summary>s = a + b where positive, else p s; p must not be negative, so that the output has the sign of the sum; the derivative at 0 is p.</summary>
    public static readonly BinaryOp AddLeakyRelu = DefineAdd<AddLeakyReluFn>("add_leaky_relu", cuda: "(a + b) > T(0) ? (a + b) : (a + b) * p",
        vjp: (g, _, _, y, p, _) => p >= 0 ? LeakyReluGrad!.Apply(g, y, p)
            : throw new UsageException($"add_leaky_relu: a negative slope hides the sign of the sum; p = {p}. Use add and leaky_relu."),
        [new(-2, 2, 0), new(-0.05, 0.05)], [(0.2, 0)]);

    /// <summary>tanh(a + b).</summary>
    public static readonly BinaryOp AddTanh = DefineAdd<AddTanhFn>("add_tanh", cuda: "nat_tanh(a + b)",
        vjp: (g, _, _, y, _, _) => TanhGrad!.Apply(g, y),
        [new(-2, 2), new(-1, 1)], [(0, 0)]);

    /// <summary>1 / (1 + e^-(a + b)).</summary>
    public static readonly BinaryOp AddSigmoid = DefineAdd<AddSigmoidFn>("add_sigmoid", cuda: "nat_sigmoid(a + b)",
        vjp: (g, _, _, y, _, _) => SigmoidGrad!.Apply(g, y),
        [new(-2, 2), new(-1, 1)], [(0, 0)]);

    private static BinaryOp DefineAdd<F>(string name, string cuda, BinaryParamVjp vjp, SampleDomain[] domains, (double P, double Q)[] parameters)
        where F : struct, IBinaryParamFn =>
        new(name, new PointwiseKernel<BinaryParam<F>>(name, cuda, Domain.Float), vjp, vjp)
        {
            Domains = domains,
            Parameters = parameters,
            Reference = (x, p, q) => F.Reference(x[0], x[1], p, q),
            SharesGradient = true,
        };

    private readonly struct AddReluFn : IBinaryParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T> => ReluFn.Invoke(a + b);

        public static double Reference(double a, double b, double p, double q) => Math.Max(a + b, 0);
    }

    private readonly struct AddLeakyReluFn : IBinaryParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T> => LeakyReluFn.Invoke(a + b, p, q);

        public static double Reference(double a, double b, double p, double q) => a + b > 0 ? a + b : p * (a + b);
    }

    private readonly struct AddTanhFn : IBinaryParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T> => MathFn.Tanh(a + b);

        public static double Reference(double a, double b, double p, double q) => Math.Tanh(a + b);
    }

    private readonly struct AddSigmoidFn : IBinaryParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T> => MathFn.Sigmoid(a + b);

        public static double Reference(double a, double b, double p, double q) => 1 / (1 + Math.Exp(-(a + b)));
    }
}
