namespace Native;

/// <summary>Turns the description of a sample into numbers: the same ones on every machine for the same seed.</summary>
internal static class SampleValues
{
    /// <summary>The seed of a row's k-th sample.</summary>
    public static ulong Seed(string row, int k)
    {
        // FNV-1a: string.GetHashCode differs from run to run.
        ulong h = 14695981039346656037;
        foreach (char c in row)
            h = (h ^ c) * 1099511628211;
        return h + (ulong)k;
    }

    /// <summary>Values of every input, row-major; all of them exact in f32, so that f32 and f64 kernels see the same numbers.</summary>
    public static double[][] Draw(Sample s, ulong seed)
    {
        var random = new Generator(seed).Stream("sample");
        return [.. s.Inputs.Select(i => Draw(i, random))];
    }

    /// <summary>A dense tensor of the values.</summary>
    public static Tensor ToTensor(double[] v, Shape shape, DType dtype) => dtype switch
    {
        DType.F32 => Tensor.From(Array.ConvertAll(v, x => (float)x), shape),
        DType.F64 => Tensor.From(v, shape),
        DType.I32 => Tensor.From(Array.ConvertAll(v, x => (int)x), shape),
        DType.I64 => Tensor.From(Array.ConvertAll(v, x => (long)x), shape),
        DType.U8 => Tensor.From(Array.ConvertAll(v, x => (byte)x), shape),
        _ => Tensor.From(Array.ConvertAll(v, x => x != 0), shape),
    };

    /// <summary>Which inputs are differentiable.</summary>
    public static IEnumerable<int> Free(Sample s) => Enumerable.Range(0, s.Inputs.Length).Where(i => s.Inputs[i].DType is null);

    /// <summary>The sample as a function of its differentiable inputs (or of one of them) alone; the others stay as they are.</summary>
    public static (Func<Tensor[], Tensor[]> F, Tensor[] Inputs) Differentiable(Sample s, Tensor[] all, Func<Tensor[], Tensor[]>? run = null, int? only = null)
    {
        int[] free = only is { } one ? [one] : [.. Free(s)];
        return (x =>
        {
            var full = (Tensor[])all.Clone();
            for (int i = 0; i < free.Length; i++)
                full[free[i]] = x[i];
            return (run ?? s.Run)(full);
        }, [.. free.Select(i => all[i])]);
    }

    private static double[] Draw(SampleInput s, Generator random)
    {
        long n = s.Shape.Count;
        if (s.Values is { } given)
        {
            Check.That(given.Length == n, "sample", $"{given.Length} values for shape {s.Shape}.");
            return [.. given];
        }
        var v = new double[n];
        for (int i = 0; i < v.Length; i++)
            v[i] = Draw(s, i, n, random);
        if (s.Distinct)
            random.Shuffle(v.AsSpan());
        return v;
    }

    private static double Draw(SampleInput s, long i, long n, Generator random)
    {
        double width = s.High - s.Low;
        if (s.DType == DType.Bool)
            return random.NextInt64(2);
        if (s.DType is { } d && !d.IsFloat())
            return Math.Floor(s.Low + width * random.NextDouble());
        // Distinct values come one from each of n equal parts of the interval.
        double v = (float)(s.Low + width * (s.Distinct ? (i + 0.1 + 0.8 * random.NextDouble()) / n : random.NextDouble()));
        foreach (double kink in s.Kinks)
            if (Math.Abs(v - kink) < 0.1)
            {
                // Into the nearer neighbourhood, without meeting another value that was moved there.
                double side = (v >= kink && kink + 0.13 < s.High) || kink - 0.13 <= s.Low ? 1 : -1;
                return (float)(kink + side * (0.11 + 0.1 * Math.Abs(v - kink)));
            }
        return v;
    }
}
