using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// An elementwise function of up to three tensors and two scalars, as a struct without state: the loop around it is written once
/// and the JIT specialises it per struct. Unused inputs are zero. Rows implement the narrower interfaces below.
/// </summary>
internal interface IPointwiseFn
{
    /// <summary>How many tensor inputs are read: 1 to 3.</summary>
    static abstract int Arity { get; }

    /// <summary>One vector of results. The same code computes tails, so position never changes bits.</summary>
    static abstract Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T>;
}

/// <summary>y = f(x).</summary>
internal interface IUnaryFn
{
    static abstract Vector512<T> Invoke<T>(Vector512<T> x) where T : unmanaged, INumber<T>;

    /// <summary>The same in double precision by another road: the oracle of the tests.</summary>
    static abstract double Reference(double x);
}

/// <summary>y = f(x; p, q) with scalar parameters.</summary>
internal interface IParamFn
{
    static abstract Vector512<T> Invoke<T>(Vector512<T> x, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T>;

    static abstract double Reference(double x, double p, double q);
}

/// <summary>y = f(a, b).</summary>
internal interface IBinaryFn
{
    static abstract Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T>;

    static abstract double Reference(double a, double b);
}

/// <summary>y = f(a, b; p): a gradient formula that needs the upstream gradient, one saved tensor and one scalar.</summary>
internal interface IBinaryParamFn
{
    static abstract Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T>;

    static abstract double Reference(double a, double b, double p, double q);
}

/// <summary>y = f(a, b, c).</summary>
internal interface ITernaryFn
{
    static abstract Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b, Vector512<T> c) where T : unmanaged, INumber<T>;

    static abstract double Reference(double a, double b, double c);
}

/// <summary>Which dtypes a row computes on.</summary>
internal enum Domain
{
    /// <summary>f32 and f64.</summary>
    Float,

    /// <summary>f32, f64, i32, i64 and u8.</summary>
    Number,
}

/// <summary>
/// A pointwise kernel: its name, its CUDA expression (variables a, b, c and scalars p, q of type T) and its CPU code.
/// Entries are device-neutral: the device of the output decides.
/// </summary>
internal abstract class PointwiseKernel
{
    private readonly string name;
    private readonly Domain domain;

    protected PointwiseKernel(string name, string cuda, int arity, Domain domain)
    {
        this.name = name;
        this.domain = domain;
        (Cuda, Arity) = (cuda, arity);
        Device = new PointwiseCuda(this);
    }

    /// <summary>The same function on a GPU.</summary>
    internal PointwiseCuda Device { get; }

    /// <summary>Kernel symbol without its dtype, for example <c>tanh</c>.</summary>
    public string Name => name;

    /// <summary>The CUDA expression that NVRTC and g++ compile.</summary>
    public string Cuda { get; }

    /// <summary>Number of tensor inputs.</summary>
    public int Arity { get; }

    /// <summary>Dtypes computed.</summary>
    public Domain Domain => domain;

    /// <summary>Whether a dtype is among them.</summary>
    public bool Takes(DType dtype) => dtype.IsFloat() || (domain == Domain.Number && dtype != DType.Bool);

    /// <summary>
    /// y = f(a, b, c; p, q), elementwise. y is dense; inputs have y's dims and any strides (0 where broadcast), or one element.
    /// y may be the same storage as an input of the same layout.
    /// </summary>
    public void Run(Tensor y, Tensor a, Tensor? b = null, Tensor? c = null, double p = 0, double q = 0)
    {
        if (y.Device.IsCpu)
            RunCpu(y, a, b, c, p, q);
        else
            Device.Run(y, a, b, c, p, q);
    }

    private protected abstract void RunCpu(Tensor y, Tensor a, Tensor? b, Tensor? c, double p, double q);
}

/// <summary>A pointwise kernel whose CPU code is the struct <typeparamref name="F"/>.</summary>
internal sealed class PointwiseKernel<F>(string name, string cuda, Domain domain) : PointwiseKernel(name, cuda, F.Arity, domain)
    where F : struct, IPointwiseFn
{
    private protected override void RunCpu(Tensor y, Tensor a, Tensor? b, Tensor? c, double p, double q)
    {
        switch (y.DType)
        {
            case DType.F32:
                PointwiseLoop.Run<float, F>(y, a, b, c, (float)p, (float)q);
                break;
            case DType.F64:
                PointwiseLoop.Run<double, F>(y, a, b, c, p, q);
                break;
            case DType.I32:
                PointwiseLoop.Run<int, F>(y, a, b, c, (int)p, (int)q);
                break;
            case DType.I64:
                PointwiseLoop.Run<long, F>(y, a, b, c, (long)p, (long)q);
                break;
            case DType.U8:
                PointwiseLoop.Run<byte, F>(y, a, b, c, byte.CreateTruncating((long)p), byte.CreateTruncating((long)q));
                break;
            default:
                throw new KernelException($"{Name}: no kernel for {y.DType.Name()}.");
        }
    }
}

internal readonly struct Unary<F> : IPointwiseFn where F : struct, IUnaryFn
{
    public static int Arity => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T> => F.Invoke(a);
}

internal readonly struct Param<F> : IPointwiseFn where F : struct, IParamFn
{
    public static int Arity => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T> => F.Invoke(a, p, q);
}

internal readonly struct Binary<F> : IPointwiseFn where F : struct, IBinaryFn
{
    public static int Arity => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T> => F.Invoke(a, b);
}

internal readonly struct BinaryParam<F> : IPointwiseFn where F : struct, IBinaryParamFn
{
    public static int Arity => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T> => F.Invoke(a, b, p, q);
}

internal readonly struct Ternary<F> : IPointwiseFn where F : struct, ITernaryFn
{
    public static int Arity => 3;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T> => F.Invoke(a, b, c);
}
