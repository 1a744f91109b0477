namespace Native.Methods;

/// <summary>What follows a layer of the learner (the paper: batch normalisation after each).</summary>
public enum LearnerNorm
{
    /// <summary>Batch normalisation with scale and shift: section 4.</summary>
    Batch,

    /// <summary>Nothing.</summary>
    None,

    /// <summary>Weights written as length times direction (Salimans and Kingma 2016), the stabiliser of Generative Teaching Networks.</summary>
    Weight,
}

/// <summary>How the learner halves its maps.</summary>
public enum LearnerShrink
{
    /// <summary>Maximum over 2 x 2.</summary>
    MaxPool,

    /// <summary>Convolutions of stride 2.</summary>
    Stride,
}

/// <summary>
/// A network as a function of its weights: an unrolled inner loop has new weights at every step, all of them part of the graph. Images are
/// [n, channels, side, side], logits [n, classes].
/// </summary>
public abstract class LearnerNet
{
    /// <summary>Shapes of the weights, in the order in which <see cref="Forward"/> takes them.</summary>
    public abstract IReadOnlyList<Shape> Shapes { get; }

    /// <summary>Channels of each layer with running statistics; empty without batch normalisation.</summary>
    public virtual IReadOnlyList<long> Normalised => [];

    /// <summary>Numbers in all weights together.</summary>
    public long Count => Shapes.Sum(s => s.Count);

    /// <summary>Logits of images.</summary>
    /// <param name="w">The weights.</param>
    /// <param name="x">The images.</param>
    /// <param name="norm">Batch normalisation by layer number, input, scale and shift; null for the statistics of this batch.</param>
    public abstract Tensor Forward(IReadOnlyList<Tensor> w, Tensor x, Func<int, Tensor, Tensor, Tensor, Tensor>? norm = null);

    /// <summary>Freshly drawn weights, leaves that require gradients, owned by the open scope.</summary>
    /// <param name="randn">Draws normal numbers of a shape and a deviation.</param>
    /// <param name="dtype">Element type.</param>
    public Tensor[] Fresh(Func<Shape, double, Tensor> randn, DType dtype) => [.. Shapes.Select((shape, i) => (shape.Rank > 1
        // He et al. 2015 where nothing normalises; with batch normalisation the scale of a layer means nothing.
        ? randn(shape, Gain(i) * Math.Sqrt((double)shape[0] / shape.Count))
        : Tensor.Full(shape, StartsAtOne(i) ? 1 : 0, dtype)).RequireGrad())];

    /// <summary>Factor of weight number i's deviation 1 / sqrt(fan-in).</summary>
    protected virtual double Gain(int i) => 1;

    /// <summary>Whether vector number i is a scale, otherwise a shift.</summary>
    protected virtual bool StartsAtOne(int i) => false;
}

/// <summary>
/// The paper's learner: two layers of 3 x 3 convolutions, then one linear layer (section 4). Widths are unstated; Generative Teaching Networks have 64 and
/// 128 filters, its port 32 to 64 and 64 to 128.
/// </summary>
public sealed class ConvLearner : LearnerNet
{
    private readonly LearnerNorm _norm;
    private readonly LearnerShrink _shrink;
    private readonly double _slope;
    private readonly bool _headNorm;
    private readonly int _perLayer;

