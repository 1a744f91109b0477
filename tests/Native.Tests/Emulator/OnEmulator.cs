namespace Native.Tests;

/// <summary>Runs the same function on the cpu and on emu:0, threads in ascending and in descending order, and compares.</summary>
internal static class OnEmulator
{
    public static Device Emu => Device.Parse("emu:0");

    /// <summary>The emulator's outputs have the cpu's bits for every form of the inputs; all NaNs count as one unless payloads matter.</summary>
    public static void SameBits(string what, Func<Tensor[], Tensor> f, Tensor[] inputs, bool payloads = false, params Form[] forms) =>
        Compare(what, f, inputs, forms, (expected, actual) =>
        {
            ulong[] e = Bits(expected, payloads), a = Bits(actual, payloads);
            for (int i = 0; i < e.Length; i++)
                if (e[i] != a[i])
                    return $"element {i} is {a[i]:x}, should be {e[i]:x}";
            return null;
        });

    /// <summary>The emulator's outputs are within some units in the last place of the output's scale.</summary>
    /// <param name="what">For the message.</param>
    /// <param name="f">The function.</param>
    /// <param name="inputs">On the cpu.</param>
    /// <param name="ulps">Units in the last place of an element, or of <paramref name="scale"/> where that is larger.</param>
    /// <param name="scale">How large the terms of a sum are that may cancel.</param>
    /// <param name="forms">How the inputs lie in memory.</param>
    public static void Close(string what, Func<Tensor[], Tensor> f, Tensor[] inputs, double ulps, double scale, params Form[] forms) =>
        Compare(what, f, inputs, forms, (expected, actual) =>
        {
            double unit = ulps * (expected.DType == DType.F32 ? Math.Pow(2, -23) : Math.Pow(2, -52));
            return OpKit.Difference(OpKit.ToDoubles(expected), OpKit.ToDoubles(actual), unit, unit * scale);
        });

    /// <summary>An element's bits, sign of zero included.</summary>
    public static ulong[] Bits(Tensor t, bool payloads = false) => t.DType switch
    {
        DType.F32 => Array.ConvertAll(t.ToArray<float>(), x => (ulong)BitConverter.SingleToUInt32Bits(float.IsNaN(x) && !payloads ? float.NaN : x)),
        DType.F64 => Array.ConvertAll(t.ToArray<double>(), x => BitConverter.DoubleToUInt64Bits(double.IsNaN(x) && !payloads ? double.NaN : x)),
        DType.I32 => Array.ConvertAll(t.ToArray<int>(), x => (ulong)x),
        DType.I64 => Array.ConvertAll(t.ToArray<long>(), x => (ulong)x),
        DType.U8 => Array.ConvertAll(t.ToArray<byte>(), x => (ulong)x),
        _ => Array.ConvertAll(t.ToArray<bool>(), x => x ? 1UL : 0),
    };

    private static void Compare(string what, Func<Tensor[], Tensor> f, Tensor[] inputs, Form[] forms, Func<Tensor, Tensor, string?> difference)
    {
        using var _ = Autograd.NoGrad();
        foreach (var form in forms.Length == 0 ? [Form.Dense] : forms)
        {
            using var scope = TensorScope.Begin("emulator");
            var expected = f([.. inputs.Select(t => OpKit.Lay(t, form))]);
            ulong[]? first = null;
            foreach (bool reversed in (bool[])[false, true])
            {
                EmulatedDriver.Shared.Reversed = reversed;
                try
                {
                    var actual = f([.. inputs.Select(t => OpKit.Lay(t.To(Emu), form))]);
                    Assert.Equal("emu:0", actual.Device.Name);
                    Assert.Equal(expected.DType, actual.DType);
                    Assert.Equal(expected.Shape, actual.Shape);
                    string? problem = difference(expected, actual);
                    Assert.True(problem is null, $"{what}, {form}, reversed {reversed}: {problem}");
                    first ??= Bits(actual);
                    Assert.True(first.AsSpan().SequenceEqual(Bits(actual)), $"{what}, {form}: the order of threads changes the bits");
                }
                finally
                {
                    EmulatedDriver.Shared.Reversed = false;
                }
            }
        }
    }
}
