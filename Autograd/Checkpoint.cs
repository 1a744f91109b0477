namespace Native;

/// <summary>
/// Memory for time: a segment of a computation is run without keeping its intermediate results, and run again when its backward needs
/// them (Chen, Xu, Zhang, Guestrin 2016, "Training deep nets with sublinear memory cost"). Values and gradients are those of the plain
/// computation, bit for bit, as long as a tensor that the segment uses several times is not used outside it too (then the same terms
/// are added in another order). Segments nest, and gradients of gradients work.
/// </summary>
public static class Checkpoint
{
    /// <summary>A segment of one input and one result.</summary>
    public static Tensor Run(Func<Tensor, Tensor> segment, Tensor input, params ReadOnlySpan<Generator> generators) =>
        Run(xs => [segment(xs[0])], [input], generators)[0];

    /// <summary>
    /// Runs a segment. It must compute the same thing when run again: draw only from the generators named here (they are wound back for the second
    /// run), and read nothing that changes in between. Parameters and other leaves may be used from outside; a recorded result may not, it
    /// must be an input. Running statistics move in the first run only.
    /// </summary>
    /// <param name="segment">Gets stand-ins of the inputs, in order.</param>
    /// <param name="inputs">Every tensor that the segment reads, apart from leaves and constants.</param>
    /// <param name="generators">Every generator that it draws from.</param>
    /// <exception cref="GradException">The segment used a recorded tensor that is no input.</exception>
    public static Tensor[] Run(Func<Tensor[], Tensor[]> segment, Tensor[] inputs, params ReadOnlySpan<Generator> generators)
    {
        var ambient = Ambient.Current;
        foreach (var x in inputs)
            x.CheckAlive("checkpoint");
        if (!ambient.Recording)
            return segment(inputs);
        var states = new (Generator, (ulong, ulong))[generators.Length];
        for (int i = 0; i < states.Length; i++)
            states[i].Item1 = generators[i];
        GraphCapture.Each(() =>
        {
            foreach (ref var s in states.AsSpan())
                s.Item2 = s.Item1.State;
        });
        var start = Ambient.NextSequence;
        using var scope = TensorScope.Begin("checkpoint");
        var stand = StandIns(inputs, keepGraph: false);
        var inner = segment(stand);
        var leaves = Leaves(inner, stand, start);
        var outputs = inner.Select(y => scope.Keep(y)).ToArray();
        if (!inner.Any(y => y.RequiresGrad))
            return outputs;
        var node = new CheckpointNode(new CheckpointOp(segment, states), ambient, inputs, leaves, inner);
        for (int i = 0; i < outputs.Length; i++)
        {
            if (!inner[i].RequiresGrad)
                continue;
            outputs[i].Node = node;
            outputs[i].OutputIndex = checked((byte)i);
        }
        return outputs;
    }

    /// <summary>New nodes for the inputs, so that the segment's own derivative ends there; with the graph behind them, or cut from it.</summary>
    internal static Tensor[] StandIns(IReadOnlyList<Tensor> inputs, bool keepGraph) =>
        [.. inputs.Select(x => !x.RequiresGrad ? x.Detach() : Autograd.StandIn(keepGraph ? x : x.Detach().RequireGrad()))];

    /// <summary>The leaves that a segment reached outside itself, in the order in which the walk from its outputs finds them.</summary>
    internal static List<LeafNode> Leaves(Tensor[] outputs, Tensor[] stand, long start)
    {
        var seen = new HashSet<GradNode>(ReferenceEqualityComparer.Instance);
        foreach (var x in stand)
            if (x.Node is { } node)
                seen.Add(node);
        var leaves = new List<LeafNode>();
        var work = new Stack<GradNode>();
        foreach (var y in outputs)
            if (y.RequiresGrad)
                work.Push(y.Node!);
        while (work.TryPop(out var node))
        {
            if (!seen.Add(node))
                continue;
            if (node is LeafNode leaf)
            {
                if (leaf.Sequence < start)
                    leaves.Add(leaf);
                continue;
            }
            if (node.Sequence < start)
                throw new GradException($"checkpoint: the segment uses the recorded result of {node.Name}, which is not among its inputs. Pass it as an input, or Detach() it.");
            var op = (OpNode)node;
            for (int i = 0; i < op.Inputs; i++)
                if (op.Edge(i) is { } below)
                    work.Push(below);
        }
        return leaves;
    }
}

