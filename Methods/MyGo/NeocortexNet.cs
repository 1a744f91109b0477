using Native.Nn;

namespace Native.Methods;

/// <summary>
/// M_ctx of MyGO (sections 2 and 3.2; sizes from the released code): an encoding of the input in which dreams live, shared features, and a linear head, whose rows are the heads of
/// the tasks: in the task-incremental scenario only the rows of one task compete, and no other gets a gradient.
/// <para>Images: the pixels in [-1, 1]; two 3 x 3 convolutions of 16 and 32 maps with ReLU and 2 x 2 maxima, a linear layer. Texts: the mean of the words' rows of a table of 128
/// columns; a linear layer and ReLU.</para>
/// </summary>
internal sealed class NeocortexNet : Module
{
    private const int Filters = 16, Columns = 128;

    private readonly TaskStream _stream;
    private readonly EmbeddingBag? _table;
    private readonly Sequential _features;
    private readonly Linear _head;

    /// <summary>A fresh one.</summary>
    /// <param name="stream">Sizes of items and outputs.</param>
    /// <param name="init">Draws the weights.</param>
    /// <param name="width">Features.</param>
    public NeocortexNet(TaskStream stream, Generator init, int width)
    {
        _stream = stream;
        if (stream.IsText)
        {
            _table = Add("table", new EmbeddingBag(stream.Vocabulary.Rows, Columns, init, BagMode.Sum));
            _features = Add("features", new Sequential(new Linear(Columns, width, init), new Relu()));
            HoldRows([]);
        }
        else
        {
            var images = stream.Train;
            int height = images.Height / 2 / 2, across = images.Width / 2 / 2;
            if (height * across == 0)
                throw new UsageException($"mygo: images of {images.Height} x {images.Width} are too small for two 2 x 2 maxima. Use larger ones.");
            _features = Add("features", new Sequential(
                new Conv2d(images.Channels, Filters, 3, init, padding: 1), new Relu(), new MaxPool2d(2),
                new Conv2d(Filters, 2 * Filters, 3, init, padding: 1), new Relu(), new MaxPool2d(2),
                new Flatten(), new Linear(2 * Filters * height * across, width, init)));
        }
        _head = Add("head", new Linear(width, stream.Outputs, init));
    }

    /// <summary>Numbers per dream: pixels, or columns of the table.</summary>
    public int DreamSize => _table is null ? _stream.InputSize : Columns;

    /// <summary>Whether dreams are images, bounded by -1 and 1.</summary>
    public bool DreamsOfImages => _table is null;

    /// <summary>What the heads of all tasks consist of.</summary>
    public IReadOnlyList<Parameter> Head => _head.Parameters();

    /// <summary>Everything that a dream passes through: features and head.</summary>
    public IReadOnlyList<Parameter> Awakened => [.. _features.Parameters(), .. _head.Parameters()];

    /// <summary>A batch's X to where dreams live, [n, <see cref="DreamSize"/>].</summary>
    public Tensor Encode(Tensor x)
    {
        if (_table is not null)
            // The row of what fills up is 0 and stays so.
            return _table.Forward(x) / x.Ne(Vocabulary.Padding).To(DType.F32).Sum(1, keepDim: true);
        double low = _stream.Scale.Low, high = _stream.Scale.High;
        return (low, high) == (-1, 1) ? x : (x - low) * (2 / (high - low)) - 1;
    }

    /// <summary>What was encoded, or dreamt, to features [n, width].</summary>
    public Tensor Features(Tensor encoded) => _features.Forward(_table is not null ? encoded
        : encoded.Reshape(encoded.Shape[0], _stream.Train.Channels, _stream.Train.Height, _stream.Train.Width));

    /// <summary>Features to logits [n, outputs].</summary>
    public Tensor Classify(Tensor features) => _head.Forward(features);

    /// <summary>A batch's X to logits [n, outputs].</summary>
    public override Tensor Forward(Tensor x) => Classify(Features(Encode(x)));

    /// <summary>Takes over the table of words of another network; nothing for images.</summary>
    public void TakeTable(NeocortexNet other)
    {
        using var constant = Autograd.NoGrad();
        _table?.Weight.CopyInPlace(other._table!.Weight);
    }

    /// <summary>
    /// From now on no optimiser changes the rows of these words, nor that of what fills up, which becomes 0. Dreams begin behind the table and cannot repair it, so what
    /// an earlier task has used must stay. Nothing for images.
    /// </summary>
    /// <param name="held">For each row 1 if it must stay; empty for none.</param>
    public void HoldRows(ReadOnlySpan<byte> held)
    {
        if (_table is null)
            return;
        using var scope = TensorScope.Begin("hold-rows");
        using var constant = Autograd.NoGrad();
        int rows = _stream.Vocabulary.Rows;
        var free = new float[rows];
        for (int i = 0; i < rows; i++)
            free[i] = i == Vocabulary.Padding || (i < held.Length && held[i] == 1) ? 0 : 1;
        _table.Weight.GradMask = Tensor.From(free, [rows, 1]) * Tensor.Ones([rows, Columns]);
        free.AsSpan().Fill(1);
        free[Vocabulary.Padding] = 0;
        _table.Weight.MulInPlace(Tensor.From(free, [rows, 1]));
    }
}
