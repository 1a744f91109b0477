using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>Roots, exponentials, logarithms and circular functions. At most 2 ulp from the true value on every device.</summary>
public static partial class Ops
{
    /// <summary>Square root.</summary>
    public static readonly UnaryOp Sqrt = Define<SqrtFn>("sqrt", cuda: "sqrt(a)",
        vjp: (g, _, y) => g / y * 0.5,
        new(0.3, 3));

    /// <summary>1 / sqrt(x).</summary>
    public static readonly UnaryOp Rsqrt = Define<RsqrtFn>("rsqrt", cuda: "nat_rsqrt(a)",
        vjp: (g, _, y) => g * (y * y.Square()) * -0.5,
        new(0.3, 3));

    /// <summary>e to the x.</summary>
    public static readonly UnaryOp Exp = Define<ExpFn>("exp", cuda: "nat_exp(a)",
        vjp: (g, _, y) => g * y,
        new(-2, 2));

    /// <summary>e to the x, minus 1, exact near 0.</summary>
    public static readonly UnaryOp Expm1 = Define<Expm1Fn>("expm1", cuda: "nat_expm1(a)",
        vjp: (g, _, y) => g * (y + 1),
        new(-2, 2));

    /// <summary>Natural logarithm.</summary>
    public static readonly UnaryOp Log = Define<LogFn>("log", cuda: "nat_log(a)",
        vjp: (g, x, _) => g / x,
        new(0.3, 3));

    /// <summary>log(1 + x), exact near 0.</summary>
    public static readonly UnaryOp Log1p = Define<Log1pFn>("log1p", cuda: "nat_log1p(a)",
        vjp: (g, x, _) => g / (x + 1),
        new(-0.6, 2));

    /// <summary>Sine, radians.</summary>
    public static readonly UnaryOp Sin = Define<SinFn>("sin", cuda: "nat_sin(a)",
        vjp: (g, x, _) => g * x.Cos(),
        new(-3, 3));

    /// <summary>Cosine, radians.</summary>
    public static readonly UnaryOp Cos = Define<CosFn>("cos", cuda: "nat_cos(a)",
        vjp: (g, x, _) => -(g * x.Sin()),
        new(-3, 3));

    /// <summary>Hyperbolic cosine.</summary>
    public static readonly UnaryOp Cosh = Define<CoshFn>("cosh", cuda: "nat_cosh(a)",
        vjp: (g, x, _) => g * x.Sinh(),
        new(-2, 2));

    /// <summary>Hyperbolic sine.</summary>
    public static readonly UnaryOp Sinh = Define<SinhFn>("sinh", cuda: "nat_sinh(a)",
        vjp: (g, x, _) => g * x.Cosh(),
        new(-2, 2));

    /// <summary>The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.</summary>
    public static readonly UnaryOp Erf = Define<ErfFn>("erf", cuda: "nat_erf(a)",
        vjp: (g, x, _) => g * (-x.Square()).Exp() * 1.1283791670955126,
        new(-2, 2));

    private readonly struct SqrtFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => Vector512.Sqrt(x);

        public static double Reference(double x) => Math.Sqrt(x);
    }

    private readonly struct RsqrtFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => MathFn.Rsqrt(x);

        public static double Reference(double x) => 1 / Math.Sqrt(x);
    }

    private readonly struct ExpFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => MathFn.Exp(x);

        public static double Reference(double x) => Math.Exp(x);
    }

    private readonly struct Expm1Fn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => MathFn.Expm1(x);

        // tanh(x/2) = (e^x - 1)/(e^x + 1) gives e^x - 1 without cancellation.
        public static double Reference(double x) => Math.Tanh(x / 2) * (Math.Exp(x) + 1);
    }

    private readonly struct LogFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => MathFn.Log(x);

        public static double Reference(double x) => Math.Log(x);
    }

    private readonly struct Log1pFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => MathFn.Log1p(x);

        // atanh(t) = log((1+t)/(1-t))/2 with t = x/(2+x).
        public static double Reference(double x) => 2 * Math.Atanh(x / (2 + x));
    }

    private readonly struct SinFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => MathFn.Sin(x);

        public static double Reference(double x) => Math.Sin(x);
    }

    private readonly struct CosFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => MathFn.Cos(x);

        public static double Reference(double x) => Math.Cos(x);
    }

    private readonly struct CoshFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => MathFn.Cosh(x);

        public static double Reference(double x) => Math.Cosh(x);
    }

    private readonly struct SinhFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => MathFn.Sinh(x);

        public static double Reference(double x) => Math.Sinh(x);
    }

    private readonly struct ErfFn : IUnaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T> => MathFn.Erf(x);

        // Series 2/sqrt(pi) * sum (-1)^n x^(2n+1) / (n! (2n+1)); the samples keep |x| small enough for it.
        public static double Reference(double x)
        {
            double term = x, sum = x;
            for (int n = 1; n < 200; n++)
            {
                term *= -x * x / n;
                sum += term / (2 * n + 1);
            }
            return sum * 1.1283791670955126;
        }
    }
}
