using System.Diagnostics;

namespace Native;

/// <summary>
/// One reverse pass. Nodes are processed in the order opposite to their creation, which is a topological order, so the walk is a
/// loop over a heap: no recursion, any depth, the same order of additions every time.
/// <para>Unless a graph is being created, each vjp's temporaries and each gradient return to the pool as soon as nobody holds
/// them, so that the next vjp works in memory that is still in the cache.</para>
/// </summary>
internal sealed class Engine
{
    private static long lastRun;

    [ThreadStatic]
    private static Engine? current;

    private readonly Ambient _ambient = Ambient.Current;
    private readonly PriorityQueue<OpNode, long> _queue = new();
    private readonly List<LeafNode> _leaves = [];
    private readonly Dictionary<LeafNode, Tensor> _arrived = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<LeafNode> _wanted = new(ReferenceEqualityComparer.Instance);
    private readonly long _run = Interlocked.Increment(ref lastRun);
    private readonly List<(OpNode Node, long NeededBy)> _stamped = [];
    private readonly bool _createGraph, _retainGraph, _stopAtTargets;
    private readonly int _start;
    private readonly IReadOnlyList<Tensor>? _targets;
    private readonly Tensor?[] _captured;
    private readonly HashSet<GradNode> _reached = new(ReferenceEqualityComparer.Instance);
    private readonly Engine? _outer = current;
    private readonly GradNode? _outerNode = Ambient.Current.Differentiating;
    private Dictionary<Storage, int>? _uses;

    private Engine(bool createGraph, bool retainGraph, IReadOnlyList<Tensor>? targets, bool stopAtTargets = false)
    {
        _stopAtTargets = stopAtTargets;
        _createGraph = createGraph;
        _retainGraph = retainGraph || createGraph;
        _targets = targets;
        _captured = new Tensor?[targets?.Count ?? 0];
        _start = _ambient.Mark;
    }

    /// <summary>
    /// Gradients of the targets; zeros where every path has a zero derivative, null where there is no path. With <paramref name="stopAtTargets"/>
    /// paths end at the first target they meet, so that targets which depend on each other get their partial derivatives.
    /// </summary>
    public static Tensor?[] Grad(IReadOnlyList<Tensor> ys, IReadOnlyList<Tensor> seeds, IReadOnlyList<Tensor> targets, bool createGraph, bool retainGraph, bool stopAtTargets = false, bool releaseActivations = false)
    {
        using var scope = createGraph ? null : TensorScope.Begin("backward");
        var engine = new Engine(createGraph, retainGraph, targets, stopAtTargets);
        if (releaseActivations)
            engine.CountUses(ys);
        engine.Walk(ys, seeds, engine.CollectTargets);
        engine.HandOver(seeds, scope is not null);
        return engine._captured;
    }

    // Results outlive the pass. Each has memory of its own: x + y would otherwise hand out one gradient twice, and a view the caller's seed.
    private void HandOver(IReadOnlyList<Tensor> seeds, bool outward)
    {
        for (int i = 0; i < _captured.Length; i++)
        {
            if (_captured[i] is not { } t)
                continue;
            t.Storage.EngineRefs--;
            if (_createGraph)
                continue;
            if (seeds.Any(s => ReferenceEquals(s.Storage, t.Storage)) || _captured.Take(i).Any(c => ReferenceEquals(c?.Storage, t.Storage)))
            {
                _captured[i] = Tensor.Allocate(Layout.Of(t.Shape), t.DType, t.Device);
                CopyKernels.Copy(t, _captured[i]!);
            }
            if (outward)
                _ambient.MoveOutward(_captured[i]!.Storage);
        }
    }

