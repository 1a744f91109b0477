using System.Diagnostics;

namespace Native.Optim;

/// <summary>Parameters that share a learning rate and a weight decay.</summary>
/// <param name="parameters">What to train.</param>
/// <param name="lr">Learning rate.</param>
/// <param name="weightDecay">Strength of the weight decay; 0 for none.</param>
public sealed class ParamGroup(IReadOnlyList<Parameter> parameters, double lr, double weightDecay)
{
    /// <summary>What to train.</summary>
    public IReadOnlyList<Parameter> Parameters => parameters;

    /// <summary>Learning rate; may change from step to step.</summary>
    public double Lr { get; set; } = Optimizer.NotNegative(lr, "lr");

    /// <summary>Strength of the weight decay.</summary>
    public double WeightDecay { get; set; } = Optimizer.NotNegative(weightDecay, "weightDecay");
}

/// <summary>
/// Updates parameters from their gradients, in place, all of them in one pass. Moments are long-lived tensors that the optimiser owns;
/// they follow a parameter that has grown, with zeros where it is new.
/// </summary>
public abstract class Optimizer : IDisposable
{
    private readonly List<ParamGroup> _groups = [];
    private readonly Dictionary<Parameter, Moments> _moments = new(ReferenceEqualityComparer.Instance);
    private OptimSlot[] _slots = [];
    private (ParamGroup Group, Moments Moments)[] _plan = [];
    private Parameter[]? _all;
    private bool _disposed;

    private protected Optimizer(IReadOnlyList<Parameter> parameters, double lr, double weightDecay) => AddGroup(parameters, lr, weightDecay);

    /// <summary>The groups, in order of addition.</summary>
    public IReadOnlyList<ParamGroup> Groups => _groups;

    /// <summary>The learning rate of the first group; setting it sets that of all groups.</summary>
    public double Lr
    {
        get => _groups[0].Lr;
        set
        {
            NotNegative(value, "lr");
            foreach (var g in _groups)
                g.Lr = value;
        }
    }

    /// <summary>Adds parameters with a rate and a decay of their own.</summary>
    /// <exception cref="UsageException">A parameter is in a group already.</exception>
    public ParamGroup AddGroup(IReadOnlyList<Parameter> parameters, double lr, double weightDecay = 0)
    {
        var group = new ParamGroup(parameters, lr, weightDecay);
        foreach (var p in parameters)
            if (!_moments.TryAdd(p, new Moments()))
                throw new UsageException($"optimizer: parameter '{p.Name}' is in a group already. Name each parameter once.");
        _groups.Add(group);
        _slots = new OptimSlot[_moments.Count];
        _plan = new (ParamGroup, Moments)[_moments.Count];
        _all = null;
        return group;
    }

    /// <summary>Sets every gradient to zero, in place.</summary>
    public void ZeroGrad()
    {
        foreach (var group in _groups)
            foreach (var p in group.Parameters)
                p.Grad?.ZeroInPlace();
    }

    /// <summary>One update. A parameter whose gradient is null is left out, its moments too.</summary>
    public void Step() => Step(null);

    /// <summary>
    /// One update along the gradient of a loss. The gradients are values that live for this call: nothing is added to <see cref="Tensor.Grad"/>, so
    /// there is nothing to zero, and only those are computed that this optimiser reads. Activations that the loss's graph saved return to the pool.
    /// </summary>
    /// <exception cref="GradException">The loss does not depend on one of the parameters.</exception>
    public void Minimize(Tensor loss)
    {
        using var scope = TensorScope.Begin("minimize");
        _all ??= [.. _groups.SelectMany(g => g.Parameters)];
        Step(Autograd.Grad(loss, _all, releaseActivations: true));
    }

    /// <summary>
    /// The same with the gradient first scaled so that its norm over all parameters is at most <paramref name="maxNorm"/>, as
    /// <see cref="Clip.GradNormOnDevice"/> does. Returns the norm before, a scalar on the parameters' device: the host reads nothing.
    /// </summary>
    /// <exception cref="GradException">The loss does not depend on one of the parameters.</exception>
    public Tensor Minimize(Tensor loss, double maxNorm)
    {
        using var scope = TensorScope.Begin("minimize");
        _all ??= [.. _groups.SelectMany(g => g.Parameters)];
        var gradients = Autograd.Grad(loss, _all, releaseActivations: true);
        var norm = Clip.ScaleOnDevice(gradients, _all, maxNorm);
        Step(gradients);
        return scope.Keep(norm);
    }

