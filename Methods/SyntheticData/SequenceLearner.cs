using Native.Nn;

namespace Native.Methods;

/// <summary>The learner as it is tested: weights that change in place, a velocity for each, and running statistics of what normalises.</summary>
internal sealed class SequenceLearner : Module
{
    // PyTorch's share of the newest batch in running statistics.
    private const double NewestShare = 0.1;

    private readonly LearnerNet _net;
    private readonly Parameter[] _w;
    private readonly Tensor[] _v, _means, _variances;
    private readonly TestNorm _test;

    public SequenceLearner(LearnerNet net, Generator init, TestNorm test)
    {
        (_net, _test) = (net, test);
        using var scope = TensorScope.Begin("learner");
        Tensor[] fresh = net.Fresh((shape, deviation) => Tensor.Randn(shape, init, std: deviation), DType.F32);
        _w = [.. fresh.Select((w, i) => Add($"w{i}", w))];
        _v = [.. fresh.Select((w, i) => AddBuffer($"v{i}", Tensor.ZerosLike(w)))];
        _means = [.. net.Normalised.Select((n, i) => AddBuffer($"mean{i}", Tensor.Zeros([n])))];
        _variances = [.. net.Normalised.Select((n, i) => AddBuffer($"var{i}", Tensor.Ones([n])))];
    }

    /// <summary>One step of descent with momentum on a batch: v := momentum v + g, w := w - rate v. Returns the loss before it.</summary>
    public Tensor Step(Tensor images, Tensor labels, double rate, double momentum)
    {
        var loss = Functional.CrossEntropy(_net.Forward(_w, images, Normalise), labels);
        var gradients = Autograd.Grad(loss, _w, releaseActivations: true);
        using var constant = Autograd.NoGrad();
        for (int i = 0; i < _w.Length; i++)
        {
            _v[i].MulInPlace(momentum);
            _v[i].AddInPlace(gradients[i]);
            _w[i].AddInPlace(-rate * _v[i]);
        }
        return loss;
    }

    /// <summary>Logits of test images.</summary>
    public override Tensor Forward(Tensor x) => _net.Forward(_w, x, _test == TestNorm.Batch ? null : Testing);

    private Tensor Normalise(int layer, Tensor x, Tensor scale, Tensor shift) =>
        Functional.BatchNorm(x, _means[layer], _variances[layer], scale, shift, training: true, _test == TestNorm.Last ? 1 : NewestShare);

    private Tensor Testing(int layer, Tensor x, Tensor scale, Tensor shift) =>
        Functional.BatchNorm(x, _means[layer], _variances[layer], scale, shift, training: false);
}
