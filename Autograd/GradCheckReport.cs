using System.Globalization;
using System.Text;

namespace Native;

/// <summary>How much of the Jacobian a <see cref="GradCheck"/> compares.</summary>
public enum GradCheckMode
{
    /// <summary>Every element: one difference quotient per input element, one reverse pass per output element. For small functions.</summary>
    Full,

    /// <summary>A few seeded random projections u'Jv. The cost does not depend on the size.</summary>
    Projected,
}

/// <summary>What to do at a point where the one-sided slopes differ.</summary>
public enum KinkPolicy
{
    /// <summary>The check fails and names the element: test data should keep away from kinks.</summary>
    Fail,

    /// <summary>The element is left out and counted.</summary>
    Skip,

    /// <summary>The derivative may be any number between the two slopes.</summary>
    Subgradient,
}

/// <summary>Settings of a <see cref="GradCheck"/>. The defaults suit f64.</summary>
public sealed record GradCheckOptions
{
    /// <summary>The function's name in the report.</summary>
    public string Name { get; init; } = "f";

    /// <summary>Order of the derivative compared: n compares the derivative of the (n-1)-th contracted gradient. 1 to 3.</summary>
    public int Order { get; init; } = 1;

    /// <summary>Everything, or projections.</summary>
    public GradCheckMode Mode { get; init; } = GradCheckMode.Full;

    /// <summary>Number of random projections (<see cref="GradCheckMode.Projected"/>).</summary>
    public int Directions { get; init; } = 3;

    /// <summary>Seed of the projections and contractions.</summary>
    public ulong Seed { get; init; }

    /// <summary>Relative tolerance; by default 1e-6 in f64, 5e-3 in f32.</summary>
    public double? RelativeTolerance { get; init; }

    /// <summary>Absolute tolerance; by default 1e-7 in f64, 2e-3 in f32.</summary>
    public double? AbsoluteTolerance { get; init; }

    /// <summary>Step for an element of size 1 or less (scaled up for larger ones); by default the cube root of the unit roundoff.</summary>
    public double? Step { get; init; }

    /// <summary>2: central differences. 4 (default): central differences at h and 2h, extrapolated (Richardson).</summary>
    public int Points { get; init; } = 4;

    /// <summary>What to do at kinks.</summary>
    public KinkPolicy Kinks { get; init; }

    /// <summary>Whether to demand that two backward passes agree bit for bit.</summary>
    public bool Repeat { get; init; } = true;

    /// <summary>Whether the incoming gradient counts as an input from order 2 on. When it does not, backward takes its shorter paths.</summary>
    public bool VaryIncoming { get; init; } = true;

    /// <summary>The command line that repeats this check, for an op of the library; null for a function of the user's, which no command knows.</summary>
    internal string? Replay { get; init; }

    /// <summary>Whether a failing projection is searched for its worst element.</summary>
    internal bool Localize { get; init; } = true;
}

/// <summary>One comparison of a derivative with a difference quotient.</summary>
/// <param name="Where">The element or projection, for example <c>d out[3] / d input 0 [1,2]</c>.</param>
/// <param name="Analytic">What backward says.</param>
/// <param name="Numeric">What the differences say.</param>
/// <param name="ErrorBar">Estimated error of the difference quotient: truncation and rounding.</param>
/// <param name="Tolerance">What was allowed.</param>
/// <param name="Ulps">Distance in units in the last place of the dtype checked.</param>
public sealed record GradCheckFinding(string Where, double Analytic, double Numeric, double ErrorBar, double Tolerance, double Ulps)
{
    internal double Badness => double.IsFinite(Analytic) && double.IsFinite(Numeric) ? Math.Abs(Analytic - Numeric) / Tolerance : double.PositiveInfinity;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Where}: analytic {Analytic:G17}, numeric {Numeric:G17} +- {ErrorBar:0.0e+0} (difference quotient); they differ by {Math.Abs(Analytic - Numeric):0.0e+0}, {Ulps:0.0e+0} ulp; allowed {Tolerance:0.0e+0}");
}

/// <summary>The result of a <see cref="GradCheck"/>.</summary>
public sealed class GradCheckReport
{
    private readonly List<string> _problems = [];
    private readonly List<string> _kinks = [];

    internal GradCheckReport(GradCheckOptions options, string inputs) => (Options, Inputs) = (options, inputs);

    /// <summary>What was asked for.</summary>
    public GradCheckOptions Options { get; }

    /// <summary>The inputs, printed.</summary>
    public string Inputs { get; }

    /// <summary>True when every comparison was made and none failed.</summary>
    public bool Passed => Failed == 0 && Unjudged == 0 && _problems.Count == 0;

    /// <summary>Number of comparisons.</summary>
    public int Checked { get; private set; }

    /// <summary>Comparisons that failed.</summary>
    public int Failed { get; private set; }

    /// <summary>Comparisons that could not be decided: the error of the difference quotient is above the tolerance.</summary>
    public int Unjudged { get; private set; }

    /// <summary>Elements at a kink, with their one-sided slopes.</summary>
    public IReadOnlyList<string> Kinks => _kinks;

    /// <summary>Faults that are no comparison: aliased inputs, wrong shape or dtype of a gradient, different bits in a second pass.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>The comparison that is furthest outside its tolerance, null when nothing was compared.</summary>
    public GradCheckFinding? Worst { get; private set; }

    internal void Problem(string text) => _problems.Add(text);

    internal void Kink(string text)
    {
        if (!_kinks.Contains(text))
            _kinks.Add(text);
    }

    internal void Judge(GradCheckFinding finding)
    {
        Checked++;
        double difference = Math.Abs(finding.Analytic - finding.Numeric);
        // A comparison with NaN is false, so NaN fails.
        bool fits = difference <= finding.Tolerance + finding.ErrorBar, sharp = finding.ErrorBar <= finding.Tolerance;
        if (!fits)
            Failed++;
        else if (!sharp)
            Unjudged++;
        if (Worst is null || (fits && sharp ? 0 : 1, finding.Badness).CompareTo((_worstIsBad, Worst.Badness)) > 0)
            (Worst, _worstIsBad) = (finding, fits && sharp ? 0 : 1);
    }

    private int _worstIsBad;

    internal void Localized(GradCheckFinding finding) => Worst = finding;

    /// <summary>The report: verdict, counts, the worst element, and for an op of the library the command that repeats the check.</summary>
    public override string ToString()
    {
        var o = Options;
        var text = new StringBuilder();
        text.Append($"gradcheck {o.Name}: {(Passed ? "passed" : "FAILED")}; order {o.Order}, {(o.Mode == GradCheckMode.Full ? "full" : $"{o.Directions} projections")}, seed {o.Seed}, inputs {Inputs}\n");
        text.Append($"  {Checked} compared, {Failed} failed, {Unjudged} undecided, {_kinks.Count} kinks\n");
        foreach (string p in _problems)
            text.Append($"  {p}\n");
        foreach (string k in _kinks.Take(5))
            text.Append($"  {k}\n");
        if (Worst is not null)
            text.Append($"  {(Passed ? "closest call" : "worst")}: {Worst}\n");
        if (Unjudged > 0)
            text.Append("  undecided: the function is too curved or too large for this step and tolerance; use smaller inputs, f64, or a looser tolerance\n");
        if (o.Replay is not null)
            text.Append($"  replay: {o.Replay}\n");
        return text.ToString().TrimEnd('\n');
    }
}