    private void Step(Tensor[]? gradients)
    {
        int n = 0, at = 0;
        List<Tensor>? copies = null;
        foreach (var group in _groups)
            foreach (var p in group.Parameters)
            {
                if ((gradients is null ? p.Grad : gradients[at++]) is not { } g)
                    continue;
                p.CheckAlive("step", p.Name);
                g.CheckAlive("step", "gradient");
                if (!g.Layout.SameShape(p.Layout))
                    Check.ShapeIs(g, p.Shape, "step", $"gradient of '{p.Name}'");
                Check.SameDType(g, p, "step", "gradient", p.Name);
                if (!g.IsContiguous)
                {
                    var dense = Tensor.AllocateUnscoped(Layout.Of(g.Shape), g.DType, g.Device);
                    CopyKernels.Copy(g, dense);
                    (copies ??= []).Add(dense);
                    g = dense;
                }
                var m = _moments[p];
                m.Follow(p, MomentCount);
                _plan[n] = (group, m);
                _slots[n++] = new OptimSlot(p, g, m.First, m.Second, p.GradMask);
            }
        long start = Stopwatch.GetTimestamp();
        Advance(n);
        if ((Ambient.Current.Watch & (Watch.Profile | Watch.Debug)) != 0)
            Profiler.Note($"({GetType().Name.ToLowerInvariant()} update)", start, UpdateBytes(_slots.AsSpan(0, n)));
        Array.Clear(_slots);
        Array.Clear(_plan);
        copies?.ForEach(c => c.Dispose());
    }

    // A graph counts the step and computes its scalars again before each replay, from its own copy of what this step updates.
    private void Advance(int n)
    {
        if (GraphCapture.Current is null)
        {
            Count(_plan.AsSpan(0, n), _slots);
            Update(_slots.AsMemory(0, n));
        }
        else
        {
            AdvanceEachReplay(n);
        }
    }

    private void AdvanceEachReplay(int n)
    {
        var plan = _plan[..n];
        var slots = _slots[..n];
        int groups = _groups.Count;
        GraphCapture.Each(() =>
        {
            if (groups != _groups.Count)
                throw new UsageException($"step: the optimizer had {groups} groups of parameters when the graph was recorded and has {_groups.Count} now. Call Reset() of the graph.");
            Count(plan, slots);
        });
        Update(slots);
    }

    private void Count(ReadOnlySpan<(ParamGroup Group, Moments Moments)> plan, OptimSlot[] slots)
    {
        for (int i = 0; i < plan.Length; i++)
        {
            var (group, moments) = plan[i];
            slots[i] = Scalars(group, ++moments.Steps, slots[i]);
        }
        Ambient.Current.OptimizerSteps++;
    }

    /// <summary>
    /// The optimiser's memory by name, as <c>fc1.weight.momentum</c>; the number of updates as i64 under <c>.steps</c>. Copies, owned by the caller.
    /// Parameters that were never updated have none.
    /// </summary>
    public OrderedDictionary<string, Tensor> State()
    {
        var state = new OrderedDictionary<string, Tensor>(StringComparer.Ordinal);
        foreach (var (name, p) in Named())
        {
            var m = _moments[p];
            if (m.Steps == 0)
                continue;
            state.Add($"{name}.steps", Tensor.Scalar(m.Steps));
            if (m.First is { } first)
                state.Add($"{name}.{MomentNames[0]}", first.Clone());
            if (m.Second is { } second)
                state.Add($"{name}.{MomentNames[1]}", second.Clone());
        }
        return state;
    }

