namespace Native.Nn;

/// <summary>
/// A function with parameters: weights that are trained, buffers that are carried along (running statistics), and smaller modules.
/// Names are paths (<c>0.weight</c>, <c>encoder.fc1.bias</c>) and the order is that of registration, so it is the same in every run.
/// A module owns its tensors; dispose the outermost one.
/// </summary>
public abstract class Module : IDisposable
{
    private readonly List<(string Name, object Member)> _members = [];
    private bool _disposed;

    /// <summary>True while training (the default): batch statistics and dropout are in use.</summary>
    public bool Training { get; private set; } = true;

    /// <summary>The module as a function of one tensor. Modules with another signature offer their own method and refuse this one.</summary>
    public virtual Tensor Forward(Tensor x) =>
        throw new UsageException($"forward: {GetType().Name} is no function of one tensor. Call the method that it offers instead.");

    /// <summary>The submodules, in order of registration.</summary>
    public IEnumerable<Module> Children => _members.Select(m => m.Member).OfType<Module>();

    /// <summary>All parameters, those of submodules included, in order of registration. One that is shared appears once.</summary>
    public IReadOnlyList<Parameter> Parameters() => [.. NamedParameters().Select(p => p.Value)];

    /// <summary>All parameters with their paths. One that is shared appears once, under the first path.</summary>
    public IEnumerable<(string Name, Parameter Value)> NamedParameters()
    {
        var seen = new HashSet<Parameter>(ReferenceEqualityComparer.Instance);
        foreach (var (name, member) in Walk(""))
            if (member is Parameter p && seen.Add(p))
                yield return (name, p);
    }

    /// <summary>All buffers with their paths.</summary>
    public IEnumerable<(string Name, Tensor Value)> NamedBuffers() =>
        Walk("").Where(m => m.Member is Tensor and not Parameter).Select(m => (m.Name, (Tensor)m.Member));

    /// <summary>All buffers, those of submodules included.</summary>
    public IReadOnlyList<Tensor> Buffers() => [.. NamedBuffers().Select(b => b.Value)];

    /// <summary>Number of trained values.</summary>
    public long ParameterCount => Parameters().Sum(p => p.Count);

    /// <summary>Switches this module and all below to training, and returns it.</summary>
    public Module Train() => SetTraining(true);

    /// <summary>Switches this module and all below to evaluation, and returns it.</summary>
    public Module Eval() => SetTraining(false);

    /// <summary>Sets every gradient to zero, in place.</summary>
    public void ZeroGrad()
    {
        foreach (var p in Parameters())
            p.Grad?.ZeroInPlace();
    }

    /// <summary>
    /// Until the result is disposed, the module computes with these values in place of its parameters, in the order of <see cref="Parameters"/>.
    /// The values may be recorded: the fast weights of an unrolled inner loop are the results of the step before. Regions nest, and each
    /// restores what was before it. A graph made inside stays differentiable after the end.
    /// </summary>
    /// <exception cref="ShapeException">The number of values or a shape is not that of the parameters.</exception>
    public IDisposable With(IReadOnlyList<Tensor> values) => new Substitution(this, values);

    /// <summary>
    /// Until the result is disposed, the module computes with constants: its parameters at their present values, without a gradient. Gradients
    /// still flow through it to its input.
    /// </summary>
    public IDisposable Freeze() => With([.. Parameters().Select(p => p.Value.Detach())]);

    /// <summary><see cref="Forward"/> on these values in place of the parameters; the module itself stays as it is.</summary>
    public Tensor Call(Tensor x, IReadOnlyList<Tensor> values)
    {
        using var _ = With(values);
        return Forward(x);
    }

    /// <summary>Registers a parameter that starts as a copy of the values.</summary>
    protected Parameter Add(string name, Tensor values)
    {
        CheckName(name);
        var p = Parameter.From(values, name);
        _members.Add((name, p));
        return p;
    }

