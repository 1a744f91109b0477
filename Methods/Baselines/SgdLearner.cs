using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>A network and the optimiser that trains it: what the baselines have in common, and all of it.</summary>
internal sealed class SgdLearner(TaskStream stream, SeedStreams seeds, double learningRate) : IDisposable
{
    private readonly Mlp _net = new(stream.InputSize, stream.Outputs, seeds.Init);
    private Sgd? _optimizer;

    public long ParameterCount => _net.ParameterCount;

    /// <summary>Step size, from the next step on.</summary>
    public double LearningRate { get; set; } = learningRate;

    public Tensor Logits(Tensor images) => _net.Forward(images);

    /// <summary>Mean cross-entropy of a batch, recorded.</summary>
    public Tensor Loss(Batch batch) => batch.Loss(Logits(batch.X));

    /// <summary>One step of plain gradient descent.</summary>
    public void Descend(Tensor loss)
    {
        _optimizer ??= new Sgd(_net.Parameters(), LearningRate);
        _optimizer.Lr = LearningRate;
        _optimizer.ZeroGrad();
        loss.Backward();
        _optimizer.Step();
    }

    public void Dispose()
    {
        _optimizer?.Dispose();
        _net.Dispose();
    }
}