/// <summary>The op behind a checkpoint: its backward runs the segment again, recorded, and differentiates that.</summary>
internal sealed class CheckpointOp(Func<Tensor[], Tensor[]> segment, (Generator Generator, (ulong, ulong) State)[] generators) : Op("checkpoint")
{
    internal override void Propagate(OpNode node, Engine engine)
    {
        var n = (CheckpointNode)node;
        var ambient = Ambient.Current;
        // What the pass records, it must be able to differentiate again; otherwise the second run is cut from the first.
        bool createGraph = ambient.Recording;
        var inputs = new Tensor[n.InputTensors];
        for (int i = 0; i < inputs.Length; i++)
            inputs[i] = n.SavedInput(i);
        n.CheckLeaves();

        var start = Ambient.NextSequence;
        Tensor[] stand, outputs;
        using (Autograd.EnableGrad())
        {
            stand = Checkpoint.StandIns(inputs, createGraph);
            outputs = Again(ambient, stand);
        }
        CheckSame(n, Checkpoint.Leaves(outputs, stand, start), outputs);

        var wanted = new List<int>();
        var targets = new List<Tensor>();
        for (int i = 0; i < n.Inputs; i++)
            if (n.Edge(i) is { } edge && Engine.Wants(edge))
            {
                wanted.Add(i);
                targets.Add(i < stand.Length ? stand[i] : ((LeafNode)edge).Leaf);
            }
        var ys = new List<Tensor>();
        var seeds = new List<Tensor>();
        for (int i = 0; i < outputs.Length; i++)
            if (n.GradOf(i) is { } g)
            {
                ys.Add(outputs[i]);
                seeds.Add(g);
            }
        var grads = Engine.Grad(ys, seeds, targets, createGraph, retainGraph: false, stopAtTargets: true);
        for (int i = 0; i < grads.Length; i++)
            if (grads[i] is { } gx)
                engine.Send(node, wanted[i], gx);
    }

    private Tensor[] Again(Ambient ambient, Tensor[] stand)
    {
        bool before = ambient.Recomputing;
        var now = new (ulong, ulong)[generators.Length];
        GraphCapture.Each(() =>
        {
            for (int i = 0; i < now.Length; i++)
            {
                now[i] = generators[i].Generator.State;
                generators[i].Generator.State = generators[i].State;
            }
        });
        ambient.Recomputing = true;
        try
        {
            return segment(stand);
        }
        finally
        {
            ambient.Recomputing = before;
            GraphCapture.Each(() =>
            {
                for (int i = 0; i < now.Length; i++)
                    generators[i].Generator.State = now[i];
            });
        }
    }

    private static void CheckSame(CheckpointNode n, List<LeafNode> leaves, Tensor[] outputs)
    {
        bool same = outputs.Length == n.Outputs && leaves.Count == n.Inputs - n.InputTensors;
        for (int i = 0; same && i < leaves.Count; i++)
            same = ReferenceEquals(leaves[i], n.Edge(n.InputTensors + i));
        if (!same)
            throw new GradException($"backward of checkpoint: run again, the segment reached {leaves.Count} leaves and gave {outputs.Length} results; "
                + $"in the forward pass, {n.Inputs - n.InputTensors} (or others) and {n.Outputs}. It must compute the same thing both times; pass what changes as an input.{n.Where}");
        for (int i = 0; i < outputs.Length; i++)
            Check.ShapeIs(outputs[i], n.ShapeOf(i), "backward of checkpoint", $"result {i} of the second run");
    }
}

/// <summary>Edges to the inputs, then to the leaves that the segment found by itself; keeps the inputs alive and nothing else.</summary>
internal sealed class CheckpointNode : OpNode
{
    private readonly (GradNode? Node, byte Output)[] _edges;
    private readonly int[] _versions, _leafVersions;
    private readonly Shape[] _shapes;
    private readonly Tensor?[] _saved, _grads;

    public CheckpointNode(CheckpointOp op, Ambient ambient, Tensor[] inputs, List<LeafNode> leaves, Tensor[] outputs) : base(op, ambient)
    {
        InputTensors = inputs.Length;
        _edges = new (GradNode?, byte)[inputs.Length + leaves.Count];
        _saved = [.. inputs];
        _versions = [.. inputs.Select(x => x.Storage.Version)];
        _leafVersions = [.. leaves.Select(l => l.Leaf.Storage.Version)];
        for (int i = 0; i < inputs.Length; i++)
            if (inputs[i].RequiresGrad)
                _edges[i] = (inputs[i].Node, inputs[i].OutputIndex);
        for (int i = 0; i < leaves.Count; i++)
            _edges[inputs.Length + i] = (leaves[i], 0);
        _shapes = [.. outputs.Select(y => y.Shape)];
        _grads = new Tensor?[outputs.Length];
    }

    /// <summary>How many of the inputs were passed; the rest are leaves.</summary>
    public int InputTensors { get; }

    public override int Inputs => _edges.Length;

    public override int Outputs => _grads.Length;

    public Shape ShapeOf(int output) => _shapes[output];

    public override GradNode? Edge(int i) => _edges[i].Node;

    public override int EdgeOutput(int i) => _edges[i].Output;

    public override Tensor? GradOf(int output) => _grads[output];

    public override void SetGrad(int output, Tensor? g) => _grads[output] = g;

    public override Tensor SavedInput(int i) => Use(_saved[i], _versions[i], $"input {i}");

    public override Tensor SavedOutput(int i) => throw new GradException($"backward: {Name} keeps no outputs.");

    /// <summary>A leaf that changed in between would give another result than in the forward pass.</summary>
    public void CheckLeaves()
    {
        for (int i = 0; i < _leafVersions.Length; i++)
            Use(((LeafNode)_edges[InputTensors + i].Node!).Leaf, _leafVersions[i], "leaf");
    }

    public override void Release()
    {
        Released = true;
        Array.Clear(_saved);
    }

    public override IEnumerable<Tensor> Saved => _saved.OfType<Tensor>();
}
