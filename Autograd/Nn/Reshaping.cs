namespace Native.Nn;

/// <summary>Splits the last dim: [n, c*h*w] to [n, c, h, w].</summary>
/// <param name="shape">What the last dim becomes; the dims before it stay.</param>
public sealed class Unflatten(params long[] shape) : Module
{
    /// <inheritdoc/>
    public override Tensor Forward(Tensor x)
    {
        Check.That(x.Rank > 0, "unflatten", $"a scalar has no last dim; input = {x.Describe()}.");
        return x.Reshape([.. x.Shape.Span[..^1], .. shape]);
    }
}

/// <summary>Enlarges images by a whole factor; every pixel becomes a square of equal pixels.</summary>
/// <param name="factor">How much larger both sides become.</param>
public sealed class UpsampleNearest(int factor) : Module
{
    /// <inheritdoc/>
    public override Tensor Forward(Tensor x) => x.UpsampleNearest(factor);
}
