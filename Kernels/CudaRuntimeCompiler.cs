using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;

namespace Native;

/// <summary>
/// NVRTC: CUDA text in, a CUBIN for one architecture out. Needs no GPU, no driver and no CUDA headers. Safe for use from several threads.
/// </summary>
internal sealed unsafe partial class CudaRuntimeCompiler
{
    private const int Excerpts = 3, Around = 2;

    // --fmad=false: a product and a sum round apart, as they do on the CPU; common.cuh writes fma where one is wanted.
    private static readonly string[] Fixed = ["--std=c++17", "--fmad=false"];

    // Architectures of embedded boards: what is made for them runs nowhere else.
    private static readonly int[] Embedded = [53, 62, 72, 87, 88, 101, 110];

    private static readonly Lazy<CudaRuntimeCompiler> Shared = new(() =>
    {
        var compiler = Open(new(), Driver.TryVersion());
        DebugLines.Print(1, $"NVRTC {Driver.VersionText(compiler.Version)}, {compiler.Source}");
        return compiler;
    });

    private readonly delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int> _create;
    private readonly delegate* unmanaged<nint*, int> _destroy;
    private readonly delegate* unmanaged<nint, int, byte**, int> _compile;
    private readonly delegate* unmanaged<nint, nuint*, int> _logSize, _cubinSize, _ptxSize;
    private readonly delegate* unmanaged<nint, byte*, int> _log, _cubin, _ptx;
    private readonly delegate* unmanaged<nint, byte*, int> _addName;
    private readonly delegate* unmanaged<nint, byte*, byte**, int> _loweredName;
    private readonly delegate* unmanaged<int, byte*> _error;

    private CudaRuntimeCompiler(LibrarySearch library)
    {
        Source = library.Path;
        _create = (delegate* unmanaged<nint*, byte*, byte*, int, byte**, byte**, int>)library.Entry("nvrtcCreateProgram");
        _destroy = (delegate* unmanaged<nint*, int>)library.Entry("nvrtcDestroyProgram");
        _compile = (delegate* unmanaged<nint, int, byte**, int>)library.Entry("nvrtcCompileProgram");
        _logSize = (delegate* unmanaged<nint, nuint*, int>)library.Entry("nvrtcGetProgramLogSize");
        _log = (delegate* unmanaged<nint, byte*, int>)library.Entry("nvrtcGetProgramLog");
        _cubinSize = (delegate* unmanaged<nint, nuint*, int>)library.Entry("nvrtcGetCUBINSize");
        _cubin = (delegate* unmanaged<nint, byte*, int>)library.Entry("nvrtcGetCUBIN");
        _ptxSize = (delegate* unmanaged<nint, nuint*, int>)library.Entry("nvrtcGetPTXSize");
        _ptx = (delegate* unmanaged<nint, byte*, int>)library.Entry("nvrtcGetPTX");
        _addName = (delegate* unmanaged<nint, byte*, int>)library.Entry("nvrtcAddNameExpression");
        _loweredName = (delegate* unmanaged<nint, byte*, byte**, int>)library.Entry("nvrtcGetLoweredName");
        _error = (delegate* unmanaged<int, byte*>)library.Entry("nvrtcGetErrorString");
        Version = AskVersion(library.Entry("nvrtcVersion"));

        int count = 0;
        Check(((delegate* unmanaged<int*, int>)library.Entry("nvrtcGetNumSupportedArchs"))(&count), "nvrtcGetNumSupportedArchs");
        var archs = new int[count];
        fixed (int* p = archs)
            Check(((delegate* unmanaged<int*, int>)library.Entry("nvrtcGetSupportedArchs"))(p), "nvrtcGetSupportedArchs");
        Array.Sort(archs);
        Archs = archs;
    }

    /// <summary>The file, or the bare name when the system loader found it.</summary>
    public string Source { get; }

