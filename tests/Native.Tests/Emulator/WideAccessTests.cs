namespace Native.Tests;

/// <summary>
/// Kernels that move sixteen bytes at a time where shapes allow: where the memory begins decides how fast, never in what order, so it changes no bit. The
/// emulator's host faults on a sixteen-byte access that is not at a multiple of sixteen.
/// </summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class WideAccessTests
{
    private static readonly DType[] DTypes = [DType.F32, DType.F64];

    // Lines that are walked in pieces by a warp and by a block, and lines that are not: odd, short.
    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(3, 128)]
    [InlineData(2, 1028)]
    [InlineData(3, 129)]
    [InlineData(5, 12)]
    public void Softmaxes_and_divergences(int rows, int n) => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in DTypes)
        {
            Shape full = [rows, n], perRow = [rows];
            Tensor a = Emulated.Normal(full, dtype, "a"), b = Emulated.Normal(full, dtype, "b"), g = Emulated.Normal(perRow, dtype, "g");
            Tensor classes = Tensor.From([.. Enumerable.Range(0, rows).Select(r => (long)(r * 5 % n))], [rows]).To(Emulated.Device);
            Same([a], [full], (x, y) => SoftmaxEntry.Softmax(y[0], x[0], 1));
            Same([a], [full], (x, y) => SoftmaxEntry.LogSoftmax(y[0], x[0], 1));
            Same([a], [[rows, 1]], (x, y) => SoftmaxEntry.LogSumExp(y[0], x[0], 1));
            Same([a, b], [full], (x, y) => SoftmaxEntry.SoftmaxGrad(y[0], x[0], x[1], 1));
            Same([a, b], [full], (x, y) => SoftmaxEntry.LogSoftmaxGrad(y[0], x[0], x[1], 1));
            Same([a], [perRow], (x, y) => SoftmaxEntry.CrossEntropy(y[0], x[0], classes, -1, 0.1));
            Same([a, g], [full], (x, y) => SoftmaxEntry.CrossEntropyGrad(y[0], x[0], classes, x[1], -1, 0.1));
            Same([a, b], [full, full], (x, y) => SoftmaxEntry.Gumbel(y[0], y[1], x[0], x[1], 0.5, 1));
            Same([a, b], [full], (x, y) => SoftmaxEntry.GumbelGrad(y[0], x[0], x[1], 0.5, 1));
            foreach (bool fromMixture in (bool[])[false, true])
            {
                Same([a, b], [perRow], (x, y) => DivergenceEntry.Forward(y[0], x[0], x[1], fromMixture));
                Same([a, b, g], [full, full], (x, y) => DivergenceEntry.Grad(y[0], y[1], x[0], x[1], x[2], fromMixture));
            }
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Normalisations() => OpKit.OnFreshThread(() =>
    {
        // Channels in pieces of one chunk and of several, and not in pieces; rows with a weight each, with weights that pieces share, with weights that cut pieces.
        (NormGeometry, Shape)[] cases =
        [
            (new ChannelGeometry(3, 2, 16), [3, 2, 16]), (new ChannelGeometry(2, 2, 8200), [2, 2, 8200]), (new ChannelGeometry(3, 2, 9), [3, 2, 9]), (new ChannelGeometry(9, 5, 4), [9, 5, 4]),
            (new RowGeometry(new(3, 1028)), [3, 1028]), (new RowGeometry(new(4, 160, 2, 8)), [4, 160]), (new RowGeometry(new(4, 162, 2, 3)), [4, 162]), (new RowGeometry(new(4, 384, 2, 6)), [4, 384]),
        ];
        foreach (var (g, shape) in cases)
            foreach (var dtype in DTypes)
            {
                Shape groups = [g.Groups], weights = [g.Weights];
                Tensor x = Emulated.Normal(shape, dtype, "x"), gy = Emulated.Normal(shape, dtype, "gy"), v = Emulated.Normal(shape, dtype, "v"), mean = Emulated.Normal(groups, dtype, "mean");
                Tensor d = Tensor.Full(groups, 0.75, dtype), w = Emulated.Normal(weights, dtype, "w"), b = Emulated.Normal(weights, dtype, "b");
                Same([x, w, b], [shape, groups, groups, groups], (i, y) => g.Forward(i[0], i[1], i[2], 1e-3, y[0], y[1], y[2], y[3]));
                Same([gy, x, mean, d, w], [shape, weights, weights], (i, y) => g.Grad(i[0], i[1], i[2], i[3], i[4], y[0], y[1], y[2]));
                Same([v, w, b, gy, x, mean, d, w], [shape, shape, weights], (i, y) => g.GradGrad(i[0], i[1], i[2], i[3], i[4], i[5], i[6], i[7], y[0], y[1], y[2]));
            }
    });

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(1, 2, 2)]
    [InlineData(4, 17, 300)]
    public void A_variation_of_several_blocks_is_the_cpus(int planes, int h, int w) => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in DTypes)
        {
            Shape shape = [1, planes, h, w];
            Tensor x = Emulated.Normal(shape, dtype, "x"), g = Emulated.Normal([], dtype, "g");
            Emulated.Agree((i, o) => VariationEntry.Forward(o[0], i[0], 0.3, 0.7), [x], [([], dtype)], 32, [Form.Dense, Form.Sliced]);
            Emulated.Agree((i, o) => VariationEntry.Grad(o[0], i[0], i[1], 0.3, 0.7), [g, x], [(shape, dtype)], 0, [Form.Dense, Form.Sliced]);
        }
    });

    // From memory that begins at a multiple of sixteen bytes into such memory, and from and into memory that begins one element further.
    private static void Same(Tensor[] inputs, Shape[] outputs, Action<Tensor[], Tensor[]> entry)
    {
        using var scope = TensorScope.Begin("same");
        using var off = Autograd.NoGrad();
        double[][] Run(bool shifted)
        {
            Tensor[] x = [.. inputs.Select(t => Place(t.Shape, t.DType, shifted))], y = [.. outputs.Select(s => Place(s, inputs[0].DType, shifted))];
            for (int i = 0; i < x.Length; i++)
                CopyKernels.Copy(inputs[i].To(Emulated.Device), x[i]);
            Assert.All(x, t => Assert.Equal(shifted, Launch.At(t) % 16 != 0));
            entry(x, y);
            return OpKit.ToDoubles(y);
        }
        double[][] aligned = Run(shifted: false);
        Assert.All(aligned, y => Assert.DoesNotContain(double.NaN, y));
        Assert.Null(OpKit.BitDifference(aligned, Run(shifted: true)));
    }

    private static Tensor Place(Shape shape, DType dtype, bool shifted)
    {
        int from = shifted ? 1 : 0, count = (int)shape.Count;
        return Tensor.Empty([count + 1], dtype, Emulated.Device)[from..(from + count)].Reshape(shape);
    }
}
