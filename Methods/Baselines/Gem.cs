namespace Native.Methods;

/// <summary>Settings of <see cref="Gem"/>; "script" is <c>run_experiments.sh</c> of Gradient Episodic Memory.</summary>
/// <param name="LearningRate">0.1: script, both MNIST streams.</param>
/// <param name="Capacity">500 images in all, in equal shares per task (Automatic Recall Machines, table 3).</param>
/// <param name="Strength">0.5: script, "memory_strength"; the least weight of each memory once any is violated.</param>
/// <param name="Epsilon">1e-3 on the diagonal: the released code's remedy for a matrix that is not positive definite.</param>
/// <param name="Width">Hidden units or filters; 0 for the papers' own.</param>
public sealed record GemOptions(double LearningRate = 0.1, int Capacity = 500, double Strength = 0.5, double Epsilon = 1e-3, int Width = 0) : IMethodOptions
{
    /// <inheritdoc/>
    public void Validate(string method)
    {
        if (Capacity < 1)
            throw new UsageException($"{method}: a memory of {Capacity} images holds nothing. Give --buffer 1 or more.");
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate));
        OptionRange.NotNegative(method, (nameof(Strength), Strength), (nameof(Epsilon), Epsilon), (nameof(Width), Width));
    }
}

/// <summary>
/// Gradient Episodic Memory (Lopez-Paz and Ranzato 2017): the latest images of each task are kept; a step whose gradient would raise the loss of an
/// earlier task's memory is replaced by the nearest that raises none. The present task's images enter the memory before the step (released code).
/// In the class-incremental scenario all outputs compete, which is how later papers' tables use it.
/// </summary>
public sealed class Gem : IMethod
{
    private readonly TaskStream _stream;
    private readonly GemOptions _options;
    private readonly SgdLearner _learner;
    private readonly RingBuffer _memory;
    private int _task;

    /// <summary>A fresh learner for a stream; of a network of its own in place of <see cref="Classifier.For"/>'s when one is given, which it then owns.</summary>
    /// <exception cref="UsageException">The memory has less than one image per task.</exception>
    public Gem(TaskStream stream, SeedStreams seeds, GemOptions options, Classifier? net = null)
    {
        if (options.Capacity < stream.Tasks.Count)
            throw new UsageException($"gem: a memory of {options.Capacity} images has no share for each of {stream.Tasks.Count} tasks. Give --buffer {stream.Tasks.Count} or more.");
        (_stream, _options) = (stream, options);
        _learner = new SgdLearner(net ?? Classifier.For(stream, seeds.Init, options.Width), options.LearningRate);
        _memory = new RingBuffer(stream.Tasks.Count, options.Capacity / stream.Tasks.Count, stream.InputSize);
    }

    /// <inheritdoc/>
    public long ParameterCount => _learner.ParameterCount;

    /// <inheritdoc/>
    public long StorageBits => _memory.StorageBits;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps) => _task = task.Index;

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        _memory.Add(batch);
        return Step(_learner, batch, Enumerable.Range(0, _stream.Tasks.Count).Where(t => t != _task && _memory.Count(t) > 0)
            .Select<int, Func<Batch>>(t => () => _memory.BatchOf(_stream, t)), _options);
    }

    /// <summary>One step on a batch, along the gradient that opposes none of the memories'; each is made when it is needed and freed after it. The batch's loss.</summary>
    internal static Tensor Step(SgdLearner learner, Batch batch, IEnumerable<Func<Batch>> past, GemOptions options)
    {
        Tensor[] memories = [.. past.Select(memory => TensorScope.Run(() => Gradient(learner, learner.Loss(memory())), "gem-memory"))];
        var loss = learner.Loss(batch);
        if (memories.Length == 0)
            learner.Descend(loss);
        else
            Descend(learner, Project(Gradient(learner, loss), Tensor.Stack(memories), options), options.LearningRate);
        return loss;
    }

    /// <summary>The proposed gradient [n], or if it opposes any of the memories' [tasks, n], the nearest that opposes none.</summary>
    internal static Tensor Project(Tensor proposed, Tensor memories, GemOptions options)
    {
        using var constant = Autograd.NoGrad();
        if (memories.MatMul(proposed.Reshape(-1, 1)).ToArray<float>().All(d => d >= 0))
            return proposed;
        // The programme's numbers are products of half a million terms: in double precision, as in the released code.
        var wide = memories.To(DType.F64);
        int n = (int)memories.Shape[0];
        double[] products = wide.MatMul(wide.T).ToArray<double>(), along = wide.MatMul(proposed.To(DType.F64).Reshape(-1, 1)).ToArray<double>();
        var gram = new double[n, n];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                gram[i, j] = products[i * n + j];
        double[] weights = GemProjection.Weights(gram, along, options.Strength, options.Epsilon);
        var added = Tensor.From(weights, [1, n], memories.Device).MatMul(wide).Reshape(-1);
        return (proposed.To(DType.F64) + added).To(DType.F32);
    }

    // All parameters' gradients end to end.
    private static Tensor Gradient(SgdLearner learner, Tensor loss) =>
        Tensor.Concat([.. Autograd.Grad(loss, [.. learner.Net.Parameters()], releaseActivations: true).Select(g => g.Reshape(-1))]);

    // Plain descent along a gradient that is no loss's.
    private static void Descend(SgdLearner learner, Tensor gradient, double learningRate)
    {
        using var constant = Autograd.NoGrad();
        long at = 0;
        foreach (var p in learner.Net.Parameters())
        {
            p.AddInPlace(-learningRate * gradient.Narrow(0, at, p.Count).Reshape(p.Shape));
            at += p.Count;
        }
        Work.Updated();
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
    public void Dispose() => _learner.Dispose();
}
