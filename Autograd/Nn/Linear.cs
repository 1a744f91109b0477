namespace Native.Nn;

/// <summary>y = x W' + b: [..., in] to [..., out]. Starts with PyTorch's default values.</summary>
public sealed class Linear : Module, IActivatedLayer
{
    /// <summary>A layer from <paramref name="inFeatures"/> to <paramref name="outFeatures"/> values, drawn from the generator.</summary>
    public Linear(long inFeatures, long outFeatures, Generator generator, bool bias = true, DType dtype = DType.F32, Device? device = null)
    {
        using var scope = TensorScope.Begin("linear");
        Weight = Add("weight", Init.DefaultWeight([outFeatures, inFeatures], generator, dtype, device));
        if (bias)
            Bias = Add("bias", Init.DefaultBias(Weight.Shape, outFeatures, generator, dtype, device));
    }

    /// <summary>[out, in].</summary>
    public Parameter Weight { get; }

    /// <summary>[out], or null.</summary>
    public Parameter? Bias { get; }

    /// <summary>Values in.</summary>
    public long InFeatures => Weight.Shape[1];

    /// <summary>Values out.</summary>
    public long OutFeatures => Weight.Shape[0];

    /// <summary>[..., in] to [..., out].</summary>
    public override Tensor Forward(Tensor x)
    {
        var y = Product(x);
        return Bias is null ? y : y + Bias.Value;
    }

    Tensor IActivatedLayer.Forward(Tensor x, Activation activation)
    {
        var y = Product(x);
        return Bias is null ? activation.Apply(y) : activation.ApplyToSum(y, Bias.Value);
    }

    private Tensor Product(Tensor x)
    {
        if (x.Rank == 0 || x.Shape[-1] != InFeatures)
            throw new ShapeException($"linear: '{Weight.Name}' takes {InFeatures} features; input = {x.Describe()}. Its last dim must be that number.");
        return x.MatMul(Weight.Value.T);
    }

    /// <summary>Makes the layer larger; old weights stay, new ones are drawn as at the start of a layer of the new size.</summary>
    public void Grow(long inFeatures, long outFeatures, Generator generator)
    {
        using var scope = TensorScope.Begin("grow");
        Weight.Grow([outFeatures, inFeatures], w => w.CopyInPlace(Init.DefaultWeight(w.Shape, generator, w.DType, w.Device)));
        Bias?.Grow([outFeatures], b => b.CopyInPlace(Init.DefaultBias(Weight.Shape, outFeatures, generator, b.DType, b.Device)));
    }
}
