using Native.Nn;

namespace Native.Methods;

/// <summary>Settings of <see cref="Ewc"/>; "script" is <c>run_experiments.sh</c> of Gradient Episodic Memory.</summary>
/// <param name="LearningRate">0.01 (script, rotated MNIST).</param>
/// <param name="Strength">lambda = 1000 (script, rotated MNIST; 3 permuted, 1 CIFAR-100). Without the paper's 1/2.</param>
/// <param name="FisherSamples">1000 images of the end of each task (script, rotated MNIST; 10 elsewhere).</param>
/// <param name="PerSample">
/// Square each image's gradient and average (Kirkpatrick et al. 2017, van de Ven); otherwise square the gradient of the mean loss (Gradient Episodic
/// Memory's code), which is up to as many times smaller as there are images and so needs another lambda.
/// </param>
/// <param name="Width">Hidden units or filters; 0 for the papers' own.</param>
public sealed record EwcOptions(
    double LearningRate = 0.01, double Strength = 1000, int FisherSamples = 1000, bool PerSample = false, int Width = 0) : IMethodOptions
{
    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate), (nameof(FisherSamples), FisherSamples));
        OptionRange.NotNegative(method, (nameof(Strength), Strength), (nameof(Width), Width));
    }
}

/// <summary>
/// Elastic Weight Consolidation (Kirkpatrick et al. 2017): after each task the squared gradients F and the parameters are kept, and later steps pay lambda
/// sum over tasks and parameters of F (theta - theta*)^2. The sum over tasks is the quadratic A theta^2 - 2 B theta + C with A = sum F, B = sum F theta*, C =
/// sum F theta*^2, so a step costs the same after twenty tasks as after one.
/// </summary>
public sealed class Ewc : IMethod
{
    private readonly TaskStream _stream;
    private readonly EwcOptions _options;
    private readonly SgdLearner _learner;
    private readonly Tensor?[] _a, _b;
    private double _c;
    private int _tasks;

    /// <summary>A fresh learner for a stream; of a network of its own in place of <see cref="Classifier.For"/>'s when one is given, which it then owns.</summary>
    public Ewc(TaskStream stream, SeedStreams seeds, EwcOptions options, Classifier? net = null)
    {
        (_stream, _options) = (stream, options);
        _learner = new SgdLearner(net ?? Classifier.For(stream, seeds.Init, options.Width), options.LearningRate);
        (_a, _b) = (new Tensor?[_learner.Net.Parameters().Count], new Tensor?[_learner.Net.Parameters().Count]);
    }

    /// <inheritdoc/>
    public long ParameterCount => _learner.ParameterCount;

    /// <summary>(theta* + F) x 32 bits x tasks: the convention of Scalable Recollections. What is allocated here is twice the network, whatever the number of tasks.</summary>
    public long StorageBits => 64 * _learner.ParameterCount * _tasks;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps)
    {
    }

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        var loss = _learner.Loss(batch);
        _learner.Descend(_tasks == 0 ? loss : loss + Penalty());
        return loss;
    }

    /// <summary>lambda sum over tasks of F (theta - theta*)^2, recorded.</summary>
    internal Tensor Penalty()
    {
        var parameters = _learner.Net.Parameters();
        var sum = Tensor.Scalar((float)_c);
        for (int i = 0; i < parameters.Count; i++)
            sum += (parameters[i].Value * (_a[i]! * parameters[i].Value - 2 * _b[i]!)).Sum();
        return _options.Strength * sum;
    }

    /// <inheritdoc/>
    public void EndTask(StreamTask task)
    {
        // The last images trained on: the order of the task's list where a stream keeps it, any otherwise.
        int[] members = task.Train[^Math.Min(task.Train.Length, _options.FisherSamples)..];
        foreach (int[] part in _options.PerSample ? [.. members.Select(m => new[] { m })] : new[] { members })
            Accumulate(part, 1.0 / (_options.PerSample ? members.Length : 1));
        _tasks++;
    }

    private void Accumulate(int[] members, double weight)
    {
        using var scope = TensorScope.Begin("fisher");
        var parameters = _learner.Net.Parameters();
        var gradients = Autograd.Grad(_learner.Loss(_stream.BatchOf(_stream.Train, members)), [.. parameters], releaseActivations: true);
        using var constant = Autograd.NoGrad();
        for (int i = 0; i < parameters.Count; i++)
        {
            var f = gradients[i].Square() * weight;
            var value = parameters[i].Detach();
            Add(ref _a[i], f);
            Add(ref _b[i], f * value);
            _c += (f * value.Square()).Sum().Item();
        }
    }

    private static void Add(ref Tensor? sum, Tensor term)
    {
        if (sum is not null)
        {
            sum.AddInPlace(term);
            return;
        }
        using var outside = TensorScope.Outside();
        sum = term.Clone();
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor images, StreamTask? task) => _learner.Predict(images);

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        _learner.Persist(state, "learner");
        for (int i = 0; i < _a.Length; i++)
        {
            state.Tensor($"a.{i}", ref _a[i]);
            state.Tensor($"b.{i}", ref _b[i]);
        }
        state.Real("c", ref _c);
        state.Number("tasks", ref _tasks);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var t in _a.Concat(_b))
            t?.Dispose();
        _learner.Dispose();
    }
}
