namespace Native.Nn;

/// <summary>Two-dimensional convolution (cross-correlation): [n, in, h, w] to [n, out, h', w']. Starts with PyTorch's default values.</summary>
public sealed class Conv2d : Module, IActivatedLayer
{
    private readonly long _stride, _padding, _dilation, _groups;

    /// <summary>A layer with a square kernel, drawn from the generator.</summary>
    public Conv2d(long inChannels, long outChannels, long kernel, Generator generator,
        long stride = 1, long padding = 0, long dilation = 1, long groups = 1, bool bias = true, DType dtype = DType.F32, Device? device = null)
    {
        Check.That(groups >= 1 && inChannels % groups == 0 && outChannels % groups == 0,
            "conv2d", $"{groups} groups do not divide {inChannels} channels in and {outChannels} out. Choose a common divisor.");
        (_stride, _padding, _dilation, _groups) = (stride, padding, dilation, groups);
        using var scope = TensorScope.Begin("conv2d");
        Weight = Add("weight", Init.DefaultWeight([outChannels, inChannels / groups, kernel, kernel], generator, dtype, device));
        if (bias)
            Bias = Add("bias", Init.DefaultBias(Weight.Shape, outChannels, generator, dtype, device));
    }

    /// <summary>[out, in / groups, kernel, kernel].</summary>
    public Parameter Weight { get; }

    /// <summary>[out], or null.</summary>
    public Parameter? Bias { get; }

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x) => Functional.Conv2d(x, Weight.Value, Bias?.Value, _stride, _padding, _dilation, _groups);

    Tensor IActivatedLayer.Forward(Tensor x, Activation activation) => activation.Joins
        ? Functional.Conv2d(x, Weight.Value, Bias?.Value, (_stride, _stride), (_padding, _padding), (_dilation, _dilation), _groups, activation)
        : activation.Apply(Forward(x));
}

/// <summary>The transpose of a convolution: [n, in, h, w] to [n, out, h', w'] with h' = (h - 1) stride - 2 padding + dilation (kernel - 1) + outputPadding + 1.</summary>
public sealed class ConvTranspose2d : Module, IActivatedLayer
{
    private readonly long _stride, _padding, _outputPadding, _dilation, _groups;

    /// <summary>A layer with a square kernel, drawn from the generator.</summary>
    public ConvTranspose2d(long inChannels, long outChannels, long kernel, Generator generator,
        long stride = 1, long padding = 0, long outputPadding = 0, long groups = 1, long dilation = 1, bool bias = true, DType dtype = DType.F32, Device? device = null)
    {
        Check.That(groups >= 1 && inChannels % groups == 0 && outChannels % groups == 0,
            "conv_transpose2d", $"{groups} groups do not divide {inChannels} channels in and {outChannels} out. Choose a common divisor.");
        (_stride, _padding, _outputPadding, _dilation, _groups) = (stride, padding, outputPadding, dilation, groups);
        using var scope = TensorScope.Begin("conv_transpose2d");
        Weight = Add("weight", Init.DefaultWeight([inChannels, outChannels / groups, kernel, kernel], generator, dtype, device));
        if (bias)
            Bias = Add("bias", Init.DefaultBias(Weight.Shape, outChannels, generator, dtype, device));
    }

    /// <summary>[in, out / groups, kernel, kernel].</summary>
    public Parameter Weight { get; }

    /// <summary>[out], or null.</summary>
    public Parameter? Bias { get; }

    /// <inheritdoc/>
    public override Tensor Forward(Tensor x) => Functional.ConvTranspose2d(x, Weight.Value, Bias?.Value, _stride, _padding, _outputPadding, _groups, _dilation);

    Tensor IActivatedLayer.Forward(Tensor x, Activation activation) => activation.Joins
        ? Functional.ConvTranspose2d(x, Weight.Value, Bias?.Value, (_stride, _stride), (_padding, _padding), (_outputPadding, _outputPadding), _groups, (_dilation, _dilation), activation)
        : activation.Apply(Forward(x));
}
