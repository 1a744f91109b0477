using Native.Nn;

namespace Native.Methods;

/// <summary>Sizes of a memory.</summary>
/// <param name="Classes">Classes that a dream may be asked for.</param>
/// <param name="Size">Numbers per dream.</param>
/// <param name="Bounded">Whether a dream's numbers lie between -1 and 1.</param>
/// <param name="Hidden">Hidden units.</param>
/// <param name="Latent">Numbers of noise per dream; a flow has one for each number of the dream.</param>
/// <param name="Rate">Adam's step.</param>
internal readonly record struct MemorySizes(int Classes, int Size, bool Bounded, int Hidden, int Latent, double Rate);

/// <summary>
/// G_mem of MyGO: learns what the items of a task look like, class by class, and dreams of them afterwards. What only learning needs (a discriminator, an encoder, moments) is
/// discarded at its end, so what is kept is <see cref="Net"/>.
/// </summary>
internal abstract class GenerativeMemory : IDisposable
{
    private bool _learning = true;

    /// <summary>A fresh memory.</summary>
    public static GenerativeMemory Of(MemoryKind kind, MemorySizes sizes, Generator init) => kind switch
    {
        MemoryKind.Gan => new GanMemory(sizes, init),
        MemoryKind.Vae => new VaeMemory(sizes, init),
        _ => new FlowMemory(sizes, init),
    };

    /// <summary>The network that dreams: all that is kept.</summary>
    public abstract Module Net { get; }

    /// <summary>Bits kept: 32 for each number of the network.</summary>
    public long StorageBits => 32 * Net.ParameterCount;

    /// <summary>One update on items [n, size] of classes i64 [n], both constants.</summary>
    public abstract void Learn(Tensor items, Tensor classes, Generator noise);

    /// <summary>A dream of each class: constants [n, size].</summary>
    public Tensor Dream(Tensor classes, Generator noise)
    {
        using var constant = Autograd.NoGrad();
        return Make(classes, noise);
    }

    protected abstract Tensor Make(Tensor classes, Generator noise);

    /// <summary>Learning is over: frees what only it needs.</summary>
    public void Discard()
    {
        if (_learning)
            DiscardHelpers();
        _learning = false;
    }

    protected abstract void DiscardHelpers();

    /// <summary>Describes the network and, while it learns, its helpers.</summary>
    public void Persist(RunState state, string name)
    {
        bool learning = _learning;
        state.Flag($"{name}.learning", ref learning);
        if (!learning)
            Discard();
        state.Module($"{name}.net", Net);
        if (_learning)
            PersistHelpers(state, name);
    }

    protected abstract void PersistHelpers(RunState state, string name);

    public void Dispose()
    {
        Discard();
        Net.Dispose();
    }
}
