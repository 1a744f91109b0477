namespace Native;

/// <summary>Plain loops for the oracles of operations along one dim: a tensor [outer, n, inner] is cut into lines, each line mapped, and put back.</summary>
internal static class LineOracle
{
    /// <summary>Maps every line of n elements to a line of any one length.</summary>
    public static double[] Map(double[] x, int outer, int n, int inner, Func<double[], double[]> f) => Map(x, x, outer, n, inner, (a, _) => f(a));

    /// <summary>As above with lines of two tensors; the second's lines may have another length.</summary>
    public static double[] Map(double[] x, double[] other, int outer, int n, int inner, Func<double[], double[], double[]> f)
    {
        int m = outer * inner == 0 ? 0 : other.Length / (outer * inner);
        double[]? y = null;
        int length = 0;
        for (int o = 0; o < outer; o++)
            for (int j = 0; j < inner; j++)
            {
                var result = f(Line(x, o, n, inner, j), Line(other, o, m, inner, j));
                length = result.Length;
                y ??= new double[outer * length * inner];
                for (int i = 0; i < length; i++)
                    y[(o * length + i) * inner + j] = result[i];
            }
        return y ?? [];
    }

    private static double[] Line(double[] x, int o, int n, int inner, int j)
    {
        var line = new double[n];
        for (int i = 0; i < n; i++)
            line[i] = x[(o * n + i) * inner + j];
        return line;
    }

    public static double[] Softmax(double[] x)
    {
        double max = x.Max(), sum = 0;
        foreach (double v in x)
            sum += Math.Exp(v - max);
        return [.. x.Select(v => Math.Exp(v - max) / sum)];
    }
}
