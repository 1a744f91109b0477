namespace Native.Benchmarks;

/// <summary>
/// The roof of a GPU, measured just before what is compared with it, by <see cref="RoofCuda"/>: multiply-adds from registers (or tf32 products of tensor
/// cores), a large product of matrices in case that is faster still, streams inside the second cache and beyond it, and a copy within the device.
/// </summary>
internal static class DeviceRoof
{
    private const int Repetitions = 12, EmulatedSide = 64, Side = 4096;

    // Long enough that starting a kernel does not count; short enough for a hundred of them.
    private const double Seconds = 2e-3;

    // Three arrays of it are far beyond any second cache.
    private const long Beyond = 256L << 20, EmulatedBeyond = 1 << 20;

    /// <summary>Measures a device.</summary>
    public static Roof Measure(Device device, bool tf32)
    {
        using var constant = Autograd.NoGrad();
        using var scope = TensorScope.Begin("roof");
        using var clock = new DeviceClock(device);
        var state = Ambient.Current.Cuda(device);
        bool emulated = device.Kind == DeviceKind.Emu;
        tf32 &= RoofCuda.HasTf32(device);
        var sink = Tensor.Empty([RoofCuda.Threads(device)], DType.F32, device);
        double gflops = Math.Max(Fastest(clock, rounds => RoofCuda.Compute(sink, rounds, tf32)), Product(clock, device, emulated ? EmulatedSide : Side)) / 1e9;
        state.Cuda.Check(state.Cuda.Driver.DeviceGetAttribute(device.Index, CudaAttribute.L2CacheSize, out int cache), "reading the size of the second cache");
        var levels = new List<(long, double)>();
        // Half of the cache, because the other half may belong to the other half of the multiprocessors.
        if (cache > 0)
            levels.Add((cache / 2, Streams(clock, device, cache / 2 / 3)));
        levels.Add((long.MaxValue, Streams(clock, device, emulated ? EmulatedBeyond : Math.Min(Beyond, state.Cuda.Facts.Memory / 16))));
        // What follows has the memory for itself.
        state.Allocator.Trim();
        return new Roof(gflops, levels, 0) { On = $"{device} ({state.Cuda.Facts.Name}){(tf32 ? ", tf32" : "")}" };
    }

    // Bytes per second / 1e9: two arrays in and one out, or a copy.
    private static double Streams(DeviceClock clock, Device device, long bytes)
    {
        using var scope = TensorScope.Begin("streams");
        long n = bytes / 16 * 4;
        Tensor a = Tensor.Ones([n], device: device), b = Tensor.Ones([n], device: device), y = Tensor.Empty([n], DType.F32, device);
        return Math.Max(Fastest(clock, rounds => RoofCuda.Stream(y, a, b, rounds)), Fastest(clock, rounds =>
        {
            for (int i = 0; i < rounds; i++)
                Ambient.Current.Cuda(device).Copy(y.Storage.Pointer, a.Storage.Pointer, 4 * n);
            return 8.0 * n * rounds;
        })) / 1e9;
    }

    private static double Product(DeviceClock clock, Device device, int side)
    {
        using var scope = TensorScope.Begin("product");
        var random = new Generator(1);
        Tensor a = Tensor.Rand([side, side], random, -1, 1, device: device), b = Tensor.Rand([side, side], random, -1, 1, device: device);
        return Fastest(clock, rounds =>
        {
            for (int i = 0; i < rounds; i++)
                a.MatMul(b).Dispose();
            return 2.0 * side * side * side * rounds;
        });
    }

    // The best rate of several runs that are long enough, since anything else on the device can only make them slower.
    private static double Fastest(DeviceClock clock, Func<int, double> queue)
    {
        double Run(int rounds, out double seconds)
        {
            clock.Start();
            double work = queue(rounds);
            clock.Stop();
            seconds = clock.Gpu;
            return work / seconds;
        }
        Run(1, out _);      // compiles and loads the kernel
        int rounds = 1;
        for (Run(rounds, out double seconds); seconds < Seconds && rounds < 1 << 24; Run(rounds, out seconds))
            rounds *= 2;
        return Enumerable.Range(0, Repetitions).Max(_ => Run(rounds, out double _));
    }
}
