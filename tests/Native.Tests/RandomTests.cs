using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Native.Tests;

/// <summary>Random fills: which word makes which element, the distributions, and the same bits everywhere.</summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed class RandomTests
{
    private const int N = 100_000;

    [Fact]
    public void Uniform_fills_are_the_scalar_draws()
    {
        var scalar = new Generator(5);
        Assert.Equal(Enumerable.Range(0, 1003).Select(_ => scalar.NextSingle()), Tensor.Rand([1003], new Generator(5)).ToArray<float>());
        scalar = new Generator(5);
        Assert.Equal(Enumerable.Range(0, 1003).Select(_ => scalar.NextDouble()), Tensor.Rand([1003], new Generator(5), dtype: DType.F64).ToArray<double>());
        scalar = new Generator(5);
        Assert.Equal(Enumerable.Range(0, 1003).Select(_ => 10 + scalar.NextInt64(77)), Tensor.RandInt(10, 87, [1003], new Generator(5)).ToArray<long>());
        Assert.Equal(new Generator(5).Permutation(50), Tensor.RandPerm(50, new Generator(5)).ToArray<long>());
    }

    [Fact]
    public void Derived_fills_follow_their_formulas_from_the_uniform_one()
    {
        double[] u = Tensor.Rand([1003], new Generator(9), dtype: DType.F64).ToArray<double>();
        double[] normal = Tensor.Randn([1002], new Generator(9), 1, 2, DType.F64).ToArray<double>();
        var pairs = new double[1002];
        for (int k = 0; k < 501; k++)
        {
            double r = Math.Sqrt(-2 * Math.Log(1 - u[2 * k])), t = 2 * Math.PI * u[2 * k + 1];
            (pairs[2 * k], pairs[2 * k + 1]) = (1 + 2 * r * Math.Cos(t), 1 + 2 * r * Math.Sin(t));
        }
        KernelKit.Close(pairs, normal, 1e-14, "normal");
        KernelKit.Close([.. u.Select(v => -Math.Log(-Math.Log(v)))], Tensor.Gumbel([1003], new Generator(9), DType.F64).ToArray<double>(), 1e-14, "gumbel");
        KernelKit.Close([.. u.Select(v => v < 0.3 ? 1.0 : 0)], Tensor.Bernoulli([1003], 0.3, new Generator(9), DType.F64).ToArray<double>(), 0, "bernoulli");
        KernelKit.Close([.. u.Select(v => v < 0.75 ? 1 / 0.75 : 0)], Tensor.DropoutMask([1003], 0.25, new Generator(9), DType.F64).ToArray<double>(), 0, "dropout");
        KernelKit.Close([.. u.Select(v => -3 + v * 5)], Tensor.Rand([1003], new Generator(9), -3, 2, DType.F64).ToArray<double>(), 0, "uniform");
    }

    [Fact]
    public void A_longer_fill_begins_with_the_shorter_one_and_fills_follow_each_other()
    {
        foreach (var dtype in new[] { DType.F32, DType.F64 })
            foreach (int n in new[] { 0, 1, 3, 511, 512, 513, 1024 })
            {
                double[] all = Tensor.Randn([2048], new Generator(3), dtype: dtype).To(DType.F64).ToArray<double>();
                Assert.Equal(all[..n], Tensor.Randn([n], new Generator(3), dtype: dtype).To(DType.F64).ToArray<double>());
            }
        var g = new Generator(3);
        Tensor.Rand([5], g);            // two blocks
        Assert.Equal(8UL, g.State.Counter);
        Tensor.Rand([5], g, dtype: DType.F64);
        Assert.Equal(20UL, g.State.Counter);
        Assert.Equal(Tensor.Rand([28], new Generator(3))[20..].ToArray<float>(), Tensor.Rand([8], g).ToArray<float>());
    }

    [Fact]
    public void Same_bits_for_any_number_of_threads()
    {
        foreach (var dtype in new[] { DType.F32, DType.F64 })
        {
            KernelKit.SameBitsOnAnyThreads(() => Tensor.Rand([N], new Generator(1), dtype: dtype).To(DType.F64).ToArray<double>(), "rand");
            KernelKit.SameBitsOnAnyThreads(() => Tensor.Randn([N], new Generator(1), dtype: dtype).To(DType.F64).ToArray<double>(), "randn");
            KernelKit.SameBitsOnAnyThreads(() => Tensor.Gumbel([N], new Generator(1), dtype).To(DType.F64).ToArray<double>(), "gumbel");
        }
        KernelKit.SameBitsOnAnyThreads(() => Tensor.RandInt(0, 1000, [N], new Generator(1)).To(DType.F64).ToArray<double>(), "randint");
    }

    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F64)]
    public void Distributions_pass_kolmogorov_and_smirnov(DType dtype)
    {
        Ks(Tensor.Rand([N], new Generator(11), dtype: dtype), x => x, "uniform");
        Ks(Tensor.Randn([N], new Generator(12), dtype: dtype), Phi, "normal");
        Ks(Tensor.Gumbel([N], new Generator(13), dtype), x => Math.Exp(-Math.Exp(-x)), "gumbel");
    }

    [Fact]
    public void Moments_are_those_of_the_distributions()
    {
        // Five standard errors of each mean.
        double error = 5 / Math.Sqrt(N);
        var z = Tensor.Randn([N], new Generator(21), dtype: DType.F64);
        Near(0, z.Mean().Item(), error);
        Near(1, z.Var().Item(), error * Math.Sqrt(2));
        Near(0, (z.Square() * z).Mean().Item(), error * Math.Sqrt(15));
        Near(3, z.Square().Square().Mean().Item(), error * Math.Sqrt(96));
        Near(0, (z[0..^1] * z[1..]).Mean().Item(), error);
        Near(0.577215664901533, Tensor.Gumbel([N], new Generator(22), DType.F64).Mean().Item(), error * Math.PI / Math.Sqrt(6));
        Near(0.3, Tensor.Bernoulli([N], 0.3, new Generator(23)).Mean().Item(), error * Math.Sqrt(0.21));
        Near(1, Tensor.DropoutMask([N], 0.9, new Generator(24)).Mean().Item(), error * 3);
        var counts = new double[7];
        foreach (int v in Tensor.RandInt(-3, 4, [N], new Generator(25), DType.I32).ToArray<int>())
            counts[v + 3]++;
        double chi2 = counts.Sum(n => Math.Pow(n - N / 7.0, 2) / (N / 7.0));
        Assert.True(chi2 < 22.5, $"chi-square {chi2} with 6 degrees of freedom; 22.5 is the 0.1 % point");
    }

    [Fact]
    public void Ends_are_where_they_are_said_to_be()
    {
        var tight = Tensor.Rand([N], new Generator(1), 1, 1 + 1.2e-7).ToArray<float>();
        Assert.All(tight, v => Assert.Equal(1f, v));
        Assert.All(Tensor.Gumbel([N], new Generator(2)).ToArray<float>(), v => Assert.True(float.IsFinite(v)));
        Assert.Equal(0, Tensor.Bernoulli([N], 0, new Generator(3)).Sum().Item());
        Assert.Equal(N, Tensor.Bernoulli([N], 1, new Generator(3)).Sum().Item());
        Assert.Equal([0, 0], Functional.Dropout(Tensor.Ones([2]), 1, new Generator(1)).ToArray<float>());
        var x = Tensor.Ones([2]);
        Assert.Same(x, Functional.Dropout(x, 0.5, new Generator(1), training: false));
        Assert.Throws<UsageException>(() => Tensor.RandInt(3, 3, [2], new Generator(1)));
        Assert.Throws<UsageException>(() => Tensor.RandInt(0, 257, [2], new Generator(1), DType.U8));
        Assert.Throws<UsageException>(() => Tensor.Bernoulli([2], double.NaN, new Generator(1)));
        Assert.Throws<DTypeException>(() => Tensor.Rand([2], new Generator(1), dtype: DType.I32));
    }

    // Recorded once. Other hardware and other instruction sets must give the same bits.
    [Fact]
    public void Known_answers()
    {
        Assert.Equal("820A4A2CA705 75F50C2FB1BC F83794ABFBE4 1158DB1E422A 371AB2C66713", string.Join(' ',
            Hash(Tensor.Rand([1000], new Generator(2026)).ToArray<float>()), Hash(Tensor.Randn([1000], new Generator(2026)).ToArray<float>()),
            Hash(Tensor.Randn([1000], new Generator(2026), dtype: DType.F64).ToArray<double>()), Hash(Tensor.Gumbel([1000], new Generator(2026)).ToArray<float>()),
            Hash(Tensor.RandInt(0, 1 << 20, [1000], new Generator(2026)).ToArray<long>())));
    }

    private static string Hash<T>(T[] values) where T : unmanaged => Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes(values.AsSpan())))[..12];

    private static void Near(double want, double got, double tolerance) => Assert.True(Math.Abs(got - want) <= tolerance, $"{got} instead of {want} within {tolerance}");

    // Below 1.95 / sqrt(n) with probability 0.999 when the distribution is right.
    private static void Ks(Tensor sample, Func<double, double> cumulative, string what)
    {
        double[] x = sample.To(DType.F64).ToArray<double>();
        Array.Sort(x);
        double worst = 0;
        for (int i = 0; i < x.Length; i++)
        {
            double f = cumulative(x[i]);
            worst = Math.Max(worst, Math.Max(f - (double)i / N, (i + 1.0) / N - f));
        }
        Assert.True(worst < 1.95 / Math.Sqrt(N), $"{what}: distance {worst}");
    }

    private static double Phi(double x) => 0.5 * (1 + MathFn.Erf(System.Runtime.Intrinsics.Vector512.Create(x / Math.Sqrt(2)))[0]);
}
