using Native.Methods;

namespace Native.Tests;

/// <summary>Figures over seeds, per class and in bits, against tables and numbers worked by hand.</summary>
public sealed class SpreadTests
{
    private static double Of(Metric m) => m.Value ?? throw new InvalidOperationException(m.ToString());

    /// <summary>Two-sided 95% points of Student's t, as printed in tables (Abramowitz and Stegun 26.10 and NIST's, to 8 digits by their closed forms).</summary>
    [Theory]
    [InlineData(0.975, 1, 12.7062047362)]
    [InlineData(0.975, 2, 4.3026527297)]
    [InlineData(0.975, 3, 3.1824463053)]
    [InlineData(0.975, 4, 2.7764451052)]
    [InlineData(0.975, 9, 2.2621571628)]
    [InlineData(0.975, 14, 2.1447866879)]
    [InlineData(0.975, 19, 2.0930240544)]
    [InlineData(0.975, 29, 2.0452296421)]
    [InlineData(0.975, 120, 1.9799304051)]
    [InlineData(0.995, 4, 4.6040948714)]
    [InlineData(0.95, 1, 6.3137515147)]
    [InlineData(0.9, 2, 1.8856180832)]
    [InlineData(0.5, 7, 0)]
    [InlineData(0.025, 4, -2.7764451052)]
    public void Quantiles_agree_with_the_tables(double p, double degrees, double expected) => Assert.Equal(expected, StudentT.Quantile(p, degrees), 1e-9);

    [Fact]
    public void Quantiles_agree_with_closed_forms_and_go_over_into_the_normal()
    {
        foreach (double p in (double[])[0.6, 0.8, 0.99, 0.9999])
        {
            // One degree is Cauchy's distribution; two have an algebraic form.
            Assert.Equal(Math.Tan(Math.PI * (p - 0.5)), StudentT.Quantile(p, 1), 1e-10 * StudentT.Quantile(p, 1));
            double a = 4 * p * (1 - p);
            Assert.Equal(2 * (p - 0.5) * Math.Sqrt(2 / a), StudentT.Quantile(p, 2), 1e-10 * StudentT.Quantile(p, 2));
        }
        Assert.Equal(1.959963984540, StudentT.Quantile(0.975, 1e7), 1e-6);
        Assert.Equal(0.5, StudentT.Tail(0, 5), 1e-15);
        foreach (double p in (double[])[0, 1, double.NaN])
            Assert.Throws<UsageException>(() => StudentT.Quantile(p, 4));
        Assert.Throws<UsageException>(() => StudentT.Quantile(0.9, 0.5));
    }

    [Fact]
    public void Five_seeds_by_hand()
    {
        // Deviations -2, -1, 0, 1, 2 from 12: squares 10.
        var s = Spread.Of([10.0, 11, 12, 13, 14]);
        Assert.Equal(12, Of(s.Mean));
        Assert.Equal(Math.Sqrt(2), Of(s.PopulationDeviation), 1e-15);
        Assert.Equal(Math.Sqrt(2.5), Of(s.SampleDeviation), 1e-15);
        Assert.Equal(2 * Math.Sqrt(0.5), Of(s.TwoStandardErrors), 1e-15);
        Assert.Equal(2.7764451052 * Math.Sqrt(0.5), Of(s.Interval), 1e-9);
        Assert.Equal(0, Of(Spread.Of([0.3, 0.3]).Interval));
    }

    [Fact]
    public void What_has_no_spread_says_so()
    {
        var one = Spread.Of([0.5]);
        Assert.Equal((0.5, 0.0), (Of(one.Mean), Of(one.PopulationDeviation)));
        Assert.Equal("n/a: one seed has no spread", one.Interval.ToString());
        Assert.Equal("n/a: one seed has no spread", one.SampleDeviation.ToString());
        Assert.Equal("n/a: no seed has a value", Spread.Of(Array.Empty<double>()).Mean.ToString());
        var undefined = Spread.Of([new Metric("f", "f", 0.5, null, ""), new Metric("f", "f", null, "joint training sees all tasks at once", "")]);
        Assert.Equal("n/a: joint training sees all tasks at once", undefined.Mean.ToString());
        Assert.Throws<NumericException>(() => Spread.Of([0.5, double.NaN]));
    }

