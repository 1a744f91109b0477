using System.Runtime.CompilerServices;

namespace Native;

/// <summary>Which tensors a <see cref="StructuredOp"/> keeps for its backward.</summary>
[Flags]
public enum Saves
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The first input.</summary>
    Input0 = 1,

    /// <summary>The second input.</summary>
    Input1 = 2,

    /// <summary>The third input.</summary>
    Input2 = 4,

    /// <summary>The fourth input.</summary>
    Input3 = 8,

    /// <summary>The fifth input.</summary>
    Input4 = 16,

    /// <summary>The sixth input.</summary>
    Input5 = 32,

    /// <summary>The seventh input.</summary>
    Input6 = 64,

    /// <summary>The eighth input.</summary>
    Input7 = 128,

    /// <summary>The first output.</summary>
    Output0 = 256,

    /// <summary>The second output.</summary>
    Output1 = 512,

    /// <summary>The third output.</summary>
    Output2 = 1024,

    /// <summary>The fourth output.</summary>
    Output3 = 2048,
}

/// <summary>The inputs of one application; an optional input may be null.</summary>
public readonly ref struct Inputs(ReadOnlySpan<Tensor?> tensors)
{
    private readonly ReadOnlySpan<Tensor?> _tensors = tensors;

    /// <summary>How many were given, null ones included.</summary>
    public int Count => _tensors.Length;

    /// <summary>Input i, which must have been given.</summary>
    public Tensor this[int i] => _tensors[i]!;

    /// <summary>Input i, or null when it was left out.</summary>
    public Tensor? Optional(int i) => i < _tensors.Length ? _tensors[i] : null;

    /// <summary>All of them.</summary>
    public ReadOnlySpan<Tensor?> Span => _tensors;
}

/// <summary>The freshly allocated outputs of one application.</summary>
public readonly ref struct Outputs(ReadOnlySpan<Tensor> tensors)
{
    private readonly ReadOnlySpan<Tensor> _tensors = tensors;

    /// <summary>How many.</summary>
    public int Count => _tensors.Length;

    /// <summary>Output i.</summary>
    public Tensor this[int i] => _tensors[i];
}

/// <summary>What a backward may read: saved tensors, which gradients are wanted, and the gradients of further outputs.</summary>
public readonly struct Saved
{
    private readonly OpNode _node;

    internal Saved(OpNode node) => _node = node;

    /// <summary>Saved input i, recorded, so that the derivative can be differentiated.</summary>
    public Tensor Input(int i) => _node.SavedInput(i);

    /// <summary>How many inputs the op was applied to.</summary>
    public int InputCount => _node.Inputs;

    /// <summary>The shape that input i had; known without saving the input.</summary>
    public Shape ShapeOf(int i) => _node.InputShape(i)!.Shape;

    /// <summary>Whether input i was a matrix that lies column by column.</summary>
    internal bool IsTransposed(int i) => _node.InputShape(i) is { Rank: >= 2 } l && l.Strides[^2] == 1 && l.Strides[^1] > 1;

    /// <summary>The saved first output.</summary>
    public Tensor Output => _node.SavedOutput(0);

    /// <summary>Saved output i.</summary>
    public Tensor OutputAt(int i) => _node.SavedOutput(i);

    /// <summary>Whether anybody wants the gradient of input i (false for one that was left out); when not, return null for it.</summary>
    public bool Needs(int i) => i < _node.Inputs && Engine.Wants(_node.Edge(i));

    /// <summary>The gradient of output i, or null when nothing depends on that output.</summary>
    public Tensor? GradOf(int output) => _node.GradOf(output);
}

/// <summary>Layout and dtype of one output.</summary>
/// <param name="Layout">Dense layout.</param>
/// <param name="DType">Element type.</param>
public readonly record struct OutputSpec(Layout Layout, DType DType)
{
    /// <summary>Where the output goes; null = to the device of the first input.</summary>
    public Device? Device { get; init; }
}

/// <summary>The outputs of one application, at most four, held inline: <c>[new(layout, dtype)]</c>.</summary>
[CollectionBuilder(typeof(OutputSpecs), nameof(Create))]
public readonly struct OutputSpecs : IEnumerable<OutputSpec>
{
    private readonly Four _specs;

    private OutputSpecs(ReadOnlySpan<OutputSpec> specs)
    {
        Count = specs.Length;
        var four = default(Four);
        specs.CopyTo(four);
        _specs = four;
    }

    /// <summary>How many.</summary>
    public int Count { get; }

    /// <summary>Output i.</summary>
    public OutputSpec this[int i] => _specs[i];

    /// <summary>Called by collection expressions.</summary>
    public static OutputSpecs Create(ReadOnlySpan<OutputSpec> specs) => new(specs);

    /// <inheritdoc/>
    public IEnumerator<OutputSpec> GetEnumerator()
    {
        for (int i = 0; i < Count; i++)
            yield return this[i];
    }

    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();

    [InlineArray(4)]
    private struct Four
    {
        private OutputSpec _first;
    }
}

