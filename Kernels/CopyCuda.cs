namespace Native;

/// <summary><see cref="CopyKernels"/> on a GPU.</summary>
internal static class CopyCuda
{
    private static readonly KernelFamily Family = new("copy", DType.F32, DType.F64, DType.I32, DType.I64, DType.U8, DType.Bool);
    private static readonly CudaKernel Strided = new(Family, "copy_strided"), Filled = new(Family, "copy_fill"), Converted = new(Family, "copy_cast");

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

    /// <summary>Dense destination = source converted; see <see cref="CopyKernels.Cast"/>.</summary>
    public static void Cast(Tensor source, Tensor destination)
    {
        int n = Launch.Int(source.Count, "cast");
        bool dense = source.Layout.IsDense;
        CastArgs args = new()
        {
            Y = Launch.At(destination),
            X = Launch.At(source),
            N = n,
            From = (int)source.DType,
            Dense = dense ? 1 : 0,
            LayoutX = dense ? default : new(source.Layout),
        };
        Launch.Run(destination.Device, Converted, destination.DType, Launch.Over(destination.Device, dense ? Groups(n) : n), args);
    }

    /// <summary>Threads of a kernel that takes four elements at a time.</summary>
    public static long Groups(long n) => (n + 3) / 4;

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

    private struct CastArgs
    {
        public nint Y, X;
        public int N, From, Dense;
        public Strided LayoutX;
    }
}
