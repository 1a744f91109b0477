using Native.Optim;

namespace Native.Methods;

/// <summary>A network and plain gradient descent on it: what the baselines have in common, and all of it.</summary>
internal sealed class SgdLearner : IDisposable
{
    public SgdLearner(TaskStream stream, SeedStreams seeds, double learningRate, int width = 0)
        : this(Classifier.For(stream, seeds.Init, width), learningRate)
    {
    }

    public SgdLearner(Classifier net, double learningRate)
    {
        Net = net;
        Optimizer = new Sgd(Net.Parameters(), learningRate);
    }

    public Classifier Net { get; }

    public Sgd Optimizer { get; }

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

    /// <summary>One step of plain gradient descent.</summary>
    public void Descend(Tensor loss) => Optimizer.Minimize(loss);

    public void Persist(RunState state, string name)
    {
        state.Module($"{name}.net", Net);
        state.Optimizer($"{name}.optimizer", Optimizer);
    }

    public void Dispose()
    {
        Optimizer.Dispose();
        Net.Dispose();
    }
}
