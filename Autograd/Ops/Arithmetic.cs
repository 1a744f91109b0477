using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>Every operation, by name. Rows of one kind share a file: arithmetic here, elementary functions, activations and selections beside it.</summary>
public static partial class Ops
{
    /// <summary>a + b.</summary>
    public static readonly BinaryOp Add = Define<AddFn>("add", cuda: "a + b",
        vjpA: (g, _, _, _) => g,
        vjpB: (g, _, _, _) => g,
        [new(-2, 2), new(-2, 2)], Domain.Number);

    /// <summary>a - b.</summary>
    public static readonly BinaryOp Sub = Define<SubFn>("sub", cuda: "a - b",
        vjpA: (g, _, _, _) => g,
        vjpB: (g, _, _, _) => -g,
        [new(-2, 2), new(-2, 2)], Domain.Number);

    /// <summary>a * b.</summary>
    public static readonly BinaryOp Mul = Define<MulFn>("mul", cuda: "a * b",
        vjpA: (g, _, b, _) => g * b,
        vjpB: (g, a, _, _) => g * a,
        [new(-2, 2), new(-2, 2)], Domain.Number);

    /// <summary>a / b, floating point only.</summary>
    public static readonly BinaryOp Div = Define<DivFn>("div", cuda: "a / b",
        vjpA: (g, _, b, _) => g / b,
        vjpB: (g, _, b, y) => -(g * (y / b)),
        [new(-2, 2), new(0.5, 2)]);

    /// <summary>a to the power b, as C's pow: NaN for a negative base with a fractional exponent. d/da is 0 where b = 0, and d/db where a = 0 and b is not negative, as in PyTorch.</summary>
    public static readonly BinaryOp Pow = Define<PowFn>("pow", cuda: "nat_pow(a, b)",
        vjpA: (g, a, b, _) => g * MulNoNan!.Apply(b, a.Pow(b - 1)),
        vjpB: (g, a, b, y) => g * Tensor.Where(a.Eq(0) & (b >= 0), 0, y * a.Log()),
        [new(0.3, 2.5), new(-2, 2)]);

    /// <summary>a * b, but 0 where a is 0 even if b is infinite or NaN: x*log(x) at 0.</summary>
    public static readonly BinaryOp MulNoNan = Define<MulNoNanFn>("mul_no_nan", cuda: "a == T(0) ? T(0) : a * b",
        vjpA: (g, _, b, _) => g * b,
        vjpB: (g, a, _, _) => g * a,
        [new(0.1, 2), new(-2, 2)]);

    /// <summary>p a + q b: a running average moves in one pass.</summary>
    public static readonly BinaryOp Blend = DefineParam<BlendFn>("blend", cuda: "a * p + b * q",
        vjpA: (g, _, _, _, p, _) => g * p,
        vjpB: (g, _, _, _, _, q) => g * q,
        [new(-2, 2), new(-2, 2)], [(0.9, 0.1), (-0.75, 2)]);

    /// <summary>x + p.</summary>
    public static readonly UnaryOp AddScalar = Define<AddScalarFn>("add_scalar", cuda: "a + p",
        vjp: (g, _, _, _, _) => g,
        new(-2, 2), [(1.5, 0)], Domain.Number);

    /// <summary>x * p.</summary>
    public static readonly UnaryOp MulScalar = Define<MulScalarFn>("mul_scalar", cuda: "a * p",
        vjp: (g, _, _, p, _) => g * p,
        new(-2, 2), [(-0.75, 0)], Domain.Number);

    /// <summary>x / p, a true division: x * (1/p) would round twice.</summary>
    public static readonly UnaryOp DivScalar = Define<DivScalarFn>("div_scalar", cuda: "a / p",
        vjp: (g, _, _, p, _) => g / p,
        new(-2, 2), [(-0.75, 0), (3, 0)]);

    /// <summary>p / x.</summary>
    public static readonly UnaryOp DivInto = Define<DivIntoFn>("div_into", cuda: "p / a",
        vjp: (g, x, y, _, _) => -(g * (y / x)),
        new(0.5, 2), [(1, 0), (-2.5, 0)]);

    /// <summary>x to the constant power p.</summary>
    public static readonly UnaryOp PowScalar = Define<PowScalarFn>("pow_scalar", cuda: "nat_pow(a, p)",
        vjp: (g, x, _, p, _) => p switch { 0 => null, 1 => g, 2 => g * x * 2, _ => g * x.Pow(p - 1) * p },
        new(0.3, 2.5), [(3, 0), (0.5, 0), (-1.5, 0), (1, 0), (2, 0)]);

