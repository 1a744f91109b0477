namespace Native;

/// <summary>Stride, padding, dilation and groups of a 2-d convolution.</summary>
internal readonly record struct ConvParameters(long StrideH, long StrideW, long PadH, long PadW, long DilationH, long DilationW, long Groups)
{
    public static ConvParameters Simple(long stride = 1, long pad = 0, long dilation = 1, long groups = 1) => new(stride, stride, pad, pad, dilation, dilation, groups);

    /// <summary>The geometry of x [N, C, H, W] under w [O, C/groups, kh, kw].</summary>
    public ConvShape Shape(long n, long c, long h, long w, ReadOnlySpan<long> weight) =>
        new(n, c, h, w, weight[0], weight[2], weight[3], StrideH, StrideW, PadH, PadW, DilationH, DilationW, Groups);
}

/// <summary>Checks that every member of the family shares.</summary>
internal static class ConvCheck
{
    public static void Operands(string op, Tensor x, string xn, Tensor w, string wn)
    {
        Check.Float(x, op, xn);
        Check.SameDType(x, w, op, xn, wn);
        Check.Rank(x, 4, op, xn, "[batch, channels, height, width]");
        Check.Rank(w, 4, op, wn, "");
    }

    public static void Bias(string op, Tensor? bias, long channels, Tensor x)
    {
        if (bias is null)
            return;
        Check.SameDType(x, bias, op, "input", "bias");
        Check.ShapeIs(bias, [channels], op, "bias");
    }

    /// <summary>The output, where the activation's derivative is told from it.</summary>
    public static Saves Saves(Activation activation) => activation.Kind == ActivationKind.None ? Native.Saves.None : Native.Saves.Output0;
}

/// <summary>y = activation(conv(x, w) + bias); x [N,C,H,W], w [O,C/groups,kh,kw], y [N,O,OH,OW]. Cross-correlation, as everywhere in the field.</summary>
internal sealed class Conv2dOp(ConvParameters p, Activation activation = default) : StructuredOp("conv2d")
{
    public override OutputSpecs Infer(Inputs x)
    {
        ConvCheck.Operands(Name, x[0], "input", x[1], "weight");
        var s = Shape(x);
        Check.That(x[1].Layout.Dims[1] * p.Groups == s.Channels, Name,
            $"channels differ; input = {x[0].Describe()}, weight = {x[1].Describe()}, groups = {p.Groups}; input.dim(1)={s.Channels}, weight.dim(1)*groups={x[1].Layout.Dims[1] * p.Groups}.");
        s.Check(Name);
        ConvCheck.Bias(Name, x.Optional(2), s.Filters, x[0]);
        return [new(Layout.Of([s.Batch, s.Filters, s.OutH, s.OutW]), x[0].DType)];
    }

    internal override bool IsProduct => true;

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(Shape(x).Flops, x, y);

    public override void Forward(Inputs x, Outputs y) => ConvEntries.Forward(Shape(x), x[0], x[1], x.Optional(2), y[0], after: activation.Epilogue);

    public override Saves SavesFor(Inputs x) => Saves.Input0 | Saves.Input1 | ConvCheck.Saves(activation);

    public override Tensor?[] Backward(Tensor g, Saved s)
    {
        Tensor x = s.Input(0), w = s.Input(1);
        if (activation.Kind != ActivationKind.None)
            g = activation.Grad(g, s.Output);
        return
        [
            s.Needs(0) ? new Conv2dDataGradOp(p, x.Shape[2], x.Shape[3]).Apply(g, w) : null,
            s.Needs(1) ? new Conv2dWeightGradOp(p, w.Shape[2], w.Shape[3]).Apply(x, g) : null,
            s.Needs(2) ? g.Sum([0, 2, 3]) : null,
        ];
    }

