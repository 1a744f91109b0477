namespace Native.Methods;

/// <summary>
/// Stationary training: the same SGD on all tasks shuffled together, in one phase. The upper bound, and no continual method. One pass over
/// 5,000 images gives 87.1 +- 0.6% (Automatic Recall Machines, table 3, "stationary"); two over all 60,000 give at least 97%.
/// </summary>
public sealed class Joint(TaskStream stream, SeedStreams seeds, SgdOptions options) : IMethod
{
    private readonly SgdLearner _learner = new(stream, seeds, options.LearningRate);

    /// <inheritdoc/>
    public long ParameterCount => _learner.ParameterCount;

    /// <inheritdoc/>
    public long StorageBits => 0;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task)
    {
    }

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        var loss = _learner.Loss(batch);
        _learner.Descend(loss);
        return loss;
    }

    /// <inheritdoc/>
    public void EndTask(StreamTask task)
    {
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor images, StreamTask? task) => _learner.Logits(images);

    /// <inheritdoc/>
    public void Dispose() => _learner.Dispose();
}
