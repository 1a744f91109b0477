using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>
/// Settings of <see cref="Dgr"/>; values of van de Ven and Tolias' implementation ("Three scenarios for continual learning", 2019, Split-MNIST), which trains
/// 2000 steps of 128 images per task: give the trainer such a batch, and as many passes.
/// </summary>
/// <param name="LearningRate">1e-3, Adam, for the solver.</param>
/// <param name="GeneratorRate">1e-3, Adam, for the generator.</param>
/// <param name="Hidden">400, both hidden layers of the generator's two halves.</param>
/// <param name="Latent">100.</param>
/// <param name="Width">Hidden units of the solver; 0 for 400.</param>
/// <param name="SoftLabels">Replay what the solver of before predicts in full; otherwise its most probable class (Shin et al. 2017).</param>
public sealed record DgrOptions(
    double LearningRate = 1e-3, double GeneratorRate = 1e-3, int Hidden = 400, int Latent = 100, int Width = 0, bool SoftLabels = false) : IMethodOptions
{
    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate), (nameof(GeneratorRate), GeneratorRate), (nameof(Hidden), Hidden), (nameof(Latent), Latent));
        OptionRange.NotNegative(method, (nameof(Width), Width));
    }
}

/// <summary>
/// Deep Generative Replay (Shin, Lee, Kim, Kim 2017): a scholar is a generator and a solver; from the second task on, each batch is joined by as many
/// images of the scholar of before, with its answers. The share of the new is 1 / tasks so far. The generator is a variational auto-encoder, as in van
/// de Ven and Tolias' comparisons (about 90.8% class-incremental on Split-MNIST), instead of the paper's GAN.
/// </summary>
public sealed class Dgr : IMethod
{
    private readonly DgrOptions _options;
    private readonly Classifier _solver, _solverBefore;
    private readonly Vae _generator, _generatorBefore;
    private readonly Adam _solverAdam, _generatorAdam;
    private readonly Generator _noise, _replay;
    private int _task;

    /// <summary>A fresh scholar for a stream of images in [0, 1].</summary>
    public Dgr(TaskStream stream, SeedStreams seeds, DgrOptions options)
    {
        if (stream.Scale != PixelScale.Unit)
            throw new UsageException("dgr: its pixels are probabilities, so images must be scaled to [0, 1]; the stream's are not.");
        (_options, _noise, _replay) = (options, seeds.Noise, seeds.Replay);
        var sizes = new VaeSizes(stream.InputSize, options.Hidden, 2, options.Latent);
        _solver = Classifier.For(stream, seeds.Init, options.Width);
        _generator = new Vae(sizes, seeds.Init, seeds.Noise);
        _solverBefore = Classifier.For(stream, new Generator(0), options.Width);
        _generatorBefore = new Vae(sizes, new Generator(0), seeds.Noise);
        _solverBefore.Eval();
        _solverAdam = new Adam(_solver.Parameters(), options.LearningRate);
        _generatorAdam = new Adam(_generator.Parameters(), options.GeneratorRate);
    }

    /// <inheritdoc/>
    public long ParameterCount => _solver.ParameterCount + _generator.ParameterCount;

    /// <summary>The present generator and the scholar of before, at 32 bits a number.</summary>
    public long StorageBits => 32 * (_solver.ParameterCount + 2 * _generator.ParameterCount);

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps) => _task = task.Index;

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        double share = _task <= 0 ? 1 : 1.0 / (_task + 1);
        var loss = batch.Loss(_solver.Forward(batch.X));
        if (_task <= 0)
        {
            _solverAdam.Minimize(loss);
            _generatorAdam.Minimize(Bound(batch.X));
            return loss;
        }
        var (old, labels) = Replay(batch.Count);
        _solverAdam.Minimize(share * loss + (1 - share) * Functional.CrossEntropy(_solver.Forward(old), labels));
        _generatorAdam.Minimize(share * Bound(batch.X) + (1 - share) * Bound(old));
        return loss;
    }

    private (Tensor Images, Tensor Labels) Replay(int count)
    {
        using var constant = Autograd.NoGrad();
        var old = _generatorBefore.Sample(count, _replay);
        var answer = _solverBefore.Forward(old);
        return (old, _options.SoftLabels ? answer.Softmax(1) : answer.ArgMax(1));
    }

    private Tensor Bound(Tensor images)
    {
        var (reconstruction, divergence) = _generator.LossExact(images);
        return reconstruction + divergence;
    }

    /// <inheritdoc/>
    public void EndTask(StreamTask task)
    {
        _solverBefore.CopyFrom(_solver);
        _generatorBefore.CopyFrom(_generator);
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor images, StreamTask? task) => _solver.Predict(images);

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        state.Module("solver", _solver);
        state.Module("generator", _generator);
        state.Module("solver_before", _solverBefore);
        state.Module("generator_before", _generatorBefore);
        state.Optimizer("solver_adam", _solverAdam);
        state.Optimizer("generator_adam", _generatorAdam);
        state.Generator("noise", _noise);
        state.Generator("replay", _replay);
        state.Number("task", ref _task);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _solverAdam.Dispose();
        _generatorAdam.Dispose();
        _solver.Dispose();
        _generator.Dispose();
        _solverBefore.Dispose();
        _generatorBefore.Dispose();
    }
}
