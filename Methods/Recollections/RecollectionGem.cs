namespace Native.Methods;

/// <summary>
/// Scalable Recollections, algorithm 2 (appendix): Gradient Episodic Memory whose memories are decoded codes. The auto-encoder is updated first; the incoming examples are
/// stored, their gradient is taken, and where it would raise the loss of an earlier task's recollections it is replaced by the nearest that raises none.
/// </summary>
public sealed class RecollectionGem : IMethod, IMeasured, IPictures
{
    private readonly RecollectionGemOptions _options;
    private readonly SgdLearner _learner;
    private readonly RecollectionModule _module;
    private readonly RecollectionStudy _study;
    private int _task;

    /// <summary>A fresh learner for a stream.</summary>
    /// <exception cref="UsageException">There is less than one item per task, c l / 4 is not whole, or the stream's images do not suit the auto-encoder.</exception>
    public RecollectionGem(TaskStream stream, SeedStreams seeds, RecollectionGemOptions options)
    {
        int tasks = stream.Tasks.Count;
        if (options.Items < tasks)
            throw new UsageException($"srm-gem: {options.Items} items have no share for each of {tasks} tasks. Give items={tasks} or more.");
        _options = options;
        _learner = new SgdLearner(Recollections.Predictor(stream, seeds, options.Width), options.LearningRate);
        _module = new RecollectionModule(stream, seeds, options.Module, IndexBuffer.Ring(options.Module.Size, tasks, options.Items / tasks, seeds.Replay));
        _study = new RecollectionStudy(stream, _module);
    }

    /// <summary>Encoder, decoder and codes.</summary>
    public RecollectionModule Module => _module;

    /// <summary>Of the predictor and of the auto-encoder.</summary>
    public long ParameterCount => _learner.ParameterCount + _module.Net.ParameterCount;

    /// <summary>Incremental storage: the codes.</summary>
    public long StorageBits => _module.Buffer.StorageBits;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps)
    {
        _study.Begin(task);
        _task = task.Index;
    }

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        var before = _options.StaleCodes ? _module.Encode(batch) : null;
        int each = _options.CodeBatch == 0 ? batch.Count : _options.CodeBatch;
        for (int from = 0; from < batch.Count; from += each)
        {
            using var scope = TensorScope.Begin("module");
            var part = batch.Part(from, Math.Min(each, batch.Count - from));
            _module.Learn(part, [.. _module.Sample(_options.Stabilise).Select(s => s.With(part))]);
        }
        _module.Store(before ?? _module.Encode(batch), batch);
        return Gem.Step(_learner, batch, Enumerable.Range(0, _task).Select(t => _module.Buffer.SlotsOf(t)).Where(s => s.Length > 0).Select<int[], Func<Batch>>(s => () => _module.Recall(s)), _options.Gem);
    }

    /// <inheritdoc/>
    public void EndTask(StreamTask task) => _study.End(task);

    /// <inheritdoc/>
    public Tensor Predict(Tensor images, StreamTask? task) => _learner.Predict(images);

    /// <inheritdoc/>
    public IReadOnlyList<Metric> Measure(CancellationToken cancel) => _study.Measure(cancel);

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, HostArray Image)> Pictures() => _module.Pictures();

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        _learner.Persist(state, "learner");
        _module.Persist(state, "module");
        _study.Persist(state, "study");
        state.Number("task", ref _task);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _module.Dispose();
        _learner.Dispose();
    }
}
