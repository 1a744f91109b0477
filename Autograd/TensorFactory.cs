namespace Native;

/// <summary>Creation that computes. The parts that copy or clear are in TensorCreate.</summary>
public static class TensorFactory
{
    extension(Tensor)
    {
        /// <summary>Every element the same value.</summary>
        public static Tensor Full(Shape shape, double value, DType dtype = DType.F32, Device? device = null)
        {
            var y = Tensor.Empty(shape, dtype, device);
            CopyKernels.Fill(y, value);
            return y;
        }

        /// <summary>All ones.</summary>
        public static Tensor Ones(Shape shape, DType dtype = DType.F32, Device? device = null) => Tensor.Full(shape, 1, dtype, device);

        /// <summary>All ones, with another tensor's shape, dtype and device.</summary>
        public static Tensor OnesLike(Tensor other) => Tensor.Full(other.Shape, 1, other.DType, other.Device);

        /// <summary>One value everywhere, with another tensor's shape, dtype and device.</summary>
        public static Tensor FullLike(Tensor other, double value) => Tensor.Full(other.Shape, value, other.DType, other.Device);

        /// <summary>start, start + step, ... up to but not including stop: i64 when all three are whole numbers, else f32, unless a dtype is named.</summary>
        public static Tensor Arange(double start, double stop, double step = 1, DType? dtype = null, Device? device = null)
        {
            bool whole = start == Math.Floor(start) && step == Math.Floor(step);
            if (dtype is { } asked && !asked.IsFloat() && !whole)
                throw new DTypeException($"arange: {asked.Name()} cannot hold steps of {step} from {start}. Ask for DType.F32.");
            if (step == 0 || double.IsNaN(step))
                throw new ShapeException($"arange: step must not be {step}; from {start} to {stop}.");
            long n = Math.Max(0, (long)Math.Ceiling((stop - start) / step));
            var values = new double[n];
            for (long i = 0; i < n; i++)
                values[i] = start + i * step;
            return Tensor.From(values, [n], device).To(dtype ?? (whole ? DType.I64 : DType.F32));
        }

        /// <summary>0, 1, ... n-1 as i64.</summary>
        public static Tensor Arange(long n, Device? device = null) => Tensor.Arange(0, n, 1, DType.I64, device);
    }
}
