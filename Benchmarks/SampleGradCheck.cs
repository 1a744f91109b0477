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
    /// <summary>
    /// Checks the samples of one op at one order; null when no sample has a derivative of that order to check. The seed that a failing test
    /// reports repeats that test's sample alone (as in <see cref="GradCheck.RunOp"/>); any other draws new inputs for every sample.
    /// </summary>
    public static GradCheckRow? Check(OpRow row, int order, ulong seed, int atMost = int.MaxValue)
    {
        ulong only = seed - SampleValues.Seed(row.Name, 0);
        var samples = only < (ulong)row.Samples.Count ? [row.Samples[(int)only]] : row.Samples;
        int count = 0, compared = 0;
        double worst = 0;
        string? failure = null;
        foreach (var sample in samples.Where(s => s.Orders >= order && SampleValues.Free(s).Any() && s.Inputs.All(i => i.Shape.Count > 0)).Take(atMost))
        {
            using var scope = TensorScope.Begin("gradcheck-sample");
            double[][] values = SampleValues.Draw(sample, seed);
            var (f, inputs) = SampleValues.Differentiable(sample,
                [.. sample.Inputs.Select((x, i) => SampleValues.ToTensor(values[i], x.Shape, x.DType ?? DType.F64))]);
            var report = GradCheck.RunAll(f, inputs, new GradCheckOptions
            {
                Name = $"{row.Name} ({sample.Label})",
                Order = order,
                Seed = seed,
                Mode = GradCheckMode.Projected,
            });
            count++;
            compared += report.Checked;
            if (report.Worst is { } w)
                worst = Math.Max(worst, w.Badness);
            if (!report.Passed)
                failure ??= report.ToString();
        }
        return count == 0 ? null : new GradCheckRow(row.Name, order, count, compared, worst, failure);
    }
}
