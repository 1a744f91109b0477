namespace Native;

/// <summary>Gradients as values, to any order, and the switches of recording.</summary>
public static partial class Autograd
{
    /// <summary>
    /// dy/dx contracted with <paramref name="gradOutput"/> (ones by default; then y must be a scalar). The result has x's shape. With
    /// <paramref name="createGraph"/> it is itself recorded and can be differentiated again.
    /// </summary>
    /// <exception cref="GradException">x is not reachable from y, y is not recorded, or saved tensors were freed.</exception>
    public static Tensor Grad(Tensor y, Tensor x, Tensor? gradOutput = null, bool createGraph = false, bool retainGraph = false) =>
        Grad(y, [x], gradOutput, createGraph, retainGraph)[0];

    /// <summary>
    /// Gradients with respect to several tensors in one pass. With <paramref name="allowUnused"/> an unreachable one yields zeros instead of an error.
    /// With <paramref name="releaseActivations"/> saved activations return to the pool as the pass goes, as in <c>Backward</c>.
    /// </summary>
    public static Tensor[] Grad(Tensor y, IReadOnlyList<Tensor> xs, Tensor? gradOutput = null, bool createGraph = false, bool retainGraph = false, bool allowUnused = false, bool releaseActivations = false) =>
        Grad([y], xs, gradOutput is null ? null : [gradOutput], createGraph, retainGraph, allowUnused, releaseActivations);

    /// <summary>The sum over outputs of their contracted derivatives, in one pass.</summary>
    public static Tensor[] Grad(IReadOnlyList<Tensor> ys, IReadOnlyList<Tensor> xs, IReadOnlyList<Tensor>? gradOutputs, bool createGraph = false, bool retainGraph = false, bool allowUnused = false, bool releaseActivations = false)
    {
        if (gradOutputs is not null && gradOutputs.Count != ys.Count)
            throw new ShapeException($"grad: {ys.Count} outputs but {gradOutputs.Count} gradients for them. Give one for each.");
        var seeds = new Tensor[ys.Count];
        bool any = false;
        for (int i = 0; i < ys.Count; i++)
        {
            any |= ys[i].RequiresGrad;
            seeds[i] = Seed(ys[i], gradOutputs?[i], "grad");
        }
        if (!any && !(allowUnused && xs.All(x => x.RequiresGrad)))
            throw NotRecorded(ys[0], "grad");
        for (int i = 0; i < xs.Count; i++)
            if (!xs[i].RequiresGrad)
                throw new GradException($"grad: input {i} = {xs[i].Describe()} does not require a gradient. Call RequireGrad() on it before the forward pass.");
        var found = Engine.Grad(ys, seeds, xs, createGraph, retainGraph, releaseActivations: releaseActivations && !createGraph && !retainGraph);
        var result = new Tensor[xs.Count];
        for (int i = 0; i < xs.Count; i++)
        {
            result[i] = found[i] ?? (allowUnused ? Tensor.ZerosLike(xs[i])
                : throw new GradException($"grad: input {i} = {xs[i].Describe()} is not reachable from the output {ys[0].Describe()}{Origin(ys[0])}. Pass allowUnused: true to get zeros, or check that the output was computed from it."));
        }
        return result;
    }

    /// <summary>Stops recording until the result is disposed: results are constants, and leaves may change in place.</summary>
    public static RecordingSwitch NoGrad() => new(recording: false);

    /// <summary>Resumes recording inside a <see cref="NoGrad"/> region.</summary>
    public static RecordingSwitch EnableGrad() => new(recording: true);

    /// <summary>Whether operations are recorded on this thread.</summary>
    public static bool IsRecording => Ambient.Current.Recording;

    /// <summary>Records the forward stack of every node until disposed; errors and NaN gradients in backward then name the forward line.</summary>
    public static IDisposable Anomaly() => new WatchSwitch(Watch.Anomaly);

    extension(Tensor t)
    {
        /// <summary>
        /// Adds dt/dleaf into <see cref="Tensor.Grad"/> of every leaf that t depends on. Saved tensors are freed as the pass goes, unless
        /// <paramref name="retainGraph"/> or <paramref name="createGraph"/>. <paramref name="releaseActivations"/> also returns the memory of saved
        /// activations early; touching one later is a <see cref="LifetimeException"/>.
        /// </summary>
        public void Backward(Tensor? gradient = null, bool retainGraph = false, bool createGraph = false, bool releaseActivations = false)
        {
            if (!t.RequiresGrad)
                throw NotRecorded(t, "backward");
            var seed = Seed(t, gradient, "backward");
            Engine.Backward(t, seed, createGraph, retainGraph, releaseActivations);
        }

        /// <summary>Makes a floating-point leaf tracked, and returns it.</summary>
        public Tensor RequireGrad()
        {
            Check.Float(t, "require_grad");
            if (!t.RequiresGrad)
                t.Node = new LeafNode(t) { Sequence = Ambient.TakeSequence() };
            return t;
        }

        /// <summary>The same elements, cut from the graph; shares storage.</summary>
        public Tensor Detach()
        {
            t.CheckAlive("detach");
            return t.Alias();
        }
    }

    private static Tensor Seed(Tensor y, Tensor? given, string op)
    {
        y.CheckAlive(op, "output");
        if (given is not null)
        {
            Check.ShapeIs(given, y.Shape, op, "gradient");
            Check.SameDType(given, y, op, "gradient", "output");
            Check.SameDevice(given, y, op, "gradient", "output");
            return given;
        }
        if (y.Count != 1)
            throw new GradException($"{op}: the output {y.Describe()} is not a scalar, so its gradient must be given. Sum it first, or pass a gradient of shape {y.Shape}.");
        return Tensor.Full(y.Shape, 1, y.DType, y.Device);
    }

    private static GradException NotRecorded(Tensor y, string op) =>
        new($"{op}: the output {y.Describe()} was not computed from any tensor that requires a gradient{Origin(y)}. Call RequireGrad() on an input, outside NoGrad.");

    private static string Origin(Tensor y) => y.Node switch
    {
        BarrierNode b => $"; the path ends at {b.Name}, which has no derivative ({b.Reason})",
        OpNode n => $" grad_fn={n.Name}",
        _ => "",
    };
}

/// <summary>Ends a region of changed recording when disposed.</summary>
public readonly struct RecordingSwitch : IDisposable
{
    private readonly bool _before;

    internal RecordingSwitch(bool recording)
    {
        var ambient = Ambient.Current;
        _before = ambient.Recording;
        ambient.Recording = recording;
    }

    /// <summary>Restores what was before.</summary>
    public void Dispose() => Ambient.Current.Recording = _before;
}

/// <summary>Turns one watch on for this thread until disposed.</summary>
internal sealed class WatchSwitch : IDisposable
{
    private readonly Watch _before;

    public WatchSwitch(Watch on)
    {
        _before = Ambient.Current.Watch;
        Ambient.Current.Watch |= on;
    }

    public void Dispose() => Ambient.Current.Watch = _before;
}
