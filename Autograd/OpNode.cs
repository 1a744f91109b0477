namespace Native;

/// <summary>
/// One recorded application of an operation: edges to the nodes of its inputs, and the tensors its vjp will read. Nothing else is
/// kept alive. Two shapes, because almost every node has one or two inputs and one output and should cost one small object.
/// </summary>
internal abstract class OpNode : GradNode
{
    private protected OpNode(Op op, Ambient ambient)
    {
        Op = op;
        Sequence = Ambient.TakeSequence();
        if ((ambient.Watch & Watch.Anomaly) != 0)
            Stacks.Add(this, Environment.StackTrace);
    }

    public Op Op { get; }

    /// <summary>Gradient of the first output, while it waits for its turn.</summary>
    public Tensor? Grad { get; set; }

    /// <summary>Stamp of the last pass that queued this node.</summary>
    public long Visit { get; set; }

    /// <summary>Stamp of the last pass that found a wanted tensor at or below this node.</summary>
    public long NeededBy { get; set; }

    /// <summary>Saved tensors were dropped by an earlier backward.</summary>
    public bool Released { get; set; }

    // Forward stacks, with NATIVE_ANOMALY=1: beside the nodes, because almost no node has one.
    private static readonly System.Runtime.CompilerServices.ConditionalWeakTable<OpNode, string> Stacks = [];

    public override string Name => Op.Name;

    public abstract int Inputs { get; }

    public virtual int Outputs => 1;

    /// <summary>The node behind input i, null when it needs no gradient.</summary>
    public abstract GradNode? Edge(int i);

    public abstract int EdgeOutput(int i);

    public virtual Tensor? GradOf(int output) => Grad;

    public virtual void SetGrad(int output, Tensor? g) => Grad = g;

    /// <summary>The shape that input i had, when it may differ from the gradient's (broadcasting); null otherwise.</summary>
    public virtual Layout? InputShape(int i) => null;

    /// <summary>Saved input i; errors when it was not saved, was freed, or has changed in place since.</summary>
    public abstract Tensor SavedInput(int i);

    public abstract Tensor SavedOutput(int i);

    public abstract void Release();

    public abstract IEnumerable<Tensor> Saved { get; }

    internal override void VisitSaved(Action<Tensor> visit, long since = 0)
    {
        foreach (var node in Graph(since))
            foreach (var t in node.Saved)
                visit(t);
    }

    /// <summary>Visits the leaves that this node depends on, some perhaps more than once.</summary>
    public void VisitLeaves(Action<LeafNode> visit)
    {
        foreach (var node in Graph())
            for (int i = 0; i < node.Inputs; i++)
                if (node.Edge(i) is LeafNode leaf)
                    visit(leaf);
    }

    private IEnumerable<OpNode> Graph(long since = 0)
    {
        var seen = new HashSet<GradNode>(ReferenceEqualityComparer.Instance);
        var work = new Stack<OpNode>();
        work.Push(this);
        while (work.TryPop(out var node))
        {
            if (node.Sequence < since || !seen.Add(node))
                continue;
            yield return node;
            for (int i = 0; i < node.Inputs; i++)
                if (node.Edge(i) is OpNode next)
                    work.Push(next);
        }
    }

    private protected Tensor Use(Tensor? t, int version, string what)
    {
        if (t is null)
        {
            throw new GradException(Released
                ? $"backward: saved {what} of {Name} was freed by an earlier backward. Pass retainGraph: true, or createGraph: true for higher orders."
                : $"backward: {Name} did not save its {what}; its Saves and its Backward disagree.");
        }
        if (!t.IsAlive)
            t.CheckAlive($"backward of {Name}", $"saved {what}");
        if (t.Storage.Version != version)
            throw new GradException($"backward: saved {what} {t.Describe()} of {Name} was changed in place after it was saved (version {t.Storage.Version}, expected {version}). Change a copy, or change it after the backward.{Where}");
        return t;
    }

    /// <summary>The forward stack for an error message, when anomaly mode recorded it.</summary>
    public string Where => Stacks.TryGetValue(this, out string? stack) ? $"\nForward call of {Name}:\n{stack}" : "";
}

/// <summary>At most two inputs, one output, and two scalar parameters inline.</summary>
internal class SmallNode : OpNode
{
    private readonly GradNode? _e0, _e1;
    private readonly byte _o0, _o1;
    private readonly Layout? _shape0, _shape1;
    private readonly int _v0, _v1, _vy;
    private Tensor? _s0, _s1, _y;

    public SmallNode(Op op, Ambient ambient, Tensor x, bool saveX, Tensor? y) : base(op, ambient)
    {
        Inputs = 1;
        _e0 = x.Node;
        _o0 = x.OutputIndex;
        if (saveX)
            (_s0, _v0) = (x, x.Storage.Version);
        if (y is not null)
            (_y, _vy) = (y, y.Storage.Version);
    }

    public SmallNode(Op op, Ambient ambient, Tensor a, Tensor b, bool saveA, bool saveB, Tensor? y, bool broadcast) : base(op, ambient)
    {
        Inputs = 2;
        if (a.RequiresGrad)
            (_e0, _o0) = (a.Node, a.OutputIndex);
        if (b.RequiresGrad)
            (_e1, _o1) = (b.Node, b.OutputIndex);
        if (saveA)
            (_s0, _v0) = (a, a.Storage.Version);
        if (saveB)
            (_s1, _v1) = (b, b.Storage.Version);
        if (y is not null)
            (_y, _vy) = (y, y.Storage.Version);
        if (broadcast)
            (_shape0, _shape1) = (a.Layout, b.Layout);
    }

