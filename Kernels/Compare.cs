using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>The comparisons and, for bool tensors, the connectives.</summary>
internal enum Comparison
{
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
}

/// <summary>A comparison of two vectors: lanes of all ones where it holds (connectives: the truth value itself in bit 0).</summary>
internal interface ICompareFn
{
    static abstract Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T>;
}

/// <summary>Elementwise comparison and choice. Device-neutral entries; inputs have the output's dims or broadcast to them, with any strides.</summary>
internal static class CompareKernels
{
    /// <summary>Dense bool y = a (op) b; a null b stands for the number. NaN is unequal to everything.</summary>
    public static void Compare(Comparison op, Tensor y, Tensor a, Tensor? b, double number)
    {
        if (!y.Device.IsCpu)
        {
            CompareCuda.Compare(op, y, a, b, number);
            return;
        }
        switch (op)
        {
            case Comparison.Eq:
                Compare<EqFn>(y, a, b, number);
                break;
            case Comparison.Ne:
                Compare<NeFn>(y, a, b, number);
                break;
            case Comparison.Lt:
                Compare<LtFn>(y, a, b, number);
                break;
            case Comparison.Le:
                Compare<LeFn>(y, a, b, number);
                break;
            case Comparison.Gt:
                Compare<GtFn>(y, a, b, number);
                break;
            case Comparison.Ge:
                Compare<GeFn>(y, a, b, number);
                break;
            case Comparison.And:
                Compare<AndFn>(y, a, b, number);
                break;
            default:
                Compare<OrFn>(y, a, b, number);
                break;
        }
    }

    /// <summary>Dense y = condition ? a : b; a null a or b stands for its number. Bits are moved, so NaN payloads and signs of zero survive.</summary>
    public static void Where(Tensor y, Tensor condition, Tensor? a, double aNumber, Tensor? b, double bNumber)
    {
        if (!y.Device.IsCpu)
        {
            WhereCuda.Where(y, condition, a, aNumber, b, bNumber);
            return;
        }
        switch (y.DType)
        {
            case DType.F32:
                CompareLoop.Where(y, condition, a, BitConverter.SingleToUInt32Bits((float)aNumber), b, BitConverter.SingleToUInt32Bits((float)bNumber));
                break;
            case DType.F64:
                CompareLoop.Where(y, condition, a, BitConverter.DoubleToUInt64Bits(aNumber), b, BitConverter.DoubleToUInt64Bits(bNumber));
                break;
            case DType.I32:
                CompareLoop.Where(y, condition, a, (uint)(int)aNumber, b, (uint)(int)bNumber);
                break;
            case DType.I64:
                CompareLoop.Where(y, condition, a, (ulong)(long)aNumber, b, (ulong)(long)bNumber);
                break;
            default:
                CompareLoop.Where(y, condition, a, (byte)aNumber, b, (byte)bNumber);
                break;
        }
    }

    private static void Compare<F>(Tensor y, Tensor a, Tensor? b, double number) where F : struct, ICompareFn
    {
        switch (a.DType)
        {
            case DType.F32:
                CompareLoop.Compare<float, F>(y, a, b, (float)number);
                break;
            case DType.F64:
                CompareLoop.Compare<double, F>(y, a, b, number);
                break;
            case DType.I32:
                CompareLoop.Compare<int, F>(y, a, b, (int)number);
                break;
            case DType.I64:
                CompareLoop.Compare<long, F>(y, a, b, (long)number);
                break;
            default:
                CompareLoop.Compare<byte, F>(y, a, b, (byte)number);
                break;
        }
    }

    private readonly struct EqFn : ICompareFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => Vector512.Equals(a, b);
    }

    private readonly struct NeFn : ICompareFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => ~Vector512.Equals(a, b);
    }

    private readonly struct LtFn : ICompareFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => Vector512.LessThan(a, b);
    }

    private readonly struct LeFn : ICompareFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => Vector512.LessThanOrEqual(a, b);
    }

    private readonly struct GtFn : ICompareFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => Vector512.GreaterThan(a, b);
    }

    private readonly struct GeFn : ICompareFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => Vector512.GreaterThanOrEqual(a, b);
    }

    private readonly struct AndFn : ICompareFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => a & b;
    }

    private readonly struct OrFn : ICompareFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => a | b;
    }
}
