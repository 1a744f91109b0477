namespace Native.Methods;

/// <summary>
/// Figures of several seeds as one: mean and the several things that papers write behind the sign +-, each under its name. Automatic Recall
/// Machines prints the population deviation over 5 seeds; the code of Maximally Interfered Retrieval twice the standard error over 15 or 20; we
/// report the 95% interval of Student's t.
/// </summary>
public sealed class Spread
{
    private const string NoValues = "no seed has a value", OneValue = "one seed has no spread";

    private readonly string? _reason;

    private Spread(double[] values, string? reason)
    {
        (Values, _reason) = (values, reason);
        if (values.Length > 0)
            Centre = values.Average();
        if (values.Length > 0)
            Squares = values.Sum(v => (v - Centre) * (v - Centre));
    }

    private double Centre { get; }

    private double Squares { get; }

    /// <summary>The values, one per seed.</summary>
    public IReadOnlyList<double> Values { get; }

    /// <summary>Number of seeds.</summary>
    public int Count => Values.Count;

    /// <summary>Mean over seeds.</summary>
    public Metric Mean => Of("mean", "mean", 1, () => Centre, "sum / n");

    /// <summary>sqrt(sum (x - mean)^2 / n).</summary>
    public Metric PopulationDeviation => Of("populationDeviation", "population standard deviation", 1, () => Math.Sqrt(Squares / Count), "sqrt(sum (x - mean)^2 / n); ARM's +-");

    /// <summary>sqrt(sum (x - mean)^2 / (n - 1)).</summary>
    public Metric SampleDeviation => Of("sampleDeviation", "sample standard deviation", 2, () => Math.Sqrt(Squares / (Count - 1)), "sqrt(sum (x - mean)^2 / (n - 1))");

    /// <summary>2 s / sqrt(n), with the sample deviation s: what the code of Maximally Interfered Retrieval prints.</summary>
    public Metric TwoStandardErrors => Of("twoStandardErrors", "two standard errors", 2, () => 2 * Math.Sqrt(Squares / (Count - 1) / Count), "2 s / sqrt(n), s the sample deviation; MIR's +-");

    /// <summary>Half of the 95% interval of the mean: t(0.975, n - 1) s / sqrt(n).</summary>
    public Metric Interval => Of("interval95", "95% interval, half width", 2,
        () => StudentT.Quantile(0.975, Count - 1) * Math.Sqrt(Squares / (Count - 1) / Count), "t(0.975, n - 1) s / sqrt(n)");

    /// <summary>The figures of seeds. One that is undefined for any seed is undefined for all, with that seed's reason.</summary>
    public static Spread Of(IEnumerable<Metric> perSeed)
    {
        Metric[] metrics = [.. perSeed];
        string? reason = metrics.FirstOrDefault(m => m.Value is null)?.Reason;
        return reason is null ? Of(metrics.Select(m => m.Value!.Value)) : new Spread([], reason);
    }

    /// <summary>The figures of seeds as numbers; <see cref="NumericException"/> for one that is not finite.</summary>
    public static Spread Of(IEnumerable<double> values)
    {
        double[] all = [.. values];
        foreach (double v in all)
            if (!double.IsFinite(v))
                throw new NumericException($"spread: {v} is not a figure. Find the run that made it.");
        return new Spread(all, null);
    }

    private Metric Of(string key, string name, int least, Func<double> value, string definition) =>
        Count >= least ? new Metric(key, name, value(), null, definition) : new Metric(key, name, null, _reason ?? (Count == 0 ? NoValues : OneValue), definition);
}

/// <summary>Student's t distribution.</summary>
public static class StudentT
{
    /// <summary>The number that a variable with so many degrees of freedom stays below with probability <paramref name="p"/>; to about 1e-12.</summary>
    public static double Quantile(double p, double degrees)
    {
        if (!(p > 0 && p < 1) || !(degrees >= 1))
            throw new UsageException($"student t: p = {p} with {degrees} degrees of freedom; p lies between 0 and 1 and there is at least one degree.");
        if (p == 0.5)
            return 0;
        if (p < 0.5)
            return -Quantile(1 - p, degrees);
        // The tail above t falls as t grows: bracket, then halve. 200 halvings are more than a double has bits.
        double tail = 1 - p, low = 0, high = 1;
        while (Tail(high, degrees) > tail)
            high *= 2;
        for (int i = 0; i < 200 && high - low > 1e-15 * high; i++)
        {
            double middle = low + (high - low) / 2;
            (low, high) = Tail(middle, degrees) > tail ? (middle, high) : (low, middle);
        }
        return low + (high - low) / 2;
    }

    /// <summary>P(T &gt; t) for t of 0 or more: half the regularised incomplete beta function at n/(n + t^2) with n/2 and 1/2.</summary>
    public static double Tail(double t, double degrees) => 0.5 * IncompleteBeta(degrees / (degrees + t * t), t * t / (degrees + t * t), degrees / 2, 0.5);

    /// <summary>I_x(a,b) by its continued fraction (Abramowitz and Stegun 26.5.8); 1 - x is given beside x, exact where x is near 1.</summary>
    private static double IncompleteBeta(double x, double complement, double a, double b)
    {
        if (x <= 0)
            return 0;
        if (complement <= 0)
            return 1;
        double front = Math.Exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + a * Math.Log(x) + b * Math.Log(complement));
        return x < (a + 1) / (a + b + 2) ? front * Fraction(x, a, b) / a : 1 - front * Fraction(complement, b, a) / b;
    }

    // Evaluated by Lentz's method.
    private static double Fraction(double x, double a, double b)
    {
        const double tiny = 1e-300;
        double c = 1, d = 1 / Guard(1 - (a + b) * x / (a + 1)), value = d;
        for (int m = 1; m <= 1000; m++)
        {
            double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            d = 1 / Guard(1 + even * d);
            c = Guard(1 + even / c);
            value *= d * c;
            double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
            d = 1 / Guard(1 + odd * d);
            c = Guard(1 + odd / c);
            value *= d * c;
            if (Math.Abs(d * c - 1) < 1e-16)
                break;
        }
        return value;
        static double Guard(double v) => Math.Abs(v) < tiny ? tiny : v;
    }

    /// <summary>ln of the gamma function: Stirling's series (Abramowitz and Stegun 6.1.41) at an argument moved above 15.</summary>
    private static double LogGamma(double x)
    {
        double shift = 0;
        for (; x < 15; x++)
            shift += Math.Log(x);
        double r = 1 / (x * x);
        double series = (1 / 12.0 - r * (1 / 360.0 - r * (1 / 1260.0 - r * (1 / 1680.0 - r * (1 / 1188.0 - r * 691 / 360360.0))))) / x;
        return (x - 0.5) * Math.Log(x) - x + 0.5 * Math.Log(Math.Tau) + series - shift;
    }
}
