using System.Runtime.InteropServices;

namespace Native;

/// <summary>
/// Where NVIDIA's libraries may lie, in the order of trying: what the user named, the toolkit the environment names, the system loader, the usual
/// folders, the wheels that pip installs. A property each, so that a test can describe a machine that it builds in a temporary folder.
/// </summary>
internal sealed record LibraryPlaces
{
    private static readonly string[] UnixBelow = ["", "lib64", "lib", $"targets/{Processor}/lib"], WindowsBelow = ["", "bin", "bin/x64", "bin/x86_64"];

    /// <summary>Folders named by NATIVE_CUDA_PATH.</summary>
    public string CudaPath { get; init; } = Env.CudaPath.Value;

    /// <summary>Any other variable.</summary>
    public Func<string, string?> Variable { get; init; } = Environment.GetEnvironmentVariable;

    /// <summary>The user's folder; "" when there is none.</summary>
    public string Home { get; init; } = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);

    /// <summary>Where the file system begins.</summary>
    public string Root { get; init; } = "/";

    /// <summary>Whether names are Windows's.</summary>
    public bool Windows { get; init; } = OperatingSystem.IsWindows();

    /// <summary>Whether the system loader is asked.</summary>
    public bool SystemLoader { get; init; } = true;

    private static string Processor => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "sbsa-linux" : "x86_64-linux";

    /// <summary>What the user and the environment name, each with the folders it stands for.</summary>
    public IEnumerable<(string Origin, IReadOnlyList<string> Folders)> Named()
    {
        yield return Group("NATIVE_CUDA_PATH", CudaPath.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries));
        yield return Group("CUDA_PATH, CUDA_HOME", [.. Variables("CUDA_PATH", "CUDA_HOME").Distinct()]);

        (string, IReadOnlyList<string>) Group(string variable, string[] folders) =>
            (folders.Length == 0 ? $"{variable} (unset)" : $"{variable} = {string.Join(Path.PathSeparator, folders)}", [.. folders.SelectMany(Below)]);
    }

    /// <summary>What is looked through after the system loader.</summary>
    public IEnumerable<(string Origin, IReadOnlyList<string> Folders)> Usual()
    {
        if (!Windows)
        {
            string local = Path.Combine(Root, "usr/local");
            var toolkits = Subfolders(local, "cuda*").OrderBy(f => CudaLibrary.Version(Path.GetFileName(f), "cuda-", "") is { } v ? v : [int.MaxValue],
                Comparer<int[]>.Create(CudaLibrary.Newer));
            // Containers mount the driver at the first of the two, the Linux inside Windows has it at the second.
            yield return ("/usr/local/cuda*", [.. toolkits.Append(Path.Combine(local, "nvidia")).Append(Path.Combine(Root, "usr/lib/wsl")).SelectMany(Below)]);
        }
        yield return ("pip's nvidia wheels", [.. Wheels()]);
    }

    private IEnumerable<string> Below(string folder) => (Windows ? WindowsBelow : UnixBelow).Select(s => Path.Combine(folder, s)).Where(Directory.Exists);

    // Wheels of CUDA 11 and 12 have a folder per library, those of 13 one for all: both are a folder below "nvidia".
    private IEnumerable<string> Wheels() =>
        Prefixes().Distinct().SelectMany(Packages).Concat(Paths("PYTHONPATH")).Distinct()
            .SelectMany(f => Subfolders(Path.Combine(f, "nvidia"), "*")).SelectMany(f => (Windows ? WindowsBelow : ["lib"]).Select(s => Path.Combine(f, s)))
            .Where(Directory.Exists);

    // A Python's prefix is the folder above the one that holds its program.
    private IEnumerable<string> Prefixes()
    {
        foreach (string prefix in Variables("VIRTUAL_ENV", "CONDA_PREFIX"))
            yield return prefix;
        foreach (string folder in Paths("PATH"))
        {
            string program = Path.Combine(folder, Windows ? "python.exe" : "python3");
            if (!File.Exists(program))
                continue;
            string real = File.ResolveLinkTarget(program, returnFinalTarget: true)?.FullName ?? program;
            foreach (string place in (string[])[program, real])
                if (Path.GetDirectoryName(Path.GetFullPath(place)) is { } bin && (Windows ? bin : Path.GetDirectoryName(bin)) is { } prefix)
                    yield return prefix;
        }
        if (Home.Length > 0)
            yield return Path.Combine(Home, ".local");
        yield return Path.Combine(Root, "usr/local");
        yield return Path.Combine(Root, "usr");
    }

    private IEnumerable<string> Packages(string prefix) => Windows ? [Path.Combine(prefix, "Lib", "site-packages")]
        : ((string[])["lib", "lib64"]).SelectMany(lib => Subfolders(Path.Combine(prefix, lib), "python3*"))
            .SelectMany(python => (string[])[Path.Combine(python, "site-packages"), Path.Combine(python, "dist-packages")]);

    private IEnumerable<string> Variables(params string[] names) => names.Select(Variable).OfType<string>().Where(v => v.Length > 0);

    private string[] Paths(string name) => (Variable(name) ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);

    private static IEnumerable<string> Subfolders(string folder, string pattern)
    {
        try
        {
            return Directory.Exists(folder) ? [.. Directory.EnumerateDirectories(folder, pattern).Order(StringComparer.Ordinal)] : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
