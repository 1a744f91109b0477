namespace Native;

/// <summary>
/// How a normalisation groups its elements. Statistics are per group; the affine map is per weight. One family of ops serves batch, layer,
/// group and instance normalisation; the geometry says which kernels run and how the same thing reads as ordinary tensor operations.
/// </summary>
internal abstract record NormGeometry
{
    /// <summary>Groups that have a mean and a deviation of their own.</summary>
    public abstract long Groups { get; }

    /// <summary>Elements of weight and bias.</summary>
    public abstract long Weights { get; }

    /// <summary>x as a view of rank 4, the dims of it that are averaged, and the shape in which weight and bias broadcast against it.</summary>
    public abstract (Shape View, int[] Reduced, Shape Affine) Composite { get; }

    /// <summary>y = (x - mean) * invStd * w + b, with mean, biased variance and 1/sqrt(variance + eps) of each group of dense x; w and b may be null.</summary>
    public abstract void Forward(Tensor x, Tensor? w, Tensor? b, double eps, Tensor y, Tensor mean, Tensor variance, Tensor invStd);

    /// <summary>Gradients with respect to x, w and b.</summary>
    public abstract void Grad(Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor gx, Tensor gw, Tensor gb);

    /// <summary>Given cotangents v, u, t of gx, gw and gb: gradients with respect to gy, x and w.</summary>
    public abstract void GradGrad(Tensor v, Tensor u, Tensor t, Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor dgy, Tensor dx, Tensor dw);

    private protected static unsafe T* Pointer<T>(Tensor? t) where T : unmanaged => t is null ? null : t.Data<T>();
}

/// <summary>Batch normalisation: x [batch, channels, length], one group per channel.</summary>
internal sealed unsafe record ChannelGeometry(long Batch, long Channels, long Length) : NormGeometry
{
    public override long Groups => Channels;

    public override long Weights => Channels;

    public override (Shape View, int[] Reduced, Shape Affine) Composite => ([Batch, Channels, Length, 1], [0, 2, 3], [1, Channels, 1, 1]);

    public override void Forward(Tensor x, Tensor? w, Tensor? b, double eps, Tensor y, Tensor mean, Tensor variance, Tensor invStd)
    {
        if (!x.Device.IsCpu)
            NormCuda.ForwardOf(this, x, w, b, eps, y, mean, variance, invStd);
        else if (x.DType == DType.F32)
            Forward<float>(x, w, b, eps, y, mean, variance, invStd);
        else
            Forward<double>(x, w, b, eps, y, mean, variance, invStd);
    }

    private void Forward<T>(Tensor x, Tensor? w, Tensor? b, double eps, Tensor y, Tensor mean, Tensor variance, Tensor invStd) where T : unmanaged, System.Numerics.IFloatingPointIeee754<T> =>
        NormKernels.Forward(Batch, Channels, Length, x.Data<T>(), Pointer<T>(w), Pointer<T>(b), eps, y.Data<T>(), mean.Data<T>(), variance.Data<T>(), invStd.Data<T>());

    public override void Grad(Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor gx, Tensor gw, Tensor gb)
    {
        if (!x.Device.IsCpu)
            NormCuda.GradOf(this, gy, x, mean, invStd, w, gx, gw, gb);
        else if (x.DType == DType.F32)
            Grad<float>(gy, x, mean, invStd, w, gx, gw, gb);
        else
            Grad<double>(gy, x, mean, invStd, w, gx, gw, gb);
    }

    private void Grad<T>(Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor gx, Tensor gw, Tensor gb) where T : unmanaged, System.Numerics.IFloatingPointIeee754<T> =>
        NormKernels.Grad(Batch, Channels, Length, gy.Data<T>(), x.Data<T>(), mean.Data<T>(), invStd.Data<T>(), Pointer<T>(w), gx.Data<T>(), gw.Data<T>(), gb.Data<T>());

    public override void GradGrad(Tensor v, Tensor u, Tensor t, Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor dgy, Tensor dx, Tensor dw)
    {
        if (!x.Device.IsCpu)
            NormCuda.GradGradOf(this, v, u, t, gy, x, mean, invStd, w, dgy, dx, dw);
        else if (x.DType == DType.F32)
            GradGrad<float>(v, u, t, gy, x, mean, invStd, w, dgy, dx, dw);
        else
            GradGrad<double>(v, u, t, gy, x, mean, invStd, w, dgy, dx, dw);
    }

