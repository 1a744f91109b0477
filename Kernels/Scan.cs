namespace Native;

/// <summary>Entries of running computations along a dim. Shapes of x and y are equal but for <see cref="Difference"/>.</summary>
internal static unsafe class ScanEntry
{
    /// <summary>y[i] = x[0] + ... + x[i] along the dim, or x[i] + ... + x[n-1] when reversed.</summary>
    public static void CumSum(Tensor y, Tensor x, int dim, bool reverse)
    {
        if (!y.Device.IsCpu)
        {
            ScanCuda.CumSum(y, x, dim, reverse);
            return;
        }
        using var dense = DenseInput.Of(x);
        var lines = Lines.Of(y.Layout, dim);
        switch (y.DType)
        {
            case DType.F32:
                ScanKernels.CumSum<float, double>(lines, dense.Tensor.Data<float>(), y.Data<float>(), reverse);
                break;
            case DType.F64:
                ScanKernels.CumSum<double, double>(lines, dense.Tensor.Data<double>(), y.Data<double>(), reverse);
                break;
            case DType.I32:
                ScanKernels.CumSum<int, int>(lines, dense.Tensor.Data<int>(), y.Data<int>(), reverse);
                break;
            default:
                ScanKernels.CumSum<long, long>(lines, dense.Tensor.Data<long>(), y.Data<long>(), reverse);
                break;
        }
    }

    /// <summary>y[i] = the product of all elements of the line but element i.</summary>
    public static void Others(Tensor y, Tensor x, int dim)
    {
        if (!y.Device.IsCpu)
        {
            ScanCuda.Others(y, x, dim);
            return;
        }
        using var dense = DenseInput.Of(x);
        var lines = Lines.Of(y.Layout, dim);
        if (y.DType == DType.F32)
            ScanKernels.Others(lines, dense.Tensor.Data<float>(), y.Data<float>());
        else
            ScanKernels.Others(lines, dense.Tensor.Data<double>(), y.Data<double>());
    }

    /// <summary>y[i] = x[i+1] - x[i], one shorter than x; the adjoint is y[i] = x[i-1] - x[i] with nothing beyond the ends, one longer.</summary>
    public static void Difference(Tensor y, Tensor x, int dim, bool adjoint)
    {
        if (!y.Device.IsCpu)
        {
            ScanCuda.Difference(y, x, dim, adjoint);
            return;
        }
        using var dense = DenseInput.Of(x);
        Lines lx = Lines.Of(x.Layout, dim), ly = Lines.Of(y.Layout, dim);
        if (y.DType == DType.F32)
            ScanKernels.Difference(lx, ly, dense.Tensor.Data<float>(), y.Data<float>(), adjoint);
        else
            ScanKernels.Difference(lx, ly, dense.Tensor.Data<double>(), y.Data<double>(), adjoint);
    }
}
