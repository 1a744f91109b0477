using System.Reflection;
using System.Runtime.CompilerServices;

namespace Native;

/// <summary>What the driver told about a device when it was opened.</summary>
/// <param name="Name">Product name.</param>
/// <param name="Major">Compute capability, before the dot.</param>
/// <param name="Minor">Compute capability, after the dot.</param>
/// <param name="Multiprocessors">Number of multiprocessors.</param>
/// <param name="Memory">Bytes.</param>
/// <param name="DriverVersion">As the driver counts: 12040 is 12.4.</param>
internal sealed record CudaFacts(string Name, int Major, int Minor, int Multiprocessors, long Memory, int DriverVersion)
{
    /// <summary>As compilers name it: <c>sm_90</c>.</summary>
    public string Arch => $"sm_{Major}{Minor}";
}

/// <summary>
/// An opened device, shared by all threads: its driver, its context and the kernels loaded into it. What belongs to one thread (stream, pool) is in
/// <see cref="CudaState"/>.
/// </summary>
internal sealed class CudaDevice
{
    private static readonly Lock OpenLock = new();
    private static readonly Dictionary<string, CudaDevice> Opened = [];

    [ThreadStatic]
    private static CudaDevice? _current;

    private CudaException? _lost;
    private int _states;

    private CudaDevice(Device device, ICudaDriver driver, object backend)
    {
        Device = device;
        Driver = driver;
        Backend = backend;
        Check(driver.Init(), "cuInit");
        Check(driver.DeviceGetCount(out int count), "counting devices");
        if (device.Index >= count)
            throw new DeviceException($"{device} is unavailable: {driver.Source} has {count} device{(count == 1 ? "" : "s")}{(count > 0 ? $", 0 to {count - 1}" : "")}.");
        Check(driver.DeviceGetName(device.Index, out string name), "reading the device's name");
        Check(driver.DeviceTotalMem(device.Index, out long memory), "reading the device's memory");
        Check(driver.DriverGetVersion(out int version), "reading the driver's version");
        Facts = new(name, Ask(CudaAttribute.ComputeCapabilityMajor), Ask(CudaAttribute.ComputeCapabilityMinor), Ask(CudaAttribute.MultiprocessorCount), memory, version);
        Check(driver.DevicePrimaryCtxRetain(device.Index, out nint context), "opening the device");
        Context = context;
    }

    public Device Device { get; }

    public ICudaDriver Driver { get; }

    /// <summary>What the kernel assembly keeps with a device: its compiler, its matrix products, its loaded kernels.</summary>
    public object Backend { get; }

    public CudaFacts Facts { get; }

    public nint Context { get; }

    /// <summary>
    /// How a driver for a device is made; set by the assembly that has the bindings above this one, and loaded by name because the reference goes
    /// the other way. Throws <see cref="DeviceException"/> with the reason when there is none.
    /// </summary>
    internal static Func<Device, (ICudaDriver Driver, object Backend)> Factory
    {
        get => field ??= LoadKernels();
        set;
    }

    /// <summary>The opened device; opens it at the first call.</summary>
    /// <exception cref="DeviceException">There is no such device, or no driver; the message carries the reason.</exception>
    public static CudaDevice Open(Device device)
    {
        lock (OpenLock)
        {
            if (Opened.TryGetValue(device.Name, out var opened))
                return opened;
            var (driver, backend) = Make(device);
            opened = new CudaDevice(device, driver, backend);
            Opened.Add(device.Name, opened);
            DebugLines.Print(1, $"{device}: {opened.Facts.Name}, {opened.Facts.Arch}, {opened.Facts.Multiprocessors} multiprocessors, {opened.Facts.Memory >> 20} MiB, "
                + $"driver of CUDA {Native.Driver.VersionText(opened.Facts.DriverVersion)}, {driver.Source}");
            return opened;
        }
    }

    private static (ICudaDriver Driver, object Backend) Make(Device device)
    {
        try
        {
            return Factory(device);
        }
        catch (DeviceException e)
        {
            throw new DeviceException($"{device} is unavailable: {e.Message}");
        }
    }

    /// <summary>Whether a failure has ended the context: nothing that was on the device can be reached any more.</summary>
    public bool IsLost => _lost is not null;

    /// <summary>Counts a thread that uses the device, for messages.</summary>
    public void CountThread() => Interlocked.Increment(ref _states);

    /// <summary>Makes the context current on this thread. <see cref="DeviceException"/> when it is lost.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void MakeCurrent()
    {
        if (!ReferenceEquals(_current, this) || _lost is not null)
            Switch();
    }

    /// <summary>
    /// As <see cref="MakeCurrent"/> for what gives something back, from a finalizer too: false, and nothing thrown, when the context is lost or going. What
    /// it held is then gone with it.
    /// </summary>
    public bool TryMakeCurrent()
    {
        if (_lost is not null)
            return false;
        if (!ReferenceEquals(_current, this))
        {
            if (Driver.CtxSetCurrent(Context) != CudaResult.Success)
                return false;
            _current = this;
        }
        return true;
    }

    /// <summary>Throws what a result code means; <paramref name="what"/> says what was being done.</summary>
    /// <exception cref="CudaException">Once for each refusal, and once for a failure that ends the context, with the launches before it.</exception>
    /// <exception cref="DeviceException">The context was lost earlier.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Check(CudaResult result, string what)
    {
        if (result != CudaResult.Success)
            Fail(result, what);
    }

    private int Ask(CudaAttribute attribute)
    {
        Check(Driver.DeviceGetAttribute(Device.Index, attribute, out int value), $"reading the device's {attribute}");
        return value;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Switch()
    {
        if (_lost is { } first)
            throw Echo(first);
        Check(Driver.CtxSetCurrent(Context), "making the device current");
        _current = this;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Fail(CudaResult result, string what)
    {
        if (_lost is null && !CudaError.EndsContext(result))
            throw CudaError.Exception(Driver, result, $"{Device}: {what}");
        if (_lost is null)
        {
            var story = CudaError.Lost(this, result, what, Ambient.Current.TryCuda(Device)?.Launches, _states);
            if (Interlocked.CompareExchange(ref _lost, story, null) is null)
                throw story;
        }
        throw Echo(_lost);
    }

    // Short: the first one had the story.
    private DeviceException Echo(CudaException first) =>
        new($"{Device} is lost to this process since an earlier failure, {CudaError.Describe(first.Result).Name} ({first.Number})"
            + $"{(first.Launches.Count > 0 ? $" seen after {first.Launches[0]}" : "")}. See the first error; start the process again.");

    private static Func<Device, (ICudaDriver Driver, object Backend)> LoadKernels()
    {
        var assembly = Assembly.Load("Native.Kernels");
        RuntimeHelpers.RunModuleConstructor(assembly.ManifestModule.ModuleHandle);
        return Factory;
    }
}
