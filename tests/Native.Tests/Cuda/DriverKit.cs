using System.Collections.Concurrent;

namespace Native.Tests;

/// <summary>Devices over a test's own driver. Each has a number nobody else has, so that what is done to it is done to no other test.</summary>
internal static class DriverKit
{
    private static readonly ConcurrentDictionary<string, (ICudaDriver Driver, object Backend)> Given = new();
    private static int last = 1000;

    static DriverKit()
    {
        var others = CudaDevice.Factory;
        CudaDevice.Factory = device => Given.TryGetValue(device.Name, out var given) ? given : others(device);
    }

    /// <summary>A device under the name of a GPU, so that nothing is waited for that a GPU's user would not wait for.</summary>
    public static Device Over(ICudaDriver driver, CudaBackend backend)
    {
        string name = $"cuda:{Interlocked.Increment(ref last)}";
        Given[name] = (driver, backend);
        return Device.Parse(name);
    }

    /// <summary>The emulated driver behind one that can be made to fail.</summary>
    /// <param name="blas">Its matrix products; null for the host's.</param>
    public static (Device Device, FaultyDriver Driver) Faulty(ICudaBlas? blas = null)
    {
        var driver = new FaultyDriver(EmulatedDriver.Shared);
        return (Over(driver, blas is null ? CudaBackend.Emulated(HostCompiler.Shared) : new CudaBackend(HostCompiler.Shared, () => blas)), driver);
    }
}
