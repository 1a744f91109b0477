using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>A reduction: every element is mapped, then combined in a fixed tree. Associativity is assumed, commutativity too.</summary>
internal interface IReduceFn
{
    static abstract T Identity<T>() where T : unmanaged, INumber<T>;

    static abstract Vector512<T> Pre<T>(Vector512<T> x) where T : unmanaged, INumber<T>;

    static abstract Vector512<T> Combine<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T>;

    /// <summary>Maps what was combined; most reductions have nothing left to do.</summary>
    static virtual T Post<T>(T total) where T : unmanaged, INumber<T> => total;

    /// <summary>The oracle of the tests: fold in double precision.</summary>
    static abstract double Reference(double sum, double x);
}

/// <summary>
/// A reduction kernel: its name, its CUDA text as CuPy writes it (pre-map of x, combination of a and b, post-map, identity) and its
/// CPU code. The order of combination is a function of shape and strides alone, so results are equal bit for bit from run to run and for
/// every number of threads.
/// </summary>
internal abstract class ReduceKernel
{
    private readonly ReduceCuda _device;

    protected ReduceKernel(string name, (string Pre, string Combine, string Post, string Identity) cuda, bool integers, Type owner)
    {
        (Name, Cuda, TakesIntegers) = (name, cuda, integers);
        _device = ReduceCuda.Of(this, owner);
    }

    public string Name { get; }

    public (string Pre, string Combine, string Post, string Identity) Cuda { get; }

    /// <summary>Whether integers are reduced too.</summary>
    public bool TakesIntegers { get; }

    /// <summary>Reduces x over the dims marked in the mask; y is dense and has the remaining dims in order.</summary>
    public void Run(Tensor y, Tensor x, ReadOnlySpan<bool> reduced)
    {
        if (y.Device.IsCpu)
            RunCpu(y, x, reduced);
        else
            _device.Run(y, x, reduced, x.DType.Size());
    }

    private protected abstract void RunCpu(Tensor y, Tensor x, ReadOnlySpan<bool> reduced);
}

/// <summary>A reduction kernel whose CPU code is the struct <typeparamref name="F"/>, which the class of the row declares.</summary>
internal sealed class ReduceKernel<F>(string name, (string Pre, string Combine, string Post, string Identity) cuda, bool integers = true)
    : ReduceKernel(name, cuda, integers, typeof(F).DeclaringType!)
    where F : struct, IReduceFn
{
    private protected override void RunCpu(Tensor y, Tensor x, ReadOnlySpan<bool> reduced)
    {
        switch (x.DType)
        {
            case DType.F32:
                ReduceLoop.Run<float, F>(y, x, reduced);
                break;
            case DType.F64:
                ReduceLoop.Run<double, F>(y, x, reduced);
                break;
            case DType.I32:
                ReduceLoop.Run<int, F>(y, x, reduced);
                break;
            case DType.I64:
                ReduceLoop.Run<long, F>(y, x, reduced);
                break;
            default:
                throw new KernelException($"{Name}: no kernel for {x.DType.Name()}.");
        }
    }
}
