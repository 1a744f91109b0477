using System.Globalization;

namespace Native.Methods;

/// <summary>Auto-encoders of the paper's distortion and distillation experiments: trained offline on all images of a stream.</summary>
internal static class AutoEncoderTraining
{
    /// <summary>The training of a discrete one.</summary>
    public static Pretraining Discrete(TaskStream stream, CodeSize size, (int Epochs, int Batch, double Rate) schedule, double tau, double klWeight, Generator root)
    {
        root = root.Stream($"auto-encoder {size}");
        var net = new DiscreteAutoEncoder(size, stream.Train.Channels, Side(stream), root.Stream("init"));
        return new(string.Create(CultureInfo.InvariantCulture, $"auto-encoder of {size} (tau {tau:R}, KL {klWeight:R})"), net, stream,
            (batch, noise) => net.Loss(batch.X, noise, tau, klWeight), schedule, root);
    }

    /// <summary>The training of a continuous one.</summary>
    public static Pretraining Continuous(TaskStream stream, int filters, (int Epochs, int Batch, double Rate) schedule, Generator root)
    {
        root = root.Stream($"auto-encoder {filters} filters");
        var net = new ContinuousAutoEncoder(filters, stream.Train.Channels, Side(stream), root.Stream("init"));
        return new($"auto-encoder of {filters} continuous filters", net, stream, (batch, _) => net.Loss(batch.X), schedule, root);
    }

    /// <summary>
    /// The mean over images and pixels of |image - reconstruction|, pixels in [0, 1] (appendix): of the decoder's means, in one stochastic pass.
    /// </summary>
    public static double Distortion(ConvAutoEncoder net, TaskStream stream, ItemSet set, int[] items, Generator noise, CancellationToken cancel = default)
    {
        using var constant = Autograd.NoGrad();
        double sum = 0;
        foreach (int[] part in items.Chunk(Together))
        {
            cancel.ThrowIfCancellationRequested();
            using var scope = TensorScope.Begin("distortion");
            var images = stream.BatchOf(set, part).X;
            sum += (Reconstruct(net, images, noise) - images).Abs().Mean().Item() * part.Length;
        }
        return sum / items.Length;
    }

    /// <summary>Images through code and back.</summary>
    public static Tensor Reconstruct(ConvAutoEncoder net, Tensor images, Generator noise) =>
        net is DiscreteAutoEncoder discrete ? discrete.Reconstruct(images, noise) : ((ContinuousAutoEncoder)net).Reconstruct(images);

    /// <summary>Images per forward pass.</summary>
    public const int Together = 500;

    private static int Side(TaskStream stream)
    {
        var images = stream.Train;
        if (images.Height != images.Width)
            throw new UsageException($"auto-encoder: images of {images.Height} x {images.Width} pixels are not square. Choose another stream.");
        if (stream.Scale != PixelScale.Unit)
            throw new UsageException($"auto-encoder: its pixels are probabilities, and this stream's are in {stream.Scale.Name}. Choose the scale unit.");
        return images.Height;
    }
}
