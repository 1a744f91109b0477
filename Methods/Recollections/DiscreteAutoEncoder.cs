namespace Native.Methods;

/// <summary>
/// A variational auto-encoder with categorical codes (Scalable Recollections, appendix; Jang, Gu and Poole 2017): the encoder gives the logits of c variables
/// of l categories, a code is one Gumbel sample of each as one-hot vectors, and training passes the gradient of the relaxed sample straight through.
/// </summary>
public sealed class DiscreteAutoEncoder : ConvAutoEncoder
{
    /// <summary>A fresh one.</summary>
    /// <param name="size">c and l.</param>
    /// <param name="channels">Channels of an image.</param>
    /// <param name="side">Pixels of its side: 28 and 32 in the paper.</param>
    /// <param name="init">Draws the weights: Xavier's uniform distribution, and biases of 0, as in Jang, Gu and Poole's code; the paper names none.</param>
    /// <param name="dtype">Element type.</param>
    /// <param name="device">Null for the default.</param>
    /// <exception cref="UsageException">Such images do not come down to 2 x 2.</exception>
    public DiscreteAutoEncoder(CodeSize size, int channels, int side, Generator init, DType dtype = DType.F32, Device? device = null)
        : base(size.Filters, channels, side, init, dtype, device) => Size = size;

    /// <summary>c and l.</summary>
    public CodeSize Size { get; }

    /// <summary>Logits [n, c, l] of images [n, pixels] in [0, 1].</summary>
    public Tensor Logits(Tensor images) => Bottleneck(images).Reshape(-1, Size.Variables, Size.Categories);

    /// <summary>
    /// One sample of each variable (equations 1 and 2): values are one-hot vectors [n, c, l] of the largest of logit + noise, gradients those of
    /// softmax((logits + noise) / tau).
    /// </summary>
    /// <param name="logits">[n, c, l].</param>
    /// <param name="noise">Standard Gumbel, of the same shape.</param>
    /// <param name="tau">Temperature; 1 in the paper.</param>
    public static Tensor Sample(Tensor logits, Tensor noise, double tau = 1) => Functional.GumbelSoftmax(logits, noise, tau, hard: true);

    /// <summary>The same with noise of a generator.</summary>
    public static Tensor Sample(Tensor logits, Generator noise, double tau = 1) => Functional.GumbelSoftmax(logits, tau, noise, hard: true);

    /// <summary>
    /// The categories i64 [n, c] of images [n, pixels], a constant: one stochastic pass, as the paper stores and reports. Without a generator the likeliest.
    /// </summary>
    public Tensor Encode(Tensor images, Generator? noise)
    {
        using var constant = Autograd.NoGrad();
        return TensorScope.Run(() =>
        {
            var logits = Logits(images);
            return (noise is null ? logits : logits + Tensor.Gumbel(logits.Shape, noise, logits.DType, logits.Device)).ArgMax(2);
        }, "encode");
    }

    /// <summary>Categories i64 [n, c] as one-hot vectors end to end, [n, c l]: what <see cref="ConvAutoEncoder.Decode"/> takes.</summary>
    public Tensor OneHot(Tensor categories) => categories.OneHot(Size.Categories, Parameters()[0].Value.DType).Reshape(-1, Size.Length);

    /// <summary>The images [n, pixels] in [0, 1] that categories i64 [n, c] stand for, a constant: the mean of the pixels' distributions.</summary>
    public Tensor Recall(Tensor categories)
    {
        using var constant = Autograd.NoGrad();
        return TensorScope.Run(() => Decode(OneHot(categories)).Sigmoid(), "recall");
    }

    /// <summary>One stochastic pass of images [n, pixels] through code and back, a constant in [0, 1]. Without a generator the likeliest code.</summary>
    public Tensor Reconstruct(Tensor images, Generator? noise) => Recall(Encode(images, noise));

    /// <summary>
    /// The training loss of images [n, pixels] in [0, 1]: Bernoulli cross-entropy, summed over the pixels, plus <paramref name="klWeight"/> times the divergence
    /// of the codes' distributions from uniform ones, both the mean over images.
    /// </summary>
    /// <param name="images">Images; also the targets.</param>
    /// <param name="noise">Draws the Gumbel noise.</param>
    /// <param name="tau">Temperature; 1 in the paper.</param>
    /// <param name="klWeight">0: the paper names a reconstruction loss only. 1 is Jang, Gu and Poole's evidence bound.</param>
    public Tensor Loss(Tensor images, Generator noise, double tau = 1, double klWeight = 0)
    {
        var logits = Logits(images);
        return Loss(images, logits, Sample(logits, noise, tau), klWeight);
    }

    /// <summary>The same with given noise [n, c, l].</summary>
    public Tensor Loss(Tensor images, Tensor noise, double tau = 1, double klWeight = 0)
    {
        var logits = Logits(images);
        return Loss(images, logits, Sample(logits, noise, tau), klWeight);
    }

    /// <summary>KL(q(z | x) || uniform), summed over the variables, mean over the images: sum of q log q + c log l. A scalar, of logits [n, c, l].</summary>
    public static Tensor Divergence(Tensor logits)
    {
        var log = logits.LogSoftmax(2);
        return (log.Exp() * log).Sum() / logits.Shape[0] + logits.Shape[1] * Math.Log(logits.Shape[2]);
    }

    private Tensor Loss(Tensor images, Tensor logits, Tensor code, double klWeight)
    {
        var loss = CrossEntropy(Decode(code.Reshape(-1, Size.Length)), images);
        return klWeight == 0 ? loss : loss + klWeight * Divergence(logits);
    }
}
