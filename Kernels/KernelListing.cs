using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Native;

/// <summary>
/// A kernel as people read it, printed at its first launch on a device: its text (level 4 of NATIVE_DEBUG), its PTX (5), its SASS and what it takes of a
/// multiprocessor (6). PTX and SASS are NVRTC's for the device's architecture, on emu:0 too, where they are what a GPU would have run.
/// </summary>
internal static class KernelListing
{
    private static readonly string[] Disassemblers = ["cuobjdump", "nvdisasm"];

    public static void Print(CudaDevice device, CudaKernel kernel, DType dtype, nint function)
    {
        string symbol = $"{kernel.Name}_{dtype.Name()}";
        DebugLines.Print(4, $"  text of {symbol}; native kernels source {kernel.Family.Name} --dtype {dtype.Name()} prints the whole program:\n{Indent(kernel.Family.Text(kernel.Name, dtype))}");
        if (DebugLines.On(5))
            DebugLines.Print(5, $"  PTX of {symbol}: {Try(() => Indent(Ptx(device, kernel.Family, dtype, symbol), "\n"))}");
        if (!DebugLines.On(6))
            return;
        DebugLines.Print(6, $"  SASS of {symbol}: {Try(() => Indent(Sass(device, kernel.Family, dtype, symbol), "\n"))}");
        DebugLines.Print(6, $"  use of {symbol}: {Use(device, function)}");
    }

    // A listing is no reason to stop a program.
    private static string Try(Func<string> listing)
    {
        try
        {
            return listing();
        }
        catch (Exception e) when (e is TensorException or IOException or Win32Exception or UnauthorizedAccessException)
        {
            return $"none; {e.Message.Split('\n')[0]}";
        }
    }

    private static byte[] Compile(CudaDevice device, KernelFamily family, DType dtype, bool ptx)
    {
        var compiler = CudaRuntimeCompiler.Load();
        string target = compiler.Target(10 * device.Facts.Major + device.Facts.Minor);
        if (ptx)
            target = target.Replace("sm_", "compute_", StringComparison.Ordinal);
        return KernelCache.Default.Image(compiler, $"{family.Name}_{dtype.Name()}", family.Source(dtype), target);
    }

    // From the line of the entry to the brace that closes it.
    private static string Ptx(CudaDevice device, KernelFamily family, DType dtype, string symbol)
    {
        string all = Encoding.UTF8.GetString(Compile(device, family, dtype, ptx: true)).TrimEnd('\0');
        return Between(all, $".visible .entry {symbol}(", "\n}");
    }

    private static string Sass(CudaDevice device, KernelFamily family, DType dtype, string symbol)
    {
        string? tool = Disassemblers.Select(Find).FirstOrDefault(t => t is not null);
        if (tool is null)
            return "none; neither cuobjdump nor nvdisasm is in NATIVE_CUDA_PATH, PATH, CUDA_PATH or /usr/local/cuda/bin. They come with the CUDA toolkit.";
        string file = Path.Combine(Path.GetTempPath(), $"native-{Guid.NewGuid():N}.cubin");
        try
        {
            File.WriteAllBytes(file, Compile(device, family, dtype, ptx: false));
            return Path.GetFileNameWithoutExtension(tool) == "cuobjdump" ? Run(tool, "-sass", "-fun", symbol, file)
                : Between(Run(tool, "-c", file), $".section\t.text.{symbol}", "\n\t.section");
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static string Use(CudaDevice device, nint function)
    {
        if (device.Device.Kind == DeviceKind.Emu)
            return "none of a multiprocessor's; native kernels list has what NVRTC's assembler reports.";
        return $"{Ask(CudaFunctionAttribute.Registers)} registers, {Ask(CudaFunctionAttribute.SharedBytes)} bytes of shared memory, {Ask(CudaFunctionAttribute.LocalBytes)} bytes of local memory "
            + $"per thread, at most {Ask(CudaFunctionAttribute.MaxThreadsPerBlock)} threads per block";

        int Ask(CudaFunctionAttribute attribute)
        {
            device.Check(device.Driver.FuncGetAttribute(out int value, attribute, function), "asking what a kernel uses");
            return value;
        }
    }

    private static string? Find(string tool)
    {
        string name = OperatingSystem.IsWindows() ? tool + ".exe" : tool;
        string[] variables = [Env.CudaPath.Value, Environment.GetEnvironmentVariable("PATH") ?? "", Environment.GetEnvironmentVariable("CUDA_PATH") ?? "", "/usr/local/cuda"];
        return variables.SelectMany(v => v.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            .SelectMany(f => (string[])[Path.Combine(f, name), Path.Combine(f, "bin", name)]).FirstOrDefault(File.Exists);
    }

    private static string Run(string tool, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(tool, arguments) { RedirectStandardOutput = true, UseShellExecute = false })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : $"{tool} failed with exit code {process.ExitCode}";
    }

    private static string Between(string all, string first, string end)
    {
        int from = all.IndexOf(first, StringComparison.Ordinal);
        if (from < 0)
            return $"none; the listing has no '{first.Trim()}'";
        int to = all.IndexOf(end, from + first.Length, StringComparison.Ordinal);
        return all[from..(to < 0 ? all.Length : to + (end == "\n}" ? end.Length : 0))];
    }

    private static string Indent(string text, string before = "") => before + "    " + text.Trim().Replace("\n", "\n    ", StringComparison.Ordinal);
}
