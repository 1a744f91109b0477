using System.Diagnostics;
using System.Globalization;

namespace Native;

/// <summary>
/// What NATIVE_DEBUG prints, one level on top of the other and the same on every device: 1 devices and libraries as they are opened; 2 a line per operation
/// with its time; 3 its shapes and strides, the backward pass it belongs to and the line of C# that asked; 4 every launch of a kernel with its grid, block and
/// arguments, and the text of a kernel at its first; 5 what is compiled or found in the cache, and the kernel's PTX; 6 its SASS where a disassembler is found,
/// its registers and memory. Levels 4 to 6 are about a GPU's kernels, emulated ones included; the cpu has none and says so.
/// </summary>
internal static class DebugLines
{
    /// <summary>What the cpu prints at levels 4 to 6, once per thread.</summary>
    public const string NoKernels = "cpu: levels 4 to 6 show the kernels of a GPU, or of emu:0, and the cpu has none. Its loops are C#, in Kernels/Cpu; "
        + "DOTNET_JitDisasm=METHOD with DOTNET_JitStdOutFile=FILE writes their machine code.";

    // Below so many seconds at the roof, starting the work takes longer than the work.
    private const double Latency = 2e-6;

    [ThreadStatic]
    private static bool toldNoKernels;

    /// <summary>
    /// The least seconds in which a device could do floating-point operations, and move bytes; null where nobody has measured it. The command line sets it, which
    /// has the measurements.
    /// </summary>
    public static Func<Device, long, long, (double Compute, double Memory)?>? Roof { get; set; }

    /// <summary>Whether anybody sees lines of a level.</summary>
    public static bool On(long level) => Env.Debug.Value >= level && Profiler.Line is not null;

    /// <summary>Prints a line, or several, where the level is on.</summary>
    public static void Print(long level, string text)
    {
        if (On(level))
            Profiler.Line!.Invoke(text);
    }

    /// <summary>After an operation. On a GPU the time is the device's; null where it was recorded into a graph and did not run.</summary>
    public static void Operation(string op, TimeSpan? elapsed, long bytes, long flops, ReadOnlySpan<Tensor?> inputs, Tensor y)
    {
        if (!On(2))
            return;
        string line = $"{y.Device,-7} {op,-24} {Figures(elapsed, bytes, flops)}{Share(y.Device, elapsed, bytes, flops)}";
        if (On(3))
        {
            string operands = string.Join(' ', inputs.ToArray().OfType<Tensor>().Select(Describe));
            string within = Ambient.Current.Differentiating is { } node ? $", backward of {node.Name}" : "", site = CallSite.Find();
            line += $"  {operands} -> {Describe(y)}{within}{(site.Length > 0 ? ", " : "")}{site}";
        }
        Print(2, line);
        if (On(4) && y.Device.IsCpu && !toldNoKernels)
        {
            toldNoKernels = true;
            Print(4, NoKernels);
        }
    }

    /// <summary>After work that is no operation, by the host's clock.</summary>
    public static void Other(string what, long start, long bytes)
    {
        if (On(2))
            Print(2, $"{"",-7} {what,-24} {Figures(Stopwatch.GetElapsedTime(start), bytes, 0)}");
    }

    private static string Figures(TimeSpan? elapsed, long bytes, long flops)
    {
        if (elapsed is not { } time)
            return "  recorded";
        double seconds = Math.Max(time.TotalSeconds, 1e-9);
        return string.Create(CultureInfo.InvariantCulture, $"{time.TotalMicroseconds,10:F1} us {bytes / seconds / 1e9,8:F1} GB/s")
            + (flops > 0 ? string.Create(CultureInfo.InvariantCulture, $" {flops / seconds / 1e9,8:F1} GFLOP/s") : "");
    }

    // C: multiply-adds set the roof; M: memory does; L: neither, the work is too small.
    private static string Share(Device device, TimeSpan? elapsed, long bytes, long flops)
    {
        if (elapsed is not { } time || Roof?.Invoke(device, flops, bytes) is not { } roof)
            return "";
        double least = Math.Max(roof.Compute, roof.Memory);
        string bound = least < Latency ? "L" : roof.Compute > roof.Memory ? "C" : "M";
        return string.Create(CultureInfo.InvariantCulture, $" {100 * least / Math.Max(time.TotalSeconds, 1e-9),5:F0}% of roof {bound}");
    }

    /// <summary>For example <c>f32[4,3] strides [1,4]</c>; strides only where they are not row-major.</summary>
    public static string Describe(Tensor t) => Describe(t.Layout, t.DType);

    /// <inheritdoc cref="Describe(Tensor)"/>
    public static string Describe(Layout layout, DType dtype) => dtype.Name() + layout.Shape + (layout.IsDense ? "" : $" strides {Shape.Format(layout.Strides)}");
}
