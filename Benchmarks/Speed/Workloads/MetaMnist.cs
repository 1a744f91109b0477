using Native.Methods;
using Native.Nn;
using Native.Optim;

namespace Native.Benchmarks;

/// <summary>Sizes of <see cref="MetaMnist"/>.</summary>
/// <param name="Pool">Generated images per class.</param>
/// <param name="Tasks">Pairs of classes, one after the other.</param>
/// <param name="Inner">Inner steps per pair.</param>
/// <param name="PerClass">Images per class in an inner batch.</param>
/// <param name="Real">Real images behind the meta-loss.</param>
/// <param name="Filters">Filters of the learner's first layer; the second has twice as many.</param>
internal readonly record struct MetaSizes(int Pool = 250, int Tasks = 5, int Inner = 5, int PerClass = 20, int Real = 256, int Filters = 32)
{
    /// <summary>The paper's.</summary>
    public static MetaSizes Paper { get; } = new(250);
}

/// <summary>
/// Learning synthetic data by meta-gradients: a fresh learner is trained on generated images by descent with momentum, every step of it
/// recorded; its loss on real images is differentiated through all of them, back to the generator and to the rates of the descent.
/// </summary>
internal sealed class MetaMnist : Workload
{
    private const int Latent = 64, Classes = 10, Side = 28;

    private readonly MetaSizes _sizes;
    private readonly ConvLearner _learner;
    private readonly InnerLoop _loop;
    private readonly Sequential _generator;
    private readonly Parameter _rawRate, _rawMomentum;
    private readonly Adam _adam;
    private readonly Tensor _real, _label;
    private readonly Tensor[] _target, _innerLabel;
    private readonly Tensor[,] _index;

    public MetaMnist(DType dtype, ulong seed = 0, MetaSizes? sizes = null) : base("meta-mnist", dtype, seed)
    {
        _sizes = sizes ?? MetaSizes.Paper;
        _learner = new ConvLearner(1, Side, Classes, _sizes.Filters);
        _loop = new InnerLoop(_learner);
        _generator = Build("generator", (g, t) => ImageGenerator.Conv(Latent + Classes, 1, Side, hidden: 512, filters: 64, g, t));
        // softplus and sigmoid of these are the rate and the momentum.
        (_rawRate, _rawMomentum) = (Leaf("rate", () => Tensor.Scalar(-3.9f)), Leaf("momentum", () => Tensor.Scalar(2.2f)));
        _adam = Own(new Adam([.. _generator.Parameters(), _rawRate, _rawMomentum], 1e-3));
        var data = Stream("data");
        _real = Data(() => Tensor.Rand([_sizes.Real, 1, Side, Side], data));
        _label = Data(() => Tensor.RandInt(0, Classes, [_sizes.Real], data));
        long[] order = data.Permutation(Classes);
        _target = [.. Enumerable.Range(0, _sizes.Tasks).Select(t => Data(() => Pair(order, t, _sizes.Pool)))];
        _innerLabel = [.. Enumerable.Range(0, _sizes.Tasks).Select(t => Data(() => Pair(order, t, _sizes.PerClass)))];
        _index = new Tensor[_sizes.Tasks, _sizes.Inner];
        for (int t = 0; t < _sizes.Tasks; t++)
            for (int s = 0; s < _sizes.Inner; s++)
                _index[t, s] = Data(() => Tensor.Concat([Subset(data), Subset(data) + Tensor.Full([], _sizes.Pool, DType.I64)]));
    }

    protected override IReadOnlyList<Tensor> Updates()
    {
        Tensor rate = _rawRate.Softplus(), momentum = _rawMomentum.Sigmoid();
        var weights = _learner.Fresh((shape, std) => Noise(shape, std), DType);
        var velocity = Array.ConvertAll(weights, Tensor.ZerosLike);
        for (int t = 0; t < _sizes.Tasks; t++)
        {
            var images = _generator.Forward(Tensor.Concat([Noise([2 * _sizes.Pool, Latent]), _target[t].OneHot(Classes, DType)], 1));
            for (int s = 0; s < _sizes.Inner; s++)
                _loop.Step(weights, velocity, rate, momentum, images, _index[t, s], _innerLabel[t]);
        }
        var meta = Functional.CrossEntropy(_learner.Forward(weights, _real), _label);
        _adam.Minimize(meta);
        return [meta];
    }

    private static Tensor Pair(long[] order, int task, int each) =>
        Tensor.From([.. Enumerable.Range(0, 2 * each).Select(i => order[2 * task + i / each])], [2 * each]);

    private Tensor Subset(Generator data) => Tensor.From(data.Permutation(_sizes.Pool)[.._sizes.PerClass], [_sizes.PerClass]);
}