    /// <summary>The version that the library gives, in CUDA's numbers: 11080 is 11.8.</summary>
    public int Version { get; }

    /// <summary>Architectures it makes CUBINs for, ascending: 80 is sm_80.</summary>
    public IReadOnlyList<int> Archs { get; }

    /// <summary>The process's compiler; <see cref="DeviceException"/> with the list of what was tried when there is none.</summary>
    public static CudaRuntimeCompiler Load() => Shared.Value;

    /// <summary>
    /// The first NVRTC found whose major version is not above the driver's (null: no driver, any version): a driver does not load
    /// what a later toolkit made. <see cref="DeviceException"/> when there is none.
    /// </summary>
    public static CudaRuntimeCompiler Open(LibraryPlaces places, int? driverVersion) => new(LibraryLoader.Find(CudaLibrary.Nvrtc, places, handle =>
    {
        int version = AskVersion(NativeLibrary.GetExport(handle, "nvrtcVersion"));
        return driverVersion is { } driver && version / 1000 > driver / 1000
            ? $"it is NVRTC {Driver.VersionText(version)}, newer than the driver's CUDA {Driver.VersionText(driver)}" : null;
    }).Require());

    /// <summary>The options of a compilation: part of a cached kernel's key.</summary>
    public IReadOnlyList<string> Options(string target)
    {
        // NVRTC 11.8 recurses without end on line information of inlined functions for sm_90 and takes the process with it (seen).
        bool lines = Version >= 12000 || !target.EndsWith("_90", StringComparison.Ordinal);
        return [.. Fixed, .. lines ? ["-lineinfo"] : Array.Empty<string>(), "--gpu-architecture=" + target];
    }

    /// <summary>
    /// What to compile for a device of an architecture: itself when it is known; else the nearest older one of its generation, whose CUBINs it
    /// runs; else PTX of the newest older one (compute_NN), which the driver translates.
    /// </summary>
    /// <exception cref="DeviceException">The device is older than anything this NVRTC compiles for.</exception>
    public string Target(int deviceArch)
    {
        int nearest = Archs.LastOrDefault(a => a == deviceArch || a < deviceArch && !Embedded.Contains(a));
        if (nearest == 0)
            throw new DeviceException($"cuda: NVRTC {Driver.VersionText(Version)} does not compile for sm_{deviceArch}; it begins at sm_{Archs[0]}. Install an older NVRTC.");
        return nearest / 10 == deviceArch / 10 ? $"sm_{nearest}" : $"compute_{nearest}";
    }

    /// <summary>
    /// Compiles a program; the log holds its warnings, "" when there are none. A target sm_NN gives a CUBIN, compute_NN gives PTX ending in a zero byte;
    /// the driver loads either. <see cref="KernelException"/> with the log and the lines it names when the text is wrong. Asked for a report, the log
    /// is one for <see cref="KernelReport"/>.
    /// </summary>
    public byte[] Compile(string name, string source, string target, out string log, bool report = false) =>
        Compile(name, source, report ? [.. Options(target), KernelReport.Option] : Options(target), target, out log, null, null);

    private byte[] Compile(string name, string source, IReadOnlyList<string> options, string target, out string log, Action<nint>? before, Action<nint>? after)
    {
        nint program = 0;
        fixed (byte* text = Bytes(source), file = Bytes(name + ".cu"))
            Check(_create(&program, text, file, 0, null, null), "nvrtcCreateProgram");
        try
        {
            before?.Invoke(program);
            int result = Run(program, options);
            log = Encoding.UTF8.GetString(Read(program, _logSize, _log, "nvrtcGetProgramLog")).TrimEnd('\0', '\n');
            if (result != 0)
                throw new KernelException($"kernel {name} failed to compile for {target} (NVRTC {Driver.VersionText(Version)}): {Error(result)}\n{log}{Excerpt(name, source, log)}");
            after?.Invoke(program);
            return target.StartsWith("sm_", StringComparison.Ordinal) ? Read(program, _cubinSize, _cubin, "nvrtcGetCUBIN") : Read(program, _ptxSize, _ptx, "nvrtcGetPTX");
        }
        finally
        {
            _ = _destroy(&program);
        }
    }

