namespace Native.Methods;

/// <summary>Settings of <see cref="Joint"/>.</summary>
/// <param name="LearningRate">
/// 0.1 at the start, falling to 0: its mean is the 0.05 of the other baselines (Automatic Recall Machines, table 6, MNIST).
/// </param>
/// <param name="LinearDecay">
/// Let the rate fall linearly over the phase. Ours: the paper keeps it constant. An upper bound should not depend on the last few batches, and
/// with a constant rate it does: two passes over MNIST at 0.05 end between 96.7 and 97.5% (seeds 0 to 3), with the fall at 97.8 to 97.9%.
/// </param>
/// <param name="Width">Hidden units or filters; 0 for the papers' own.</param>
public sealed record JointOptions(double LearningRate = 0.1, bool LinearDecay = true, int Width = 0) : IMethodOptions
{
    /// <summary>
    /// "Naive SGD, stationary" of Automatic Recall Machines: a constant rate of 0.05 on MNIST, 0.1 on CIFAR-10 and MiniImageNet (commands of the released
    /// code), one pass.
    /// </summary>
    public static JointOptions Stationary(PaperData data) => new(data == PaperData.Mnist ? 0.05 : 0.1, LinearDecay: false);

    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate));
        OptionRange.NotNegative(method, (nameof(Width), Width));
    }
}

/// <summary>
/// Stationary training: SGD on all tasks shuffled together, in one phase. The upper bound, and no continual method. One pass over
/// 5,000 images gives 87.1 +- 0.6% (Automatic Recall Machines, table 3, "stationary"); two over all 60,000 give at least 97%.
/// </summary>
public sealed class Joint(TaskStream stream, SeedStreams seeds, JointOptions options) : IMethod, IRecorded
{
    private readonly SgdLearner _learner = new(stream, seeds, options.LearningRate, options.Width);
    private int _step, _steps;

    /// <inheritdoc/>
    public long ParameterCount => _learner.ParameterCount;

    /// <inheritdoc/>
    public long StorageBits => 0;

    /// <inheritdoc/>
    public long Nodes => _learner.Nodes;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps) => (_step, _steps) = (0, steps);

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        if (options.LinearDecay)
            _learner.LearningRate = options.LearningRate * (1 - (double)_step++ / _steps);
        return _learner.Step(batch);
    }

    /// <inheritdoc/>
    public void EndTask(StreamTask task)
    {
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor images, StreamTask? task) => _learner.Predict(images);

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        _learner.Persist(state, "learner");
        state.Number("step", ref _step);
        state.Number("steps", ref _steps);
    }

    /// <inheritdoc/>
    public void Dispose() => _learner.Dispose();
}
