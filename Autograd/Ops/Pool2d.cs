namespace Native;

/// <summary>Window, stride, padding and dilation of a pooling.</summary>
internal readonly record struct PoolParameters(long KernelH, long KernelW, long StrideH, long StrideW, long PadH = 0, long PadW = 0, long DilationH = 1, long DilationW = 1)
{
    public PoolShape Shape(ReadOnlySpan<long> x) => new(x[0] * x[1], x[2], x[3], KernelH, KernelW, StrideH, StrideW, PadH, PadW, DilationH, DilationW);

    public PoolShape Checked(string op, Tensor x)
    {
        Check.Float(x, op);
        Check.Rank(x, 4, op, "input", "[batch, channels, height, width]");
        var s = Shape(x.Layout.Dims);
        s.Check(op);
        return s;
    }
}

/// <summary>Maxima of windows, and their i64 indices within the input plane. The first of equal maxima wins and gets all of the gradient.</summary>
internal sealed class MaxPool2dOp(PoolParameters p) : StructuredOp("max_pool2d")
{
    public override OutputSpecs Infer(Inputs x)
    {
        var s = p.Checked(Name, x[0]);
        var y = Layout.Of([x[0].Shape[0], x[0].Shape[1], s.OutH, s.OutW]);
        return [new(y, x[0].DType), new(y, DType.I64)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(y[0].Count * p.KernelH * p.KernelW, x, y);

    public override void Forward(Inputs x, Outputs y) => PoolEntries.Max(p.Shape(x[0].Layout.Dims), x[0], y[0], y[1]);

    // The indices are constant between ties, so they may be saved as they are.
    public override Saves SavesFor(Inputs x) => Saves.Output1;

    public override Tensor?[] Backward(Tensor g, Saved s) => [new MaxPool2dGradOp(p, s.ShapeOf(0)).Apply(g, s.OutputAt(1))];

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (label, shape, p) in PoolSamples.Cases)
            yield return new(label, x => [new MaxPool2dOp(p).Apply(x)], new SampleInput(shape, -3, 3) { Distinct = true })
            {
                Reference = x => [PoolSamples.Naive(x[0], shape, p, PoolSamples.Maximum)],
            };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("padding", () => Functional.MaxPool2d(Tensor.Zeros([1, 1, 4, 4]), 2, padding: 2), "max_pool2d: padding must be between 0 and half of what the kernel spans");
        yield return new("rank", () => Functional.MaxPool2d(Tensor.Zeros([4, 4]), 2), "max_pool2d: input must have 4 dims [batch, channels, height, width]; input = f32[4,4]@cpu has 2.");
    }
}

