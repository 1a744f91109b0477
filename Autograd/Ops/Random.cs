namespace Native;

/// <summary>
/// Random tensors: constants for differentiation. All numbers come from the generator that is passed, and the same generator state gives the
/// same bits on every device and for any number of threads; which word makes which element is written at <see cref="RandomKernels"/>.
/// </summary>
public static class TensorRandom
{
    extension(Tensor)
    {
        /// <summary>Uniform in [low, high).</summary>
        public static Tensor Rand(Shape shape, Generator generator, double low = 0, double high = 1, DType dtype = DType.F32, Device? device = null)
        {
            if (!(low <= high) || double.IsInfinity(high - low))
                throw new UsageException($"rand: the bounds must be finite and in order; low = {low}, high = {high}.");
            return Filled("rand", shape, Fill.Uniform, generator, low, high, dtype, device);
        }

        /// <summary>Normal with the given mean and standard deviation.</summary>
        public static Tensor Randn(Shape shape, Generator generator, double mean = 0, double std = 1, DType dtype = DType.F32, Device? device = null)
        {
            if (!(std >= 0))
                throw new UsageException($"randn: the standard deviation must not be negative; std = {std}.");
            return Filled("randn", shape, Fill.Normal, generator, mean, std, dtype, device);
        }

        /// <summary>Uniform in [0, 1), with another tensor's shape, dtype and device.</summary>
        public static Tensor RandLike(Tensor other, Generator generator) =>
            Tensor.Rand(other.Shape, generator, dtype: other.DType, device: other.Device);

        /// <summary>Standard normal, with another tensor's shape, dtype and device.</summary>
        public static Tensor RandnLike(Tensor other, Generator generator) =>
            Tensor.Randn(other.Shape, generator, dtype: other.DType, device: other.Device);

        /// <summary>1 with probability p, else 0, in a floating dtype.</summary>
        public static Tensor Bernoulli(Shape shape, double p, Generator generator, DType dtype = DType.F32, Device? device = null)
        {
            if (!(p >= 0 && p <= 1))
                throw new UsageException($"bernoulli: a probability is in [0, 1]; p = {p}.");
            return Filled("bernoulli", shape, Fill.Bernoulli, generator, p, 1, dtype, device);
        }

        /// <summary>The mask of inverted dropout: 0 with probability p, else 1 / (1 - p).</summary>
        public static Tensor DropoutMask(Shape shape, double p, Generator generator, DType dtype = DType.F32, Device? device = null)
        {
            if (!(p >= 0 && p <= 1))
                throw new UsageException($"dropout: a probability is in [0, 1]; p = {p}.");
            return Filled("dropout", shape, Fill.Bernoulli, generator, 1 - p, p == 1 ? 0 : 1 / (1 - p), dtype, device);
        }

        /// <summary>Standard Gumbel: -log(-log u) of a uniform u. The largest of logits + Gumbel numbers is a sample of their softmax.</summary>
        public static Tensor Gumbel(Shape shape, Generator generator, DType dtype = DType.F32, Device? device = null) =>
            Filled("gumbel", shape, Fill.Gumbel, generator, 0, 1, dtype, device);

        /// <summary>Integers of [low, high), uniform, as i64, i32 or u8.</summary>
        public static Tensor RandInt(long low, long high, Shape shape, Generator generator, DType dtype = DType.I64, Device? device = null)
        {
            if (low >= high)
                throw new UsageException($"randint: the range is empty; low = {low}, high = {high} (exclusive). Pass high > low.");
            (long least, long most) = dtype switch
            {
                DType.I64 => (long.MinValue, long.MaxValue),
                DType.I32 => (int.MinValue, int.MaxValue),
                DType.U8 => (byte.MinValue, byte.MaxValue),
                _ => throw new DTypeException($"randint: needs i64, i32 or u8; dtype = {dtype.Name()}. Convert the result with .To(DType.{dtype})."),
            };
            if (low < least || high - 1 > most)
                throw new UsageException($"randint: {dtype.Name()} holds {least} to {most}; low = {low}, high = {high} (exclusive).");
            var y = Tensor.Empty(shape, dtype, device);
            RandomKernels.Integers(y, generator, low, high);
            return y;
        }

        /// <summary>The numbers 0 to n-1 in uniformly random order, i64: <see cref="Generator.Permutation"/> as a tensor.</summary>
        public static Tensor RandPerm(long n, Generator generator, Device? device = null) => Tensor.From(generator.Permutation(n), [n], device);
    }

    private static Tensor Filled(string op, Shape shape, Fill fill, Generator generator, double a, double b, DType dtype, Device? device)
    {
        if (!dtype.IsFloat())
            throw new DTypeException($"{op}: needs f32 or f64; dtype = {dtype.Name()}. Convert the result with .To(DType.{dtype}).");
        var y = Tensor.Empty(shape, dtype, device);
        RandomKernels.Run(y, fill, generator, a, b);
        return y;
    }
}
