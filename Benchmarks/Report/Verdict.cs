namespace Native.Benchmarks;

/// <summary>How our number stands beside a published one.</summary>
/// <param name="Name">
/// <c>equivalent</c>, <c>better</c>, <c>worse</c>, <c>inconclusive</c>, <c>not comparable</c>, <c>not run</c>; for a claim <c>claim holds</c>, <c>claim fails</c> or <c>inconclusive</c>.
/// </param>
/// <param name="Reason">Why there is no other verdict; null where the numbers say it.</param>
internal sealed record Verdict(string Name, string? Reason = null)
{
    /// <summary>Margin around a published accuracy, in points of percent, where its own spread does not ask for more.</summary>
    public const double Points = 3;

    /// <summary>For a method that is not in the table of methods yet.</summary>
    public static Verdict NotBuilt { get; } = new("not run", "not built");

    public static Verdict NotRun(string reason) => new("not run", reason);

    public static Verdict NotComparable(string reason) => new("not comparable", reason);

    /// <summary>
    /// Equivalent: our 95% interval lies within the paper's value plus or minus the larger of twice its own spread and the margin. Better or worse: it
    /// lies wholly outside. Inconclusive otherwise, and whenever there is no interval.
    /// </summary>
    /// <param name="paper">Published value.</param>
    /// <param name="spread">Published spread, null when none is printed.</param>
    /// <param name="margin">Least tolerance, in the unit of the value.</param>
    /// <param name="higherIsBetter">Which side is the good one; null when neither is.</param>
    /// <param name="ours">Our mean and interval, in the unit of the value.</param>
    public static Verdict Of(double paper, double? spread, double margin, bool? higherIsBetter, TInterval ours)
    {
        if (ours.Count == 0)
            return NotRun("no seed is finished");
        if (!double.IsFinite(ours.Mean))
            return new Verdict("inconclusive", "our mean is not a number");
        if (ours is not { Low: { } low, High: { } high })
            return new Verdict("inconclusive", "one seed has no interval");
        double tolerance = Math.Max(2 * (spread ?? 0), margin);
        if (low >= paper - tolerance && high <= paper + tolerance)
            return new Verdict("equivalent");
        bool above = low > paper + tolerance, below = high < paper - tolerance;
        return (above, below, higherIsBetter) switch
        {
            (false, false, _) => new Verdict("inconclusive"),
            (_, _, null) => new Verdict("worse", above ? "above the paper" : "below the paper"),
            (true, _, true) or (_, true, false) => new Verdict("better"),
            _ => new Verdict("worse"),
        };
    }

    /// <summary>A claim that a difference exceeds a margin, from the differences by seed.</summary>
    public static Verdict OfClaim(TInterval difference, double margin)
    {
        if (difference.Count == 0)
            return NotRun("no seed is finished");
        if (!double.IsFinite(difference.Mean))
            return new Verdict("inconclusive", "the difference is not a number");
        if (difference is not { Low: { } low, High: { } high })
            return new Verdict("inconclusive", "one seed has no interval");
        return low > margin ? new Verdict("claim holds") : high < margin ? new Verdict("claim fails") : new Verdict("inconclusive");
    }

    /// <inheritdoc/>
    public override string ToString() => Reason is null ? Name : $"{Name}: {Reason}";
}
