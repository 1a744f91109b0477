namespace Native.Tests;

/// <summary>What the tests of modules, optimisers and derivatives share.</summary>
internal static class NnKit
{
    /// <summary>Reads a golden archive once; arrays by <c>case.name</c>.</summary>
    public sealed class GoldenFile(string name)
    {
        private readonly OrderedDictionary<string, HostArray> _arrays = Npz.Read(Path.Combine(AppContext.BaseDirectory, "Golden", name + ".npz"));

        public IEnumerable<string> Cases => _arrays.Keys.Select(k => k[..k.IndexOf('.', StringComparison.Ordinal)]).Distinct();

        public bool Has(string key) => _arrays.ContainsKey(key);

        public Tensor Tensor(string key) => Native.Tensor.From(_arrays[key]);

        public double[] Array(string key) => _arrays[key].DType == DType.I64 ? [.. _arrays[key].As<long>().Select(v => (double)v)] : _arrays[key].As<double>();

        public double Number(string key) => Array(key)[0];
    }

    /// <summary>|actual - expected| at most rtol * |expected| + 1e-13; NaN equals NaN only.</summary>
    public static void Near(double[] expected, double[] actual, double rtol, string what)
    {
        Assert.True(expected.Length == actual.Length, $"{what}: {actual.Length} elements instead of {expected.Length}");
        for (int i = 0; i < expected.Length; i++)
        {
            if (double.IsNaN(expected[i]) && double.IsNaN(actual[i]))
                continue;
            if (!(Math.Abs(actual[i] - expected[i]) <= rtol * Math.Abs(expected[i]) + 1e-13))
                Assert.Fail($"{what}: element {i} is {actual[i]:R}, should be {expected[i]:R}");
        }
    }

    public static void Near(double[] expected, Tensor actual, double rtol, string what) => Near(expected, actual.ToArray<double>(), rtol, what);

    /// <summary>The same bits.</summary>
    public static void Same(double[] expected, double[] actual, string what)
    {
        Assert.True(expected.Length == actual.Length, $"{what}: {actual.Length} elements instead of {expected.Length}");
        for (int i = 0; i < expected.Length; i++)
            if (BitConverter.DoubleToInt64Bits(expected[i]) != BitConverter.DoubleToInt64Bits(actual[i]))
                Assert.Fail($"{what}: element {i} is {actual[i]:R}, should be {expected[i]:R} to the bit");
    }

    /// <summary>Fixed values in (-1, 1), f64.</summary>
    public static Tensor Values(int seed, params long[] shape) => Tensor.From(KernelKit.Random(Shape.Create(shape).Count, seed), shape);

    /// <summary>The message of the exception that an action must throw.</summary>
    public static string Message<T>(Action action) where T : Exception => Assert.Throws<T>(action).Message;

    /// <summary>Mean over rows of log(sum(exp(z))) - z[label].</summary>
    public static Tensor CrossEntropy(Tensor z, Tensor labels)
    {
        var picked = (z * labels.OneHot(z.Shape[1], z.DType)).Sum(1);
        return (z.Exp().Sum(1).Log() - picked).Sum() * (1.0 / z.Shape[0]);
    }
}
