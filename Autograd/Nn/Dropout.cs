namespace Native.Nn;

/// <summary>
/// While training, sets elements to 0 with probability p and divides the others by 1 - p (Srivastava et al. 2014); in evaluation does nothing. Inside a
/// <see cref="Checkpoint"/>, name the generator there.
/// </summary>
public sealed class Dropout : Module
{
    private readonly double _p;
    private readonly Generator _generator;

    /// <summary>Draws its masks from the generator; p is the share that is dropped.</summary>
    public Dropout(double p, Generator generator)
    {
        _p = p is >= 0 and < 1 ? p : throw new UsageException($"dropout: p is the share that is dropped, in [0, 1); got {p}.");
        _generator = generator;
    }

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x)
    {
        Check.Float(x, "dropout");
        return Training && _p > 0 ? x * Tensor.DropoutMask(x.Shape, _p, _generator, x.DType, x.Device) : x;
    }
}