    // Each captured gradient is held once more, so that dropping what is in flight does not free it.
    private void CollectTargets()
    {
        for (int i = 0; i < _captured.Length; i++)
        {
            if (_captured[i] is not null)
                continue;
            var node = _targets![i].Node!;
            if (node is LeafNode leaf && _arrived.TryGetValue(leaf, out var arrived))
                _captured[i] = arrived;
            else if (_reached.Contains(node))
                _captured[i] = Tensor.ZerosLike(_targets[i]);
            if (_captured[i] is { } g)
                g.Storage.EngineRefs++;
        }
    }

    /// <summary>Adds gradients into <see cref="Tensor.Grad"/> of every leaf below.</summary>
    public static void Backward(Tensor y, Tensor seed, bool createGraph, bool retainGraph, bool releaseActivations)
    {
        using var scope = createGraph ? null : TensorScope.Begin("backward");
        var engine = new Engine(createGraph, retainGraph, targets: null);
        if (releaseActivations)
            engine.CountUses([y]);
        engine.Walk([y], [seed], () =>
        {
            foreach (var leaf in engine._leaves)
                LeafGrad.Accumulate(leaf.Leaf, engine._arrived[leaf], createGraph);
        });
    }

    /// <summary>Whether the pass in progress on this thread wants a gradient at or below a node.</summary>
    public static bool Wants(GradNode? node) =>
        node is not null && (current is not { _targets: not null } e || e.IsStamped(node));

    /// <summary>A vjp's result for input i of a node.</summary>
    public void Send(OpNode node, int i, Tensor g)
    {
        var edge = node.Edge(i);
        if (!Wants(edge))
            return;
        if ((_ambient.Watch & Watch.Mutate) != 0)
            g = Mutation.Sent(g);
        if (node.InputShape(i) is { } shape && !g.Layout.SameShape(shape))
            g = Reductions.SumTo(g, shape.Shape);
        if ((_ambient.Watch & Watch.Anomaly) != 0)
            NanTrap.InspectGradient(node, i, g);
        if ((_ambient.Watch & Watch.Mutate) != 0)
            Mutation.Arriving();
        Deposit(edge!, node.EdgeOutput(i), g);
        if ((_ambient.Watch & Watch.Mutate) != 0)
            Mutation.Arrived();
    }

    private void Walk(IReadOnlyList<Tensor> ys, IReadOnlyList<Tensor> seeds, Action collect)
    {
        bool recording = _ambient.Recording;
        current = this;
        _ambient.Recording = _createGraph;
        try
        {
            if (_targets is not null)
                MarkNeeded(ys);
            for (int i = 0; i < ys.Count; i++)
                if (Wants(ys[i].Node))
                    Deposit(ys[i].Node!, ys[i].OutputIndex, seeds[i]);
            while (_queue.TryDequeue(out var node, out _))
                Process(node);
            collect();
        }
        finally
        {
            // An error leaves gradients waiting; the next pass must not find them.
            foreach (var (node, _) in _queue.UnorderedItems)
                Forget(node);
            foreach (var leaf in _leaves)
                Drop(_arrived[leaf]);
            // The pass outside this one still needs its own marks.
            foreach (var (node, neededBy) in _stamped)
                node.NeededBy = neededBy;
            current = _outer;
            _ambient.Differentiating = _outerNode;
            _ambient.Recording = recording;
        }
    }

    private void Process(OpNode node)
    {
        Capture(node);
        if (node.Released && node.Saved.Any() is false)
            ThrowReleased(node);
        int mark = _ambient.Mark;
        if (_targets is null || (AnyNeededBelow(node) && !(_stopAtTargets && IsTarget(node))))
            Propagate(node);
        if (!_retainGraph)
        {
            ReleaseActivations(node);
            node.Release();
        }
        Forget(node);
        if (!_createGraph)
            _ambient.ReleaseTemporariesSince(mark);
    }

    private void Propagate(OpNode node)
    {
        _ambient.Differentiating = node;
        if ((_ambient.Watch & Watch.Mutate) == 0)
            node.Op.Propagate(node, this);
        else
            Mutation.Propagate(node, this);
    }

