namespace Native.Tests;

/// <summary>The same entry on cpu and on emu:0, with inputs of equal values and layouts: close to the cpu's result, and the same bits in whatever order the threads run.</summary>
internal static class Twin
{
    public static Device Emu => Device.Parse("emu:0");

    /// <summary>
    /// Runs <paramref name="entry"/>, which fills outputs from inputs, on both devices, in each layout of the floating inputs. An element may be off by
    /// <paramref name="ulps"/> units of the last place of the output's largest finite element: sums are taken in another order. Where large terms cancel,
    /// <paramref name="terms"/> is their size.
    /// </summary>
    public static void Agree(Action<Tensor[], Tensor[]> entry, Tensor[] inputs, (Shape Shape, DType DType)[] outputs, double ulps, Form[]? forms = null, double terms = 0)
    {
        foreach (var form in forms ?? [Form.Dense])
        {
            double[][] expected = Run(entry, inputs, outputs, form), actual, again;
            Tensor[] far = [.. inputs.Select(t => t.To(Emu))];
            actual = Run(entry, far, outputs, form);
            EmulatedDriver.Shared.Reversed = true;
            try
            {
                again = Run(entry, far, outputs, form);
            }
            finally
            {
                EmulatedDriver.Shared.Reversed = false;
            }
            Assert.Null(OpKit.BitDifference(actual, again));
            for (int k = 0; k < outputs.Length; k++)
            {
                double unit = ulps * (outputs[k].DType == DType.F32 ? Math.ScaleB(1, -23) : Math.ScaleB(1, -52));
                double largest = expected[k].Where(double.IsFinite).Select(Math.Abs).Append(terms).Max();
                if (OpKit.Difference(expected[k], actual[k], 0, unit * largest) is { } problem)
                    Assert.Fail($"output {k} of {string.Join(", ", inputs.Select(t => t.Describe()))}, {form}: {problem}");
            }
        }
    }

    /// <summary>Normal values, the same for f32 and f64 but for rounding.</summary>
    public static Tensor Normal(Shape shape, DType dtype, string stream) => Tensor.Randn(shape, new Generator(11).Stream(stream), dtype: DType.F64).To(dtype);

    private static double[][] Run(Action<Tensor[], Tensor[]> entry, Tensor[] inputs, (Shape Shape, DType DType)[] outputs, Form form)
    {
        using var _ = Autograd.NoGrad();
        Tensor[] laid = [.. inputs.Select(t => t.DType.IsFloat() ? OpKit.Lay(t, form) : t)];
        Tensor[] y = [.. outputs.Select(o => Tensor.Empty(o.Shape, o.DType, inputs[0].Device))];
        entry(laid, y);
        return OpKit.ToDoubles(y);
    }
}
