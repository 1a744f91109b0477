namespace Native;

/// <summary>
/// A long-lived leaf: a module's weight. Its storage belongs to no scope, its gradient lives in a persistent buffer beside it, and
/// both change in place, so addresses are stable from step to step.
/// </summary>
public sealed class Parameter : Tensor
{
    private Tensor? _mask;

    private Parameter(Tensor storage, string name) : base(storage)
    {
        Name = name;
        this.RequireGrad();
    }

    /// <summary>The name in checkpoints and messages, for example <c>fc1.weight</c>.</summary>
    public string Name { get; internal set; }

    /// <summary>
    /// What a module's Forward reads: the parameter itself, or the tensor that stands in for it while <c>module.With(values)</c> is open.
    /// </summary>
    public Tensor Value => Substitute ?? this;

    internal Tensor? Substitute { get; set; }

    /// <summary>
    /// Multiplied into the gradient whenever an optimiser or a clip reads it; shape, dtype and device of the parameter. Null means ones. A mask
    /// of zeros keeps elements still, apart from weight decay and what momentum they already have. The parameter keeps a copy.
    /// </summary>
    /// <exception cref="ShapeException">The mask's shape is not the parameter's.</exception>
    public Tensor? GradMask
    {
        get => _mask;
        set
        {
            if (value is not null)
            {
                Check.ShapeIs(value, Shape, "grad_mask", "mask");
                Check.SameDType(value, this, "grad_mask", "mask", Name);
                Check.SameDevice(value, this, "grad_mask", "mask", Name);
                value = Copy(value);
            }
            _mask?.Dispose();
            _mask = value;
        }
    }

    /// <summary>A parameter that starts as a copy of the values.</summary>
    public static Parameter From(Tensor values, string name = "parameter")
    {
        Check.Float(values, "parameter", name);
        return new Parameter(Copy(values), name);
    }

    /// <summary>A parameter over a slice of a flat block (see FlatView).</summary>
    internal static Parameter Over(Tensor slice, string name) => new(slice, name);

    /// <summary>
    /// Makes the parameter larger, in place: the old values stay at the start of every dim, the rest is what <paramref name="init"/> writes
    /// (zeros without it; it gets a whole tensor of the new shape, before the old values are put back). The gradient and the gradient mask grow
    /// too, with zeros and ones. Optimisers follow at their next step. Graphs recorded before cannot be differentiated any more, and say so.
    /// </summary>
    /// <exception cref="ShapeException">Another rank, or a dim that would shrink.</exception>
    public Parameter Grow(Shape shape, Action<Tensor>? init = null)
    {
        bool fits = shape.Rank == Rank;
        for (int i = 0; fits && i < Rank; i++)
            fits = shape.Span[i] >= Shape.Span[i];
        Check.That(fits, "grow", $"'{Name}' = {this.Describe()} cannot become {shape}. Keep the number of dims and let none shrink.");
        if (shape == Shape)
            return this;
        var grown = AllocateUnscoped(Layout.Of(shape), DType, Device);
        CopyKernels.Fill(grown, 0);
        init?.Invoke(grown);
        var oldShape = Shape;
        CopyKernels.Copy(this, Corner(grown, oldShape));
        Rehome(grown);
        if (Grad is { IsAlive: true } g)
        {
            Grad = Enlarge(g, shape, 0);
            g.Dispose();
        }
        if (_mask is { } mask)
        {
            _mask = Enlarge(mask, shape, 1);
            mask.Dispose();
        }
        Node = null;
        return (Parameter)this.RequireGrad();
    }

    /// <summary>Gives back values, gradient and mask.</summary>
    public override void Dispose()
    {
        Grad?.Dispose();
        _mask?.Dispose();
        base.Dispose();
    }

    /// <summary>Moves to another storage whose values are in place already. A graph that saved the parameter will find it changed.</summary>
    internal void Rehome(Tensor home)
    {
        home.Storage.Version = Storage.Version + 1;
        base.Dispose();
        (Storage, Generation, Layout) = (home.Storage, home.Generation, home.Layout);
    }

    /// <summary>A larger copy with the old values at the start of every dim.</summary>
    internal static Tensor Enlarge(Tensor old, Shape shape, double fill)
    {
        var grown = AllocateUnscoped(Layout.Of(shape), old.DType, old.Device);
        CopyKernels.Fill(grown, fill);
        CopyKernels.Copy(old, Corner(grown, old.Shape));
        return grown;
    }

    private static Tensor Corner(Tensor whole, Shape corner)
    {
        var layout = whole.Layout;
        for (int d = 0; d < corner.Rank; d++)
            layout = layout.Slice(d, 0, corner.Span[d]);
        return whole.View(layout);
    }

    private static Tensor Copy(Tensor values)
    {
        var own = AllocateUnscoped(Layout.Of(values.Shape), values.DType, values.Device);
        CopyKernels.Copy(values, own);
        return own;
    }
}