    /// <summary>Registers a parameter that another module owns too (tied weights).</summary>
    protected Parameter AddShared(string name, Parameter parameter)
    {
        CheckName(name);
        _members.Add((name, parameter));
        return parameter;
    }

    /// <summary>Registers a submodule.</summary>
    protected T Add<T>(string name, T child) where T : Module
    {
        CheckName(name);
        _members.Add((name, child));
        foreach (var (path, p) in child.NamedParameters())
            p.Name = $"{name}.{path}";
        return child;
    }

    /// <summary>Registers state that is saved but not trained; the module keeps a copy of the values, which it may change in place.</summary>
    protected Tensor AddBuffer(string name, Tensor values)
    {
        CheckName(name);
        var own = Tensor.AllocateUnscoped(Layout.Of(values.Shape), values.DType, values.Device);
        CopyKernels.Copy(values, own);
        _members.Add((name, own));
        return own;
    }

    /// <summary>Called when <see cref="Training"/> has changed.</summary>
    protected virtual void OnTrainingChanged()
    {
    }

    /// <summary>Frees parameters, gradients, buffers and submodules.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the module owns; override to free more, and call the base.</summary>
    protected virtual void Dispose(bool disposing)
    {
        Flat?.Dispose();
        foreach (var (_, member) in _members)
            switch (member)
            {
                case Parameter p:
                    p.Dispose();
                    break;
                case IDisposable d:
                    d.Dispose();
                    break;
            }
    }

    /// <summary>The flat block that the parameters live in, when there is one; it dies with the module.</summary>
    internal FlatView? Flat { get; set; }

    private Module SetTraining(bool training)
    {
        if (Training != training)
        {
            Training = training;
            OnTrainingChanged();
        }
        foreach (var child in Children)
            child.SetTraining(training);
        return this;
    }

    private void CheckName(string name)
    {
        if (name.Length == 0 || name.Contains('.'))
            throw new UsageException($"module: '{name}' cannot name a part of {GetType().Name}; names are not empty and have no dot.");
        if (_members.Any(m => m.Name == name))
            throw new UsageException($"module: {GetType().Name} has a part named '{name}' already. Give each its own name.");
    }

    private IEnumerable<(string Name, object Member)> Walk(string prefix)
    {
        foreach (var (name, member) in _members)
        {
            if (member is not Module child)
                yield return (prefix + name, member);
            else
                foreach (var inner in child.Walk($"{prefix}{name}."))
                    yield return inner;
        }
    }

    private sealed class Substitution : IDisposable
    {
        private readonly IReadOnlyList<Parameter> _parameters;
        private readonly Tensor?[] _before;
        private readonly Tensor[] _values;
        private bool _closed;

        public Substitution(Module module, IReadOnlyList<Tensor> values)
        {
            _parameters = module.Parameters();
            if (values.Count != _parameters.Count)
                throw new ShapeException($"with: {module.GetType().Name} has {_parameters.Count} parameters but {values.Count} values were given. Give one for each, in the order of Parameters().");
            for (int i = 0; i < values.Count; i++)
            {
                var p = _parameters[i];
                values[i].CheckAlive("with", p.Name);
                Check.ShapeIs(values[i], p.Shape, "with", p.Name);
                Check.SameDType(values[i], p, "with", "value", p.Name);
                Check.SameDevice(values[i], p, "with", "value", p.Name);
            }
            _values = [.. values];
            _before = [.. _parameters.Select(p => p.Substitute)];
            for (int i = 0; i < _values.Length; i++)
                _parameters[i].Substitute = _values[i];
        }

        public void Dispose()
        {
            if (_closed)
                return;
            for (int i = 0; i < _values.Length; i++)
                if (!ReferenceEquals(_parameters[i].Substitute, _values[i]))
                    throw new UsageException($"with: values given to '{_parameters[i].Name}' inside this region are still in place. Dispose regions in reverse order.");
            _closed = true;
            for (int i = 0; i < _values.Length; i++)
                _parameters[i].Substitute = _before[i];
        }
    }
}
