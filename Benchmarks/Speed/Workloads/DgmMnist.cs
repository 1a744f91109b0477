using Native.Nn;
using Native.Optim;

namespace Native.Benchmarks;

/// <summary>
/// Dynamic Generative Memory with weight masks (Ostapenko et al. 2019): one update of the critic with a gradient penalty, whose gradient is
/// a second derivative, and one of the generator, whose weights reserved by earlier tasks hold still.
/// </summary>
internal sealed class DgmMnist : Workload
{
    private const int Latent = 128, Classes = 10, Kernel = 4;
    private const double MaskScale = 4, Sparsity = 0.1;

    private static readonly (int Stride, int Padding)[] Geometry = [(1, 0), (2, 1), (2, 1), (2, 1)];

    private readonly int _batch;
    private readonly Parameter[] _weights, _masks;
    private readonly BatchNorm[] _norms;
    private readonly Tensor[] _free;
    private readonly Sequential _body;
    private readonly Linear _adversary, _classifier;
    private readonly Adam _criticAdam, _generatorAdam;
    private readonly Tensor _real, _label;

    public DgmMnist(DType dtype, ulong seed = 0, int batch = 64, int generatorFilters = 20, int criticFilters = 32) : base("dgm-mnist", dtype, seed)
    {
        _batch = batch;
        int g = generatorFilters, d = criticFilters, last = 3;
        (int In, int Out)[] layers = [(Latent, 4 * g), (4 * g, 2 * g), (2 * g, g), (g, 1)];
        Generator draw = Stream("generator"), past = Stream("past"), data = Stream("data");
        _weights = [.. layers.Select((l, i) => Leaf($"weight{i}", () => Tensor.Randn([l.In, l.Out, Kernel, Kernel], draw, std: 0.02)))];
        _masks = [.. layers[..last].Select((l, i) => Leaf($"mask{i}", () => Tensor.Zeros([l.In, l.Out, Kernel, Kernel])))];
        _norms = [.. layers[..last].Select((l, i) => Build($"norm{i}", (_, t) => new BatchNorm(l.Out, dtype: t)))];
        // Three weights in ten belong to earlier tasks; the last layer has no mask.
        _free = [.. layers[..last].Select(l => Data(() => Tensor.Bernoulli([l.In, l.Out, Kernel, Kernel], 0.7, past)))];
        for (int i = 0; i < last; i++)
            _weights[i].GradMask = _free[i];
        _body = Build("body", (s, t) => new Sequential(
            new Conv2d(1, d, 5, s, 2, 2, dtype: t), new LeakyRelu(0.2), new Conv2d(d, 2 * d, 5, s, 2, 2, dtype: t), new LeakyRelu(0.2),
            new Conv2d(2 * d, 4 * d, 5, s, 2, 2, dtype: t), new LeakyRelu(0.2), new Flatten()));
        _adversary = Build("adversary", (s, t) => new Linear(4 * d * 16, 1, s, dtype: t));
        _classifier = Build("classifier", (s, t) => new Linear(4 * d * 16, Classes, s, dtype: t));
        _criticAdam = Own(new Adam([.. _body.Parameters(), .. _adversary.Parameters(), .. _classifier.Parameters()], 2e-4, 0.5));
        _generatorAdam = Own(new Adam([.. _weights, .. _masks, .. _norms.SelectMany(n => n.Parameters())], 2e-4, 0.5));
        _real = Data(() => Tensor.Rand([batch, 1, 32, 32], data, -1, 1));
        _label = Data(() => Tensor.RandInt(0, Classes, [batch], data));
    }

    protected override IReadOnlyList<Tensor> Updates()
    {
        var critic = CriticLoss(Constant(Generate));
        _criticAdam.Minimize(critic);
        var generator = GeneratorLoss();
        _generatorAdam.Minimize(generator);
        return [critic, generator];
    }

    private Tensor Generate()
    {
        var h = Tensor.Concat([_label.OneHot(Classes, DType), Noise([_batch, Latent - Classes])], 1).Reshape(_batch, Latent, 1, 1);
        for (int i = 0; i < _masks.Length; i++)
        {
            var weight = Functional.MaskWeight(_weights[i], _masks[i], MaskScale);
            h = _norms[i].Forward(Layer(h, weight, i)).Relu();
        }
        return Layer(h, _weights[^1], _masks.Length).Tanh();
    }

    private static Tensor Layer(Tensor h, Tensor weight, int i) =>
        Functional.ConvTranspose2d(h, weight, null, Geometry[i].Stride, Geometry[i].Padding);

    private Tensor CriticLoss(Tensor fake)
    {
        Tensor onReal = _body.Forward(_real), onFake = _body.Forward(fake);
        var share = UniformNoise([_batch, 1, 1, 1]);
        var mixed = (share * _real + (1 - share) * fake).RequireGrad();
        var slope = Autograd.Grad(_adversary.Forward(_body.Forward(mixed)).Sum(), mixed, createGraph: true);
        var penalty = (slope.Reshape(_batch, -1).Norm(1) - 1).Square().Mean();
        return _adversary.Forward(onFake).Mean() - _adversary.Forward(onReal).Mean() + Functional.CrossEntropy(_classifier.Forward(onReal), _label) + penalty;
    }

    private Tensor GeneratorLoss()
    {
        var h = _body.Forward(Generate());
        Tensor? used = null, free = null;
        for (int i = 0; i < _masks.Length; i++)
        {
            Tensor u = Functional.MaskWeight(_free[i], _masks[i], MaskScale).Sum(), f = _free[i].Sum();
            (used, free) = (used is null ? u : used + u, free is null ? f : free + f);
        }
        return -_adversary.Forward(h).Mean() + Functional.CrossEntropy(_classifier.Forward(h), _label) + Sparsity * used! / free!;
    }
}
