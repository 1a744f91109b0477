using Native.Nn;

namespace Native.Methods;

/// <summary>A network that classifies images: features, then one linear layer. Images may come flat, as batches hold them.</summary>
public abstract class Classifier : Module
{
    /// <summary>Images [n, pixels] to what the last layer sees, [n, features].</summary>
    public abstract Tensor Features(Tensor x);

    /// <summary>The named groups of layers, from the input to the logits: the rows of gradient studies (Automatic Recall Machines, tables 8 and 9).</summary>
    public abstract IReadOnlyList<(string Name, IReadOnlyList<Parameter> Blocks)> Layers { get; }

    /// <summary>
    /// The network of the papers for a stream's images: <see cref="Mlp"/> for one channel, <see cref="ResNet18"/> for three.
    /// </summary>
    /// <param name="stream">Sizes of images and outputs.</param>
    /// <param name="init">Draws the weights.</param>
    /// <param name="width">Hidden units of the perceptron or filters of the first stage; 0 for the papers' 400 and 20.</param>
    /// <exception cref="UsageException">The width is negative, or neither network takes such images.</exception>
    public static Classifier For(TaskStream stream, Generator init, int width = 0)
    {
        var images = stream.Train;
        if (width < 0)
            throw new UsageException($"network: a width of {width} is no size. Give 1 or more, or 0 for the papers' own.");
        if (images.Channels == 1)
            return new Mlp(stream.InputSize, stream.Outputs, init, width == 0 ? Mlp.PaperWidth : width);
        if (images.Channels == 3 && images.Height == images.Width)
            return new ResNet18(stream.Outputs, init, width == 0 ? ResNet18.PaperFilters : width, side: images.Height);
        throw new UsageException($"network: images of {images.Channels} x {images.Height} x {images.Width} suit neither the perceptron (one channel) nor the "
            + "residual network (three channels, square). Resize them.");
    }

    /// <summary>Logits as at test time: running statistics, no dropout. The network returns to training afterwards.</summary>
    public Tensor Predict(Tensor images)
    {
        Eval();
        try
        {
            return Forward(images);
        }
        finally
        {
            Train();
        }
    }
}
