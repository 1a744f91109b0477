using System.Runtime.CompilerServices;

namespace Native.Tests;

/// <summary>How a sample's input lies in memory.</summary>
public enum Form
{
    /// <summary>Row-major.</summary>
    Dense,

    /// <summary>A transposed view of reversed storage order.</summary>
    Transposed,

    /// <summary>A slice: an offset, and gaps along the last dim.</summary>
    Sliced,

    /// <summary>Stride 0 along the first dim.</summary>
    Expanded,
}

/// <summary>What the generated tests share: inputs made from a sample's description, exact and approximate comparison, a clean thread.</summary>
internal static class OpKit
{
    // Every block that any test is handed starts as NaN, so an element that nobody wrote shows.
    [ModuleInitializer]
    internal static void Poison() => CachingAllocator.Poison = true;

    /// <summary>Seed of a sample: the same on every machine, different for every sample.</summary>
    public static ulong Seed(string row, int sample)
    {
        ulong h = 14695981039346656037;
        foreach (char c in row)
            h = (h ^ c) * 1099511628211;
        return h + (ulong)sample;
    }

    /// <summary>Values for every input of a sample; all of them exact in f32, so that f32 and f64 kernels see the same numbers.</summary>
    public static double[][] Values(Sample s, ulong seed)
    {
        var random = new Generator(seed).Stream("sample");
        return [.. s.Inputs.Select(i => Values(i, random))];
    }

    private static double[] Values(SampleInput s, Generator random)
    {
        long n = s.Shape.Count;
        if (s.Values is { } given)
        {
            Assert.True(given.Length == n, $"a sample gives {given.Length} values for shape {s.Shape}");
            return [.. given];
        }
        var v = new double[n];
        bool whole = s.DType is { } d && !d.IsFloat();
        double width = s.High - s.Low;
        for (int i = 0; i < v.Length; i++)
            do
                v[i] = whole ? Math.Floor(s.Low + width * random.NextDouble())
                    : (float)(s.Low + width * (s.Distinct ? (i + 0.1 + 0.8 * random.NextDouble()) / n : random.NextDouble()));
            while (!whole && Array.Exists(s.Kinks, k => Math.Abs(v[i] - k) < 0.1) && Moved(ref v[i], s));
        if (s.DType == DType.Bool)
            for (int i = 0; i < v.Length; i++)
                v[i] = random.NextInt64(2);
        if (s.Distinct)
            random.Shuffle(v.AsSpan());
        return v;
    }

    // A value in the gap around a kink moves to the gap's nearer end; drawing again would lose Distinct values.
    private static bool Moved(ref double v, SampleInput s)
    {
        double x = v, kink = s.Kinks.First(k => Math.Abs(x - k) < 0.1);
        v = (float)(kink + (x >= kink ? 0.11 : -0.11) + 0.2 * (x - kink));
        if (v > s.High)
            v = (float)(kink - 0.13);
        if (v < s.Low)
            v = (float)(kink + 0.13);
        return false;
    }

    /// <summary>The sample's inputs as tensors.</summary>
    public static Tensor[] Make(Sample s, double[][] values, DType floating = DType.F64, Form form = Form.Dense) =>
        [.. s.Inputs.Select((i, k) => Lay(ToTensor(values[k], i.Shape, i.DType ?? floating), form))];

    public static Tensor ToTensor(double[] v, Shape shape, DType dtype) => dtype switch
    {
        DType.F32 => Tensor.From(Array.ConvertAll(v, x => (float)x), shape),
        DType.F64 => Tensor.From(v, shape),
        DType.I32 => Tensor.From(Array.ConvertAll(v, x => (int)x), shape),
        DType.I64 => Tensor.From(Array.ConvertAll(v, x => (long)x), shape),
        DType.U8 => Tensor.From(Array.ConvertAll(v, x => (byte)x), shape),
        _ => Tensor.From(Array.ConvertAll(v, x => x != 0), shape),
    };

    /// <summary>The same values in another layout (for Expanded: the first slice, repeated).</summary>
    public static Tensor Lay(Tensor t, Form form)
    {
        if (form == Form.Dense || t.Rank == 0 || t.Count == 0)
            return t;
        if (form == Form.Expanded)
            return t.View(t.Layout.Slice(0, 0, 1).Expand(t.Shape)!);
        Layout target;
        long room;
        if (form == Form.Transposed)
        {
            int[] reversed = [.. Enumerable.Range(0, t.Rank).Reverse()];
            target = Layout.Of(t.Layout.Permute(reversed).Shape).Permute(reversed);
            room = t.Count;
        }
        else
        {
            long[] wide = t.Shape.ToArray();
            wide[^1] = wide[^1] * 2 + 3;
            target = Layout.Of(wide).Slice(t.Rank - 1, 3, t.Shape[-1], 2);
            room = Shape.Create(wide).Count;
        }
        // Memory between the elements stays poisoned.
        var storage = Tensor.Allocate(Layout.Of([room]), t.DType, t.Device);
        var y = storage.View(target);
        CopyKernels.Copy(t, y);
        return y;
    }

