namespace Native;

/// <summary>
/// One of NVIDIA's libraries as files are named: what the system loader is asked for, and what a folder is searched for. A file's name says which
/// one to try first and nothing more; the version that counts is the one a library gives when it is asked.
/// </summary>
internal sealed class CudaLibrary
{
    private readonly (string[] Names, string Prefix, string Suffix) _unix, _windows;

    private CudaLibrary(string name, string fix, (string[], string, string) unix, (string[], string, string) windows, string companion = "", params string[] needs)
    {
        (Name, Fix, _unix, _windows, Companion, Needs) = (name, fix, unix, windows, companion, needs);
    }

    /// <summary>libcuda, which comes with the GPU's driver.</summary>
    public static CudaLibrary Driver { get; } = new("libcuda", "Install an NVIDIA driver, or name the library's folder in NATIVE_CUDA_PATH.",
        (["libcuda.so.1", "libcuda.so"], "libcuda.so", ""), (["nvcuda.dll"], "nvcuda", ".dll"), needs: ["cuInit", "cuDriverGetVersion"]);

    /// <summary>NVRTC, the compiler of kernels. 11.1 was the first to make CUBINs, 11.2 the first to tell its architectures.</summary>
    public static CudaLibrary Nvrtc { get; } = new("libnvrtc",
        "Install NVRTC 11.2 or newer (eng/setup.sh, or pip install nvidia-cuda-nvrtc-cu12), or name its folder in NATIVE_CUDA_PATH.",
        (["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so"], "libnvrtc.so", ""),
        (["nvrtc64_130_0.dll", "nvrtc64_120_0.dll", "nvrtc64_112_0.dll"], "nvrtc64_", "_0.dll"),
        "libnvrtc-builtins.so", "nvrtcVersion", "nvrtcGetCUBIN", "nvrtcGetSupportedArchs");

    /// <summary>cuBLAS. 11.2 was the first whose workspace can be set, which graph capture needs.</summary>
    public static CudaLibrary Blas { get; } = new("libcublas",
        "Install cuBLAS 11.2 or newer (CUDA toolkit, or pip install nvidia-cublas-cu12), or name its folder in NATIVE_CUDA_PATH.",
        (["libcublas.so.13", "libcublas.so.12", "libcublas.so.11", "libcublas.so"], "libcublas.so", ""),
        (["cublas64_13.dll", "cublas64_12.dll", "cublas64_11.dll"], "cublas64_", ".dll"),
        "libcublasLt.so", "cublasCreate_v2", "cublasGetProperty", "cublasSetWorkspace_v2");

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    /// <summary>What to do when it is missing.</summary>
    public string Fix { get; }

    /// <summary>Beginning of the name of the library that it opens by itself and finds only where the system loader looks; "" for none.</summary>
    public string Companion { get; }

    /// <summary>Entry points without which a file is not the library, or too old a one.</summary>
    public IReadOnlyList<string> Needs { get; }

    /// <summary>Names for the system loader, newest first.</summary>
    public IReadOnlyList<string> Names(bool windows) => (windows ? _windows : _unix).Names;

    /// <summary>What a folder is searched for, for messages.</summary>
    public string Pattern(bool windows) => windows ? $"{_windows.Prefix}*{_windows.Suffix}" : $"{_unix.Prefix}*";

    /// <summary>The library's files in a folder, newest name first; two names of one file count once.</summary>
    public IEnumerable<string> Files(string folder, bool windows)
    {
        var (_, prefix, suffix) = windows ? _windows : _unix;
        return Files(folder, prefix, suffix);
    }

    /// <summary>The companions in the folder of a library file: those of its major version, which a name without one leaves open.</summary>
    public IEnumerable<string> Companions(string file)
    {
        if (Companion.Length == 0 || Path.GetDirectoryName(file) is not { Length: > 0 } folder)
            return [];
        int[] version = Version(Path.GetFileName(file), _unix.Prefix, "") ?? [];
        return Files(folder, Companion, "").Where(f => version.Length == 0 || Version(Path.GetFileName(f), Companion, "") is not { Length: > 0 } v || v[0] == version[0]);
    }

    /// <summary>Newest first: 12.4 before 9.0, and a name without a version last.</summary>
    public static int Newer(int[] a, int[] b) => -a.AsSpan().SequenceCompareTo(b);

    /// <summary>The numbers between prefix and suffix of a file name; null when there is anything else.</summary>
    public static int[]? Version(string name, string prefix, string suffix)
    {
        if (name.Length < prefix.Length + suffix.Length || !name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase) || !name.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            return null;
        var numbers = new List<int>();
        foreach (string part in name[prefix.Length..^suffix.Length].Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!int.TryParse(part, out int n))
                return null;
            numbers.Add(n);
        }
        return [.. numbers];
    }

    private static IEnumerable<string> Files(string folder, string prefix, string suffix) =>
        Directory.EnumerateFiles(folder, prefix + "*")
            .Select(f => (File: f, Version: Version(Path.GetFileName(f), prefix, suffix))).Where(f => f.Version is not null)
            .OrderBy(f => f.Version!, Comparer<int[]>.Create(Newer))
            .DistinctBy(f => File.ResolveLinkTarget(f.File, returnFinalTarget: true)?.FullName ?? f.File).Select(f => f.File);
}
