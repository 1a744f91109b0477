using Native.Nn;

namespace Native.Methods;

/// <summary>
/// LeNet-5 (LeCun et al. 1998), teacher and student of the distillations: 6 and 16 filters of 5 x 5, the first padded by 2, each followed by pooling 2 x 2, then 120, 84 and the
/// outputs; 61,706 numbers for ten classes of 28 x 28. The paper says "LeNet" only; rectifiers, maxima and the layers' default uniform weights are ours.
/// </summary>
public sealed class LeNet : Classifier
{
    private const int Kernel = 5, Padding = 2, First = 6, Second = 16, Hidden = 120, Last = 84;

    private readonly Sequential _layers;
    private readonly int _channels, _side;

    /// <summary>A fresh one.</summary>
    /// <param name="outputs">Logits.</param>
    /// <param name="init">Draws the weights.</param>
    /// <param name="channels">Channels of an image.</param>
    /// <param name="side">Pixels of its side.</param>
    /// <param name="dtype">Element type.</param>
    /// <exception cref="UsageException">Such images are too small.</exception>
    public LeNet(int outputs, Generator init, int channels = 1, int side = 28, DType dtype = DType.F32)
    {
        (_channels, _side) = (channels, side);
        int map = (side / 2 - Kernel + 1) / 2;
        if (map < 1)
            throw new UsageException($"LeNet: images of {side} x {side} pixels are too small for two convolutions of {Kernel} x {Kernel}. Give a side of 12 or more.");
        _layers = Add("layers", new Sequential(
            new Conv2d(channels, First, Kernel, init, padding: Padding, dtype: dtype), new Relu(), new MaxPool2d(2),
            new Conv2d(First, Second, Kernel, init, dtype: dtype), new Relu(), new MaxPool2d(2), new Flatten(),
            new Linear(Second * map * map, Hidden, init, dtype: dtype), new Relu(),
            new Linear(Hidden, Last, init, dtype: dtype), new Relu(),
            new Linear(Last, outputs, init, dtype: dtype)));
    }

    /// <summary>Images [n, pixels] to logits [n, outputs].</summary>
    public override Tensor Forward(Tensor x) => _layers.Forward(x.Reshape(-1, _channels, _side, _side));

    /// <inheritdoc/>
    public override Tensor Features(Tensor x)
    {
        x = x.Reshape(-1, _channels, _side, _side);
        for (int i = 0; i < _layers.Count - 1; i++)
            x = _layers[i].Forward(x);
        return x;
    }

    /// <inheritdoc/>
    public override IReadOnlyList<(string Name, IReadOnlyList<Parameter> Blocks)> Layers =>
        [("Conv 1", _layers[0].Parameters()), ("Conv 2", _layers[3].Parameters()), ("FC 1", _layers[7].Parameters()), ("FC 2", _layers[9].Parameters()), ("FC 3", _layers[11].Parameters())];
}
