namespace Native.Tests;

/// <summary>Every row of <see cref="OpTable"/> with all its samples on the emulator, against the cpu: values, then gradients of orders 1 and 2.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class OpTableTests
{
    // Bounds on a difference, in units of the dtype's precision at the largest number among results and inputs: sums run in another order than on the cpu,
    // and may cancel.
    private const double ValueUlps = 32, GradientUlps = 512;

    [NeedsFact(GpuKit.Gxx)]
    public void Rows_agree_with_the_cpu() => Agree(Emulated.Device);

    /// <summary>The whole table on a device, which is the emulator or a GPU.</summary>
    internal static void Agree(Device device) => OpKit.OnFreshThread(() =>
    {
        var failures = new List<string>();
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
                        if (Problem(device, row, s, OpKit.Make(s, SampleValues.Draw(s, SampleValues.Seed(row.Name, k)), dtype)) is { } problem)
                            failures.Add($"{row.Name} '{s.Label}' {dtype.Name()}: {problem}");
                    }
                    catch (Exception e)
                    {
                        failures.Add($"{row.Name} '{s.Label}' {dtype.Name()}: {e.GetType().Name}: {e.Message}");
                    }
                }
        Assert.True(done > 1000, $"only {done} samples");
        Assert.True(failures.Count == 0, $"{failures.Count} of {done} samples failed:\n{string.Join('\n', failures.Take(60))}");
    });

    private static string? Problem(Device device, OpRow row, Sample s, Tensor[] x)
    {
        Tensor[] near = [.. x.Select(t => t.To(device))];
        Tensor[] values = s.Run(near);
        // Moving to a device is the one operation that does not stay on its own.
        if (row.Name != "to_device" && values.FirstOrDefault(t => t.Device != device) is { } elsewhere)
            return $"a result is {elsewhere.Describe()}";
        double largest = x.Where(t => t.DType.IsFloat()).SelectMany(OpKit.ToDoubles).Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
        if (Difference(s.Run(x), values, row.Op is PointwiseOp ? 0 : ValueUlps, largest) is { } value)
            return value;
        if (device == Emulated.Device && Difference(values, Emulated.InOrder(reversed: true, () => s.Run(near)), 0, largest) is { } race)
            return $"in reverse order of threads, {race} in order";
        if (s.Orders < 1)
            return null;
        Tensor[] Derivatives(Tensor[] inputs)
        {
            var (f, free) = SampleValues.Differentiable(s, inputs);
            return [.. OpKit.Derivatives(f, free, Math.Min(2, s.Orders))];
        }
        Tensor[] derived = Derivatives(near);
        if (Difference(Derivatives(x), derived, GradientUlps, largest) is { } gradient)
            return $"outputs, then gradients of each order: {gradient}";
        return device == Emulated.Device && Difference(derived, Emulated.InOrder(reversed: true, () => Derivatives(near)), 0, largest) is { } late
            ? $"outputs, then gradients of each order, in reverse order of threads: {late} in order" : null;
    }

    // Whole numbers and 0 ulps: equal bit for bit, except for what a NaN carries.
    private static string? Difference(Tensor[] expected, Tensor[] actual, double ulps, double largest)
    {
        if (expected.Length != actual.Length)
            return $"{actual.Length} results instead of {expected.Length}";
        foreach (var (k, (e, a)) in expected.Zip(actual).Index())
        {
            if (a.DType != e.DType || a.Shape != e.Shape)
                return $"result {k} is {a.Describe()} instead of {e.Describe()}";
            double[] want = OpKit.ToDoubles(e), have = OpKit.ToDoubles(a);
            double bound = ulps * (e.DType == DType.F32 ? Math.Pow(2, -23) : Math.Pow(2, -52)) * want.Where(double.IsFinite).Select(Math.Abs).Append(largest).Max();
            for (int i = 0; i < want.Length; i++)
                if (!(BitConverter.DoubleToInt64Bits(want[i]) == BitConverter.DoubleToInt64Bits(have[i]) || (double.IsNaN(want[i]) && double.IsNaN(have[i]))
                    || (e.DType.IsFloat() && ulps > 0 && Math.Abs(want[i] - have[i]) <= bound)))
                    return $"result {k}, element {i} is {have[i]:R}, should be {want[i]:R}; the bound is {bound:G3}";
        }
        return null;
    }
}
