using System.Diagnostics;
using System.Globalization;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace Native;

/// <summary>
/// Compiles the text of kernels with g++, under the shim that gives CUDA's words their meaning on the host. The image is a shared library; it is kept in
/// <see cref="KernelCache"/>, as CUBINs are.
/// </summary>
internal sealed class HostCompiler(KernelCache cache) : IKernelCompiler
{
    // -ffp-contract=off, as NVRTC's --fmad=false: a product and a sum stay two operations, on every device. -fwrapv: indices wrap as on a GPU.
    // -fdata-sections and GNU's own linker: the script that gathers shared memory goes by names of sections, and is in its language.
    private static readonly string[] Fixed =
    [
        "-x", "c++", "-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-fwrapv", "-fdata-sections", "-Wall", "-Wextra", "-Werror",
        "-Wno-unknown-pragmas", "-Wno-unused-function", "-Wno-unused-parameter", "-fsanitize=alignment", "-fuse-ld=bfd",
    ];

    // Without those that g++ adds for -fsanitize: the shim has what is called.
    private static readonly string[] Libraries = ["-nodefaultlibs", "-lstdc++", "-lm", "-lgcc_s", "-lgcc", "-lc"];

    // fma as one instruction where the processor has it; in software the bits are the same and the time is not.
    private static readonly string[] Options = Fma.IsSupported ? [.. Fixed, "-march=x86-64-v3"] : Fixed;

    private static readonly Lazy<int> Version = new(() => Parse(Run(["-dumpfullversion", "-dumpversion"], "", "g++")));

    /// <summary>The process's, with the cache that the switches name.</summary>
    public static HostCompiler Shared { get; } = new(KernelCache.Default);

    public byte[] Compile(string source, string name, string arch)
    {
        string script = KernelFamily.Resource("shared_memory.ld"), text = $"#line 1 \"cuda_host_shim.h\"\n{KernelFamily.Resource("cuda_host_shim.h")}\n{source}";
        var key = KernelKey.Of(name, text, [.. Options, script], "host", Version.Value) with { Kind = "so" };
        return cache.GetOrAdd(key, () => Build(text, script, name));
    }

    // In a folder of its own, so that nobody reads a library before it is whole.
    private static byte[] Build(string text, string script, string name)
    {
        string folder = Directory.CreateTempSubdirectory("native-emulator-").FullName;
        try
        {
            string linking = Path.Combine(folder, "shared_memory.ld"), library = Path.Combine(folder, "library.so");
            File.WriteAllText(linking, script);
            Run([.. Options, "-", "-o", library, $"-Wl,-T,{linking}", .. Libraries], text, name);
            return File.ReadAllBytes(library);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // What g++ prints, given the text on its standard input.
    private static string Run(string[] arguments, string input, string name)
    {
        var start = new ProcessStartInfo("g++") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        try
        {
            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync();
            var log = process.StandardError.ReadToEndAsync();
            try
            {
                process.StandardInput.Write(input);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It gave up before it had read everything; its log says why.
            }
            process.WaitForExit();
            return process.ExitCode == 0 ? output.Result : throw new KernelException($"{name}: the kernels do not compile with g++ for emu:0:\n{log.Result}");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new DeviceException($"emu:0 cannot run kernels: it compiles them with g++, which did not start ({e.Message}). Install g++.");
        }
    }

    // 12.2.0 is 120200.
    private static int Parse(string version)
    {
        int number = 0;
        string[] parts = version.Trim().Split('.');
        for (int i = 0; i < 3; i++)
            number = (100 * number) + (i < parts.Length && int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out int part) ? part : 0);
        return number;
    }
}
