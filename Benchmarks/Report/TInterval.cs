using Native.Methods;

namespace Native.Benchmarks;

/// <summary>Mean over seeds with its 95% interval, mean +- t(0.975, n-1) s / sqrt(n), s with n-1. NaN stays NaN, unlike in <see cref="Spread"/>, which refuses it.</summary>
/// <param name="Mean">Arithmetic mean; NaN when a value is NaN or there is none.</param>
/// <param name="Half">Half the interval's width; null for fewer than two values.</param>
/// <param name="Count">n.</param>
internal readonly record struct TInterval(double Mean, double? Half, int Count)
{
    /// <summary>Lower end; null when there is no interval.</summary>
    public double? Low => Mean - Half;

    /// <summary>Upper end; null when there is no interval.</summary>
    public double? High => Mean + Half;

    public static TInterval Of(IReadOnlyList<double> values)
    {
        int n = values.Count;
        if (n == 0)
            return new TInterval(double.NaN, null, 0);
        double mean = values.Sum() / n;
        if (n == 1)
            return new TInterval(mean, null, 1);
        double squares = values.Sum(v => (v - mean) * (v - mean));
        return new TInterval(mean, StudentT.Quantile(0.975, n - 1) * Math.Sqrt(squares / (n - 1) / n), n);
    }
}
