namespace Native;

/// <summary>How the losses of the elements (or rows) become one number.</summary>
public enum Reduction
{
    /// <summary>Their mean; each loss says what it divides by.</summary>
    Mean,

    /// <summary>Their sum.</summary>
    Sum,

    /// <summary>Left as they are.</summary>
    None,

    /// <summary>Their sum divided by the first dim: what a divergence of a batch means.</summary>
    BatchMean,
}

/// <summary>Losses, with PyTorch's names, arguments and conventions, composed of operations: no derivative is written here.</summary>
public static partial class Functional
{
    /// <summary>
    /// Cross-entropy of logits [n, classes, ...] with i64 classes [n, ...]. <paramref name="labelSmoothing"/> of the target's mass is spread over all
    /// classes; positions whose target is <paramref name="ignoreIndex"/> count nowhere; <paramref name="weight"/> [classes] scales each class. The
    /// mean divides by the weights of the targets that count (by their number without weights), and is NaN when none does.
    /// </summary>
    public static Tensor CrossEntropy(Tensor logits, Tensor target, Tensor? weight = null, long ignoreIndex = -100, double labelSmoothing = 0, Reduction reduction = Reduction.Mean)
    {
        const string Op = "cross_entropy";
        Check.Float(logits, Op, "logits");
        Check.That(labelSmoothing is >= 0 and <= 1, Op, $"labelSmoothing must be in [0, 1]; got {labelSmoothing}.");
        int dim = ClassDim(logits, Op);
        if (target.DType.IsFloat())
            return SoftCrossEntropy(logits, target, dim, weight, labelSmoothing, reduction);
        PickOp.CheckIndex(target, WithoutDim(logits.Shape, dim), Op);
        if (weight is not null)
            return WeightedCrossEntropy(logits, target, dim, weight, ignoreIndex, labelSmoothing, reduction);
        // Classes last and everything else a row: where the fused kernel wants them.
        var rows = (logits.Rank <= 2 ? logits : ClassesLast(logits)).Reshape(-1, logits.Shape[dim]);
        var classes = target.Reshape(target.Count);
        return reduction == Reduction.Mean ? new MeanCrossEntropyOp(ignoreIndex, labelSmoothing).Apply(rows, classes)
            : Reduce(new SoftmaxCrossEntropyOp(ignoreIndex, labelSmoothing).Apply(rows, classes).Reshape(target.Shape), reduction, Op);
    }

    /// <summary>Negative log-likelihood: minus the entries of log-probabilities [n, classes, ...] at i64 classes [n, ...]; otherwise as <see cref="CrossEntropy"/>.</summary>
    public static Tensor NllLoss(Tensor logProbabilities, Tensor target, Tensor? weight = null, long ignoreIndex = -100, Reduction reduction = Reduction.Mean)
    {
        const string Op = "nll_loss";
        Check.Float(logProbabilities, Op, "logProbabilities");
        int dim = ClassDim(logProbabilities, Op);
        PickOp.CheckIndex(target, WithoutDim(logProbabilities.Shape, dim), Op);
        var losses = -new PickOp(dim, ignoreIndex).Apply(logProbabilities, WithDim(target, dim)).Reshape(target.Shape);
        if (weight is null && reduction != Reduction.Mean)
            return Reduce(losses, reduction, Op);
        var weights = Weights(logProbabilities, target, dim, weight, ignoreIndex);
        losses = weight is null ? losses : losses * weights;
        return reduction == Reduction.Mean ? losses.Sum() / weights.Sum() : Reduce(losses, reduction, Op);
    }

    /// <summary>
    /// Binary cross-entropy of logits with targets in [0, 1], without overflow. <paramref name="posWeight"/> scales the positive term,
    /// <paramref name="weight"/> the whole; both broadcast. The mean divides by the number of elements.
    /// </summary>
    public static Tensor BceWithLogits(Tensor logits, Tensor target, Tensor? weight = null, Tensor? posWeight = null, Reduction reduction = Reduction.Mean)
    {
        Check.Float(logits, "bce_with_logits", "logits");
        Check.ShapeIs(target, logits.Shape, "bce_with_logits", "target");
        var positive = (-logits).Softplus();
        if (posWeight is not null)
            positive *= (posWeight - 1) * target + 1;
        var losses = (1 - target) * logits + positive;
        return Reduce(weight is null ? losses : losses * weight, reduction, "bce_with_logits");
    }

