namespace Native.Methods;

/// <summary>Settings of <see cref="Icarl"/>.</summary>
/// <param name="LearningRate">0.1: that of the replay methods it stands beside (Maximally Interfered Retrieval, script); its own is not published there.</param>
/// <param name="Capacity">K = 1000 images in all: the largest memory of Automatic Recall Machines, table 1.</param>
/// <param name="Iterations">5 steps per batch: "iCaRL (5 iter)" in the same table.</param>
/// <param name="ReplayBatch">10 exemplars beside the 10 new images of each step, drawn anew each time; ours, as for <see cref="Er"/>.</param>
/// <param name="Width">Hidden units or filters; 0 for the papers' own.</param>
public sealed record IcarlOptions(double LearningRate = 0.1, int Capacity = 1000, int Iterations = 5, int ReplayBatch = 10, int Width = 0) : IMethodOptions
{
    /// <inheritdoc/>
    public void Validate(string method)
    {
        if (Capacity < 1)
            throw new UsageException($"{method}: a memory of {Capacity} images holds nothing. Give --buffer 1 or more.");
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate), (nameof(Iterations), Iterations), (nameof(ReplayBatch), ReplayBatch));
        OptionRange.NotNegative(method, (nameof(Width), Width));
    }
}

/// <summary>
/// iCaRL (Rebuffi, Kolesnikov, Sperl, Lampert 2017): sigmoid outputs trained by binary cross-entropy, those of earlier classes towards what the network
/// of before says (algorithm 3); exemplars chosen by herding after each task (algorithms 4 and 5); prediction by the nearest mean of exemplars in
/// normalised feature space (algorithm 1). Online, as in Maximally Interfered Retrieval's tables: one pass, several steps per batch.
/// </summary>
public sealed class Icarl : IMethod, IRecorded
{
    // The score of a class without exemplars: below every distance.
    private const float Never = -1e9f;

    private readonly TaskStream _stream;
    private readonly IcarlOptions _options;
    private readonly SgdLearner _learner;
    private readonly Teacher _teacher;
    private readonly ExemplarSets _exemplars;
    private readonly Generator _random;
    private readonly StepGraph _step;
    private float[]? _means;

    /// <summary>A fresh learner for a stream.</summary>
    /// <exception cref="UsageException">The memory has less than one image per class.</exception>
    public Icarl(TaskStream stream, SeedStreams seeds, IcarlOptions options)
    {
        if (options.Capacity < stream.Outputs)
            throw new UsageException($"icarl: {options.Capacity} exemplars are less than one for each of {stream.Outputs} classes. Give --buffer {stream.Outputs} or more.");
        (_stream, _options, _random) = (stream, options, seeds.Replay);
        _learner = new SgdLearner(stream, seeds, options.LearningRate, options.Width);
        _teacher = new Teacher(stream, options.Width, lag: null);
        _step = new StepGraph("icarl-step", Body);
        _exemplars = new ExemplarSets(options.Capacity, stream.InputSize);
    }

    /// <inheritdoc/>
    public long ParameterCount => _learner.ParameterCount;

    /// <inheritdoc/>
    public long StorageBits => _exemplars.StorageBits + _teacher.StorageBits;

