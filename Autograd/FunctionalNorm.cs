namespace Native;

/// <summary>Normalisations as functions.</summary>
public static partial class Functional
{
    /// <summary>
    /// Batch normalisation (Ioffe and Szegedy 2015) of x [N, C] or [N, C, ...] per channel. Training: statistics of the batch; the running ones, when given,
    /// move in place by <paramref name="momentum"/> (variance unbiased, as PyTorch). Evaluation: the running statistics.
    /// </summary>
    /// <exception cref="ShapeException">Training with one value per channel, or parameters of the wrong shape.</exception>
    public static Tensor BatchNorm(Tensor x, Tensor? runningMean, Tensor? runningVar, Tensor? weight, Tensor? bias, bool training, double momentum = 0.1, double eps = 1e-5)
    {
        const string op = "batch_norm";
        Check.Float(x, op);
        Check.That(x.Rank >= 2, op, $"input must have at least 2 dims [batch, channels, ...]; input = {x.Describe()}.");
        long n = x.Shape[0], c = x.Shape[1], length = Shape.Product(x.Shape.Span[2..]);
        CheckAffine(op, x, weight, bias, [c]);
        Check.That(runningMean is null == runningVar is null, op, "running mean and running variance come together. Pass both, or neither.");
        CheckPart(op, x, runningMean, "running mean", [c]);
        CheckPart(op, x, runningVar, "running variance", [c]);
        if (!training)
        {
            Check.That(runningMean is not null && runningVar is not null, op, "evaluation needs running statistics. Train first, or pass training: true.");
            var shape = new long[x.Rank];
            Array.Fill(shape, 1);
            shape[1] = c;
            var scale = (runningVar + eps).Rsqrt();
            if (weight is not null)
                scale *= weight;
            var y = (x - runningMean.Reshape(shape)) * scale.Reshape(shape);
            return bias is null ? y : y + bias.Reshape(shape);
        }
        Check.That(n * length > 1, op, $"training needs more than one value per channel; input = {x.Describe()}.");
        var outputs = Normalise(new ChannelGeometry(n, c, length), eps, x, weight, bias);
        if (runningMean is not null && runningVar is not null && !Ambient.Current.Recomputing)
        {
            double unbiased = (double)(n * length) / (n * length - 1);
            Blend(runningMean, outputs[1], momentum, 1);
            Blend(runningVar, outputs[2], momentum, unbiased);
        }
        return outputs[0];
    }

    /// <summary>Training, where the running statistics are means over all batches: <paramref name="batches"/> (i64, a scalar) counts those seen before this one.</summary>
    internal static Tensor BatchNormCumulative(Tensor x, Tensor runningMean, Tensor runningVar, Tensor batches, Tensor? weight, Tensor? bias, double eps)
    {
        Tensor mean, variance;
        using (Autograd.NoGrad())
            (mean, variance) = (runningMean.Clone(), runningVar.Clone());
        // The last batch's statistics alone, which then enter the means with a share that is known on the device only.
        var y = BatchNorm(x, runningMean, runningVar, weight, bias, training: true, momentum: 1, eps);
        if (!Ambient.Current.Recomputing)
        {
            using var off = Autograd.NoGrad();
            var share = 1 / (batches.To(x.DType) + 1);
            runningMean.CopyInPlace(mean + (runningMean - mean) * share);
            runningVar.CopyInPlace(variance + (runningVar - variance) * share);
        }
        return y;
    }

    /// <summary>Layer normalisation (Ba et al. 2016) over the last dims, which must be <paramref name="normalizedShape"/>.</summary>
    public static Tensor LayerNorm(Tensor x, Shape normalizedShape, Tensor? weight = null, Tensor? bias = null, double eps = 1e-5)
    {
        const string op = "layer_norm";
        Check.Float(x, op);
        Check.That(normalizedShape.Rank >= 1 && x.Rank >= normalizedShape.Rank && x.Shape.Span[^normalizedShape.Rank..].SequenceEqual(normalizedShape.Span) && normalizedShape.Count > 0, op,
            $"the last dims of {x.Describe()} are not {normalizedShape}.");
        CheckAffine(op, x, weight, bias, normalizedShape);
        return Normalise(new RowGeometry(new(x.Count / normalizedShape.Count, normalizedShape.Count)), eps, x, weight?.Reshape(normalizedShape.Count), bias?.Reshape(normalizedShape.Count))[0];
    }

    /// <summary>Group normalisation (Wu and He 2018) of x [N, C, ...]: statistics per sample and group of channels; groups = C is instance normalisation.</summary>
    public static Tensor GroupNorm(Tensor x, long groups, Tensor? weight = null, Tensor? bias = null, double eps = 1e-5)
    {
        const string op = "group_norm";
        Check.Float(x, op);
        Check.That(x.Rank >= 2, op, $"input must have at least 2 dims [batch, channels, ...]; input = {x.Describe()}.");
        long c = x.Shape[1], length = Shape.Product(x.Shape.Span[2..]);
        Check.That(groups >= 1 && c % groups == 0 && c * length > 0, op, $"{groups} groups do not divide {c} channels; input = {x.Describe()}.");
        CheckAffine(op, x, weight, bias, [c]);
        return Normalise(new RowGeometry(new(x.Shape[0] * groups, c / groups * length, groups, length)), eps, x, weight, bias)[0];
    }

    private static Tensor[] Normalise(NormGeometry geometry, double eps, Tensor x, Tensor? weight, Tensor? bias)
    {
        if (weight is null && bias is null)
            return new NormalizeOp(geometry, eps).ApplyAll(x);
        weight ??= Tensor.Ones([geometry.Weights], x.DType, x.Device);
        bias ??= Tensor.Zeros([geometry.Weights], x.DType, x.Device);
        return new NormalizeOp(geometry, eps).ApplyAll(x, weight, bias);
    }

    private static void CheckAffine(string op, Tensor x, Tensor? weight, Tensor? bias, Shape shape)
    {
        CheckPart(op, x, weight, "weight", shape);
        CheckPart(op, x, bias, "bias", shape);
    }

    private static void CheckPart(string op, Tensor x, Tensor? t, string name, Shape shape)
    {
        if (t is null)
            return;
        Check.ShapeIs(t, shape, op, name);
        Check.SameDType(x, t, op, "input", name);
        Check.SameDevice(x, t, op, "input", name);
    }

    // running = (1 - momentum) * running + momentum * factor * batch, in place.
    private static void Blend(Tensor running, Tensor batch, double momentum, double factor)
    {
        Ops.Blend.Kernel.Run(running, running, batch, p: 1 - momentum, q: momentum * factor);
        running.Storage.BumpVersion();
    }
}
