using Native.Methods;

namespace Native.Tests;

/// <summary>Landmarks that are unlike one another: algorithm 3 and the determinantal point process, against counting everything.</summary>
[Trait("Category", "Cpu")]
public sealed class DiverseSamplingTests
{
    private static float[] Similarity(int n, int dims, ulong seed)
    {
        var random = new Generator(seed);
        float[][] x = [.. Enumerable.Range(0, n).Select(_ => Enumerable.Range(0, dims).Select(_ => random.NextSingle() - 0.3f).ToArray())];
        return [.. x.SelectMany(a => x.Select(b => a.Zip(b, (p, q) => p * q).Sum()))];
    }

    [Theory]
    [InlineData(7, 4, 1.0)]
    [InlineData(12, 5, 1.0)]
    [InlineData(12, 12, 1.0)]
    [InlineData(9, 5, 0.5)]
    public void After_two_points_each_landmark_is_the_least_similar_of_the_subset(int n, int landmarks, double subset)
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            float[] s = Similarity(n, 5, seed);
            int[] chosen = Msss.Choose(s, landmarks, new Generator(seed), subset);
            Assert.Equal(landmarks, chosen.Distinct().Count());
            // The same draws, the sums counted anew for every point.
            var random = new Generator(seed);
            List<int> rest = [.. Enumerable.Range(0, n)], taken = [];
            for (int i = 0; i < landmarks; i++)
            {
                double sum(int p) => taken.Sum(j => (double)s[j * n + p] * s[j * n + p]);
                int[] look = i < 2 ? [rest[(int)random.NextInt64(rest.Count)]] : Math.Max(1, (int)Math.Round(subset * rest.Count)) is var m && m == rest.Count ? [.. rest]
                    : [.. random.Permutation(rest.Count)[..m].Order().Select(k => rest[(int)k])];
                int best = look.MinBy(sum);
                Assert.Equal(best, chosen[i]);
                taken.Add(best);
                rest.Remove(best);
            }
        }
    }

    [Fact]
    public void Landmarks_of_clusters_come_from_different_clusters()
    {
        // Four directions, five points each: points of one cluster are alike, of two orthogonal.
        const int clusters = 4, each = 5, n = clusters * each;
        var s = new float[n * n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                s[i * n + j] = i / each == j / each ? 1 : 0;
        int complete = 0;
        for (ulong seed = 0; seed < 50; seed++)
            complete += Msss.Choose(s, clusters + 1, new Generator(seed)).Select(p => p / each).Distinct().Count() == clusters ? 1 : 0;
        // Only the first two are left to chance; one more point makes up for a pair that is alike.
        Assert.Equal(50, complete);
    }

    [Fact]
    public void Sets_are_drawn_in_proportion_to_their_determinants()
    {
        const int n = 5, k = 2, draws = 20_000;
        float[] s = Similarity(n, 4, 3);
        double det(int i, int j) => (double)s[i * n + i] * s[j * n + j] - (double)s[i * n + j] * s[j * n + i];
        var pairs = Enumerable.Range(0, n).SelectMany(i => Enumerable.Range(i + 1, n - i - 1).Select(j => (i, j))).ToArray();
        double total = pairs.Sum(p => det(p.i, p.j));
        var found = pairs.ToDictionary(p => p, _ => 0);
        var random = new Generator(11);
        for (int d = 0; d < draws; d++)
        {
            int[] set = [.. DeterminantalPoints.Choose(s, k, random).Order()];
            found[(set[0], set[1])]++;
        }
        foreach (var p in pairs)
        {
            double expected = det(p.i, p.j) / total;
            Assert.InRange((double)found[p] / draws, expected - 0.015, expected + 0.015);
        }
    }

    [Fact]
    public void Single_points_are_drawn_in_proportion_to_their_lengths_and_all_points_always()
    {
        float[] s = Similarity(4, 6, 5);
        double trace = Enumerable.Range(0, 4).Sum(i => (double)s[i * 4 + i]);
        var random = new Generator(2);
        var count = new int[4];
        for (int d = 0; d < 20_000; d++)
            count[DeterminantalPoints.Choose(s, 1, random)[0]]++;
        for (int i = 0; i < 4; i++)
            Assert.InRange(count[i] / 20_000.0, s[i * 5] / trace - 0.015, s[i * 5] / trace + 0.015);
        Assert.Equal([0, 1, 2, 3], DeterminantalPoints.Choose(s, 4, random).Order());
    }

    [Fact]
    public void Eigenvectors_are_orthonormal_and_put_the_matrix_together()
    {
        const int n = 30;
        float[] s = Similarity(n, n, 8);
        var matrix = new double[n, n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                matrix[i, j] = s[i * n + j];
        var (values, v) = DeterminantalPoints.Eigen(matrix);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
            {
                Assert.Equal(i == j ? 1 : 0, Enumerable.Range(0, n).Sum(k => v[k, i] * v[k, j]), 1e-10);
                Assert.Equal((matrix[i, j] + matrix[j, i]) / 2, Enumerable.Range(0, n).Sum(k => values[k] * v[i, k] * v[j, k]), 1e-6);
            }
    }

    [Fact]
    public void Mistakes_get_a_sentence()
    {
        Assert.Contains("from 2 to n landmarks", Assert.Throws<UsageException>(() => Msss.Choose(new float[9], 4, new Generator(0))).Message, StringComparison.Ordinal);
        Assert.Contains("subset of NaN", Assert.Throws<UsageException>(() => Msss.Choose(new float[9], 2, new Generator(0), double.NaN)).Message, StringComparison.Ordinal);
        Assert.Contains("rank 1", Assert.Throws<UsageException>(() => DeterminantalPoints.Choose([1, 1, 1, 1], 2, new Generator(0))).Message, StringComparison.Ordinal);
        Assert.Throws<NumericException>(() => DeterminantalPoints.Choose([1, float.NaN, float.NaN, 1], 1, new Generator(0)));
        Assert.Throws<NumericException>(() => Msss.Choose([.. Enumerable.Repeat(float.NaN, 16)], 3, new Generator(0)));
    }
}
