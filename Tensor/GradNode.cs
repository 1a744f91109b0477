namespace Native;

/// <summary>
/// One step of a recorded computation: all that <see cref="Tensor"/> knows of differentiation. The subclasses live above, in Autograd.
/// </summary>
public abstract class GradNode
{
    /// <summary>Name of the operation, or <c>leaf</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Creation order: a node depends only on nodes with a smaller number.</summary>
    internal long Sequence { get; init; }

    /// <summary>False for the mark that a path ended at an operation without derivative.</summary>
    internal virtual bool Differentiable => true;

    /// <summary>Visits every tensor that this node and the nodes before it, down to number <paramref name="since"/>, keep for backward.</summary>
    internal abstract void VisitSaved(Action<Tensor> visit, long since = 0);

    /// <inheritdoc/>
    public override string ToString() => Name;
}
