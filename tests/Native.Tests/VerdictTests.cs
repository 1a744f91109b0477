using Native.Benchmarks;

namespace Native.Tests;

/// <summary>The arithmetic of verdicts, and tables on their way out.</summary>
public sealed class VerdictTests
{
    private static TInterval Ours(double mean, double? half, int n = 5) => new(mean, half, n);

    [Theory]
    // paper 50 +- 1: the margin of 3 points is larger than twice the spread.
    [InlineData(50, 1.0, 50, 3.0, "equivalent")]
    [InlineData(50, 1.0, 47.5, 0.5, "equivalent")]
    [InlineData(50, 1.0, 50, 3.001, "inconclusive")]
    [InlineData(50, 1.0, 52.5, 1.0, "inconclusive")]
    [InlineData(50, 1.0, 54, 0.9, "better")]
    [InlineData(50, 1.0, 54, 1.0, "inconclusive")]
    [InlineData(50, 1.0, 46, 0.9, "worse")]
    // paper 50 +- 4: twice the spread is larger.
    [InlineData(50, 4.0, 57, 1.0, "equivalent")]
    [InlineData(50, 4.0, 60, 1.0, "better")]
    [InlineData(50, 4.0, 58, 1.0, "inconclusive")]
    // no spread printed; all seeds equal.
    [InlineData(50, null, 53, 0.0, "equivalent")]
    [InlineData(50, null, 53.5, 0.0, "better")]
    [InlineData(50, 0.0, 46.5, 0.0, "worse")]
    public void The_verdict_is_where_the_interval_lies(double paper, double? spread, double mean, double half, string verdict)
    {
        Assert.Equal(verdict, Verdict.Of(paper, spread, 3, true, Ours(mean, half)).Name);
        // Where less is better, what lies outside changes sides and nothing else does.
        string opposite = verdict switch { "better" => "worse", "worse" => "better", _ => verdict };
        Assert.Equal(opposite, Verdict.Of(paper, spread, 3, false, Ours(mean, half)).Name);
    }

    [Fact]
    public void Without_an_interval_nothing_is_concluded()
    {
        Assert.Equal("inconclusive: one seed has no interval", Verdict.Of(50, 1, 3, true, TInterval.Of([50])).ToString());
        Assert.Equal("inconclusive: our mean is not a number", Verdict.Of(50, 1, 3, true, TInterval.Of([50, double.NaN, 50])).ToString());
        Assert.Equal("inconclusive: our mean is not a number", Verdict.Of(50, 1, 3, true, TInterval.Of([double.PositiveInfinity, 50])).ToString());
        Assert.Equal("not run: no seed is finished", Verdict.Of(50, 1, 3, true, TInterval.Of([])).ToString());
        Assert.Equal("inconclusive", Verdict.Of(50, 1, double.NaN, true, Ours(50, double.NaN)).Name);
        Assert.Equal("worse: above the paper", Verdict.Of(50, null, 1, null, Ours(60, 0)).ToString());
    }

    [Fact]
    public void A_claim_is_about_the_difference_by_seed()
    {
        Assert.Equal("claim holds", Verdict.OfClaim(Ours(2, 1.9), 0).Name);
        Assert.Equal("inconclusive", Verdict.OfClaim(Ours(2, 2), 0).Name);
        Assert.Equal("claim fails", Verdict.OfClaim(Ours(-2, 1.9), 0).Name);
        Assert.Equal("claim holds", Verdict.OfClaim(Ours(-2, 1.9), -5).Name);
        Assert.Equal("inconclusive", Verdict.OfClaim(TInterval.Of([double.NaN, 1]), 0).Name);
        Assert.Equal("inconclusive", Verdict.OfClaim(TInterval.Of([1]), 0).Name);
        Assert.Equal("not run", Verdict.OfClaim(TInterval.Of([]), 0).Name);
    }

    [Fact]
    public void The_interval_is_Students()
    {
        // t(0.975, 4) = 2.776445; s of 1..5 is sqrt(2.5).
        var t = TInterval.Of([1, 2, 3, 4, 5]);
        Assert.Equal(3, t.Mean);
        Assert.Equal(2.776445105 * Math.Sqrt(2.5 / 5), t.Half!.Value, 1e-8);
        Assert.Equal((0.0, 2), (TInterval.Of([7, 7]).Half, TInterval.Of([7, 7]).Count));
        Assert.Equal(12.7062047364, TInterval.Of([-1, 1]).Half!.Value, 1e-8);
        Assert.True(double.IsNaN(TInterval.Of([double.NaN, 1]).Mean));
        Assert.Null(TInterval.Of([1]).Half);
    }

    [Fact]
    public void Tables_are_escaped_for_where_they_go()
    {
        var table = new ReportTable(["name", "value>"], [["a,b \"c\"", "1"], ["x|y\\z\nnew", "50% ± 1_0 & {#$} <~^> \\ †"]]);
        Assert.Equal("name,value\r\n\"a,b \"\"c\"\"\",1\r\n\"x|y\\z\nnew\",50% ± 1_0 & {#$} <~^> \\ †\r\n", table.Csv());
        Assert.Equal("| name | value |\n| --- | ---: |\n| a,b \"c\" | 1 |\n| x\\|y\\\\z new | 50% ± 1_0 & {#$} <~^> \\\\ † |\n", table.Markdown());
        string tex = table.Latex("100% of a_b");
        Assert.Contains("\\begin{tabular}{lr}\n\\toprule\nname & value \\\\\n\\midrule\n", tex, StringComparison.Ordinal);
        Assert.Contains("x|y\\textbackslash{}z new & 50\\% $\\pm$ 1\\_0 \\& \\{\\#\\$\\} \\textless{}\\textasciitilde{}\\textasciicircum{}\\textgreater{} \\textbackslash{} $\\dagger$ \\\\\n", tex, StringComparison.Ordinal);
        Assert.Contains("\\caption{100\\% of a\\_b}", tex, StringComparison.Ordinal);
    }
}
