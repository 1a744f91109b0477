namespace Native.Tests;

public class GeneratorTests
{
    // The philox4x32 10 rows of kat_vectors in the authors' Random123 distribution.
    [Theory]
    [InlineData(0UL, 0UL, 0UL, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(0x299f31d0a4093822UL, 0x85a308d3243f6a88UL, 0x0370734413198a2eUL, 0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void PhiloxGivesThePublishedAnswers(ulong key, ulong lo, ulong hi, uint e0, uint e1, uint e2, uint e3)
    {
        Philox.Block(key, lo, hi, out uint r0, out uint r1, out uint r2, out uint r3);
        Assert.Equal((e0, e1, e2, e3), (r0, r1, r2, r3));
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(5UL)]
    [InlineData(0xFFFFFFFDUL)]          // the counter carries into its second word inside a vector
    [InlineData(0xFFFFFFFFFFFFFFFDUL)]  // and wraps
    public void FillEqualsBlockByBlock(ulong counter)
    {
        foreach (int length in new[] { 0, 1, 3, 4, 15, 16, 17, 31, 32, 33, 64, 131 })
        {
            var words = new uint[length + 1];
            words[length] = 0xDEADBEEF;
            Philox.Fill(77, counter, words.AsSpan(0, length));
            for (int i = 0; i < length; i++)
            {
                var r = new uint[4];
                Philox.Block(77, unchecked(counter + (ulong)(i / 4)), 0, out r[0], out r[1], out r[2], out r[3]);
                Assert.Equal(r[i % 4], words[i]);
            }
            Assert.Equal(0xDEADBEEF, words[length]);
        }
    }

    [Fact]
    public void ScalarDrawsAndFillsAreOneSequence()
    {
        var g = new Generator(9);
        var (key, counter) = g.Reserve(3);
        Assert.Equal((9UL, 0UL), (key, counter));
        var filled = new uint[12];
        Philox.Fill(key, counter, filled);

        var scalar = new Generator(9);
        Assert.Equal(filled, Enumerable.Range(0, 12).Select(_ => scalar.NextUInt32()).ToArray());
        Assert.Equal(g.State, scalar.State);
        Assert.Equal(scalar.NextUInt32(), g.NextUInt32());
        Assert.Equal(4UL, g.Reserve(1).Counter);    // block 3 is half used: a fill starts on the next whole one
        Assert.Equal(5UL, g.Reserve(0).Counter);
    }

    [Fact]
    public void StateRestoresInTheMiddleOfABlock()
    {
        var g = new Generator(3);
        for (int skip = 0; skip < 9; skip++, g.NextUInt32())
        {
            var saved = g.State;
            var next = Enumerable.Range(0, 7).Select(_ => g.NextUInt32()).ToArray();
            var other = new Generator(1234) { State = saved };
            Assert.Equal(next, Enumerable.Range(0, 7).Select(_ => other.NextUInt32()).ToArray());
            g.State = saved;
        }
    }

    [Fact]
    public void StreamsDependOnKeyAndNameOnly()
    {
        var parent = new Generator(1);
        ulong before = parent.Stream("dropout").Seed;
        parent.NextUInt32();
        Assert.Equal(before, parent.Stream("dropout").Seed);
        Assert.Equal(1UL, parent.State.Counter);

        var seeds = new HashSet<ulong>();
        for (ulong seed = 0; seed < 50; seed++)
            foreach (string name in new[] { "", "a", "b", "ab", "ba", "init", "données", "init/weight", "init/bias" })
            {
                var child = new Generator(seed).Stream(name);
                Assert.True(seeds.Add(child.Seed));
                Assert.True(seeds.Add(child.Stream(name).Seed));
            }
    }

    [Fact]
    public void StreamKeysArePinned() => Assert.Equal(0x11a39b95d073dcfaUL, new Generator(1).Stream("dropout").Seed);

    [Fact]
    public void StreamsAreUncorrelated()
    {
        var a = new Generator(1).Stream("a");
        var b = new Generator(1).Stream("b");
        const int n = 100_000;
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += (a.NextDouble() - 0.5) * (b.NextDouble() - 0.5);
        double sigma = 1 / 12.0 / Math.Sqrt(n);
        Assert.True(Math.Abs(sum / n) < 5 * sigma, $"covariance {sum / n}");
    }

    [Fact]
    public void FloatsAreUniformAndBelowOne()
    {
        var g = new Generator(42);
        var single = new int[256];
        var both = new int[256];
        const int n = 256 * 1000;
        for (int i = 0; i < n; i++)
        {
            float f = g.NextSingle();
            double d = g.NextDouble();
            Assert.True(f >= 0 && f < 1 && d >= 0 && d < 1);
            single[(int)(f * 256)]++;
            both[(int)(f * 16) * 16 + (int)(d * 16)]++;
        }
        // 255 degrees of freedom: mean 255, sigma 22.6; outside six sigma means a broken generator.
        foreach (var counts in new[] { single, both })
        {
            double chi = counts.Sum(c => (c - 1000.0) * (c - 1000.0) / 1000.0);
            Assert.True(chi is > 120 and < 390, $"chi-square {chi}");
        }
        Assert.Equal(0x6627e8 / 16777216f, new Generator(0).NextSingle());
        Assert.Equal(((0x6627e8d5u >> 5) * (double)(1 << 26) + (0xe169c58du >> 6)) / (1L << 53), new Generator(0).NextDouble());
    }

    [Fact]
    public void IntegersStayInBoundsAndAreUnbiased()
    {
        var g = new Generator(7);
        foreach (long bound in new[] { 1, 2, 3, 10, 1L << 40, long.MaxValue })
            for (int i = 0; i < 200; i++)
                Assert.InRange(g.NextInt64(bound), 0, bound - 1);

        // 2^64 holds this bound 8/3 times: a modulo would favour low values, and a multiply without its second draw two residues of three.
        long large = 3L << 61;
        int[] thirds = new int[3], residues = new int[3];
        for (int i = 0; i < 30_000; i++)
        {
            long v = g.NextInt64(large);
            thirds[(int)(v / (1L << 61))]++;
            residues[(int)(v % 3)]++;
        }
        Assert.All(thirds.Concat(residues), t => Assert.InRange(t, 9_500, 10_500));

        foreach (long bad in new[] { 0L, -1L, long.MinValue })
            Assert.Equal($"generator: the upper bound of an integer must be positive; got {bad}. Pass 1 or more.",
                Assert.Throws<UsageException>(() => g.NextInt64(bad)).Message);
    }

    [Fact]
    public void PermutationsAreCompleteAndEveryOrderIsAsLikely()
    {
        var g = new Generator(11);
        var p = g.Permutation(1000);
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => (long)i), p.Order());
        Assert.NotEqual(Enumerable.Range(0, 1000).Select(i => (long)i), p);
        Assert.Empty(g.Permutation(0));

        var seen = new Dictionary<string, int>();
        for (int i = 0; i < 24_000; i++)
        {
            string key = string.Join(' ', g.Permutation(4));
            seen[key] = seen.GetValueOrDefault(key) + 1;
        }
        Assert.Equal(24, seen.Count);
        Assert.All(seen.Values, c => Assert.InRange(c, 820, 1180));

        Assert.Throws<UsageException>(() => g.Permutation(-1));
        Assert.Throws<UsageException>(() => g.Permutation(long.MaxValue));
    }
}
