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
        string kind = name.Split(':')[0];
        if (kind is "cuda" or "emu")
            throw new DeviceException($"{name} is unavailable: this version of Native has no CUDA back end yet. Use cpu.");
        throw new DeviceException($"device: '{name}' is not a device. Use cpu, cuda:N or emu:0.");
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
