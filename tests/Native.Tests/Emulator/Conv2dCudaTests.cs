using static Native.Tests.KernelKit;

namespace Native.Tests;

/// <summary>Convolution and its gradients on the emulator against the CPU's in double.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed unsafe class Conv2dCudaTests
{
    // What exercises each tile, as the choice goes by what is wasted at the edges; strides whose phases see different numbers of taps or none.
    private static readonly ConvShape[] Tiles =
    [
        new(2, 2, 8, 8, 128, 3, 3, PadH: 1, PadW: 1), new(2, 128, 8, 9, 3, 1, 1), new(1, 15, 9, 8, 120, 3, 3),
        new(1, 3, 8, 8, 64, 3, 3, PadH: 1, PadW: 1), new(1, 64, 9, 7, 7, 3, 3, PadH: 1, PadW: 1),
        new(1, 3, 16, 16, 32, 2, 2), new(1, 20, 16, 17, 20, 3, 3, PadH: 1, PadW: 1),
        new(1, 16, 16, 16, 16, 1, 1), new(2, 3, 9, 10, 5, 1, 1, StrideH: 3, StrideW: 2), new(1, 2, 1, 7, 3, 1, 2, StrideH: 2, StrideW: 4, DilationW: 2),
        new(1, 2, 13, 12, 3, 3, 4, StrideH: 4, StrideW: 6, DilationH: 6, DilationW: 4, PadH: 3, PadW: 5),
    ];

    private enum Member
    {
        Forward,
        DataGrad,
        WeightGrad,
    }

    [NeedsFact(GpuKit.Gxx)]
    public void Forward_equals_the_cpus() => OpKit.OnFreshThread(() => Check(Member.Forward));

    [NeedsFact(GpuKit.Gxx)]
    public void Data_gradient_equals_the_cpus() => OpKit.OnFreshThread(() => Check(Member.DataGrad));

    [NeedsFact(GpuKit.Gxx)]
    public void Weight_gradient_equals_the_cpus() => OpKit.OnFreshThread(() => Check(Member.WeightGrad));

    [NeedsFact(GpuKit.Gxx)]
    public void Inputs_may_have_any_strides() => OpKit.OnFreshThread(() =>
    {
        var s = new ConvShape(2, 3, 5, 7, 4, 3, 3, PadH: 1, PadW: 1);
        foreach (var member in Enum.GetValues<Member>())
            foreach (var form in new[] { Form.Transposed, Form.Sliced })
            {
                double[] expected = Compute(member, s, DType.F32, Emulated.Device, bias: true, Form.Dense), actual = Compute(member, s, DType.F32, Emulated.Device, bias: true, form);
                Assert.Null(OpKit.BitDifference([expected], [actual]));
            }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Sums_that_blocks_share_repeat_to_the_bit() => OpKit.OnFreshThread(() =>
    {
        var s = new ConvShape(9, 24, 12, 12, 30, 3, 3, PadH: 1, PadW: 1);
        foreach (var member in Enum.GetValues<Member>())
        {
            double[] first = Compute(member, s, DType.F32, Emulated.Device, bias: true, Form.Dense);
            Assert.Null(OpKit.BitDifference([first], [Compute(member, s, DType.F32, Emulated.Device, bias: true, Form.Dense)]));
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_nan_reaches_what_sees_it_and_nothing_else() => OpKit.OnFreshThread(() =>
    {
        // A pixel in the corner: four results of each filter see it. Another image and the far corner do not.
        var s = new ConvShape(2, 2, 6, 6, 3, 3, 3, PadH: 1, PadW: 1);
        Tensor x = Tensor.Ones([2, 2, 6, 6]), w = Tensor.Ones([3, 2, 3, 3]), y = Tensor.Allocate(Layout.Of([2, 3, 6, 6]), DType.F32, Emulated.Device);
        x.Data<float>()[0] = float.NaN;
        ConvEntries.Forward(s, x.To(Emulated.Device), w.To(Emulated.Device), null, y);
        float[] values = y.ToArray<float>();
        for (int i = 0; i < values.Length; i++)
            Assert.Equal(i < 3 * 36 && i % 36 is 0 or 1 or 6 or 7, float.IsNaN(values[i]));
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Tensor_cores_sum_products_of_rounded_operands() => OpKit.OnFreshThread(() =>
    {
        foreach (var member in Enum.GetValues<Member>())
            foreach (var s in Conv2dKernelsTests.Shapes.Concat(Tiles))
            {
                using var scope = TensorScope.Begin("convolution");
                string what = $"tf32 {member} {s}";
                double[] actual = Emulated.InBothOrders(what, () => Compute(member, s, DType.F32, Emulated.Device, bias: true, Form.Dense, tf32: true));
                Close(Compute(member, s, DType.F64, Device.Cpu, bias: true, Form.Dense, rounded: true), actual, Rounding(member, s, DType.F32), what);
            }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Tensor_cores_leave_f64_alone() => OpKit.OnFreshThread(() =>
    {
        var s = new ConvShape(2, 3, 5, 7, 4, 3, 3, PadH: 1, PadW: 1);
        foreach (var member in Enum.GetValues<Member>())
        {
            double[] exact = Compute(member, s, DType.F64, Emulated.Device, bias: true, Form.Dense);
            Assert.Null(OpKit.BitDifference([exact], [Compute(member, s, DType.F64, Emulated.Device, bias: true, Form.Dense, tf32: true)]));
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Tensor_cores_keep_special_numbers() => OpKit.OnFreshThread(() =>
    {
        // A NaN whose payload lies in the bits that rounding drops; an infinity; a number that rounds up to infinity; ties away from zero.
        float[] x = [BitConverter.UInt32BitsToSingle(0x7F800001), float.NegativeInfinity, float.MaxValue, 1 + (1f / 2048), -1 - (1f / 2048), 1 + (1f / 4096)];
        var s = new ConvShape(1, 1, 1, x.Length, 1, 1, 1);
        var y = Tensor.Allocate(Layout.Of([1, 1, 1, x.Length]), DType.F32, Emulated.Device);
        ConvEntries.Forward(s, Tensor.From(x, [1, 1, 1, x.Length]).To(Emulated.Device), Tensor.Ones([1, 1, 1, 1]).To(Emulated.Device), null, y, tf32: true);
        Assert.Equal([float.NaN, float.NegativeInfinity, float.PositiveInfinity, 1 + (1f / 1024), -1 - (1f / 1024), 1], y.ToArray<float>());
    });

    private static void Check(Member member)
    {
        foreach (var s in Conv2dKernelsTests.Shapes.Concat(Tiles))
            foreach (var dtype in new[] { DType.F32, DType.F64 })
                foreach (bool bias in member == Member.WeightGrad ? [false] : new[] { false, true })
                {
                    using var scope = TensorScope.Begin("convolution");
                    string what = $"{member} {dtype.Name()} {s}, bias {bias}";
                    double[] actual = Emulated.InBothOrders(what, () => Compute(member, s, dtype, Emulated.Device, bias, Form.Dense));
                    Close(Compute(member, s, DType.F64, Device.Cpu, bias, Form.Dense), actual, Rounding(member, s, dtype), what);
                }
    }

    // A sum of so many products of numbers below 1, rounded as often.
    private static double Rounding(Member member, ConvShape s, DType dtype)
    {
        long terms = member switch
        {
            Member.Forward => s.Taps,
            Member.DataGrad => s.FiltersPerGroup * s.KernelH * s.KernelW,
            _ => s.Batch * s.OutPixels,
        };
        return (terms + 2) * (dtype == DType.F32 ? 1.0 / (1 << 24) : 1.0 / (1L << 53));
    }

    private static double[] Compute(Member member, ConvShape s, DType dtype, Device device, bool bias, Form form, bool tf32 = false, bool rounded = false)
    {
        Tensor Values(int seed, params long[] shape)
        {
            double[] values = Random(shape.Aggregate(1L, (p, d) => p * d), seed);
            if (rounded && shape.Length > 1)
                values = Array.ConvertAll(values, Rounded);
            return OpKit.Lay(SampleValues.ToTensor(values, Shape.Create(shape), dtype).To(device), form);
        }
        long[] input = [s.Batch, s.Channels, s.Height, s.Width], weight = [s.Filters, s.ChannelsPerGroup, s.KernelH, s.KernelW], output = [s.Batch, s.Filters, s.OutH, s.OutW];
        var result = Tensor.Allocate(Layout.Of(member == Member.Forward ? output : member == Member.DataGrad ? input : weight), dtype, device);
        if (member == Member.Forward)
            ConvEntries.Forward(s, Values(1, input), Values(2, weight), bias ? Values(3, s.Filters) : null, result, tf32);
        else if (member == Member.DataGrad)
            ConvEntries.DataGrad(s, Values(4, output), Values(2, weight), bias ? Values(3, s.Channels) : null, result, tf32);
        else
            ConvEntries.WeightGrad(s, Values(1, input), Values(4, output), result, tf32);
        return OpKit.ToDoubles(result);
    }

    // To tf32, ties away from zero.
    private static double Rounded(double x) => BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits((float)x) + 0x1000) & ~0x1FFFu);
}
