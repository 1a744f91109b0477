using System.Text.Json;
using System.Text.Json.Nodes;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary>What is known of a cell from its folder.</summary>
internal enum CellStatus
{
    /// <summary>Not begun.</summary>
    Waiting,

    /// <summary>Begun and not finished; nobody works on it now.</summary>
    Interrupted,

    /// <summary>Some process works on it.</summary>
    Running,

    /// <summary>Ended with an error, which is kept.</summary>
    Failed,

    /// <summary>Finished.</summary>
    Done,
}

/// <summary>
/// A folder of cells, one folder each: <c>cell.json</c> what it is, <c>state.safetensors</c> where it stands, <c>result.json</c> what it yielded (the
/// same bytes whoever ran it), <c>timing.json</c> how long that took, <c>error.txt</c> why it failed, <c>lock</c>. All but the lock appear by renaming, so any number
/// of processes may work on one folder, and be killed.
/// </summary>
internal sealed class CellStore
{
    private const string CellFile = "cell.json", StateFile = "state.safetensors", ResultFile = "result.json", TimingFile = "timing.json", ErrorFile = "error.txt", LockFile = "lock";

    public CellStore(string root)
    {
        if (root.Length == 0)
            throw new UsageException("cells: the name of the folder is empty. Give --out DIR.");
        Root = root;
        AtomicFile.Probe(Path.Combine(Cells, "probe"));
    }

    /// <summary>The folder.</summary>
    public string Root { get; }

    private string Cells => Path.Combine(Root, "cells");

    /// <summary>Where a cell keeps its state while it runs.</summary>
    public string StatePath(Cell cell) => File(cell, StateFile);