    private void GradGrad<T>(Tensor v, Tensor u, Tensor t, Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor dgy, Tensor dx, Tensor dw)
        where T : unmanaged, System.Numerics.IFloatingPointIeee754<T> =>
        NormKernels.GradGrad(Batch, Channels, Length, v.Data<T>(), u.Data<T>(), t.Data<T>(), gy.Data<T>(), x.Data<T>(), mean.Data<T>(), invStd.Data<T>(), Pointer<T>(w),
            dgy.Data<T>(), dx.Data<T>(), dw.Data<T>());
}

/// <summary>Layer, group and instance normalisation: rows of elements, with an affine map that may come round.</summary>
internal sealed unsafe record RowGeometry(RowNormShape Rows) : NormGeometry
{
    public override long Groups => Rows.Rows;

    public override long Weights => Rows.WeightCount;

    public override (Shape View, int[] Reduced, Shape Affine) Composite =>
        ([Rows.Batch, Rows.Period, Rows.Length / Rows.Repeat, Rows.Repeat], [2, 3], [1, Rows.Period, Rows.Length / Rows.Repeat, 1]);

    public override void Forward(Tensor x, Tensor? w, Tensor? b, double eps, Tensor y, Tensor mean, Tensor variance, Tensor invStd)
    {
        if (!x.Device.IsCpu)
            NormCuda.ForwardOf(Rows, x, w, b, eps, y, mean, variance, invStd);
        else if (x.DType == DType.F32)
            Forward<float>(x, w, b, eps, y, mean, variance, invStd);
        else
            Forward<double>(x, w, b, eps, y, mean, variance, invStd);
    }

    private void Forward<T>(Tensor x, Tensor? w, Tensor? b, double eps, Tensor y, Tensor mean, Tensor variance, Tensor invStd) where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>
    {
        RowNormKernels.Statistics(Rows, x.Data<T>(), eps, mean.Data<T>(), variance.Data<T>(), invStd.Data<T>());
        RowNormKernels.Forward(Rows, x.Data<T>(), mean.Data<T>(), invStd.Data<T>(), Pointer<T>(w), Pointer<T>(b), y.Data<T>());
    }

    public override void Grad(Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor gx, Tensor gw, Tensor gb)
    {
        if (!x.Device.IsCpu)
            NormCuda.GradOf(Rows, gy, x, mean, invStd, w, gx, gw, gb);
        else if (x.DType == DType.F32)
            Grad<float>(gy, x, mean, invStd, w, gx, gw, gb);
        else
            Grad<double>(gy, x, mean, invStd, w, gx, gw, gb);
    }

    private void Grad<T>(Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor gx, Tensor gw, Tensor gb) where T : unmanaged, System.Numerics.IFloatingPointIeee754<T> =>
        RowNormKernels.Grad(Rows, gy.Data<T>(), x.Data<T>(), mean.Data<T>(), invStd.Data<T>(), Pointer<T>(w), gx.Data<T>(), gw.Data<T>(), gb.Data<T>());

    public override void GradGrad(Tensor v, Tensor u, Tensor t, Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor dgy, Tensor dx, Tensor dw)
    {
        if (!x.Device.IsCpu)
            NormCuda.GradGradOf(Rows, v, u, t, gy, x, mean, invStd, w, dgy, dx, dw);
        else if (x.DType == DType.F32)
            GradGrad<float>(v, u, t, gy, x, mean, invStd, w, dgy, dx, dw);
        else
            GradGrad<double>(v, u, t, gy, x, mean, invStd, w, dgy, dx, dw);
    }

    private void GradGrad<T>(Tensor v, Tensor u, Tensor t, Tensor gy, Tensor x, Tensor mean, Tensor invStd, Tensor? w, Tensor dgy, Tensor dx, Tensor dw)
        where T : unmanaged, System.Numerics.IFloatingPointIeee754<T> =>
        RowNormKernels.GradGrad(Rows, v.Data<T>(), u.Data<T>(), t.Data<T>(), gy.Data<T>(), x.Data<T>(), mean.Data<T>(), invStd.Data<T>(), Pointer<T>(w), dgy.Data<T>(), dx.Data<T>(), dw.Data<T>());
}
