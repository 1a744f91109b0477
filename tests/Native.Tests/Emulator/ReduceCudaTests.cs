namespace Native.Tests;

/// <summary>Reductions, positions of extremes and what is read and written there, on the emulator against the cpu.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class ReduceCudaTests
{
    // What is reduced decides the kernel: dims inside, outside, both, all, none; few and many lines; lines of one round, of several, of several
    // segments (some tens of thousands of elements); sizes that no pack divides.
    private static readonly (Shape Shape, int[] Dims)[] Cases =
    [
        ([], []), ([1], [0]), ([0], [0]), ([0, 3], [0]), ([3, 0], [1]), ([3, 0], [0]), ([5], [0]), ([3, 4], [1]), ([3, 4], [0]), ([300, 2], [1]),
        ([2, 300], [0]), ([7, 513], [1]), ([513, 7], [0]), ([3, 1100], [1]), ([1030, 40], [0]), ([4, 5, 6, 7], [1, 3]), ([4, 5, 6, 8], [0, 2, 3]),
        ([4, 5, 6, 7], [0, 1]), ([3, 1, 9, 2], [0, 1, 2, 3]), ([40, 3, 30], [0, 2]), ([20011], [0]), ([2, 20000], [1]), ([20001, 2], [0]), ([6000, 5], [0]),
    ];

    [NeedsFact(GpuKit.Gxx)]
    public void Rows_reduce_as_on_the_cpu() => OpKit.OnFreshThread(() =>
    {
        foreach (var op in (ReduceOp[])[Ops.Sum, Ops.Max, Ops.Min, Ops.Prod, Ops.Norm])
            foreach (var dtype in (DType[])[DType.F32, DType.F64, DType.I32, DType.I64])
                foreach (var (shape, dims) in Cases)
                {
                    bool empty = shape.Count == 0;
                    if ((!op.Kernel.TakesIntegers && !dtype.IsFloat()) || (empty && !op.TakesEmpty))
                        continue;
                    if (op != Ops.Sum && shape.Count > 5000 && (dtype != DType.F32 || shape.Rank == 1))
                        continue;
                    // Sums cancel: the error is measured against the sum of magnitudes.
                    Tensor x = Values(shape, dtype, op == Ops.Prod);
                    long length = shape.Count == 0 ? 1 : shape.Count / Kept(shape, dims);
                    string what = $"{op.Name} {dtype.Name()} {shape} over {string.Join(',', dims)}";
                    if (!dtype.IsFloat() || op == Ops.Max || op == Ops.Min)
                        Emulated.SameBits(what, t => op.Apply(t[0], dims), [x]);
                    else
                        Emulated.Close(what, t => op.Apply(t[0], dims), [x], ulps: 2 + (3 * Math.Log2(length)) + (op == Ops.Prod ? length : 0), scale: op == Ops.Sum ? length : 0);
                }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Any_layout_reduces() => OpKit.OnFreshThread(() =>
    {
        foreach (var op in (ReduceOp[])[Ops.Sum, Ops.Max])
            foreach (var (shape, dims) in Cases.Where(c => c.Shape.Count < 2500))
                if (shape.Count > 0)
                    Emulated.SameBits($"{op.Name} {shape} over {string.Join(',', dims)}", t => op.Apply(t[0], dims, keepDim: true), [Values(shape, DType.I64, false)], payloads: false, Enum.GetValues<Form>());
        // Lines that could be read in packs but for where they start.
        for (int start = 1; start < 4; start++)
            Emulated.SameBits($"from {start}", t => t[0].Slice(0, start, start + 1200).Sum(), [Values([1300], DType.I32, false)]);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void How_elements_are_read_does_not_change_a_sum() => OpKit.OnFreshThread(() =>
    {
        using var _ = Autograd.NoGrad();
        Tensor x = Values([1304], DType.F32, false).To(Emulated.Device), aligned = x.Slice(0, 4, 1204), copy = Tensor.Zeros([1300], device: Emulated.Device);
        CopyKernels.Copy(aligned, copy.Slice(0, 1, 1201));
        Assert.Equal(Emulated.Bits(aligned.Sum()), Emulated.Bits(copy.Slice(0, 1, 1201).Sum()));
    });

    [NeedsFact(GpuKit.Gxx)]
    public void NaN_and_infinities_come_through() => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in (DType[])[DType.F32, DType.F64])
            foreach (var shape in (Shape[])[[5, 700], [700, 5]])
                foreach (double special in (double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity])
                    foreach (int at in (int[])[0, 333, 3499])
                    {
                        double[] values = Array.ConvertAll(OpKit.ToDoubles(Values(shape, DType.I32, false)), v => v);
                        values[at] = special;
                        foreach (var op in (ReduceOp[])[Ops.Max, Ops.Min, Ops.Sum, Ops.Norm])
                            Emulated.Close($"{op.Name} with {special} at {at}", t => op.Apply(t[0], [shape[0] == 5 ? 1 : 0]), [SampleValues.ToTensor(values, shape, dtype)], ulps: 30, scale: 0);
                    }
        Emulated.SameBits("only NaN", t => Ops.Min.Apply(t[0]), [Tensor.Full([300], double.NaN)]);
        Emulated.SameBits("only -inf", t => Ops.Max.Apply(t[0]), [Tensor.Full([300], double.NegativeInfinity)]);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Rows_of_the_optimizers_are_a_program_of_their_own() => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in (DType[])[DType.F32, DType.F64])
            foreach (var kernel in (ReduceKernel[])[OptimKernels.SumSquares, OptimKernels.SumAbs, OptimKernels.MaxAbs])
                Emulated.Close(kernel.Name, t =>
                {
                    var y = Tensor.Allocate(Layout.Scalar, t[0].DType, t[0].Device);
                    kernel.Run(y, t[0], [true, true]);
                    return y;
                }, [Values([41, 67], dtype, false)], ulps: 20, scale: 0);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Positions_of_extremes_are_the_cpus() => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in (DType[])[DType.F32, DType.F64, DType.I32, DType.I64, DType.U8])
            foreach (var (shape, dims) in Cases.Where(c => c.Dims.Length == 1))
            {
                if (shape[dims[0]] == 0 || (shape.Count > 5000 && dtype is not (DType.F32 or DType.I64)))
                    continue;
                // Few distinct values: ties everywhere.
                Form[] forms = shape.Count < 2500 && shape.Count > 0 ? Enum.GetValues<Form>() : [Form.Dense];
                Emulated.SameBits($"argmax {dtype} {shape}", t => t[0].ArgMax(dims[0]), [Values(shape, dtype, false)], payloads: false, forms);
                Emulated.SameBits($"argmin {dtype} {shape}", t => t[0].ArgMin(dims[0]), [Values(shape, dtype, false)], payloads: false, forms);
            }
        double[] values = OpKit.ToDoubles(Values([6, 1500], DType.I32, false));
        (values[1400], values[700], values[1500], values[4499], values[9 * 500], values[9 * 500 + 1]) = (double.NaN, double.NaN, double.PositiveInfinity, double.NegativeInfinity, -0.0, 0.0);
        foreach (var dtype in (DType[])[DType.F32, DType.F64])
        {
            Emulated.SameBits("argmax with NaN", t => t[0].ArgMax(1), [SampleValues.ToTensor(values, [6, 1500], dtype)]);
            Emulated.SameBits("argmin with NaN", t => t[0].ArgMin(1), [SampleValues.ToTensor(values, [6, 1500], dtype)]);
            Emulated.SameBits("argmax of all", t => t[0].ArgMax(), [SampleValues.ToTensor(values, [6, 1500], dtype)]);
            Emulated.SameBits("max along a dim", t => t[0].Max(0).Values, [SampleValues.ToTensor(values, [6, 1500], dtype)]);
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Elements_are_read_and_written_where_the_index_says() => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in Enum.GetValues<DType>())
            foreach (var (shape, dim) in ((Shape, int)[])[([3, 4], 1), ([3, 4], 0), ([2, 3, 5], 1), ([300, 7], 1), ([0, 3], 1)])
            {
                long[] dims = shape.ToArray();
                dims[dim] = 1;
                long n = shape[dim];
                Tensor x = Values(shape, dtype, false), one = Values(dims, dtype, false);
                Tensor index = Tensor.From([.. Enumerable.Range(0, (int)one.Count).Select(k => (long)(k * 7 % n))], dims);
                Form[] forms = shape.Count > 0 ? [Form.Dense, Form.Transposed, Form.Sliced, Form.Expanded] : [Form.Dense];
                Emulated.SameBits($"pick {dtype} {shape}", t => new PickOp(dim).Apply(t[0], t[1]), [x, index], payloads: true, forms);
                Emulated.SameBits($"pick {dtype} {shape} but 1", t => new PickOp(dim, 1).Apply(t[0], t[1]), [x, index], payloads: true, forms);
                Emulated.SameBits($"place {dtype} {shape}", t => new PlaceOp(dim, n).Apply(t[0], t[1]), [one, index], payloads: true, forms);
                Emulated.SameBits($"place {dtype} {shape} but 1", t => new PlaceOp(dim, n, 1).Apply(t[0], t[1]), [one, index], payloads: true, forms);
            }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void An_index_out_of_range_is_an_error() => OpKit.OnFreshThread(() =>
    {
        Tensor x = Tensor.Zeros([2, 3], device: Emulated.Device), one = Tensor.Zeros([2, 1], device: Emulated.Device);
        foreach (long bad in (long[])[3, -1, long.MaxValue])
        {
            var index = Tensor.From([0, bad], [2, 1]).To(Emulated.Device);
            Assert.Contains($"index {bad} of line 1 is out of range; a line has 3 elements", Assert.Throws<ShapeException>(() => new PickOp(1).Apply(x, index)).Message, StringComparison.Ordinal);
            Assert.Contains($"index {bad} of line 1 is out of range; a line has 3 elements", Assert.Throws<ShapeException>(() => new PlaceOp(1, 3).Apply(one, index)).Message, StringComparison.Ordinal);
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_kernel_that_nobody_checked_for_stops_at_a_bad_index() => OpKit.OnFreshThread(() =>
    {
        // In a capture nothing can be read back, so the index is first looked at when the graph runs.
        using var _ = Autograd.NoGrad();
        Tensor x = Tensor.Zeros([2, 3], device: Emulated.Device), index = Tensor.From([2L, 0], [2, 1]).To(Emulated.Device), bad = Tensor.From([2L, 3], [2, 1]).To(Emulated.Device);
        // Nor can memory be allocated: the pool keeps this result's.
        new PickOp(1).Apply(x, index).Dispose();
        Assert.Equal(CudaResult.Success, Replay(index));
        Assert.Equal(CudaResult.LaunchFailed, Replay(bad));
        Assert.Equal(CudaResult.Success, Replay(index));

        CudaResult Replay(Tensor at)
        {
            var state = Ambient.Current.Cuda(Emulated.Device);
            var driver = state.Cuda.Driver;
            // As within a graph's body.
            using var off = DataChecks.Override(wanted: false);
            driver.StreamBeginCapture(state.Stream);
            using var y = new PickOp(1).Apply(x, at);
            Assert.Equal(CudaResult.Success, driver.StreamEndCapture(state.Stream, out nint graph));
            Assert.Equal(CudaResult.Success, driver.GraphInstantiate(out nint executable, graph));
            return driver.GraphLaunch(executable, state.Stream);
        }
    });

    private static long Kept(Shape shape, int[] dims)
    {
        long count = 1;
        for (int d = 0; d < shape.Rank; d++)
            count *= dims.Contains(d) ? 1 : shape[d];
        return count;
    }

    // Integers -20 to 20; floats with all their bits, or close to 1 where they are multiplied.
    private static Tensor Values(Shape shape, DType dtype, bool factors)
    {
        var values = new double[shape.Count];
        for (int i = 0; i < values.Length; i++)
        {
            uint hash = (uint)(i + 1) * 2654435761u;
            values[i] = !dtype.IsFloat() ? (hash >> 8) % 41 : (hash * 1e-9) - 2;
            if (dtype is DType.I32 or DType.I64)
                values[i] -= 20;
            if (dtype == DType.Bool)
                values[i] %= 2;
            if (factors && dtype.IsFloat())
                values[i] = 1 + (values[i] * 1e-3);
        }
        return SampleValues.ToTensor(values, shape, dtype);
    }
}
