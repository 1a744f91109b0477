using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>
/// The state of a run in its middle. One description serves saving and loading: each call writes the thing, or reads it back, under its
/// name. A name is used once; what nests puts its own name before a dot (<c>memory.pixels</c>). Calls come in the order of the description, so a network that
/// grows first describes its sizes, grows to them when <see cref="Loading"/>, and then describes the module.
/// </summary>
public abstract class RunState
{
    /// <summary>Whether things are read back; otherwise they are written.</summary>
    public abstract bool Loading { get; }

    /// <summary>
    /// Parameters, buffers, gradients and gradient masks where there are any, and which parts are in training mode. Values go into the module's own
    /// tensors, on its device.
    /// </summary>
    public abstract void Module(string name, Module module);

    /// <summary>Moments, counts of updates, rates and decays of every group.</summary>
    public abstract void Optimizer(string name, Optimizer optimizer);

    /// <summary>Where a generator stands.</summary>
    public abstract void Generator(string name, Generator generator);

    /// <summary>
    /// A tensor that the method owns, or null. Read back, it is a new constant on the default device that belongs to no scope; the one before it is
    /// disposed.
    /// </summary>
    public abstract void Tensor(string name, ref Tensor? tensor);

    /// <summary>An array of bytes, replaced when read back.</summary>
    public abstract void Bytes(string name, ref byte[] values);

    /// <summary>An array of integers, replaced when read back.</summary>
    public abstract void Ints(string name, ref int[] values);

    /// <summary>An array of integers, replaced when read back.</summary>
    public abstract void Longs(string name, ref long[] values);

    /// <summary>An array of numbers, replaced when read back.</summary>
    public abstract void Singles(string name, ref float[] values);

    /// <summary>An array of numbers, replaced when read back.</summary>
    public abstract void Doubles(string name, ref double[] values);

    /// <summary>An integer.</summary>
    public abstract void Number(string name, ref long value);

    /// <summary>A number, NaN and infinities included, to the bit.</summary>
    public abstract void Real(string name, ref double value);

    /// <summary>A truth value.</summary>
    public abstract void Flag(string name, ref bool value);

    /// <summary>A text.</summary>
    public abstract void Text(string name, ref string value);

    /// <summary>An integer.</summary>
    public void Number(string name, ref int value)
    {
        long wide = value;
        Number(name, ref wide);
        value = checked((int)wide);
    }

    // Parts in training mode, from the outermost module inwards: setting a module sets those below it, which then correct themselves.
    private protected static IEnumerable<Module> Parts(Module module)
    {
        yield return module;
        foreach (var child in module.Children)
            foreach (var part in Parts(child))
                yield return part;
    }
}
