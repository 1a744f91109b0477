namespace Native.Tests;

/// <summary>
/// What tests of kernels on the emulator share: the same computation on the cpu and on emu:0, there with threads and blocks in ascending and in descending
/// order. The order may not change a bit, and the results are the cpu's, or close to them.
/// </summary>
internal static class Emulated
{
    [ThreadStatic]
    private static Device? other;

    /// <summary>emu:0, unless a test has another one here.</summary>
    public static Device Device => other ?? Native.Device.Parse("emu:0");

    private static EmulatedDriver Driver => (EmulatedDriver)Ambient.Current.Cuda(Device).Cuda.Driver;

    /// <summary>Runs a check on a thread of its own, and on a device of its own, whose kernels are compiled by <paramref name="compiler"/>.</summary>
    public static void WithKernelsOf(IKernelCompiler compiler, Action check) => OpKit.OnFreshThread(() =>
    {
        other = DriverKit.Over(new EmulatedDriver { Devices = int.MaxValue }, CudaBackend.Emulated(compiler));
        check();
    });

    /// <summary>Runs with the emulator's threads and blocks in descending order, or in ascending order.</summary>
    public static T InOrder<T>(bool reversed, Func<T> run)
    {
        var driver = Driver;
        driver.Reversed = reversed;
        try
        {
            return run();
        }
        finally
        {
            driver.Reversed = false;
        }
    }

    /// <summary>Runs in both orders and demands the same bits.</summary>
    public static double[] InBothOrders(string what, Func<double[]> run)
    {
        double[] forwards = InOrder(reversed: false, run), backwards = InOrder(reversed: true, run);
        if (OpKit.BitDifference([forwards], [backwards]) is { } difference)
            Assert.Fail($"{what}: in reverse order of threads, {difference}");
        return forwards;
    }

    /// <summary>The results on the emulator have the cpu's bits; any NaN equals any, unless payloads matter.</summary>
    public static void SameBits(string what, Func<Device, Tensor[]> run, bool payloads = false) =>
        Compare(what, run, (expected, actual) => BitDifference(expected, actual, payloads));

    /// <summary>The results on the emulator have the cpu's bits for every form of the inputs, which are on the cpu.</summary>
    public static void SameBits(string what, Func<Tensor[], Tensor> f, Tensor[] inputs, bool payloads = false, params Form[] forms) =>
        ForEachForm(what, inputs, forms, (name, laid) => SameBits(name, d => [f(laid(d))], payloads));

    /// <summary>The results on the emulator are within some units in the last place of the cpu's.</summary>
    /// <param name="what">For the message.</param>
    /// <param name="f">The function.</param>
    /// <param name="inputs">On the cpu.</param>
    /// <param name="ulps">Units in the last place of an element, or of <paramref name="scale"/> where that is larger.</param>
    /// <param name="scale">How large the terms of a sum are that may cancel.</param>
    /// <param name="forms">How the inputs lie in memory.</param>
    public static void Close(string what, Func<Tensor[], Tensor> f, Tensor[] inputs, double ulps, double scale, params Form[] forms) =>
        ForEachForm(what, inputs, forms, (name, laid) => Compare(name, d => [f(laid(d))], (expected, actual) =>
        {
            double unit = ulps * Unit(expected.DType);
            return OpKit.Difference(OpKit.ToDoubles(expected), OpKit.ToDoubles(actual), unit, unit * scale);
        }));

    /// <summary>
    /// Runs <paramref name="entry"/>, which fills outputs from inputs, on both devices, in each layout of the floating inputs. An element may be off by
    /// <paramref name="ulps"/> units of the last place of the output's largest finite element: sums are taken in another order. Where large terms cancel,
    /// <paramref name="terms"/> is their size.
    /// </summary>
    public static void Agree(Action<Tensor[], Tensor[]> entry, Tensor[] inputs, (Shape Shape, DType DType)[] outputs, double ulps, Form[]? forms = null, double terms = 0) =>
        ForEachForm(string.Join(", ", inputs.Select(t => t.Describe())), inputs, forms ?? [], (name, laid) => Compare(name, d =>
        {
            Tensor[] y = [.. outputs.Select(o => Tensor.Empty(o.Shape, o.DType, d))];
            entry(laid(d), y);
            return y;
        }, (expected, actual) =>
        {
            double[] e = OpKit.ToDoubles(expected);
            return OpKit.Difference(e, OpKit.ToDoubles(actual), 0, ulps * Unit(expected.DType) * e.Where(double.IsFinite).Select(Math.Abs).Append(terms).Max());
        }));

