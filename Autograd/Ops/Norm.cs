namespace Native;

/// <summary>
/// y = (x - mean) / sqrt(variance + eps) * w + b with statistics of x itself. Inputs x, and w and b of the geometry's size (both or neither); outputs
/// y, and mean, biased variance and inverse deviation per group, all differentiable.
/// </summary>
internal sealed class NormalizeOp(NormGeometry geometry, double eps) : StructuredOp("normalize")
{
    public override OutputSpecs Infer(Inputs x)
    {
        var groups = Layout.Of([geometry.Groups]);
        var dtype = x[0].DType;
        return [new(Layout.Of(x[0].Shape), dtype), new(groups, dtype), new(groups, dtype), new(groups, dtype)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(7 * x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y)
    {
        using var dense = DenseInput.Of(x[0]);
        if (x.Optional(1) is not { } w)
        {
            geometry.Forward(dense.Tensor, null, null, eps, y[0], y[1], y[2], y[3]);
            return;
        }
        using var dw = DenseInput.Of(w);
        using var db = DenseInput.Of(x[2]);
        geometry.Forward(dense.Tensor, dw.Tensor, db.Tensor, eps, y[0], y[1], y[2], y[3]);
    }

    public override Saves SavesFor(Inputs x) => Saves.Input0 | Saves.Input1 | Saves.Output1 | Saves.Output3;

    public override Tensor?[] Backward(Tensor g, Saved s)
    {
        bool affine = s.InputCount > 1;
        Tensor x = s.Input(0), w = affine ? s.Input(1) : Tensor.Ones([geometry.Weights], x.DType, x.Device);
        if (s.GradOf(1) is not null || s.GradOf(2) is not null || s.GradOf(3) is not null)
        {
            // Somebody differentiates through the statistics themselves: rare, so composed.
            var all = Composite.Vjp(t => Compose(geometry, eps, t[0], t[1], t[2]), [x, w, Tensor.ZerosLike(w)], [g, s.GradOf(1), s.GradOf(2), s.GradOf(3)]);
            return affine ? all : [all[0]];
        }
        var grads = new NormalizeGradOp(geometry, eps, s.OutputAt(1).Detach(), s.OutputAt(3).Detach()).ApplyAll(g, x, w);
        return affine ? grads : [grads[0]];
    }

    /// <summary>The same as ordinary operations: y, mean, variance, inverse deviation.</summary>
    internal static Tensor[] Compose(NormGeometry geometry, double eps, Tensor x, Tensor w, Tensor b)
    {
        var (view, reduced, affine) = geometry.Composite;
        double share = 1.0 / (x.Count / Math.Max(1, geometry.Groups));
        var rows = x.Reshape(view);
        var mean = rows.Sum(reduced, keepDim: true) * share;
        var centred = rows - mean;
        var variance = centred.Square().Sum(reduced, keepDim: true) * share;
        var invStd = (variance + eps).Rsqrt();
        var y = centred * invStd * w.Reshape(affine) + b.Reshape(affine);
        return [y.Reshape(x.Shape), mean.Reshape(geometry.Groups), variance.Reshape(geometry.Groups), invStd.Reshape(geometry.Groups)];
    }

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (label, shape, g) in NormSamples.Cases)
        {
            SampleInput w = new([g.Weights], 0.5, 1.5), b = new([g.Weights]);
            yield return new(label, x => [new NormalizeOp(g, 1e-3).Apply(x)], new(shape), w, b)
            {
                Reference = x => [NormSamples.Naive(g, 1e-3, x[0], x[1], x[2])],
                Composed = x => [Compose(g, 1e-3, x[0], x[1], x[2])[0]],
            };
            yield return new(label + ", statistics", x => new NormalizeOp(g, 1e-3).ApplyAll(x), new(shape), w, b) { Composed = x => Compose(g, 1e-3, x[0], x[1], x[2]) };
            yield return new(label + ", plain", x => [new NormalizeOp(g, 1e-3).Apply(x)], new SampleInput(shape))
            {
                Reference = x => [NormSamples.Naive(g, 1e-3, x[0], [.. Enumerable.Repeat(1.0, (int)g.Weights)], new double[g.Weights])],
            };
        }
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("one value", () => Functional.BatchNorm(Tensor.Zeros([1, 3]), null, null, null, null, training: true), "batch_norm: training needs more than one value per channel; input = f32[1,3]@cpu");
        yield return new("weight", () => Functional.BatchNorm(Tensor.Zeros([4, 3]), null, null, Tensor.Zeros([2]), Tensor.Zeros([2]), training: true), "batch_norm: weight must have shape [3]; weight = f32[2]@cpu");
        yield return new("layer", () => Functional.LayerNorm(Tensor.Zeros([4, 3]), [4]), "layer_norm: the last dims of f32[4,3]@cpu are not [4]");
        yield return new("groups", () => Functional.GroupNorm(Tensor.Zeros([4, 3, 2, 2]), 2), "group_norm: 2 groups do not divide 3 channels");
    }
}

