namespace Native;

/// <summary>Activations and stochastic layers as compositions.</summary>
public static partial class Functional
{
    /// <summary>x sigmoid(x), also called swish.</summary>
    public static Tensor Silu(Tensor x) => x * x.Sigmoid();

    /// <summary>x times the normal distribution function of x, by the error function.</summary>
    public static Tensor Gelu(Tensor x) => x * ((x * Math.Sqrt(0.5)).Erf() + 1) * 0.5;

    /// <summary>x where positive, else alpha (e^x - 1); the derivative at 0 is alpha.</summary>
    public static Tensor Elu(Tensor x, double alpha = 1) => Ops.Elu.Apply(x, alpha);

    /// <summary>In training, zeroes each element with probability p and scales the others by 1 / (1 - p); otherwise the input itself.</summary>
    public static Tensor Dropout(Tensor x, double p, Generator generator, bool training = true)
    {
        Check.Float(x, "dropout");
        if (!(p >= 0 && p <= 1))
            throw new UsageException($"dropout: a probability is in [0, 1]; p = {p}.");
        return training && p > 0 ? x * Tensor.DropoutMask(x.Shape, p, generator, x.DType, x.Device) : x;
    }

    /// <summary>The value of the first tensor with the gradient of the second: hard - soft.Detach() + soft, without the rounding of those two steps.</summary>
    public static Tensor StraightThrough(Tensor hard, Tensor soft)
    {
        Check.ShapeIs(hard, soft.Shape, "straight_through", "hard");
        Check.SameDType(hard, soft, "straight_through", "hard", "soft");
        return StraightThroughOp.Instance.Apply(hard, soft);
    }

    /// <summary>
    /// A relaxed sample of softmax(logits): softmax((logits + Gumbel noise) / tau) along a dim. With <paramref name="hard"/> the value is the one-hot of
    /// its largest entry and the gradient that of the relaxed sample (Jang, Gu, Poole 2017; Maddison, Mnih, Teh 2017).
    /// </summary>
    public static Tensor GumbelSoftmax(Tensor logits, double tau, Generator generator, bool hard = false, int dim = -1)
    {
        Check.Float(logits, "gumbel_softmax", "logits");
        return GumbelSoftmax(logits, Tensor.Gumbel(logits.Shape, generator, logits.DType, logits.Device), tau, hard, dim);
    }

    /// <summary>As above with given noise of the logits' shape.</summary>
    public static Tensor GumbelSoftmax(Tensor logits, Tensor noise, double tau, bool hard = false, int dim = -1)
    {
        if (!(tau > 0))
            throw new UsageException($"gumbel_softmax: the temperature must be positive; tau = {tau}.");
        return new GumbelSoftmaxOp(tau, hard, Check.Dim(dim, logits.Rank, logits, "gumbel_softmax")).Apply(logits, noise);
    }

    /// <summary>weight * sigmoid(scale * embedding): weights behind a learned mask, which broadcasts over rows, columns or taps (Dynamic Generative Memory, section 3.2).</summary>
    public static Tensor MaskWeight(Tensor weight, Tensor embedding, double scale) => Ops.MaskWeight.Apply(weight, embedding, scale);

    /// <summary>
    /// The gradient of a mask's embedding at annealed scale, as if the mask had been at its final one:
    /// g (finalScale / scale) (cosh(clamp(scale e, -50, 50)) + 1) / (cosh(e) + 1) (Serra et al. 2018, equation 8).
    /// </summary>
    public static Tensor CompensateMask(Tensor gradient, Tensor embedding, double scale, double finalScale) =>
        Ops.MaskCompensate.Apply(gradient, embedding, scale, finalScale);

    /// <summary>One-hot of the largest element along a dim (the first of a tie); a constant.</summary>
    public static Tensor HardMax(Tensor x, int dim = -1)
    {
        Check.Float(x, "hard_max");
        int d = Check.Dim(dim, x.Rank, x, "hard_max");
        var index = x.Detach().ArgMax(d, keepDim: true);
        return new PlaceOp(d, x.Shape[d]).Apply(Tensor.Full(index.Shape, 1, x.DType, x.Device), index);
    }
}
