namespace Native.Nn;

/// <summary>A module that is an activation and nothing else, so that the layer before it may compute it.</summary>
internal interface IActivation
{
    Activation Activation { get; }
}

/// <summary>A layer that can compute the activation after it, with the bits of both one after the other.</summary>
internal interface IActivatedLayer
{
    Tensor Forward(Tensor x, Activation activation);
}

/// <summary>max(x, 0).</summary>
public sealed class Relu : Module, IActivation
{
    Activation IActivation.Activation => new(ActivationKind.Relu);

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x) => x.Relu();
}

/// <summary>x where positive, else slope * x.</summary>
/// <param name="slope">Slope of the negative side.</param>
public sealed class LeakyRelu(double slope = 0.01) : Module, IActivation
{
    Activation IActivation.Activation => new(ActivationKind.LeakyRelu, slope);

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x) => x.LeakyRelu(slope);
}

/// <summary>Hyperbolic tangent.</summary>
public sealed class Tanh : Module, IActivation
{
    Activation IActivation.Activation => new(ActivationKind.Tanh);

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x) => x.Tanh();
}

/// <summary>1 / (1 + e^-x).</summary>
public sealed class Sigmoid : Module, IActivation
{
    Activation IActivation.Activation => new(ActivationKind.Sigmoid);

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x) => x.Sigmoid();
}

/// <summary>Joins all dims from <paramref name="start"/> on: [n, c, h, w] to [n, c*h*w].</summary>
/// <param name="start">First dim to join; the ones before it stay.</param>
public sealed class Flatten(int start = 1) : Module
{
    /// <inheritdoc/>
    public override Tensor Forward(Tensor x)
    {
        int from = Check.Dim(start, x.Rank, x, "flatten");
        long joined = 1;
        for (int d = from; d < x.Rank; d++)
            joined *= x.Shape[d];
        return x.Reshape([.. x.Shape.Span[..from], joined]);
    }
}
