namespace Native.Methods;

/// <summary>
/// Scalable Recollections, algorithm 1 (Riemer, Klinger, Bouneffouf, Franceschini 2019): experience replay of images decoded from stored codes. Each step decodes N sets of
/// recollections, updates the auto-encoder on each with the incoming examples, updates the predictor on the first set with them, and stores their codes. <c>PAPER.md</c>
/// beside this file maps the algorithm to lines.
/// </summary>
public sealed class RecollectionReplay : IMethod, IMeasured, IPictures
{
    private readonly RecollectionOptions _options;
    private readonly SgdLearner _learner;
    private readonly RecollectionModule _module;
    private readonly RecollectionStudy _study;

    /// <summary>A fresh learner for a stream.</summary>
    /// <exception cref="UsageException">c l / 4 is not whole, or the stream's images do not suit the auto-encoder.</exception>
    public RecollectionReplay(TaskStream stream, SeedStreams seeds, RecollectionOptions options)
    {
        _options = options;
        _learner = new SgdLearner(Recollections.Predictor(stream, seeds, options.Width), options.LearningRate);
        _module = new RecollectionModule(stream, seeds, options.Module, IndexBuffer.Reservoir(options.Module.Size, options.Items, seeds.Replay));
        _study = new RecollectionStudy(stream, _module);
    }

    /// <summary>Encoder, decoder and codes.</summary>
    public RecollectionModule Module => _module;

    /// <summary>Of the predictor and of the auto-encoder.</summary>
    public long ParameterCount => _learner.ParameterCount + _module.Net.ParameterCount;

    /// <summary>Incremental storage: the codes.</summary>
    public long StorageBits => _module.Buffer.StorageBits;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps) => _study.Begin(task);

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        var before = _options.StaleCodes ? _module.Encode(batch) : null;
        var loss = Step(batch);
        for (int r = 1; r < _options.Repeats; r++)
        {
            using var scope = TensorScope.Begin("repeat");
            Step(batch);
        }
        _module.Store(before ?? _module.Encode(batch), batch);
        return loss;
    }

    private Tensor Step(Batch batch)
    {
        // X_s = x_s and x for all sets before any update; the predictor needs one set even when the auto-encoder needs none.
        Batch[] joined = [.. _module.Sample(Math.Max(1, _options.Stabilise)).Select(s => s.With(batch))];
        _module.Learn(batch, joined);
        var loss = _learner.Loss(joined.Length == 0 ? batch : joined[0]);
        _learner.Descend(loss);
        return loss;
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
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _module.Dispose();
        _learner.Dispose();
    }
}