    /// <summary>
    /// Takes a cell for this process, or null when another has it. The claim is a lock that the system holds on an open file, so it ends with the
    /// process, however that ends. The file stays: to delete it would let two processes hold locks on two files of one name.
    /// </summary>
    public CellClaim? Claim(Cell cell)
    {
        Directory.CreateDirectory(Folder(cell));
        FileStream? stream = null;
        try
        {
            // Whoever looks at the status holds the lock for a moment, which is no claim.
            for (int tries = 0; stream is null && tries < 5; tries++)
                stream = TryLock(File(cell, LockFile), tries);
            if (stream is null)
                return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"cells: {File(cell, LockFile)} cannot be locked; {e.Message} Name another folder with --out.");
        }
        var claim = new CellClaim(stream);
        try
        {
            Sweep(cell);
            if (!System.IO.File.Exists(File(cell, CellFile)))
                WriteDescription(cell);
            else
                Describe(cell.Id);
            return claim;
        }
        catch
        {
            claim.Dispose();
            throw;
        }
    }

    private void WriteDescription(Cell cell) => AtomicFile.WriteText(File(cell, CellFile), CanonicalJson.Text(cell.ToJson()) + "\n");

    private static FileStream? TryLock(string path, int tries)
    {
        if (tries > 0)
            Thread.Sleep(10);
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (System.IO.File.Exists(path))
        {
            return null;
        }
    }

    /// <summary>How a cell stands now.</summary>
    public CellStatus Status(Cell cell)
    {
        if (System.IO.File.Exists(File(cell, ResultFile)))
            return Damage(cell) is null ? CellStatus.Done : CellStatus.Failed;
        if (!Directory.Exists(Folder(cell)))
            return CellStatus.Waiting;
        if (IsLocked(cell))
            return CellStatus.Running;
        return System.IO.File.Exists(File(cell, ErrorFile)) || Damage(cell) is not null ? CellStatus.Failed
            : System.IO.File.Exists(File(cell, StateFile)) ? CellStatus.Interrupted
            : CellStatus.Waiting;
    }

    /// <summary>Stores what a cell yielded; its state is not needed any more.</summary>
    public void Finish(Cell cell, string result, JsonObject timing)
    {
        // The result last: it is what says that the cell is done.
        AtomicFile.WriteText(File(cell, TimingFile), timing.ToJsonString() + "\n");
        AtomicFile.WriteText(File(cell, ResultFile), result);
        System.IO.File.Delete(File(cell, StateFile));
        System.IO.File.Delete(File(cell, ErrorFile));
        Sweep(cell);
    }

    // Whoever holds the claim is the only one who writes, so what has no final name yet was left by a process that was killed.
    private void Sweep(Cell cell)
    {
        foreach (string leftover in Directory.EnumerateFiles(Folder(cell), "*.tmp"))
            System.IO.File.Delete(leftover);
    }

    /// <summary>Keeps why a cell failed.</summary>
    public void Fail(Cell cell, string error) => AtomicFile.WriteText(File(cell, ErrorFile), error.TrimEnd() + "\n");

    /// <summary>Keeps pictures of what a cell's method has made, beside its result.</summary>
    public void Picture(Cell cell, IReadOnlyList<(string Name, HostArray Image)> pictures)
    {
        foreach (var (name, image) in pictures)
            Png.Write(File(cell, $"{name}.png"), image);
    }

    /// <summary>Forgets a failure, damaged files included, so that the cell is tried again from where it stood; what it is, the plan knows.</summary>
    public void Retry(Cell cell)
    {
        if (Foreign(cell) is not null)
            WriteDescription(cell);
        if (Damage(cell) is not null)
        {
            System.IO.File.Delete(File(cell, ResultFile));
            System.IO.File.Delete(File(cell, TimingFile));
        }
        if (!RunCheckpoint.IsReadable(StatePath(cell)))
            System.IO.File.Delete(StatePath(cell));
        System.IO.File.Delete(File(cell, ErrorFile));
    }

    /// <summary>Why a cell failed, or what is wrong with its result.</summary>
    public string? Error(Cell cell) =>
        Damage(cell) ?? (!System.IO.File.Exists(File(cell, ResultFile)) && System.IO.File.Exists(File(cell, ErrorFile)) ? Read(File(cell, ErrorFile)).TrimEnd() : null);

    /// <summary>What a cell yielded; null when it is not done, or damaged: <see cref="Error"/> says which.</summary>
    public CellResult? Result(Cell cell)
    {
        string path = File(cell, ResultFile);
        return System.IO.File.Exists(path) && Damage(cell) is null ? new CellResult(cell, Parse(path), TimingOf(cell)) : null;
    }

    // What is wrong with the description of a cell that the plan knows; none at all is written with the next claim.
    private string? Foreign(Cell cell)
    {
        try
        {
            if (System.IO.File.Exists(File(cell, CellFile)))
                Describe(cell.Id);
            return null;
        }
        catch (TensorException e)
        {
            return e.Message;
        }
    }

    // One damaged file is the failure of one cell; whoever reads the others goes on.
    private string? Damage(Cell cell)
    {
        if (Foreign(cell) is { } foreign)
            return foreign;
        if (!System.IO.File.Exists(File(cell, ResultFile)))
            return null;
        try
        {
            string path = File(cell, ResultFile);
            if (CellResult.Fault(cell, Parse(path)) is { } wrong)
                throw Bad(path, wrong);
            path = File(cell, TimingFile);
            if (System.IO.File.Exists(path) && CellResult.Fault(Parse(path)) is { } time)
                throw Bad(path, time);
            return null;
        }
        catch (TensorException e)
        {
            return e.Message;
        }
    }

    /// <summary>The text of a result, for merging.</summary>
    public string ResultText(Cell cell) => Read(File(cell, ResultFile));

    /// <summary>How long a cell took; null when it is not done.</summary>
    public JsonObject? TimingOf(Cell cell) =>
        System.IO.File.Exists(File(cell, ResultFile)) && System.IO.File.Exists(File(cell, TimingFile)) && Damage(cell) is null ? Parse(File(cell, TimingFile)) : null;

    /// <summary>Every cell in the folder, in order of id; what is none is <see cref="Damaged"/>.</summary>
    public IReadOnlyList<Cell> All() => [.. Look().Select(f => f.Cell).OfType<Cell>()];

    /// <summary>What in the folder is no cell, by name, and why.</summary>
    public IReadOnlyList<(string Id, string Reason)> Damaged() => [.. Look().Where(f => f.Reason is not null).Select(f => (f.Id, f.Reason!))];

    private IEnumerable<(string Id, Cell? Cell, string? Reason)> Look()
    {
        if (!Directory.Exists(Cells))
            yield break;
        foreach (string id in Directory.EnumerateDirectories(Cells).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal))
        {
            if (Directory.EnumerateFileSystemEntries(Path.Combine(Cells, id)).All(f => Path.GetFileName(f) == LockFile))
                continue;
            Cell? cell = null;
            string? reason = null;
            try
            {
                cell = Describe(id);
            }
            catch (TensorException e)
            {
                reason = e.Message;
            }
            yield return (id, cell, reason);
        }
    }

    private Cell Describe(string id)
    {
        string path = Path.Combine(Cells, id, CellFile);
        if (!System.IO.File.Exists(path))
            throw Bad(Path.Combine(Cells, id), $"it has no {CellFile}");
        var cell = Cell.FromJson(Parse(path)) ?? throw Bad(path, "it describes no cell");
        return cell.Id == id ? cell : throw Bad(path, $"it describes the cell {cell.Id}, and its folder is named {id}");
    }

    private static JsonObject Parse(string path)
    {
        try
        {
            var json = JsonNode.Parse(Read(path), documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false });
            return json as JsonObject ?? throw Bad(path, "it is JSON of another kind");
        }
        catch (JsonException e)
        {
            throw Bad(path, $"it is no JSON: {e.Message.TrimEnd('.')}");
        }
    }

    private static string Read(string path)
    {
        try
        {
            return System.IO.File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"cells: {path} cannot be read; {e.Message}");
        }
    }

    private static DataFormatException Bad(string path, string what) =>
        new($"cells: {path} is damaged or foreign: {what}. Move it away; what it stood for is then run anew.");

    private bool IsLocked(Cell cell)
    {
        try
        {
            using var probe = new FileStream(File(cell, LockFile), FileMode.Open, FileAccess.Read, FileShare.Read);
            return false;
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private string Folder(Cell cell) => Path.Combine(Cells, cell.Id);

    private string File(Cell cell, string name) => Path.Combine(Cells, cell.Id, name);
}

/// <summary>A cell that this process works on; disposing it, or the end of the process, lets others have it.</summary>
internal sealed class CellClaim(FileStream stream) : IDisposable
{
    public void Dispose() => stream.Dispose();
}
