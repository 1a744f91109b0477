namespace Native.Tests;

/// <summary>Every row of <see cref="OpTable"/> with all its samples on the emulator, against the cpu: values, then gradients of orders 1 and 2.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class OpTableTests
{
    /// <summary>
    /// Rows that still lack a kernel, their own or one that their gradients need. A row named here must fail for that reason, so the list can only shrink.
    /// </summary>
    private static readonly string[] Missing =
    [
        "adaptive_avg_pool2d", "add", "avg_pool2d", "block_sum", "cast", "clamp_grad", "concat", "conv2d", "conv2d_data_grad", "conv2d_weight_grad",
        "cumsum", "diff", "div", "div_no_nan", "eq", "expand", "index_add", "leaky_relu_grad", "log_softmax", "log_softmax_grad", "logsumexp",
        "matmul", "max", "max_pool2d", "max_pool2d_gather", "max_pool2d_grad", "maximum", "min", "minimum", "mul", "mul_no_nan", "norm", "normalize",
        "normalize_grad", "normalize_grad_grad", "pow", "prod", "prod_of_others", "sigmoid_grad", "softmax", "softmax_cross_entropy",
        "softmax_cross_entropy_grad", "softmax_grad", "sub", "sum", "tanh_grad", "upsample", "where",
    ];

    // Bounds on a difference, in units of the dtype's precision at the result's largest number: sums run in another order than on the cpu.
    private const double ValueUlps = 32, GradientUlps = 512;

    [Fact]
    public void Rows_agree_with_the_cpu() => OpKit.OnFreshThread(() =>
    {
        var failures = new List<string>();
        var missing = new SortedDictionary<string, string>(StringComparer.Ordinal);
        int done = 0;
        foreach (var row in OpTable.All)
            for (int k = 0; k < row.Samples.Count; k++)
                foreach (var dtype in row.Samples[k].Single ? (DType[])[DType.F32, DType.F64] : [DType.F64])
                {
                    using var scope = TensorScope.Begin("sample");
                    var s = row.Samples[k];
                    try
                    {
                        done++;
                        if (Problem(row, s, OpKit.Make(s, SampleValues.Draw(s, SampleValues.Seed(row.Name, k)), dtype)) is { } problem)
                            failures.Add($"{row.Name} '{s.Label}' {dtype.Name()}: {problem}");
                    }
                    catch (KernelException e) when (e.Message.Contains("no kernel for emu:0", StringComparison.Ordinal))
                    {
                        missing.TryAdd(row.Name, e.Message);
                    }
                    catch (Exception e)
                    {
                        failures.Add($"{row.Name} '{s.Label}' {dtype.Name()}: {e.GetType().Name}: {e.Message}");
                    }
                }
        Assert.True(failures.Count == 0, $"{failures.Count} of {done} samples failed:\n{string.Join('\n', failures.Take(60))}");
        Assert.True(missing.Keys.All(Missing.Contains), $"rows without a kernel:\n{string.Join('\n', missing.Where(m => !Missing.Contains(m.Key)).Select(m => $"{m.Key}: {m.Value}"))}");
        Assert.True(Missing.All(missing.ContainsKey), $"rows that work now; take them off the list: {string.Join(", ", Missing.Except(missing.Keys, StringComparer.Ordinal))}");
    });

    private static string? Problem(OpRow row, Sample s, Tensor[] x)
    {
        Tensor[] near = [.. x.Select(t => t.To(EmuKit.Device))];
        Tensor[] values = s.Run(near);
        // Moving to a device is the one operation that does not stay on its own.
        if (row.Name != "to_device" && values.FirstOrDefault(t => t.Device != EmuKit.Device) is { } elsewhere)
            return $"a result is {elsewhere.Describe()}";
        if (Difference(s.Run(x), values, row.Op is PointwiseOp ? 0 : ValueUlps) is { } value)
            return value;
        if (s.Orders < 1)
            return null;
        Tensor[] Derivatives(Tensor[] inputs)
        {
            var (f, free) = SampleValues.Differentiable(s, inputs);
            return [.. OpKit.Derivatives(f, free, Math.Min(2, s.Orders))];
        }
        return Difference(Derivatives(x), Derivatives(near), GradientUlps) is { } gradient ? $"outputs, then gradients of each order: {gradient}" : null;
    }

    // Whole numbers and 0 ulps: equal bit for bit, except for what a NaN carries.
    private static string? Difference(Tensor[] expected, Tensor[] actual, double ulps)
    {
        if (expected.Length != actual.Length)
            return $"{actual.Length} results instead of {expected.Length}";
        foreach (var (k, (e, a)) in expected.Zip(actual).Index())
        {
            if (a.DType != e.DType || a.Shape != e.Shape)
                return $"result {k} is {a.Describe()} instead of {e.Describe()}";
            double[] want = OpKit.ToDoubles(e), have = OpKit.ToDoubles(a);
            double bound = ulps * (e.DType == DType.F32 ? Math.Pow(2, -23) : Math.Pow(2, -52)) * want.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
            for (int i = 0; i < want.Length; i++)
                if (!(BitConverter.DoubleToInt64Bits(want[i]) == BitConverter.DoubleToInt64Bits(have[i]) || (double.IsNaN(want[i]) && double.IsNaN(have[i]))
                    || (e.DType.IsFloat() && ulps > 0 && Math.Abs(want[i] - have[i]) <= bound)))
                    return $"result {k}, element {i} is {have[i]:R}, on the cpu {want[i]:R}; the bound is {bound:G3}";
        }
        return null;
    }
}
