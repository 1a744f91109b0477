namespace Native.Tests;

/// <summary>The kernels of pooling and upsampling against the cpu's.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class PoolCudaTests
{
    private static readonly Form[] Layouts = [Form.Dense, Form.Transposed, Form.Sliced, Form.Expanded];

    /// <summary>Windows that tile, overlap, leave gaps, hang over every edge, are dilated and anisotropic, are long, and no plane at all.</summary>
    public static TheoryData<long[]> Poolings =>
    [
        [3, 4, 5, 2, 2, 2, 2, 0, 0, 1, 1], [2, 7, 6, 3, 3, 2, 2, 1, 1, 1, 1], [1, 5, 5, 3, 2, 1, 1, 1, 0, 1, 1], [2, 9, 8, 2, 2, 3, 4, 0, 0, 1, 1],
        [1, 9, 8, 3, 2, 1, 2, 1, 1, 2, 3], [40, 6, 6, 2, 2, 2, 2, 0, 0, 1, 1], [3, 8, 9, 8, 7, 1, 2, 0, 0, 1, 1], [2, 40, 40, 36, 33, 2, 3, 1, 0, 1, 1], [0, 4, 4, 2, 2, 2, 2, 0, 0, 1, 1],
    ];

    [NeedsTheory(GpuKit.Gxx)]
    [MemberData(nameof(Poolings))]
    public void Maxima_and_their_adjoints_are_the_cpus_to_the_bit(long[] p) => OpKit.OnFreshThread(() =>
    {
        PoolShape s = new(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10]);
        Shape input = [s.Planes, s.Height, s.Width], output = [s.Planes, s.OutH, s.OutW];
        foreach (var dtype in new[] { DType.F32, DType.F64 })
        {
            // Few different values, so that there are ties.
            Tensor x = (Emulated.Normal(input, dtype, "x") * 3).To(DType.I32).To(dtype);
            Emulated.Agree((i, o) => PoolEntries.Max(s, i[0], o[0], o[1]), [x], [(output, dtype), (output, DType.I64)], 0, Layouts);
            Tensor y = Tensor.Empty(output, dtype), index = Tensor.Empty(output, DType.I64);
            PoolEntries.Max(s, x, y, index);
            Emulated.Agree((i, o) => PoolEntries.MaxGrad(s, i[0], i[1], o[0]), [Emulated.Normal(output, dtype, "g"), index], [(input, dtype)], 0, Layouts);
            Emulated.Agree((i, o) => PoolEntries.MaxGather(s, i[0], i[1], o[0]), [Emulated.Normal(input, dtype, "v"), index], [(output, dtype)], 0, Layouts);
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void NaN_and_windows_without_a_pixel_are_the_cpus() => OpKit.OnFreshThread(() =>
    {
        double nan = double.NaN, inf = double.PositiveInfinity;
        Tensor x = Tensor.From([1, nan, 3, nan, -inf, -inf, -inf, -inf, 5, 5, nan, inf], [1, 3, 4]);
        Emulated.Agree((i, o) => PoolEntries.Max(new(1, 3, 4, 2, 2, 1, 1), i[0], o[0], o[1]), [x], [([1, 2, 3], DType.F64), ([1, 2, 3], DType.I64)], 0);
        // Dilated taps at -1 and 1 of a plane of one pixel meet nothing.
        PoolShape nothing = new(1, 1, 1, 2, 2, 1, 1, 1, 1, 2, 2);
        Tensor one = Tensor.From([2.0], [1, 1, 1]), none = Tensor.From([-1L], [1, 1, 1]);
        Emulated.Agree((i, o) => PoolEntries.Max(nothing, i[0], o[0], o[1]), [one], [([1, 1, 1], DType.F64), ([1, 1, 1], DType.I64)], 0);
        Emulated.Agree((i, o) => PoolEntries.MaxGrad(nothing, i[0], i[1], o[0]), [one, none], [([1, 1, 1], DType.F64)], 0);
        Emulated.Agree((i, o) => PoolEntries.MaxGather(nothing, i[0], i[1], o[0]), [one, none], [([1, 1, 1], DType.F64)], 0);
    });

    [NeedsTheory(GpuKit.Gxx)]
    [MemberData(nameof(Poolings))]
    public void Means_and_their_adjoints_are_the_cpus(long[] p) => OpKit.OnFreshThread(() =>
    {
        PoolShape s = new(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8]);
        Shape input = [s.Planes, s.Height, s.Width], output = [s.Planes, s.OutH, s.OutW];
        foreach (var dtype in new[] { DType.F32, DType.F64 })
            foreach (bool count in new[] { false, true })
            {
                // Windows of up to fifteen columns and 32 pixels are added in the same order; longer ones in another.
                double ulps = p[3] * p[4] <= 32 ? 0 : 2 * Math.Log2(p[3] * p[4]);
                Emulated.Agree((i, o) => PoolEntries.Average(s, count, adjoint: false, i[0], o[0]), [Emulated.Normal(input, dtype, "x")], [(output, dtype)], ulps, Layouts, terms: 1);
                Emulated.Agree((i, o) => PoolEntries.Average(s, count, adjoint: true, i[0], o[0]), [Emulated.Normal(output, dtype, "g")], [(input, dtype)], 0, Layouts);
            }
    });

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(3, 5, 4, 1, 1)]
    [InlineData(2, 7, 9, 3, 4)]
    [InlineData(2, 3, 2, 5, 7)]
    [InlineData(5, 8, 8, 1, 1)]
    [InlineData(2, 45, 40, 1, 1)]
    [InlineData(1, 17, 300, 2, 3)]
    public void Even_bins_and_their_adjoints_are_the_cpus(int planes, int height, int width, int outH, int outW) => OpKit.OnFreshThread(() =>
    {
        foreach (var dtype in new[] { DType.F32, DType.F64 })
        {
            Shape input = [planes, height, width], output = [planes, outH, outW];
            Emulated.Agree((i, o) => PoolEntries.AdaptiveAverage(planes, height, width, outH, outW, adjoint: false, i[0], o[0]), [Emulated.Normal(input, dtype, "x")], [(output, dtype)], 16, Layouts, terms: 1);
            Emulated.Agree((i, o) => PoolEntries.AdaptiveAverage(planes, height, width, outH, outW, adjoint: true, i[0], o[0]), [Emulated.Normal(output, dtype, "g")], [(input, dtype)], 0, Layouts);
        }
    });

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(2, 3, 5, 2)]
    [InlineData(1, 1, 1, 1)]
    [InlineData(3, 4, 7, 3)]
    [InlineData(2, 2, 1, 20)]
    [InlineData(0, 2, 2, 2)]
    public void Squares_and_their_sums_are_the_cpus(int planes, int height, int width, int factor) => OpKit.OnFreshThread(() =>
    {
        Shape small = [planes, height, width], large = [planes, height * factor, width * factor];
        foreach (var dtype in new[] { DType.F32, DType.F64 })
        {
            Emulated.Agree((i, o) => UpsampleEntries.Nearest(i[0], o[0], factor), [Emulated.Normal(small, dtype, "x")], [(large, dtype)], 0, Layouts);
            Emulated.Agree((i, o) => UpsampleEntries.Sums(i[0], o[0], factor), [Emulated.Normal(large, dtype, "g")], [(small, dtype)], factor < 6 ? 0 : 20, Layouts, terms: 1);
        }
        // Patterns that would be signalling NaN as floats: pixels are moved, not computed with.
        foreach (var dtype in new[] { DType.I32, DType.I64, DType.U8, DType.Bool })
        {
            Tensor x = (Tensor.Arange(planes * height * width) + (dtype == DType.I32 ? 0x7F800001L : dtype == DType.I64 ? 0x7FF0000000000001L : 0)).Reshape(small).To(dtype);
            Emulated.Agree((i, o) => UpsampleEntries.Nearest(i[0], o[0], factor), [x], [(large, dtype)], 0);
        }
    });
}
