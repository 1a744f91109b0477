namespace Native;

/// <summary><see cref="CompareKernels.Compare"/> on a GPU. Bool tensors are bytes 0 and 1.</summary>
internal static class CompareCuda
{
    private static readonly KernelFamily Family = new("compare", DType.F32, DType.F64, DType.I32, DType.I64, DType.U8);
    private static readonly CudaKernel Dense = new(Family, "compare_dense"), Strided = new(Family, "compare_strided");

    public static void Compare(Comparison op, Tensor y, Tensor a, Tensor? b, double number)
    {
        int n = Launch.Int(y.Count, "compare");
        var dtype = a.DType == DType.Bool ? DType.U8 : a.DType;
        if (PointwiseCuda.Step(a, y) is { } stepA && PointwiseCuda.Step(b, y) is { } stepB)
        {
            DenseArgs args = new() { Y = Launch.At(y), A = Launch.At(a), B = PointwiseCuda.At(b), Number = number, N = n, Op = (int)op, StepA = stepA, StepB = stepB };
            Launch.Run(y.Device, Dense, dtype, Launch.Over(y.Device, CopyCuda.Groups(n)), args);
            return;
        }
        StridedArgs strided = new()
        {
            Y = Launch.At(y),
            A = Launch.At(a),
            B = PointwiseCuda.At(b),
            Number = number,
            N = n,
            Op = (int)op,
            LayoutA = PointwiseCuda.Layout(a, y),
            LayoutB = PointwiseCuda.Layout(b, y),
        };
        Launch.Run(y.Device, Strided, dtype, Launch.Over(y.Device, n), strided);
    }

    private struct DenseArgs
    {
        public nint Y, A, B;
        public double Number;
        public int N, Op, StepA, StepB;
    }

    private struct StridedArgs
    {
        public nint Y, A, B;
        public double Number;
        public int N, Op;
        public Strided LayoutA, LayoutB;
    }
}
