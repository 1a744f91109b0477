namespace Native.Methods;

/// <summary>Settings of <see cref="Er"/>.</summary>
/// <param name="LearningRate">
/// 0.1: Maximally Interfered Retrieval's script for MNIST and CIFAR-10, whose code made the ER rows (Automatic Recall Machines, appendix A.4).
/// </param>
/// <param name="Capacity">500 images in all: the largest memory of Automatic Recall Machines, table 3.</param>
/// <param name="ReplayBatch">10 images from memory beside the 10 new ones (MIR; table 3 lists the same M = 10).</param>
/// <param name="BatchReservoir">Slots are drawn for a whole batch at once, as in MIR's code; false for algorithm R, image by image.</param>
/// <param name="Width">Hidden units or filters; 0 for the papers' own.</param>
public sealed record ErOptions(double LearningRate = 0.1, int Capacity = 500, int ReplayBatch = 10, bool BatchReservoir = true, int Width = 0) : IMethodOptions
{
    /// <inheritdoc/>
    public void Validate(string method)
    {
        if (Capacity < 1)
            throw new UsageException($"{method}: a memory of {Capacity} images holds nothing. Give --buffer 1 or more.");
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate), (nameof(ReplayBatch), ReplayBatch));
        OptionRange.NotNegative(method, (nameof(Width), Width));
    }
}

/// <summary>
/// Experience replay with a reservoir. Each step adds two mean cross-entropies, one of the new batch and one of a batch from memory, computed
/// in separate forward passes; memory answers with images of other tasks only, from the second task on; the new images enter the memory after
/// the step. These are the conventions of Maximally Interfered Retrieval (Aljundi et al. 2019, code), where the ER rows that later papers
/// compare with come from: 83.2 +- 1.9% and forgetting 13.4 +- 1.9% with 500 images on 5,000 (Automatic Recall Machines, table 3).
/// </summary>
public sealed class Er(TaskStream stream, SeedStreams seeds, ErOptions options) : IMethod, IRecorded
{
    private readonly SgdLearner _learner = new(stream, seeds, options.LearningRate, options.Width);
    private readonly ReservoirBuffer _memory = new(options.Capacity, stream.InputSize, seeds.Replay);
    private int _task;

    /// <inheritdoc/>
    public long ParameterCount => _learner.ParameterCount;

    /// <inheritdoc/>
    public long StorageBits => _memory.StorageBits;

    /// <inheritdoc/>
    public long Nodes => Graph.Nodes;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps) => _task = task.Index;

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        var loss = Graph.Run(0, batch, _memory.Draw(stream, options.ReplayBatch, exceptTask: _task));
        _memory.Add(batch, together: options.BatchReservoir);
        return loss;
    }

    private StepGraph Graph => field ??= new StepGraph("er-step", Step);

    private Tensor Step(int variant, StepInputs inputs)
    {
        var loss = _learner.Loss(inputs.Batch);
        if (inputs.Memory is { } old)
            loss += _learner.Loss(old);
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
    public void Persist(RunState state)
    {
        _learner.Persist(state, "learner");
        _memory.Persist(state, "memory");
        state.Number("task", ref _task);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Graph.Dispose();
        _learner.Dispose();
    }
}
