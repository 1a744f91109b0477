namespace Native.Tests;

/// <summary>The softmax family's kernels against the cpu's.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class SoftmaxCudaTests
{
    private const double Inf = double.PositiveInfinity, NaN = double.NaN;

    private static readonly Form[] Layouts = [Form.Dense, Form.Transposed, Form.Sliced, Form.Expanded];

    /// <summary>Outer, n, inner: teams of every kind, lines that leave part of the last block idle, no line, and lines of nothing.</summary>
    public static TheoryData<long, long, long> Shapes => new()
    {
        { 1, 1, 1 }, { 3, 2, 1 }, { 65, 10, 1 }, { 9, 33, 1 }, { 2, 1024, 1 }, { 2, 1025, 1 }, { 1, 3001, 1 },
        { 2, 3, 5 }, { 3, 10, 64 }, { 1, 65, 300 }, { 2, 200, 3 }, { 1, 2000, 10 }, { 1, 90, 2 },
        { 0, 4, 1 }, { 3, 0, 1 }, { 2, 3, 0 },
    };

    [NeedsTheory(GpuKit.Gxx)]
    [MemberData(nameof(Shapes))]
    public void Values_and_gradients_are_the_cpus(long outer, long n, long inner) => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in new[] { DType.F32, DType.F64 })
        {
            Shape shape = [outer, n, inner], line = [outer, 1, inner];
            Tensor x = Emulated.Normal(shape, dtype, "x") * 3, g = Emulated.Normal(shape, dtype, "g");
            double ulps = 4 + Math.Log2(n + 1);
            Emulated.Agree((i, o) => SoftmaxEntry.Softmax(o[0], i[0], 1), [x], [(shape, dtype)], ulps, Layouts);
            Emulated.Agree((i, o) => SoftmaxEntry.LogSoftmax(o[0], i[0], 1), [x], [(shape, dtype)], ulps, Layouts);
            Emulated.Agree((i, o) => SoftmaxEntry.LogSumExp(o[0], i[0], 1), [x], [(line, dtype)], ulps, Layouts);
            if (n == 0)
                continue;
            using var _ = Autograd.NoGrad();
            Tensor y = x.Softmax(1), log = x.LogSoftmax(1);
            Emulated.Agree((i, o) => SoftmaxEntry.SoftmaxGrad(o[0], i[0], i[1], 1), [g, y], [(shape, dtype)], ulps, Layouts);
            // A sum of n random signs is known to about sqrt(n) units of one summand.
            Emulated.Agree((i, o) => SoftmaxEntry.LogSoftmaxGrad(o[0], i[0], i[1], 1), [g, log], [(shape, dtype)], ulps + Math.Sqrt(n), Layouts);
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Infinities_and_NaN_do_what_they_do_on_the_cpu() => OpKit.OnFreshThread(() =>
    {
        double[][] lines = [[-Inf, -Inf, -Inf], [Inf, 1, 2], [-Inf, 1, 2], [NaN, 1, 2], [1, NaN, Inf], [1e30, -1e30, 1e30], [Inf, Inf, -Inf], [2, 1, NaN]];
        foreach (var dtype in new[] { DType.F32, DType.F64 })
        {
            Tensor rows = Tensor.From(lines.SelectMany(l => l).ToArray(), [lines.Length, 3]).To(dtype), columns = rows.T.Contiguous();
            foreach (var (x, dim) in new[] { (rows, 1), (columns, 0) })
            {
                Shape sums = dim == 1 ? [lines.Length, 1] : [1, lines.Length];
                Emulated.Agree((i, o) => SoftmaxEntry.Softmax(o[0], i[0], dim), [x], [(x.Shape, dtype)], 2);
                Emulated.Agree((i, o) => SoftmaxEntry.LogSoftmax(o[0], i[0], dim), [x], [(x.Shape, dtype)], 0);
                Emulated.Agree((i, o) => SoftmaxEntry.LogSumExp(o[0], i[0], dim), [x], [(sums, dtype)], 0);
            }
        }
    });

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(1, 1)]
    [InlineData(7, 10)]
    [InlineData(300, 10)]
    [InlineData(5, 1000)]
    [InlineData(3, 1500)]
    [InlineData(0, 3)]
    public void Cross_entropy_is_the_cpus(int rows, int classes) => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in new[] { DType.F32, DType.F64 })
            foreach (double smoothing in new[] { 0, 0.1 })
            {
                // Far from zero, where log-sum-exp minus logit would lose its digits; the ignored rows hold NaN.
                double[] logits = (Emulated.Normal([rows, classes], DType.F64, "x") * 2 + 100).ToArray<double>();
                long[] targets = [.. Enumerable.Range(0, rows).Select(r => r % 5 == 3 ? -100L : r * 7L % classes)];
                for (int r = 3; r < rows; r += 5)
                    logits[r * classes] = NaN;
                Tensor x = Tensor.From(logits, [rows, classes]).To(dtype), t = Tensor.From(targets, [rows]), scale = Emulated.Normal([rows], dtype, "scale");
                double ulps = 4 + Math.Log2(classes);
                Emulated.Agree((i, o) => SoftmaxEntry.CrossEntropy(o[0], i[0], i[1], -100, smoothing), [x, t], [([rows], dtype)], ulps, Layouts);
                Emulated.Agree((i, o) => SoftmaxEntry.CrossEntropyGrad(o[0], i[0], i[1], i[2], -100, smoothing), [x, t, scale], [([rows, classes], dtype)], ulps, Layouts);
                Emulated.Agree((i, o) => SoftmaxEntry.MeanCrossEntropy(o[0], o[1], i[0], i[1], -100, smoothing), [x, t], [([], dtype), ([rows], dtype)], ulps, Layouts);
            }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_target_that_is_no_class_is_the_cpus_error() => OpKit.OnFreshThread(() =>
    {
        Tensor x = Tensor.Zeros([2, 3]), t = Tensor.From([1L, 3L], [2]);
        string Message(Device device) => Assert.Throws<ShapeException>(() => SoftmaxEntry.CrossEntropy(Tensor.Empty([2], DType.F32, device), x.To(device), t.To(device), -100, 0)).Message;
        Assert.Equal(Message(Device.Cpu).Replace("@cpu", "@emu:0", StringComparison.Ordinal), Message(Emulated.Device));
        Assert.Contains("target 3 of row 1 is no class", Message(Emulated.Device), StringComparison.Ordinal);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void An_unchecked_bad_target_makes_NaN_of_its_row_alone() => OpKit.OnFreshThread(() =>
    {
        using var off = DataChecks.Override(wanted: false);
        Tensor x = Emulated.Normal([3, 4], DType.F32, "x").To(Emulated.Device), t = Tensor.From([1L, 4L, -7L], [3]).To(Emulated.Device), scale = Tensor.Ones([3], DType.F32, Emulated.Device);
        Tensor loss = Tensor.Empty([3], DType.F32, Emulated.Device), gx = Tensor.Empty([3, 4], DType.F32, Emulated.Device);
        SoftmaxEntry.CrossEntropy(loss, x, t, -100, 0);
        SoftmaxEntry.CrossEntropyGrad(gx, x, t, scale, -100, 0);
        Assert.Equal([false, true, true], loss.ToArray<float>().Select(float.IsNaN));
        Assert.Equal(Enumerable.Range(0, 12).Select(i => i >= 4), gx.ToArray<float>().Select(float.IsNaN));
    });
}
