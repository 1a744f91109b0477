namespace Native.Methods;

/// <summary>
/// Automatic Recall Machines (Ji, Henriques, Tuytelaars, Vedaldi 2020). Each iteration: one step of plain SGD on the real batch; from the second task
/// on, images made by gradient ascent from those of the batch, towards where the network of before and the present one disagree; one step
/// that teaches the present network what the one of before says, on both. Nothing of earlier tasks is stored but that network. <c>PAPER.md</c>
/// beside this file maps equations to lines.
/// </summary>
public sealed class AutomaticRecallMachine(TaskStream stream, SeedStreams seeds, ArmOptions options) : IMethod, IMeasured, IRecorded
{
    private const int Plain = 0, Recalling = 1;

    private readonly SgdLearner _learner = new(stream, seeds, options.LearningRate, options.Width);
    private readonly Teacher _teacher = new(stream, options.Width, options.Lag);
    private readonly Generator _random = seeds.Noise;
    private readonly RecallShares? _shares = options.History ? new RecallShares(stream) : null;
    private long[][] _origins = [];

    /// <inheritdoc/>
    public long ParameterCount => _learner.ParameterCount;

    /// <inheritdoc/>
    public long StorageBits => _teacher.StorageBits;

    /// <inheritdoc/>
    public long Nodes => Graph.Nodes;

    /// <summary>What is told of each recall while training, or null: histories and pictures. Tells, never changes a bit; steps that are told of are not recorded.</summary>
    public Action<Recollection>? Recorder { get; set; }

