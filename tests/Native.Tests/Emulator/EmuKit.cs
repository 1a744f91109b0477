using System.Runtime.InteropServices;

namespace Native.Tests;

/// <summary>What tests of kernels on the emulator share: the same computation on both devices, compared bit for bit.</summary>
internal static class EmuKit
{
    public static Device Device => Native.Device.Parse("emu:0");

    /// <summary>Runs on the cpu, then on the emulator in both orders of threads; null when all have the same bits (any NaN equals any).</summary>
    public static string? Difference(Func<Device, Tensor[]> run)
    {
        string? problem = null;
        Everywhere(run, (expected, actual, order) => problem ??= OpKit.BitDifference(expected, actual) is { } d ? $"{order}: {d}" : null);
        return problem;
    }

    /// <summary>Runs on the cpu, then on the emulator in both orders of threads, and hands both results over as doubles.</summary>
    public static void Everywhere(Func<Device, Tensor[]> run, Action<double[][], double[][], string> compare)
    {
        using var scope = TensorScope.Begin("everywhere");
        double[][] expected = Numbers(run(Native.Device.Cpu));
        foreach (bool reversed in (bool[])[false, true])
        {
            EmulatedDriver.Shared.Reversed = reversed;
            try
            {
                Tensor[] results = run(Device);
                Assert.All(results, t => Assert.Equal("emu:0", t.Device.Name));
                compare(expected, Numbers(results), reversed ? "threads in reverse" : "threads in order");
            }
            finally
            {
                EmulatedDriver.Shared.Reversed = false;
            }
        }
    }

    /// <summary>Bytes of a tensor's elements in row-major order.</summary>
    public static byte[] Bytes(Tensor t) => t.DType switch
    {
        DType.F32 => MemoryMarshal.AsBytes<float>(t.ToArray<float>()).ToArray(),
        DType.F64 => MemoryMarshal.AsBytes<double>(t.ToArray<double>()).ToArray(),
        DType.I32 => MemoryMarshal.AsBytes<int>(t.ToArray<int>()).ToArray(),
        DType.I64 => MemoryMarshal.AsBytes<long>(t.ToArray<long>()).ToArray(),
        _ => t.ToArray<byte>(),
    };

    // Sign and payload of a NaN are whatever the hardware gives.
    private static double[][] Numbers(Tensor[] ts) => [.. OpKit.ToDoubles(ts).Select(v => Array.ConvertAll(v, x => double.IsNaN(x) ? double.NaN : x))];
}
