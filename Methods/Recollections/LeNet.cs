using Native.Nn;

namespace Native.Methods;

/// <summary>
/// LeNet (LeCun et al. 1998), teacher and student of the distillations: two convolutions of 5 x 5, each followed by pooling 2 x 2, then linear layers. The paper says "LeNet"
/// only; rectifiers, maxima and the layers' default uniform weights are ours.
/// </summary>
public sealed class LeNet : Classifier
{
    private const int Kernel = 5;

    private readonly Sequential _layers;
    private readonly int _channels, _side;

    /// <summary>A fresh one.</summary>
    /// <param name="outputs">Logits.</param>
    /// <param name="init">Draws the weights.</param>
    /// <param name="channels">Channels of an image.</param>
    /// <param name="side">Pixels of its side.</param>
    /// <param name="original">
    /// LeNet-5 of 1998: 6 and 16 filters, the first padded by 2, then 120 and 84 units, 61,706 numbers for ten classes of 28 x 28. Otherwise what Caffe made known under the name:
    /// 20 and 50 filters without padding, then 500 units, 431,080 numbers.
    /// </param>
    /// <param name="dtype">Element type.</param>
    /// <exception cref="UsageException">Such images are too small.</exception>
    public LeNet(int outputs, Generator init, int channels = 1, int side = 28, bool original = false, DType dtype = DType.F32)
    {
        (_channels, _side) = (channels, side);
        var (first, second, padding) = original ? (6, 16, 2) : (20, 50, 0);
        int map = ((side + 2 * padding - Kernel + 1) / 2 - Kernel + 1) / 2;
        if (map < 1)
            throw new UsageException($"LeNet: images of {side} x {side} pixels are too small for two convolutions of {Kernel} x {Kernel}. Give a side of 16 or more.");
        Conv2d conv(int from, int to, int pad) => new(from, to, Kernel, init, padding: pad, dtype: dtype);
        Linear linear(int from, int to) => new(from, to, init, dtype: dtype);
        List<Module> layers = [conv(channels, first, padding), new Relu(), new MaxPool2d(2), conv(first, second, 0), new Relu(), new MaxPool2d(2), new Flatten()];
        int[] widths = original ? [second * map * map, 120, 84] : [second * map * map, 500];
        for (int i = 1; i < widths.Length; i++)
            layers.AddRange([linear(widths[i - 1], widths[i]), new Relu()]);
        _layers = Add("layers", new Sequential([.. layers, linear(widths[^1], outputs)]));
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
        [.. Enumerable.Range(0, _layers.Count).Select(i => (Name: $"Layer {i + 1}", Blocks: _layers[i].Parameters())).Where(l => l.Blocks.Count > 0)];
}