/// <summary>
/// The gradients of <see cref="NormalizeOp"/> with respect to x, w and b, from gy, x and w. Mean and deviation are recomputable from x: the tensors handed over
/// are only a short cut, and the derivative of this op counts x's influence through them.
/// </summary>
internal sealed class NormalizeGradOp(NormGeometry geometry, double eps, Tensor mean, Tensor invStd) : StructuredOp("normalize_grad")
{
    public override OutputSpecs Infer(Inputs x)
    {
        var w = Layout.Of([geometry.Weights]);
        return [new(Layout.Of(x[1].Shape), x[1].DType), new(w, x[1].DType), new(w, x[1].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(9 * x[1].Count, x, y);

    public override void Forward(Inputs x, Outputs y)
    {
        using var gy = DenseInput.Of(x[0]);
        using var dx = DenseInput.Of(x[1]);
        using var dw = DenseInput.Of(x[2]);
        geometry.Grad(gy.Tensor, dx.Tensor, mean, invStd, dw.Tensor, y[0], y[1], y[2]);
    }

    public override Saves SavesFor(Inputs x) => Saves.Input0 | Saves.Input1 | Saves.Input2;

    public override Tensor?[] Backward(Tensor g, Saved s)
    {
        Tensor w = s.Input(2);
        return new NormalizeGradGradOp(geometry, eps, mean, invStd)
            .ApplyAll(g, s.GradOf(1) ?? Tensor.ZerosLike(w), s.GradOf(2) ?? Tensor.ZerosLike(w), s.Input(0), s.Input(1), w);
    }

    /// <summary>The same by differentiating the composed forward.</summary>
    internal static Tensor[] Compose(NormGeometry geometry, double eps, Tensor gy, Tensor x, Tensor w) =>
        Composite.Vjp(t => [NormalizeOp.Compose(geometry, eps, t[0], t[1], t[2])[0]], [x, w, Tensor.ZerosLike(w)], [gy])!;

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (label, shape, g) in NormSamples.Cases)
            yield return new(label, x => NormSamples.Grad(g, 1e-3, x[0], x[1], x[2]), new(shape), new(shape), new([g.Weights], 0.5, 1.5)) { Composed = x => Compose(g, 1e-3, x[0], x[1], x[2]) };
    }
}

/// <summary>
/// The gradients of <see cref="NormalizeGradOp"/>: from cotangents v, u, t of gx, gw, gb and from gy, x, w, the gradients with respect to gy, x and w. Fused too,
/// because a gradient penalty and an unrolled learner live here; the order after this one is composed.
/// </summary>
internal sealed class NormalizeGradGradOp(NormGeometry geometry, double eps, Tensor mean, Tensor invStd) : StructuredOp("normalize_grad_grad")
{
    public override OutputSpecs Infer(Inputs x)
    {
        var full = Layout.Of(x[4].Shape);
        return [new(full, x[4].DType), new(full, x[4].DType), new(Layout.Of([geometry.Weights]), x[4].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(20 * x[4].Count, x, y);

    public override void Forward(Inputs x, Outputs y)
    {
        using var v = DenseInput.Of(x[0]);
        using var u = DenseInput.Of(x[1]);
        using var t = DenseInput.Of(x[2]);
        using var gy = DenseInput.Of(x[3]);
        using var dx = DenseInput.Of(x[4]);
        using var dw = DenseInput.Of(x[5]);
        geometry.GradGrad(v.Tensor, u.Tensor, t.Tensor, gy.Tensor, dx.Tensor, mean, invStd, dw.Tensor, y[0], y[1], y[2]);
    }

    // Inputs v, u, t, gy, x, w. The results are gradients of (gy, x, w) of the op below, in its order.
    public override Saves SavesFor(Inputs x) => Saves.Input0 | Saves.Input1 | Saves.Input2 | Saves.Input3 | Saves.Input4 | Saves.Input5;

    public override Tensor?[] Backward(Tensor g, Saved s) =>
        Composite.Vjp(t => Compose(geometry, eps, t), [s.Input(0), s.Input(1), s.Input(2), s.Input(3), s.Input(4), s.Input(5)], [g, s.GradOf(1), s.GradOf(2)]);

    internal static Tensor[] Compose(NormGeometry geometry, double eps, Tensor[] t) =>
        Composite.Vjp(i => NormalizeGradOp.Compose(geometry, eps, i[0], i[1], i[2]), [t[3], t[4], t[5]], [t[0], t[1], t[2]])!;

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (label, shape, g) in NormSamples.Cases)
        {
            SampleInput full = new(shape), weights = new([g.Weights]);
            yield return new(label, x => NormSamples.GradGrad(g, 1e-3, x), full, weights, weights, full, full, new([g.Weights], 0.5, 1.5)) { Composed = x => Compose(g, 1e-3, x), Orders = 1 };
        }
    }
}

/// <summary>Geometries to try, the normalisation as plain loops, and the short cuts that the samples share with the ops.</summary>
internal static class NormSamples
{
    public static readonly (string Label, Shape Shape, NormGeometry Geometry)[] Cases =
    [
        ("batch [N,C]", [5, 3], new ChannelGeometry(5, 3, 1)),
        ("batch [N,C,H,W]", [2, 2, 2, 3], new ChannelGeometry(2, 2, 6)),
        ("layer", [3, 4], new RowGeometry(new(3, 4))),
        ("group", [2, 4, 1, 2], new RowGeometry(new(4, 4, 2, 2))),
    ];

