namespace Native;

/// <summary>Entries of the softmax family and of the fused cross-entropy. Outputs are dense; inputs have any strides.</summary>
internal static unsafe class SoftmaxEntry
{
    /// <summary>y = exp(x) / sum of exp(x) along the dim.</summary>
    public static void Softmax(Tensor y, Tensor x, int dim)
    {
        KernelDevice.RequireCpu(y, "softmax");
        using var dense = DenseInput.Of(x);
        var (outer, n, inner) = Lines.Of(y.Layout, dim);
        if (y.DType == DType.F32)
            SoftmaxKernels.Softmax(outer, n, inner, dense.Tensor.Data<float>(), y.Data<float>());
        else
            SoftmaxKernels.Softmax(outer, n, inner, dense.Tensor.Data<double>(), y.Data<double>());
    }

    /// <summary>y = x - log(sum of exp(x)) along the dim.</summary>
    public static void LogSoftmax(Tensor y, Tensor x, int dim)
    {
        KernelDevice.RequireCpu(y, "log_softmax");
        using var dense = DenseInput.Of(x);
        var (outer, n, inner) = Lines.Of(y.Layout, dim);
        if (y.DType == DType.F32)
            SoftmaxKernels.LogSoftmax(outer, n, inner, dense.Tensor.Data<float>(), y.Data<float>());
        else
            SoftmaxKernels.LogSoftmax(outer, n, inner, dense.Tensor.Data<double>(), y.Data<double>());
    }

    /// <summary>y = log(sum of exp(x)) along the dim, which y has with size 1.</summary>
    public static void LogSumExp(Tensor y, Tensor x, int dim)
    {
        KernelDevice.RequireCpu(y, "logsumexp");
        using var dense = DenseInput.Of(x);
        var (outer, n, inner) = Lines.Of(x.Layout, dim);
        if (y.DType == DType.F32)
            SoftmaxKernels.LogSumExp(outer, n, inner, dense.Tensor.Data<float>(), y.Data<float>());
        else
            SoftmaxKernels.LogSumExp(outer, n, inner, dense.Tensor.Data<double>(), y.Data<double>());
    }

    /// <summary>gx = y (g - sum of g y along the dim).</summary>
    public static void SoftmaxGrad(Tensor gx, Tensor g, Tensor y, int dim)
    {
        KernelDevice.RequireCpu(gx, "softmax_grad");
        using DenseInput dg = DenseInput.Of(g), dy = DenseInput.Of(y);
        var (outer, n, inner) = Lines.Of(gx.Layout, dim);
        if (gx.DType == DType.F32)
            SoftmaxKernels.SoftmaxGrad(outer, n, inner, dg.Tensor.Data<float>(), dy.Tensor.Data<float>(), gx.Data<float>());
        else
            SoftmaxKernels.SoftmaxGrad(outer, n, inner, dg.Tensor.Data<double>(), dy.Tensor.Data<double>(), gx.Data<double>());
    }

    /// <summary>gx = g - exp(y) sum of g along the dim.</summary>
    public static void LogSoftmaxGrad(Tensor gx, Tensor g, Tensor y, int dim)
    {
        KernelDevice.RequireCpu(gx, "log_softmax_grad");
        using DenseInput dg = DenseInput.Of(g), dy = DenseInput.Of(y);
        var (outer, n, inner) = Lines.Of(gx.Layout, dim);
        if (gx.DType == DType.F32)
            SoftmaxKernels.LogSoftmaxGrad(outer, n, inner, dg.Tensor.Data<float>(), dy.Tensor.Data<float>(), gx.Data<float>());
        else
            SoftmaxKernels.LogSoftmaxGrad(outer, n, inner, dg.Tensor.Data<double>(), dy.Tensor.Data<double>(), gx.Data<double>());
    }

    /// <summary>loss [rows] of logits x [rows, classes] and i64 targets [rows].</summary>
    public static void CrossEntropy(Tensor loss, Tensor x, Tensor targets, long ignoreIndex, double smoothing)
    {
        KernelDevice.RequireCpu(loss, "cross_entropy");
        using DenseInput dx = DenseInput.Of(x), dt = DenseInput.Of(targets);
        long rows = x.Layout.Dims[0], classes = x.Layout.Dims[1];
        CheckTargets(dt.Tensor, rows, classes, ignoreIndex, x);
        if (x.DType == DType.F32)
            CrossEntropyKernels.Forward(rows, classes, dx.Tensor.Data<float>(), dt.Tensor.Data<long>(), ignoreIndex, loss.Data<float>(), (float)smoothing);
        else
            CrossEntropyKernels.Forward(rows, classes, dx.Tensor.Data<double>(), dt.Tensor.Data<long>(), ignoreIndex, loss.Data<double>(), smoothing);
    }

    /// <summary>mean (a scalar) of the losses of the rows that count, and the share [rows] of each row in it.</summary>
    public static void MeanCrossEntropy(Tensor mean, Tensor share, Tensor x, Tensor targets, long ignoreIndex, double smoothing)
    {
        CrossEntropy(share, x, targets, ignoreIndex, smoothing);
        using var dt = DenseInput.Of(targets);
        if (x.DType == DType.F32)
            CrossEntropyKernels.Mean(x.Layout.Dims[0], dt.Tensor.Data<long>(), ignoreIndex, share.Data<float>(), mean.Data<float>());
        else
            CrossEntropyKernels.Mean(x.Layout.Dims[0], dt.Tensor.Data<long>(), ignoreIndex, share.Data<double>(), mean.Data<double>());
    }

    /// <summary>gx [rows, classes] = (softmax(x) - smoothed one-hot of the target) times scale [rows].</summary>
    public static void CrossEntropyGrad(Tensor gx, Tensor x, Tensor targets, Tensor scale, long ignoreIndex, double smoothing)
    {
        KernelDevice.RequireCpu(gx, "cross_entropy_grad");
        using DenseInput dx = DenseInput.Of(x), dt = DenseInput.Of(targets), ds = DenseInput.Of(scale);
        long rows = x.Layout.Dims[0], classes = x.Layout.Dims[1];
        CheckTargets(dt.Tensor, rows, classes, ignoreIndex, x);
        if (x.DType == DType.F32)
            CrossEntropyKernels.Grad(rows, classes, dx.Tensor.Data<float>(), dt.Tensor.Data<long>(), ignoreIndex, ds.Tensor.Data<float>(), gx.Data<float>(), (float)smoothing);
        else
            CrossEntropyKernels.Grad(rows, classes, dx.Tensor.Data<double>(), dt.Tensor.Data<long>(), ignoreIndex, ds.Tensor.Data<double>(), gx.Data<double>(), smoothing);
    }

    private static void CheckTargets(Tensor targets, long rows, long classes, long ignoreIndex, Tensor x)
    {
        long* t = targets.Data<long>();
        long bad = CrossEntropyKernels.FirstBadTarget(rows, classes, t, ignoreIndex);
        if (bad >= 0)
            throw new ShapeException($"cross_entropy: target {t[bad]} of row {bad} is no class; logits = {x.Describe()}, ignoreIndex = {ignoreIndex}. Use 0..{classes - 1}.");
    }
}
