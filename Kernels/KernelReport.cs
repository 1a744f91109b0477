using System.Globalization;
using System.Text.RegularExpressions;

namespace Native;

/// <summary>What a kernel takes of a multiprocessor, as the assembler reports.</summary>
/// <param name="Kernel">Name with the type's suffix.</param>
/// <param name="Registers">Per thread.</param>
/// <param name="SharedBytes">Static shared memory per block.</param>
/// <param name="LocalBytes">Per thread, in memory: arrays and what did not fit into registers.</param>
/// <param name="SpillStores">Bytes that a thread writes to memory for want of registers.</param>
/// <param name="SpillLoads">Bytes that it reads back.</param>
internal sealed record KernelUse(string Kernel, int Registers, int SharedBytes, int LocalBytes, int SpillStores, int SpillLoads);

/// <summary>The compiler's log with <see cref="Option"/>, taken apart: its kernels, and whatever else it says.</summary>
internal sealed partial record KernelReport(IReadOnlyList<KernelUse> Kernels, string Warnings)
{
    /// <summary>Makes the assembler report; the image stays the same.</summary>
    public const string Option = "--ptxas-options=-v";

    /// <summary>A kernel's use; <see cref="KernelException"/> when the report has none of that name.</summary>
    public KernelUse this[string kernel] => Kernels.FirstOrDefault(k => k.Kernel == kernel)
        ?? throw new KernelException($"{kernel}: the compiler reports no registers for it. It reports {string.Join(", ", Kernels.Select(k => k.Kernel))}.");

    /// <summary>Reads a log.</summary>
    public static KernelReport Parse(string log)
    {
        var kernels = new List<KernelUse>();
        var warnings = new List<string>();
        string entry = "", function = "";
        int[] frame = [0, 0, 0];
        foreach (string line in log.Split('\n'))
        {
            if (Entry().Match(line) is { Success: true } starts)
                (entry, function, frame) = (starts.Groups["name"].Value, "", [0, 0, 0]);
            else if (Properties().Match(line) is { Success: true } of)
                function = of.Groups["name"].Value;
            else if (Frame().Match(line) is { Success: true } sizes)
                frame = function == entry ? [Number(sizes, "stack"), Number(sizes, "stores"), Number(sizes, "loads")] : frame;
            else if (Used().Match(line) is { Success: true } used)
                kernels.Add(new(entry, Number(used, "registers"), Shared().Match(line) is { Success: true } shared ? Number(shared, "bytes") : 0, frame[0], frame[1], frame[2]));
            else if (line.Length > 0 && !line.StartsWith("ptxas info", StringComparison.Ordinal))
                warnings.Add(line);
        }
        return new(kernels, string.Join('\n', warnings));
    }

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex("^ptxas info.*Compiling entry function '(?<name>.+)' for", RegexOptions.ExplicitCapture)]
    private static partial Regex Entry();

    [GeneratedRegex("^ptxas info.*Function properties for (?<name>.+)$", RegexOptions.ExplicitCapture)]
    private static partial Regex Properties();

    [GeneratedRegex(@"(?<stack>\d+) bytes stack frame, (?<stores>\d+) bytes spill stores, (?<loads>\d+) bytes spill loads", RegexOptions.ExplicitCapture)]
    private static partial Regex Frame();

    [GeneratedRegex(@"^ptxas info.*Used (?<registers>\d+) registers", RegexOptions.ExplicitCapture)]
    private static partial Regex Used();

    [GeneratedRegex(@"(?<bytes>\d+) bytes smem", RegexOptions.ExplicitCapture)]
    private static partial Regex Shared();
}
