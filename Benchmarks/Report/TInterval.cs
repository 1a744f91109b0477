namespace Native.Benchmarks;

/// <summary>Mean over seeds with its 95% interval, mean +- t(0.975, n-1) s / sqrt(n), s with n-1 (Student 1908).</summary>
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
        return new TInterval(mean, Quantile(n - 1) * Math.Sqrt(squares / (n - 1) / n), n);
    }

    /// <summary>The 0.975 quantile of Student's distribution: where its tail holds 2.5%.</summary>
    /// <param name="freedom">Degrees of freedom, from 1.</param>
    public static double Quantile(int freedom)
    {
        double low = 0, high = 13;           // 12.706 for one degree of freedom, less for more
        for (int i = 0; i < 200 && high - low > 1e-14 * high; i++)
        {
            double t = (low + high) / 2;
            if (Tail(t, freedom) > 0.025)
                low = t;
            else
                high = t;
        }
        return (low + high) / 2;
    }

    // P(T > t) in closed form (Abramowitz and Stegun 26.7.3 and 26.7.4): finite sums of powers of cos(theta), tan(theta) = t / sqrt(freedom).
    private static double Tail(double t, int freedom)
    {
        double theta = Math.Atan(t / Math.Sqrt(freedom)), cos = Math.Cos(theta), sin = Math.Sin(theta), square = cos * cos, sum = 0;
        if (freedom % 2 == 0)
        {
            double term = 1;
            for (int k = 0; k < freedom / 2; k++, term *= square * (2 * k - 1) / (2 * k))
                sum += term;
            return (1 - sin * sum) / 2;
        }
        double odd = cos;
        for (int k = 1; k <= (freedom - 1) / 2; k++, odd *= square * (2 * k - 2) / (2 * k - 1))
            sum += odd;
        return (1 - 2 / Math.PI * (theta + sin * sum)) / 2;
    }
}
