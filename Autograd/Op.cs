using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Native;

/// <summary>
/// A differentiable operation. Forward sees raw tensors and kernels; backward sees recorded tensors and other operations, so a
/// derivative is differentiable again: one rule, any order.
/// <para>Three sizes: rows of <see cref="UnaryOp"/>/<see cref="BinaryOp"/> (pointwise), rows of reductions, and
/// <see cref="StructuredOp"/> for everything with a geometry of its own.</para>
/// </summary>
public abstract class Op
{
    private protected Op(string name) => Name = name;

    /// <summary>The name in messages, traces and <c>grad_fn=</c>.</summary>
    public string Name { get; }

    /// <summary>Why there is no derivative, or null when there is one.</summary>
    public virtual string? NoDerivative => null;

    /// <summary>Computes the gradients of the node's inputs that are needed and sends them on.</summary>
    internal abstract void Propagate(OpNode node, Engine engine);

    /// <summary>Bookkeeping around a forward when somebody is watching (traces, traps, debug lines). Off the fast path.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private protected void Watched(Ambient ambient, Action forward, ReadOnlySpan<Tensor?> inputs, Tensor y, Action? swapped, OpCost cost)
    {
        bool timed = (ambient.Watch & (Watch.Profile | Watch.Debug)) != 0;
        long start = Stopwatch.GetTimestamp();
        // The host's clock around work that is only queued would say nothing.
        TimeSpan? elapsed = null;
        if (timed && !y.Device.IsCpu)
        {
            elapsed = ambient.Cuda(y.Device).Time(forward);
        }
        else
        {
            forward();
            elapsed = Stopwatch.GetElapsedTime(start);
        }
        if (timed)
            Profiler.Record(Name, start, elapsed, inputs, y, cost.Flops, cost.Bytes, cost.NoFlops);
        if ((ambient.Watch & Watch.Mutate) != 0)
            Mutation.Primitive(inputs, y, swapped);
        if ((ambient.Watch & Watch.NanTrap) != 0)
            NanTrap.Inspect(Name, inputs, y);
    }

    /// <summary>Gives an output the mark of a path that ended at an operation without derivative.</summary>
    private protected static void MarkBarrier(string name, string reason, ReadOnlySpan<Tensor?> inputs, Tensor y)
    {
        foreach (var x in inputs)
            if (x?.Node is { } node)
            {
                y.Node = node is BarrierNode ? node : new BarrierNode(name, reason);
                return;
            }
    }
}

/// <summary>
/// Stands behind a tensor whose path to a tracked tensor goes through an operation without derivative. It carries no gradient
/// (the tensor counts as a constant); it is there so that asking for the gradient can say where the path ended.
/// </summary>
internal sealed class BarrierNode(string name, string reason) : GradNode
{
    public override string Name => name;

    public string Reason => reason;

    internal override bool Differentiable => false;

    internal override void VisitSaved(Action<Tensor> visit, long since = 0)
    {
    }
}

/// <summary>Where a leaf's gradient arrives. It holds no state of a pass: parameters are shared by the engines of several threads.</summary>
internal sealed class LeafNode : GradNode, ILeafNode
{
    public LeafNode(Tensor leaf) => Leaf = leaf;

    public Tensor Leaf { get; }

    public override string Name => "leaf";

    internal override void VisitSaved(Action<Tensor> visit, long since = 0)
    {
    }
}