    private ConvShape Shape(Inputs x)
    {
        var d = x[0].Layout.Dims;
        return p.Shape(d[0], d[1], d[2], d[3], x[1].Layout.Dims);
    }

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (label, xs, ws, p, bias) in ConvSamples.Cases)
        {
            SampleInput[] inputs = bias ? [new(xs), new(ws), new([ws[0]])] : [new(xs), new(ws)];
            yield return new(label, x => [new Conv2dOp(p).Apply(x)], inputs) { Reference = x => [ConvSamples.Naive(x[0], xs, x[1], ws, bias ? x[2] : null, p)] };
        }
        foreach (var a in ConvSamples.Activations)
            yield return new($"{a.Kind}", x => [new Conv2dOp(ConvParameters.Simple(pad: 1), a).Apply(x)], new SampleInput([2, 2, 3, 3]), new([3, 2, 3, 3]), new([3]))
            {
                Composed = x => [a.Apply(new Conv2dOp(ConvParameters.Simple(pad: 1)).Apply(x))],
            };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("channels", () => Functional.Conv2d(Tensor.Zeros([1, 3, 8, 8]), Tensor.Zeros([4, 2, 3, 3])),
            "conv2d: channels differ; input = f32[1,3,8,8]@cpu, weight = f32[4,2,3,3]@cpu, groups = 1; input.dim(1)=3, weight.dim(1)*groups=2.");
        yield return new("rank", () => Functional.Conv2d(Tensor.Zeros([3, 8, 8]), Tensor.Zeros([4, 3, 3, 3])), "conv2d: input must have 4 dims [batch, channels, height, width]");
        yield return new("too large", () => Functional.Conv2d(Tensor.Zeros([1, 1, 2, 2]), Tensor.Zeros([1, 1, 3, 3])), "conv2d: the kernel is larger than the padded input");
        yield return new("bias", () => Functional.Conv2d(Tensor.Zeros([1, 1, 4, 4]), Tensor.Zeros([2, 1, 3, 3]), Tensor.Zeros([3])), "conv2d: bias must have shape [2]; bias = f32[3]@cpu");
    }
}

/// <summary>gx = activation(the adjoint of x -> conv(x, w) at gy, + bias). As a forward pass it is the transposed convolution.</summary>
internal sealed class Conv2dDataGradOp(ConvParameters p, long height, long width, Activation activation = default) : StructuredOp("conv2d_data_grad")
{
    public override OutputSpecs Infer(Inputs x)
    {
        ConvCheck.Operands(Name, x[0], "input", x[1], "weight");
        var s = Shape(x);
        Check.That(x[0].Layout.Dims[1] == x[1].Layout.Dims[0], Name,
            $"channels differ; input = {x[0].Describe()}, weight = {x[1].Describe()}; input.dim(1)={x[0].Layout.Dims[1]}, weight.dim(0)={x[1].Layout.Dims[0]}.");
        s.Check(Name);
        Check.That(s.OutH == x[0].Layout.Dims[2] && s.OutW == x[0].Layout.Dims[3], Name,
            $"an output of {height}x{width} belongs to an input of {s.OutH}x{s.OutW}; input = {x[0].Describe()}. Output padding must be smaller than the stride.");
        ConvCheck.Bias(Name, x.Optional(2), s.Channels, x[0]);
        return [new(Layout.Of([s.Batch, s.Channels, height, width]), x[0].DType)];
    }

    internal override bool IsProduct => true;

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(Shape(x).Flops, x, y);

    public override void Forward(Inputs x, Outputs y) => ConvEntries.DataGrad(Shape(x), x[0], x[1], x.Optional(2), y[0], after: activation.Epilogue);

    public override Saves SavesFor(Inputs x) => Saves.Input0 | Saves.Input1 | ConvCheck.Saves(activation);

    public override Tensor?[] Backward(Tensor g, Saved s)
    {
        Tensor gy = s.Input(0), w = s.Input(1);
        if (activation.Kind != ActivationKind.None)
            g = activation.Grad(g, s.Output);
        return
        [
            s.Needs(0) ? new Conv2dOp(p).Apply(g, w) : null,
            s.Needs(1) ? new Conv2dWeightGradOp(p, w.Shape[2], w.Shape[3]).Apply(g, gy) : null,
            s.Needs(2) ? g.Sum([0, 2, 3]) : null,
        ];
    }

