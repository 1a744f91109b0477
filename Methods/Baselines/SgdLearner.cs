using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>A network and the optimiser that trains it: what the baselines have in common, and all of it.</summary>
internal sealed class SgdLearner : IDisposable
{
    private readonly Mlp _net;
    private readonly Sgd _optimizer;

    public SgdLearner(TaskStream stream, SeedStreams seeds, double learningRate)
    {
        _net = new Mlp(stream.InputSize, stream.Outputs, seeds.Init);
        _optimizer = new Sgd(_net.Parameters(), learningRate);
    }

    public long ParameterCount => _net.ParameterCount;

    /// <summary>Step size, from the next step on.</summary>
    public double LearningRate
    {
        get => _optimizer.Lr;
        set => _optimizer.Lr = value;
    }

    public Tensor Logits(Tensor images) => _net.Forward(images);

    /// <summary>Mean cross-entropy of a batch, recorded.</summary>
    public Tensor Loss(Batch batch) => batch.Loss(Logits(batch.X));

    /// <summary>One step of plain gradient descent.</summary>
    public void Descend(Tensor loss)
    {
        _optimizer.ZeroGrad();
        loss.Backward();
        _optimizer.Step();
    }

    public void Persist(RunState state, string name)
    {
        state.Module($"{name}.net", _net);
        state.Optimizer($"{name}.optimizer", _optimizer);
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _net.Dispose();
    }
}