    /// <summary>Normal values, the same for f32 and f64 but for rounding.</summary>
    public static Tensor Normal(Shape shape, DType dtype, string stream) => Tensor.Randn(shape, new Generator(11).Stream(stream), dtype: DType.F64).To(dtype);

    /// <summary>Each element's bits, sign of zero included.</summary>
    public static ulong[] Bits(Tensor t, bool payloads = false) => t.DType switch
    {
        DType.F32 => Array.ConvertAll(t.ToArray<float>(), x => (ulong)BitConverter.SingleToUInt32Bits(float.IsNaN(x) && !payloads ? float.NaN : x)),
        DType.F64 => Array.ConvertAll(t.ToArray<double>(), x => BitConverter.DoubleToUInt64Bits(double.IsNaN(x) && !payloads ? double.NaN : x)),
        DType.I32 => Array.ConvertAll(t.ToArray<int>(), x => (ulong)x),
        DType.I64 => Array.ConvertAll(t.ToArray<long>(), x => (ulong)x),
        DType.U8 => Array.ConvertAll(t.ToArray<byte>(), x => (ulong)x),
        _ => Array.ConvertAll(t.ToArray<bool>(), x => x ? 1UL : 0),
    };

    // Derivatives are not asked for here: what runs is one entry.
    private static void ForEachForm(string what, Tensor[] inputs, Form[] forms, Action<string, Func<Device, Tensor[]>> check)
    {
        using var _ = Autograd.NoGrad();
        foreach (var form in forms.Length == 0 ? [Form.Dense] : forms)
            check($"{what}, {form}", d => [.. inputs.Select(t => OpKit.Lay(d.IsCpu ? t : t.To(d), form))]);
    }

    private static void Compare(string what, Func<Device, Tensor[]> run, Func<Tensor, Tensor, string?> difference)
    {
        using var scope = TensorScope.Begin("emulated");
        Tensor[] expected = run(Native.Device.Cpu);
        Tensor[]? first = null;
        foreach (bool reversed in (bool[])[false, true])
        {
            string order = reversed ? "threads in reverse order" : "threads in order";
            Tensor[] actual = InOrder(reversed, () => run(Device));
            Assert.True(expected.Length == actual.Length, $"{what}, {order}: {actual.Length} results, on the cpu {expected.Length}");
            for (int k = 0; k < actual.Length; k++)
            {
                Assert.True(actual[k].Device == Device && actual[k].DType == expected[k].DType && actual[k].Shape == expected[k].Shape,
                    $"{what}: result {k} is {actual[k].Describe()}, on the cpu {expected[k].Describe()}");
                if (difference(expected[k], actual[k]) is { } problem)
                    Assert.Fail($"{what}, {order}: result {k}, {problem}");
                if (first is not null && BitDifference(first[k], actual[k], payloads: false) is { } race)
                    Assert.Fail($"{what}, {order}: result {k}, {race} in order");
            }
            first ??= actual;
        }
    }

    private static string? BitDifference(Tensor expected, Tensor actual, bool payloads)
    {
        ulong[] e = Bits(expected, payloads), a = Bits(actual, payloads);
        for (int i = 0; i < e.Length; i++)
            if (e[i] != a[i])
                return $"element {i} is {OpKit.ToDoubles(actual)[i]:R} ({a[i]:x}), should be {OpKit.ToDoubles(expected)[i]:R} ({e[i]:x})";
        return null;
    }

    private static double Unit(DType dtype) => dtype == DType.F32 ? Math.ScaleB(1, -23) : Math.ScaleB(1, -52);
}
