namespace Native.Tests;

public class InPlaceTests
{
    [Fact]
    public void ChangesValuesAndVersion()
    {
        var t = Tensor.From(1.0, 2, 3);
        int version = t.Storage.Version;
        t.AddInPlace(Tensor.From(10.0, 20, 30));
        t.AddInPlace(1);
        t.MulInPlace(Tensor.From(2.0));
        t.MulInPlace(0.5);
        Assert.Equal([12, 23, 34], t.ToArray<double>());
        t.CopyInPlace(Tensor.Scalar(7.0));
        Assert.Equal([7, 7, 7], t.ToArray<double>());
        t.FillInPlace(2);
        t.ZeroInPlace();
        Assert.Equal([0, 0, 0], t.ToArray<double>());
        Assert.Equal(version + 7, t.Storage.Version);
        var n = Tensor.From(1L, 2);
        n.AddInPlace(3);
        Assert.Equal([4, 5], n.ToArray<long>());
    }

    [Fact]
    public void ViewsChangeWhatTheyShow()
    {
        var t = Tensor.From([1.0, 2, 3, 4, 5, 6], [2, 3]);
        t.T.AddInPlace(Tensor.From(10.0, 20));
        Assert.Equal([11, 12, 13, 24, 25, 26], t.ToArray<double>());
        t[.., 1].FillInPlace(0);
        Assert.Equal([11, 0, 13, 24, 0, 26], t.ToArray<double>());
        t[0].CopyInPlace(t[1]);
        Assert.Equal([24, 0, 26, 24, 0, 26], t.ToArray<double>());
        var s = Tensor.From([1.0, 2, 3, 4], [2, 2]);
        s.AddInPlace(s.T);
        Assert.Equal([2, 5, 5, 8], s.ToArray<double>());
        var u = Tensor.From([1.0, 2, 3, 4], [2, 2]);
        u.CopyInPlace(u.T);
        Assert.Equal([1, 3, 2, 4], u.ToArray<double>());
        u.MulInPlace(u[0, 1]);
        Assert.Equal([3, 9, 6, 12], u.ToArray<double>());
        var w = Tensor.From(1.0, 2, 3, 4);
        w[1..4].AddInPlace(w[0..3]);
        Assert.Equal([1, 3, 5, 7], w.ToArray<double>());
    }

    [Fact]
    public void RefusesWhatRecordingWouldLose()
    {
        var leaf = Tensor.Ones([2]).RequireGrad();
        Assert.Contains("only under NoGrad", NnKit.Message<GradException>(() => leaf.AddInPlace(1)), StringComparison.Ordinal);
        var y = leaf * 2;
        Assert.Contains("recorded result of mul_scalar", NnKit.Message<GradException>(() => y.ZeroInPlace()), StringComparison.Ordinal);
        Assert.Contains("its gradient would be lost", NnKit.Message<GradException>(() => Tensor.Zeros([2]).CopyInPlace(y)), StringComparison.Ordinal);
        using (Autograd.NoGrad())
        {
            leaf.AddInPlace(1);
            Tensor.Zeros([2]).CopyInPlace(y);
            Assert.Throws<GradException>(() => y.ZeroInPlace());
        }
        Assert.Equal([2, 2], leaf.ToArray<float>());
        Assert.Contains("does not broadcast", NnKit.Message<ShapeException>(() => Tensor.Zeros([2]).AddInPlace(Tensor.Zeros([3]))), StringComparison.Ordinal);
        Assert.Contains("different dtypes", NnKit.Message<DTypeException>(() => Tensor.Zeros([2]).AddInPlace(Tensor.Zeros([2], DType.F64))), StringComparison.Ordinal);
        Assert.Contains("expanded view", NnKit.Message<ShapeException>(() => Tensor.Zeros([1]).Expand([3]).AddInPlace(1)), StringComparison.Ordinal);
    }

    [Fact]
    public void ASavedTensorThatChangedIsNoticed()
    {
        var x = Tensor.Ones([2]).RequireGrad();
        var y = x.Square().Sum();
        using (Autograd.NoGrad())
            x.AddInPlace(1);
        Assert.Contains("changed in place after it was saved", NnKit.Message<GradException>(() => y.Backward()), StringComparison.Ordinal);
    }
}
