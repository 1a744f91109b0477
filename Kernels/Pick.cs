namespace Native;

/// <summary>Entries that deal with one element per line along a dim: where the extreme stands, reading it, writing it.</summary>
internal static unsafe class PickEntry
{
    /// <summary>index (i64, the dim with size 1) = position of the largest (or smallest) element of each line; see <see cref="PickKernels"/>.</summary>
    public static void Extreme(Tensor index, Tensor x, int dim, bool smallest)
    {
        using var dense = DenseInput.Of(x);
        var lines = Lines.Of(x.Layout, dim);
        if (!index.Device.IsCpu)
        {
            PickCuda.Extreme(index, dense.Tensor, lines, smallest);
            return;
        }
        switch (x.DType)
        {
            case DType.F32:
                PickKernels.Extreme(lines, dense.Tensor.Data<float>(), index.Data<long>(), smallest);
                break;
            case DType.F64:
                PickKernels.Extreme(lines, dense.Tensor.Data<double>(), index.Data<long>(), smallest);
                break;
            case DType.I32:
                PickKernels.Extreme(lines, dense.Tensor.Data<int>(), index.Data<long>(), smallest);
                break;
            case DType.I64:
                PickKernels.Extreme(lines, dense.Tensor.Data<long>(), index.Data<long>(), smallest);
                break;
            default:
                PickKernels.Extreme(lines, dense.Tensor.Data<byte>(), index.Data<long>(), smallest);
                break;
        }
    }

    /// <summary>y[line] = x[line, index[line]], 0 where the index is <paramref name="ignored"/>. Elements move as bits: any dtype.</summary>
    public static void Pick(Tensor y, Tensor x, Tensor index, int dim, long? ignored)
    {
        using DenseInput di = DenseInput.Of(index);
        if (!y.Device.IsCpu)
        {
            PickCuda.Pick(y, x, di.Tensor, dim, ignored);
            return;
        }
        // The lines' first elements, wherever they lie: x may be a stretched view and is not copied.
        var starts = x.Layout.Select(dim, 0);
        long n = x.Layout.Dims[dim], step = x.Layout.Strides[dim];
        switch (y.DType.Size())
        {
            case 1:
                PickKernels.Pick(starts, n, step, x.Data<byte>(), di.Tensor.Data<long>(), y.Data<byte>(), ignored);
                break;
            case 4:
                PickKernels.Pick(starts, n, step, x.Data<int>(), di.Tensor.Data<long>(), y.Data<int>(), ignored);
                break;
            default:
                PickKernels.Pick(starts, n, step, x.Data<long>(), di.Tensor.Data<long>(), y.Data<long>(), ignored);
                break;
        }
    }

    /// <summary>y[line, index[line]] = x[line], 0 elsewhere and on lines whose index is <paramref name="ignored"/>.</summary>
    public static void Place(Tensor y, Tensor x, Tensor index, int dim, long? ignored)
    {
        using DenseInput dx = DenseInput.Of(x), di = DenseInput.Of(index);
        var lines = Lines.Of(y.Layout, dim);
        if (!y.Device.IsCpu)
        {
            PickCuda.Place(y, dx.Tensor, di.Tensor, lines, ignored);
            return;
        }
        switch (y.DType.Size())
        {
            case 1:
                PickKernels.Place(lines, dx.Tensor.Data<byte>(), di.Tensor.Data<long>(), y.Data<byte>(), ignored);
                break;
            case 4:
                PickKernels.Place(lines, dx.Tensor.Data<int>(), di.Tensor.Data<long>(), y.Data<int>(), ignored);
                break;
            default:
                PickKernels.Place(lines, dx.Tensor.Data<long>(), di.Tensor.Data<long>(), y.Data<long>(), ignored);
                break;
        }
    }
}
