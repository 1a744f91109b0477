using Native.Optim;

namespace Native.Methods;

/// <summary>A network and plain gradient descent on it: what the baselines have in common, and all of it.</summary>
internal sealed class SgdLearner : IDisposable
{
    private readonly StepGraph _step;

    public SgdLearner(TaskStream stream, SeedStreams seeds, double learningRate, int width = 0)
        : this(Classifier.For(stream, seeds.Init, width), learningRate)
    {
    }

    public SgdLearner(Classifier net, double learningRate)
    {
        Net = net;
        Optimizer = new Sgd(Net.Parameters(), learningRate);
        _step = new StepGraph("sgd-step", Body);
    }

    public Classifier Net { get; }

    public Sgd Optimizer { get; }

    /// <summary>Of <see cref="Step"/>, as <see cref="IRecorded.Nodes"/>.</summary>
    public long Nodes => _step.Nodes;

    public long ParameterCount => Net.ParameterCount;

    /// <summary>Step size, from the next step on.</summary>
    public double LearningRate
    {
        get => Optimizer.Lr;
        set => Optimizer.Lr = value;
    }

    /// <summary>As in training: statistics of the batch are used.</summary>
    public Tensor Logits(Tensor images) => Net.Forward(images);

    /// <summary>As in testing: running statistics are used.</summary>
    public Tensor Predict(Tensor images) => Net.Predict(images);

    /// <summary>Mean cross-entropy of a batch, recorded.</summary>
    public Tensor Loss(Batch batch) => batch.Loss(Logits(batch.X));

    /// <summary>Loss of a batch and a step of plain gradient descent on it, recorded where that can be; returns the loss.</summary>
    public Tensor Step(Batch batch) => _step.Run(0, batch);

    private Tensor Body(int variant, StepInputs inputs)
    {
        var loss = Loss(inputs.Batch);
        Descend(loss);
        return loss;
    }

    /// <summary>One step of plain gradient descent.</summary>
    public void Descend(Tensor loss) => Optimizer.Minimize(loss);

    public void Persist(RunState state, string name)
    {
        state.Module($"{name}.net", Net);
        state.Optimizer($"{name}.optimizer", Optimizer);
    }

    public void Dispose()
    {
        _step.Dispose();
        Optimizer.Dispose();
        Net.Dispose();
    }
}
