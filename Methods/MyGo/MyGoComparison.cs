using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>What MyGO is compared with, on its own network, with its own optimiser and batches.</summary>
public enum MyGoBaseline
{
    /// <summary>All weights are trained, task after task. Domain-incremental it is the paper's baseline, one head of two units; task-incremental the fair one, a head per task.</summary>
    Finetune,

    /// <summary>Features stay as initialised; only heads are trained.</summary>
    Frozen,

    /// <summary>All weights on all tasks at once.</summary>
    Joint,

    /// <summary>As fine-tuning, with the answers of the network of before as soft labels (Learning without Forgetting, Li and Hoiem 2017).</summary>
    Lwf,
}

/// <summary>Settings of <see cref="MyGoComparison"/>.</summary>
/// <param name="LearningRate">1e-3, Adam, afresh for each task (released code of MyGO).</param>
/// <param name="DistillWeight">1 (lambda_o of Learning without Forgetting); of no account to the others.</param>
/// <param name="Temperature">2 (likewise).</param>
/// <param name="Width">256 features.</param>
/// <param name="TrainingAccuracy">Test on the training items as well.</param>
public sealed record MyGoComparisonOptions(
    double LearningRate = 1e-3, double DistillWeight = 1, double Temperature = 2, int Width = 256, bool TrainingAccuracy = true) : IMethodOptions
{
    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate), (nameof(Temperature), Temperature), (nameof(Width), Width));
        OptionRange.NotNegative(method, (nameof(DistillWeight), DistillWeight));
    }
}

/// <summary>A baseline under MyGO's protocol.</summary>
public sealed class MyGoComparison : IMethod, IMeasured
{
    private readonly TaskStream _stream;
    private readonly MyGoBaseline _kind;
    private readonly MyGoComparisonOptions _o;
    private readonly NeocortexNet _net, _before;
    private readonly TrainingAccuracy _training;
    private Adam? _step;
    private int _task;

    /// <summary>A fresh one.</summary>
    public MyGoComparison(TaskStream stream, SeedStreams seeds, MyGoBaseline kind, MyGoComparisonOptions options)
    {
        (_stream, _kind, _o) = (stream, kind, options);
        _net = new NeocortexNet(stream, seeds.Init, options.Width);
        _before = new NeocortexNet(stream, new Generator(0), options.Width);
        _training = new TrainingAccuracy(stream, options.TrainingAccuracy);
    }

    /// <inheritdoc/>
    public long ParameterCount => _net.ParameterCount;

    /// <summary>The network of before, for what distils from it.</summary>
    public long StorageBits => _kind == MyGoBaseline.Lwf ? 32 * _net.ParameterCount : 0;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps)
    {
        _task = task.Index;
        _before.CopyFrom(_net);
        Begin();
    }

    private void Begin()
    {
        _step?.Dispose();
        _step = new Adam(_kind == MyGoBaseline.Frozen ? _net.Head : _net.Parameters(), _o.LearningRate);
    }

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        Tensor logits;
        if (_kind == MyGoBaseline.Frozen)
        {
            Tensor features;
            using (Autograd.NoGrad())
                features = _net.Features(_net.Encode(batch.X));
            logits = _net.Classify(features);
        }
        else
        {
            logits = _net.Forward(batch.X);
        }
        var loss = batch.Loss(logits);
        _step!.Minimize(_kind == MyGoBaseline.Lwf && _task > 0 && _o.DistillWeight > 0 ? loss + _o.DistillWeight * SoftAnswers.Distance(_stream, _task, _before, batch, logits, _o.Temperature) : loss);
        return loss;
    }

    /// <inheritdoc/>
    public void EndTask(StreamTask task) => _training.Record(this, task);

    /// <inheritdoc/>
    public Tensor Predict(Tensor images, StreamTask? task) => _net.Forward(images);

    /// <inheritdoc/>
    public IReadOnlyList<Metric> Measure(CancellationToken cancel) => [.. _training.Metrics()];

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        bool begun = _step is not null;
        state.Flag("begun", ref begun);
        state.Number("task", ref _task);
        state.Module("net", _net);
        state.Module("before", _before);
        if (begun)
        {
            if (state.Loading)
                Begin();
            state.Optimizer("step", _step!);
        }
        _training.Persist(state, "training");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _step?.Dispose();
        _net.Dispose();
        _before.Dispose();
    }
}
