namespace Native.Methods;

/// <summary>Settings of <see cref="Naive"/>.</summary>
/// <param name="LearningRate">
/// 0.05 on MNIST, without momentum or decay; 0.1 on CIFAR-10 and MiniImageNet, ten times that of the methods it is compared with (commands of Automatic
/// Recall Machines' released code).
/// </param>
/// <param name="Width">Hidden units or filters; 0 for the papers' own.</param>
public sealed record NaiveOptions(double LearningRate = 0.05, int Width = 0) : IMethodOptions
{
    /// <summary>The defaults on a stream of the paper.</summary>
    public static NaiveOptions For(PaperData data) => data == PaperData.Mnist ? new NaiveOptions() : new NaiveOptions(0.1);

    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate));
        OptionRange.NotNegative(method, (nameof(Width), Width));
    }
}

/// <summary>
/// Fine-tuning: plain SGD on one task after the other, nothing kept. The lower bound. Class-incremental, it ends by knowing the last task
/// only: 18.8 +- 0.5% on 5,000 images (Automatic Recall Machines, table 3), 19.4% on all (CN-DPM's reference code).
/// </summary>
/// <param name="stream">The stream.</param>
/// <param name="seeds">Draws the weights.</param>
/// <param name="options">Settings.</param>
/// <param name="net">A network of its own in place of <see cref="Classifier.For"/>'s, which it then owns.</param>
public sealed class Naive(TaskStream stream, SeedStreams seeds, NaiveOptions options, Classifier? net = null) : IMethod
{
    private readonly SgdLearner _learner = new(net ?? Classifier.For(stream, seeds.Init, options.Width), options.LearningRate);

    /// <inheritdoc/>
    public long ParameterCount => _learner.ParameterCount;

    /// <inheritdoc/>
    public long StorageBits => 0;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps)
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
    public Tensor Predict(Tensor images, StreamTask? task) => _learner.Predict(images);

    /// <inheritdoc/>
    public void Persist(RunState state) => _learner.Persist(state, "learner");

    /// <inheritdoc/>
    public void Dispose() => _learner.Dispose();
}