    /// <inheritdoc/>
    public long Nodes => _step.Nodes;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps) => _teacher.BeginTask(task);

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        _means = null;
        _teacher.Update(_learner.Net);
        // A copy: what follows are replays of the same step.
        var loss = Step(batch).Detach().Clone();
        for (int i = 1; i < _options.Iterations; i++)
        {
            using var scope = TensorScope.Begin("iteration");
            Step(batch);
        }
        _teacher.Advance();
        return loss;
    }

    // Exemplars are there from the end of the first task on, and with them past classes.
    private Tensor Step(Batch batch)
    {
        var old = _exemplars.Draw(_stream, _options.ReplayBatch, _random);
        return _step.Run(0, batch, old, old is null ? [] : [IsPast(_exemplars.Classes)]);
    }

    private Tensor Body(int variant, StepInputs inputs)
    {
        var (x, y) = (inputs.Batch.X, inputs.Batch.Y);
        if (inputs.Memory is { } old)
            (x, y) = (Tensor.Concat([x, old.X]), Tensor.Concat([y, old.Y]));
        var loss = Functional.BceWithLogits(_learner.Logits(x), Targets(x, y, inputs.Memory is null ? null : inputs.Choices[0]), reduction: Reduction.Sum) / x.Shape[0];
        _learner.Descend(loss);
        return loss;
    }

    /// <summary>
    /// 1 for the image's class and 0 elsewhere, [n, outputs]; for classes of earlier tasks, 1 in <paramref name="isPast"/> [outputs], what the network of before
    /// says (running statistics) instead.
    /// </summary>
    internal Tensor Targets(Tensor x, Tensor y, Tensor? isPast)
    {
        using var constant = Autograd.NoGrad();
        var hot = y.OneHot(_stream.Outputs);
        return isPast is null ? hot : hot * (1 - isPast) + _teacher.Net.Predict(x).Sigmoid() * isPast;
    }

    /// <summary>[outputs] with 1 at each of some classes.</summary>
    internal Tensor IsPast(int[] past)
    {
        var mask = new float[_stream.Outputs];
        foreach (int c in past)
            mask[c] = 1;
        return Tensor.From(mask, [_stream.Outputs]);
    }

    /// <inheritdoc/>
    public void EndTask(StreamTask task)
    {
        int share = _options.Capacity / (_exemplars.Classes.Length + task.Classes.Length);
        var sets = new List<(int, int, byte[][])>();
        foreach (int label in task.Classes)
        {
            int[] members = [.. task.Train.Where(i => _stream.Train.Labels[i] == label)];
            int[] order = ExemplarSets.Herd(Features(members, out int width), width, share);
            sets.Add((_stream.Target(label), task.Index, [.. order.Select(i => _stream.Train.Image(members[i]).ToArray())]));
        }
        _exemplars.Add(sets);
        _means = null;
    }

    // Normalised features of training images of the present task, row after row.
    private float[] Features(int[] members, out int width)
    {
        using var constant = Autograd.NoGrad();
        var all = new List<float>();
        width = 0;
        foreach (int[] part in members.Chunk(500))
        {
            using var scope = TensorScope.Begin("features");
            var features = Normalised(_stream.BatchOf(_stream.Train, part).X);
            width = (int)features.Shape[1];
            all.AddRange(features.ToArray<float>());
        }
        return [.. all];
    }

    private Tensor Normalised(Tensor x)
    {
        _learner.Net.Eval();
        var features = _learner.Net.Features(x);
        _learner.Net.Train();
        return features / (features.Norm(1, keepDim: true) + 1e-12);
    }

    /// <summary>Minus the squared distance to each class's mean of exemplars; before the first task's end, when there are none, the logits.</summary>
    public Tensor Predict(Tensor images, StreamTask? task)
    {
        int[] classes = _exemplars.Classes;
        if (classes.Length == 0)
            return _learner.Predict(images);
        var features = Normalised(images);
        int width = (int)features.Shape[1];
        _means ??= Means(classes, width);
        var means = Tensor.From(_means, [_stream.Outputs, width]);
        var absent = new float[_stream.Outputs];
        Array.Fill(absent, Never);
        foreach (int c in classes)
            absent[c] = 0;
        // |f - m|^2 without |f|^2, which is the same for all classes.
        return 2 * features.MatMul(means.T) - means.Square().Sum(1) + Tensor.From(absent, [_stream.Outputs]);
    }

    private float[] Means(int[] classes, int width)
    {
        using var constant = Autograd.NoGrad();
        var means = new float[_stream.Outputs * width];
        foreach (int c in classes)
        {
            using var scope = TensorScope.Begin("mean");
            var mean = Normalised(_exemplars.BatchOf(_stream, c).X).Mean(0);
            (mean / (mean.Norm() + 1e-12)).ToArray<float>().CopyTo(means, c * width);
        }
        return means;
    }

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        _learner.Persist(state, "learner");
        _teacher.Persist(state);
        _exemplars.Persist(state, "exemplars");
        state.Generator("random", _random);
        if (state.Loading)
            _means = null;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _step.Dispose();
        _teacher.Dispose();
        _learner.Dispose();
    }
}