/// <summary>Scatters a gradient to the positions of the maxima: linear, its adjoint is the gather.</summary>
internal sealed class MaxPool2dGradOp(PoolParameters p, Shape input) : StructuredOp("max_pool2d_grad")
{
    public override OutputSpecs Infer(Inputs x) => [new(Layout.Of(input), x[0].DType)];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(x[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => PoolEntries.MaxGrad(p.Shape(input.Span), x[0], x[1], y[0]);

    public override Saves SavesFor(Inputs x) => Saves.Input1;

    public override Tensor?[] Backward(Tensor g, Saved s) => [new MaxPool2dGatherOp(p).Apply(g, s.Input(1))];

    internal static IEnumerable<Sample> Samples()
    {
        SampleInput index = new([1, 1, 2, 2], 0, 9) { DType = DType.I64, Values = [4, 4, 6, 8] };
        yield return new("shared pixel", x => [new MaxPool2dGradOp(new(2, 2, 1, 1), [1, 1, 3, 3]).Apply(x)], new([1, 1, 2, 2]), index)
        {
            Reference = x => [[0, 0, 0, 0, x[0][0] + x[0][1], 0, x[0][2], 0, x[0][3]]],
        };
    }
}

/// <summary>Reads values at the positions of the maxima.</summary>
internal sealed class MaxPool2dGatherOp(PoolParameters p) : StructuredOp("max_pool2d_gather")
{
    public override OutputSpecs Infer(Inputs x) => [new(Layout.Of(x[1].Shape), x[0].DType)];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Picks(x[1], y);

    public override void Forward(Inputs x, Outputs y) => PoolEntries.MaxGather(p.Shape(x[0].Layout.Dims), x[0], x[1], y[0]);

    public override Saves SavesFor(Inputs x) => Saves.Input1;

    public override Tensor?[] Backward(Tensor g, Saved s) => [new MaxPool2dGradOp(p, s.ShapeOf(0)).Apply(g, s.Input(1))];

    internal static IEnumerable<Sample> Samples()
    {
        SampleInput index = new([1, 1, 2, 2], 0, 9) { DType = DType.I64, Values = [4, 4, 6, 8] };
        yield return new("shared pixel", x => [new MaxPool2dGatherOp(new(2, 2, 1, 1)).Apply(x)], new([1, 1, 3, 3]), index)
        {
            Reference = x => [[x[0][4], x[0][4], x[0][6], x[0][8]]],
        };
    }
}

/// <summary>Means of windows (padding counted or not), or the adjoint of that: a closed pair.</summary>
internal sealed class AvgPool2dOp(PoolParameters p, bool countIncludePad, Shape? adjointOf = null) : StructuredOp(adjointOf is null ? "avg_pool2d" : "avg_pool2d_grad")
{
    /// <summary>What instances call themselves, by their parameters.</summary>
    internal static IEnumerable<string> Names() => ["avg_pool2d", "avg_pool2d_grad"];

    public override OutputSpecs Infer(Inputs x)
    {
        if (adjointOf is { } input)
            return [new(Layout.Of(input), x[0].DType)];
        var s = p.Checked(Name, x[0]);
        return [new(Layout.Of([x[0].Shape[0], x[0].Shape[1], s.OutH, s.OutW]), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of((adjointOf is null ? y[0].Count : x[0].Count) * p.KernelH * p.KernelW, x, y);

    public override void Forward(Inputs x, Outputs y) =>
        PoolEntries.Average(p.Shape((adjointOf ?? x[0].Shape).Span), countIncludePad, adjointOf is not null, x[0], y[0]);

    public override Tensor?[] Backward(Tensor g, Saved s) => [new AvgPool2dOp(p, countIncludePad, adjointOf is null ? s.ShapeOf(0) : (Shape?)null).Apply(g)];

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (label, shape, p) in PoolSamples.Cases)
        {
            if (p.DilationH != 1)
                continue;
            foreach (bool count in new[] { true, false })
            {
                yield return new($"{label} {(count ? "counting" : "not counting")} padding", x => [new AvgPool2dOp(p, count).Apply(x)], new SampleInput(shape))
                {
                    Reference = x => [PoolSamples.Naive(x[0], shape, p, values => PoolSamples.Mean(values, count))],
                };
                var s = p.Shape(shape.Span);
                yield return new($"adjoint of {label} {(count ? "counting" : "not counting")} padding", x => [new AvgPool2dOp(p, count, shape).Apply(x)],
                    new SampleInput([shape[0], shape[1], s.OutH, s.OutW]))
                {
                    Reference = x => [PoolSamples.Adjoint(x[0], shape, v => PoolSamples.Naive(v, shape, p, values => PoolSamples.Mean(values, count)))],
                };
            }
        }
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("too large", () => Functional.AvgPool2d(Tensor.Zeros([1, 1, 2, 2]), 3), "avg_pool2d: the kernel is larger than the padded input");
    }
}

/// <summary>Means of bins that divide the plane as evenly as possible, or the adjoint of that: a closed pair.</summary>
internal sealed class AdaptiveAvgPool2dOp(long outH, long outW, Shape? adjointOf = null) : StructuredOp(adjointOf is null ? "adaptive_avg_pool2d" : "adaptive_avg_pool2d_grad")
{
    /// <summary>What instances call themselves, by their parameters.</summary>
    internal static IEnumerable<string> Names() => ["adaptive_avg_pool2d", "adaptive_avg_pool2d_grad"];

    public override OutputSpecs Infer(Inputs x)
    {
        if (adjointOf is { } input)
            return [new(Layout.Of(input), x[0].DType)];
        Check.Float(x[0], Name);
        Check.Rank(x[0], 4, Name, "input", "[batch, channels, height, width]");
        Check.That(outH >= 1 && outW >= 1 && x[0].Shape[2] >= 1 && x[0].Shape[3] >= 1, Name, $"input {x[0].Describe()} and output {outH}x{outW} must have at least one pixel.");
        return [new(Layout.Of([x[0].Shape[0], x[0].Shape[1], outH, outW]), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(Math.Max(x[0].Count, y[0].Count), x, y);

    public override void Forward(Inputs x, Outputs y)
    {
        var d = (adjointOf ?? x[0].Shape).Span;
        PoolEntries.AdaptiveAverage(d[0] * d[1], d[2], d[3], outH, outW, adjointOf is not null, x[0], y[0]);
    }

    public override Tensor?[] Backward(Tensor g, Saved s) => [new AdaptiveAvgPool2dOp(outH, outW, adjointOf is null ? s.ShapeOf(0) : (Shape?)null).Apply(g)];

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (h, w) in new[] { (1L, 1L), (2L, 3L), (5L, 4L) })
        {
            Shape shape = [1, 2, 5, 4];
            double[] Reference(double[] x) => PoolSamples.NaiveAdaptive(x, shape, h, w);
            yield return new($"to {h}x{w}", x => [new AdaptiveAvgPool2dOp(h, w).Apply(x)], new SampleInput(shape)) { Reference = x => [Reference(x[0])] };
            yield return new($"adjoint of to {h}x{w}", x => [new AdaptiveAvgPool2dOp(h, w, shape).Apply(x)], new SampleInput([1, 2, h, w]))
            {
                Reference = x => [PoolSamples.Adjoint(x[0], shape, Reference)],
            };
        }
    }
}

/// <summary>Shapes that break poolings, and the pooling as plain loops.</summary>
internal static class PoolSamples
{
    public static readonly (string Label, Shape X, PoolParameters P)[] Cases =
    [
        ("2x2", [2, 1, 4, 5], new(2, 2, 2, 2)),
        ("3x3 stride 2 pad 1", [1, 2, 5, 4], new(3, 3, 2, 2, 1, 1)),
        ("overlapping", [1, 1, 4, 4], new(3, 2, 1, 1)),
        ("dilated", [1, 1, 6, 5], new(2, 2, 1, 2, 0, 0, 2, 2)),
    ];

    public static double Maximum(IReadOnlyList<double?> window) => window.Max() ?? double.NegativeInfinity;

    public static double Mean(IReadOnlyList<double?> window, bool countPadding) => window.Sum(v => v ?? 0) / (countPadding ? window.Count : window.Count(v => v is not null));

    /// <summary>Each output from its window's values, null where the window covers padding.</summary>
    public static double[] Naive(double[] x, Shape shape, PoolParameters p, Func<IReadOnlyList<double?>, double> reduce)
    {
        var s = p.Shape(shape.Span);
        var y = new double[s.Planes * s.OutH * s.OutW];
        for (long plane = 0, o = 0; plane < s.Planes; plane++)
            for (long i = 0; i < s.OutH; i++)
                for (long j = 0; j < s.OutW; j++)
                {
                    var window = new List<double?>();
                    for (long a = 0; a < p.KernelH; a++)
                        for (long b = 0; b < p.KernelW; b++)
                        {
                            long r = i * p.StrideH - p.PadH + a * p.DilationH, c = j * p.StrideW - p.PadW + b * p.DilationW;
                            window.Add(r < 0 || r >= s.Height || c < 0 || c >= s.Width ? null : x[(plane * s.Height + r) * s.Width + c]);
                        }
                    y[o++] = reduce(window);
                }
        return y;
    }

    public static double[] NaiveAdaptive(double[] x, Shape shape, long outH, long outW)
    {
        long planes = shape[0] * shape[1], h = shape[2], w = shape[3], o = 0;
        var y = new double[planes * outH * outW];
        for (long plane = 0; plane < planes; plane++)
            for (long i = 0; i < outH; i++)
                for (long j = 0; j < outW; j++)
                {
                    double sum = 0;
                    long count = 0;
                    for (long r = i * h / outH; r < ((i + 1) * h + outH - 1) / outH; r++)
                        for (long c = j * w / outW; c < ((j + 1) * w + outW - 1) / outW; c++, count++)
                            sum += x[(plane * h + r) * w + c];
                    y[o++] = sum / count;
                }
        return y;
    }

    /// <summary>The adjoint of a linear map, column by column.</summary>
    public static double[] Adjoint(double[] g, Shape input, Func<double[], double[]> map)
    {
        var result = new double[input.Count];
        for (int i = 0; i < result.Length; i++)
        {
            var unit = new double[result.Length];
            unit[i] = 1;
            var column = map(unit);
            for (int k = 0; k < column.Length; k++)
                result[i] += column[k] * g[k];
        }
        return result;
    }
}
