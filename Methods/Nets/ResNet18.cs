using Native.Nn;

namespace Native.Methods;

/// <summary>
/// The reduced ResNet-18 of the continual-learning literature (Lopez-Paz and Ranzato 2017, "Gradient episodic memory", after He et al. 2016): a
/// 3x3 stem without pooling, four stages of two basic blocks with nf, 2nf, 4nf and 8nf filters (nf = 20 instead of 64), mean over 4x4, one
/// linear layer: 1,094,750 numbers for ten classes of 32 x 32 images, 1,157,240 for a hundred of 84 x 84 (Automatic Recall Machines, tables 1 and 2).
/// </summary>
public sealed class ResNet18 : Classifier
{
    /// <summary>Filters of the first stage in the papers.</summary>
    public const int PaperFilters = 20;

    private readonly Conv2d _stem;
    private readonly BatchNorm _norm;
    private readonly Sequential _blocks;
    private readonly Linear _classifier;
    private readonly int _side, _pool, _channels;

    /// <summary>A network with default initialisation.</summary>
    /// <param name="classes">Logits.</param>
    /// <param name="init">Draws the weights.</param>
    /// <param name="filters">Filters of the first stage.</param>
    /// <param name="dtype">Element type.</param>
    /// <param name="side">Height and width of the images: 32, or 84 (whose last maps, 11 x 11, are pooled to 2 x 2). Maps below 4 x 4 are pooled whole.</param>
    /// <param name="channels">Channels of the images: 3, or 1 for alphabets.</param>
    public ResNet18(int classes, Generator init, int filters = PaperFilters, DType dtype = DType.F32, int side = 32, int channels = 3)
    {
        int last = (side + 7) / 8;
        (_side, _channels) = (side, channels);
        _pool = Math.Min(4, last);
        int features = 8 * filters * (last / _pool) * (last / _pool);
        _stem = Add("stem", new Conv2d(channels, filters, 3, init, padding: 1, bias: false, dtype: dtype));
        _norm = Add("norm", new BatchNorm(filters, dtype: dtype));
        var blocks = new List<Module>();
        int maps = filters;
        for (int stage = 0; stage < 4; stage++)
        {
            int width = filters << stage;
            blocks.Add(new BasicBlock(maps, width, stage == 0 ? 1 : 2, init, dtype));
            blocks.Add(new BasicBlock(width, width, 1, init, dtype));
            maps = width;
        }
        _blocks = Add("blocks", new Sequential([.. blocks]));
        _classifier = Add("classifier", new Linear(features, classes, init, dtype: dtype));
    }

    /// <summary>Images [n, 3, side, side], or flat, to logits [n, classes].</summary>
    public override Tensor Forward(Tensor x) => _classifier.Forward(Features(x));

    /// <inheritdoc/>
    public override Tensor Features(Tensor x)
    {
        var y = _blocks.Forward(_norm.Forward(_stem.Forward(x.Rank == 2 ? x.Reshape(-1, _channels, _side, _side) : x)).Relu());
        y = Functional.AvgPool2d(y, _pool);
        return y.Reshape(y.Shape[0], -1);
    }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, IReadOnlyList<Parameter> Blocks)> Layers =>
    [
        ("Conv 1", [.. _stem.Parameters(), .. _norm.Parameters()]),
        .. Enumerable.Range(0, 4).Select(i => ($"Conv {i + 2}", (IReadOnlyList<Parameter>)[.. _blocks[2 * i].Parameters(), .. _blocks[2 * i + 1].Parameters()])),
        ("FC", _classifier.Parameters()),
    ];

    /// <summary>relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)); the shortcut is the identity, or a 1x1 convolution where the shape changes.</summary>
    private sealed class BasicBlock : Module
    {
        private readonly Conv2d _conv1, _conv2;
        private readonly BatchNorm _norm1, _norm2;
        private readonly Sequential? _shortcut;

        public BasicBlock(int channels, int width, int stride, Generator init, DType dtype)
        {
            _conv1 = Add("conv1", new Conv2d(channels, width, 3, init, stride, padding: 1, bias: false, dtype: dtype));
            _norm1 = Add("norm1", new BatchNorm(width, dtype: dtype));
            _conv2 = Add("conv2", new Conv2d(width, width, 3, init, padding: 1, bias: false, dtype: dtype));
            _norm2 = Add("norm2", new BatchNorm(width, dtype: dtype));
            if (stride != 1 || channels != width)
                _shortcut = Add("shortcut", new Sequential(new Conv2d(channels, width, 1, init, stride, bias: false, dtype: dtype), new BatchNorm(width, dtype: dtype)));
        }

        public override Tensor Forward(Tensor x)
        {
            var y = _norm1.Forward(_conv1.Forward(x)).Relu();
            y = _norm2.Forward(_conv2.Forward(y));
            return (y + (_shortcut?.Forward(x) ?? x)).Relu();
        }
    }
}
