namespace Native;

/// <summary>A way to break one step of a derivative.</summary>
internal enum Fault
{
    /// <summary>Nothing is broken: steps are only counted.</summary>
    None,

    /// <summary>The result has the wrong sign.</summary>
    Sign,

    /// <summary>The result is the first operand (zero where that has another shape): a forgotten factor or term.</summary>
    Drop,

    /// <summary>The result is zero.</summary>
    Zero,

    /// <summary>The two operands change places.</summary>
    Swap,
}

/// <summary>
/// Proof that the gradient tests can fail: while one op's vjp runs, the k-th thing it does (a primitive it applies, or a gradient it sends) is
/// broken on purpose. Watched through <see cref="Watch.Mutate"/>, so the fast path knows nothing of it.
/// </summary>
internal sealed class Mutation : IDisposable
{
    [ThreadStatic]
    private static Mutation? active;

    private readonly Func<Op, bool> _target;
    private readonly Fault _fault;
    private readonly int _step;
    private int _depth, _at;

    /// <summary>Breaks step <paramref name="step"/> of every vjp that runs for an op of which <paramref name="target"/> is true, on this thread, until disposed.</summary>
    public Mutation(Func<Op, bool> target, Fault fault, int step)
    {
        (_target, _fault, _step) = (target, fault, step);
        active = this;
        Ambient.Current.Watch |= Watch.Mutate;
    }

    /// <summary>The largest number of steps that one vjp took.</summary>
    public int Steps { get; private set; }

    /// <summary>Whether the fault was possible where it was asked for: a sum has no second operand to exchange.</summary>
    public bool Applied { get; private set; }

    /// <summary>Runs a node's vjp, counting when it is the target's.</summary>
    public static void Propagate(OpNode node, Engine engine)
    {
        if (active is not { } m || m._depth != 0 || !m._target(node.Op))
        {
            node.Op.Propagate(node, engine);
            return;
        }
        (m._depth, m._at) = (1, 0);
        try
        {
            node.Op.Propagate(node, engine);
        }
        finally
        {
            m._depth = 0;
            m.Steps = Math.Max(m.Steps, m._at);
        }
    }

    /// <summary>After a primitive: breaks its output when its turn has come. <paramref name="swapped"/> recomputes it with the operands exchanged.</summary>
    public static void Primitive(ReadOnlySpan<Tensor?> inputs, Tensor y, Action? swapped)
    {
        if (active is not { _depth: > 0 } m || m._at++ != m._step || !y.DType.IsFloat())
            return;
        m.Applied |= m._fault != Fault.Swap || swapped is not null;
        switch (m._fault)
        {
            case Fault.Sign:
                Ops.Neg.Kernel.Run(y, y);
                break;
            case Fault.Drop when inputs[0] is { } first && first.Shape == y.Shape && first.DType == y.DType && first.Device == y.Device:
                CopyKernels.Copy(first, y);
                break;
            case Fault.Drop or Fault.Zero:
                CopyKernels.Fill(y, 0);
                break;
            case Fault.Swap:
                swapped?.Invoke();
                break;
        }
    }

    /// <summary>Before a vjp's result is sent on: breaks it when its turn has come.</summary>
    public static Tensor Sent(Tensor g)
    {
        if (active is not { _depth: > 0 } m || m._at++ != m._step)
            return g;
        m.Applied |= m._fault != Fault.Swap;
        // The fault's own arithmetic is no step of the vjp.
        m._depth = 0;
        var broken = m._fault switch
        {
            Fault.Sign => -g,
            Fault.Drop or Fault.Zero => g * 0,
            _ => g,
        };
        m._depth = 1;
        return broken;
    }

    /// <summary>The engine adds a gradient to those that came before: its work, no step of the vjp.</summary>
    public static void Arriving()
    {
        if (active is { _depth: > 0 } m)
            m._depth = -1;
    }

    /// <summary>Back in the vjp.</summary>
    public static void Arrived()
    {
        if (active is { _depth: < 0 } m)
            m._depth = 1;
    }

    /// <summary>Ends it.</summary>
    public void Dispose()
    {
        active = null;
        Ambient.Current.Watch &= ~Watch.Mutate;
    }
}
