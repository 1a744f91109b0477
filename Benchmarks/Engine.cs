using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace Native.Benchmarks;

/// <summary>The engine's own version.</summary>
internal static class Engine
{
    private const int Digits = 12;

    /// <summary>As released.</summary>
    public static string Version { get; } = typeof(Tensor).Assembly.GetName().Version is { } v ? $"{v.Major}.{v.Minor}.{v.Build}" : "unknown";

    /// <summary>The commit that was built, as the compiler noted it.</summary>
    public static string Commit { get; } =
        typeof(Tensor).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+') is [_, var commit, ..] ? commit : "unknown";

    /// <summary>
    /// The version that cells carry: as released, and a hash of every source that decides the bits of a run (Tensor, Kernels with their CUDA texts, Autograd and Methods).
    /// The same on every machine for the same sources; another one as soon as any of them changes, be it in a comment.
    /// </summary>
    public static string Id { get; } = $"{Version}+{Fingerprint(Sources())}";

    /// <summary>Path and SHA-256 of each of those sources, in the order in which the build found them.</summary>
    public static IReadOnlyList<string> Sources()
    {
        using var reader = new StreamReader(typeof(Engine).Assembly.GetManifestResourceStream("numeric-sources.txt")!);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
    }

    /// <summary>One hash of all lines, whatever their order, their slashes and the case of their digits.</summary>
    public static string Fingerprint(IEnumerable<string> lines)
    {
        var sorted = lines.Select(l => l.Split(' ') is [var path, var hash] ? $"{path.Replace('\\', '/')} {hash.ToLowerInvariant()}" : throw new FormatException(l)).Order(StringComparer.Ordinal);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', sorted))))[..Digits];
    }
}