    /// <summary>A learner of images of that size.</summary>
    /// <param name="channels">Channels of an image.</param>
    /// <param name="side">Height and width of an image.</param>
    /// <param name="classes">Logits.</param>
    /// <param name="filters">Filters of the first layer; the second has twice as many.</param>
    /// <param name="norm">What follows a layer.</param>
    /// <param name="shrink">How maps are halved.</param>
    /// <param name="slope">Of the rectifier below 0: 0.1 in Generative Teaching Networks, because a plain rectifier has no curvature; 0 for a plain one.</param>
    /// <param name="headNorm">With <see cref="LearnerNorm.Batch"/>, normalise the logits too.</param>
    public ConvLearner(int channels, int side, int classes, int filters, LearnerNorm norm = LearnerNorm.Batch, LearnerShrink shrink = LearnerShrink.MaxPool, double slope = 0,
        bool headNorm = false)
    {
        (_norm, _shrink, _slope, _headNorm) = (norm, shrink, slope, headNorm && norm == LearnerNorm.Batch);
        var shapes = new List<Shape>();
        int half(int n) => shrink == LearnerShrink.MaxPool ? n / 2 : (n + 1) / 2;
        int last = half(half(side));
        if (last < 1)
            throw new UsageException($"learner: images of {side} x {side} are too small to be halved twice. Use 4 x 4 or larger.");
        layer([filters, channels, 3, 3]);
        _perLayer = shapes.Count;
        layer([2 * filters, filters, 3, 3]);
        shapes.Add([classes, 2L * filters * last * last]);
        if (norm == LearnerNorm.Weight)
            shapes.Add([classes]);
        shapes.Add([classes]);
        if (_headNorm)
        {
            shapes.Add([classes]);
            shapes.Add([classes]);
        }
        Shapes = shapes;

        void layer(Shape weight)
        {
            shapes.Add(weight);
            // Length, or bias; or bias, scale and shift.
            for (int i = 0; i < (norm switch { LearnerNorm.Batch => 3, LearnerNorm.Weight => 2, _ => 1 }); i++)
                shapes.Add([weight[0]]);
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<Shape> Shapes { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<long> Normalised =>
        _norm != LearnerNorm.Batch ? [] : _headNorm ? [Shapes[0][0], Shapes[_perLayer][0], Shapes[^1][0]] : [Shapes[0][0], Shapes[_perLayer][0]];

    /// <inheritdoc/>
    public override Tensor Forward(IReadOnlyList<Tensor> w, Tensor x, Func<int, Tensor, Tensor, Tensor, Tensor>? norm = null)
    {
        int at = 0, stride = _shrink == LearnerShrink.Stride ? 2 : 1;
        for (int layer = 0; layer < 2; layer++)
        {
            x = Functional.Conv2d(x, Weight(w, ref at), w[at++], stride, padding: 1);
            if (_norm == LearnerNorm.Batch)
            {
                x = Normalise(layer, x, w[at], w[at + 1], norm);
                at += 2;
            }
            x = _slope == 0 ? x.Relu() : x.LeakyRelu(_slope);
            if (_shrink == LearnerShrink.MaxPool)
                x = Functional.MaxPool2d(x, 2);
        }
        x = x.Reshape(x.Shape[0], -1).MatMul(Weight(w, ref at).T) + w[at++];
        return _headNorm ? Normalise(2, x, w[at], w[at + 1], norm) : x;
    }

    private static Tensor Normalise(int layer, Tensor x, Tensor scale, Tensor shift, Func<int, Tensor, Tensor, Tensor, Tensor>? norm) =>
        norm is null ? Functional.BatchNorm(x, null, null, scale, shift, training: true) : norm(layer, x, scale, shift);

    /// <inheritdoc/>
    protected override double Gain(int i) => _norm == LearnerNorm.None && i < 2 * _perLayer ? Math.Sqrt(2) : 1;

    /// <inheritdoc/>
    protected override bool StartsAtOne(int i) => _norm switch
    {
        LearnerNorm.Batch => i is 2 or 6 or 10,
        LearnerNorm.Weight => i is 1 or 4 or 7,
        _ => false,
    };

    private Tensor Weight(IReadOnlyList<Tensor> w, ref int at)
    {
        var direction = w[at++];
        if (_norm != LearnerNorm.Weight)
            return direction;
        var flat = direction.Reshape(direction.Shape[0], -1);
        return (flat * (w[at++] / flat.Square().Sum(1).Sqrt()).Reshape(-1, 1)).Reshape(direction.Shape);
    }
}

/// <summary>The control 'MLP' of figure 4: two hidden layers of 400 rectifiers, as Hsu et al. 2018 have it.</summary>
public sealed class MlpLearner(int pixels, int classes, int width = 400) : LearnerNet
{
    /// <inheritdoc/>
    public override IReadOnlyList<Shape> Shapes { get; } = [[width, pixels], [width], [width, width], [width], [classes, width], [classes]];

    /// <inheritdoc/>
    public override Tensor Forward(IReadOnlyList<Tensor> w, Tensor x, Func<int, Tensor, Tensor, Tensor, Tensor>? norm = null)
    {
        x = x.Reshape(x.Shape[0], -1);
        for (int i = 0; i < 4; i += 2)
            x = (x.MatMul(w[i].T) + w[i + 1]).Relu();
        return x.MatMul(w[4].T) + w[5];
    }

    /// <inheritdoc/>
    protected override double Gain(int i) => i < 4 ? Math.Sqrt(2) : 1;
}
