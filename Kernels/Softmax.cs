namespace Native;

/// <summary>Entries of the softmax family and of the fused cross-entropy. Outputs are dense; inputs have any strides.</summary>
internal static unsafe class SoftmaxEntry
{
    /// <summary>y = exp(x) / sum of exp(x) along the dim.</summary>
    public static void Softmax(Tensor y, Tensor x, int dim)
    {
        if (!y.Device.IsCpu)
        {
            SoftmaxCuda.Softmax(y, x, dim);
            return;
        }
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
        if (!y.Device.IsCpu)
        {
            SoftmaxCuda.LogSoftmax(y, x, dim);
            return;
        }
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
        if (!y.Device.IsCpu)
        {
            SoftmaxCuda.LogSumExp(y, x, dim);
            return;
        }
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
        if (!gx.Device.IsCpu)
        {
            SoftmaxCuda.SoftmaxGrad(gx, g, y, dim);
            return;
        }
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
        if (!gx.Device.IsCpu)
        {
            SoftmaxCuda.LogSoftmaxGrad(gx, g, y, dim);
            return;
        }
        using DenseInput dg = DenseInput.Of(g), dy = DenseInput.Of(y);
        var (outer, n, inner) = Lines.Of(gx.Layout, dim);
        if (gx.DType == DType.F32)
            SoftmaxKernels.LogSoftmaxGrad(outer, n, inner, dg.Tensor.Data<float>(), dy.Tensor.Data<float>(), gx.Data<float>());
        else
            SoftmaxKernels.LogSoftmaxGrad(outer, n, inner, dg.Tensor.Data<double>(), dy.Tensor.Data<double>(), gx.Data<double>());
    }

    /// <summary>soft = softmax((logits + noise) / tau) along the dim; hard, if wanted, the one-hot of its largest.</summary>
    public static void Gumbel(Tensor? hard, Tensor soft, Tensor logits, Tensor noise, double tau, int dim)
    {
        using DenseInput dl = DenseInput.Of(logits), dn = DenseInput.Of(noise);
        if (!soft.Device.IsCpu)
        {
            SoftmaxCuda.GumbelOf(hard, soft, dl.Tensor, dn.Tensor, tau, dim);
            return;
        }
        var (outer, n, inner) = Lines.Of(soft.Layout, dim);
        if (soft.DType == DType.F32)
            GumbelKernels.Run(outer, n, inner, dl.Tensor.Data<float>(), dn.Tensor.Data<float>(), (float)tau, soft.Data<float>(), hard is null ? null : hard.Data<float>());
        else
            GumbelKernels.Run(outer, n, inner, dl.Tensor.Data<double>(), dn.Tensor.Data<double>(), tau, soft.Data<double>(), hard is null ? null : hard.Data<double>());
    }

    /// <summary>gx = soft (g - sum of g soft along the dim) / tau.</summary>
    public static void GumbelGrad(Tensor gx, Tensor g, Tensor soft, double tau, int dim)
    {
        using DenseInput dg = DenseInput.Of(g), ds = DenseInput.Of(soft);
        if (!gx.Device.IsCpu)
        {
            SoftmaxCuda.GumbelGrad(gx, dg.Tensor, ds.Tensor, tau, dim);
            return;
        }
        var (outer, n, inner) = Lines.Of(gx.Layout, dim);
        if (gx.DType == DType.F32)
            SoftmaxKernels.SoftmaxGrad(outer, n, inner, dg.Tensor.Data<float>(), ds.Tensor.Data<float>(), gx.Data<float>(), (float)tau);
        else
            SoftmaxKernels.SoftmaxGrad(outer, n, inner, dg.Tensor.Data<double>(), ds.Tensor.Data<double>(), gx.Data<double>(), tau);
    }

    /// <summary>loss [rows] of logits x [rows, classes] and i64 targets [rows].</summary>
    public static void CrossEntropy(Tensor loss, Tensor x, Tensor targets, long ignoreIndex, double smoothing)
    {
        if (!loss.Device.IsCpu)
        {
            SoftmaxCuda.CrossEntropy(loss, x, targets, ignoreIndex, smoothing);
            return;
        }
        using DenseInput dx = DenseInput.Of(x), dt = DenseInput.Of(targets);
        long rows = x.Layout.Dims[0], classes = x.Layout.Dims[1];
        CheckTargets(dt.Tensor.Data<long>(), ignoreIndex, x);
        if (x.DType == DType.F32)
            CrossEntropyKernels.Forward(rows, classes, dx.Tensor.Data<float>(), dt.Tensor.Data<long>(), ignoreIndex, loss.Data<float>(), (float)smoothing);
        else
            CrossEntropyKernels.Forward(rows, classes, dx.Tensor.Data<double>(), dt.Tensor.Data<long>(), ignoreIndex, loss.Data<double>(), smoothing);
    }

    /// <summary>mean (a scalar) of the losses of the rows that count, and the share [rows] of each row in it.</summary>
    public static void MeanCrossEntropy(Tensor mean, Tensor share, Tensor x, Tensor targets, long ignoreIndex, double smoothing)
    {
        CrossEntropy(share, x, targets, ignoreIndex, smoothing);
        if (!share.Device.IsCpu)
        {
            SoftmaxCuda.Mean(mean, share, targets, ignoreIndex);
            return;
        }
        using var dt = DenseInput.Of(targets);
        if (x.DType == DType.F32)
            CrossEntropyKernels.Mean(x.Layout.Dims[0], dt.Tensor.Data<long>(), ignoreIndex, share.Data<float>(), mean.Data<float>());
        else
            CrossEntropyKernels.Mean(x.Layout.Dims[0], dt.Tensor.Data<long>(), ignoreIndex, share.Data<double>(), mean.Data<double>());
    }

    /// <summary>gx [rows, classes] = (softmax(x) - smoothed one-hot of the target) times scale [rows].</summary>
    public static void CrossEntropyGrad(Tensor gx, Tensor x, Tensor targets, Tensor scale, long ignoreIndex, double smoothing)
    {
        if (!gx.Device.IsCpu)
        {
            SoftmaxCuda.CrossEntropyGrad(gx, x, targets, scale, ignoreIndex, smoothing);
            return;
        }
        using DenseInput dx = DenseInput.Of(x), dt = DenseInput.Of(targets), ds = DenseInput.Of(scale);
        long rows = x.Layout.Dims[0], classes = x.Layout.Dims[1];
        CheckTargets(dt.Tensor.Data<long>(), ignoreIndex, x);
        if (x.DType == DType.F32)
            CrossEntropyKernels.Grad(rows, classes, dx.Tensor.Data<float>(), dt.Tensor.Data<long>(), ignoreIndex, ds.Tensor.Data<float>(), gx.Data<float>(), (float)smoothing);
        else
            CrossEntropyKernels.Grad(rows, classes, dx.Tensor.Data<double>(), dt.Tensor.Data<long>(), ignoreIndex, ds.Tensor.Data<double>(), gx.Data<double>(), smoothing);
    }

    /// <summary><see cref="ShapeException"/> when one of the targets, one per row of the logits, is neither a class nor the ignored index.</summary>
    internal static void CheckTargets(long* targets, long ignoreIndex, Tensor logits)
    {
        long classes = logits.Layout.Dims[1], bad = CrossEntropyKernels.FirstBadTarget(logits.Layout.Dims[0], classes, targets, ignoreIndex);
        if (bad >= 0)
            throw new ShapeException($"cross_entropy: target {targets[bad]} of row {bad} is no class; logits = {logits.Describe()}, ignoreIndex = {ignoreIndex}. Use 0..{classes - 1}.");
    }
}