    private ConvShape Shape(Inputs x) => p.Shape(x[0].Layout.Dims[0], x[1].Layout.Dims[1] * p.Groups, height, width, x[1].Layout.Dims);

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (label, xs, ws, p, bias) in ConvSamples.Cases)
        {
            var s = p.Shape(xs[0], xs[1], xs[2], xs[3], ws);
            Shape ys = [s.Batch, s.Filters, s.OutH, s.OutW];
            SampleInput[] inputs = bias ? [new(ys), new(ws), new([s.Channels])] : [new(ys), new(ws)];
            yield return new(label, x => [new Conv2dDataGradOp(p, s.Height, s.Width).Apply(x)], inputs)
            {
                Reference = x => [ConvSamples.NaiveDataGrad(x[0], xs, x[1], ws, bias ? x[2] : null, p)],
            };
        }
        foreach (var a in ConvSamples.Activations)
            yield return new($"{a.Kind}", x => [new Conv2dDataGradOp(ConvParameters.Simple(stride: 2), 5, 5, a).Apply(x)], new SampleInput([2, 2, 2, 2]), new([2, 3, 3, 3]))
            {
                Composed = x => [a.Apply(new Conv2dDataGradOp(ConvParameters.Simple(stride: 2), 5, 5).Apply(x))],
            };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("channels", () => Functional.ConvTranspose2d(Tensor.Zeros([1, 3, 4, 4]), Tensor.Zeros([2, 3, 3, 3])), "input.dim(1)=3, weight.dim(0)=2");
        yield return new("output padding", () => Functional.ConvTranspose2d(Tensor.Zeros([1, 2, 4, 4]), Tensor.Zeros([2, 3, 3, 3]), outputPadding: 1), "Output padding must be smaller than the stride.");
    }
}

/// <summary>gw = the adjoint of w -> conv(x, w) at gy.</summary>
internal sealed class Conv2dWeightGradOp(ConvParameters p, long kernelH, long kernelW) : StructuredOp("conv2d_weight_grad")
{
    public override OutputSpecs Infer(Inputs x)
    {
        ConvCheck.Operands(Name, x[0], "input", x[1], "gradient");
        var s = Shape(x);
        s.Check(Name);
        Check.ShapeIs(x[1], [s.Batch, s.Filters, s.OutH, s.OutW], Name, "gradient");
        return [new(Layout.Of([s.Filters, s.ChannelsPerGroup, kernelH, kernelW]), x[0].DType)];
    }

    internal override bool IsProduct => true;

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(Shape(x).Flops, x, y);

    public override void Forward(Inputs x, Outputs y) => ConvEntries.WeightGrad(Shape(x), x[0], x[1], y[0]);

    public override Saves SavesFor(Inputs x) => (x[0].RequiresGrad ? Saves.Input1 : 0) | (x[1].RequiresGrad ? Saves.Input0 : 0);

    public override Tensor?[] Backward(Tensor g, Saved s) =>
    [
        s.Needs(0) ? new Conv2dDataGradOp(p, s.ShapeOf(0)[2], s.ShapeOf(0)[3]).Apply(s.Input(1), g) : null,
        s.Needs(1) ? new Conv2dOp(p).Apply(s.Input(0), g) : null,
    ];

    private ConvShape Shape(Inputs x)
    {
        var d = x[0].Layout.Dims;
        return p.Shape(d[0], d[1], d[2], d[3], [x[1].Layout.Dims[1], d[1] / Math.Max(1, p.Groups), kernelH, kernelW]);
    }

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (label, xs, ws, p, bias) in ConvSamples.Cases)
        {
            if (bias)
                continue;
            var s = p.Shape(xs[0], xs[1], xs[2], xs[3], ws);
            yield return new(label, x => [new Conv2dWeightGradOp(p, ws[2], ws[3]).Apply(x)], new(xs), new([s.Batch, s.Filters, s.OutH, s.OutW]))
            {
                Reference = x => [ConvSamples.NaiveWeightGrad(x[0], xs, x[1], ws, p)],
            };
        }
    }
}

