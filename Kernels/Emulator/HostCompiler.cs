using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using System.Text;

namespace Native;

/// <summary>
/// Compiles the text of kernels with a host compiler, under the shim that gives CUDA's words their meaning on the host. The image is the path of a
/// shared library. Libraries are kept by content, so that a second process does not compile again.
/// </summary>
internal sealed class HostCompiler : IKernelCompiler
{
    // -ffp-contract=off, as NVRTC's --fmad=false: a product and a sum stay two operations, on every device.
    private static readonly string[] Options =
        ["-std=c++17", "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-function", "-Wno-unused-parameter"];

    public static HostCompiler Shared { get; } = new();

    public byte[] Compile(string source, string name, string arch)
    {
        string text = $"#line 1 \"cuda_host_shim.h\"\n{KernelFamily.Resource("cuda_host_shim.h")}\n{source}";
        // fma as one instruction where the processor has it; in software the bits are the same and the time is not.
        string[] options = Fma.IsSupported ? [.. Options, "-march=x86-64-v3"] : Options;
        string key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join(' ', options) + '\0' + text)));
        string folder = Path.Combine(Path.GetTempPath(), $"native-emulator-{Environment.UserName}");
        string library = Path.Combine(folder, $"{name}-{key[..32]}.so");
        if (!File.Exists(library))
        {
            Directory.CreateDirectory(folder);
            Build(text, name, options, library);
        }
        return Encoding.UTF8.GetBytes(library);
    }

    private static void Build(string text, string name, string[] options, string library)
    {
        string temporary = $"{library}.{Environment.ProcessId}.{Environment.CurrentManagedThreadId}";
        try
        {
            File.WriteAllText($"{temporary}.cpp", text);
            var start = new ProcessStartInfo("g++") { RedirectStandardError = true, UseShellExecute = false };
            foreach (string option in options)
                start.ArgumentList.Add(option);
            foreach (string word in new[] { $"{temporary}.cpp", "-o", temporary })
                start.ArgumentList.Add(word);
            using var process = Process.Start(start)!;
            string log = process.StandardError.ReadToEnd();
            process.WaitForExit();
            if (process.ExitCode != 0)
                throw new KernelException($"{name}: the kernels do not compile with g++ for emu:0:\n{log}");
            // Two processes may compile the same text: whichever renames last wins, with the same bytes.
            File.Move(temporary, library, overwrite: true);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new DeviceException($"emu:0 cannot run kernels: it compiles them with g++, which did not start ({e.Message}). Install g++.");
        }
        finally
        {
            File.Delete($"{temporary}.cpp");
            File.Delete(temporary);
        }
    }
}
