namespace Native;

/// <summary>
/// A long-lived leaf: a module's weight. Its storage belongs to no scope, its gradient lives in a persistent buffer beside it, and
/// both change in place, so addresses are stable from step to step.
/// </summary>
public sealed class Parameter : Tensor
{
    private Parameter(Tensor storage, string name) : base(storage)
    {
        Name = name;
        this.RequireGrad();
    }

    /// <summary>The name in checkpoints and messages, for example <c>fc1.weight</c>.</summary>
    public string Name { get; internal set; }

    /// <summary>A parameter that starts as a copy of the values.</summary>
    public static Parameter From(Tensor values, string name = "parameter")
    {
        Check.Float(values, "parameter", name);
        var own = Tensor.AllocateUnscoped(Layout.Of(values.Shape), values.DType, values.Device);
        CopyKernels.Copy(values, own);
        return new Parameter(own, name);
    }

    /// <summary>A parameter over a slice of a flat block (see FlatView).</summary>
    internal static Parameter Over(Tensor slice, string name) => new(slice, name);
}
