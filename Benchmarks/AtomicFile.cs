using System.Text;
using System.Text.Json;

namespace Native.Benchmarks;

/// <summary>Files appear whole or not at all: written under another name beside the target, then renamed.</summary>
internal static class AtomicFile
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true };

    /// <summary>Writes one JSON object.</summary>
    public static void WriteJson(string path, Action<Utf8JsonWriter> body)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, Indented))
        {
            json.WriteStartObject();
            body(json);
            json.WriteEndObject();
        }
        bytes.WriteByte((byte)'\n');
        Write(path, bytes.ToArray());
    }

    /// <summary>Writes text as UTF-8.</summary>
    public static void WriteText(string path, string text) => Write(path, Encoding.UTF8.GetBytes(text));

    /// <summary>Refuses a target that cannot be written before a long run starts.</summary>
    public static void Probe(string path)
    {
        if (path.Length == 0)
            throw new UsageException("write: the name of the file is empty. Name a file.");
        if (Directory.Exists(path) || Path.EndsInDirectorySeparator(path))
            throw new UsageException($"write: {path} is a folder. Name a file.");
        Guard(path, () =>
        {
            string probe = Temporary(path);
            File.WriteAllBytes(probe, []);
            File.Delete(probe);
        });
    }

    private static void Write(string path, byte[] bytes) => Guard(path, () =>
    {
        string temporary = Temporary(path);
        try
        {
            File.WriteAllBytes(temporary, bytes);
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    });

    private static void Guard(string path, Action action)
    {
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder)
                Directory.CreateDirectory(folder);
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new UsageException($"write: {path} cannot be written; {e.Message} Name another file.");
        }
    }

    private static string Temporary(string path) => $"{path}.{Environment.ProcessId}.tmp";
}
