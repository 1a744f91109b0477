namespace Native.Methods;

/// <summary>Settings of <see cref="Lwf"/>.</summary>
/// <param name="LearningRate">0.05 on MNIST, 0.01 on CIFAR-10 and MiniImageNet (commands of Automatic Recall Machines' released code).</param>
/// <param name="DistillWeight">1; 2 on MiniImageNet (likewise).</param>
/// <param name="Lag">Iterations between copies of the network; "none" for one at the start of each task. 1 is unit lag (ARM, table 4).</param>
/// <param name="DistillFrom">First iteration that distils; "none" for the first of the second task.</param>
/// <param name="Width">Hidden units or filters; 0 for the paper's.</param>
public sealed record LwfOptions(double LearningRate = 0.05, double DistillWeight = 1, int? Lag = null, int? DistillFrom = null, int Width = 0) : IMethodOptions
{
    /// <summary>The defaults on a stream of the paper.</summary>
    public static LwfOptions For(PaperData data) => data switch
    {
        PaperData.Cifar10 => new LwfOptions(0.01),
        PaperData.MiniImageNet => new LwfOptions(0.01, 2),
        _ => new LwfOptions(),
    };

    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate), (nameof(Lag), Lag ?? 1));
        OptionRange.NotNegative(method, (nameof(DistillWeight), DistillWeight), (nameof(DistillFrom), DistillFrom ?? 0), (nameof(Width), Width));
    }
}

/// <summary>
/// Learning without Forgetting (Li and Hoiem 2017) as the tables of Automatic Recall Machines use it ("Distill (LwF)", 33.3 +- 2.5% on MNIST): a step
/// of SGD on the batch's cross-entropy, then, from the second task on, another on the divergence from the network of before, KL(old || new) at
/// temperature 1, on the same images. Nothing is recalled; the M those tables list for it means nothing.
/// </summary>
public sealed class Lwf(TaskStream stream, SeedStreams seeds, LwfOptions options) : IMethod, IRecorded
{
    private const int Plain = 0, Distilling = 1;

    private readonly SgdLearner _learner = new(stream, seeds, options.LearningRate, options.Width);
    private readonly Teacher _teacher = new(stream, options.Width, options.Lag);

    /// <inheritdoc/>
    public long ParameterCount => _learner.ParameterCount;

    /// <inheritdoc/>
    public long StorageBits => _teacher.StorageBits;

    /// <inheritdoc/>
    public long Nodes => Graph.Nodes;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps) => _teacher.BeginTask(task);

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        _teacher.Update(_learner.Net);
        var loss = Graph.Run(_teacher.Replays(options.DistillFrom) ? Distilling : Plain, batch);
        _teacher.Advance();
        return loss;
    }

    private StepGraph Graph => field ??= new StepGraph("lwf-step", Step);

    private Tensor Step(int variant, StepInputs inputs)
    {
        var batch = inputs.Batch;
        var loss = _learner.Loss(batch);
        _learner.Descend(loss);
        if (variant == Distilling)
        {
            using var scope = TensorScope.Begin("distil");
            var targets = Distillation.Targets(_teacher.Net, batch.X);
            _learner.Descend(Distillation.Losses(_learner.Net, batch.X, targets).Mean() * options.DistillWeight);
        }
        return loss;
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
        _teacher.Persist(state);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Graph.Dispose();
        _teacher.Dispose();
        _learner.Dispose();
    }
}
