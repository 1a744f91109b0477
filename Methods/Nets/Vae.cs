using Native.Nn;

namespace Native.Methods;

/// <summary>Sizes of a <see cref="Vae"/>.</summary>
/// <param name="Inputs">Numbers per image.</param>
/// <param name="Hidden">Width of the hidden layers.</param>
/// <param name="Depth">Hidden layers of the encoder, and of the decoder.</param>
/// <param name="Latent">Numbers per code.</param>
/// <param name="Dropout">Share of hidden units dropped while training.</param>
public readonly record struct VaeSizes(int Inputs, int Hidden, int Depth, int Latent, double Dropout = 0);

/// <summary>
/// A variational auto-encoder of fully connected layers for images in [0, 1] (Kingma and Welling 2014): Gaussian codes, whose variance is a softplus,
/// and independent Bernoulli pixels. With two hidden layers of 128 and codes of 50 it is the generator of Maximally Interfered Retrieval on MNIST.
/// </summary>
public sealed class Vae : Module
{
    private readonly Sequential _encoder, _decoder;
    private readonly Linear _mean, _variance;
    private readonly VaeSizes _sizes;
    private readonly Generator _noise;

    /// <summary>A fresh one.</summary>
    /// <param name="sizes">Layers.</param>
    /// <param name="init">Draws the weights.</param>
    /// <param name="noise">Draws codes and dropout.</param>
    public Vae(VaeSizes sizes, Generator init, Generator noise)
    {
        if (sizes.Inputs < 1 || sizes.Hidden < 1 || sizes.Depth < 1 || sizes.Latent < 1)
            throw new UsageException($"vae: {sizes} has a size below 1.");
        (_sizes, _noise) = (sizes, noise);
        _encoder = Add("encoder", Stack(sizes.Inputs, init));
        _mean = Add("mean", new Linear(sizes.Hidden, sizes.Latent, init));
        _variance = Add("variance", new Linear(sizes.Hidden, sizes.Latent, init));
        _decoder = Add("decoder", new Sequential(Stack(sizes.Latent, init), new Linear(sizes.Hidden, sizes.Inputs, init)));
    }

    /// <summary>Numbers per code.</summary>
    public int Latent => _sizes.Latent;

    /// <summary>Mean and variance of the code of each image: [n, inputs] to [n, latent] twice.</summary>
    public (Tensor Mean, Tensor Variance) Encode(Tensor x)
    {
        var h = _encoder.Forward(x);
        // Softplus reaches 0 in single precision; the logarithm is taken of it.
        return (_mean.Forward(h), _variance.Forward(h).Softplus() + 1e-12);
    }

    /// <summary>Logits of the pixels of codes, [n, inputs].</summary>
    public Tensor DecodeLogits(Tensor z) => _decoder.Forward(z);

    /// <summary>Images of codes, in [0, 1].</summary>
    public Tensor Decode(Tensor z) => DecodeLogits(z).Sigmoid();

    /// <summary>Images drawn from the prior, constants [count, inputs].</summary>
    public Tensor Sample(long count, Generator draw)
    {
        using var constant = Autograd.NoGrad();
        return Decode(Tensor.Randn([count, Latent], draw));
    }

    /// <summary>
    /// Minus the evidence bound of images, in its two terms, each the mean over images: cross-entropy of the pixels, summed over them, and log q(z|x) -
    /// log p(z) at one drawn code, whose expectation is the Kullback-Leibler divergence.
    /// </summary>
    public (Tensor Reconstruction, Tensor Divergence) Loss(Tensor x)
    {
        var (mean, variance) = Encode(x);
        var noise = Tensor.Randn(mean.Shape, _noise);
        var z = mean + variance.Sqrt() * noise;
        var reconstruction = Functional.BceWithLogits(DecodeLogits(z), x, reduction: Reduction.Sum) / x.Shape[0];
        // (z - mean)^2 / variance is the noise squared.
        var divergence = (z.Square() - noise.Square() - variance.Log()).Sum() * (0.5 / x.Shape[0]);
        return (reconstruction, divergence);
    }

    /// <summary>The same with the divergence in closed form, as Deep Generative Replay's later implementations train it.</summary>
    public (Tensor Reconstruction, Tensor Divergence) LossExact(Tensor x)
    {
        var (mean, variance) = Encode(x);
        var z = mean + variance.Sqrt() * Tensor.Randn(mean.Shape, _noise);
        return (Functional.BceWithLogits(DecodeLogits(z), x, reduction: Reduction.Sum) / x.Shape[0],
            (mean.Square() + variance - variance.Log() - 1).Sum() * (0.5 / x.Shape[0]));
    }

    private Sequential Stack(int inputs, Generator init)
    {
        var layers = new List<Module>();
        for (int i = 0; i < _sizes.Depth; i++)
        {
            layers.Add(new Linear(i == 0 ? inputs : _sizes.Hidden, _sizes.Hidden, init));
            layers.Add(new Relu());
            if (_sizes.Dropout > 0)
                layers.Add(new Dropout(_sizes.Dropout, _noise));
        }
        return new Sequential([.. layers]);
    }
}
