namespace Native.Tests;

/// <summary>What the op table cannot say of slices, scatters and comparisons: shared storage, bits, numbers of threads.</summary>
[Collection(WorkersCollection.Name)]
public class IndexingTests
{
    [Fact]
    public void ViewsShareStorage()
    {
        var x = Tensor.From(Enumerable.Range(0, 24).ToArray(), [2, 3, 4]);
        foreach (var y in new[] { x[0], x[^1, .., 1..3], x.Slice(2, 3, null, -2), x.Flip(0, 1, 2), x.Unsqueeze(1), x.MoveDim(0, -1), x.Narrow(1, -2, 2), x.Chunk(2, 2)[1], x.Unbind(1)[2], x.Squeeze() })
            Assert.Same(x.Storage, y.Storage);
        Assert.Equal([14, 13], x[1, 0, 1..3].Flip(0).ToArray<int>());
        Assert.Equal([3L, 4L, 2L], x.MoveDim(0, -1).Shape);
        Assert.Equal([[2L, 3L, 3L], [2L, 3L, 1L]], x.Split(3, -1).Select(t => t.Shape.ToArray()));
        Assert.Equal([[2L, 3L, 2L], [2L, 3L, 2L]], x.Chunk(3, -1).Select(t => t.Shape.ToArray()));
    }

    [Fact]
    public void IndexerKeepsRangesAndDropsNumbers()
    {
        var x = Tensor.From(Enumerable.Range(0, 24).ToArray(), [2, 3, 4]);
        Assert.Equal([3L, 4L], x[-1].Shape);
        Assert.Equal([2L, 4L], x[.., 1].Shape);
        Assert.Equal([2L, 2L, 4L], x[.., 1..].Shape);
        Assert.Equal([], x[1, 2, 3].Shape);
        Assert.Equal(23, x[1, 2, 3].Item<int>());
        Assert.Equal([0L, 3L, 4L], x[2..].Shape);
    }

    [Fact]
    public void GradientOfOverlappingSlicesAddsUp()
    {
        var x = Tensor.From(1.0, 2, 3, 4).RequireGrad();
        var y = (x[..3] * x[1..]).Sum();
        Assert.Equal([2.0, 4, 6, 3], Autograd.Grad(y, x).ToArray<double>());
    }

    [Fact]
    public void SumsHaveTheSameBitsForEveryNumberOfThreads()
    {
        const int Count = 20_000, Rows = 97, Width = 16;
        var index = Tensor.From(Enumerable.Range(0, Count).Select(i => (long)i * 7919 % Rows).ToArray(), [Count]);
        var source = Tensor.From(KernelKit.Random(Count * Width, 2), [Count, Width]).To(DType.F32);
        float[] s = source.ToArray<float>(), want = new float[Rows * Width];
        long[] rows = index.ToArray<long>();
        // Rounded sums: any other order gives other bits.
        for (int j = 0; j < Count; j++)
            for (int i = 0; i < Width; i++)
                want[rows[j] * Width + i] += s[j * Width + i];
        WithThreads(() =>
        {
            Assert.Equal(want, Tensor.Zeros([Rows, Width]).IndexAdd(0, index, source).ToArray<float>());
            Assert.Equal(want, Tensor.Zeros([Rows, Width]).ScatterAdd(0, index.Unsqueeze(1).Expand([Count, Width]), source).ToArray<float>());
            Assert.Equal(want, Tensor.Zeros([Width, Rows]).IndexAdd(1, index, source.T).T.ToArray<float>());
            Assert.Equal(want.Where((_, k) => k % Width == 3), Tensor.Zeros([Rows]).ScatterAdd(0, index, source[.., 3]).ToArray<float>());
        });
    }

    [Fact]
    public void LongReadsAreCutRight()
    {
        var x = Tensor.From(KernelKit.Random(300 * 200, 1), [300, 200]);
        double[] v = x.ToArray<double>();
        var index = Tensor.From(Enumerable.Range(0, 5000).Select(i => (long)i * 7919 % 300).ToArray(), [5000]);
        long[] rows = index.ToArray<long>();
        WithThreads(() =>
        {
            Assert.Equal(v.Select(a => a > 0.25), (x > 0.25).ToArray<bool>());
            Assert.Equal(v.Select(a => a > 0.25 ? a : -1), Tensor.Where(x > 0.25, x, -1).ToArray<double>());
            Assert.Equal(Enumerable.Range(0, v.Length).Select(k => v[k % 300 * 200 + k / 300] < v[(299 - k % 300) * 200 + k / 300]), (x.T < x.T.Flip(1)).ToArray<bool>());
            Assert.Equal(Enumerable.Range(0, 5000 * 200).Select(k => v[rows[k / 200] * 200 + k % 200]), x.TakeRows(index).ToArray<double>());
            Assert.Equal(Enumerable.Range(0, 5000).Select(k => v[rows[k] * 200 + 7]), x.Gather(0, index.Unsqueeze(1).Expand([5000, 200]))[.., 7].ToArray<double>());
        });
    }

    [Fact]
    public void ChoicesMoveBits()
    {
        float odd = BitConverter.UInt32BitsToSingle(0x7fc12345);
        var y = Tensor.Where(Tensor.From(true, false, true), Tensor.From(odd, 1, -0f), Tensor.From(odd, -0f, 1));
        Assert.Equal([0x7fc12345u, 0x80000000u, 0x80000000u], y.ToArray<float>().Select(BitConverter.SingleToUInt32Bits));
    }

    /// <summary>A gradient at a place that was not chosen must not see what the other side computed there.</summary>
    [Fact]
    public void ANaNThatWasNotChosenLeavesNoTrace()
    {
        var x = Tensor.From(-1.0, 4).RequireGrad();
        var y = Tensor.Where(x > 0, x * x, 0).Sum() + Tensor.Where((x > 0).Not(), Tensor.From(double.NaN, double.NaN), x)[1];
        Assert.Equal([0.0, 9], Autograd.Grad(y, x).ToArray<double>());
    }

    private static void WithThreads(Action check)
    {
        int before = Workers.Count;
        try
        {
            foreach (int threads in new[] { 1, 2, 5 })
            {
                Workers.SetCount(threads);
                check();
            }
        }
        finally
        {
            Workers.SetCount(before);
        }
    }
}
