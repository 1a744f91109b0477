namespace Native;

/// <summary>A distribution that a tensor can be filled with.</summary>
internal enum Fill
{
    /// <summary>Uniform in [a, b).</summary>
    Uniform,

    /// <summary>Mean a, deviation b.</summary>
    Normal,

    /// <summary>b with probability a, else 0.</summary>
    Bernoulli,

    /// <summary>The standard Gumbel distribution.</summary>
    Gumbel,
}

/// <summary>
/// Fills of dense tensors from a <see cref="Generator"/>. The rules below fix every bit, so that all devices agree.
/// <list type="bullet">
/// <item>A fill reserves whole blocks. The uniform number u_i of element i is made as <see cref="Generator.NextSingle"/> does from word i for f32,
/// as <see cref="Generator.NextDouble"/> does from words 2i and 2i+1 for f64 (words counted from the first reserved block).</item>
/// <item>Uniform: a + u (b - a), the product rounded before the sum, and at most the largest number below b.</item>
/// <item>Normal (Box and Muller): elements 2k and 2k+1 are r cos t and r sin t with r = sqrt(-2 log(1 - u_2k)), t = 2 pi u_2k+1; then times b, plus a.</item>
/// <item>Bernoulli: b where u is below a.</item>
/// <item>Gumbel: -log(-log u), with half of the smallest step (2^-25, 2^-54) in place of u = 0.</item>
/// <item>Integers: the high half of the 128-bit product of the range and the 64-bit word made of words 2i (low) and 2i+1 (high). The most
/// likely value exceeds the least likely by less than range / 2^64.</item>
/// </list>
/// </summary>
internal static unsafe class RandomKernels
{
    /// <summary>Fills y (f32 or f64).</summary>
    public static void Run(Tensor y, Fill fill, Generator generator, double a = 0, double b = 1)
    {
        long blocks = Blocks(y.Count, y.DType == DType.F32 ? 1 : 2);
        if (!y.Device.IsCpu)
        {
            RandomCuda.Run(y, fill, RandomBlocks.Reserve(generator, blocks), a, b);
            return;
        }
        var (key, counter) = OnHost(generator, blocks);
        if (y.DType == DType.F32)
            RandomFill.Run(y.Data<float>(), y.Count, fill, key, counter, (float)a, (float)b);
        else
            RandomFill.Run(y.Data<double>(), y.Count, fill, key, counter, a, b);
    }

    /// <summary>Fills y (i32, i64 or u8) with integers of [low, high).</summary>
    public static void Integers(Tensor y, Generator generator, long low, long high)
    {
        long blocks = Blocks(y.Count, 2);
        if (!y.Device.IsCpu)
        {
            RandomCuda.Integers(y, RandomBlocks.Reserve(generator, blocks), low, high);
            return;
        }
        var (key, counter) = OnHost(generator, blocks);
        switch (y.DType)
        {
            case DType.I32:
                RandomFill.Integers(y.Data<int>(), y.Count, key, counter, low, high);
                break;
            case DType.I64:
                RandomFill.Integers(y.Data<long>(), y.Count, key, counter, low, high);
                break;
            default:
                RandomFill.Integers(y.Data<byte>(), y.Count, key, counter, low, high);
                break;
        }
    }

    private static (ulong Key, ulong Counter) OnHost(Generator generator, long blocks)
    {
        Generator.CheckRepeatable("a tensor of the cpu is filled");
        return generator.Reserve(blocks);
    }

    private static long Blocks(long elements, int words) => (checked(elements * words) + 3) / 4;
}
