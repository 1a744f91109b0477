namespace Native.Tests;

/// <summary>Random fills on the emulator: the CPU's bits.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class EmulatedRandomTests
{
    // Nothing, less than a block of Philox, tails of one and two, more than a block of threads, more than one grid.
    private static readonly long[] Sizes = [0, 1, 2, 3, 4, 5, 7, 1023, 1025, 40_003];

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(DType.F32)]
    [InlineData(DType.F64)]
    public void Fills_have_the_cpus_bits(DType dtype) => OpKit.OnFreshThread(() =>
    {
        foreach (long n in Sizes)
        {
            Same($"uniform {n}", (g, d) => Tensor.Rand([n], g, -1.5, 0.25, dtype, d));
            Same($"normal {n}", (g, d) => Tensor.Randn([n], g, 0.5, 2, dtype, d));
            Same($"bernoulli {n}", (g, d) => Tensor.Bernoulli([n], 0.375, g, dtype, d));
            Same($"dropout {n}", (g, d) => Tensor.DropoutMask([n], 0.1, g, dtype, d));
            Same($"gumbel {n}", (g, d) => Tensor.Gumbel([n], g, dtype, d));
        }
        Same("an empty range", (g, d) => Tensor.Rand([99], g, 0.3, 0.3, dtype, d));
        Same("a range of one step, which rounding leaves", (g, d) => Tensor.Rand([999], g, 1 << 24, (1 << 24) + 2, dtype, d));
        Same("all dropped", (g, d) => Tensor.DropoutMask([99], 1, g, dtype, d));
    });

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(DType.I32, int.MinValue, int.MaxValue)]
    [InlineData(DType.I32, -5, 6)]
    [InlineData(DType.I64, long.MinValue, long.MaxValue)]
    [InlineData(DType.I64, -5, 1_000_000_000_000)]
    [InlineData(DType.U8, 0, 256)]
    public void Integers_have_the_cpus_bits(DType dtype, long low, long high) => OpKit.OnFreshThread(() =>
    {
        foreach (long n in Sizes)
            Same($"integers {n}", (g, d) => Tensor.RandInt(low, high, [n], g, dtype, d));
    });

    // Beside it in the same allocation, where no guard words are.
    [NeedsFact(GpuKit.Gxx)]
    public void A_fill_writes_nothing_beside_itself() => OpKit.OnFreshThread(() =>
    {
        foreach (DType dtype in (DType[])[DType.F32, DType.F64, DType.I32, DType.I64, DType.U8])
            for (int n = 0; n <= 9; n++)
            {
                using var scope = TensorScope.Begin("fill");
                var room = Tensor.Full([16], 77, dtype, Emulated.Device);
                var part = room.View(room.Layout.Slice(0, 0, n));
                if (dtype.IsFloat())
                    RandomKernels.Run(part, Fill.Normal, At());
                else
                    RandomKernels.Integers(part, At(), 0, 7);
                Assert.Equal([.. Enumerable.Range(0, 16).Select(i => i >= n)], OpKit.ToDoubles(room).Select(v => v == 77));
            }
    });

    private static void Same(string what, Func<Generator, Device, Tensor> fill)
    {
        using var scope = TensorScope.Begin("fill");
        Generator here = At(), there = At();
        Emulated.SameBits(what, device =>
        {
            if (device.IsCpu)
                return [fill(here, device)];
            there.State = At().State;
            return [fill(there, device)];
        }, payloads: true);
        Assert.Equal(here.State, there.State);
    }

    // A key and a block whose upper halves matter; the block's number passes 2^32 within the longer fills.
    private static Generator At() => new(0) { State = (0x1234567890ABCDEF, 4 * 0xFFFF_FFF0UL) };
}
