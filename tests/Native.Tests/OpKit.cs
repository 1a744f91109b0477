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

    /// <summary>The sample's inputs as tensors.</summary>
    public static Tensor[] Make(Sample s, double[][] values, DType floating = DType.F64, Form form = Form.Dense) =>
        [.. s.Inputs.Select((i, k) => Lay(SampleValues.ToTensor(values[k], i.Shape, i.DType ?? floating), form))];

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

    /// <summary>
    /// Runs on a thread whose allocator and scopes nobody has used, so that a test that counts memory does not count what an earlier one forgot;
    /// rethrows what fails there.
    /// </summary>
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