    public static Tensor[] Grad(NormGeometry g, double eps, Tensor gy, Tensor x, Tensor w)
    {
        var (mean, invStd) = Statistics(g, eps, x);
        return new NormalizeGradOp(g, eps, mean, invStd).ApplyAll(gy, x, w);
    }

    public static Tensor[] GradGrad(NormGeometry g, double eps, Tensor[] x)
    {
        var (mean, invStd) = Statistics(g, eps, x[4]);
        return new NormalizeGradGradOp(g, eps, mean, invStd).ApplyAll(x);
    }

    public static double[] Naive(NormGeometry g, double eps, double[] x, double[] w, double[] b)
    {
        var (view, reduced, _) = g.Composite;
        long[] d = view.ToArray();
        long Group(long[] i) => reduced.Contains(0) ? i[1] : i[0] * d[1] + i[1];
        long Weight(long[] i) => reduced.Contains(0) ? i[1] : i[1] * d[2] + i[2];
        double[] sum = new double[g.Groups], squares = new double[g.Groups], y = new double[x.Length];
        double m = x.Length / (double)g.Groups;
        Each((i, k) => sum[Group(i)] += x[k] / m);
        Each((i, k) => squares[Group(i)] += Math.Pow(x[k] - sum[Group(i)], 2) / m);
        Each((i, k) => y[k] = (x[k] - sum[Group(i)]) / Math.Sqrt(squares[Group(i)] + eps) * w[Weight(i)] + b[Weight(i)]);
        return y;

        void Each(Action<long[], long> body)
        {
            for (long k = 0; k < x.Length; k++)
                body([k / (d[1] * d[2] * d[3]), k / (d[2] * d[3]) % d[1], k / d[3] % d[2], k % d[3]], k);
        }
    }

    private static (Tensor Mean, Tensor InvStd) Statistics(NormGeometry g, double eps, Tensor x)
    {
        using var off = Autograd.NoGrad();
        var y = new NormalizeOp(g, eps).ApplyAll(x.Detach());
        return (y[1], y[3]);
    }
}
