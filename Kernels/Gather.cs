namespace Native;

/// <summary>A dense layout seen from one dim: everything outside it is one dim, everything inside it another.</summary>
internal readonly record struct DimSplit(long Outer, long Size, long Inner)
{
    public static DimSplit Of(Layout layout, int dim) =>
        new(Shape.Product(layout.Dims[..dim]), layout.Dims[dim], Shape.Product(layout.Dims[(dim + 1)..]));
}

/// <summary>
/// Kernels that read or write at positions given by an i64 tensor. Device-neutral entries; all tensors are dense. Sums add their
/// contributions in the order of the index, so results are equal bit for bit for every number of threads.
/// </summary>
internal static class GatherKernels
{
    /// <summary>y[o, j, i] = x[o, index[j], i], where dim is the middle one.</summary>
    public static void IndexSelect(Tensor y, Tensor x, Tensor index, int dim)
    {
        Require(y, "index_select", x, index);
        var split = DimSplit.Of(y.Layout, dim);
        long n = x.Layout.Dims[dim];
        if (!y.Device.IsCpu)
        {
            GatherCuda.IndexSelect(y, x, index, n, split);
            return;
        }
        var (outer, m, inner) = split;
        switch (x.DType.Size())
        {
            case 1:
                GatherLoop.IndexSelect<byte>(y, x, index, outer, n, m, inner);
                break;
            case 4:
                GatherLoop.IndexSelect<int>(y, x, index, outer, n, m, inner);
                break;
            default:
                GatherLoop.IndexSelect<long>(y, x, index, outer, n, m, inner);
                break;
        }
    }

    /// <summary>y[o, j, i] = x[o, index[o, j, i], i]; x differs from y and index in the middle dim only.</summary>
    public static void Gather(Tensor y, Tensor x, Tensor index, int dim)
    {
        Require(y, "gather", x, index);
        var split = DimSplit.Of(y.Layout, dim);
        long n = x.Layout.Dims[dim];
        if (!y.Device.IsCpu)
        {
            GatherCuda.Gather(y, x, index, n, split);
            return;
        }
        var (outer, m, inner) = split;
        switch (x.DType.Size())
        {
            case 1:
                GatherLoop.Gather<byte>(y, x, index, outer, n, m, inner);
                break;
            case 4:
                GatherLoop.Gather<int>(y, x, index, outer, n, m, inner);
                break;
            default:
                GatherLoop.Gather<long>(y, x, index, outer, n, m, inner);
                break;
        }
    }

    /// <summary>y = x (zeros when null), then y[o, index[j], i] += source[o, j, i] for j = 0, 1, ...</summary>
    public static void IndexAdd(Tensor y, Tensor? x, Tensor index, Tensor source, int dim)
    {
        Require(y, "index_add", source, index);
        Start(y, x);
        var split = DimSplit.Of(source.Layout, dim);
        long n = y.Layout.Dims[dim];
        if (!y.Device.IsCpu)
        {
            GatherCuda.IndexAdd(y, source, index, n, split);
            return;
        }
        var (outer, m, inner) = split;
        switch (y.DType)
        {
            case DType.F32:
                GatherLoop.IndexAdd<float>(y, source, index, outer, n, m, inner);
                break;
            case DType.F64:
                GatherLoop.IndexAdd<double>(y, source, index, outer, n, m, inner);
                break;
            case DType.I32:
                GatherLoop.IndexAdd<int>(y, source, index, outer, n, m, inner);
                break;
            case DType.I64:
                GatherLoop.IndexAdd<long>(y, source, index, outer, n, m, inner);
                break;
            default:
                throw new KernelException($"index_add: no kernel for {y.DType.Name()}.");
        }
    }

    /// <summary>y = x (zeros when null), then y[o, index[o, j, i], i] += source[o, j, i] for j = 0, 1, ...</summary>
    public static void ScatterAdd(Tensor y, Tensor? x, Tensor index, Tensor source, int dim)
    {
        var split = DimSplit.Of(source.Layout, dim);
        var (outer, m, inner) = split;
        if (outer * inner == 1)
        {
            // One column: only cutting its destinations, as index_add does, leaves work for several threads.
            IndexAdd(y, x, index, source, dim);
            return;
        }
        Require(y, "scatter_add", source, index);
        Start(y, x);
        long n = y.Layout.Dims[dim];
        if (!y.Device.IsCpu)
        {
            GatherCuda.ScatterAdd(y, source, index, n, split);
            return;
        }
        switch (y.DType)
        {
            case DType.F32:
                GatherLoop.ScatterAdd<float>(y, source, index, outer, n, m, inner);
                break;
            case DType.F64:
                GatherLoop.ScatterAdd<double>(y, source, index, outer, n, m, inner);
                break;
            case DType.I32:
                GatherLoop.ScatterAdd<int>(y, source, index, outer, n, m, inner);
                break;
            case DType.I64:
                GatherLoop.ScatterAdd<long>(y, source, index, outer, n, m, inner);
                break;
            default:
                throw new KernelException($"scatter_add: no kernel for {y.DType.Name()}.");
        }
    }

    /// <summary>
    /// Throws a <see cref="ShapeException"/> that names the first index outside [0, size). <paramref name="into"/> says what is indexed, for example
    /// "dim 0 of f32[5,2]@cpu". On a GPU nothing waits for the answer: see <see cref="IndexFlag"/>.
    /// </summary>
    public static void CheckRange(Tensor index, long size, string op, Func<string> into)
    {
        Require(index, op);
        long at = index.Device.IsCpu ? GatherLoop.FirstOutside(index, size) : GatherCuda.FirstOutside(index, size);
        if (at < 0)
            return;
        long value = index.ToArray<long>()[at];
        var position = new long[index.Rank];
        for (int d = index.Rank - 1; d >= 0; at /= index.Layout.Dims[d--])
            position[d] = at % index.Layout.Dims[d];
        throw new ShapeException($"{op}: index{Shape.Format(position)} = {value} is out of range; {into()} has {size} elements. {(size == 0 ? "Nothing can be taken from it." : $"Use 0..{size - 1}.")}");
    }

    private static void Start(Tensor y, Tensor? x)
    {
        if (x is null)
            CopyKernels.Fill(y, 0);
        else
            CopyKernels.Copy(x, y);
    }

    private static void Require(Tensor t, string op, Tensor? x = null, Tensor? index = null)
    {
        if (!t.Layout.IsDense || x?.Layout.IsDense == false || index?.Layout.IsDense == false)
            throw new KernelException($"{op}: the kernel needs dense tensors; {t.Layout}, {x?.Layout}, {index?.Layout}.");
    }
}
