namespace Native.Benchmarks;

/// <summary>One row of a gradient check: an op, or one order of it.</summary>
/// <param name="Op">The op's name.</param>
/// <param name="Order">Order of the derivative.</param>
/// <param name="Samples">Samples checked.</param>
/// <param name="Compared">Comparisons made.</param>
/// <param name="Worst">Largest difference between backward and difference quotient, over what was allowed; above 1 fails.</param>
/// <param name="Failure">The first failing report, else null.</param>
internal sealed record GradCheckRow(string Op, int Order, int Samples, int Compared, double Worst, string? Failure);

/// <summary>Runs the op table's own samples through <see cref="GradCheck"/>, in f64.</summary>
internal static class SampleGradCheck
{
    /// <summary>Checks the samples of one op at one order; null when no sample has a derivative of that order to check.</summary>
    public static GradCheckRow? Check(OpRow row, int order, ulong seed, int atMost = int.MaxValue)
    {
        int samples = 0, compared = 0;
        double worst = 0;
        string? failure = null;
        foreach (var sample in row.Samples.Where(s => s.Orders >= order && s.Inputs.All(i => i.Shape.Count > 0)))
        {
            if (samples == atMost)
                break;
            using var scope = TensorScope.Begin("gradcheck-sample");
            var random = new Generator(seed).Stream($"{row.Name}/{samples}");
            var inputs = sample.Inputs.Select(i => Make(i, random)).ToArray();
            if (!inputs.Any(t => t.DType.IsFloat()))
                continue;
            var report = GradCheck.RunAll(sample.Run, inputs, new GradCheckOptions
            {
                Name = $"{row.Name} ({sample.Label})",
                Order = order,
                Seed = seed,
                Mode = GradCheckMode.Projected,
                Kinks = KinkPolicy.Fail,
            });
            samples++;
            compared += report.Checked;
            if (report.Worst is { } w)
                worst = Math.Max(worst, w.Badness);
            if (!report.Passed)
                failure ??= report.ToString();
        }
        return samples == 0 ? null : new GradCheckRow(row.Name, order, samples, compared, worst, failure);
    }

    // As the samples ask: in their interval, away from kinks, pairwise apart where an op compares its inputs.
    private static Tensor Make(SampleInput input, Generator random)
    {
        long n = input.Shape.Count;
        var v = new double[n];
        bool whole = input.DType is { } d && !d.IsFloat();
        for (int i = 0; i < v.Length; i++)
        {
            double at = input.Distinct ? (i + 0.1 + 0.8 * random.NextDouble()) / n : random.NextDouble();
            v[i] = input.Low + (input.High - input.Low) * at;
            if (whole)
                v[i] = Math.Floor(v[i]);
            else if (Array.Exists(input.Kinks, k => Math.Abs(v[i] - k) < 0.1))
                v[i] = AwayFrom(input.Kinks.First(k => Math.Abs(v[i] - k) < 0.1), v[i], input);
        }
        if (input.Distinct)
            random.Shuffle<double>(v);
        return Tensor.From(input.Values ?? v, input.Shape).To(input.DType ?? DType.F64);
    }

    // From a tenth beside the kink to the gap's end, keeping the order of values so that distinct ones stay distinct.
    private static double AwayFrom(double kink, double x, SampleInput input)
    {
        double up = kink + 0.11 + 0.2 * (x - kink), down = kink - 0.11 + 0.2 * (x - kink);
        return (x >= kink && up <= input.High) || down < input.Low ? up : down;
    }
}
