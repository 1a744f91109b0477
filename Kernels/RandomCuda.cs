using System.Runtime.InteropServices;

namespace Native;

/// <summary>Where a fill begins: in the arguments, or, in a graph, in memory that is written before each replay. Twin of <c>RandomBlocks</c> in random.cuh.</summary>
internal readonly struct RandomBlocks
{
    private readonly ulong _key, _first;
    private readonly nint _step;

    private RandomBlocks(ulong key, ulong first, nint step) => (_key, _first, _step) = (key, first, step);

    /// <summary>Takes the next blocks of a generator, for this step and, in a graph, for each later one.</summary>
    public static RandomBlocks Reserve(Generator generator, long blocks)
    {
        var (key, first) = (0UL, 0UL);
        if (GraphCapture.Current is not { } capture)
        {
            (key, first) = generator.Reserve(blocks);
            return new(key, first, 0);
        }
        nint step = capture.Each(2 * sizeof(ulong), values =>
        {
            (key, first) = generator.Reserve(blocks);
            var words = MemoryMarshal.Cast<byte, ulong>(values);
            (words[0], words[1]) = (key, first);
        });
        return new(key, first, step);
    }
}

/// <summary><see cref="RandomKernels"/> on a GPU: the same bits, from the same blocks of the generator.</summary>
internal static class RandomCuda
{
    // Bytes of one block of Philox, which one thread stores.
    private const int BlockBytes = 16;

    private static readonly KernelFamily Floating = new("random", DType.F32, DType.F64), Whole = new("randint", DType.I32, DType.I64, DType.U8);
    private static readonly CudaKernel Uniform = new(Floating, "random_uniform"), Normal = new(Floating, "random_normal");
    private static readonly CudaKernel Bernoulli = new(Floating, "random_bernoulli"), Gumbel = new(Floating, "random_gumbel");
    private static readonly CudaKernel Integer = new(Whole, "randint_fill");

    /// <summary>Fills y (dense, f32 or f64).</summary>
    public static void Run(Tensor y, Fill fill, RandomBlocks from, double a, double b)
    {
        RandomArgs args = new() { Y = Launch.At(y), From = from, A = a, B = b, Last = LastBelow(y.DType, a, b), N = Launch.Int(y.Count, "random") };
        if (args.Y % BlockBytes != 0)
            throw new KernelException($"random: a fill must start at a multiple of {BlockBytes} bytes; {y.Layout}.");
        var kernel = fill switch
        {
            Fill.Uniform => Uniform,
            Fill.Normal => Normal,
            Fill.Bernoulli => Bernoulli,
            _ => Gumbel,
        };
        Launch.Run(y.Device, kernel, y.DType, Launch.Over(y.Device, Chunks.CeilDiv(y.ByteSize, BlockBytes)), args);
    }

    /// <summary>Fills y (dense, i32, i64 or u8) with integers of [low, high).</summary>
    public static void Integers(Tensor y, RandomBlocks from, long low, long high)
    {
        RandintArgs args = new() { Y = Launch.At(y), From = from, Range = unchecked((ulong)high - (ulong)low), Low = low, N = Launch.Int(y.Count, "randint") };
        Launch.Run(y.Device, Integer, y.DType, Launch.Over(y.Device, Chunks.CeilDiv(y.Count, 2)), args);
    }

    // The largest number of [low, high) in the tensor's precision; low where there is none.
    private static double LastBelow(DType dtype, double low, double high) => dtype == DType.F32
        ? MathF.Max((float)low, MathF.BitDecrement((float)high))
        : Math.Max(low, Math.BitDecrement(high));

    private struct RandomArgs
    {
        public nint Y;
        public RandomBlocks From;
        public double A, B, Last;
        public int N;
    }

    private struct RandintArgs
    {
        public nint Y;
        public RandomBlocks From;
        public ulong Range;
        public long Low;
        public int N;
    }
}
