using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Native;

/// <summary>What a compiled kernel depends on: program name and target for people, a hash over everything for the cache.</summary>
/// <param name="Name">The program.</param>
/// <param name="Target">The architecture.</param>
/// <param name="Hash">Over all that the content depends on.</param>
/// <param name="Kind">What the content is: a <c>cubin</c>, a library for the host (<c>so</c>), or a compiler's report (<c>log</c>).</param>
internal readonly record struct KernelKey(string Name, string Target, string Hash, string Kind = "cubin")
{
    /// <summary>The key of a program: text, options, target, compiler's version and Native's.</summary>
    public static KernelKey Of(string name, string source, IEnumerable<string> options, string target, int compilerVersion)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string part in (string[])[$"{typeof(KernelKey).Assembly.GetName().Version}", $"{compilerVersion}", target, .. options, name, source])
        {
            // Each part behind its length: parts that meet elsewhere do not make the same key.
            byte[] bytes = Encoding.UTF8.GetBytes(part);
            sha.AppendData(BitConverter.GetBytes(bytes.LongLength));
            sha.AppendData(bytes);
        }
        return new(name, target, Convert.ToHexStringLower(sha.GetHashAndReset()));
    }
}

/// <summary>
/// Compiled kernels on disk. A file is a mark, a SHA-256 over key and content, and the content; it is written under another name and
/// renamed, so that processes beside each other, and one killed at any moment, leave whole files or none. What does not
/// match its hash is compiled again and replaced. A folder that cannot be written or read costs time and nothing else.
/// </summary>
internal sealed partial class KernelCache(string? folder)
{
    private static readonly byte[] Mark = "NATCUB01"u8.ToArray();
    private static readonly TimeSpan Abandoned = TimeSpan.FromHours(1);

    private bool _swept;

    /// <summary>The cache that the switches name: NATIVE_CACHE, else the user's cache folder, else none.</summary>
    public static KernelCache Default => new(Env.Cache.Value is { Length: > 0 } named ? named : UserFolder());

    /// <summary>Where the files are; null when there is no place for them.</summary>
    public string? Folder => folder;

    /// <summary>The program's image for the target, compiled if it is not here.</summary>
    public byte[] Image(CudaRuntimeCompiler compiler, string name, string source, string target) =>
        GetOrAdd(KernelKey.Of(name, source, compiler.Options(target), target, compiler.Version), () => compiler.Compile(name, source, target, out _));

    /// <summary>The program's image for the target with what the assembler reports of its kernels, compiled if either is not here.</summary>
    public (byte[] Image, KernelReport Report) Reported(CudaRuntimeCompiler compiler, string name, string source, string target)
    {
        var key = KernelKey.Of(name, source, compiler.Options(target), target, compiler.Version);
        var logKey = key with { Kind = "log" };
        if (Read(key) is { } image && Read(logKey) is { } log)
            return (image, KernelReport.Parse(Encoding.UTF8.GetString(log)));
        image = compiler.Compile(name, source, target, out string text, report: true);
        Store(key, image);
        Store(logKey, Encoding.UTF8.GetBytes(text));
        return (image, KernelReport.Parse(text));
    }

    /// <summary>The content of a key, made and stored if it is not here.</summary>
    public byte[] GetOrAdd(KernelKey key, Func<byte[]> make)
    {
        if (Read(key) is { } found)
        {
            DebugLines.Print(5, $"  cache: {key.Name} for {key.Target}, {found.Length} bytes, found in {folder}");
            return found;
        }
        long start = Stopwatch.GetTimestamp();
        byte[] made = make();
        DebugLines.Print(5, $"  cache: {key.Name} for {key.Target}, {made.Length} bytes, compiled in {Stopwatch.GetElapsedTime(start).TotalMilliseconds:F0} ms{(folder is null ? "" : $", kept in {folder}")}");
        Store(key, made);
        return made;
    }

    /// <summary>Files and bytes, those included that a killed process left half-written.</summary>
    public (int Kernels, int Abandoned, long Bytes) Count()
    {
        var files = Ours().Select(f => new FileInfo(f)).Where(f => f.Exists).ToList();
        int abandoned = files.Count(f => f.Extension == ".tmp");
        return (files.Count(f => f.Extension is ".cubin" or ".so"), abandoned, files.Sum(f => f.Length));
    }

    /// <summary>Deletes every file of ours and no other; the number deleted. <see cref="UsageException"/> when one cannot be.</summary>
    public int Clear()
    {
        int deleted = 0;
        foreach (string file in Ours())
        {
            try
            {
                File.Delete(file);
                deleted++;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new UsageException($"cache clear: {file} cannot be deleted; {e.Message} {deleted} others were.");
            }
        }
        return deleted;
    }

    private string FileOf(KernelKey key) => Path.Combine(folder!, $"{key.Name}.{key.Target}.{key.Hash}.{key.Kind}");

    private byte[]? Read(KernelKey key)
    {
        if (folder is null)
            return null;
        try
        {
            string file = FileOf(key);
            if (!File.Exists(file))
                return null;
            byte[] bytes = File.ReadAllBytes(file);
            int head = Mark.Length + SHA256.HashSizeInBytes;
            if (bytes.Length < head || !bytes.AsSpan(0, Mark.Length).SequenceEqual(Mark))
                return null;
            byte[] content = bytes[head..];
            return bytes.AsSpan(Mark.Length, SHA256.HashSizeInBytes).SequenceEqual(Hash(key, content)) ? content : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes a key's file, or replaces it; nothing where that cannot be done.</summary>
    internal void Store(KernelKey key, byte[] content)
    {
        if (folder is null)
            return;
        string target = FileOf(key), temporary = $"{target}.{Guid.NewGuid():N}.tmp";
        try
        {
            CreateFolder(folder);
            Sweep();
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                file.Write(Mark);
                file.Write(Hash(key, content));
                file.Write(content);
            }
            File.Move(temporary, target, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Delete(temporary);
        }
    }

    // For its user alone: who may write here may give programs to the user's GPU.
    private static void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static byte[] Hash(KernelKey key, byte[] content) => SHA256.HashData([.. Encoding.ASCII.GetBytes(key.Hash + key.Kind), .. content]);

    // A process that was killed while it wrote left a file behind; an hour later nobody is still writing it.
    private void Sweep()
    {
        if (_swept)
            return;
        _swept = true;
        foreach (string file in Ours().Where(f => f.EndsWith(".tmp", StringComparison.Ordinal) && File.GetLastWriteTimeUtc(f) < DateTime.UtcNow - Abandoned))
            Delete(file);
    }

    private static void Delete(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return; // In use, or not ours to delete: it stays, and `native cache clear` will say so.
        }
    }

    private List<string> Ours()
    {
        try
        {
            return Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder).Where(f => OurName().IsMatch(Path.GetFileName(f))).Order(StringComparer.Ordinal)] : [];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static string? UserFolder()
    {
        string place = OperatingSystem.IsMacOS() ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), "Library", "Caches")
            : OperatingSystem.IsWindows() ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
            : Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { } xdg && Path.IsPathRooted(xdg) ? xdg
            : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) is { Length: > 0 } home ? Path.Combine(home, ".cache") : "";
        return Path.IsPathRooted(place) ? Path.Combine(place, "native-kernels") : null;
    }

    [GeneratedRegex(@"\.[0-9a-f]{64}\.(cubin|so|log)(\.[0-9a-f]{32}\.tmp)?$", RegexOptions.ExplicitCapture)]
    private static partial Regex OurName();
}