/// <summary>
/// An operation with a geometry of its own: convolution, softmax, gather. The instance holds the parameters of one application.
/// <see cref="Forward"/> gets raw tensors and calls a kernel entry; <see cref="Backward"/> gets recorded ones and applies other ops.
/// </summary>
public abstract class StructuredOp(string name) : Op(name)
{
    /// <summary>Checks the inputs and states layout and dtype of each output.</summary>
    public abstract OutputSpecs Infer(Inputs x);

    /// <summary>Writes every element of every output. No autograd in reach.</summary>
    public abstract void Forward(Inputs x, Outputs y);

    /// <summary>
    /// Gradients of the inputs, null where none is wanted (<see cref="Saved.Needs"/>) or exists. <paramref name="g"/> is the first output's gradient
    /// (zeros when only a later output was used).
    /// </summary>
    public abstract Tensor?[] Backward(Tensor g, Saved s);

    /// <summary>What to keep, given which inputs need a gradient.</summary>
    public virtual Saves SavesFor(Inputs x) => Saves.None;

    /// <summary>Whether it is a matrix product or a convolution: what the FLOPs of a run count.</summary>
    internal virtual bool IsProduct => false;

    /// <summary>What one application takes at the least, for the fraction of the roof.</summary>
    public abstract OpCost Cost(Inputs x, Outputs y);

    /// <summary>Runs the operation and returns its first output.</summary>
    public Tensor Apply(params ReadOnlySpan<Tensor?> inputs)
    {
        var outputs = default(Several);
        ApplyTo(inputs, ref outputs);
        return outputs[0];
    }

    /// <summary>Runs the operation and returns all outputs.</summary>
    public Tensor[] ApplyAll(params ReadOnlySpan<Tensor?> inputs)
    {
        var outputs = default(Several);
        int count = ApplyTo(inputs, ref outputs);
        return [.. ((ReadOnlySpan<Tensor>)outputs)[..count]];
    }

    [InlineArray(4)]
    private struct Several
    {
        private Tensor _first;
    }

    private int ApplyTo(ReadOnlySpan<Tensor?> inputs, ref Several several)
    {
        var ambient = Ambient.Current;
        bool record = false;
        Tensor? lead = null;
        foreach (var t in inputs)
        {
            if (t is null)
                continue;
            t.CheckAlive(Name);
            lead ??= t;
            if (!ReferenceEquals(t.Device, lead.Device))
                Check.SameDevice(lead, t, Name, "input", "another input");
            record |= t.RequiresGrad;
        }
        var x = new Inputs(inputs);
        var specs = Infer(x);
        var outputs = ((Span<Tensor>)several)[..specs.Count];
        for (int i = 0; i < outputs.Length; i++)
            outputs[i] = Tensor.Allocate(specs[i].Layout, specs[i].DType, specs[i].Device ?? lead!.Device);
        if (IsProduct)
            ambient.Flops += Cost(x, new Outputs(outputs)).Flops;
        if (ambient.Watch == Watch.None)
            Forward(x, new Outputs(outputs));
        else
            ForwardWatched(ambient, inputs, outputs);
        GC.KeepAlive(lead);
        if (ambient.Recording)
        {
            if (NoDerivative is { } reason)
                MarkBarrier(Name, reason, inputs, outputs[0]);
            else if (record)
                Record(ambient, x, outputs, specs);
            else
                CarryBarrier(inputs, outputs);
        }
        return outputs.Length;
    }

    private void ForwardWatched(Ambient ambient, ReadOnlySpan<Tensor?> inputs, ReadOnlySpan<Tensor> outputs)
    {
        Tensor?[] x = inputs.ToArray();
        Tensor[] y = outputs.ToArray();
        Watched(ambient, () => Forward(new Inputs(x), new Outputs(y)), inputs, y[0], Exchanged(x, y), Cost(new Inputs(x), new Outputs(y)));
    }

    // The same forward with its first two inputs exchanged, where they could be mistaken for each other.
    private Action? Exchanged(Tensor?[] inputs, Tensor[] outputs) =>
        inputs.Length >= 2 && inputs[0] is { } a && inputs[1] is { } b && a.Shape == b.Shape && a.DType == b.DType
            ? () => Forward(new Inputs([b, a, .. inputs[2..]]), new Outputs(outputs)) : null;

    private void Record(Ambient ambient, Inputs x, ReadOnlySpan<Tensor> outputs, OutputSpecs specs)
    {
        var node = new WideNode(this, ambient, x.Span, outputs, specs, SavesFor(x));
        for (int i = 0; i < outputs.Length; i++)
        {
            // Integer outputs (indices) carry no gradient.
            if (!outputs[i].DType.IsFloat())
                continue;
            outputs[i].Node = node;
            outputs[i].OutputIndex = (byte)i;
        }
    }

    private protected static void CarryBarrier(ReadOnlySpan<Tensor?> inputs, ReadOnlySpan<Tensor> outputs)
    {
        foreach (var t in inputs)
            if (t?.Node is BarrierNode b)
            {
                foreach (var y in outputs)
                    y.Node = b;
                return;
            }
    }

    internal override void Propagate(OpNode node, Engine engine)
    {
        var grads = Backward(((WideNode)node).GradOrZeros(), new Saved(node));
        for (int i = 0; i < grads.Length; i++)
            if (grads[i] is { } gx)
                engine.Send(node, i, gx);
    }
}
