using Native.Methods;
using Native.Nn;
using Native.Optim;

namespace Native.Benchmarks;

/// <summary>
/// Scalable Recollections (Riemer, Klinger, Bouneffouf, Franceschini 2019), algorithm 1: stored codes are decoded once; the discrete auto-encoder is
/// updated on each batch of recollections with the new image; the predictor is updated once.
/// </summary>
internal sealed class SrmMnist : Workload
{
    private const int Variables = 104, Categories = 4, Side = 28;

    private readonly int _batch, _updates;
    private readonly Sequential _encoder, _decoder;
    private readonly Mlp _predictor;
    private readonly Adam _adam;
    private readonly Sgd _sgd;
    private readonly Tensor _x, _codes, _labels;

    public SrmMnist(DType dtype, ulong seed = 0, int batch = 25, int updates = 10, int filters = 104) : base("srm-mnist", dtype, seed)
    {
        (_batch, _updates) = (batch, updates);
        // 28 -> 10 -> 4 -> 2 pixels and back; with 104 filters the 416 numbers are 104 variables of 4 categories.
        int f = filters, code = Variables * Categories;
        _encoder = Build("encoder", (g, t) => new Sequential(
            new Conv2d(1, f, 5, g, 3, 2, dtype: t), new Relu(), new Conv2d(f, f, 5, g, 3, 2, dtype: t), new Relu(),
            new Conv2d(f, code / 4, 5, g, 3, 2, dtype: t), new Flatten()));
        _decoder = Build("decoder", (g, t) => new Sequential(
            new Unflatten(code / 4, 2, 2), new ConvTranspose2d(code / 4, f, 5, g, 3, 2, dtype: t), new Relu(),
            new ConvTranspose2d(f, f, 5, g, 3, 2, dtype: t), new Relu(), new ConvTranspose2d(f, 1, 5, g, 3, 2, dtype: t)));
        _predictor = Build("predictor", (g, t) => new Mlp(Side * Side, 10, g, hidden: 100, t));
        _adam = Own(new Adam([.. _encoder.Parameters(), .. _decoder.Parameters()], 1e-3));
        _sgd = Own(new Sgd(_predictor.Parameters(), 0.01));
        var data = Stream("data");
        _x = Data(() => Tensor.Rand([1, 1, Side, Side], data));
        _codes = Data(() => Tensor.RandInt(0, Categories, [updates * batch, Variables], data));
        // The label of the new image is 0.
        _labels = Data(() => Tensor.Concat([Tensor.RandInt(0, 10, [batch], data), Tensor.Zeros([1], DType.I64)]));
    }

    protected override IReadOnlyList<Tensor> Updates()
    {
        var losses = new List<Tensor>();
        var recalled = Constant(() => _decoder.Forward(_codes.OneHot(Categories, DType).Reshape(_updates * _batch, -1)).Sigmoid());
        for (int i = 0; i < _updates; i++)
        {
            using var update = TensorScope.Begin("auto-encoder");
            losses.Add(update.Keep(Reconstruct(WithNew(recalled, i))));
        }
        var loss = Functional.CrossEntropy(_predictor.Forward(WithNew(recalled, 0).Reshape(_batch + 1, -1)), _labels);
        _sgd.Minimize(loss);
        losses.Add(loss);
        return losses;
    }

    private Tensor WithNew(Tensor recalled, int i) => Tensor.Concat([recalled.Narrow(0, i * _batch, _batch), _x]);

    private Tensor Reconstruct(Tensor images)
    {
        int n = _batch + 1;
        var logits = _encoder.Forward(images).Reshape(n, Variables, Categories);
        var code = Functional.GumbelSoftmax(logits, GumbelNoise([n, Variables, Categories]), tau: 1, hard: true);
        var output = _decoder.Forward(code.Reshape(n, -1));
        var loss = Functional.BceWithLogits(output, images, reduction: Reduction.Sum) / n;
        _adam.Minimize(loss);
        return loss;
    }
}
