namespace Native;

/// <summary>
/// Compares derivatives of any order with difference quotients. Library code, because whoever writes an op or a loss needs it:
/// <code>GradCheck.Require(x => x[0].Tanh().Sum(), [Tensor.From([0.5, -1.0], [2])]);</code>
/// Differences are central, at h and 2h, extrapolated, with an estimate of their own error: where that is above the tolerance the check says
/// so instead of guessing. NaN always fails.
/// </summary>
public static class GradCheck
{
    /// <summary>
    /// Checks f at the given inputs. Floating inputs are differentiated (use f64), others are passed through. From order 2 on, the
    /// incoming gradient counts as an input too, so the derivative of backward with respect to it is checked as well.
    /// </summary>
    /// <param name="f">The function; called many times, must be deterministic.</param>
    /// <param name="inputs">Where to check; not changed. They must not share memory.</param>
    /// <param name="options">Order, mode, tolerances.</param>
    public static GradCheckReport Run(Func<Tensor[], Tensor> f, Tensor[] inputs, GradCheckOptions? options = null) =>
        RunAll(x => [f(x)], inputs, options);

    /// <summary>As <see cref="Run(Func{Tensor[], Tensor}, Tensor[], GradCheckOptions?)"/> for a function with several outputs; those that are not floating are ignored.</summary>
    public static GradCheckReport RunAll(Func<Tensor[], Tensor[]> f, Tensor[] inputs, GradCheckOptions? options = null)
    {
        options ??= new GradCheckOptions();
        Check.That(options.Order is >= 1 and <= 3, "gradcheck", $"order {options.Order} is not supported. Use 1, 2 or 3.");
        Check.That(options.Points is 2 or 4, "gradcheck", $"{options.Points} points is not a difference formula. Use 2 or 4.");
        Check.That(options.Directions > 0, "gradcheck", $"{options.Directions} directions check nothing. Use 1 or more.");
        var report = new GradCheckReport(options, string.Join(", ", inputs.Select(x => x.Describe())));
        if (FindAlias(inputs) is { } alias)
        {
            report.Problem(alias);
            return report;
        }
        using var scope = TensorScope.Begin("gradcheck");
        using var recording = Autograd.EnableGrad();
        new GradCheckRun(f, inputs, options, report).Execute();
        return report;
    }

    /// <summary>Checks and throws when the check does not pass.</summary>
    /// <exception cref="GradException">The report, as text.</exception>
    public static void Require(Func<Tensor[], Tensor> f, Tensor[] inputs, GradCheckOptions? options = null)
    {
        var report = Run(f, inputs, options);
        if (!report.Passed)
            throw new GradException(report.ToString());
    }

    /// <summary>
    /// Checks an op of the library on its own samples: what <c>native gradcheck --op NAME --sample K --order N --seed S</c> runs.
    /// </summary>
    /// <param name="op">The op's name, as errors print it.</param>
    /// <param name="order">Order of the derivative, 1 to 3.</param>
    /// <param name="seed">Draws the inputs and the projections. With the sample named in a test's report, its seed repeats that test.</param>
    /// <param name="sample">Only this sample of the op, counted from 0; null means all.</param>
    /// <exception cref="UsageException">No op has that name, it has no such sample, or no derivative of that order.</exception>
    public static IReadOnlyList<GradCheckReport> RunOp(string op, int order = 1, ulong seed = 0, int? sample = null)
    {
        var row = OpTable.Find(op);
        var reports = RunRow(row, order, seed, sample);
        return reports.Count > 0 ? reports : throw new UsageException(sample is null
            ? $"gradcheck: {op} has no derivative of order {order}."
            : $"gradcheck: sample {sample} of {op} has no derivative of order {order}.");
    }

    /// <summary>The reports of a row's samples that have a derivative of that order: all, one, or the first few of them.</summary>
    internal static IReadOnlyList<GradCheckReport> RunRow(OpRow row, int order, ulong seed, int? sample = null, int atMost = int.MaxValue)
    {
        if (sample is { } asked && !(asked >= 0 && asked < row.Samples.Count))
            throw new UsageException($"gradcheck: {row.Name} has no sample {asked}; it has {row.Samples.Count}, counted from 0.");
        var reports = new List<GradCheckReport>();
        for (int k = sample ?? 0; k < (sample + 1 ?? row.Samples.Count) && reports.Count < atMost; k++)
        {
            var s = row.Samples[k];
            if (s.Orders < order || !SampleValues.Free(s).Any())
                continue;
            using var scope = TensorScope.Begin("gradcheck-op");
            double[][] values = SampleValues.Draw(s, seed);
            var (f, inputs) = SampleValues.Differentiable(s, [.. s.Inputs.Select((x, i) => SampleValues.ToTensor(values[i], x.Shape, x.DType ?? DType.F64))]);
            reports.Add(RunAll(f, inputs, OptionsOf(row, k, order, seed)));
        }
        return reports;
    }

