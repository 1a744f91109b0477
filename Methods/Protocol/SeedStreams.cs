namespace Native.Methods;

/// <summary>
/// The independent random sequences of one run, all from one seed. A method that draws more noise than another still sees the same
/// initial weights and the same batches, so two methods differ only in what they do.
/// </summary>
public sealed class SeedStreams
{
    /// <summary>The sequences of a seed, each at its start.</summary>
    public SeedStreams(ulong seed)
    {
        Seed = seed;
        var root = new Generator(seed);
        Init = root.Stream("init");
        Order = root.Stream("order");
        Batch = root.Stream("batch");
        Noise = root.Stream("noise");
        Replay = root.Stream("replay");
    }

    /// <summary>The seed of the run.</summary>
    public ulong Seed { get; }

    /// <summary>Initial weights.</summary>
    public Generator Init { get; }

    /// <summary>Order of the classes over the tasks, where it is not fixed.</summary>
    public Generator Order { get; }

    /// <summary>Order of the images within each epoch.</summary>
    public Generator Batch { get; }

    /// <summary>Whatever a method adds: latent codes, dropout, Gumbel noise.</summary>
    public Generator Noise { get; }

    /// <summary>What a replay memory keeps and which of it is drawn.</summary>
    public Generator Replay { get; }

    /// <summary>Describes where every sequence stands.</summary>
    public void Persist(RunState state)
    {
        state.Generator("seeds.init", Init);
        state.Generator("seeds.order", Order);
        state.Generator("seeds.batch", Batch);
        state.Generator("seeds.noise", Noise);
        state.Generator("seeds.replay", Replay);
    }
}
