using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>One tensor of a multi-tensor update: what changes, what drives it, and its own scalars.</summary>
internal readonly record struct OptimSlot(Tensor Value, Tensor Gradient, Tensor? First, Tensor? Second, Tensor? Mask)
{
    /// <summary>Learning rate; for Adam already divided by the first moment's bias correction.</summary>
    public double Rate { get; init; }

    /// <summary>Coupled weight decay: added to the gradient as <c>Decay * value</c>.</summary>
    public double Decay { get; init; }

    /// <summary>Decoupled weight decay: the factor the value is multiplied by first (1 = none).</summary>
    public double Shrink { get; init; } = 1;

    /// <summary>Adam: square root of the second moment's bias correction.</summary>
    public double RootCorrection { get; init; } = 1;
}

/// <summary>
/// Updates of many tensors in one call, in place: a step over a network of a hundred small tensors is one pass over memory and one
/// hand-out of threads instead of a thousand small operations. Every tensor written gets a new version. In a graph the scalars of the slots are read again
/// before each replay, so their memory must be the caller's own.
/// </summary>
internal static class OptimKernels
{
    /// <summary>
    /// g += decay w; m = momentum m + g; w -= rate (nesterov ? g + momentum m : m). Without momentum, First may be null and w -= rate g.
    /// (The form of Sutskever et al. 2013 that PyTorch uses: the rate is outside the momentum.)
    /// </summary>
    public static void Sgd(ReadOnlyMemory<OptimSlot> slots, double momentum, bool nesterov)
    {
        if (IsOnGpu(slots.Span))
            OptimCuda.Sgd(slots, momentum, nesterov);
        else if (momentum == 0)
            OptimLoop.Run(slots.Span, new SgdRule<float>(), new SgdRule<double>());
        else
            OptimLoop.Run(slots.Span, new MomentumRule<float>((float)momentum, nesterov), new MomentumRule<double>(momentum, nesterov));
        Bump(slots.Span);
    }

    /// <summary>
    /// Kingma and Ba 2015, algorithm 1, with eps outside the root: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
    /// w -= Rate m / (sqrt(v) / RootCorrection + eps), where the slot's Rate holds rate / (1 - b1^t).
    /// </summary>
    public static void Adam(ReadOnlyMemory<OptimSlot> slots, double beta1, double beta2, double eps)
    {
        if (IsOnGpu(slots.Span))
            OptimCuda.Adam(slots, beta1, beta2, eps);
        else
            OptimLoop.Run(slots.Span, new AdamRule<float>((float)beta1, (float)(1 - beta1), (float)beta2, (float)(1 - beta2), (float)eps),
                new AdamRule<double>(beta1, 1 - beta1, beta2, 1 - beta2, eps));
        Bump(slots.Span);
    }

    private static bool IsOnGpu(ReadOnlySpan<OptimSlot> slots)
    {
        foreach (var s in slots)
            if (s.Value.Device != slots[0].Value.Device)
                throw new DeviceException($"optim: parameters are on {slots[0].Value.Device} and on {s.Value.Device}. Give each device an optimiser of its own.");
        return !slots.IsEmpty && !slots[0].Value.Device.IsCpu;
    }

    private static void Bump(ReadOnlySpan<OptimSlot> slots)
    {
        foreach (var s in slots)
        {
            s.Value.Storage.BumpVersion();
            s.First?.Storage.BumpVersion();
            s.Second?.Storage.BumpVersion();
        }
    }

    /// <summary>Sum of squares: a gradient's contribution to the 2-norm.</summary>
    public static readonly ReduceKernel SumSquares = new ReduceKernel<SumSquaresFn>("sum_squares", ("x * x", "a + b", "a", "T(0)"));

    /// <summary>Sum of magnitudes.</summary>
    public static readonly ReduceKernel SumAbs = new ReduceKernel<SumAbsFn>("sum_abs", ("x < T(0) ? -x : x", "a + b", "a", "T(0)"));

    /// <summary>Largest magnitude; NaN wins.</summary>
    public static readonly ReduceKernel MaxAbs = new ReduceKernel<MaxAbsFn>("max_abs", ("x < T(0) ? -x : x", "a > b || a != a ? a : b", "a", "T(0)"));

    private readonly struct SumSquaresFn : IReduceFn
    {
        public static T Identity<T>() where T : unmanaged, INumber<T> => T.Zero;

        public static Vector512<T> Pre<T>(Vector512<T> x) where T : unmanaged, INumber<T> => x * x;

        public static Vector512<T> Combine<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => a + b;

        public static double Reference(double sum, double x) => sum + x * x;
    }

    private readonly struct SumAbsFn : IReduceFn
    {
        public static T Identity<T>() where T : unmanaged, INumber<T> => T.Zero;

        public static Vector512<T> Pre<T>(Vector512<T> x) where T : unmanaged, INumber<T> => Vector512.Abs(x);

        public static Vector512<T> Combine<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => a + b;

        public static double Reference(double sum, double x) => sum + Math.Abs(x);
    }

    private readonly struct MaxAbsFn : IReduceFn
    {
        public static T Identity<T>() where T : unmanaged, INumber<T> => T.Zero;

        public static Vector512<T> Pre<T>(Vector512<T> x) where T : unmanaged, INumber<T> => Vector512.Abs(x);

        public static Vector512<T> Combine<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> =>
            Vector512.ConditionalSelect(Vector512.GreaterThan(a, b) | ~Vector512.Equals(a, a), a, b);

        public static double Reference(double sum, double x) => Math.Max(sum, Math.Abs(x));
    }
}
