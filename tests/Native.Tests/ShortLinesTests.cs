using static Native.Tests.KernelKit;

namespace Native.Tests;

/// <summary>
/// The paths that gather lines shorter than a vector, short runs and neighbouring pixels, at sizes on both sides of every limit, against the plain
/// definition.
/// </summary>
public class ShortLinesTests
{
    [Fact]
    public void Softmax_of_short_rows_has_the_bits_of_the_same_columns()
    {
        using var scope = TensorScope.Begin();
        var rng = new Generator(3);
        foreach (var dtype in new[] { DType.F32, DType.F64 })
            foreach (long n in new[] { 1L, 4, 7, 8, 15, 16, 17 })
                foreach (long rows in new[] { 1L, 15, 16, 17, 100 })
                {
                    Tensor x = Tensor.Randn([rows, n], rng).To(dtype), g = Tensor.Randn([rows, n], rng).To(dtype);
                    Same(x.Softmax(1), x.T.Contiguous().Softmax(0).T, $"softmax {rows} {n}");
                    Same(x.LogSoftmax(1), x.T.Contiguous().LogSoftmax(0).T, $"log_softmax {rows} {n}");
                    Same(x.LogSumExp(1), x.T.Contiguous().LogSumExp(0), $"logsumexp {rows} {n}");
                    Same(Gradient(x, g, v => v.Softmax(1)), Gradient(x, g, v => v.T.Contiguous().Softmax(0).T), $"softmax gradient {rows} {n}");
                    Same(Gradient(x, g, v => v.LogSoftmax(1)), Gradient(x, g, v => v.T.Contiguous().LogSoftmax(0).T), $"log_softmax gradient {rows} {n}");
                }
    }

    [Fact]
    public void A_NaN_spoils_its_short_row_and_no_other()
    {
        using var scope = TensorScope.Begin();
        var values = new float[40 * 4];
        values[9 * 4 + 2] = float.NaN;
        float[] y = Tensor.From(values, [40, 4]).Softmax(1).ToArray<float>();
        for (int i = 0; i < y.Length; i++)
            Assert.Equal(i / 4 == 9, float.IsNaN(y[i]));
    }

    [Fact]
    public void Arg_extremes_of_short_lines_are_the_first_and_NaN_wins()
    {
        using var scope = TensorScope.Begin();
        var rng = new Generator(5);
        foreach (var dtype in new[] { DType.F32, DType.F64, DType.I32, DType.I64, DType.U8 })
            foreach (long n in new[] { 1L, 3, 4, 16, 17 })
                foreach (long rows in new[] { 1L, 8, 63, 64, 130 })
                {
                    // Few values make ties; one of them is NaN where there is such a thing.
                    double[] x = [.. Enumerable.Range(0, (int)(rows * n)).Select(_ => (double)rng.NextInt64(6)).Select(v => v == 5 && dtype.IsFloat() ? double.NaN : v)];
                    var t = Tensor.From(x, [rows, n]).To(dtype);
                    long[] largest = t.ArgMax(1).ToArray<long>(), smallest = t.ArgMin(1).ToArray<long>();
                    for (int r = 0; r < rows; r++)
                    {
                        double[] line = x[(int)(r * n)..(int)((r + 1) * n)];
                        int nan = Array.FindIndex(line, double.IsNaN);
                        Assert.Equal(nan >= 0 ? nan : Array.IndexOf(line, line.Max()), largest[r]);
                        Assert.Equal(nan >= 0 ? nan : Array.IndexOf(line, line.Min()), smallest[r]);
                    }
                }
    }

    [Fact]
    public void Reductions_over_short_runs_reach_every_element_once()
    {
        using var scope = TensorScope.Begin();
        var rng = new Generator(6);
        // Two or three dims outside the run; runs that fill a block exactly, almost, and several blocks.
        foreach (Shape shape in new Shape[] { [26, 5, 2, 2], [300, 3, 4, 4], [33, 2, 1, 255], [16, 2, 256], [16, 2, 257], [3, 2, 5, 2, 7] })
        {
            var x = Tensor.RandInt(-9, 9, shape, rng);
            int[] dims = [.. Enumerable.Range(0, shape.Rank).Where(d => d != 1 && d != 3 || shape.Rank < 5 && d != 1)];
            var expected = Composed(x.To(DType.F64), dims);
            Assert.Equal(expected, x.To(DType.F64).Sum(dims).ToArray<double>());
            Assert.Equal(expected, x.To(DType.F32).Sum(dims).ToArray<float>().Select(v => (double)v));
            Assert.Equal(expected, x.Sum(dims).ToArray<long>().Select(v => (double)v));
            float[] values = x.To(DType.F32).ToArray<float>();
            values[^1] = float.NaN;
            var spoiled = Tensor.From(values, shape);
            float[] sums = spoiled.Sum(dims).ToArray<float>(), peaks = spoiled.Amax(dims).ToArray<float>();
            for (int i = 0; i < sums.Length; i++)
                Assert.Equal((i == sums.Length - 1, i == sums.Length - 1), (float.IsNaN(sums[i]), float.IsNaN(peaks[i])));
        }
    }