    /// <summary>Scalar parameters of the row.</summary>
    public double P { get; init; }

    public double Q { get; init; }

    public override int Inputs { get; }

    public override GradNode? Edge(int i) => i == 0 ? _e0 : _e1;

    public override int EdgeOutput(int i) => i == 0 ? _o0 : _o1;

    public override Layout? InputShape(int i) => i == 0 ? _shape0 : _shape1;

    public override Tensor SavedInput(int i) => i == 0 ? Use(_s0, _v0, Inputs == 1 ? "input" : "left input") : Use(_s1, _v1, "right input");

    public override Tensor SavedOutput(int i) => Use(_y, _vy, "output");

    /// <summary>The saved tensor if there is one, else null: a formula that ignores an argument gets null for it.</summary>
    public Tensor? X => _s0 is null && !Released ? null : SavedInput(0);

    public Tensor? B => _s1 is null && !Released ? null : SavedInput(1);

    public Tensor? Y => _y is null && !Released ? null : SavedOutput(0);

    public override void Release()
    {
        Released |= _s0 is not null || _s1 is not null || _y is not null;
        _s0 = _s1 = _y = null;
    }

    public override IEnumerable<Tensor> Saved
    {
        get
        {
            if (_s0 is not null)
                yield return _s0;
            if (_s1 is not null)
                yield return _s1;
            if (_y is not null)
                yield return _y;
        }
    }
}

/// <summary>Any number of inputs, up to four outputs.</summary>
internal sealed class WideNode : OpNode
{
    private readonly Slot[] _slots;
    private readonly Further? _further;
    private Tensor? _y;
    private readonly int _vy;

    public WideNode(Op op, Ambient ambient, ReadOnlySpan<Tensor?> inputs, ReadOnlySpan<Tensor> outputs, in OutputSpecs specs, Saves saves) : base(op, ambient)
    {
        _slots = new Slot[inputs.Length];
        for (int i = 0; i < inputs.Length; i++)
        {
            if (inputs[i] is not { } x)
                continue;
            ref var slot = ref _slots[i];
            slot.Shape = x.Layout;
            if (x.RequiresGrad)
                (slot.Edge, slot.EdgeOutput) = (x.Node, x.OutputIndex);
            if ((saves & (Saves)((int)Saves.Input0 << i)) != 0)
                (slot.Saved, slot.Version) = (x, x.Storage.Version);
        }
        if ((saves & Saves.Output0) != 0)
            (_y, _vy) = (outputs[0], outputs[0].Storage.Version);
        if (outputs.Length > 1)
            _further = new Further(outputs, specs, saves);
    }

    public override int Inputs => _slots.Length;

    public override int Outputs => _further is null ? 1 : _further.Saved.Length;

    public override GradNode? Edge(int i) => _slots[i].Edge;

    public override int EdgeOutput(int i) => _slots[i].EdgeOutput;

    /// <summary>The first output's gradient; zeros when only a later output was used.</summary>
    public Tensor GradOrZeros() => Grad ?? Tensor.Zeros(_further!.First.Layout.Shape, _further.First.DType, _further.Device);

    public override Tensor? GradOf(int output) => output == 0 ? Grad : _further!.Grads[output];

    public override void SetGrad(int output, Tensor? g)
    {
        if (output == 0)
            Grad = g;
        else
            _further!.Grads[output] = g;
    }

    public override Layout? InputShape(int i) => _slots[i].Shape;

    public override Tensor SavedInput(int i) => Use(_slots[i].Saved, _slots[i].Version, $"input {i}");

    public override Tensor SavedOutput(int i) => i == 0 ? Use(_y, _vy, "output") : Use(_further!.Saved[i], _further.Versions[i], $"output {i}");

    public override void Release()
    {
        // By hand rather than through Saved: this runs once per node of every pass, and an iterator is garbage.
        Released |= _y is not null;
        _y = null;
        foreach (ref var slot in _slots.AsSpan())
        {
            Released |= slot.Saved is not null;
            slot.Saved = null;
        }
        if (_further is null)
            return;
        foreach (ref var saved in _further.Saved.AsSpan())
        {
            Released |= saved is not null;
            saved = null;
        }
    }

    public override IEnumerable<Tensor> Saved
    {
        get
        {
            foreach (var slot in _slots)
                if (slot.Saved is not null)
                    yield return slot.Saved;
            if (_y is not null)
                yield return _y;
            foreach (var t in _further?.Saved ?? [])
                if (t is not null)
                    yield return t;
        }
    }

    /// <summary>One input: where its gradient goes, what was saved of it, and the shape it had.</summary>
    private struct Slot
    {
        public GradNode? Edge;
        public Tensor? Saved;
        public Layout? Shape;
        public int Version;
        public byte EdgeOutput;
    }

    /// <summary>What only nodes with several outputs need.</summary>
    private sealed class Further
    {
        public Further(ReadOnlySpan<Tensor> outputs, in OutputSpecs specs, Saves saves)
        {
            (First, Device) = (specs[0], outputs[0].Device);
            Grads = new Tensor?[outputs.Length];
            Saved = new Tensor?[outputs.Length];
            Versions = new int[outputs.Length];
            for (int j = 1; j < outputs.Length; j++)
                if ((saves & (Saves)((int)Saves.Output0 << j)) != 0)
                    (Saved[j], Versions[j]) = (outputs[j], outputs[j].Storage.Version);
        }

        public OutputSpec First { get; }

        public Device Device { get; }

        public Tensor?[] Grads { get; }

        public Tensor?[] Saved { get; }

        public int[] Versions { get; }
    }
}
