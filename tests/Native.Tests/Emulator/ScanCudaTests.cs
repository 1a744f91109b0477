namespace Native.Tests;

/// <summary>Running sums and products, and differences, on the emulator against the cpu.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class ScanCudaTests
{
    // Short lines; a tile, one less and one more; several tiles; several segments, of rows and of columns.
    private static readonly (Shape Shape, int Dim)[] Cases =
    [
        ([0], 0), ([0, 3], 0), ([3, 0], 0), ([1], 0), ([5], 0), ([3, 4], 1), ([3, 4], 0), ([2, 3, 5], 1), ([300, 7], 1), ([1, 127], 1), ([3, 128], 1),
        ([2, 1023], 1), ([2, 1024], 1), ([1025], 0), ([2, 2500], 1), ([9001], 0), ([2, 8193], 1), ([129, 2], 0), ([1000, 3], 0), ([2, 200, 5], 1), ([700, 40], 0),
    ];

    [NeedsFact(GpuKit.Gxx)]
    public void Sums_run_as_on_the_cpu() => OpKit.OnFreshThread(() =>
    {
        foreach (bool reverse in (bool[])[false, true])
            foreach (var dtype in (DType[])[DType.F32, DType.F64, DType.I32, DType.I64])
                foreach (var (shape, dim) in Cases)
                {
                    Form[] forms = shape.Count is > 0 and < 100 ? Enum.GetValues<Form>() : [Form.Dense];
                    Tensor Scan(Tensor[] t) => new CumSumOp(dim, reverse).Apply(t[0]);
                    string what = $"{dtype.Name()} {shape} along {dim}, reverse {reverse}";
                    if (!dtype.IsFloat())
                        Emulated.SameBits(what, Scan, [Values(shape, dtype)], payloads: false, forms);
                    else // f32 is summed in double and rounded once; in f64 the cpu adds one after the other, and errs like the root of the length
                        Emulated.Close(what, Scan, [Values(shape, dtype)], ulps: dtype == DType.F32 ? 1 : 4 + (Math.Sqrt(shape[dim]) / 2), scale: dtype == DType.F32 ? 0 : shape[dim], forms);
                }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Integers_wrap_around() => OpKit.OnFreshThread(() =>
    {
        Emulated.SameBits("i32", t => t[0].CumSum(0), [Tensor.Full([3000], 1 << 30, DType.I32)]);
        Emulated.SameBits("i64", t => t[0].CumSum(0), [Tensor.Full([3000], 1L << 52, DType.I64) * 1024]);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void NaN_reaches_what_comes_after_it_and_nothing_before() => OpKit.OnFreshThread(() =>
    {
        foreach (var (shape, dim) in ((Shape, int)[])[([9001], 0), ([1000, 3], 0), ([3, 40], 1)])
            foreach (int at in (int[])[0, 117, (int)shape.Count - 1])
            {
                double[] values = OpKit.ToDoubles(Values(shape, DType.I32));
                values[at] = double.NaN;
                Emulated.SameBits($"{shape}, NaN at {at}", t => t[0].CumSum(dim), [SampleValues.ToTensor(values, shape, DType.F64)]);
                values[at] = double.NegativeInfinity;
                Emulated.SameBits($"{shape}, -inf at {at}", t => t[0].CumSum(dim), [SampleValues.ToTensor(values, shape, DType.F64)]);
            }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Products_of_the_others_are_the_cpus() => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in (DType[])[DType.F32, DType.F64])
            foreach (var (shape, dim) in Cases)
            {
                double[] values = Array.ConvertAll(OpKit.ToDoubles(Values(shape, DType.F64)), v => 1 + (v * 1e-3));
                Form[] forms = shape.Count is > 0 and < 100 ? Enum.GetValues<Form>() : [Form.Dense];
                // Both sides round at every factor.
                Emulated.Close($"{dtype.Name()} {shape} along {dim}", t => new ProdOfOthersOp(dim).Apply(t[0]), [SampleValues.ToTensor(values, shape, dtype)], ulps: 4 + (2 * shape[dim]), scale: 0, forms);
                if (values.Length < 2)
                    continue;
                values[values.Length / 2] = 0;
                Emulated.Close($"{dtype.Name()} {shape} along {dim} with a 0", t => new ProdOfOthersOp(dim).Apply(t[0]), [SampleValues.ToTensor(values, shape, dtype)], ulps: 4 + (2 * shape[dim]), scale: 0);
            }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Differences_have_the_cpus_bits() => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in (DType[])[DType.F32, DType.F64])
            foreach (var (shape, dim) in Cases)
                foreach (bool adjoint in (bool[])[false, true])
                {
                    if (!adjoint && shape[dim] == 0)
                        continue;
                    Form[] forms = shape.Count is > 0 and < 100 ? Enum.GetValues<Form>() : [Form.Dense];
                    Emulated.SameBits($"{dtype.Name()} {shape} along {dim}, adjoint {adjoint}", t => new DiffOp(dim, adjoint).Apply(t[0]), [Values(shape, dtype)], payloads: false, forms);
                }
    });

    // Integers -20 to 20; floats with all their bits.
    private static Tensor Values(Shape shape, DType dtype)
    {
        var values = new double[shape.Count];
        for (int i = 0; i < values.Length; i++)
        {
            uint hash = (uint)(i + 1) * 2654435761u;
            values[i] = dtype.IsFloat() ? (hash * 1e-9) - 2 : ((hash >> 8) % 41) - 20.0;
        }
        return SampleValues.ToTensor(values, shape, dtype);
    }
}