    /// <summary>
    /// What the compiler calls the kernels that C++ expressions such as <c>scale&lt;float&gt;</c> name, instances of templates among them, which are compiled
    /// because they are named. Our own kernels are <c>extern "C"</c> and need no such names; a program of a user's may.
    /// </summary>
    /// <exception cref="KernelException">The text is wrong, or has no such kernel.</exception>
    public byte[] Compile(string name, string source, string target, IReadOnlyList<string> expressions, out string[] lowered)
    {
        string[] names = new string[expressions.Count];
        byte[] image = Compile(name, source, Options(target), target, out _,
            program =>
            {
                foreach (string expression in expressions)
                    fixed (byte* text = Bytes(expression))
                        Check(_addName(program, text), "nvrtcAddNameExpression");
            },
            program =>
            {
                for (int i = 0; i < names.Length; i++)
                    fixed (byte* text = Bytes(expressions[i]))
                    {
                        byte* found;
                        Check(_loweredName(program, text, &found), $"nvrtcGetLoweredName of {expressions[i]}");
                        names[i] = Marshal.PtrToStringUTF8((nint)found)!;
                    }
            });
        lowered = names;
        return image;
    }

    private int Run(nint program, IReadOnlyList<string> options)
    {
        byte** texts = stackalloc byte*[options.Count];
        try
        {
            for (int i = 0; i < options.Count; i++)
                texts[i] = (byte*)Marshal.StringToCoTaskMemUTF8(options[i]);
            return _compile(program, options.Count, texts);
        }
        finally
        {
            for (int i = 0; i < options.Count; i++)
                Marshal.FreeCoTaskMem((nint)texts[i]);
        }
    }

    private byte[] Read(nint program, delegate* unmanaged<nint, nuint*, int> size, delegate* unmanaged<nint, byte*, int> read, string what)
    {
        nuint count = 0;
        Check(size(program, &count), what);
        var bytes = new byte[count];
        fixed (byte* p = bytes)
            if (count > 0)
                Check(read(program, p), what);
        return bytes;
    }

    // The lines around the first errors, numbered, the guilty one marked: a reader has the assembled text nowhere else.
    private static string Excerpt(string name, string source, string log)
    {
        var lines = source.Split('\n');
        var text = new StringBuilder();
        var guilty = ErrorLine().Matches(log).Where(m => m.Groups["file"].Value == name + ".cu").Select(m => int.Parse(m.Groups["line"].Value)).Distinct();
        foreach (int line in guilty.Where(l => l >= 1 && l <= lines.Length).Take(Excerpts))
        {
            text.Append($"\n{name}.cu, line {line}:");
            for (int i = Math.Max(1, line - Around); i <= Math.Min(lines.Length, line + Around); i++)
                text.Append($"\n{(i == line ? '>' : ' ')}{i,5} | {lines[i - 1].TrimEnd()}");
        }
        return text.ToString();
    }

    private void Check(int result, string what)
    {
        if (result != 0)
            throw new KernelException($"{what}: {Error(result)} ({result}); NVRTC {Driver.VersionText(Version)}, {Source}. Run native doctor.");
    }

    private string Error(int result) => Marshal.PtrToStringUTF8((nint)_error(result)) ?? "";

    private static int AskVersion(nint entry)
    {
        int major = 0, minor = 0;
        _ = ((delegate* unmanaged<int*, int*, int>)entry)(&major, &minor);
        return major * 1000 + minor * 10;
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text + '\0');

    [GeneratedRegex(@"^(?<file>.+?)\((?<line>\d+)\): (catastrophic )?error", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex ErrorLine();
}
