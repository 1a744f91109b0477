namespace Native.Methods;

/// <summary>Settings of <see cref="ErMir"/>; "script" is Maximally Interfered Retrieval's <c>ER_experiments.sh</c>.</summary>
/// <param name="LearningRate">0.1 on MNIST and CIFAR-10 (script). The authors later suggested 0.05 for CIFAR-10.</param>
/// <param name="Capacity">500 images in all: the largest memory of Automatic Recall Machines, table 3.</param>
/// <param name="ReplayBatch">10 (MIR).</param>
/// <param name="Candidates">50 drawn, of which the most interfered with are replayed (script, "subsample").</param>
/// <param name="CompareToBest">
/// Score against the best loss an image has ever had while it was a candidate, log(classes) at first, where that is below its present one: the
/// script's choice on MNIST, not on CIFAR-10. The released code keeps these losses at rows of another numbering (of the images of other tasks, not of
/// the memory), and for images that have since been replaced; here they belong to the image.
/// </param>
/// <param name="BatchReservoir">As of <see cref="ErOptions"/>.</param>
/// <param name="Width">Hidden units or filters; 0 for the papers' own.</param>
public sealed record ErMirOptions(
    double LearningRate = 0.1, int Capacity = 500, int ReplayBatch = 10, int Candidates = 50, bool CompareToBest = true, bool BatchReservoir = true, int Width = 0) : IMethodOptions
{
    /// <summary>The defaults on a stream of the paper.</summary>
    public static ErMirOptions For(PaperData data) => new(CompareToBest: data == PaperData.Mnist, Candidates: data == PaperData.MiniImageNet ? 25 : 50);

    /// <inheritdoc/>
    public void Validate(string method)
    {
        if (Capacity < 1)
            throw new UsageException($"{method}: a memory of {Capacity} images holds nothing. Give --buffer 1 or more.");
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate), (nameof(ReplayBatch), ReplayBatch), (nameof(Candidates), Candidates));
        OptionRange.NotNegative(method, (nameof(Width), Width));
    }
}

/// <summary>
/// Experience replay that answers with the images whose loss the new batch would raise most (Aljundi et al. 2019, "Online continual learning with
/// maximally interfered retrieval", section 3.1 and released code): candidates are drawn, a virtual step of SGD on the new batch is taken, and those with
/// the largest loss after minus loss before are replayed. Otherwise as <see cref="Er"/>.
/// </summary>
public sealed class ErMir(TaskStream stream, SeedStreams seeds, ErMirOptions options) : IMethod
{
    private readonly SgdLearner _learner = new(stream, seeds, options.LearningRate, options.Width);
    private readonly ReservoirBuffer _memory = new(options.Capacity, stream.InputSize, seeds.Replay);
    private float[] _best = new float[options.Capacity];
    private int _task;

    /// <summary>The network in training.</summary>
    internal Classifier Net => _learner.Net;

    /// <inheritdoc/>
    public long ParameterCount => _learner.ParameterCount;

    /// <inheritdoc/>
    public long StorageBits => _memory.StorageBits;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps) => _task = task.Index;

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        var loss = _learner.Loss(batch);
        int[] slots = _memory.DrawSlots(options.Candidates, exceptTask: _task);
        if (slots.Length == 0)
            _learner.Descend(loss);
        else
            loss = DescendBoth(loss, slots);
        foreach (int slot in _memory.Add(batch, together: options.BatchReservoir))
            if (slot >= 0)
                _best[slot] = MathF.Log(stream.Outputs);
        return loss;
    }

    // The gradient of the batch serves the virtual step and, with that of the replayed images, the real one: one pass on the batch, as in the released code.
    private Tensor DescendBoth(Tensor loss, int[] slots)
    {
        _learner.Optimizer.ZeroGrad();
        loss.Backward();
        var replayed = _learner.Loss(Retrieve(slots));
        replayed.Backward();
        _learner.Optimizer.Step();
        using var constant = Autograd.NoGrad();
        return loss + replayed;
    }

    private Batch Retrieve(int[] slots)
    {
        if (slots.Length <= options.ReplayBatch)
            return _memory.BatchOf(stream, slots);
        using var scope = TensorScope.Begin("retrieve");
        var (before, after) = Losses([.. Net.Parameters().Select(p => p.Grad!)], _memory.BatchOf(stream, slots));
        var scores = new float[slots.Length];
        for (int i = 0; i < slots.Length; i++)
        {
            scores[i] = after[i] - (options.CompareToBest ? Math.Min(before[i], _best[slots[i]]) : before[i]);
            _best[slots[i]] = Math.Min(before[i], _best[slots[i]]);
        }
        int[] chosen = Most(scores, options.ReplayBatch);
        using var outside = TensorScope.Outside();
        return _memory.BatchOf(stream, Array.ConvertAll(chosen, i => slots[i]));
    }

    /// <summary>
    /// The losses of each candidate before and after a virtual step along the gradients, one per parameter. The pass before counts for running
    /// statistics; the pass after does not, as the released code makes it on a copy.
    /// </summary>
    internal (float[] Before, float[] After) Losses(IReadOnlyList<Tensor> gradients, Batch candidates)
    {
        using var constant = Autograd.NoGrad();
        var ahead = Net.Parameters().Zip(gradients, (p, g) => p - _learner.LearningRate * g).ToArray();
        var before = Each(Net.Forward(candidates.X), candidates);
        using var kept = Distillation.Keep(Net);
        var after = Each(Net.Call(candidates.X, ahead), candidates);
        return (before, after);
    }

    /// <summary>The places of the largest scores, largest first; of equals the first.</summary>
    internal static int[] Most(float[] scores, int count) =>
        [.. Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).Take(count)];

    private static float[] Each(Tensor logits, Batch batch) =>
        Functional.CrossEntropy(batch.Mask is null ? logits : logits + batch.Mask, batch.Y, reduction: Reduction.None).ToArray<float>();

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
        state.Singles("best", ref _best);
        state.Number("task", ref _task);
    }

    /// <inheritdoc/>
    public void Dispose() => _learner.Dispose();
}