    /// <summary>Squared differences.</summary>
    public static Tensor MseLoss(Tensor input, Tensor target, Reduction reduction = Reduction.Mean)
    {
        Check.Float(input, "mse_loss");
        Check.ShapeIs(target, input.Shape, "mse_loss", "target");
        return Reduce((input - target).Square(), reduction, "mse_loss");
    }

    /// <summary>Absolute differences; gradient 0 where equal.</summary>
    public static Tensor L1Loss(Tensor input, Tensor target, Reduction reduction = Reduction.Mean)
    {
        Check.Float(input, "l1_loss");
        Check.ShapeIs(target, input.Shape, "l1_loss", "target");
        return Reduce((input - target).Abs(), reduction, "l1_loss");
    }

    /// <summary>
    /// q (log q - input), elementwise: with <paramref name="input"/> = log p this is KL(q || p), the target first, as in PyTorch. A target of 0 adds 0.
    /// With <paramref name="logTarget"/> the target is log q. The mean divides by the number of elements; BatchMean is the mathematical one.
    /// </summary>
    public static Tensor KlDiv(Tensor input, Tensor target, bool logTarget = false, Reduction reduction = Reduction.Mean)
    {
        Check.Float(input, "kl_div");
        Check.ShapeIs(target, input.Shape, "kl_div", "target");
        var terms = logTarget ? target.Exp() * (target - input) : Ops.MulNoNan.Apply(target, target.Log()) - target * input;
        return Reduce(terms, reduction, "kl_div");
    }

    /// <summary>KL(p || q) = sum of p (log p - log q) along a dim, from log-probabilities: first argument first, unlike <see cref="KlDiv"/>. BatchMean and Mean average the rows.</summary>
    public static Tensor KlDivergence(Tensor logP, Tensor logQ, int dim = -1, Reduction reduction = Reduction.Mean)
    {
        Check.Float(logP, "kl_divergence", "logP");
        Check.ShapeIs(logQ, logP.Shape, "kl_divergence", "logQ");
        return Reduce(Kl(logP, logQ, dim), reduction, "kl_divergence");
    }

    /// <summary>
    /// The divergence of two distributions from their mixture m = (p + q) / 2, from log-probabilities (all finite), along a dim. The true one is
    /// 1/2 KL(p || m) + 1/2 KL(q || m), at most log 2. With <paramref name="fromMixture"/> it is 1/2 KL(m || p) + 1/2 KL(m || q), which has no bound:
    /// what DeepInversion's published code computes under this name. BatchMean and Mean average the rows.
    /// </summary>
    public static Tensor JensenShannon(Tensor logP, Tensor logQ, bool fromMixture = false, int dim = -1, Reduction reduction = Reduction.Mean)
    {
        Check.Float(logP, "jensen_shannon", "logP");
        Check.ShapeIs(logQ, logP.Shape, "jensen_shannon", "logQ");
        // log m = log q + log(1 + p/q) - log 2: smooth, and exact where one of the two is tiny.
        var logM = logQ + (logP - logQ).Softplus() - Math.Log(2);
        var rows = fromMixture ? (logM.Exp() * (logM - logP + (logM - logQ))).Sum(dim) : Kl(logP, logM, dim) + Kl(logQ, logM, dim);
        return Reduce(rows * 0.5, reduction, "jensen_shannon");
    }

    /// <summary>
    /// <see cref="JensenShannon"/> of the softmaxes of two logit matrices [rows, classes], in one kernel, and its gradient in another. From the mixture it is what
    /// ARM's released code maximises, otherwise its equation 5. BatchMean and Mean average the rows.
    /// </summary>
    public static Tensor JensenShannonOfLogits(Tensor logitsP, Tensor logitsQ, bool fromMixture = false, Reduction reduction = Reduction.Mean) =>
        Reduce(new JensenShannonOp(fromMixture).Apply(logitsP, logitsQ), reduction, "jensen_shannon");

    /// <summary>
    /// Squared differences of neighbouring pixels of images [n, c, h, w]: 2 (sum of vertical ones / (c (h-1) w) + sum of horizontal ones /
    /// (c h (w-1))) / n, the normalisation of ARM's released code.
    /// </summary>
    public static Tensor TotalVariation(Tensor images)
    {
        Check.Float(images, "total_variation", "images");
        Check.Rank(images, 4, "total_variation", "images", "[n, c, h, w]");
        // c (h-1) w n is the number of vertical differences, c h (w-1) n that of horizontal ones: both terms are means.
        double outer = images.Shape[0] * images.Shape[1], h = images.Shape[2], w = images.Shape[3];
        return new TotalVariationOp(2 / (outer * (h - 1) * w), 2 / (outer * h * (w - 1))).Apply(images);
    }

