using static Native.Tests.KernelKit;

namespace Native.Tests;

/// <summary>matmul.cu on the emulator against sums in double.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed unsafe class MatMulCudaTests
{
    private static readonly Form[] Forms = [Form.Dense, Form.Transposed, Form.Sliced];

    [NeedsFact(GpuKit.Gxx)]
    public void Products_of_any_sizes_and_strides_equal_the_cpus() => OpKit.OnFreshThread(() =>
    {
        foreach (var (m, k, n) in new[] { (1, 1, 1), (2, 1, 2), (3, 7, 5), (64, 16, 64), (65, 17, 66), (10, 40, 130), (130, 5, 2), (2, 33, 3), (4, 0, 5) })
            foreach (var form in Forms)
                foreach (var formB in Forms)
                    Check([m, k], [k, n], form, formB);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Products_with_a_vector_equal_the_cpus() => OpKit.OnFreshThread(() =>
    {
        foreach (var (m, k, n) in new[] { (1, 300, 1), (70, 33, 1), (33, 520, 1), (1, 257, 35), (1, 6, 33), (5, 0, 1), (1, 0, 5) })
            foreach (var form in Forms)
                foreach (var formB in Forms)
                    Check([m, k], [k, n], form, formB);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Batches_broadcast() => OpKit.OnFreshThread(() =>
    {
        foreach (var form in Forms)
        {
            Check([3, 4, 5], [3, 5, 6], form, Form.Dense);
            Check([4, 5], [3, 5, 6], form, Form.Transposed);
            Check([2, 1, 4, 5], [3, 5, 70], form, form);
            Check([2, 3, 4, 5], [5, 6], form, form);
            Check([2, 3, 1, 5], [3, 5, 6], form, form);
            Check([2, 3, 4, 5], [2, 1, 5, 1], form, form);
            Check([3, 4, 5], [3, 5, 6], Form.Expanded, form);
            Check([0, 4, 5], [5, 6], form, Form.Dense);
            Check([2, 0, 5], [5, 6], form, Form.Dense);
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_nan_stays_in_its_row_and_column() => OpKit.OnFreshThread(() =>
    {
        Tensor a = Tensor.Ones([66, 20]), b = Tensor.Ones([20, 67]);
        a.Data<float>()[(65 * 20) + 19] = float.NaN;
        b.Data<float>()[66] = float.PositiveInfinity;
        float[] y = Product(a, b, false, Form.Dense, Form.Dense).ToArray<float>();
        for (int i = 0; i < 66; i++)
            for (int j = 0; j < 67; j++)
                Assert.Equal(i == 65 ? float.NaN : j == 66 ? float.PositiveInfinity : 20, y[(i * 67) + j]);
    });

    private static Tensor Product(Tensor a, Tensor b, bool accumulate, Form formA, Form formB)
    {
        long[] shape = [.. Shape(a, b)];
        var y = Tensor.Allocate(Layout.Of(shape), a.DType, Emulated.Device);
        CopyKernels.Fill(y, accumulate ? 0.5 : double.NaN);
        MatMulCuda.Run(y, OpKit.Lay(a.To(Emulated.Device), formA), OpKit.Lay(b.To(Emulated.Device), formB), accumulate);
        return y;
    }

    private static void Check(long[] shapeA, long[] shapeB, Form formA, Form formB)
    {
        foreach (var dtype in new[] { DType.F32, DType.F64 })
            foreach (bool accumulate in new[] { false, true })
            {
                using var scope = TensorScope.Begin("product");
                Tensor a = Values(shapeA, 1, formA), b = Values(shapeB, 2, formB);
                var expected = Tensor.Allocate(Layout.Of([.. Shape(a, b)]), DType.F64, Device.Cpu);
                CopyKernels.Fill(expected, 0.5);
                MatMulKernels.Run(expected, a, b, accumulate);
                string what = $"{dtype.Name()} {formA} {a.Shape} x {formB} {b.Shape}, accumulate {accumulate}";
                double[] actual = Emulated.InBothOrders(what, () => OpKit.ToDoubles(Product(Converted(a, dtype), Converted(b, dtype), accumulate, formA, formB)));
                // A sum of k products of numbers below 1, rounded k times.
                double rounding = dtype == DType.F32 ? 1.0 / (1 << 24) : 1.0 / (1L << 53);
                Close(OpKit.ToDoubles(expected), actual, (shapeA[^1] + 2) * rounding, what);
            }
    }

    // What an expanded form repeats is its first slice.
    private static Tensor Values(long[] shape, int seed, Form form)
    {
        var t = SampleValues.ToTensor(Random(shape.Aggregate(1L, (p, d) => p * d), seed), Native.Shape.Create(shape), DType.F64);
        return form == Form.Expanded ? OpKit.Lay(t, form).Contiguous() : t;
    }

    private static Tensor Converted(Tensor t, DType dtype) => SampleValues.ToTensor(t.ToArray<double>(), t.Shape, dtype);

    private static IEnumerable<long> Shape(Tensor a, Tensor b)
    {
        int rank = Math.Max(a.Rank, b.Rank);
        for (int d = -rank; d < -2; d++)
        {
            long p = -d <= a.Rank ? a.Shape[d] : 1, q = -d <= b.Rank ? b.Shape[d] : 1;
            yield return p == 1 ? q : p;
        }
        yield return a.Shape[-2];
        yield return b.Shape[-1];
    }
}
