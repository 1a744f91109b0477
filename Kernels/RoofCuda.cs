namespace Native;

/// <summary>Kernels that do nothing but multiply and add, or read and write, as fast as a GPU can: what fractions of a roof are fractions of.</summary>
internal static class RoofCuda
{
    /// <summary>Multiply-adds of a thread and round.</summary>
    private const int Chains = 8;

    // A product of 16 x 8 x 8 per chain and warp of 32 threads.
    private const int TensorFlops = 2 * 16 * 8 * 8 / 32;

    private const int BlocksPerMultiprocessor = 8;

    private static readonly KernelFamily Family = new("roof", _ => KernelFamily.Resource("mma.cuh") + KernelFamily.Resource("roof.cu"), DType.F32);
    private static readonly CudaKernel Fma = new(Family, "roof_fma"), Tf32 = new(Family, "roof_tf32"), StreamKernel = new(Family, "roof_stream");

    /// <summary>Threads of a launch that fills the device: elements of <c>sink</c> below.</summary>
    public static int Threads(Device device) => Launch.Threads * BlocksPerMultiprocessor * Ambient.Current.Cuda(device).Cuda.Facts.Multiprocessors;

    /// <summary>Whether the device has tensor cores for tf32.</summary>
    public static bool HasTf32(Device device) => Ambient.Current.Cuda(device).Cuda.Facts.Major >= 8;

    /// <summary>Queues f32 arithmetic without memory; returns its operations, two per multiply-add.</summary>
    /// <param name="sink">f32 [Threads], where the result goes, so that it must be computed.</param>
    /// <param name="rounds">How long.</param>
    /// <param name="tf32">On tensor cores.</param>
    public static double Compute(Tensor sink, int rounds, bool tf32)
    {
        var grid = CudaGrid.Of(Threads(sink.Device) / Launch.Threads, Launch.Threads);
        Launch.Run(sink.Device, tf32 ? Tf32 : Fma, DType.F32, grid, new RoofArgs { Y = Launch.At(sink), One = 1, Half = 0.5f, Rounds = rounds });
        return (double)rounds * Threads(sink.Device) * Chains * (tf32 ? TensorFlops : 2);
    }

    /// <summary>Queues y = a + b, so many times; returns the bytes read and written. Lengths are multiples of 4.</summary>
    public static double Stream(Tensor y, Tensor a, Tensor b, int rounds)
    {
        int packs = Launch.Int(y.Count, "roof_stream") / 4;
        Launch.Run(y.Device, StreamKernel, DType.F32, Launch.Over(y.Device, packs), new StreamArgs { Y = Launch.At(y), A = Launch.At(a), B = Launch.At(b), Packs = packs, Rounds = rounds });
        return 3.0 * 16 * packs * rounds;
    }

    private struct RoofArgs
    {
        public nint Y;
        public float One, Half;
        public int Rounds;
    }

    private struct StreamArgs
    {
        public nint Y, A, B;
        public int Packs, Rounds;
    }
}