    /// <summary>-x.</summary>
    public static readonly UnaryOp Neg = Define<NegFn>("neg", cuda: "-a",
        vjp: (g, _, _) => -g,
        new(-2, 2), Domain.Number);

    /// <summary>x * x.</summary>
    public static readonly UnaryOp Square = Define<SquareFn>("square", cuda: "a * a",
        vjp: (g, x, _) => g * x * 2,
        new(-2, 2), Domain.Number);

    private static UnaryOp Define<F>(string name, string cuda, UnaryVjp vjp, SampleDomain domain, Domain dtypes = Domain.Float, ParamVjp? composed = null)
        where F : struct, IUnaryFn =>
        new(name, new PointwiseKernel<Unary<F>>(name, cuda, dtypes), vjp)
        {
            Domains = [domain],
            Composed = composed,
            Reference = (x, _, _) => F.Reference(x[0]),
        };

    private static UnaryOp Define<F>(string name, string cuda, ParamVjp vjp, SampleDomain domain, (double P, double Q)[] parameters, Domain dtypes = Domain.Float)
        where F : struct, IParamFn =>
        new(name, new PointwiseKernel<Param<F>>(name, cuda, dtypes), vjp)
        {
            Domains = [domain],
            Parameters = parameters,
            Reference = (x, p, q) => F.Reference(x[0], p, q),
        };

    private static BinaryOp Define<F>(string name, string cuda, BinaryVjp vjpA, BinaryVjp vjpB, SampleDomain[] domains, Domain dtypes = Domain.Float)
        where F : struct, IBinaryFn =>
        new(name, new PointwiseKernel<Binary<F>>(name, cuda, dtypes), vjpA, vjpB)
        {
            Domains = domains,
            Reference = (x, _, _) => F.Reference(x[0], x[1]),
        };

    private static BinaryOp DefineParam<F>(string name, string cuda, BinaryParamVjp vjpA, BinaryParamVjp vjpB, SampleDomain[] domains, (double P, double Q)[] parameters)
        where F : struct, IBinaryParamFn =>
        new(name, new PointwiseKernel<BinaryParam<F>>(name, cuda, Domain.Float), vjpA, vjpB)
        {
            Domains = domains,
            Parameters = parameters,
            Reference = (x, p, q) => F.Reference(x[0], x[1], p, q),
        };

    private readonly struct AddFn : IBinaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => a + b;

        public static double Reference(double a, double b) => a + b;
    }

    private readonly struct SubFn : IBinaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => a - b;

        public static double Reference(double a, double b) => a - b;
    }

    private readonly struct MulFn : IBinaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => a * b;

        public static double Reference(double a, double b) => a * b;
    }

    private readonly struct DivFn : IBinaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => a / b;

        public static double Reference(double a, double b) => a / b;
    }

    private readonly struct PowFn : IBinaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => MathFn.Pow(a, b);

        public static double Reference(double a, double b) => Math.Pow(a, b);
    }

    private readonly struct MulNoNanFn : IBinaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> =>
            Vector512.ConditionalSelect(Vector512.Equals(a, Vector512<T>.Zero), Vector512<T>.Zero, a * b);

        public static double Reference(double a, double b) => a == 0 ? 0 : a * b;
    }

    private readonly struct BlendFn : IBinaryParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T> => a * p + b * q;

        public static double Reference(double a, double b, double p, double q) => a * p + b * q;
    }

    private readonly struct AddScalarFn : IParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x, Vector512<T> p, Vector512<T> _) where T : unmanaged, INumber<T> => x + p;

        public static double Reference(double x, double p, double q) => x + p;
    }

    private readonly struct MulScalarFn : IParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x, Vector512<T> p, Vector512<T> _) where T : unmanaged, INumber<T> => x * p;

        public static double Reference(double x, double p, double q) => x * p;
    }

    private readonly struct DivScalarFn : IParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x, Vector512<T> p, Vector512<T> _) where T : unmanaged, INumber<T> => x / p;

        public static double Reference(double x, double p, double q) => x / p;
    }

    private readonly struct DivIntoFn : IParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x, Vector512<T> p, Vector512<T> _) where T : unmanaged, INumber<T> => p / x;

        public static double Reference(double x, double p, double q) => p / x;
    }

    private readonly struct PowScalarFn : IParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x, Vector512<T> p, Vector512<T> _) where T : unmanaged, INumber<T> => MathFn.Pow(x, p);

        public static double Reference(double x, double p, double q) => Math.Pow(x, p);
    }

    private readonly struct NegFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => -x;

        public static double Reference(double x) => -x;
    }

    private readonly struct SquareFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => x * x;

        public static double Reference(double x) => x * x;
    }
}