    public static double[] ToDoubles(Tensor t) => t.DType switch
    {
        DType.F32 => Array.ConvertAll(t.ToArray<float>(), x => (double)x),
        DType.F64 => t.ToArray<double>(),
        DType.I32 => Array.ConvertAll(t.ToArray<int>(), x => (double)x),
        DType.I64 => Array.ConvertAll(t.ToArray<long>(), x => (double)x),
        DType.U8 => Array.ConvertAll(t.ToArray<byte>(), x => (double)x),
        _ => Array.ConvertAll(t.ToArray<bool>(), x => x ? 1.0 : 0),
    };

    public static double[][] ToDoubles(Tensor[] ts) => [.. ts.Select(ToDoubles)];

    /// <summary>Null when close; else a sentence about the first element that is not. NaN is close to NaN only.</summary>
    public static string? Difference(double[] expected, double[] actual, double rtol, double atol)
    {
        if (expected.Length != actual.Length)
            return $"{actual.Length} elements instead of {expected.Length}";
        for (int i = 0; i < expected.Length; i++)
        {
            double e = expected[i], a = actual[i];
            if (!(Math.Abs(a - e) <= atol + rtol * Math.Abs(e)) && !(!double.IsFinite(e) && e.Equals(a)))
                return $"element {i} is {a:R}, should be {e:R}";
        }
        return null;
    }

    /// <summary>Null when equal bit for bit.</summary>
    public static string? BitDifference(double[][] expected, double[][] actual)
    {
        if (expected.Length != actual.Length)
            return $"{actual.Length} outputs instead of {expected.Length}";
        for (int o = 0; o < expected.Length; o++)
        {
            if (expected[o].Length != actual[o].Length)
                return $"output {o}: {actual[o].Length} elements instead of {expected[o].Length}";
            for (int i = 0; i < expected[o].Length; i++)
                if (BitConverter.DoubleToInt64Bits(expected[o][i]) != BitConverter.DoubleToInt64Bits(actual[o][i]))
                    return $"output {o}, element {i} is {actual[o][i]:R}, was {expected[o][i]:R}";
        }
        return null;
    }

    /// <summary>Runs a check over every row and sample, each in a scope of its own, and fails once with a line for each that failed.</summary>
    public static void ForEachSample(Func<OpRow, Sample, int, string?> check)
    {
        var failures = new List<string>();
        int done = 0;
        foreach (var row in OpTable.All)
            for (int k = 0; k < row.Samples.Count; k++)
            {
                using var scope = TensorScope.Begin("sample");
                string? problem;
                try
                {
                    problem = check(row, row.Samples[k], k);
                }
                catch (Exception e)
                {
                    problem = $"{e.GetType().Name}: {e.Message}";
                }
                done++;
                if (problem is not null)
                    failures.Add($"{row.Name} '{row.Samples[k].Label}': {problem}");
            }
        Assert.True(done > 0, "no sample was run");
        Assert.True(failures.Count == 0, $"{failures.Count} of {done} samples failed:\n{string.Join('\n', failures.Take(60))}");
    }

    /// <summary>Runs on a thread whose allocator and scopes nobody has used; rethrows what fails there.</summary>
    public static void OnFreshThread(Action body)
    {
        System.Runtime.ExceptionServices.ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                body();
            }
            catch (Exception e)
            {
                failure = System.Runtime.ExceptionServices.ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
    }

    /// <summary>
    /// The outputs, then the gradients of every order up to <paramref name="orders"/>, each contracted with fixed weights to give the next: what two
    /// ways of computing the same function must agree on.
    /// </summary>
    public static List<Tensor> Derivatives(Func<Tensor[], Tensor[]> f, Tensor[] inputs, int orders)
    {
        Tensor[] x = [.. inputs.Select(t => t.DType.IsFloat() ? t.Alias().RequireGrad() : t)], wanted = [.. x.Where(t => t.RequiresGrad)];
        var random = new Generator(77).Stream("weights");
        Tensor[] level = f(x);
        List<Tensor> all = [.. level];
        for (int order = 1; order <= orders && wanted.Length > 0; order++)
        {
            level = [.. level.Where(t => t.DType.IsFloat())];
            Tensor[] w = [.. level.Select(t => GradCheckRun.ToTensor(GradCheckRun.Weights(t.Count, random), t))];
            level = Autograd.Grad(level, wanted, w, createGraph: true, allowUnused: true);
            all.AddRange(level);
        }
        return all;
    }

    /// <summary>The sample's function of its floating, differentiable inputs alone; the others stay as they are.</summary>
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

    /// <summary>Which inputs are differentiable.</summary>
    public static IEnumerable<int> Free(Sample s) => Enumerable.Range(0, s.Inputs.Length).Where(i => s.Inputs[i].DType is null);

    /// <summary>The folder that holds Native.sln.</summary>
    public static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        for (var dir = new DirectoryInfo(AppContext.BaseDirectory); dir is not null; dir = dir.Parent)
            if (File.Exists(Path.Combine(dir.FullName, "Native.sln")))
                return dir.FullName;
        throw new InvalidOperationException("the tests run outside the repository: no Native.sln above " + AppContext.BaseDirectory);
    }
}
