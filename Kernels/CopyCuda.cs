namespace Native;

/// <summary><see cref="CopyKernels"/> on a GPU.</summary>
internal static class CopyCuda
{
    private static readonly KernelFamily Family = new("copy", DType.F32, DType.F64, DType.I32, DType.I64, DType.U8, DType.Bool);
    private static readonly CudaKernel Strided = new(Family, "copy_strided"), Filled = new(Family, "copy_fill");

    /// <summary>destination = source, same dtype and device, any two layouts that do not overlap.</summary>
    public static void Copy(Tensor source, Tensor destination)
    {
        if (source.Layout.IsDense && destination.Layout.IsDense)
        {
            Ambient.Current.Cuda(destination.Device).Copy(Launch.At(destination), Launch.At(source), source.ByteSize);
            return;
        }
        int n = Launch.Int(source.Count, "copy");
        CopyArgs args = new() { Y = Launch.At(destination), X = Launch.At(source), N = n, LayoutY = new(destination.Layout), LayoutX = new(source.Layout) };
        Launch.Run(destination.Device, Strided, source.DType, Launch.Over(destination.Device, n), args);
    }

    /// <summary>Every element of a dense tensor = value.</summary>
    public static void Fill(Tensor y, double value)
    {
        int n = Launch.Int(y.Count, "fill");
        Launch.Run(y.Device, Filled, y.DType, Launch.Over(y.Device, n), new FillArgs { Y = Launch.At(y), Value = value, N = n });
    }

    private struct CopyArgs
    {
        public nint Y, X;
        public int N;
        public Strided LayoutY, LayoutX;
    }

    private struct FillArgs
    {
        public nint Y;
        public double Value;
        public int N;
    }
}
