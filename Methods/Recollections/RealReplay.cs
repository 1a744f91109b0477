namespace Native.Methods;

/// <summary>
/// The control of Scalable Recollections (tables 1 to 3, "real storage"): algorithm 1 with images in place of codes. Each step joins the incoming examples and images drawn
/// from all that is kept in one batch, updates the predictor on it, and offers the examples to the reservoir.
/// </summary>
public sealed class RealReplay(TaskStream stream, SeedStreams seeds, RealReplayOptions options) : IMethod, IMeasured
{
    // No task is left out of a draw.
    private const int NoTask = -1;

    private readonly SgdLearner _learner = new(Recollections.Predictor(stream, seeds, options.Width), options.LearningRate);
    private readonly ReservoirBuffer _memory = new(options.Capacity, stream.InputSize, seeds.Replay);

    /// <inheritdoc/>
    public long ParameterCount => _learner.ParameterCount;

    /// <inheritdoc/>
    public long StorageBits => _memory.StorageBits;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps)
    {
    }

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        var loss = Step(batch);
        for (int r = 1; r < options.Repeats; r++)
        {
            using var scope = TensorScope.Begin("repeat");
            Step(batch);
        }
        _memory.Add(batch);
        return loss;
    }

    private Tensor Step(Batch batch)
    {
        var loss = _learner.Loss(_memory.Draw(stream, options.ReplayBatch, NoTask)?.With(batch) ?? batch);
        _learner.Descend(loss);
        return loss;
    }

    /// <inheritdoc/>
    public void EndTask(StreamTask task)
    {
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor images, StreamTask? task) => _learner.Predict(images);

    /// <inheritdoc/>
    public IReadOnlyList<Metric> Measure(CancellationToken cancel) => [Recollections.Stored(stream, StorageBits), Recollections.Items(options.Capacity)];

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        _learner.Persist(state, "learner");
        _memory.Persist(state, "memory");
    }

    /// <inheritdoc/>
    public void Dispose() => _learner.Dispose();
}
