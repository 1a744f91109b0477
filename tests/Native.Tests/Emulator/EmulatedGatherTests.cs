namespace Native.Tests;

/// <summary>Gathering, scattering and picking on the emulator: the CPU's bits, order of addition and errors.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class EmulatedGatherTests
{
    private static readonly DType[] Numbers = [DType.F32, DType.F64, DType.I32, DType.I64], All = [.. Numbers, DType.U8, DType.Bool];

    // x and how many the index has; the dim in the middle; empty outer, index and inner dims; more than one block; rows of odd bytes.
    private static readonly (Shape Shape, int Dim, long M)[] Shapes =
    [
        ([5], 0, 7), ([5, 3], 0, 300), ([3, 1, 2], 1, 4), ([2, 7, 5], 1, 9), ([40, 9, 8], 1, 11), ([0, 3, 2], 1, 4), ([4, 3, 2], 1, 0), ([4, 3, 0], 1, 2), ([130, 2], 0, 513),
    ];

    [NeedsFact(GpuKit.Gxx)]
    public void Index_select_and_gather() => ForEachShape(All, (s, dtype) =>
    {
        Tensor x = Values(s.Shape, dtype), rows = Indices([s.M], s.Shape[s.Dim]), each = Indices(With(s.Shape, s.Dim, s.M), s.Shape[s.Dim]);
        return d => [x.To(d).IndexSelect(s.Dim, rows.To(d)), x.To(d).Gather(s.Dim, each.To(d))];
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Sums_add_in_the_order_of_the_index() => ForEachShape(Numbers, (s, dtype) =>
    {
        Shape many = With(s.Shape, s.Dim, s.M);
        Tensor x = Values(s.Shape, dtype), source = Values(many, dtype), rows = Indices([s.M], s.Shape[s.Dim]), each = Indices(many, s.Shape[s.Dim]);
        return d => [x.To(d).IndexAdd(s.Dim, rows.To(d), source.To(d)), x.To(d).ScatterAdd(s.Dim, each.To(d), source.To(d))];
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Scatter_with_few_long_columns_links_chains_and_with_many_walks_them() => OpKit.OnFreshThread(() =>
    {
        foreach (Shape shape in (Shape[])[[2, 500, 3], [1, 65, 2], [5000, 70], [70, 64, 64]])
        {
            Tensor x = Values([shape[0], 6, shape.Count / shape[0] / shape[1]], DType.F32), each = Indices([shape[0], shape[1], x.Shape[2]], 6), source = Values(each.Shape, DType.F32);
            Emulated.SameBits($"scatter {shape}", d => [x.To(d).ScatterAdd(1, each.To(d), source.To(d))]);
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Gradients_of_indexing_and_strided_inputs() => OpKit.OnFreshThread(() =>
    {
        Tensor table = Values([3, 9, 6], DType.F32).Permute(2, 1, 0), tokens = Indices([4, 5], 6), each = Indices([6, 4, 3], 9).Flip(0);
        Emulated.SameBits("gradients", d =>
        {
            Tensor x = table.To(d).RequireGrad();
            Tensor y = Tensor.Embedding(x.Reshape([6, 27]), tokens.To(d)), z = x.Gather(1, each.To(d));
            return [y, z, .. Autograd.Grad([y * y, z * z], [x], [Tensor.OnesLike(y), Tensor.OnesLike(z)])];
        });
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Extremes_with_ties_and_nan() => OpKit.OnFreshThread(() =>
    {
        foreach (var (shape, dim) in ((Shape, int)[])[([1], 0), ([7], 0), ([64], 0), ([65], 0), ([1000], 0), ([3, 300, 2], 1), ([33, 70], 1), ([70, 33], 0), ([0, 4], 1)])
            foreach (DType dtype in (DType[])[DType.F32, DType.F64, DType.I32, DType.I64, DType.U8])
            {
                // Few distinct values: every line has ties.
                Tensor x = Indices(shape, 5).To(dtype);
                Emulated.SameBits($"extremes {dtype.Name()} {shape} along {dim}", d => [x.To(d).ArgMax(dim), x.To(d).ArgMin(dim), x.To(d).ArgMax(dim, keepDim: true)]);
            }
        // NaN first, in the middle, last, twice; infinities; zeros of both signs tie.
        foreach (int n in (int[])[5, 257])
        {
            float[] v = new float[6 * n];
            (v[0], v[n + 3], v[2 * n - 2], v[3 * n - 1]) = (float.NaN, float.NaN, float.NaN, float.NaN);
            (v[3 * n + 2], v[3 * n + 4], v[4 * n + 1], v[5 * n]) = (float.PositiveInfinity, float.NegativeInfinity, -0f, 1);
            var x = Tensor.From(v, [6, n]);
            Emulated.SameBits($"extremes with NaN, {n}", d => [x.To(d).ArgMax(1), x.To(d).ArgMin(1), x.To(d).T.ArgMin(0)]);
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Pick_and_place() => OpKit.OnFreshThread(() =>
    {
        foreach (var (shape, dim) in ((Shape, int)[])[([7], 0), ([3, 4], 1), ([300, 5], 1), ([2, 3, 400], 1), ([0, 3], 1)])
            foreach (DType dtype in All)
            {
                Shape one = With(shape, dim, 1);
                Tensor x = Values(shape, dtype), lines = Values(one, dtype), index = Indices(one, shape[dim]), gaps = WithGaps(index);
                long n = shape[dim];
                Emulated.SameBits($"pick and place {dtype.Name()} {shape} along {dim}", d =>
                [
                    new PickOp(dim).Apply(x.To(d), index.To(d)),
                    new PickOp(dim, -1).Apply(x.To(d), gaps.To(d)),
                    new PickOp(dim, 0).Apply(x.To(d), index.To(d)),
                    new PlaceOp(dim, n).Apply(lines.To(d), index.To(d)),
                    new PlaceOp(dim, n, -1).Apply(lines.To(d), gaps.To(d)),
                    new PlaceOp(dim, n, 0).Apply(lines.To(d), index.To(d)),
                ]);
            }
        // Stretched and permuted inputs are read where they lie.
        Tensor wide = Values([1, 4], DType.F32), other = Values([4, 3], DType.F64);
        Tensor rows = Indices([6, 1], 4), columns = Indices([3, 1], 4);
        Emulated.SameBits("pick from views", d => [new PickOp(1).Apply(wide.To(d).Expand([6, 4]), rows.To(d)), new PickOp(1).Apply(other.To(d).T, columns.To(d))]);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_bad_index_is_the_cpus_error() => OpKit.OnFreshThread(() =>
    {
        Tensor x = Tensor.Zeros([5, 2]), bad = Tensor.From([0L, 4L, 7L, -1L]), each = Tensor.From([0L, 1L, -2L, 9L], [2, 2]), line = Tensor.From([0L, 1L, 3L, -1L, 0L], [5, 1]);
        Action<Device>[] mistakes =
        [
            d => x.To(d).TakeRows(bad.To(d)),
            d => x.To(d).IndexAdd(0, bad.To(d), Tensor.Zeros([4, 2], device: d)),
            d => x.To(d).Gather(0, each.To(d)),
            d => x.To(d).ScatterAdd(0, each.To(d), Tensor.Zeros([2, 2], device: d)),
            d => Tensor.Embedding(x.To(d), each.To(d)),
            d => bad.To(d).OneHot(5),
            d => new PickOp(1).Apply(x.To(d), line.To(d)),
            d => new PlaceOp(1, 2).Apply(Tensor.Zeros([5, 1], device: d), line.To(d)),
            d => new PlaceOp(1, 0).Apply(Tensor.Zeros([5, 1], device: d), line.To(d)),
        ];
        foreach (var mistake in mistakes)
        {
            string expected = Assert.Throws<ShapeException>(() => mistake(Device.Cpu)).Message.Replace("@cpu", "@emu:0", StringComparison.Ordinal);
            Assert.Equal(expected, Assert.Throws<ShapeException>(() => mistake(Emulated.Device)).Message);
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public unsafe void Where_nobody_waits_the_kernel_stops_itself() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin("capture");
        var index = Tensor.From([0L, 7L]).To(Emulated.Device);
        GatherKernels.CheckRange(index, 8, "test", () => "it");
        var state = Ambient.Current.Cuda(Emulated.Device);
        ICudaDriver driver = state.Cuda.Driver;
        foreach (long size in (long[])[8, 7])
        {
            // As within a graph's body.
            using var off = DataChecks.Override(wanted: false);
            Assert.Equal(CudaResult.Success, driver.StreamBeginCapture(state.Stream));
            GatherKernels.CheckRange(index, size, "test", () => "it");
            Assert.Equal(CudaResult.Success, driver.StreamEndCapture(state.Stream, out nint graph));
            Assert.Equal(CudaResult.Success, driver.GraphInstantiate(out nint executable, graph));
            Assert.Equal(size == 8 ? CudaResult.Success : CudaResult.LaunchFailed, driver.GraphLaunch(executable, state.Stream));
            if (size == 7)
                Assert.Contains("the kernel stopped itself", driver.Describe(CudaResult.LaunchFailed).Text, StringComparison.Ordinal);
        }
    });

    private static void ForEachShape(DType[] dtypes, Func<(Shape Shape, int Dim, long M), DType, Func<Device, Tensor[]>> make) => OpKit.OnFreshThread(() =>
    {
        foreach (var s in Shapes)
            foreach (DType dtype in dtypes)
            {
                using var scope = TensorScope.Begin("case");
                Emulated.SameBits($"{dtype.Name()}{s.Shape} along {s.Dim}, {s.M} indices", make(s, dtype));
            }
    });

    private static Shape With(Shape shape, int dim, long size)
    {
        long[] dims = shape.ToArray();
        dims[dim] = size;
        return dims;
    }

    private static Tensor Values(Shape shape, DType dtype) => dtype switch
    {
        DType.F32 or DType.F64 => Tensor.Randn(shape, new Generator(5).Stream("values"), dtype: dtype),
        DType.Bool => Tensor.RandInt(0, 2, shape, new Generator(5).Stream("values")).To(DType.Bool),
        _ => Tensor.RandInt(0, 200, shape, new Generator(5).Stream("values")).To(dtype),
    };

    // Every third one is -1.
    private static Tensor WithGaps(Tensor index) => Tensor.From([.. index.ToArray<long>().Select((v, i) => i % 3 == 1 ? -1 : v)], index.Shape);

    private static Tensor Indices(Shape shape, long size) => Tensor.RandInt(0, size, shape, new Generator(7).Stream("indices"));
}
