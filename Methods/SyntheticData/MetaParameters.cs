using Native.Nn;

namespace Native.Methods;

/// <summary>What meta-training moves: the generator, where there is one, and the rate and momentum behind softplus and the logistic function.</summary>
public sealed class MetaParameters : Module
{
    private readonly int _classes, _latent, _pool;

    /// <summary>Freshly initialised.</summary>
    /// <param name="o">The options.</param>
    /// <param name="channels">Channels of an image.</param>
    /// <param name="side">Height and width of an image.</param>
    /// <param name="classes">Classes of the stream.</param>
    /// <param name="init">Draws the weights.</param>
    /// <param name="generates">Whether there is a generator: not for rates learned on real images.</param>
    /// <param name="dtype">Element type.</param>
    public MetaParameters(MetaOptions o, int channels, int side, int classes, Generator init, bool generates = true, DType dtype = DType.F32)
    {
        (_classes, _latent, _pool, DType) = (classes, o.Latent, o.Pool, dtype);
        using var scope = TensorScope.Begin("meta-parameters");
        long rates = o.PerStepRates ? (long)classes / o.ClassesPerTask * o.MetaInnerSteps : 1;
        if (generates)
        {
            int inputs = o.Latent + classes;
            Generator = Add("generator", o.Generator == GeneratorKind.Mlp
                ? ImageGenerator.Mlp(inputs, channels, side, o.GeneratorWidth, init, dtype)
                : ImageGenerator.Conv(inputs, channels, side, o.GeneratorWidth, o.GeneratorFilters, init, dtype));
            if (o.Curriculum)
                Latents = Add("latents", Tensor.Randn([(long)classes * o.Pool, o.Latent], init, dtype: dtype));
        }
        RawRate = Add("rate", Tensor.Full([rates], o.InitialRate + Math.Log(1 - Math.Exp(-o.InitialRate)), dtype));
        RawMomentum = Add("momentum", Tensor.Full([rates], Math.Log(o.InitialMomentum / (1 - o.InitialMomentum)), dtype));
    }

    /// <summary>Element type.</summary>
    public DType DType { get; }

    /// <summary>Noise and class to image; null without one.</summary>
    public Sequential? Generator { get; }

    /// <summary>Learned noise of each image of each class, [classes x pool, latent]; null without a curriculum.</summary>
    public Parameter? Latents { get; }

    /// <summary>The rate is softplus of it: one, or one per inner step.</summary>
    public Parameter RawRate { get; }

    /// <summary>The momentum is the logistic function of it.</summary>
    public Parameter RawMomentum { get; }

    /// <summary>Images [n, channels, side, side] from noise and the class of each, recorded where recording is on.</summary>
    /// <param name="noise">[n, latent].</param>
    /// <param name="classes">i64 [n].</param>
    public Tensor Images(Tensor noise, Tensor classes) => Generator!.Forward(Tensor.Concat([noise, classes.OneHot(_classes, DType)], 1));

    /// <summary>The learned rates and momenta, one for all inner steps or one for each, read on the host.</summary>
    public (double Rate, double Momentum)[] ReadRates()
    {
        using var scope = TensorScope.Begin("rates");
        using var constant = Autograd.NoGrad();
        double[] rate = RawRate.Softplus().To(DType.F64).ToArray<double>(), momentum = RawMomentum.Sigmoid().To(DType.F64).ToArray<double>();
        return [.. rate.Zip(momentum)];
    }

    /// <summary>
    /// Images of a pool for a test, class after class, with the generator as it is: it normalises over the images that are made together, which are those of a
    /// task of meta-training, so large pools are made part by part.
    /// </summary>
    /// <param name="classes">The task's classes.</param>
    /// <param name="each">Images per class.</param>
    /// <param name="random">Draws the noise.</param>
    public Tensor Pool(IReadOnlyList<int> classes, int each, Generator random)
    {
        using var scope = TensorScope.Begin("pool");
        using var constant = Autograd.NoGrad();
        var parts = classes.Select(_ => new List<Tensor>()).ToArray();
        for (int made = 0; made < each; made += _pool)
        {
            int now = Math.Min(_pool, each - made);
            var labels = Tensor.From([.. classes.SelectMany(c => Enumerable.Repeat((long)c, _pool))], [(long)classes.Count * _pool]);
            var noise = Latents is { } learned
                ? Tensor.Concat([.. classes.Select(c => learned.Slice(0, (long)c * _pool, (long)(c + 1) * _pool))])
                : Tensor.Randn([(long)classes.Count * _pool, _latent], random, dtype: DType);
            var images = Images(noise, labels);
            for (int i = 0; i < parts.Length; i++)
                parts[i].Add(images.Slice(0, (long)i * _pool, (long)i * _pool + now));
        }
        return scope.Keep(Tensor.Concat([.. parts.SelectMany(p => p)]));
    }
}
