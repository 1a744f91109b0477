using Native.Methods;
using Native.Nn;
using Native.Optim;

namespace Native.Benchmarks;

/// <summary>Sizes and rates of <see cref="Arm"/>.</summary>
/// <param name="Batch">Real images.</param>
/// <param name="Recalled">Images recalled from the network.</param>
/// <param name="Ascents">Ascent steps on the pixels.</param>
/// <param name="Lr">Learning rate of the network.</param>
/// <param name="Rate">Learning rate of the pixels.</param>
/// <param name="Diversity">Weight of the entropy of the mean prediction.</param>
internal readonly record struct ArmSizes(int Batch, int Recalled, int Ascents, double Lr, double Rate, double Diversity);

/// <summary>
/// Automatic Recall Machines (Ji, Henriques, Tuytelaars, Vedaldi 2020): one update on a real batch; ascent steps on the pixels of recalled images,
/// towards where the network of before and the one of now disagree; one update that distils the old network on both.
/// </summary>
internal abstract class Arm : Workload
{
    private readonly ArmSizes _sizes;
    private readonly Module _now, _before;
    private readonly Sgd _sgd;
    private readonly Tensor _x, _y, _pick;

    protected Arm(string name, Func<Generator, DType, Module> net, Shape image, ArmSizes sizes, DType dtype, ulong seed) : base(name, dtype, seed)
    {
        _sizes = sizes;
        // The same stream, so the same weights; the present network has moved a little away.
        _before = Build("net", net);
        _now = Build("net", (init, type) => Perturbed(net(init, type), Stream("perturb")));
        Own(_before.Freeze());
        _sgd = Own(new Sgd(_now.Parameters(), sizes.Lr));
        var data = Stream("data");
        _x = Data(() => Tensor.Rand([sizes.Batch, .. image], data));
        _y = Data(() => Tensor.RandInt(0, 2, [sizes.Batch], data));
        _pick = Data(() => Tensor.RandInt(0, sizes.Batch, [sizes.Recalled], data));
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
        var distilled = losses[.._sizes.Recalled].Mean() + losses[_sizes.Recalled..].Mean();
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
        for (int i = 0; i < _sizes.Ascents; i++)
        {
            using var ascent = TensorScope.Begin("ascent");
            var pixels = images.Detach().RequireGrad();
            var up = Autograd.Grad(Goal(pixels), [pixels], releaseActivations: true)[0];
            images.AddInPlace(_sizes.Rate * up);
        }
        return images;
    }

    private Tensor Goal(Tensor pixels)
    {
        Tensor logitsBefore = _before.Forward(pixels), logitsNow = _now.Forward(pixels), before = logitsBefore.LogSoftmax(1), now = logitsNow.LogSoftmax(1);
        var disagreement = Functional.JensenShannonOfLogits(logitsBefore, logitsNow, fromMixture: true, reduction: Reduction.None);
        // Away from the two classes of the batch at hand.
        var away = -(before.Slice(1, 0, 2).Mean(1) + 0.1 * now.Slice(1, 0, 2).Mean(1));
        var mean = before.Exp().Mean(0);
        var entropy = -(mean * mean.Clamp(min: 1e-12).Log()).Sum();
        var sharp = -before.Max(1).Values.Mean();
        var length = (pixels.Reshape(_sizes.Recalled, -1).Square().Sum(1) + 1e-12).Sqrt().Sum() / pixels.Count;
        return (disagreement + away).Mean() + _sizes.Diversity * entropy - 0.1 * sharp - length - Functional.TotalVariation(Planes(pixels));
    }
}

/// <summary>On digits: the multilayer perceptron 784-400-400-10, ten images recalled.</summary>
internal sealed class ArmMnist(DType dtype, ulong seed = 0, int width = Mlp.PaperWidth) : Arm(
    "arm-mnist", (init, type) => new Mlp(784, 10, init, width, type), [784],
    new ArmSizes(Batch: 10, Recalled: 10, Ascents: 10, Lr: 0.05, Rate: 25, Diversity: 16), dtype, seed)
{
    protected override Tensor Planes(Tensor images) => images.Reshape(-1, 1, 28, 28);
}

/// <summary>On small photographs: the reduced ResNet-18, a hundred images recalled.</summary>
internal sealed class ArmCifar(DType dtype, ulong seed = 0, int filters = ResNet18.PaperFilters, int recalled = 100, int ascents = 10) : Arm(
    "arm-cifar", (init, type) => new ResNet18(10, init, filters, type), [3, 32, 32],
    new ArmSizes(Batch: 10, recalled, ascents, Lr: 0.01, Rate: 10, Diversity: 16), dtype, seed)
{
    protected override Tensor Planes(Tensor images) => images;
}
