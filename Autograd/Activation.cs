namespace Native;

/// <summary>Which activation.</summary>
internal enum ActivationKind
{
    None,
    Relu,
    LeakyRelu,
    Tanh,
    Sigmoid,
}

/// <summary>
/// An activation that joins the operation before it: a sum with a bias, or a convolution. Value and derivatives have the bits of the two operations one
/// after the other; the value between them is never stored.
/// </summary>
/// <param name="Kind">Which.</param>
/// <param name="Slope">Of a leaky rectifier.</param>
internal readonly record struct Activation(ActivationKind Kind, double Slope = 0)
{
    /// <summary>Whether the derivative can be told from the output alone.</summary>
    public bool Joins => Kind != ActivationKind.LeakyRelu || Slope >= 0;

    /// <summary>What a kernel does to its results.</summary>
    public Epilogue Epilogue => Kind switch
    {
        ActivationKind.Relu => new(Ops.Relu.Kernel, 0, Rectify.Relu),
        ActivationKind.LeakyRelu => new(Ops.LeakyRelu.Kernel, Slope, Rectify.LeakyRelu),
        ActivationKind.Tanh => new(Ops.Tanh.Kernel),
        ActivationKind.Sigmoid => new(Ops.Sigmoid.Kernel),
        _ => default,
    };

    /// <summary>The activation alone.</summary>
    public Tensor Apply(Tensor x) => Kind switch
    {
        ActivationKind.Relu => x.Relu(),
        ActivationKind.LeakyRelu => x.LeakyRelu(Slope),
        ActivationKind.Tanh => x.Tanh(),
        ActivationKind.Sigmoid => x.Sigmoid(),
        _ => x,
    };

    /// <summary>The activation of x + bias, in one pass.</summary>
    public Tensor ApplyToSum(Tensor x, Tensor bias) => Kind switch
    {
        ActivationKind.Relu => Ops.AddRelu.Apply(x, bias),
        ActivationKind.LeakyRelu when Joins => Ops.AddLeakyRelu.Apply(x, bias, Slope),
        ActivationKind.Tanh => Ops.AddTanh.Apply(x, bias),
        ActivationKind.Sigmoid => Ops.AddSigmoid.Apply(x, bias),
        _ => Apply(x + bias),
    };

    /// <summary>The gradient of what was activated, from that of the output y.</summary>
    public Tensor Grad(Tensor g, Tensor y) => Kind switch
    {
        ActivationKind.Relu => Ops.LeakyReluGrad.Apply(g, y),
        ActivationKind.LeakyRelu => Ops.LeakyReluGrad.Apply(g, y, Slope),
        ActivationKind.Tanh => Ops.TanhGrad.Apply(g, y),
        ActivationKind.Sigmoid => Ops.SigmoidGrad.Apply(g, y),
        _ => g,
    };
}
