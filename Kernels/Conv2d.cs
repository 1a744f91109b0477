namespace Native;

/// <summary>
/// The three members of the convolution family. Entries are device-neutral; layouts may be any, they are made dense here. With <c>tf32</c> (unless said
/// otherwise, what <see cref="Ambient.Tf32"/> says), a GPU that has tensor cores for it (sm_80 on) rounds f32 operands to 10 bits of mantissa; every other
/// device computes exactly.
/// </summary>
internal static unsafe class ConvEntries
{
    /// <summary>y = conv(x, w) + bias, then the epilogue.</summary>
    public static void Forward(ConvShape s, Tensor x, Tensor w, Tensor? bias, Tensor y, bool? tf32 = null, Epilogue after = default)
    {
        using var dx = DenseInput.Of(x);
        using var dw = DenseInput.Of(w);
        using var db = DenseInput.Of(bias ?? w);
        if (!y.Device.IsCpu)
        {
            Conv2dCuda.Forward(s, dx.Tensor, dw.Tensor, bias is null ? null : db.Tensor, y, tf32 ?? Ambient.Current.Tf32, after);
            return;
        }
        if (y.DType == DType.F32)
            Conv2dKernels.Forward(s, dx.Tensor.Data<float>(), dw.Tensor.Data<float>(), bias is null ? null : db.Tensor.Data<float>(), y.Data<float>());
        else
            Conv2dKernels.Forward(s, dx.Tensor.Data<double>(), dw.Tensor.Data<double>(), bias is null ? null : db.Tensor.Data<double>(), y.Data<double>());
        after.Finish(y);
    }

    /// <summary>gx = the adjoint of x -> conv(x, w) at gy, + bias, then the epilogue: also the transposed convolution.</summary>
    public static void DataGrad(ConvShape s, Tensor gy, Tensor w, Tensor? bias, Tensor gx, bool? tf32 = null, Epilogue after = default)
    {
        using var dy = DenseInput.Of(gy);
        using var dw = DenseInput.Of(w);
        using var db = DenseInput.Of(bias ?? w);
        if (!gx.Device.IsCpu)
        {
            Conv2dCuda.DataGrad(s, dy.Tensor, dw.Tensor, bias is null ? null : db.Tensor, gx, tf32 ?? Ambient.Current.Tf32, after);
            return;
        }
        if (gx.DType == DType.F32)
            Conv2dKernels.DataGrad(s, dy.Tensor.Data<float>(), dw.Tensor.Data<float>(), bias is null ? null : db.Tensor.Data<float>(), gx.Data<float>());
        else
            Conv2dKernels.DataGrad(s, dy.Tensor.Data<double>(), dw.Tensor.Data<double>(), bias is null ? null : db.Tensor.Data<double>(), gx.Data<double>());
        after.Finish(gx);
    }

    /// <summary>gw = the adjoint of w -> conv(x, w) at gy.</summary>
    public static void WeightGrad(ConvShape s, Tensor x, Tensor gy, Tensor gw, bool? tf32 = null)
    {
        using var dx = DenseInput.Of(x);
        using var dy = DenseInput.Of(gy);
        if (!gw.Device.IsCpu)
            Conv2dCuda.WeightGrad(s, dx.Tensor, dy.Tensor, gw, tf32 ?? Ambient.Current.Tf32);
        else if (gw.DType == DType.F32)
            Conv2dKernels.WeightGrad(s, dx.Tensor.Data<float>(), dy.Tensor.Data<float>(), gw.Data<float>());
        else
            Conv2dKernels.WeightGrad(s, dx.Tensor.Data<double>(), dy.Tensor.Data<double>(), gw.Data<double>());
    }
}
