using Native.Nn;

namespace Native.Methods;

/// <summary>
/// The convolutional auto-encoder of Scalable Recollections: three convolutions and three transposed ones, kernels 5 x 5, stride 3, padding 2, as many filters
/// in every layer, no fully connected one, ReLU inside, linear at the code, Bernoulli pixels. 28 pixels become 10, 4 and 2, and 32 become 11, 4 and 2: the
/// strides and paddings are not printed and follow from the paper's storage numbers (<see cref="CodeSize"/>).
/// </summary>
public abstract class ConvAutoEncoder : Module
{
    private const int Kernel = 5, Stride = 3, Padding = 2, Narrowest = 2;

    private readonly Sequential _encoder, _decoder;

    private protected ConvAutoEncoder(int filters, int channels, int side, Generator init, DType dtype, Device? device)
    {
        if (filters < 1 || channels < 1)
            throw new UsageException($"auto-encoder: {filters} filters and {channels} channels are not a network. Give 1 or more of each.");
        (Filters, Channels, Side) = (filters, channels, side);
        int first = Smaller(side), second = Smaller(first);
        if (side < 1 || Smaller(second) != Narrowest)
            throw new UsageException($"auto-encoder: images of {side} x {side} pixels do not come down to {Narrowest} x {Narrowest} in three convolutions of stride {Stride}. Give a side from 28 to 54.");
        Conv2d down(int from) => new(from, filters, Kernel, init, Stride, Padding, dtype: dtype, device: device);
        ConvTranspose2d up(int to, int small, int large) => new(filters, to, Kernel, init, Stride, Padding, large - (small - 1) * Stride - 1, dtype: dtype, device: device);
        _encoder = Add("encoder", new Sequential(down(channels), new Relu(), down(filters), new Relu(), down(filters), new Flatten()));
        _decoder = Add("decoder", new Sequential(new Unflatten(filters, Narrowest, Narrowest), up(filters, Narrowest, second), new Relu(),
            up(filters, second, first), new Relu(), up(channels, first, side), new Flatten()));
        // Xavier's: with PyTorch's own smaller weights the codes of MNIST stay noise for thousands of steps, and the decoder learns to ignore them.
        using var scope = TensorScope.Begin("xavier");
        using var constant = Autograd.NoGrad();
        foreach (var p in Parameters())
            p.Value.CopyInPlace(p.Value.Rank == 4 ? Init.XavierUniform(p.Shape, init, dtype: dtype, device: device) : Tensor.Zeros(p.Shape, dtype, device));
    }

    /// <summary>Filters of every layer.</summary>
    public int Filters { get; }

    /// <summary>Channels of an image.</summary>
    public int Channels { get; }

    /// <summary>Pixels of an image's side.</summary>
    public int Side { get; }

    /// <summary>Numbers of an image.</summary>
    public int Pixels => Channels * Side * Side;

    /// <summary>Numbers between encoder and decoder: 4 a filter.</summary>
    public int CodeLength => Filters * Narrowest * Narrowest;

    /// <summary>Logits of the pixels [n, pixels] of codes [n, <see cref="CodeLength"/>].</summary>
    public Tensor Decode(Tensor code) => _decoder.Forward(code);

    /// <summary>What the encoder says of images [n, pixels]: [n, <see cref="CodeLength"/>].</summary>
    private protected Tensor Bottleneck(Tensor images) => _encoder.Forward(images.Reshape(-1, Channels, Side, Side));

    /// <summary>Bernoulli cross-entropy of pixels in [0, 1] with the logits' probabilities: summed over the pixels, mean over the images.</summary>
    private protected static Tensor CrossEntropy(Tensor logits, Tensor images) => Functional.BceWithLogits(logits, images, reduction: Reduction.Sum) / images.Shape[0];

    private static int Smaller(int side) => (side + 2 * Padding - Kernel) / Stride + 1;
}
