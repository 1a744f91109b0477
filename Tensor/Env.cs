using System.Globalization;

namespace Native;

/// <summary>
/// Every <c>NATIVE_*</c> switch, in one table. A switch is read from the environment once; <see cref="EnvSwitch{T}.Override"/>
/// changes it for the extent of a <c>using</c> (tests, command-line options).
/// </summary>
public static class Env
{
    /// <summary>Largest number of threads that can be asked for.</summary>
    public const long MostThreads = 1024;

    /// <summary>Largest memory limit that can be set, in MiB: in bytes it still fits 64 bits.</summary>
    public const long MostMemory = 1L << 40;

    private static readonly List<EnvSwitch> Table = [];

    /// <summary>All switches, for <c>native doctor</c> and the documentation test.</summary>
    public static IReadOnlyList<EnvSwitch> All => Table;

    /// <summary>Device used when a command or <see cref="Native.Device.Default"/> names none.</summary>
    public static EnvSwitch<string> Device { get; } = Text("NATIVE_DEVICE", "", "default device: cpu, cuda:N or emu:0");

    /// <summary>Folder of real data sets.</summary>
    public static EnvSwitch<string> Data { get; } = Text("NATIVE_DATA", "", "folder that holds the real data sets (mnist/, cifar-10-batches-bin/, ...)");

    /// <summary>Threads the CPU back end uses; 0 means one per core.</summary>
    public static EnvSwitch<long> Threads { get; } = Number("NATIVE_THREADS", 0, MostThreads, "threads of the CPU back end; 0 = one per core; results do not depend on it");

    /// <summary>Upper bound on tensor memory per device and thread, in MiB; 0 means none.</summary>
    public static EnvSwitch<long> MemoryLimit { get; } = Number("NATIVE_MEM_LIMIT", 0, MostMemory, "upper bound on tensor memory in MiB; 0 = none");

    /// <summary>Record where each storage was allocated, for leak and use-after-free messages.</summary>
    public static EnvSwitch<bool> Leaks { get; } = Flag("NATIVE_LEAKS", "record the allocation stack of every storage");

    /// <summary>Record the forward call stack of every node and name it in backward errors.</summary>
    public static EnvSwitch<bool> Anomaly { get; } = Flag("NATIVE_ANOMALY", "record forward stacks; backward errors name the line that made the node");

    /// <summary>Stop at the first operation whose output holds NaN or infinity while its inputs do not.</summary>
    public static EnvSwitch<bool> NanTrap { get; } = Flag("NATIVE_NAN_TRAP", "stop at the first operation that produces NaN or infinity from finite inputs");

    /// <summary>What is printed while a program runs, each level on top of the one before.</summary>
    public static EnvSwitch<long> Debug { get; } = Number("NATIVE_DEBUG", 0, 6,
        "1: devices and libraries; 2: operations with their time; 3: shapes, backward, call site; 4: launches and kernel text; 5: cache, PTX; 6: SASS, registers");

    /// <summary>Where NVIDIA's libraries lie, before any other place.</summary>
    public static EnvSwitch<string> CudaPath { get; } = Text("NATIVE_CUDA_PATH", "", "folders with libcuda, libnvrtc and libcublas, searched before all others");

    /// <summary>Folder of compiled kernels.</summary>
    public static EnvSwitch<string> Cache { get; } = Text("NATIVE_CACHE", "", "folder of compiled kernels; unset = the user's cache folder");

    /// <summary>Wait for every kernel of a GPU, so that an error names the launch that caused it.</summary>
    public static EnvSwitch<bool> Sync { get; } = Flag("NATIVE_SYNC", "wait for every kernel of a GPU: an error then names its launch");

    /// <summary>Products and convolutions in f32 on a GPU's tensor cores: the default of every thread.</summary>
    public static EnvSwitch<bool> Tf32 { get; } = Flag("NATIVE_TF32", "f32 products and convolutions of a GPU round their factors to 10 bits of mantissa, for tensor cores");

    private static EnvSwitch<string> Text(string name, string otherwise, string help) =>
        Add(new EnvSwitch<string>(name, help, otherwise, s => s));

    private static EnvSwitch<long> Number(string name, long otherwise, long most, string help) =>
        Add(new EnvSwitch<long>(name, help, otherwise, s => long.TryParse(s, NumberStyles.None, CultureInfo.InvariantCulture, out long v) && v <= most
            ? v : throw new UsageException($"{name}: '{s}' is not a whole number of 0 to {most}.")));

    private static EnvSwitch<bool> Flag(string name, string help) =>
        Add(new EnvSwitch<bool>(name, help, false, s => s switch
        {
            "1" or "true" => true,
            "0" or "false" or "" => false,
            _ => throw new UsageException($"{name}: '{s}' is not a truth value. Use 1 or 0."),
        }));

    private static EnvSwitch<T> Add<T>(EnvSwitch<T> s)
    {
        Table.Add(s);
        return s;
    }
}

/// <summary>One switch: its variable, its meaning, and its present value as text.</summary>
public abstract class EnvSwitch(string name, string help)
{
    /// <summary>Name of the environment variable.</summary>
    public string Name => name;

    /// <summary>One line of documentation.</summary>
    public string Help => help;

    /// <summary>The present value, printed.</summary>
    public abstract string Text { get; }
}

/// <summary>A typed switch.</summary>
public sealed class EnvSwitch<T> : EnvSwitch
{
    private readonly Func<string, T> _parse;
    private readonly Lazy<T> _read;
    private T? _override;
    private bool _overridden;

    internal EnvSwitch(string name, string help, T otherwise, Func<string, T> parse) : base(name, help) =>
        (_parse, _read) = (parse, new(() => Environment.GetEnvironmentVariable(name) is { Length: > 0 } s ? parse(s) : otherwise));

    /// <summary>The present value.</summary>
    public T Value => _overridden ? _override! : _read.Value;

    /// <summary>What the variable's text means; <see cref="UsageException"/> when nothing.</summary>
    internal T Parse(string text) => _parse(text);

    /// <inheritdoc/>
    public override string Text => Value?.ToString() ?? "";

    /// <summary>Sets the value until the result is disposed. Applies to the whole process.</summary>
    public IDisposable Override(T value)
    {
        var undo = new Undo(this, _overridden, _override);
        (_overridden, _override) = (true, value);
        return undo;
    }

    private sealed class Undo(EnvSwitch<T> of, bool overridden, T? value) : IDisposable
    {
        public void Dispose() => (of._overridden, of._override) = (overridden, value);
    }
}