    /// <summary>How a sample of an op is checked, here and by the generated tests, so that a report can say how to repeat it.</summary>
    internal static GradCheckOptions OptionsOf(OpRow row, int k, int order, ulong seed) => new()
    {
        Name = $"{row.Name} ({row.Samples[k].Label})",
        Order = order,
        Mode = GradCheckMode.Projected,
        Directions = 2,
        Seed = seed,
        Replay = $"native gradcheck --op {row.Name} --sample {k} --order {order} --seed {seed}",
    };

    /// <summary>
    /// How unsymmetric the Hessian of sum(f) is along two seeded random directions: |v'Hw - w'Hv| / (|v'Hw| + |w'Hv| + 1). It is zero up to
    /// rounding for every twice differentiable function, and needs no difference quotient.
    /// </summary>
    public static double HessianAsymmetry(Func<Tensor[], Tensor> f, Tensor[] inputs, ulong seed = 0)
    {
        using var scope = TensorScope.Begin("hessian");
        using var recording = Autograd.EnableGrad();
        var random = new Generator(seed).Stream("hessian");
        Tensor[] x = [.. inputs.Select(t => t.DType.IsFloat() ? t.Alias().RequireGrad() : t)], wanted = [.. x.Where(t => t.RequiresGrad)];
        Tensor[] v = [.. wanted.Select(t => Draw(t, random))], w = [.. wanted.Select(t => Draw(t, random))];
        var y = f(x);
        var g = Autograd.Grad([y], wanted, [Tensor.OnesLike(y)], createGraph: true, allowUnused: true);
        double vHw = Dot(Autograd.Grad(g, wanted, w, retainGraph: true, allowUnused: true), v);
        double wHv = Dot(Autograd.Grad(g, wanted, v, allowUnused: true), w);
        return Math.Abs(vHw - wHv) / (Math.Abs(vHw) + Math.Abs(wHv) + 1);
    }

    private static Tensor Draw(Tensor like, Generator random) => GradCheckRun.ToTensor(GradCheckRun.Weights(like.Count, random), like);

    private static double Dot(Tensor[] a, Tensor[] b) => a.Zip(b).Sum(p => GradCheckRun.Values(p.First).Zip(GradCheckRun.Values(p.Second)).Sum(e => e.First * e.Second));

    // Elements that share memory move together, so a difference quotient means something else than the gradient does.
    private static string? FindAlias(Tensor[] inputs)
    {
        for (int i = 0; i < inputs.Length; i++)
        {
            inputs[i].CheckAlive("gradcheck", $"input {i}");
            if (!inputs[i].DType.IsFloat())
                continue;
            if (HasRepeats(inputs[i].Layout))
                return $"gradcheck: elements of input {i} = {inputs[i].Describe()} share memory (strides {Shape.Format(inputs[i].Layout.Strides)}: an expanded view). Pass input.Clone(), or expand inside the function.";
            for (int j = 0; j < i; j++)
                if (inputs[j].DType.IsFloat() && ReferenceEquals(inputs[i].Storage, inputs[j].Storage) && Meet(inputs[i].Layout, inputs[j].Layout))
                    return $"gradcheck: inputs {j} and {i} share memory: {inputs[j].Describe()}, {inputs[i].Describe()}. Pass a clone of one of them.";
        }
        return null;
    }

    private static bool HasRepeats(Layout layout) => !layout.IsDense && (layout.Overlaps() || Offsets(layout).Count < layout.Count);

    private static bool Meet(Layout a, Layout b)
    {
        var (aMin, aMax) = a.Extent();
        var (bMin, bMax) = b.Extent();
        return aMin <= bMax && bMin <= aMax && Offsets(a).Overlaps(Offsets(b));
    }

    private static HashSet<long> Offsets(Layout layout)
    {
        var all = new HashSet<long>();
        var walk = new LayoutWalk(layout);
        while (walk.Next(out long at))
            all.Add(layout.Offset + at);
        return all;
    }
}
