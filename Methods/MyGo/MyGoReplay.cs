using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>Settings of <see cref="MyGoReplay"/>.</summary>
/// <param name="LearningRate">1e-3, Adam, afresh for each task (released code of MyGO).</param>
/// <param name="Memory">What replays: a conditional variational auto-encoder, as van de Ven and Tolias 2019 have a variational auto-encoder; or a GAN, as Shin et al. 2017.</param>
/// <param name="MemoryRate">1e-3, Adam.</param>
/// <param name="MemoryHidden">128, as of MyGO's memories.</param>
/// <param name="Latent">64, likewise.</param>
/// <param name="Width">256 features.</param>
/// <param name="TrainingAccuracy">Test on the training items as well.</param>
public sealed record MyGoReplayOptions(
    double LearningRate = 1e-3, MemoryKind Memory = MemoryKind.Vae, double MemoryRate = 1e-3, int MemoryHidden = 128, int Latent = 64, int Width = 256,
    bool TrainingAccuracy = true) : IMethodOptions
{
    /// <inheritdoc/>
    public void Validate(string method) => OptionRange.Positive(method, (nameof(LearningRate), LearningRate), (nameof(MemoryRate), MemoryRate), (nameof(MemoryHidden), MemoryHidden),
        (nameof(Latent), Latent), (nameof(Width), Width));
}

/// <summary>
/// Deep Generative Replay (Shin, Lee, Kim and Kim 2017) on MyGO's network: each batch is joined by as many items of the one generator of before, labelled by the solver of before; solver and
/// generator both learn from both, the new ones with a share of 1 / tasks so far. The generator is told the class, so that a replayed item's task is known where tasks are told.
/// </summary>
public sealed class MyGoReplay : IMethod, IMeasured
{
    private readonly TaskStream _stream;
    private readonly MyGoReplayOptions _o;
    private readonly NeocortexNet _net, _before;
    private readonly GenerativeMemory _memory, _memoryBefore;
    private readonly Generator _noise, _replay;
    private readonly TrainingAccuracy _training;
    private Adam? _step;
    private int _task;

    /// <summary>A fresh scholar.</summary>
    public MyGoReplay(TaskStream stream, SeedStreams seeds, MyGoReplayOptions options)
    {
        (_stream, _o) = (stream, options);
        (_noise, _replay) = (seeds.Noise.Stream("memory"), seeds.Replay.Stream("replay"));
        _net = new NeocortexNet(stream, seeds.Init, options.Width);
        _before = new NeocortexNet(stream, new Generator(0), options.Width);
        var sizes = new MemorySizes(stream.Outputs, _net.DreamSize, _net.DreamsOfImages, options.MemoryHidden, options.Latent, options.MemoryRate);
        (_memory, _memoryBefore) = (GenerativeMemory.Of(options.Memory, sizes, seeds.Init), GenerativeMemory.Of(options.Memory, sizes, new Generator(0)));
        _memoryBefore.Discard();
        _training = new TrainingAccuracy(stream, options.TrainingAccuracy);
    }

    /// <inheritdoc/>
    public long ParameterCount => _net.ParameterCount + _memory.Net.ParameterCount;

    /// <summary>The present generator and the scholar of before, at 32 bits a number.</summary>
    public long StorageBits => 32 * _net.ParameterCount + 2 * _memory.StorageBits;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps)
    {
        _task = task.Index;
        _before.CopyFrom(_net);
        _memoryBefore.Net.CopyFrom(_memory.Net);
        Begin();
    }

    private void Begin()
    {
        _step?.Dispose();
        _step = new Adam(_net.Parameters(), _o.LearningRate);
    }

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        var encoded = _net.Encode(batch.X);
        var loss = batch.Loss(_net.Classify(_net.Features(encoded)));
        // A copy: the step returns what its graph has saved.
        var items = encoded.Detach().Clone();
        if (_task <= 0)
        {
            _step!.Minimize(loss);
            _memory.Learn(items, batch.Y, _noise);
            return loss;
        }
        double share = 1.0 / (_task + 1);
        var (old, classes, mask) = Replay(batch.Count);
        var logits = _net.Classify(_net.Features(old));
        Tensor labels;
        using (Autograd.NoGrad())
            labels = Masked(_before.Classify(_before.Features(old)), mask).ArgMax(1);
        _step!.Minimize(share * loss + (1 - share) * Functional.CrossEntropy(Masked(logits, mask), labels));
        // One batch of both: of n new and n old items each counts alike, so as many old ones are learned as their share asks for.
        int kept = Math.Max(1, (int)Math.Round(batch.Count * share));
        _memory.Learn(Tensor.Concat([items.Narrow(0, 0, kept), old.Narrow(0, 0, batch.Count - kept)]),
            Tensor.Concat([batch.Y.Narrow(0, 0, kept), classes.Narrow(0, 0, batch.Count - kept)]), _noise);
        return loss;
    }

    private static Tensor Masked(Tensor logits, Tensor? mask) => mask is null ? logits : logits + mask;

    // Items of the generator of before, with the class each was made for and the outputs that compete for it.
    private (Tensor Items, Tensor Classes, Tensor? Mask) Replay(int count)
    {
        int[] seen = [.. _stream.Tasks.Take(_task).SelectMany(t => t.Outputs).Distinct().Order()];
        int[] drawn = [.. Enumerable.Range(0, count).Select(_ => seen[_replay.NextInt64(seen.Length)])];
        var classes = Tensor.From(Array.ConvertAll(drawn, c => (long)c), [count]);
        Tensor? mask = null;
        if (_stream.Scenario == Scenario.TaskIncremental)
            mask = Batch.MakeMask(_stream, drawn, Array.ConvertAll(drawn, c => _stream.Tasks.First(t => t.Outputs.Contains(c)).Index));
        return (_memoryBefore.Dream(classes, _replay), classes, mask);
    }

    /// <inheritdoc/>
    public void EndTask(StreamTask task) => _training.Record(this, task);

    /// <inheritdoc/>
    public Tensor Predict(Tensor images, StreamTask? task) => _net.Forward(images);

    /// <inheritdoc/>
    public IReadOnlyList<Metric> Measure(CancellationToken cancel) => [.. _training.Metrics()];

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        bool begun = _step is not null;
        state.Flag("begun", ref begun);
        state.Number("task", ref _task);
        state.Module("net", _net);
        state.Module("before", _before);
        _memory.Persist(state, "memory");
        _memoryBefore.Persist(state, "memory_before");
        if (begun)
        {
            if (state.Loading)
                Begin();
            state.Optimizer("step", _step!);
        }
        state.Generator("noise", _noise);
        state.Generator("replay", _replay);
        _training.Persist(state, "training");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _step?.Dispose();
        _memory.Dispose();
        _memoryBefore.Dispose();
        _net.Dispose();
        _before.Dispose();
    }
}
