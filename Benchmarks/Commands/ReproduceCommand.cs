using System.CommandLine;

namespace Native.Benchmarks;

/// <summary><c>native reproduce TABLE</c>: runs what a published table needs, and puts every published number beside ours.</summary>
internal static class ReproduceCommand
{
    public static Command Create(Ui ui)
    {
        var table = new Argument<string>("TABLE") { Description = "A table or figure as paper/table3; 'native reproduce list' names them all." };
        var json = new Option<string?>("--json") { Description = "Write the comparison to this file too.", HelpName = "FILE" };
        var set = new Option<string[]>("--set")
        { Description = "An option for every run of the table, such as setting=cpu; what a row says of itself stays. May be repeated.", HelpName = "NAME=VALUE", DefaultValueFactory = _ => [] };
        var options = new PlanOptions(Preset.Paper, Path.Combine("runs", "reproduce"));
        var command = new Command("reproduce", "Compares a published table with our own runs of it.") { table, json, set };
        options.AddTo(command);
        command.SetAction(parse => parse.GetRequiredValue(table) == "list"
            ? List(ui)
            : Run(ui, PaperTables.Find(parse.GetRequiredValue(table)).With(parse.GetValue(set) ?? []), options.Of(parse), parse.GetValue(json)));
        return command;
    }

    private static int List(Ui ui)
    {
        new ReportTable(["table", "paper", "what", "numbers>", "claims>"],
            [.. PaperTables.All.Select(t => new[] { t.Id, t.Paper, t.Title, $"{t.Cells.Count}", $"{t.Claims.Count}" })]).Print(ui);
        return App.Success;
    }

    private static int Run(Ui ui, PaperTable table, PlanOptions options, string? json)
    {
        if (json is not null)
            AtomicFile.Probe(json);
        var reproduction = new Reproduction(table, options.Preset, options.Seeds, options.Data, options.Only);
        var store = new CellStore(options.Folder);
        var plan = reproduction.Plan();
        ui.Line($"{table.Id}: {table.Paper}, {table.Title}");
        ui.Line($"preset {PlanOptions.Name(options.Preset)}, seeds 0 to {options.Seeds - 1}: {plan.Count} cells, {plan.Count(c => store.Status(c) == CellStatus.Done)} done already, in {options.Folder}");
        int left = new CellRunner(store, options.Cells, ui).Run(options.Part(plan));
        if (options.Index is null)
            Report(ui, reproduction, store, options.Folder, json);
        return SuiteCommand.Failures(ui, store, options.Part(plan), left);
    }

    /// <summary>Prints the comparison and writes it below the folder.</summary>
    private static void Report(Ui ui, Reproduction reproduction, CellStore store, string folder, string? json)
    {
        var cells = reproduction.Compare(store);
        if (cells.Count == 0 && reproduction.Table.Points.Count == 0)
            throw new UsageException($"reproduce: no row of {reproduction.Table.Id} is meant. 'native reproduce {reproduction.Table.Id}' without --only shows them.");
        ui.Line();
        ui.Line($"paper: value ± {reproduction.Table.SpreadKind}; ours: mean ± 95% t-interval over n seeds");
        ReproductionReport.Summary(cells).Print(ui);
        ui.Line(string.Join(", ", cells.GroupBy(c => c.Verdict.Name).Select(g => $"{g.Count()} {g.Key}")));
        ReproductionReport.Write(Path.Combine(folder, "reports"), reproduction.Table, cells);
        if (reproduction.Table.Points.Count > 0)
        {
            string path = Path.Combine(folder, "reports", $"{reproduction.Table.Id.Replace('/', '-')}-points.csv");
            var points = reproduction.Points(store);
            AtomicFile.WriteText(path, points.Csv());
            ui.Line($"{points.Rows.Count} of {reproduction.Table.Points.Count} points of the figure in {path}");
        }
        if (json is not null)
            AtomicFile.WriteText(json, ReproductionReport.Json(cells));
        ui.Line($"reports in {Path.Combine(folder, "reports")}{(json is null ? "" : $" and {json}")}");
    }
}
