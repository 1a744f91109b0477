using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Native.Benchmarks;

/// <summary>A statement that the suite tests, and what was found.</summary>
internal sealed record SuiteCheck(string Claim, bool Holds, string Found);

/// <summary>What is claimed of MyGO: the least change by a sleep and the flatness of the matrix as released, the change and the accuracy when repaired.</summary>
internal sealed record SleepFigures(double LiteralChange, double LiteralFlat, double RepairedChange, double Repaired);

/// <summary>The figures that the claims are about, fractions; NaN where one is undefined.</summary>
internal sealed record SuiteFigures(
    double Joint, double Naive, double Replay, double NaiveForgets, double ReplayForgets, bool Same, int GradChecks, int GradChecksFailed)
{
    /// <summary>MyGO, as released and repaired.</summary>
    public SleepFigures Sleeping { get; init; } = new(double.NaN, double.NaN, double.NaN, double.NaN);

    /// <summary>Every claim, judged. NaN compares false, so a claim about it does not hold.</summary>
    public IReadOnlyList<SuiteCheck> Claims() =>
    [
        new("joint training reaches 75%", Joint >= 0.75, Percent(Joint)),
        new("fine-tuning knows the last task only (10 to 25%)", Naive is >= 0.10 and <= 0.25, Percent(Naive)),
        new("fine-tuning forgets (above 80%)", NaiveForgets > 0.8, Percent(NaiveForgets)),
        new("replay of 500 images is at least 30 points above fine-tuning", Replay >= Naive + 0.3, $"{Percent(Replay)} against {Percent(Naive)}"),
        new("replay forgets less than fine-tuning", ReplayForgets < NaiveForgets, $"{Percent(ReplayForgets)} against {Percent(NaiveForgets)}"),
        new("joint training is above replay", Joint > Replay, $"{Percent(Joint)} against {Percent(Replay)}"),
        new("MyGO's released code: sleep changes nothing, and accuracies never change", Sleeping is { LiteralChange: 0, LiteralFlat: 1 }, Percent(Sleeping.LiteralChange)),
        new("MyGO repaired: every sleep changes parameters", Sleeping.RepairedChange > 0, Percent(Sleeping.RepairedChange)),
        new("MyGO repaired knows all tasks at the end, when they are told (90%)", Sleeping.Repaired >= 0.9, Percent(Sleeping.Repaired)),
        new("the same seed gives the same accuracies", Same, Same ? "equal bits" : "they differ"),
        new($"derivatives of every op agree with differences, orders 1 to {EngineChecks.GradOrder}", GradChecks > 0 && GradChecksFailed == 0,
            $"{GradChecks - GradChecksFailed} of {GradChecks}"),
    ];

    private static string Percent(double fraction) => double.IsNaN(fraction) ? "n/a" : $"{100 * fraction:F2}%";
}

/// <summary>What the quick suite looks at besides methods: derivatives of every op, and the speed of a few.</summary>
internal sealed record EngineChecks(IReadOnlyList<GradCheckRow> Gradients, Roof Roof, IReadOnlyList<OpTiming> Timings)
{
    /// <summary>Highest order of derivative checked.</summary>
    public const int GradOrder = 2;

    private const int SamplesPerOp = 2;
    private const double BenchSeconds = 0.25;
    private static readonly string[] BenchOps = ["matmul-256-nn", "matmul-1024-nn", "matmul-10x784x400-nt", "add-1048576", "tanh-1048576"];

    /// <summary>Makes them.</summary>
    public static EngineChecks Make(Ui ui)
    {
        var gradients = CheckGradients(ui);
        var roof = Roof.Measure();
        return new EngineChecks(gradients, roof, [.. OpBench.All.Where(o => BenchOps.Contains(o.Name)).Select(o =>
        {
            ui.Status($"speed of {o.Name}");
            return o.Time(BenchSeconds, ui.Cancel);
        })]);
    }

    /// <summary>The speeds as a table.</summary>
    public ReportTable Speeds => new(BenchCommand.Headings, [.. Timings.Select(t => BenchCommand.Row(t, Roof))]);

    private static List<GradCheckRow> CheckGradients(Ui ui)
    {
        var rows = new List<GradCheckRow>();
        foreach (var op in OpTable.All)
            for (int order = 1; order <= GradOrder; order++)
            {
                ui.Cancel.ThrowIfCancellationRequested();
                ui.Status($"gradients of {op.Name}, order {order}");
                if (GradCheck.RunRow(op, order, seed: 0, atMost: SamplesPerOp) is { Count: > 0 } reports)
                    rows.Add(new GradCheckRow(op.Name, order, reports));
            }
        return rows;
    }
}
