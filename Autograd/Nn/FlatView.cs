namespace Native.Nn;

/// <summary>
/// All parameters of a module end to end in one block, and all gradients in another: what projections of gradients, curvature products and
/// weight averaging work on. The parameters stay the same objects; their memory moves into the block, so both views are always
/// current. Writing one parameter leaves the versions of its neighbours alone; writing the block changes them all.
/// <para>The module owns the blocks. A module has one flat view; parameters that grow leave it.</para>
/// </summary>
public sealed class FlatView
{
    private readonly IReadOnlyList<Parameter> _parameters;
    private readonly Tensor[] _values, _gradients;
    private readonly long[] _offsets;

    /// <summary>Moves the parameters and gradients of a module into two blocks.</summary>
    /// <exception cref="UsageException">The module has no parameters, or is inside another flat view.</exception>
    /// <exception cref="DTypeException">The parameters are not all of one dtype.</exception>
    public FlatView(Module module)
    {
        _parameters = module.Parameters();
        if (_parameters.Count == 0)
            throw new UsageException($"flat_view: {module.GetType().Name} has no parameters. Flatten a module that has some.");
        var first = _parameters[0];
        foreach (var p in _parameters)
        {
            Check.SameDType(p, first, "flat_view", p.Name, first.Name);
            Check.SameDevice(p, first, "flat_view", p.Name, first.Name);
            if (p.Storage.IsSlice)
                throw new UsageException($"flat_view: parameter '{p.Name}' lives in a flat block already. Use the view that was made first.");
        }
        _offsets = new long[_parameters.Count + 1];
        for (int i = 0; i < _parameters.Count; i++)
            _offsets[i + 1] = _offsets[i] + _parameters[i].Count;
        var layout = Layout.Of([_offsets[^1]]);
        Values = Tensor.AllocateUnscoped(layout, first.DType, first.Device);
        GradientBlock = Tensor.AllocateUnscoped(layout, first.DType, first.Device);
        CopyKernels.Fill(GradientBlock, 0);
        (_values, _gradients) = (new Tensor[_parameters.Count], new Tensor[_parameters.Count]);
        for (int i = 0; i < _parameters.Count; i++)
        {
            var p = _parameters[i];
            _values[i] = Slice(Values, i);
            _gradients[i] = Slice(GradientBlock, i);
            CopyKernels.Copy(p, _values[i]);
            p.Rehome(_values[i]);
            Adopt(i);
        }
        module.Flat = this;
        Parameter = Parameter.Over(Values, "flat");
        Parameter.Grad = GradientBlock;
    }

    /// <summary>All values, [total], in the order of the module's parameters; changing it changes them.</summary>
    public Tensor Values { get; }

    /// <summary>
    /// All gradients, [total], in the same order. A parameter whose gradient was replaced or set to null gets its slice back, with the
    /// replacement's values or zeros.
    /// </summary>
    public Tensor Gradients
    {
        get
        {
            for (int i = 0; i < _parameters.Count; i++)
                Adopt(i);
            return GradientBlock;
        }
    }

    /// <summary>The whole block as one parameter, for an optimiser that shall see it as one. It is no leaf of the module's graphs, and it has its own
    /// gradient mask: those of the single parameters do not count here.</summary>
    public Parameter Parameter { get; }

    /// <summary>Where each parameter begins; one number more than there are parameters.</summary>
    public IReadOnlyList<long> Offsets => _offsets;

    private Tensor GradientBlock { get; }

    /// <summary>The views of a flat tensor (a direction, an average) that correspond to each parameter, recorded.</summary>
    public Tensor[] Split(Tensor flat)
    {
        Check.ShapeIs(flat, [_offsets[^1]], "split", "flat");
        var parts = new Tensor[_parameters.Count];
        for (int i = 0; i < parts.Length; i++)
            parts[i] = flat.Narrow(0, _offsets[i], _parameters[i].Count).Reshape(_parameters[i].Shape);
        return parts;
    }

    /// <summary>Frees the blocks; the parameters die with them.</summary>
    internal void Dispose()
    {
        for (int i = 0; i < _parameters.Count; i++)
        {
            _values[i].Storage.Retire();
            _gradients[i].Storage.Retire();
        }
        Values.Dispose();
        GradientBlock.Dispose();
    }

    private void Adopt(int i)
    {
        var p = _parameters[i];
        if (!ReferenceEquals(p.Storage, _values[i].Storage))
            throw new UsageException($"flat_view: parameter '{p.Name}' grew and has left the block. Make a new module, or grow before flattening.");
        var g = p.Grad;
        if (g is not null && ReferenceEquals(g.Storage, _gradients[i].Storage))
            return;
        if (g is { IsAlive: true })
        {
            Check.ShapeIs(g, p.Shape, "flat_view", $"gradient of '{p.Name}'");
            Check.SameDType(g, p, "flat_view", "gradient", p.Name);
            CopyKernels.Copy(g, _gradients[i]);
            g.Dispose();
        }
        else
        {
            CopyKernels.Fill(_gradients[i], 0);
        }
        _gradients[i].Storage.BumpVersion();
        p.Grad = _gradients[i];
    }

    private Tensor Slice(Tensor block, int i)
    {
        int size = block.DType.Size();
        var storage = block.Storage.Slice(_offsets[i] * size, _parameters[i].Count * size);
        return new Tensor(storage, Layout.Of(_parameters[i].Shape), block.DType);
    }
}