    [Fact]
    public void Differences_and_their_adjoint_at_every_edge()
    {
        using var scope = TensorScope.Begin();
        var rng = new Generator(8);
        foreach (Shape shape in new Shape[] { [3, 28], [2, 17, 3], [1, 40000], [5, 2, 9000], [4, 1, 6], [2, 16, 16] })
            for (int d = 0; d < shape.Rank; d++)
            {
                Tensor x = Tensor.RandInt(-9, 9, shape, rng).To(DType.F32), g = Tensor.RandInt(-9, 9, x.Diff(d).Shape, rng).To(DType.F32);
                long n = shape[d];
                Same(x.Diff(d), x.Slice(d, 1, n) - x.Slice(d, 0, n - 1), $"diff {shape} {d}");
                var zero = Tensor.Zeros([.. shape.Span[..d], 1, .. shape.Span[(d + 1)..]]);
                Same(Gradient(x, g, v => v.Diff(d)), Tensor.Concat([zero, g], d) - Tensor.Concat([g, zero], d), $"adjoint {shape} {d}");
            }
    }

    [Fact]
    public void Doubling_and_its_adjoint_at_every_width()
    {
        using var scope = TensorScope.Begin();
        var rng = new Generator(9);
        foreach (long width in new[] { 1L, 3, 4, 7, 8, 9, 14, 15, 16, 17, 20, 33 })
        {
            Tensor x = Tensor.RandInt(-9, 9, [3, 2, 3, width], rng).To(DType.F32), g = Tensor.RandInt(-9, 9, [3, 2, 6, 2 * width], rng).To(DType.F32);
            Tensor columns = Tensor.Stack([x, x], 4).Reshape(3, 2, 3, 2 * width);
            Same(x.UpsampleNearest(2), Tensor.Stack([columns, columns], 3).Reshape(3, 2, 6, 2 * width), $"upsample {width}");
            Same(Gradient(x, g, v => v.UpsampleNearest(2)), g.Reshape(3, 2, 3, 2, width, 2).Sum([3, 5]), $"block sums {width}");
        }
    }

    [Fact]
    public void Running_statistics_follow_the_blend()
    {
        using var scope = TensorScope.Begin();
        Tensor x = Tensor.From<double>([1, 10, 3, 30], [2, 2]), mean = Tensor.From<double>(1, 1), variance = Tensor.From<double>(2, 2);
        Functional.BatchNorm(x, mean, variance, null, null, training: true, momentum: 0.25);
        // Batch means 2 and 20; unbiased variances 2 and 200.
        Close([0.75 + 0.5, 0.75 + 5], mean.ToArray<double>(), 1e-12, "mean");
        Close([1.5 + 0.5, 1.5 + 50], variance.ToArray<double>(), 1e-12, "variance");
    }

    private static double[] Composed(Tensor x, int[] dims)
    {
        // One dim after the other takes other paths.
        foreach (int d in dims.OrderDescending())
            x = x.Sum(d);
        return x.ToArray<double>();
    }

    private static Tensor Gradient(Tensor x, Tensor g, Func<Tensor, Tensor> f)
    {
        var leaf = x.Clone().RequireGrad();
        return Autograd.Grad(f(leaf), leaf, g);
    }

    private static void Same(Tensor a, Tensor b, string what)
    {
        Assert.Equal(b.Shape, a.Shape);
        double[] left = a.To(DType.F64).ToArray<double>(), right = b.To(DType.F64).ToArray<double>();
        for (int i = 0; i < left.Length; i++)
            Assert.True(left[i].Equals(right[i]), $"{what} [{i}]: {left[i]} and {right[i]}");
    }
}