    /// <summary>The present network and the one of before, for studies after training.</summary>
    internal (Classifier Now, Classifier Before) Networks => (_learner.Net, _teacher.Net);

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps) => _teacher.BeginTask(task);

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        _teacher.Update(_learner.Net);
        bool recalls = _teacher.Replays(options.RecallFrom);
        Tensor[] choices = recalls ? [.. Choose(batch), .. _shares is null ? [] : (Tensor[])[_shares.Begin(_teacher.Task)]] : [];
        int variant = recalls ? Recalling : Plain;
        var loss = Recorder is null ? Graph.Run(variant, batch, null, choices) : Step(variant, new StepInputs(batch, null, choices));
        _teacher.Advance();
        return loss;
    }

    private StepGraph Graph => field ??= new StepGraph("arm-step", Step);

    // What the host decides of a recalling step: what lies away, and from which images each recall of the iteration starts.
    private Tensor[] Choose(Batch batch)
    {
        int starts = options.FromNoise ? 0 : options.Again == RecallAgain.Restart ? options.Repeats : 1;
        _origins = [.. Enumerable.Range(0, starts).Select(_ => RecallObjective.Choose(options.Recalled, batch.Count, _random))];
        return [Away(batch), .. _origins.Select(o => Tensor.From(o, [o.Length]))];
    }

    private Tensor Step(int variant, StepInputs inputs)
    {
        var batch = inputs.Batch;
        var loss = _learner.Loss(batch);
        _learner.Descend(loss);
        if (variant == Plain)
            return loss;
        using var scope = TensorScope.Begin("recall");
        var images = Begin(inputs, 0);
        Climb(images, inputs.Choices[0]);
        Learn(inputs, 0, images);
        for (int r = 1; r < options.Repeats; r++)
        {
            using var again = TensorScope.Begin("recall-again");
            if (options.Again == RecallAgain.Restart)
                images = Begin(inputs, r);
            Climb(images, inputs.Choices[0]);
            Learn(inputs, r, images);
        }
        return loss;
    }

    private Tensor Begin(StepInputs inputs, int repeat) => options.FromNoise ? Tensor.Rand([options.Recalled, stream.InputSize], _random)
        : inputs.Batch.X.TakeRows(inputs.Choices[1 + repeat]);

    /// <summary>Where the first recall of an iteration starts, [M, pixels], and from which image of the batch each comes (empty for noise).</summary>
    internal Tensor Begin(Batch batch, out long[] origin)
    {
        var images = Begin(new StepInputs(batch, null, Choose(batch)), 0);
        origin = Origin(0);
        return images;
    }

    // Repetitions that continue started where the first did.
    private long[] Origin(int repeat) => _origins.Length == 0 ? [] : _origins[Math.Min(repeat, _origins.Length - 1)];

    private Tensor Away(Batch batch) => RecallObjective.Away([.. batch.Targets.Distinct().Order()], stream.Outputs);

    /// <summary>Eq. 9 climbed in place from where the images [M, pixels] are. The networks stay as they are.</summary>
    internal void Climb(Batch batch, Tensor images) => Climb(images, Away(batch));

    private void Climb(Tensor images, Tensor away)
    {
        using var mode = Distillation.Norm(options.RecallNorm, _teacher.Net, _learner.Net);
        using var before = _teacher.Net.Freeze();
        using var now = _learner.Net.Freeze();
        RecallObjective.Climb(images, options.Steps, options.PixelRate,
            x => RecallObjective.Value(x, Planes(x), _teacher.Net.Forward(x), _learner.Net.Forward(x), away, options));
    }

    private Tensor Planes(Tensor images) => images.Reshape(-1, stream.Train.Channels, stream.Train.Height, stream.Train.Width);

    // Line 9. The targets come from the network of before at the images after the last ascent step.
    private void Learn(StepInputs inputs, int repeat, Tensor images)
    {
        Tensor recalled, real = inputs.Batch.X;
        if (options.RealWeight == 0)
        {
            var targets = Targets(images);
            Tell(inputs, repeat, images, targets);
            recalled = Distillation.Losses(_learner.Net, images, targets);
            Descend(recalled.Sum() * (options.RecallWeight / Divisor(images.Shape[0], 0)), repeat);
            return;
        }
        Tensor targetRecalled, targetReal, distilled;
        using (Distillation.Norm(options.RecallNorm, _teacher.Net, _learner.Net))
            (targetRecalled, targetReal) = Distillation.Targets(_teacher.Net, images, real);
        Tell(inputs, repeat, images, targetRecalled);
        (recalled, distilled) = Distillation.Losses(_learner.Net, images, real, targetRecalled, targetReal);
        Descend(recalled.Sum() * (options.RecallWeight / Divisor(images.Shape[0], real.Shape[0]))
            + distilled.Sum() * (options.RealWeight / Divisor(real.Shape[0], images.Shape[0])), repeat);
    }

    private Tensor Targets(Tensor images)
    {
        using var mode = Distillation.Norm(options.RecallNorm, _teacher.Net, _learner.Net);
        return Distillation.Targets(_teacher.Net, images);
    }

    private double Divisor(long own, long other) => options.UnionMean ? own + other : own;

    // The released code never clears the gradients between repetitions, so the second applies g1 + g2.
    private void Descend(Tensor loss, int repeat)
    {
        if (options.Again != RecallAgain.Accumulate || options.Repeats == 1)
        {
            _learner.Descend(loss);
            return;
        }
        if (repeat == 0)
            _learner.Optimizer.ZeroGrad();
        loss.Backward();
        _learner.Optimizer.Step();
    }

    private void Tell(StepInputs inputs, int repeat, Tensor images, Tensor targets)
    {
        if (repeat == 0)
            _shares?.Add(inputs.Choices[^1], targets);
        Recorder?.Invoke(new Recollection(_teacher.Iteration, inputs.Batch, Origin(repeat), images, targets));
    }

    /// <inheritdoc/>
    public void EndTask(StreamTask task)
    {
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor images, StreamTask? task) => _learner.Predict(images);

    /// <summary>With <see cref="ArmOptions.History"/>, the shares of figure 4; with <see cref="ArmOptions.GradientSamples"/>, tables 8 and 9: keys like <c>hard.FC1.class2</c>, and <c>hard.FC1.class2.spread</c>.</summary>
    public IReadOnlyList<Metric> Measure(CancellationToken cancel)
    {
        IReadOnlyList<Metric> shares = _shares?.Measure() ?? [];
        if (options.GradientSamples == 0)
            return shares;
        var (rows, _) = GradientCorrelation.Measure(this, stream, options.GradientSamples, new Generator(seeds.Seed).Stream("gradients"), cancel);
        IEnumerable<Metric> both(LayerCorrelation row, string name, Correlated c)
        {
            string key = $"{(row.Hard ? "hard" : "soft")}.{row.Layer.Replace(" ", "", StringComparison.Ordinal)}.{name}";
            string? reason = c.Count == 0 ? "no gradients to compare" : null;
            yield return new Metric(key, key, reason is null ? c.Mean : null, reason, "mean dot product of normalised gradients, recalled and real (ARM A.7)");
            yield return new Metric($"{key}.spread", $"{key} spread", reason is null ? c.Spread : null, reason, "standard deviation of the same over images and parameter blocks");
        }
        return [.. shares, .. rows.SelectMany(r => both(r, "class1", r.Origin).Concat(both(r, "class2", r.Target)))];
    }

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        _learner.Persist(state, "learner");
        _teacher.Persist(state);
        state.Generator("random", _random);
        _shares?.Persist(state);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Graph.Dispose();
        _shares?.Dispose();
        _teacher.Dispose();
        _learner.Dispose();
    }
}

/// <summary>One recall, as told to a recorder. The tensors live until it returns.</summary>
/// <param name="Iteration">From 0.</param>
/// <param name="Batch">The real batch.</param>
/// <param name="Origin">Which image of the batch each recalled one started from; empty for noise.</param>
/// <param name="Images">The images recalled for it, [M, pixels].</param>
/// <param name="Predictions">What the network of before predicts for them, probabilities [M, classes].</param>
public readonly record struct Recollection(long Iteration, Batch Batch, long[] Origin, Tensor Images, Tensor Predictions);
