using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// The cross-entropy of logits [rows, classes] with int64 targets [rows], fused with the softmax. Rows whose target is the ignored
/// index have loss and gradient 0, even where their logits are NaN.
/// </summary>
internal static unsafe class CrossEntropyKernels
{
    // As in SoftmaxKernels: one exponential per element.
    private const long ExpCost = 8;

    /// <summary>
    /// The first row whose target is neither a class nor the ignored index; -1 when there is none. To be asked before the kernels run.
    /// </summary>
    public static long FirstBadTarget(long rows, long classes, long* targets, long ignoreIndex)
    {
        for (long r = 0; r < rows; r++)
            if ((ulong)targets[r] >= (ulong)classes && targets[r] != ignoreIndex)
                return r;
        return -1;
    }

    /// <summary>loss[r] = log(sum of exp(x[r])) - (1 - smoothing) x[r, target] - smoothing mean(x[r]).</summary>
    /// <param name="rows">Number of rows.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="x">[rows, classes].</param>
    /// <param name="targets">[rows], checked by <see cref="FirstBadTarget"/>.</param>
    /// <param name="ignoreIndex">Target of rows that do not count.</param>
    /// <param name="loss">[rows].</param>
    /// <param name="smoothing">Share of the target's mass that is spread evenly over all classes.</param>
    public static void Forward<T>(long rows, long classes, T* x, long* targets, long ignoreIndex, T* loss, T smoothing = default)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        Chunks.For(rows, classes * ExpCost, (start, end) =>
        {
            for (long r = start; r < end; r++)
                loss[r] = targets[r] == ignoreIndex ? T.Zero : LossRow(classes, x + r * classes, targets[r], smoothing);
        });

    /// <summary>
    /// gx = (softmax(x) - (1 - smoothing) onehot(target) - smoothing / classes) scale[r]; scale [rows] is the gradient of the loss of each row.
    /// </summary>
    public static void Grad<T>(long rows, long classes, T* x, long* targets, long ignoreIndex, T* scale, T* gx, T smoothing = default)
        where T : unmanaged, IFloatingPointIeee754<T> =>
        Chunks.For(rows, classes * ExpCost, (start, end) =>
        {
            for (long r = start; r < end; r++)
                if (targets[r] == ignoreIndex)
                    new Span<T>(gx + r * classes, checked((int)classes)).Clear();
                else
                    GradRow(classes, x + r * classes, targets[r], scale[r], gx + r * classes, smoothing);
        });

    /// <summary>mean = the sum of the losses over the number of rows that count; then each loss is replaced by its row's share, 1 / number or 0.</summary>
    public static void Mean<T>(long rows, long* targets, long ignoreIndex, T* losses, T* mean) where T : unmanaged, IFloatingPointIeee754<T>
    {
        long counted = 0;
        for (long r = 0; r < rows; r++)
            counted += targets[r] != ignoreIndex ? 1 : 0;
        T number = T.CreateTruncating(counted), share = T.One / number;
        *mean = Lanes.Sum(losses, rows) / number;
        for (long r = 0; r < rows; r++)
            losses[r] = targets[r] != ignoreIndex ? share : T.Zero;
    }

    private static T LossRow<T>(long classes, T* x, long target, T smoothing) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T max = SoftmaxKernels.Max(x, classes);
        // Subtracting the maximum from the logit first keeps the digits that log-sum-exp would lose to a large maximum.
        T log = SoftmaxKernels.Log(SoftmaxKernels.SumExp(x, classes, max, null));
        if (smoothing == T.Zero)
            return log - (x[target] - max);
        T mean = Lanes.Sum<T, Shifted<T>>(x, x, x, classes, max) / T.CreateTruncating(classes);
        return log - (T.One - smoothing) * (x[target] - max) - smoothing * mean;
    }

    private static void GradRow<T>(long classes, T* x, long target, T scale, T* gx, T smoothing) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T sum = SoftmaxKernels.SumExp(x, classes, SoftmaxKernels.Max(x, classes), gx);
        T spread = smoothing / T.CreateTruncating(classes), ofTarget = (gx[target] / sum - (T.One - smoothing + spread)) * scale;
        Vector512<T> total = Vector512.Create(sum), times = Vector512.Create(scale), less = Vector512.Create(spread);
        for (long i = 0; i < classes; i += Vector512<T>.Count)
            Lanes.Put((Lanes.At(gx + i, classes - i) / total - less) * times, gx + i, classes - i);
        gx[target] = ofTarget;
    }

    /// <summary>The term a - k.</summary>
    private readonly struct Shifted<T> : ITerm<T> where T : unmanaged
    {
        public static Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> k) => a - k;
    }
}
