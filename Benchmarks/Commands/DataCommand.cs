using System.CommandLine;
using Native.Methods;

namespace Native.Benchmarks;

/// <summary><c>native data list|check</c>: what real data there are, and whether the files are the official ones.</summary>
internal static class DataCommand
{
    public static Command Create(Ui ui)
    {
        var list = new Command("list", "Lists the streams and the data behind each.");
        var listFolder = FolderOption();
        list.Add(listFolder);
        list.SetAction(parse => List(ui, DataFolder.From(parse.GetValue(listFolder))));
        var check = new Command("check", "Reads every real data set found and compares its checksums.");
        var checkFolder = FolderOption();
        check.Add(checkFolder);
        check.SetAction(parse => Verify(ui, DataFolder.From(parse.GetValue(checkFolder))));
        return new Command("data", "What real data there are.") { list, check };
    }

    /// <summary>The option <c>--data DIR</c>, the same for every verb.</summary>
    public static Option<string?> FolderOption() => new("--data")
    { Description = $"Folder of real data sets (default: the variable {DataFolder.Variable}).", HelpName = "DIR" };

    private static int List(Ui ui, DataFolder folder)
    {
        ui.Line(folder.Root is null
            ? $"data folder: none given (--data DIR, or the variable {DataFolder.Variable})"
            : $"data folder: {folder.Root}");
        ui.Table(["stream", "tasks", "data", "state"],
            StreamTable.All.Select(s => new[] { s.Name, s.Tasks, s.Data, s.State(folder) }));
        return App.Success;
    }

    private static int Verify(Ui ui, DataFolder folder)
    {
        var sets = new[] { Mnist.Load(folder, train: true), Mnist.Load(folder, train: false) };
        ui.Table(["set", "images>", "size", "provenance"],
            sets.Select(s => new[] { s.Name, $"{s.Count}", $"{s.Channels}x{s.Height}x{s.Width}", s.Provenance }));
        return App.Success;
    }
}