    /// <summary>Entropy of softmax(logits) along a dim, in nats, one per row.</summary>
    public static Tensor Entropy(Tensor logits, int dim = -1)
    {
        var logP = logits.LogSoftmax(dim);
        // A class of probability 0 adds nothing, though its logarithm is -inf.
        return -Ops.MulNoNan.Apply(logP.Exp(), logP).Sum(dim);
    }

    private static Tensor Kl(Tensor logP, Tensor logQ, int dim) => (logP.Exp() * (logP - logQ)).Sum(dim);

    private static Tensor Reduce(Tensor losses, Reduction reduction, string op)
    {
        Check.That(reduction != Reduction.BatchMean || losses.Rank > 0, op, $"BatchMean needs a batch dim; losses = {losses.Describe()}. Use Mean.");
        return reduction switch
        {
            Reduction.Mean => losses.Mean(),
            Reduction.Sum => losses.Sum(),
            Reduction.BatchMean => losses.Sum() / losses.Shape[0],
            _ => losses,
        };
    }

    private static Tensor SoftCrossEntropy(Tensor logits, Tensor target, int dim, Tensor? weight, double smoothing, Reduction reduction)
    {
        Check.ShapeIs(target, logits.Shape, "cross_entropy", "target");
        if (smoothing > 0)
            target = target * (1 - smoothing) + smoothing / logits.Shape[dim];
        var terms = logits.LogSoftmax(dim) * target;
        var losses = -(weight is null ? terms : terms * PerClass(weight, logits, dim, "cross_entropy")).Sum(dim);
        // The mean divides by the number of rows; weights do not enter it.
        return Reduce(losses, reduction, "cross_entropy");
    }

    // (1 - e) w[t] (-log p[t]) + e / classes sum over c of w[c] (-log p[c]): the smoothed part is weighted class by class.
    private static Tensor WeightedCrossEntropy(Tensor logits, Tensor target, int dim, Tensor weight, long ignoreIndex, double smoothing, Reduction reduction)
    {
        var logP = logits.LogSoftmax(dim);
        var weights = Weights(logits, target, dim, weight, ignoreIndex);
        var losses = -(new PickOp(dim, ignoreIndex).Apply(logP, WithDim(target, dim)).Reshape(target.Shape) * weights);
        if (smoothing > 0)
        {
            var all = -(logP * PerClass(weight, logits, dim, "cross_entropy")).Sum(dim) * Weights(logits, target, dim, null, ignoreIndex);
            losses = losses * (1 - smoothing) + all * (smoothing / logits.Shape[dim]);
        }
        return reduction == Reduction.Mean ? losses.Sum() / weights.Sum() : Reduce(losses, reduction, "cross_entropy");
    }

    // The weight of each target's class, 1 without weights, and 0 where the target does not count.
    private static Tensor Weights(Tensor logits, Tensor target, int dim, Tensor? weight, long ignoreIndex)
    {
        var perClass = weight is null ? Tensor.Full([], 1, logits.DType, logits.Device) : PerClass(weight, logits, dim, "cross_entropy");
        return new PickOp(dim, ignoreIndex).Apply(perClass.Expand(logits.Shape), WithDim(target, dim)).Reshape(target.Shape);
    }

    private static Tensor PerClass(Tensor weight, Tensor logits, int dim, string op)
    {
        Check.ShapeIs(weight, [logits.Shape[dim]], op, "weight");
        Check.SameDType(weight, logits, op, "weight", "logits");
        var dims = new long[logits.Rank];
        Array.Fill(dims, 1);
        dims[dim] = logits.Shape[dim];
        return weight.Reshape(dims);
    }

    private static int ClassDim(Tensor logits, string op)
    {
        Check.That(logits.Rank > 0, op, $"a scalar has no classes; input = {logits.Describe()}. Pass [n, classes, ...] or [classes].");
        return logits.Rank == 1 ? 0 : 1;
    }

    private static Tensor ClassesLast(Tensor logits)
    {
        var order = new int[logits.Rank];
        for (int d = 2; d < order.Length; d++)
            order[d - 1] = d;
        order[^1] = 1;
        return logits.Permute(order);
    }

    private static Shape WithoutDim(Shape shape, int dim) => [.. shape.Span[..dim], .. shape.Span[(dim + 1)..]];

    private static Tensor WithDim(Tensor target, int dim) => target.Reshape([.. target.Shape.Span[..dim], 1, .. target.Shape.Span[dim..]]);
}
