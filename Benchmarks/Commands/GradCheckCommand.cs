using System.CommandLine;

namespace Native.Benchmarks;

/// <summary><c>native gradcheck</c>: compares the derivatives of every op with difference quotients.</summary>
internal static class GradCheckCommand
{
    public static Command Create(Ui ui)
    {
        var op = new Option<string?>("--op") { Description = "Only this op (default: all).", HelpName = "NAME" };
        var order = new Option<int>("--order") { Description = "Highest order of derivative, 1 to 3.", HelpName = "N", DefaultValueFactory = _ => 2 };
        var seed = new Option<ulong>("--seed") { Description = "Seed of inputs and projections.", HelpName = "S" };
        var command = new Command("gradcheck", "Compares derivatives with difference quotients.") { op, order, seed };
        command.SetAction(parse => Run(ui, parse.GetValue(op), parse.GetValue(order), parse.GetValue(seed)));
        return command;
    }

    private static int Run(Ui ui, string? op, int order, ulong seed)
    {
        if (order is < 1 or > 3)
            throw new UsageException($"gradcheck: --order takes 1, 2 or 3; got {order}.");
        IReadOnlyList<OpRow> ops = op is null ? OpTable.All
            : [OpTable.All.FirstOrDefault(r => r.Name == op) ?? throw UnknownOp(op)];
        var rows = new List<GradCheckRow>();
        int none = 0;
        foreach (var row in ops)
        {
            bool any = false;
            for (int n = 1; n <= order; n++)
            {
                ui.Cancel.ThrowIfCancellationRequested();
                ui.Status($"{row.Name}, order {n}");
                if (SampleGradCheck.Check(row, n, seed) is not { } result)
                    continue;
                rows.Add(result);
                any = true;
            }
            if (!any)
                none++;
        }
        ui.Table(["op", "order>", "samples>", "compared>", "worst / allowed>", "verdict"], rows.Select(Cells));
        foreach (var row in rows.Where(r => r.Failure is not null))
            ui.Line(row.Failure!);
        int failed = rows.Count(r => r.Failure is not null);
        ui.Line($"{rows.Count - failed} of {rows.Count} checks passed (f64, central differences; 'worst' is the largest difference over what is allowed)"
            + (none > 0 ? $"; {none} ops have no derivative to check" : ""));
        return failed == 0 ? App.Success : App.Failed;
    }

    /// <summary>A row as cells.</summary>
    public static IReadOnlyList<string> Cells(GradCheckRow r) =>
        [r.Op, $"{r.Order}", $"{r.Samples}", $"{r.Compared}", $"{r.Worst:0.0e+0}", r.Failure is null ? "ok" : "FAILED"];

    private static UsageException UnknownOp(string op)
    {
        string meant = Nearest.Of(op, OpTable.All.Select(r => r.Name)) is { } near ? $" Did you mean {near}?" : "";
        return new UsageException($"gradcheck: '{op}' is not an op.{meant} All {OpTable.All.Count} are checked without --op.");
    }
}