/// <summary>Shapes that break convolutions, and the convolution as seven loops.</summary>
internal static class ConvSamples
{
    public static readonly Activation[] Activations = [new(ActivationKind.Relu), new(ActivationKind.LeakyRelu, 0.2), new(ActivationKind.Tanh), new(ActivationKind.Sigmoid)];

    public static readonly (string Label, Shape X, Shape W, ConvParameters P, bool Bias)[] Cases =
    [
        ("3x3", [2, 2, 4, 5], [3, 2, 3, 3], ConvParameters.Simple(), false),
        ("3x3 pad bias", [1, 2, 4, 4], [2, 2, 3, 3], ConvParameters.Simple(pad: 1), true),
        ("5x5 stride 3 pad 2", [1, 1, 7, 7], [2, 1, 5, 5], ConvParameters.Simple(stride: 3, pad: 2), false),
        ("1x1", [2, 3, 2, 2], [2, 3, 1, 1], ConvParameters.Simple(), false),
        ("groups", [1, 4, 3, 3], [4, 2, 2, 2], ConvParameters.Simple(groups: 2), true),
        ("dilation", [1, 1, 5, 6], [1, 1, 2, 2], ConvParameters.Simple(dilation: 2), false),
        ("uneven", [1, 1, 4, 6], [1, 1, 2, 3], new(2, 1, 1, 0, 1, 2, 1), false),
    ];

    // Visits every (output element, input element, weight element) that meet.
    private static void Walk(Shape x, Shape w, ConvParameters p, Action<long, long, long> meet)
    {
        var s = p.Shape(x[0], x[1], x[2], x[3], w);
        for (long n = 0; n < s.Batch; n++)
            for (long o = 0; o < s.Filters; o++)
                for (long i = 0; i < s.OutH; i++)
                    for (long j = 0; j < s.OutW; j++)
                        for (long c = 0; c < w[1]; c++)
                            for (long a = 0; a < w[2]; a++)
                                for (long b = 0; b < w[3]; b++)
                                {
                                    long r = i * p.StrideH - p.PadH + a * p.DilationH, q = j * p.StrideW - p.PadW + b * p.DilationW;
                                    if (r < 0 || r >= x[2] || q < 0 || q >= x[3])
                                        continue;
                                    long channel = o / (s.Filters / p.Groups) * w[1] + c;
                                    meet(((n * s.Filters + o) * s.OutH + i) * s.OutW + j, ((n * x[1] + channel) * x[2] + r) * x[3] + q, ((o * w[1] + c) * w[2] + a) * w[3] + b);
                                }
    }

    public static double[] Naive(double[] x, Shape xs, double[] w, Shape ws, double[]? bias, ConvParameters p)
    {
        var s = p.Shape(xs[0], xs[1], xs[2], xs[3], ws);
        var y = new double[s.Batch * s.Filters * s.OutPixels];
        Walk(xs, ws, p, (o, i, k) => y[o] += x[i] * w[k]);
        return AddBias(y, bias, s.Filters, s.OutPixels);
    }

    public static double[] NaiveDataGrad(double[] gy, Shape xs, double[] w, Shape ws, double[]? bias, ConvParameters p)
    {
        var gx = new double[xs.Count];
        Walk(xs, ws, p, (o, i, k) => gx[i] += gy[o] * w[k]);
        return AddBias(gx, bias, xs[1], xs[2] * xs[3]);
    }

    public static double[] NaiveWeightGrad(double[] x, Shape xs, double[] gy, Shape ws, ConvParameters p)
    {
        var gw = new double[ws.Count];
        Walk(xs, ws, p, (o, i, k) => gw[k] += gy[o] * x[i]);
        return gw;
    }

    private static double[] AddBias(double[] y, double[]? bias, long channels, long pixels)
    {
        if (bias is not null)
            for (long i = 0; i < y.Length; i++)
                y[i] += bias[i / pixels % channels];
        return y;
    }
}
