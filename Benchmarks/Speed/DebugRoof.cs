namespace Native.Benchmarks;

/// <summary>The roofs that lines of NATIVE_DEBUG are compared with, each measured when its device prints its first line.</summary>
internal sealed class DebugRoof
{
    private readonly Dictionary<Device, Roof> _roofs = [];

    /// <summary>Least seconds for operations and for bytes, taken for the working set.</summary>
    public (double Compute, double Memory)? Seconds(Device device, long flops, long bytes)
    {
        lock (_roofs)
        {
            if (!_roofs.TryGetValue(device, out var roof))
                _roofs.Add(device, roof = Measure(device));
            return (roof.Seconds(flops, 0, bytes), roof.Seconds(0, bytes, bytes));
        }
    }

    // What measures is not itself watched.
    private static Roof Measure(Device device)
    {
        var ambient = Ambient.Current;
        var watch = ambient.Watch;
        ambient.Watch = Watch.None;
        try
        {
            return device.IsCpu ? Roof.Measure() : DeviceRoof.Measure(device, ambient.Tf32);
        }
        finally
        {
            ambient.Watch = watch;
        }
    }
}