    private static void ThrowReleased(OpNode node) =>
        throw new GradException($"backward: saved tensors of {node.Name} were freed by an earlier backward. Pass retainGraph: true, or createGraph: true for higher orders.");

    private void Capture(OpNode node)
    {
        for (int i = 0; i < _captured.Length; i++)
        {
            var t = _targets![i];
            if (!ReferenceEquals(t.Node, node))
                continue;
            var g = node.GradOf(t.OutputIndex);
            _captured[i] = g;
            if (g is not null)
                g.Storage.EngineRefs++;
        }
    }

    private void Deposit(GradNode node, int output, Tensor g)
    {
        if (node is LeafNode leaf)
        {
            if (!_arrived.TryGetValue(leaf, out var sum))
                _leaves.Add(leaf);
            _arrived[leaf] = Accumulate(sum, g);
            return;
        }
        var op = (OpNode)node;
        if (op.Visit != _run)
        {
            op.Visit = _run;
            _queue.Enqueue(op, -op.Sequence);
        }
        op.SetGrad(output, Accumulate(op.GradOf(output), g));
    }

    private Tensor Accumulate(Tensor? sum, Tensor g)
    {
        if (sum is null)
        {
            g.Storage.EngineRefs++;
            return g;
        }
        if (!_createGraph && sum.Storage.EngineRefs == 1 && sum.Storage.StackIndex >= _start && sum.IsContiguous && sum.Layout.SameShape(g.Layout))
        {
            long start = _ambient.Watch == Watch.None ? 0 : Stopwatch.GetTimestamp();
            Ops.Add.Kernel.Run(sum, sum, g);
            if (start != 0)
                Profiler.Note("(sum of gradients)", start, 3 * sum.ByteSize);
            return sum;
        }
        var total = Ops.Add.Apply(sum, g);
        total.Storage.EngineRefs++;
        Drop(sum);
        return total;
    }

    private void Forget(OpNode node)
    {
        for (int i = 0; i < node.Outputs; i++)
        {
            Drop(node.GradOf(i));
            node.SetGrad(i, null);
        }
    }

    // One holder fewer; the last one frees what this pass has allocated.
    private void Drop(Tensor? g)
    {
        if (g is null || !g.IsAlive)
            return;
        var s = g.Storage;
        if (--s.EngineRefs == 0 && !_createGraph && s.StackIndex >= _start)
            _ambient.Release(s);
    }

    private bool AnyNeededBelow(OpNode node)
    {
        for (int i = 0; i < node.Inputs; i++)
            if (Wants(node.Edge(i)))
                return true;
        return false;
    }

    /// <summary>
    /// Stamps every node on a path from an output to a target. A node older than every target cannot lead to one, which bounds the
    /// walk to the part of the graph built since: an unrolled optimiser stays linear in its steps.
    /// </summary>
    private void MarkNeeded(IReadOnlyList<Tensor> ys)
    {
        long oldest = long.MaxValue;
        foreach (var t in _targets!)
        {
            oldest = Math.Min(oldest, t.Node!.Sequence);
            Stamp(t.Node);
        }
        var stack = new Stack<(OpNode Node, int Next)>();
        foreach (var y in ys)
        {
            // One output after the other: a node must be finished before another that was computed from it asks.
            if (y.Node is { } node0 && _reached.Add(node0) && node0 is OpNode root)
                stack.Push((root, 0));
            MarkFrom(stack, oldest);
        }
    }

    private void MarkFrom(Stack<(OpNode Node, int Next)> stack, long oldest)
    {
        while (stack.TryPop(out var top))
        {
            var (node, next) = top;
            if (next > 0 && IsStamped(node.Edge(next - 1)))
                Stamp(node);
            if (next == node.Inputs || (_stopAtTargets && IsTarget(node)))
                continue;
            stack.Push((node, next + 1));
            if (node.Edge(next) is { } below && below.Sequence >= oldest && _reached.Add(below) && below is OpNode op)
                stack.Push((op, 0));
        }
    }

