namespace Native;

/// <summary>Enlarging images by a whole factor, and the adjoint. Entries are device-neutral; inputs may have any layout.</summary>
internal static unsafe class UpsampleEntries
{
    /// <summary>y [..., height*factor, width*factor]: every pixel of x [..., height, width] becomes a square. Any dtype.</summary>
    public static void Nearest(Tensor x, Tensor y, long factor)
    {
        if (!y.Device.IsCpu)
        {
            PoolCuda.Upsample(x, y, factor);
            return;
        }
        using var dense = DenseInput.Of(x);
        var (planes, height, width) = Planes(x.Layout);
        switch (x.DType.Size())
        {
            case 1:
                Pool2dKernels.UpsampleForward(planes, height, width, factor, factor, dense.Tensor.Data<byte>(), y.Data<byte>());
                break;
            case 4:
                Pool2dKernels.UpsampleForward(planes, height, width, factor, factor, dense.Tensor.Data<int>(), y.Data<int>());
                break;
            default:
                Pool2dKernels.UpsampleForward(planes, height, width, factor, factor, dense.Tensor.Data<long>(), y.Data<long>());
                break;
        }
    }

    /// <summary>y [..., height, width]: the sums over the squares of x [..., height*factor, width*factor]. f32 and f64.</summary>
    public static void Sums(Tensor x, Tensor y, long factor)
    {
        if (!y.Device.IsCpu)
        {
            PoolCuda.BlockSums(x, y, factor);
            return;
        }
        using var dense = DenseInput.Of(x);
        var (planes, height, width) = Planes(y.Layout);
        if (x.DType == DType.F32)
            Pool2dKernels.UpsampleGrad(planes, height, width, factor, factor, dense.Tensor.Data<float>(), y.Data<float>());
        else
            Pool2dKernels.UpsampleGrad(planes, height, width, factor, factor, dense.Tensor.Data<double>(), y.Data<double>());
    }

    private static (long Planes, long Height, long Width) Planes(Layout small)
    {
        var dims = small.Dims;
        return (Shape.Product(dims[..^2]), dims[^2], dims[^1]);
    }
}
