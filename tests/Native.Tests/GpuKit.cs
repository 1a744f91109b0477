using System.Diagnostics;

namespace Native.Tests;

/// <summary>
/// A test that needs g++ or NVRTC. Where the tool is missing the test is reported as skipped with the reason; in CI it runs and fails.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NeedsFactAttribute : FactAttribute
{
    public NeedsFactAttribute(params string[] tools)
    {
        if (Environment.GetEnvironmentVariable("CI") is null && tools.Select(GpuKit.Missing).FirstOrDefault(m => m is not null) is { } reason)
            Skip = reason;
    }
}

/// <summary>A theory under the same condition as <see cref="NeedsFactAttribute"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class NeedsTheoryAttribute : TheoryAttribute
{
    public NeedsTheoryAttribute(params string[] tools) => Skip = new NeedsFactAttribute(tools).Skip;
}

/// <summary>What tests of the CUDA back end share: which tools are here, and libraries built on the spot.</summary>
internal static class GpuKit
{
    public const string Gxx = "g++", Nvrtc = "NVRTC";

    private static readonly Lazy<string?> NvrtcMissing = new(() =>
    {
        try
        {
            CudaRuntimeCompiler.Load();
            return null;
        }
        catch (DeviceException e)
        {
            return e.Message;
        }
    });

    /// <summary>Why a tool cannot be used; null when it can.</summary>
    public static string? Missing(string tool) => tool switch
    {
        Gxx => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(f => File.Exists(Path.Combine(f, "g++"))) ? null : "g++ is not installed: run eng/setup.sh",
        Nvrtc => NvrtcMissing.Value,
        _ => throw new UsageException($"test: {tool} is not a tool."),
    };

    /// <summary>Builds Fakes/<paramref name="source"/> into a shared library of the given name, folders included.</summary>
    public static string Build(string source, string library, params string[] options)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(library)!);
        var start = new ProcessStartInfo("g++") { RedirectStandardError = true, UseShellExecute = false };
        foreach (string argument in (string[])["-std=c++17", "-O1", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", .. options, "-o", library,
            Path.Combine(AppContext.BaseDirectory, "Fakes", source)])
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
        return library;
    }

    /// <summary>A machine on which nothing is installed but what the folder holds.</summary>
    public static LibraryPlaces Bare(string root) => new() { CudaPath = "", Variable = _ => null, Home = "", Root = root, SystemLoader = false, Windows = false };
}
