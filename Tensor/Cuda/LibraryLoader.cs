using System.Runtime.InteropServices;

namespace Native;

/// <summary>Finds and opens NVIDIA's libraries, and remembers why every candidate that failed did.</summary>
internal static class LibraryLoader
{
    /// <summary>
    /// Opens the first candidate that loads, has the entry points it must have, and is not refused (a reason from <paramref name="refuse"/>).
    /// Never throws: a search that found nothing says so.
    /// </summary>
    public static LibrarySearch Find(CudaLibrary library, LibraryPlaces? places = null, Func<nint, string?>? refuse = null)
    {
        places ??= new();
        var tried = new List<(string Place, string Why)>();
        if (InFolders(places.Named()) is { } named)
            return named;
        if (!places.SystemLoader)
            tried.Add(("system loader", "not asked"));
        else
            foreach (string name in library.Names(places.Windows))
                if (Open(name) is { } found)
                    return found;
        return InFolders(places.Usual()) ?? new(library, 0, "", tried);

        LibrarySearch? InFolders(IEnumerable<(string Origin, IReadOnlyList<string> Folders)> groups)
        {
            foreach (var (origin, folders) in groups)
            {
                int before = tried.Count;
                foreach (string folder in folders)
                    foreach (string file in Files(folder))
                        if (Open(file) is { } found)
                            return found;
                if (tried.Count == before)
                    tried.Add((origin, folders.Count == 0 ? "no such folder" : $"no {library.Pattern(places.Windows)} in {string.Join(", ", folders)}"));
            }
            return null;
        }

        LibrarySearch? Open(string path)
        {
            string? why = LibraryLoader.Open(library, path, refuse, out nint handle);
            if (why is null)
                return new(library, handle, path, tried);
            tried.Add((path, why));
            return null;
        }

        IReadOnlyList<string> Files(string folder)
        {
            try
            {
                return [.. library.Files(folder, places.Windows)];
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                tried.Add((folder, e.Message));
                return [];
            }
        }
    }

    private static string? Open(CudaLibrary library, string path, Func<nint, string?>? refuse, out nint handle)
    {
        // Opened first and left open: what the library asks for by name is then found, wherever it lies. One that fails to open will be missed below.
        foreach (string companion in library.Companions(path))
            NativeLibrary.TryLoad(companion, out _);
        handle = 0;
        try
        {
            handle = NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            return Reason(e.Message, path);
        }
        nint opened = handle;
        string? why = library.Needs.FirstOrDefault(n => !NativeLibrary.TryGetExport(opened, n, out _)) is { } missing ? $"it has no {missing}" : refuse?.Invoke(opened);
        if (why is not null)
            NativeLibrary.Free(handle);
        return why;
    }

    // The runtime wraps the loader's line into advice about strace and LD_DEBUG.
    private static string Reason(string message, string path)
    {
        var lines = message.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        string last = lines.FirstOrDefault(l => l.StartsWith(path + ": ", StringComparison.Ordinal)) ?? lines[^1];
        return last.StartsWith(path + ": ", StringComparison.Ordinal) ? last[(path.Length + 2)..] : last;
    }
}

/// <summary>The result of a search: an open library, or the list of all that was tried in vain.</summary>
internal sealed class LibrarySearch(CudaLibrary library, nint handle, string path, IReadOnlyList<(string Place, string Why)> tried)
{
    /// <summary>Whether a library is open.</summary>
    public bool Found => handle != 0;

    /// <summary>The file, or the bare name when the system loader found it.</summary>
    public string Path => path;

    /// <summary>Every candidate before the one found, in order, with the reason it failed.</summary>
    public IReadOnlyList<(string Place, string Why)> Tried => tried;

    /// <summary>Why nothing was found, in one line.</summary>
    public string Summary => $"{library.Name} was not found in {tried.Count} places";

    /// <summary>Why nothing was found: every candidate on a line of its own.</summary>
    public string Report => string.Join('\n', tried.Select(t => $"  {t.Place}: {t.Why}"));

    /// <summary>The address of an entry point; 0 when the library has none of that name.</summary>
    public nint Entry(string name) => NativeLibrary.TryGetExport(handle, name, out nint address) ? address : 0;

    /// <summary>This, when a library is open; else a <see cref="DeviceException"/> with the report.</summary>
    public LibrarySearch Require() => Found ? this : throw new DeviceException($"{Summary}:\n{Report}\n{library.Fix}");
}
