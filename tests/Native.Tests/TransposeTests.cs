using System.Numerics;
using System.Runtime.Intrinsics.X86;

namespace Native.Tests;

/// <summary>Transposed copies against the plain loop, with every kind of register block, between guard words.</summary>
[Trait("Category", "Cpu")]
public sealed unsafe class TransposeTests
{
    private delegate void Move<T>(T* from, nint fromStep, T* to, nint toStep, nint rows, nint columns) where T : unmanaged;

    [Fact]
    public void Floats_of_all_small_sizes() => Sweep<float>(Transpose.Run, 0);

    [Fact]
    public void Doubles_of_all_small_sizes() => Sweep<double>(Transpose.Run, 0);

    [Fact]
    public void Integers_of_other_sizes() => Sweep<short>(Transpose.Run, 0);

    [Fact]
    public void Every_block_that_this_machine_can_run()
    {
        // The machine's own choice above meets only its widest blocks when both sides are long.
        Sweep<int>(Transpose.Blocks<int, Square1<int>>, 1);
        if (Sse.IsSupported)
            Sweep<float>(Transpose.Blocks<float, Square4F32>, 4);
        if (Avx.IsSupported)
        {
            Sweep<float>(Transpose.Blocks<float, Square8F32>, 8);
            Sweep<double>(Transpose.Blocks<double, Square4F64>, 4);
        }
        if (Avx512F.IsSupported)
        {
            Sweep<float>(Transpose.Blocks<float, Square16F32>, 16);
            Sweep<double>(Transpose.Blocks<double, Square8F64>, 8);
        }
    }

    [Fact]
    public void Long_sides_cross_strips()
    {
        foreach ((int rows, int columns) in new[] { (9, 1568), (1568, 9), (100, 129), (65, 64), (200, 333) })
        {
            Check<float>(Transpose.Run, rows, columns, 1);
            Check<double>(Transpose.Run, rows, columns, 1);
        }
    }

    [Fact]
    public void Bits_of_nan_are_kept()
    {
        const int Side = 19;
        using Buf<int> from = new(Side * Side), to = new(Side * Side);
        for (int i = 0; i < Side * Side; i++)
            from.P[i] = 0x7F800001 + i; // a signalling NaN: arithmetic would change it
        Transpose.Run((float*)from.P, Side, (float*)to.P, Side, Side, Side);
        for (int i = 0; i < Side * Side; i++)
            Assert.Equal(from.P[i], to.P[(i % Side * Side) + (i / Side)]);
    }

    private static void Sweep<T>(Move<T> move, int least) where T : unmanaged, INumber<T>
    {
        for (int rows = least; rows <= 36; rows++)
            for (int columns = least; columns <= 36; columns++)
                Check(move, rows, columns, (rows + columns) % 3);
    }

    private static void Check<T>(Move<T> move, int rows, int columns, int pad) where T : unmanaged, INumber<T>
    {
        // The last row and the last column end where the guard begins; what lies between rows must stay as it was.
        int fromStep = columns + pad, toStep = rows + (2 * pad);
        using Buf<T> from = new(Math.Max(0, (rows * fromStep) - pad)), to = new(Math.Max(0, (columns * toStep) - (2 * pad)));
        for (int i = 0; i < from.Count; i++)
            from.P[i] = T.CreateTruncating(i % 32000);
        for (int i = 0; i < to.Count; i++)
            to.P[i] = T.CreateTruncating(-7);
        move(from.P, fromStep, to.P, toStep, rows, columns);
        for (int i = 0; i < to.Count; i++)
        {
            (int c, int r) = (i / toStep, i % toStep);
            T expected = r < rows ? T.CreateTruncating(((r * fromStep) + c) % 32000) : T.CreateTruncating(-7);
            if (to.P[i] != expected)
                Assert.Fail($"{typeof(T).Name} [{rows},{columns}] pad {pad}: element {i} is {to.P[i]}, expected {expected}");
        }
    }
}
