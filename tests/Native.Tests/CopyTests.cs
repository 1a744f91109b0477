namespace Native.Tests;

/// <summary>Dense copies of permuted, sliced and broadcast tensors hold the elements in the order of the view.</summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed class CopyTests
{
    private static readonly (long[] Dims, int[] Order)[] Permuted =
    [
        ([37, 53], [1, 0]), ([3, 70], [1, 0]), ([70, 3], [1, 0]), ([300, 517], [1, 0]), ([2, 9, 14, 15], [0, 2, 3, 1]), ([2, 14, 15, 9], [0, 3, 1, 2]),
        ([20, 33, 41], [0, 2, 1]), ([5, 6, 7, 8, 9], [4, 2, 0, 3, 1]), ([6, 1, 40, 1, 8], [2, 1, 4, 3, 0]), ([4, 200, 160], [2, 1, 0]), ([2, 3, 4], [1, 2, 0]),
    ];

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F64)]
    [InlineData(DType.I32)]
    [InlineData(DType.I64)]
    [InlineData(DType.U8)]
    public void Permuted_and_sliced_views_become_dense(DType dtype)
    {
        foreach ((long[] dims, int[] order) in Permuted)
        {
            using var scope = TensorScope.Begin("copy");
            Tensor whole = Numbered(dims, dtype);
            Layout view = whole.Layout.Permute(order);
            Check(whole.View(view), dims);
            Check(whole.View(view.Slice(0, 1, view.Dims[0] - 1)), dims);
            Check(whole.View(view.Slice(view.Rank - 1, 0, (view.Dims[^1] + 1) / 2, 2)), dims);
        }
    }

    [Fact]
    public void A_broadcast_matrix_is_transposed_for_each_copy()
    {
        using var scope = TensorScope.Begin("copy");
        Tensor matrix = Numbered([1, 30, 41], DType.F32);
        Check(matrix.View(matrix.Layout.SwapLast().Expand(Shape.Create([3, 41, 30]))!), [3, 41, 30]);
    }

    private static Tensor Numbered(long[] dims, DType dtype)
    {
        if (dtype != DType.U8)
            return Tensor.Arange(0, Shape.Create(dims).Count, 1, dtype).Reshape(dims);
        var bytes = Tensor.Allocate(Layout.Of(dims), dtype, Device.Cpu);
        bytes.CopyFrom<byte>([.. Enumerable.Range(0, (int)bytes.Count).Select(i => (byte)(i % 251))]);
        return bytes;
    }

    // Element by element through the layout's strides, in the order of the view.
    private static void Check(Tensor view, long[] what)
    {
        double[] expected = OpKit.ToDoubles(view);
        foreach (int threads in new[] { 1, 3 })
        {
            int before = Workers.Count;
            Workers.SetCount(threads);
            var copy = Tensor.Allocate(Layout.Of(view.Shape), view.DType, view.Device);
            CopyKernels.Copy(view, copy);
            Workers.SetCount(before);
            Assert.True(expected.AsSpan().SequenceEqual(OpKit.ToDoubles(copy)), $"{view.Layout} of [{string.Join(',', what)}], {threads} threads");
        }
    }
}
