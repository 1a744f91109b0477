namespace Native;

/// <summary>Kind of machine that holds and computes a tensor.</summary>
public enum DeviceKind : byte
{
    /// <summary>Managed SIMD code.</summary>
    Cpu,

    /// <summary>An NVIDIA GPU through libcuda.</summary>
    Cuda,

    /// <summary>The CUDA back end over an emulated driver.</summary>
    Emu,
}

/// <summary>Where a tensor lives: <c>cpu</c>, <c>cuda:N</c> or <c>emu:0</c>. One object per device, so equality is identity.</summary>
public sealed class Device
{
    // One object per name, so that equality is identity; opened when first used.
    private static readonly System.Collections.Concurrent.ConcurrentDictionary<string, Device> Others = new();

    private Device(DeviceKind kind, int index)
    {
        Kind = kind;
        Index = index;
        Name = kind == DeviceKind.Cpu ? "cpu" : $"{(kind == DeviceKind.Cuda ? "cuda" : "emu")}:{index}";
    }

    /// <summary>The host.</summary>
    public static Device Cpu { get; } = new(DeviceKind.Cpu, 0);

    /// <summary>The device used when none is named: <c>NATIVE_DEVICE</c> when set, else the host.</summary>
    public static Device Default => Env.Device.Value is { Length: > 0 } name ? Parse(name) : Cpu;

    /// <summary>Kind.</summary>
    public DeviceKind Kind { get; }

    /// <summary>Ordinal among devices of its kind.</summary>
    public int Index { get; }

    /// <summary>The printed and parsed name.</summary>
    public string Name { get; }

    /// <summary>
    /// Turns a name into a device. <see cref="DeviceException"/> when the name is unknown, and when the device cannot be used here:
    /// the message carries the reason.
    /// </summary>
    public static Device Parse(string name)
    {
        if (name == "cpu")
            return Cpu;
        if (Others.TryGetValue(name, out var known))
            return known;
        var device = name switch
        {
            "cuda" => Parse("cuda:0"),
            "emu" or "emu:0" => new Device(DeviceKind.Emu, 0),
            _ when name.StartsWith("cuda:", StringComparison.Ordinal)
                && int.TryParse(name.AsSpan(5), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int index) => new Device(DeviceKind.Cuda, index),
            _ => throw new DeviceException($"device: '{name}' is not a device. Use cpu, cuda:N or emu:0."),
        };
        CudaDevice.Open(device);
        return Others.GetOrAdd(device.Name, device);
    }

    /// <summary>Whether this thread's products and convolutions in f32 round their factors to tf32 there (NATIVE_TF32, --tf32): other bits than without. Never on the cpu.</summary>
    public bool RoundsFactors => !IsCpu && Ambient.Current.Tf32;

    /// <summary>True when the CPU can read and write its tensors directly.</summary>
    internal bool IsCpu => Kind == DeviceKind.Cpu;

    /// <inheritdoc/>
    public override string ToString() => Name;
}
