using System.CommandLine;

namespace Native.Benchmarks;

/// <summary>One line of a gradient check: one order of one op.</summary>
/// <param name="Op">The op's name.</param>
/// <param name="Order">Order of the derivative.</param>
/// <param name="Reports">One per sample, at least one.</param>
internal sealed record GradCheckRow(string Op, int Order, IReadOnlyList<GradCheckReport> Reports)
{
    /// <summary>Comparisons made.</summary>
    public int Compared => Reports.Sum(r => r.Checked);

    /// <summary>Largest difference between backward and difference quotient, over what was allowed; above 1 fails.</summary>
    public double Worst => Reports.Max(r => r.Worst?.Badness ?? 0);

    /// <summary>The first report that did not pass, else null.</summary>
    public GradCheckReport? Failure => Reports.FirstOrDefault(r => !r.Passed);
}

/// <summary><c>native gradcheck</c>: compares the derivatives of every op with difference quotients.</summary>
internal static class GradCheckCommand
{
    public static Command Create(Ui ui)
    {
        var op = new Option<string?>("--op") { Description = "Only this op (default: all).", HelpName = "NAME" };
        var order = new Option<int>("--order") { Description = "Highest order of derivative, 1 to 3.", HelpName = "N", DefaultValueFactory = _ => 2 };
        var sample = new Option<int?>("--sample") { Description = "Only this sample of the op, counted from 0.", HelpName = "K" };
        var seed = new Option<ulong>("--seed") { Description = "Seed of inputs and projections.", HelpName = "S" };
        var command = new Command("gradcheck", "Compares derivatives with difference quotients.") { op, sample, order, seed };
        command.SetAction(parse => Run(ui, parse.GetValue(op), parse.GetValue(sample), parse.GetValue(order), parse.GetValue(seed)));
        return command;
    }

    private static int Run(Ui ui, string? op, int? sample, int order, ulong seed)
    {
        if (order is < 1 or > 3)
            throw new UsageException($"gradcheck: --order takes 1, 2 or 3; got {order}.");
        if (sample is not null && op is null)
            throw new UsageException($"gradcheck: --sample {sample} says nothing without an op. Add --op NAME.");
        IReadOnlyList<OpRow> ops = op is null ? OpTable.All : [OpTable.Find(op)];
        var rows = new List<GradCheckRow>();
        int none = 0;
        foreach (var row in ops)
        {
            bool any = false;
            for (int n = 1; n <= order; n++)
            {
                ui.Cancel.ThrowIfCancellationRequested();
                ui.Status($"{row.Name}, order {n}");
                if (GradCheck.RunRow(row, n, seed, sample) is not { Count: > 0 } reports)
                    continue;
                rows.Add(new GradCheckRow(row.Name, n, reports));
                any = true;
            }
            if (!any)
                none++;
        }
        if (rows.Count == 0)
            throw new UsageException($"gradcheck: {op}{(sample is null ? "" : $", sample {sample},")} has no derivative to check. Without --op, every op that has one is checked.");
        ui.Table(["op", "order>", "samples>", "compared>", "worst / allowed>", "verdict"], rows.Select(Cells));
        foreach (var row in rows.Where(r => r.Failure is not null))
            ui.Line(row.Failure!.ToString());
        int failed = rows.Count(r => r.Failure is not null);
        ui.Line($"{rows.Count - failed} of {rows.Count} checks passed (f64, central differences; 'worst' is the largest difference over what is allowed)"
            + (none > 0 ? $"; {none} ops have no derivative to check" : ""));
        return failed == 0 ? App.Success : App.Failed;
    }

    /// <summary>A row as cells.</summary>
    public static IReadOnlyList<string> Cells(GradCheckRow r) =>
        [r.Op, $"{r.Order}", $"{r.Reports.Count}", $"{r.Compared}", $"{r.Worst:0.0e+0}", r.Failure is null ? "ok" : "FAILED"];
}
