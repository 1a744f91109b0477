using Native.Nn;

namespace Native.Methods;

/// <summary>What makes the images.</summary>
public enum GeneratorKind
{
    /// <summary>Two linear and two convolution layers (section 4).</summary>
    Conv,

    /// <summary>Two linear layers: for small settings.</summary>
    Mlp,
}

/// <summary>The networks that turn noise and a class into an image, [n, latent + classes] to [n, channels, side, side] in [-1, 1].</summary>
public static class ImageGenerator
{
    private const double Slope = 0.1;

    /// <summary>
    /// The paper's: linear, linear, and two 3 x 3 convolutions at twice and four times the side of the first maps, batch normalisation after each layer but
    /// the last, which tanh bounds. Widths are unstated; Generative Teaching Networks have 1024 hidden units, 128 and 64 filters. The first layer's image
    /// side is a quarter of the image's, so the side must divide by 4.
    /// </summary>
    /// <param name="inputs">Latent numbers and classes together.</param>
    /// <param name="channels">Channels of an image.</param>
    /// <param name="side">Height and width of an image.</param>
    /// <param name="hidden">Units of the first layer.</param>
    /// <param name="filters">Maps that the second layer makes; the first convolution has half as many.</param>
    /// <param name="init">Draws the weights.</param>
    /// <param name="dtype">Element type.</param>
    public static Sequential Conv(int inputs, int channels, int side, int hidden, int filters, Generator init, DType dtype = DType.F32)
    {
        if (side % 4 != 0 || filters % 2 != 0)
            throw new UsageException($"generator: a side of {side} and {filters} maps do not suit two doublings with half as many filters after the first. "
                + "Use a side that divides by 4 and an even number, or generator=mlp.");
        int first = side / 4, maps = filters * first * first;
        return new Sequential(
            new Linear(inputs, hidden, init, dtype: dtype), new BatchNorm(hidden, dtype: dtype), new LeakyRelu(Slope),
            new Linear(hidden, maps, init, dtype: dtype), new BatchNorm(maps, dtype: dtype), new LeakyRelu(Slope), new Unflatten(filters, first, first),
            new UpsampleNearest(2), new Conv2d(filters, filters / 2, 3, init, padding: 1, dtype: dtype), new BatchNorm(filters / 2, dtype: dtype), new LeakyRelu(Slope),
            new UpsampleNearest(2), new Conv2d(filters / 2, channels, 3, init, padding: 1, dtype: dtype), new Tanh());
    }

    /// <summary>One hidden layer with batch normalisation, then the pixels.</summary>
    /// <inheritdoc cref="Conv"/>
    public static Sequential Mlp(int inputs, int channels, int side, int hidden, Generator init, DType dtype = DType.F32) => new(
        new Linear(inputs, hidden, init, dtype: dtype), new BatchNorm(hidden, dtype: dtype), new LeakyRelu(Slope),
        new Linear(hidden, channels * side * side, init, dtype: dtype), new Tanh(), new Unflatten(channels, side, side));
}
