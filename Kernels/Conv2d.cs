namespace Native;

/// <summary>The three members of the convolution family. Entries are device-neutral; layouts may be any, they are made dense here.</summary>
internal static unsafe class ConvEntries
{
    /// <summary>y = conv(x, w) + bias.</summary>
    public static void Forward(ConvShape s, Tensor x, Tensor w, Tensor? bias, Tensor y)
    {
        KernelDevice.RequireCpu(y, "conv2d");
        using var dx = DenseInput.Of(x);
        using var dw = DenseInput.Of(w);
        using var db = DenseInput.Of(bias ?? w);
        if (y.DType == DType.F32)
            Conv2dKernels.Forward(s, dx.Tensor.Data<float>(), dw.Tensor.Data<float>(), bias is null ? null : db.Tensor.Data<float>(), y.Data<float>());
        else
            Conv2dKernels.Forward(s, dx.Tensor.Data<double>(), dw.Tensor.Data<double>(), bias is null ? null : db.Tensor.Data<double>(), y.Data<double>());
    }

    /// <summary>gx = the adjoint of x -> conv(x, w) at gy, + bias: also the transposed convolution.</summary>
    public static void DataGrad(ConvShape s, Tensor gy, Tensor w, Tensor? bias, Tensor gx)
    {
        KernelDevice.RequireCpu(gx, "conv2d_data_grad");
        using var dy = DenseInput.Of(gy);
        using var dw = DenseInput.Of(w);
        using var db = DenseInput.Of(bias ?? w);
        if (gx.DType == DType.F32)
            Conv2dKernels.DataGrad(s, dy.Tensor.Data<float>(), dw.Tensor.Data<float>(), bias is null ? null : db.Tensor.Data<float>(), gx.Data<float>());
        else
            Conv2dKernels.DataGrad(s, dy.Tensor.Data<double>(), dw.Tensor.Data<double>(), bias is null ? null : db.Tensor.Data<double>(), gx.Data<double>());
    }

    /// <summary>gw = the adjoint of w -> conv(x, w) at gy.</summary>
    public static void WeightGrad(ConvShape s, Tensor x, Tensor gy, Tensor gw)
    {
        KernelDevice.RequireCpu(gw, "conv2d_weight_grad");
        using var dx = DenseInput.Of(x);
        using var dy = DenseInput.Of(gy);
        if (gw.DType == DType.F32)
            Conv2dKernels.WeightGrad(s, dx.Tensor.Data<float>(), dy.Tensor.Data<float>(), gw.Data<float>());
        else
            Conv2dKernels.WeightGrad(s, dx.Tensor.Data<double>(), dy.Tensor.Data<double>(), gw.Data<double>());
    }
}
