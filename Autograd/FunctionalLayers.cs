namespace Native;

/// <summary>Layers as functions, with PyTorch's names and conventions.</summary>
public static partial class Functional
{
    /// <summary>
    /// 2-d cross-correlation: x [N, C, H, W], weight [O, C/groups, kh, kw], bias [O] -> [N, O, OH, OW] with
    /// OH = floor((H + 2 padding - dilation (kh - 1) - 1) / stride) + 1.
    /// </summary>
    public static Tensor Conv2d(Tensor x, Tensor weight, Tensor? bias = null, long stride = 1, long padding = 0, long dilation = 1, long groups = 1) =>
        Conv2d(x, weight, bias, (stride, stride), (padding, padding), (dilation, dilation), groups);

    /// <summary>As above with separate values for height and width.</summary>
    public static Tensor Conv2d(Tensor x, Tensor weight, Tensor? bias, (long H, long W) stride, (long H, long W) padding, (long H, long W) dilation, long groups) =>
        Conv2d(x, weight, bias, stride, padding, dilation, groups, default);

    internal static Tensor Conv2d(Tensor x, Tensor weight, Tensor? bias, (long H, long W) stride, (long H, long W) padding, (long H, long W) dilation, long groups, Activation activation) =>
        Apply(new Conv2dOp(Parameters("conv2d", stride, padding, dilation, groups), activation), x, weight, bias);

    /// <summary>
    /// Transposed 2-d convolution: x [N, C, H, W], weight [C, O/groups, kh, kw], bias [O] -> [N, O, OH, OW] with
    /// OH = (H - 1) stride - 2 padding + dilation (kh - 1) + outputPadding + 1.
    /// </summary>
    public static Tensor ConvTranspose2d(Tensor x, Tensor weight, Tensor? bias = null, long stride = 1, long padding = 0, long outputPadding = 0, long groups = 1, long dilation = 1) =>
        ConvTranspose2d(x, weight, bias, (stride, stride), (padding, padding), (outputPadding, outputPadding), groups, (dilation, dilation));

    /// <summary>As above with separate values for height and width.</summary>
    public static Tensor ConvTranspose2d(Tensor x, Tensor weight, Tensor? bias, (long H, long W) stride, (long H, long W) padding, (long H, long W) outputPadding, long groups, (long H, long W) dilation) =>
        ConvTranspose2d(x, weight, bias, stride, padding, outputPadding, groups, dilation, default);

    internal static Tensor ConvTranspose2d(Tensor x, Tensor weight, Tensor? bias, (long H, long W) stride, (long H, long W) padding, (long H, long W) outputPadding, long groups, (long H, long W) dilation, Activation activation)
    {
        const string op = "conv_transpose2d";
        ConvCheck.Operands(op, x, "input", weight, "weight");
        var p = Parameters(op, stride, padding, dilation, groups);
        Check.That(outputPadding.H >= 0 && outputPadding.W >= 0, op, $"output padding must not be negative; {outputPadding.H}x{outputPadding.W}.");
        long h = (x.Shape[2] - 1) * stride.H - 2 * padding.H + dilation.H * (weight.Shape[2] - 1) + outputPadding.H + 1;
        long w = (x.Shape[3] - 1) * stride.W - 2 * padding.W + dilation.W * (weight.Shape[3] - 1) + outputPadding.W + 1;
        return Apply(new Conv2dDataGradOp(p, h, w, activation), x, weight, bias);
    }

    /// <summary>Maxima of windows; stride defaults to the kernel size. Sizes are rounded down.</summary>
    public static Tensor MaxPool2d(Tensor x, long kernel, long? stride = null, long padding = 0, long dilation = 1) => MaxPool2dWithIndices(x, kernel, stride, padding, dilation).Values;

    /// <summary>Maxima and their flat i64 indices within each input plane; the first of equal maxima wins.</summary>
    public static (Tensor Values, Tensor Indices) MaxPool2dWithIndices(Tensor x, long kernel, long? stride = null, long padding = 0, long dilation = 1)
    {
        long step = stride ?? kernel;
        var y = new MaxPool2dOp(new(kernel, kernel, step, step, padding, padding, dilation, dilation)).ApplyAll(x);
        return (y[0], y[1]);
    }

    /// <summary>Means of windows; stride defaults to the kernel size; padding counts as zeros unless told otherwise.</summary>
    public static Tensor AvgPool2d(Tensor x, long kernel, long? stride = null, long padding = 0, bool countIncludePad = true)
    {
        long step = stride ?? kernel;
        return new AvgPool2dOp(new(kernel, kernel, step, step, padding, padding), countIncludePad).Apply(x);
    }

    /// <summary>Means of outH x outW bins that divide the plane as evenly as possible.</summary>
    public static Tensor AdaptiveAvgPool2d(Tensor x, long outH, long outW) => new AdaptiveAvgPool2dOp(outH, outW).Apply(x);

    private static Tensor Apply(StructuredOp op, Tensor x, Tensor weight, Tensor? bias) => bias is null ? op.Apply(x, weight) : op.Apply(x, weight, bias);

    private static ConvParameters Parameters(string op, (long H, long W) stride, (long H, long W) padding, (long H, long W) dilation, long groups)
    {
        Check.That(stride is { H: > 0, W: > 0 } && dilation is { H: > 0, W: > 0 } && padding is { H: >= 0, W: >= 0 } && groups > 0, op,
            $"stride, dilation and groups must be at least 1 and padding at least 0; stride = {stride}, padding = {padding}, dilation = {dilation}, groups = {groups}.");
        return new(stride.H, stride.W, padding.H, padding.W, dilation.H, dilation.W, groups);
    }
}