    /// <summary>Restores what <see cref="State"/> gave; the next step is then the one that would have followed.</summary>
    /// <exception cref="UsageException">A name is unknown or missing.</exception>
    /// <exception cref="ShapeException">A shape is not that of the parameter.</exception>
    public void Load(IReadOnlyDictionary<string, Tensor> state)
    {
        var used = new HashSet<string>(StringComparer.Ordinal);
        var plan = new List<(Parameter P, long Steps, Tensor?[] Moments)>();
        foreach (var (name, p) in Named())
        {
            var moments = new Tensor?[2];
            if (!state.TryGetValue($"{name}.steps", out var steps))
            {
                plan.Add((p, 0, moments));
                continue;
            }
            used.Add($"{name}.steps");
            for (int i = 0; i < MomentCount; i++)
            {
                string key = $"{name}.{MomentNames[i]}";
                moments[i] = state.TryGetValue(key, out var t) ? t
                    : throw new UsageException($"load: the optimiser's state has '{name}.steps' but lacks '{key}'. Load what State() of the same kind of optimiser gave.");
                Check.ShapeIs(t, p.Shape, "load", key);
                Check.SameDType(t, p, "load", key, name);
                used.Add(key);
            }
            plan.Add((p, steps.Item<long>(), moments));
        }
        if (state.Keys.FirstOrDefault(k => !used.Contains(k)) is { } extra)
            throw new UsageException($"load: the optimiser's state names '{extra}', which is none of its {_moments.Count} parameters. Load what State() of the same kind of optimiser gave.");
        using var scope = TensorScope.Begin("load");
        foreach (var (p, steps, moments) in plan)
            _moments[p].Set(p, steps, moments);
    }

    /// <summary>Writes <see cref="State"/> to a safetensors file, atomically.</summary>
    public void Save(string path)
    {
        using var scope = TensorScope.Begin("save");
        Nn.StateDict.Write(path, State());
    }

    /// <summary>Restores what <see cref="Save"/> wrote.</summary>
    public void Load(string path)
    {
        using var scope = TensorScope.Begin("load");
        Load(Safetensors.Read(path).Arrays.ToDictionary(a => a.Key, a => Tensor.From(a.Value), StringComparer.Ordinal));
    }

    /// <summary>Frees the moments.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the moments.</summary>
    protected virtual void Dispose(bool disposing)
    {
        foreach (var m in _moments.Values)
            m.Free();
    }

    private protected abstract int MomentCount { get; }

    private protected abstract string[] MomentNames { get; }

    private protected abstract OptimSlot Scalars(ParamGroup group, long step, OptimSlot slot);

    private protected abstract void Update(ReadOnlyMemory<OptimSlot> slots);

    internal static double NotNegative(double value, string name) =>
        value >= 0 && double.IsFinite(value) ? value : throw new UsageException($"optimizer: {name} must be a finite number of 0 or more; got {value}.");

    internal static double Fraction(double value, string name) =>
        value is >= 0 and < 1 ? value : throw new UsageException($"optimizer: {name} must be in [0, 1); got {value}.");

    // Parameter and moments are read and written, the gradient is read.
    private long UpdateBytes(ReadOnlySpan<OptimSlot> slots)
    {
        long bytes = 0;
        foreach (var s in slots)
            bytes += s.Value.ByteSize * (3 + 2 * MomentCount);
        return bytes;
    }

    // Two parameters made alone may share a name; the later ones get a number.
    private IEnumerable<(string Name, Parameter P)> Named()
    {
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var group in _groups)
            foreach (var p in group.Parameters)
            {
                int k = seen[p.Name] = seen.GetValueOrDefault(p.Name) + 1;
                yield return (k == 1 ? p.Name : $"{p.Name}#{k}", p);
            }
    }

    private sealed class Moments
    {
        public long Steps { get; set; }

        public Tensor? First { get; private set; }

        public Tensor? Second { get; private set; }

        public void Follow(Parameter p, int count)
        {
            First = count > 0 ? Fit(First, p) : null;
            Second = count > 1 ? Fit(Second, p) : null;
        }

        public void Set(Parameter p, long steps, Tensor?[] values)
        {
            Free();
            Steps = steps;
            First = values[0] is { } a ? Parameter.Enlarge(a.To(p.Device), p.Shape, 0) : null;
            Second = values[1] is { } b ? Parameter.Enlarge(b.To(p.Device), p.Shape, 0) : null;
        }

        public void Free()
        {
            First?.Dispose();
            Second?.Dispose();
            First = Second = null;
        }

        private static Tensor Fit(Tensor? moment, Parameter p)
        {
            if (moment is not null && moment.Layout.SameShape(p.Layout))
                return moment;
            if (moment is null)
            {
                var zeros = Tensor.AllocateUnscoped(Layout.Of(p.Shape), p.DType, p.Device);
                CopyKernels.Fill(zeros, 0);
                return zeros;
            }
            var grown = Parameter.Enlarge(moment, p.Shape, 0);
            moment.Dispose();
            return grown;
        }
    }
}
