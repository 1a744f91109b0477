namespace Native.Methods;

/// <summary>
/// The control with continuous codes (Scalable Recollections, table 6 and figure 3): the same layers with h filters and nothing drawn, so that an image is
/// 4 h numbers of 32 bits; the printed compressions, 49 / h on MNIST, say so.
/// </summary>
/// <param name="filters">h.</param>
/// <param name="channels">Channels of an image.</param>
/// <param name="side">Pixels of its side.</param>
/// <param name="init">Draws the weights.</param>
/// <param name="dtype">Element type.</param>
/// <param name="device">Null for the default.</param>
public sealed class ContinuousAutoEncoder(int filters, int channels, int side, Generator init, DType dtype = DType.F32, Device? device = null)
    : ConvAutoEncoder(filters, channels, side, init, dtype, device)
{
    /// <summary>Bits of an item: 32 a number.</summary>
    public int Bits => StoredBits.PerNumber * CodeLength;

    /// <summary>Codes [n, 4 h] of images [n, pixels] in [0, 1].</summary>
    public Tensor Encode(Tensor images) => Bottleneck(images);

    /// <summary>The images [n, pixels] in [0, 1] of codes [n, 4 h], a constant.</summary>
    public Tensor Recall(Tensor codes)
    {
        using var constant = Autograd.NoGrad();
        return TensorScope.Run(() => Decode(codes).Sigmoid(), "recall");
    }

    /// <summary>Images [n, pixels] through code and back, a constant in [0, 1].</summary>
    public Tensor Reconstruct(Tensor images)
    {
        using var constant = Autograd.NoGrad();
        return TensorScope.Run(() => Decode(Encode(images)).Sigmoid(), "reconstruct");
    }

    /// <summary>Bernoulli cross-entropy, summed over the pixels, mean over the images [n, pixels] in [0, 1].</summary>
    public Tensor Loss(Tensor images) => CrossEntropy(Decode(Encode(images)), images);
}
