namespace Native.Nn;

/// <summary>
/// While training, sets elements to 0 with probability p and divides the others by 1 - p (Srivastava et al. 2014); in evaluation does nothing. Inside a
/// <see cref="Checkpoint"/>, name the generator there.
/// </summary>
public sealed class Dropout : Module
{
    private readonly double _p;
    private readonly Generator _generator;

    /// <summary>Draws its masks from the generator: element i is kept when its 24-bit uniform number is at least p.</summary>
    public Dropout(double p, Generator generator)
    {
        _p = p is >= 0 and < 1 ? p : throw new UsageException($"dropout: p is the share that is dropped, in [0, 1); got {p}.");
        _generator = generator;
    }

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x) => Training && _p > 0 ? x * Mask(x) : x;

    // 0 or 1 / (1 - p); numbered as every 32-bit fill of a generator is, so any device draws the same.
    private Tensor Mask(Tensor x)
    {
        Check.Float(x, "dropout");
        var words = new uint[x.Count];
        var (key, counter) = _generator.Reserve((x.Count + 3) / 4);
        Philox.Fill(key, counter, words);
        var keep = new float[x.Count];
        uint threshold = (uint)Math.Ceiling(_p * (1 << 24));
        for (int i = 0; i < keep.Length; i++)
            keep[i] = words[i] >> 8 >= threshold ? 1 : 0;
        return Tensor.From(keep, x.Shape, x.Device).To(x.DType) * (1 / (1 - _p));
    }
}