    [Fact]
    public void Classes_are_counted_one_by_one()
    {
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental);
        var counts = ClassCounts.Of(stream);
        Assert.Equal((10, 10, 0L), (counts.Labels, counts.Outputs, counts.Total));
        Assert.Null(counts.Histogram());
        Assert.Equal("n/a: no test item was counted", counts.MeanRecall().ToString());
        // Class 0: three of four right; class 1: one of two; both wrong answers of class 0 and 1 say 9, as after the last task.
        foreach (var (label, output) in ((int, int)[])[(0, 0), (0, 0), (0, 0), (0, 9), (1, 1), (1, 9)])
            counts.Add(label, output);
        Assert.Equal(0.75, counts.Recall(0).Value);
        Assert.Equal(0.5, counts.Recall(1).Value);
        Assert.Equal("n/a: no test item of this class", counts.Recall(2).ToString());
        Assert.Equal(0.625, counts.MeanRecall().Value);
        Assert.All(counts.Histogram()!.Zip([3, 1, 0, 0, 0, 0, 0, 0, 0, 2]), p => Assert.Equal(p.Second / 6.0, p.First, 1e-12));
        Assert.Equal(2, counts[0, 9] + counts[1, 9]);
        // Shared outputs: class 3 is right with output 1.
        var shared = ClassCounts.Of(TaskStreamTests.Stream(Scenario.DomainIncremental));
        shared.Add(3, 1);
        shared.Add(3, 0);
        Assert.Equal((2, 0.5), (shared.Outputs, shared.Recall(3).Value));
        Assert.Throws<UsageException>(() => new ClassCounts([0, 3], 3));
    }

    [Fact]
    public void The_storage_of_the_papers_comes_out_to_the_bit()
    {
        Assert.Equal(6_272, StoredBits.Image(1, 28, 28));
        Assert.Equal(24_576, StoredBits.Image(3, 32, 32));
        Assert.Equal(500 * 6_272L, StoredBits.Items(500, TaskStreamTests.Tiny("x", 10) with { Height = 28, Width = 28 }));
        // ARM's model memory.
        foreach (var (parameters, megabytes) in ((long, double)[])[(478_410, 1.91), (1_094_750, 4.38), (1_157_240, 4.63)])
            Assert.Equal(megabytes, Math.Round(StoredBits.Megabytes(StoredBits.Model(parameters)), 2));
        // ARM's sample memory: 1000, 200, 100 and 10 images of CIFAR-10; 500, 50, 25 and 10 of MNIST.
        Assert.Equal([3.07, 0.61, 0.31, 0.03], ((int[])[1000, 200, 100, 10]).Select(n => Math.Round(StoredBits.Megabytes(n * StoredBits.Image(3, 32, 32)), 2)));
        Assert.Equal([0.39, 0.04, 0.02, 0.01], ((int[])[500, 50, 25, 10]).Select(n => Math.Round(StoredBits.Megabytes(n * StoredBits.Image(1, 28, 28)), 2)));
        Assert.Equal(4.5e6 * 8, StoredBits.Total(1, 0, 1_125_000));
    }

    [Fact]
    public void Codes_cost_what_scalable_recollections_says()
    {
        (int C, int L)[] codes = [(76, 2), (104, 4), (139, 8), (620, 3)];
        Assert.Equal([76, 208, 417, 1240], codes.Select(c => StoredBits.Code(c.C, c.L)));
        Assert.Equal(139 * 3, StoredBits.CodeInformation(139, 8), 1e-12);
        // Not a power of two: 620 x 3 is 982.7 bits of information, 1240 as stored.
        Assert.Equal(982.68, StoredBits.CodeInformation(620, 3), 0.01);
        // 3000 codes of 104 x 4 and 139 x 8 in images of MNIST; 5000 of 48 x 2 to 294 x 2 in images of CIFAR.
        Assert.Equal([99.5, 199.5], codes[1..3].Select(c => Math.Round(StoredBits.ImageEquivalents(3000 * StoredBits.Code(c.C, c.L), 6_272), 1)));
        Assert.Equal([9.77, 19.94, 49.64, 59.81], ((int[])[48, 98, 244, 294]).Select(c => Math.Round(StoredBits.ImageEquivalents(5000 * StoredBits.Code(c, 2), 24_576), 2)));
        Assert.Equal(199.9, Math.Round(StoredBits.ImageEquivalents(5000 * StoredBits.CodeInformation(620, 3), 24_576), 1));
        // Table 3: an auto-encoder of 76 x 2 and 1392 codes within 200 images of CIFAR; one code more does not fit.
        long parameters = AutoEncoder(channels: 3, 76 * 2 / 4);
        Assert.Equal(150_293, parameters);
        Assert.Equal(4_915_168, StoredBits.Total(1392, StoredBits.Code(76, 2), parameters));
        Assert.True(StoredBits.Total(1392, 76, parameters) <= 200 * 24_576 && StoredBits.Total(1393, 76, parameters) > 200 * 24_576);
        // Distillation: 50,000 MNIST images against 50,000 codes and their auto-encoder.
        foreach (var (c, compression) in ((int, double)[])[(168, 10.07), (62, 50.3), (38, 101.5)])
            Assert.Equal(compression, 50_000 * 6_272.0 / StoredBits.Total(50_000, StoredBits.Code(c, 2), AutoEncoder(1, c * 2 / 4)), 0.05);
        // EWC on rotated MNIST: 18,288 images for 20 tasks of an MLP of 89,610 parameters.
        Assert.Equal(18_288, Math.Round(StoredBits.ImageEquivalents(StoredBits.Ewc(89_610, 20), 6_272)));
        Assert.Throws<UsageException>(() => StoredBits.Code(3, 1));
    }

    // Three convolutions of width F = c l / 4 and three back, kernel 5, with biases.
    private static long AutoEncoder(int channels, long f) => 25 * channels * f * 2 + 25 * f * f * 4 + 5 * f + channels;
}
