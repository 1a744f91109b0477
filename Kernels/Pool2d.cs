namespace Native;

/// <summary>Pooling and its adjoints. Entries are device-neutral; layouts may be any, they are made dense here.</summary>
internal static unsafe class PoolEntries
{
    /// <summary>y = maxima of windows, index = where each came from, flat within its input plane.</summary>
    public static void Max(PoolShape s, Tensor x, Tensor y, Tensor index)
    {
        if (!y.Device.IsCpu)
        {
            PoolCuda.Max(s, x, y, index);
            return;
        }
        using var dx = DenseInput.Of(x);
        if (y.DType == DType.F32)
            Pool2dKernels.MaxForward(s, dx.Tensor.Data<float>(), y.Data<float>(), index.Data<long>());
        else
            Pool2dKernels.MaxForward(s, dx.Tensor.Data<double>(), y.Data<double>(), index.Data<long>());
    }

    /// <summary>gx = gy scattered to the maxima.</summary>
    public static void MaxGrad(PoolShape s, Tensor gy, Tensor index, Tensor gx)
    {
        if (!gx.Device.IsCpu)
        {
            PoolCuda.MaxGrad(s, gy, index, gx);
            return;
        }
        using var dy = DenseInput.Of(gy);
        using var at = DenseInput.Of(index);
        if (gx.DType == DType.F32)
            Pool2dKernels.MaxGrad(s, dy.Tensor.Data<float>(), at.Tensor.Data<long>(), gx.Data<float>());
        else
            Pool2dKernels.MaxGrad(s, dy.Tensor.Data<double>(), at.Tensor.Data<long>(), gx.Data<double>());
    }

    /// <summary>y = v read at the maxima: the adjoint of the scatter.</summary>
    public static void MaxGather(PoolShape s, Tensor v, Tensor index, Tensor y)
    {
        if (!y.Device.IsCpu)
        {
            PoolCuda.MaxGather(s, v, index, y);
            return;
        }
        using var dv = DenseInput.Of(v);
        using var at = DenseInput.Of(index);
        if (y.DType == DType.F32)
            Pool2dKernels.MaxGather(s, dv.Tensor.Data<float>(), at.Tensor.Data<long>(), y.Data<float>());
        else
            Pool2dKernels.MaxGather(s, dv.Tensor.Data<double>(), at.Tensor.Data<long>(), y.Data<double>());
    }

    /// <summary>y = means of windows, or with <paramref name="adjoint"/> their adjoint.</summary>
    public static void Average(PoolShape s, bool countIncludePad, bool adjoint, Tensor x, Tensor y)
    {
        if (!y.Device.IsCpu)
        {
            PoolCuda.Average(s, countIncludePad, adjoint, x, y);
            return;
        }
        using var dx = DenseInput.Of(x);
        if (y.DType == DType.F32)
            Average(s, countIncludePad, adjoint, dx.Tensor.Data<float>(), y.Data<float>());
        else
            Average(s, countIncludePad, adjoint, dx.Tensor.Data<double>(), y.Data<double>());
    }

    /// <summary>y = means of even bins, or with <paramref name="adjoint"/> their adjoint.</summary>
    public static void AdaptiveAverage(long planes, long height, long width, long outH, long outW, bool adjoint, Tensor x, Tensor y)
    {
        if (!y.Device.IsCpu)
        {
            PoolCuda.AdaptiveAverage(planes, height, width, outH, outW, adjoint, x, y);
            return;
        }
        using var dx = DenseInput.Of(x);
        if (y.DType == DType.F32)
            AdaptiveAverage(planes, height, width, outH, outW, adjoint, dx.Tensor.Data<float>(), y.Data<float>());
        else
            AdaptiveAverage(planes, height, width, outH, outW, adjoint, dx.Tensor.Data<double>(), y.Data<double>());
    }

    private static void Average<T>(PoolShape s, bool countIncludePad, bool adjoint, T* x, T* y) where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>
    {
        if (adjoint)
            Pool2dKernels.AvgGrad(s, countIncludePad, x, y);
        else
            Pool2dKernels.AvgForward(s, countIncludePad, x, y);
    }

    private static void AdaptiveAverage<T>(long planes, long height, long width, long outH, long outW, bool adjoint, T* x, T* y)
        where T : unmanaged, System.Numerics.IFloatingPointIeee754<T>
    {
        if (adjoint)
            Pool2dKernels.AdaptiveAvgGrad(planes, height, width, outH, outW, x, y);
        else
            Pool2dKernels.AdaptiveAvgForward(planes, height, width, outH, outW, x, y);
    }
}
