using System.CommandLine;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary><c>native data list|get|check</c>: what real data there are, where they come from, and whether the files are the official ones.</summary>
internal static class DataCommand
{
    public static Command Create(Ui ui)
    {
        var list = new Command("list", "Lists the streams, the data behind each, and where the data come from.");
        var listFolder = FolderOption();
        list.Add(listFolder);
        list.SetAction(parse => List(ui, DataFolder.From(parse.GetValue(listFolder))));
        var check = new Command("check", "Reads every real data set found, or those named, and compares its checksums.");
        var checkSets = Sets("Data sets to read; all that are there when none is named.");
        var checkFolder = FolderOption();
        var unofficial = new Option<bool>("--allow-unofficial") { Description = "Accept data files whose checksums differ." };
        check.Add(checkSets);
        check.Add(checkFolder);
        check.Add(unofficial);
        check.SetAction(parse => Verify(ui, DataFolder.From(parse.GetValue(checkFolder)), parse.GetValue(checkSets) ?? [], parse.GetValue(unofficial)));
        var get = new Command("get", "Fetches data sets over HTTPS into the data folder, continuing what was cut off. Files that are there are checked and kept.");
        var getSets = Sets($"Data sets: {string.Join(", ", DataTable.All.Where(d => d.CanFetch && d.Files.Count > 0).Select(d => d.Name))}.");
        var getFolder = FolderOption();
        get.Add(getSets);
        get.Add(getFolder);
        get.SetAction(parse => Get(ui, DataFolder.From(parse.GetValue(getFolder)), parse.GetValue(getSets) ?? []));
        return new Command("data", "What real data there are.") { list, get, check };
    }

    /// <summary>The option <c>--data DIR</c>, the same for every verb.</summary>
    public static Option<string?> FolderOption() => new("--data")
    { Description = $"Folder of real data sets (default: the variable {DataFolder.Variable}).", HelpName = "DIR" };

    private static Argument<string[]> Sets(string description) => new("SET") { Description = description, Arity = ArgumentArity.ZeroOrMore };

    private static int List(Ui ui, DataFolder folder)
    {
        ui.Line(folder.Root is null
            ? $"data folder: none given (--data DIR, or the variable {DataFolder.Variable})"
            : $"data folder: {folder.Root}");
        ui.Table(["stream", "tasks", "usual scenario", "data", "state"],
            StreamTable.All.Select(s => new[] { s.Name, s.Tasks, s.Usual.Name(), s.Data, s.State(folder) }));
        ui.Table(["data set", "file", "bytes>", "checksum", "mirrors"], DataTable.All.SelectMany(d => d.Files.Count == 0
            ? [[d.Name, d.Title, "", "unknown: recorded at first use", "none: put the files there"]]
            : d.Files.Select(f => new[] { d.Name, f.Path, f.Bytes == 0 ? "?" : $"{f.Bytes}", f.Sum, string.Join(" ", f.Mirrors) })));
        return App.Success;
    }

    private static int Verify(Ui ui, DataFolder folder, string[] names, bool allowUnofficial)
    {
        if (folder.Root is null)
            throw new UsageException($"data: no data folder is given. Pass --data DIR or set {DataFolder.Variable}=DIR.");
        var rows = names.Length > 0 ? [.. names.Select(DataTable.Find)] : DataTable.All.Where(d => d.IsHere(folder)).ToArray();
        if (rows.Length == 0)
            throw new UsageException($"data: {folder.Root} holds none of the data sets {string.Join(", ", DataTable.All.Select(d => d.Name))}. Fetch one with "
                + "'native data get SET', or put its files there.");
        var table = new List<string[]>();
        int failed = 0;
        foreach (var row in rows)
        {
            try
            {
                foreach (var s in row.Check(folder, allowUnofficial))
                    table.Add([row.Name, s.Name, $"{s.Count}", s is ImageSet i ? $"{i.Channels}x{i.Height}x{i.Width}" : "text", s.Provenance]);
            }
            catch (Exception e) when (e is DataFormatException or UsageException && rows.Length > 1)
            {
                // One bad set does not hide the state of the others.
                failed++;
                table.Add([row.Name, "", "", "", e.Message]);
            }
        }
        ui.Table(["data set", "set", "items>", "size", "provenance"], table);
        return failed == 0 ? App.Success : App.Failed;
    }

    private static int Get(Ui ui, DataFolder folder, string[] names)
    {
        if (folder.Root is null)
            throw new UsageException($"data get: no data folder is given. Pass --data DIR or set {DataFolder.Variable}=DIR; the folder must exist.");
        if (names.Length == 0)
            throw new UsageException("data get: no data set is named. 'native data list' shows them.");
        foreach (var row in names.Select(DataTable.Find).ToArray())
        {
            if (row.Files.Count == 0)
                throw new UsageException($"data get: {row.Name} cannot be fetched; {row.Title}.");
            foreach (string line in row.Get(folder, new Fetcher(), p => ui.Status(Describe(row, p)), ui.Cancel))
                ui.Line(line);
        }
        return App.Success;
    }

    private static string Describe(DataSetRow row, FetchProgress p) =>
        $"{row.Name}: {p.Bytes / 1e6:F1}{(p.Total is { } total ? $" of {total / 1e6:F1}" : "")} MB from {p.Source.Host}";
}
