namespace Native.Nn;

/// <summary>Which of a weight's fans a variance is scaled by.</summary>
public enum Fan
{
    /// <summary>Inputs of one output: keeps the variance of activations.</summary>
    In,

    /// <summary>Outputs of one input: keeps the variance of gradients.</summary>
    Out,
}

/// <summary>
/// First values of weights, as PyTorch defines them. A weight is [out, in, kernel...]; fan-in is dim 1 times the kernel, fan-out dim 0
/// times the kernel. (For transposed convolutions, whose weight is [in, out / groups, kernel...], "fan-in" therefore counts outputs; PyTorch's
/// choice, kept.) All draws come from the generator, with the same bits on every device.
/// </summary>
public static class Init
{
    /// <summary>Uniform in [-bound, bound).</summary>
    public static Tensor Uniform(Shape shape, double bound, Generator generator, DType dtype = DType.F32, Device? device = null) =>
        Tensor.Rand(shape, generator, -bound, bound, dtype, device);

    /// <summary>Normal with the given deviation.</summary>
    public static Tensor Normal(Shape shape, double deviation, Generator generator, DType dtype = DType.F32, Device? device = null) =>
        Tensor.Randn(shape, generator, 0, deviation, dtype, device);

    /// <summary>He et al. 2015, uniform: bound = gain * sqrt(3 / fan).</summary>
    public static Tensor KaimingUniform(Shape shape, Generator generator, double gain = GainRelu, Fan fan = Fan.In, DType dtype = DType.F32, Device? device = null) =>
        Uniform(shape, KaimingBound(shape, gain, fan), generator, dtype, device);

    /// <summary>He et al. 2015, normal: deviation = gain / sqrt(fan).</summary>
    public static Tensor KaimingNormal(Shape shape, Generator generator, double gain = GainRelu, Fan fan = Fan.In, DType dtype = DType.F32, Device? device = null) =>
        Normal(shape, KaimingDeviation(shape, gain, fan), generator, dtype, device);

    /// <summary>Glorot and Bengio 2010, uniform: bound = gain * sqrt(6 / (fan-in + fan-out)).</summary>
    public static Tensor XavierUniform(Shape shape, Generator generator, double gain = 1, DType dtype = DType.F32, Device? device = null) =>
        Uniform(shape, XavierBound(shape, gain), generator, dtype, device);

    /// <summary>Glorot and Bengio 2010, normal: deviation = gain * sqrt(2 / (fan-in + fan-out)).</summary>
    public static Tensor XavierNormal(Shape shape, Generator generator, double gain = 1, DType dtype = DType.F32, Device? device = null) =>
        Normal(shape, XavierDeviation(shape, gain), generator, dtype, device);

    /// <summary>
    /// PyTorch's default weight of linear and convolution layers: uniform, bound = 1 / sqrt(fan-in) (it is written there as Kaiming's with the
    /// gain of a leaky rectifier of slope sqrt(5)).
    /// </summary>
    public static Tensor DefaultWeight(Shape shape, Generator generator, DType dtype = DType.F32, Device? device = null) =>
        Uniform(shape, DefaultBound(shape), generator, dtype, device);

    /// <summary>PyTorch's default bias: uniform with the bound of the weight it belongs to.</summary>
    public static Tensor DefaultBias(Shape weight, long count, Generator generator, DType dtype = DType.F32, Device? device = null) =>
        Uniform([count], DefaultBound(weight), generator, dtype, device);

    /// <summary>Gain of a rectifier: sqrt(2).</summary>
    public const double GainRelu = 1.4142135623730951;

    /// <summary>Gain of tanh: 5/3.</summary>
    public const double GainTanh = 5.0 / 3;

    /// <summary>Gain of a leaky rectifier: sqrt(2 / (1 + slope^2)).</summary>
    public static double GainLeakyRelu(double slope = 0.01) => Math.Sqrt(2 / (1 + slope * slope));

    internal static double KaimingBound(Shape shape, double gain, Fan fan) => Math.Sqrt(3) * KaimingDeviation(shape, gain, fan);

    internal static double KaimingDeviation(Shape shape, double gain, Fan fan)
    {
        var (fanIn, fanOut) = Fans(shape);
        return gain / Math.Sqrt(fan == Fan.In ? fanIn : fanOut);
    }

    internal static double XavierBound(Shape shape, double gain) => Math.Sqrt(3) * XavierDeviation(shape, gain);

    internal static double XavierDeviation(Shape shape, double gain)
    {
        var (fanIn, fanOut) = Fans(shape);
        return gain * Math.Sqrt(2.0 / (fanIn + fanOut));
    }

    internal static double DefaultBound(Shape weight) => 1 / Math.Sqrt(Fans(weight).In);

    internal static (long In, long Out) Fans(Shape shape)
    {
        Check.That(shape.Rank >= 2, "init", $"fans need a weight of at least two dims [out, in, ...]; got {shape}. Use Uniform or Normal with your own scale.");
        long kernel = 1;
        for (int i = 2; i < shape.Rank; i++)
            kernel *= shape.Span[i];
        return (shape.Span[1] * kernel, shape.Span[0] * kernel);
    }
}
