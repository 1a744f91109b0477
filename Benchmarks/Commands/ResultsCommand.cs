using System.CommandLine;
using System.Globalization;

namespace Native.Benchmarks;

/// <summary>
/// <c>native results record</c> joins the files of one sitting, in which the peer and Native took turns, into one dated file;
/// <c>native results readme</c> prints README's table from such a file.
/// </summary>
internal static class ResultsCommand
{
    public static Command Create(Ui ui)
    {
        Option<string[]> peer = Files("--peer", "What the peer's script printed, one file or more."), ours = Files("--native", "What bench steps --json wrote, one file or more.");
        Option<string> date = Text("--date", "Day of the sitting.", "YYYY-MM-DD"), machine = Text("--machine", "Model of the processor.", "TEXT"),
            commit = Text("--commit", "What was measured.", "HASH"), output = Text("--out", "File to write.", "FILE");
        var record = new Command("record", "Joins the files of one sitting into one.") { peer, ours, date, machine, commit, output };
        record.SetAction(parse =>
        {
            string path = parse.GetRequiredValue(output);
            AtomicFile.Probe(path);
            string day = parse.GetRequiredValue(date);
            if (!DateOnly.TryParseExact(day, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _))
                throw new UsageException($"results: --date takes YYYY-MM-DD; got '{day}'.");
            var sitting = new Sitting(day, parse.GetRequiredValue(machine), parse.GetRequiredValue(commit),
                [.. parse.GetRequiredValue(peer).Select(SideFile.Read)], [.. parse.GetRequiredValue(ours).Select(SideFile.Read)]);
            AtomicFile.WriteJson(path, sitting.Write);
            ui.Table(["workload", "peer ms>", "native ms>", "times as fast>", "lowest round>", "highest round>"], sitting.Workloads.Select(name =>
            {
                double[] ratios = sitting.Ratios(name);
                return new[]
                {
                    name, $"{sitting.PeerMedian(name):F2}", $"{sitting.NativeMedian(name):F2}", $"{SideFile.Median(ratios):F2}", $"{ratios.Min():F2}", $"{ratios.Max():F2}",
                };
            }));
            ui.Line($"wrote {path}");
            return App.Success;
        });
        var file = new Argument<string>("FILE") { Description = "A file that record wrote." };
        var readme = new Command("readme", "Prints README's table of one sitting.") { file };
        readme.SetAction(parse =>
        {
            foreach (string line in SittingTable.Lines(parse.GetRequiredValue(file)))
                ui.Line(line);
            return App.Success;
        });
        return new Command("results", "Keeps and prints what was measured beside the peer.") { record, readme };
    }

    private static Option<string[]> Files(string name, string description) =>
        new(name) { Description = description, HelpName = "FILE", Required = true, AllowMultipleArgumentsPerToken = true };

    private static Option<string> Text(string name, string description, string help) => new(name) { Description = description, HelpName = help, Required = true };
}
