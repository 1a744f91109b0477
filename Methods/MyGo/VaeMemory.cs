using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>
/// A conditional variational auto-encoder as memory (section 5, future work): Gaussian codes, and Gaussian items whose one variance is the best for the batch, so that nothing is to be
/// chosen between the two terms of the bound (sigma-VAE, Rybkin, Daniilidis and Levine 2021). The decoder has the GAN's generator's sizes and is what is kept.
/// </summary>
internal sealed class VaeMemory : GenerativeMemory
{
    private readonly MemorySizes _sizes;
    private readonly Sequential _encoder, _decoder;
    private readonly Adam _step;

    public VaeMemory(MemorySizes sizes, Generator init)
    {
        _sizes = sizes;
        _encoder = new Sequential(new Linear(sizes.Size + sizes.Classes, sizes.Hidden, init), new Relu(), new Linear(sizes.Hidden, 2 * sizes.Latent, init));
        _decoder = new Sequential([new Linear(sizes.Latent + sizes.Classes, sizes.Hidden, init), new Relu(),
            new Linear(sizes.Hidden, sizes.Size, init), .. sizes.Bounded ? (Module[])[new Tanh()] : []]);
        _step = new Adam([.. _encoder.Parameters(), .. _decoder.Parameters()], sizes.Rate);
    }

    public override Module Net => _decoder;

    public override void Learn(Tensor items, Tensor classes, Generator noise) => _step.Minimize(Loss(items, classes, noise));

    /// <summary>Minus the evidence bound, the mean over items.</summary>
    internal Tensor Loss(Tensor items, Tensor classes, Generator noise)
    {
        var label = classes.OneHot(_sizes.Classes);
        var code = _encoder.Forward(Tensor.Concat([items, label], 1));
        // Bounded, so that no variance is 0 or infinite.
        Tensor mean = code.Narrow(1, 0, _sizes.Latent), logVariance = code.Narrow(1, _sizes.Latent, _sizes.Latent).Clamp(-10, 10);
        var z = mean + (logVariance * 0.5).Exp() * Tensor.Randn(mean.Shape, noise);
        var error = (Decode(z, label) - items).Square().Mean();
        var divergence = (mean.Square() + logVariance.Exp() - logVariance - 1).Sum() * (0.5 / items.Shape[0]);
        return 0.5 * _sizes.Size * (error + 1e-6).Log() + divergence;
    }

    protected override Tensor Make(Tensor classes, Generator noise) =>
        Decode(Tensor.Randn([classes.Shape[0], _sizes.Latent], noise), classes.OneHot(_sizes.Classes));

    private Tensor Decode(Tensor z, Tensor label) => _decoder.Forward(Tensor.Concat([z, label], 1));

    protected override void DiscardHelpers()
    {
        _step.Dispose();
        _encoder.Dispose();
    }

    protected override void PersistHelpers(RunState state, string name)
    {
        state.Module($"{name}.encoder", _encoder);
        state.Optimizer($"{name}.step", _step);
    }
}
