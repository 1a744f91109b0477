using Native.Methods;
using Native.Nn;
using Native.Optim;

namespace Native.Benchmarks;

/// <summary>
/// Automatic Recall Machines (Ji, Henriques, Tuytelaars, Vedaldi 2020): one update on a real batch; ascent steps on the pixels of recalled images,
/// towards where the network of before and the one of now disagree, by the method's own objective; one update that distils the old network on both, in one
/// pass where the method makes two of networks with batch normalisation.
/// </summary>
internal abstract class Arm : Workload
{
    private const int Batch = 10;

    private readonly ArmOptions _options;
    private readonly Module _now, _before;
    private readonly Sgd _sgd;
    private readonly Tensor _x, _y, _pick, _away;

    protected Arm(string name, Func<Generator, DType, Module> net, Shape image, ArmOptions options, DType dtype, ulong seed) : base(name, dtype, seed)
    {
        _options = options;
        // The same stream, so the same weights; the present network has moved a little away.
        _before = Build("net", net);
        _now = Build("net", (init, type) => Perturbed(net(init, type), Stream("perturb")));
        Own(_before.Freeze());
        _sgd = Own(new Sgd(_now.Parameters(), options.LearningRate));
        var data = Stream("data");
        _x = Data(() => Tensor.Rand([Batch, .. image], data));
        _y = Data(() => Tensor.RandInt(0, 2, [Batch], data));
        _pick = Data(() => Tensor.RandInt(0, Batch, [options.Recalled], data));
        // The two classes of the batch at hand.
        _away = Data(() => RecallObjective.Away([0, 1], 10));
    }

    /// <summary>The recalled images [m, ...] as planes [m, c, h, w].</summary>
    protected abstract Tensor Planes(Tensor images);

    protected override IReadOnlyList<Tensor> Updates()
    {
        var real = Functional.CrossEntropy(_now.Forward(_x), _y);
        _sgd.Minimize(real);
        var both = Tensor.Concat([Recall(), _x]);
        var target = Constant(() => _before.Forward(both).Softmax(1));
        var losses = Functional.CrossEntropy(_now.Forward(both), target, reduction: Reduction.None);
        var distilled = losses[.._options.Recalled].Mean() + losses[_options.Recalled..].Mean();
        _sgd.Minimize(distilled);
        return [real, distilled];
    }

    private static Module Perturbed(Module net, Generator draw)
    {
        using var constant = Autograd.NoGrad();
        using var scope = TensorScope.Begin("perturb");
        foreach (var p in net.Parameters())
            p.AddInPlace(Tensor.Randn(p.Shape, draw, std: 0.01).To(p.DType));
        return net;
    }

    private Tensor Recall()
    {
        var images = _x.TakeRows(_pick);
        RecallObjective.Climb(images, _options.Steps, _options.PixelRate,
            x => RecallObjective.Value(x.Reshape(_options.Recalled, -1), Planes(x), _before.Forward(x), _now.Forward(x), _away, _options));
        return images;
    }
}

/// <summary>On digits: the multilayer perceptron 784-400-400-10, ten images recalled.</summary>
internal sealed class ArmMnist(DType dtype, ulong seed = 0, int width = Mlp.PaperWidth) : Arm(
    "arm-mnist", (init, type) => new Mlp(784, 10, init, width, type), [784],
    ArmOptions.For(PaperData.Mnist), dtype, seed)
{
    protected override Tensor Planes(Tensor images) => images.Reshape(-1, 1, 28, 28);
}

/// <summary>On small photographs: the reduced ResNet-18, a hundred images recalled.</summary>
internal sealed class ArmCifar(DType dtype, ulong seed = 0, int filters = ResNet18.PaperFilters, int recalled = 100, int ascents = 10) : Arm(
    "arm-cifar", (init, type) => new ResNet18(10, init, filters, type), [3, 32, 32],
    ArmOptions.For(PaperData.Cifar10) with { Recalled = recalled, Steps = ascents }, dtype, seed)
{
    protected override Tensor Planes(Tensor images) => images;
}
