using Native.Methods;

namespace Native.Tests;

/// <summary>Gradient Episodic Memory's programme: optimality conditions, brute force, and what the projection promises.</summary>
public sealed class GemTests
{
    // Random symmetric positive definite P of rank n, some of them nearly singular.
    private static (double[,] P, double[] Q) Problem(int n, ulong seed, double thin = 1e-8)
    {
        var random = new Generator(seed);
        double[] draw(int count) => [.. Enumerable.Range(0, count).Select(_ => 2 * random.NextDouble() - 1)];
        double[] a = draw(n * n), q = draw(n);
        double ridge = seed % 3 == 0 ? thin : 0.05;
        var p = new double[n, n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
            {
                // Of lower rank than n in every second problem.
                int rank = seed % 2 == 0 ? Math.Max(1, n - 1) : n;
                for (int k = 0; k < rank; k++)
                    p[i, j] += a[i * n + k] * a[j * n + k];
                p[i, j] += i == j ? ridge : 0;
            }
        return (p, q);
    }

    private static double Value(double[,] p, double[] q, double[] v)
    {
        double value = 0;
        for (int i = 0; i < v.Length; i++)
        {
            value += q[i] * v[i];
            for (int j = 0; j < v.Length; j++)
                value += 0.5 * v[i] * p[i, j] * v[j];
        }
        return value;
    }

    private static double[] Slope(double[,] p, double[] q, double[] v) =>
        [.. Enumerable.Range(0, v.Length).Select(i => q[i] + Enumerable.Range(0, v.Length).Sum(j => p[i, j] * v[j]))];

    [Fact]
    public void The_optimality_conditions_hold()
    {
        for (ulong seed = 0; seed < 300; seed++)
        {
            int n = 1 + (int)(seed % 20);
            double lower = seed % 5 == 0 ? 0.5 : seed % 5 == 1 ? -0.3 : 0;
            var (p, q) = Problem(n, seed);
            double[] v = GemProjection.Solve(p, q, lower), slope = Slope(p, q, v);
            double scale = Math.Max(1, v.Max(Math.Abs));
            for (int i = 0; i < n; i++)
            {
                Assert.True(v[i] >= lower, $"seed {seed}: v[{i}] = {v[i]} is below {lower}");
                Assert.True(slope[i] >= -1e-9 * scale, $"seed {seed}: the value falls with v[{i}] (slope {slope[i]})");
                Assert.True(Math.Abs((v[i] - lower) * slope[i]) <= 1e-8 * scale * scale, $"seed {seed}: v[{i}] - {lower} = {v[i] - lower} with slope {slope[i]}");
            }
        }
    }

    [Fact]
    public void Up_to_three_constraints_it_agrees_with_trying_every_set_of_bounds()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            int n = 1 + (int)(seed % 3);
            double lower = seed % 2 == 0 ? 0.5 : 0;
            var (p, q) = Problem(n, 1000 + seed, thin: 1e-3);
            double best = double.PositiveInfinity;
            double[] at = [];
            for (int free = 0; free < 1 << n; free++)
                if (Stationary(p, q, lower, free) is { } v && v.All(x => x >= lower - 1e-12) && Value(p, q, v) < best)
                    (best, at) = (Value(p, q, v), v);
            double[] found = GemProjection.Solve(p, q, lower);
            Assert.Equal(best, Value(p, q, found), 1e-9 * (1 + Math.Abs(best)));
            Assert.All(at.Zip(found), pair => Assert.Equal(pair.First, pair.Second, 1e-6 * (1 + Math.Abs(pair.First))));
        }
    }

    // The minimum when the variables of a bit mask are free and the others at their bound: Gauss with pivots, for at most three.
    private static double[]? Stationary(double[,] p, double[] q, double lower, int free)
    {
        int n = q.Length;
        var a = new double[n, n + 1];
        for (int i = 0; i < n; i++)
        {
            bool isFree = (free >> i & 1) != 0;
            for (int j = 0; j < n; j++)
                a[i, j] = isFree ? p[i, j] : i == j ? 1 : 0;
            a[i, n] = isFree ? -q[i] : lower;
        }
        for (int c = 0; c < n; c++)
        {
            int pivot = Enumerable.Range(c, n - c).MaxBy(r => Math.Abs(a[r, c]));
            if (Math.Abs(a[pivot, c]) < 1e-14)
                return null;
            for (int j = 0; j <= n; j++)
                (a[c, j], a[pivot, j]) = (a[pivot, j], a[c, j]);
            for (int r = 0; r < n; r++)
                if (r != c)
                {
                    double f = a[r, c] / a[c, c];
                    for (int j = c; j <= n; j++)
                        a[r, j] -= f * a[c, j];
                }
        }
        return [.. Enumerable.Range(0, n).Select(i => a[i, n] / a[i, i])];
    }

    [Fact]
    public void A_projected_gradient_opposes_no_memory_and_is_the_nearest_that_does_not() => OpKit.OnFreshThread(() =>
    {
        var exact = new GemOptions(Strength: 0, Epsilon: 0);
        var random = new Generator(8);
        for (int round = 0; round < 20; round++)
        {
            using var scope = TensorScope.Begin();
            Tensor memories = Tensor.Randn([3, 12], random), g = Tensor.Randn([12], random);
            float[] dots = memories.MatMul(g.Reshape(-1, 1)).ToArray<float>();
            var moved = Gem.Project(g, memories, exact);
            float[] after = memories.MatMul(moved.Reshape(-1, 1)).ToArray<float>();
            if (dots.All(d => d >= 0))
            {
                Assert.Equal(g.ToArray<float>(), moved.ToArray<float>());
                continue;
            }
            Assert.All(after, d => Assert.True(d >= -1e-4, $"still opposes a memory by {d}"));
            // Nearest: the way back is a combination of the memories that stand in the way, with weights of 0 or more; no feasible mixture is closer.
            double distance = (moved - g).Norm().Item();
            for (int k = 0; k < 50; k++)
            {
                var other = moved + 0.1 * Tensor.Randn([12], random);
                if (memories.MatMul(other.Reshape(-1, 1)).ToArray<float>().All(d => d >= 0))
                    Assert.True((other - g).Norm().Item() >= distance - 1e-4);
            }
        }
    });

    [Fact]
    public void The_margin_weighs_every_memory_once_one_is_opposed() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin();
        // Two orthogonal memories; the gradient opposes the first only.
        Tensor memories = Tensor.From([1f, 0, 0, 0, 1, 0], [2, 3]), g = Tensor.From(-2f, 3, 1);
        float[] moved = Gem.Project(g, memories, new GemOptions(Strength: 0.5, Epsilon: 0)).ToArray<float>();
        // v = (2, 0.5): the first by the violation, the second by the margin alone.
        Assert.Equal([0f, 3.5f, 1f], moved);
    });

    [Fact]
    public void What_is_no_programme_is_refused()
    {
        Assert.Contains("not positive definite", Assert.Throws<NumericException>(() => GemProjection.Solve(new double[,] { { 0 } }, [-1], 0)).Message);
        Assert.Contains("not finite", Assert.Throws<NumericException>(() => GemProjection.Solve(new double[,] { { 1 } }, [double.NaN], 0)).Message);
        Assert.Throws<ShapeException>(() => GemProjection.Solve(new double[,] { { 1 } }, [1, 2], 0));
    }

    [Fact]
    public void Memories_are_rings_of_equal_shares_by_task() => OpKit.OnFreshThread(() =>
    {
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental, train: 100);
        var ring = new RingBuffer(5, 4, stream.InputSize);
        // Seven images of task 1, two of task 3: the last four, each at its turn's place, and both.
        for (int i = 0; i < 7; i++)
            ring.Add([(byte)i, 0, 0, 0], 2 + i % 2, 1);
        ring.Add([50, 0, 0, 0], 6, 3);
        ring.Add([51, 0, 0, 0], 7, 3);
        Assert.Equal([0, 4, 0, 2, 0], Enumerable.Range(0, 5).Select(ring.Count));
        var one = ring.BatchOf(stream, 1);
        Assert.Equal([4, 5, 6, 3], one.Pixels.Chunk(4).Select(p => (int)p[0]));
        Assert.Equal([2, 3, 2, 3], one.Targets);
        Assert.Equal([1, 1, 1, 1], one.Tasks);
        Assert.Equal([50, 51], ring.BatchOf(stream, 3).Pixels.Chunk(4).Select(p => (int)p[0]));
        Assert.Equal(5L * 4 * 4 * 8, ring.StorageBits);
    });
}
