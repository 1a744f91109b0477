namespace Native.Methods;

/// <summary>
/// Real images as the learner sees them: values in [-1, 1] (what a generator's tanh can make), means over squares of pixels where the setting is small.
/// </summary>
internal sealed class ImagePixels
{
    private readonly TaskStream _stream;
    private readonly float[] _values = PixelScale.Symmetric.Values([.. Enumerable.Range(0, 256).Select(b => (byte)b)]);
    private readonly int _square;

    public ImagePixels(TaskStream stream, int square)
    {
        var set = stream.Train;
        if (square < 1 || set.Height % square != 0 || set.Height != set.Width)
            throw new UsageException($"meta-learning: images of {set.Height} x {set.Width} are not squares that divide into squares of {square}. Choose another square, or resize them.");
        (_stream, _square, Channels, Side) = (stream, square, set.Channels, set.Height / square);
    }

    public int Channels { get; }

    /// <summary>Height and width after the means.</summary>
    public int Side { get; }

    /// <summary>Numbers per image.</summary>
    public int Size => Channels * Side * Side;

    /// <summary>Training images by their indices, one after the other.</summary>
    public float[] Gather(ReadOnlySpan<int> indices)
    {
        var all = new float[indices.Length * Size];
        for (int i = 0; i < indices.Length; i++)
            Write(_stream.Train.Image(indices[i]), all.AsSpan(i * Size, Size));
        return all;
    }

    /// <summary>A batch of the stream, [n, pixels] in its own scale, as [n, channels, side, side] in [-1, 1].</summary>
    public Tensor Of(Tensor images)
    {
        double low = _stream.Scale.Low, high = _stream.Scale.High;
        var x = images.Reshape(images.Shape[0], Channels, Side * _square, Side * _square);
        if ((low, high) != (-1, 1))
            x = (x - low) * (2 / (high - low)) - 1;
        return _square == 1 ? x : Functional.AvgPool2d(x, _square);
    }

    private void Write(ReadOnlySpan<byte> image, Span<float> to)
    {
        int width = Side * _square;
        for (int c = 0, at = 0; c < Channels; c++)
            for (int y = 0; y < Side; y++)
                for (int x = 0; x < Side; x++, at++)
                {
                    float sum = 0;
                    for (int k = 0; k < _square * _square; k++)
                        sum += _values[image[(c * width + y * _square + k / _square) * width + x * _square + k % _square]];
                    to[at] = sum / (_square * _square);
                }
    }
}