    private void Stamp(GradNode node)
    {
        if (node is LeafNode leaf)
            _wanted.Add(leaf);
        if (node is not OpNode op || op.NeededBy == _run)
            return;
        if (_outer is not null)
            _stamped.Add((op, op.NeededBy));
        op.NeededBy = _run;
    }

    private bool IsTarget(GradNode node)
    {
        foreach (var t in _targets!)
            if (ReferenceEquals(t.Node, node))
                return true;
        return false;
    }

    private bool IsStamped(GradNode? node) => node switch
    {
        OpNode op => op.NeededBy == _run,
        LeafNode leaf => _wanted.Contains(leaf),
        _ => false,
    };

    // How many nodes still need each saved storage: with releaseActivations it goes back to the pool after the last.
    // A node below several outputs is counted several times: what it saved then waits for the scope.
    private void CountUses(IReadOnlyList<Tensor> ys)
    {
        var uses = _uses = new Dictionary<Storage, int>(ReferenceEqualityComparer.Instance);
        foreach (var y in ys)
            (y.Node as OpNode)?.VisitSaved(t => uses[t.Storage] = uses.GetValueOrDefault(t.Storage) + 1);
        foreach (var y in ys)
        {
            // The caller holds the output and may read it afterwards, whether or not its own operation saved it.
            uses[y.Storage] = int.MaxValue;
            // A view of a leaf is saved like any activation, but its memory is the leaf's.
            (y.Node as OpNode)?.VisitLeaves(leaf => uses[leaf.Leaf.Storage] = int.MaxValue);
        }
    }

    private void ReleaseActivations(OpNode node)
    {
        if (_uses is null)
            return;
        foreach (var t in node.Saved)
            if (--_uses[t.Storage] == 0 && !t.IsLeaf && t.IsAlive && t.Storage.StackIndex >= 0)
                _ambient.Release(t.Storage);
    }
}

/// <summary>How a gradient enters <see cref="Tensor.Grad"/>: into a buffer with the leaf's own lifetime, in place.</summary>
internal static class LeafGrad
{
    public static void Accumulate(Tensor leaf, Tensor g, bool createGraph)
    {
        if (!leaf.Layout.SameShape(g.Layout))
            throw new GradException($"backward: the leaf {leaf.Describe()} had shape {g.Shape} in the forward pass and has grown since. Run the forward pass again.");
        if (createGraph)
        {
            if (leaf is Parameter p)
                throw new GradException($"backward: createGraph would store a graph in the persistent gradient of parameter '{p.Name}'. Use Autograd.Grad(loss, parameters, createGraph: true), which returns gradients as values.");
            leaf.Grad = leaf.Grad is { IsAlive: true } before ? Ops.Add.Apply(before, g) : g;
            return;
        }
        if (leaf.Grad is { IsAlive: true } sum)
        {
            Ops.Add.Kernel.Run(sum, sum, g);
            sum.Storage.BumpVersion();
            return;
        }
        var buffer = Buffer(leaf);
        CopyKernels.Copy(g, buffer);
        leaf.Grad = buffer;
    }

    /// <summary>A gradient buffer that lives as long as the leaf does.</summary>
    public static Tensor Buffer(Tensor leaf)
    {
        var dense = Layout.Of(leaf.Shape);
        // Another thread's scope cannot own a block of this thread's pool.
        if (leaf.Storage.ScopeDepth < 0 || !ReferenceEquals(leaf.Storage.Allocator, Ambient.Current.Allocator))
            return Tensor.AllocateUnscoped(dense, leaf.DType, leaf.Device);
        var buffer = Tensor.Allocate(dense, leaf.DType, leaf.Device);
        buffer.Storage.ScopeDepth = leaf.Storage.ScopeDepth;
        return buffer;
    }
}
