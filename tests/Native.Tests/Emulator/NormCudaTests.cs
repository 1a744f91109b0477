namespace Native.Tests;

/// <summary>Normalisation's kernels against the cpu's.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class NormCudaTests
{
    private const double Eps = 1e-3;

    /// <summary>Batch, channels, length: channels side by side and apart, one chunk and several, teams without a channel, samples within one step.</summary>
    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(5, 3, 1)]
    [InlineData(2, 1, 1)]
    [InlineData(70, 37, 1)]
    [InlineData(600, 33, 1)]
    [InlineData(9, 5, 4)]
    [InlineData(6, 4, 9)]
    [InlineData(3, 2, 300)]
    [InlineData(2, 2, 8200)]
    public void Channels_are_the_cpus(int batch, int channels, int length) => OpKit.OnFreshThread(() => All(new ChannelGeometry(batch, channels, length), [batch, channels, length]));

    /// <summary>Rows, length, period, repeat: layers, groups and instances, short and long rows, few and many of them.</summary>
    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(1, 1, 1, 1)]
    [InlineData(5, 7, 1, 1)]
    [InlineData(300, 40, 1, 1)]
    [InlineData(3, 1500, 1, 1)]
    [InlineData(6, 12, 3, 4)]
    [InlineData(4, 600, 2, 100)]
    [InlineData(6, 9, 3, 9)]
    [InlineData(4, 1030, 4, 1030)]
    [InlineData(2, 18000, 1, 9000)]
    [InlineData(0, 5, 1, 1)]
    public void Rows_are_the_cpus(int rows, int length, int period, int repeat) =>
        OpKit.OnFreshThread(() => All(new RowGeometry(new(rows, length, period, repeat)), [rows, length]));

    [NeedsFact(GpuKit.Gxx)]
    public void A_large_mean_cancels_nothing() => OpKit.OnFreshThread(() =>
    {
        foreach (var (g, shape) in new (NormGeometry, Shape)[] { (new ChannelGeometry(3, 2, 6000), [3, 2, 6000]), (new ChannelGeometry(700, 2, 1), [700, 2, 1]), (new RowGeometry(new(3, 2000)), [3, 2000]) })
        {
            Tensor x = (Emulated.Normal(shape, DType.F64, "x") + 3000).To(DType.F32);
            Tensor far = x.To(Emulated.Device), y = Tensor.Empty(shape, DType.F32, Emulated.Device);
            Tensor[] stats = [.. Enumerable.Range(0, 3).Select(_ => Tensor.Empty([g.Groups], DType.F32, Emulated.Device))];
            g.Forward(far, null, null, 0, y, stats[0], stats[1], stats[2]);
            // E[x^2] - E[x]^2 would be off by 3000^2 2^-24 = 0.5 here.
            Tensor variance = NormalizeOp.Compose(g, 0, x.To(DType.F64), Tensor.Ones([g.Weights], DType.F64), Tensor.Zeros([g.Weights], DType.F64))[2];
            Assert.Null(OpKit.Difference(variance.ToArray<double>(), OpKit.ToDoubles(stats[1]), 1e-3, 0));
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void NaN_and_infinity_stay_in_their_channel_or_row() => OpKit.OnFreshThread(() =>
    {
        double[] values = [.. Enumerable.Range(0, 24).Select(i => i == 5 ? double.NaN : i == 14 ? double.PositiveInfinity : i * 0.5 % 3)];
        foreach (var (g, shape) in new (NormGeometry, Shape)[] { (new ChannelGeometry(2, 4, 3), [2, 4, 3]), (new RowGeometry(new(4, 6)), [4, 6]) })
            Values(g, shape, Tensor.From(values, shape), DType.F64);
    });

    private static void All(NormGeometry g, Shape shape)
    {
        foreach (var dtype in new[] { DType.F32, DType.F64 })
        {
            Tensor x = Emulated.Normal(shape, dtype, "x") * 2 + 1, w = Emulated.Normal([g.Weights], dtype, "w"), gy = Emulated.Normal(shape, dtype, "gy"), v = Emulated.Normal(shape, dtype, "v");
            Tensor u = Emulated.Normal([g.Weights], dtype, "u"), t = Emulated.Normal([g.Weights], dtype, "t");
            var (mean, invStd) = Values(g, shape, x, dtype);
            (Shape, DType) full = (shape, dtype), weights = ([g.Weights], dtype);
            double ulps = Ulps(x);
            Emulated.Agree((i, o) => g.Grad(i[0], i[1], i[2], i[3], i[4], o[0], o[1], o[2]), [gy, x, mean, invStd, w], [full, weights, weights], ulps, terms: 1);
            Emulated.Agree((i, o) => g.Grad(i[0], i[1], i[2], i[3], null, o[0], o[1], o[2]), [gy, x, mean, invStd], [full, weights, weights], ulps, terms: 1);
            Emulated.Agree((i, o) => g.GradGrad(i[0], i[1], i[2], i[3], i[4], i[5], i[6], i[7], o[0], o[1], o[2]), [v, u, t, gy, x, mean, invStd, w], [full, full, weights], 4 * ulps, terms: 1);
            Emulated.Agree((i, o) => g.GradGrad(i[0], i[1], i[2], i[3], i[4], i[5], i[6], null, o[0], o[1], o[2]), [v, u, t, gy, x, mean, invStd], [full, full, weights], 4 * ulps, terms: 1);
        }
    }

    // y, mean, variance and inverse deviation, with and without an affine map; the cpu's mean and inverse deviation.
    private static (Tensor Mean, Tensor InvStd) Values(NormGeometry g, Shape shape, Tensor x, DType dtype)
    {
        Tensor w = Emulated.Normal([g.Weights], dtype, "w"), b = Emulated.Normal([g.Weights], dtype, "b");
        (Shape, DType) full = (shape, dtype), groups = ([g.Groups], dtype);
        double ulps = Ulps(x);
        Emulated.Agree((i, o) => g.Forward(i[0], i[1], i[2], Eps, o[0], o[1], o[2], o[3]), [x, w, b], [full, groups, groups, groups], ulps);
        Emulated.Agree((i, o) => g.Forward(i[0], null, null, Eps, o[0], o[1], o[2], o[3]), [x], [full, groups, groups, groups], ulps);
        Tensor y = Tensor.Empty(shape, dtype), mean = Tensor.Empty([g.Groups], dtype), variance = Tensor.Empty([g.Groups], dtype), invStd = Tensor.Empty([g.Groups], dtype);
        g.Forward(x, null, null, Eps, y, mean, variance, invStd);
        return (mean, invStd);
    }

    // A sum of n terms of random sign is known to about sqrt(n) units of one term.
    private static double Ulps(Tensor x) => 16 + Math.Sqrt(x.Count);
}
