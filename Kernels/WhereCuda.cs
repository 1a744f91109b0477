namespace Native;

/// <summary><see cref="CompareKernels.Where"/> on a GPU, compiled once per size of element.</summary>
internal static class WhereCuda
{
    private static readonly KernelFamily Family = new("where", DType.I32, DType.I64, DType.U8);
    private static readonly CudaKernel Dense = new(Family, "where_dense"), Strided = new(Family, "where_strided");

    public static void Where(Tensor y, Tensor condition, Tensor? a, double aNumber, Tensor? b, double bNumber)
    {
        int n = Launch.Int(y.Count, "where");
        var dtype = OfSize(y.DType);
        if (PointwiseCuda.Step(condition, y) is { } stepC && PointwiseCuda.Step(a, y) is { } stepA && PointwiseCuda.Step(b, y) is { } stepB)
        {
            DenseArgs args = new()
            {
                Y = Launch.At(y),
                C = Launch.At(condition),
                A = PointwiseCuda.At(a),
                B = PointwiseCuda.At(b),
                NumberA = Bits(y.DType, aNumber),
                NumberB = Bits(y.DType, bNumber),
                N = n,
                StepC = stepC,
                StepA = stepA,
                StepB = stepB,
            };
            Launch.Run(y.Device, Dense, dtype, Launch.Over(y.Device, CopyCuda.Groups(n)), args);
            return;
        }
        StridedArgs strided = new()
        {
            Y = Launch.At(y),
            C = Launch.At(condition),
            A = PointwiseCuda.At(a),
            B = PointwiseCuda.At(b),
            NumberA = Bits(y.DType, aNumber),
            NumberB = Bits(y.DType, bNumber),
            N = n,
            LayoutC = PointwiseCuda.Layout(condition, y),
            LayoutA = PointwiseCuda.Layout(a, y),
            LayoutB = PointwiseCuda.Layout(b, y),
        };
        Launch.Run(y.Device, Strided, dtype, Launch.Over(y.Device, n), strided);
    }

    /// <summary>The integer type whose size elements of this type have: what a kernel that only moves them is compiled for.</summary>
    public static DType OfSize(DType dtype) => dtype.Size() switch
    {
        1 => DType.U8,
        4 => DType.I32,
        _ => DType.I64,
    };

    private static long Bits(DType dtype, double number) => dtype switch
    {
        DType.F32 => BitConverter.SingleToInt32Bits((float)number),
        DType.F64 => BitConverter.DoubleToInt64Bits(number),
        _ => (long)number,
    };

    private struct DenseArgs
    {
        public nint Y, C, A, B;
        public long NumberA, NumberB;
        public int N, StepC, StepA, StepB;
    }

    private struct StridedArgs
    {
        public nint Y, C, A, B;
        public long NumberA, NumberB;
        public int N;
        public Strided LayoutC, LayoutA, LayoutB;
    }
}
