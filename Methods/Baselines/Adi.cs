using Native.Nn;

namespace Native.Methods;

/// <summary>Settings of <see cref="Adi"/>; "commands" is the list of Automatic Recall Machines' released code. The defaults are MNIST's.</summary>
/// <param name="LearningRate">0.05 (commands).</param>
/// <param name="PixelRate">25 (commands): step of the descent on the pixels.</param>
/// <param name="Generated">M = 10 images (table 3).</param>
/// <param name="Steps">S = 10 (commands).</param>
/// <param name="Lag">Iterations between copies of the network; "none" for one at the start of each task. 1 is unit lag, with DisagreementWeight 8.</param>
/// <param name="GenerateFrom">First iteration that replays; "none" for the first of the second task.</param>
/// <param name="ClassWeight">1: cross-entropy of the network of before against the drawn class (commands).</param>
/// <param name="DisagreementWeight">1 (commands), of <see cref="Disagreement.FromMixture"/>; 8 for unit lag.</param>
/// <param name="Norm">1: length of the images (commands).</param>
/// <param name="Smoothness">1: total variation (commands).</param>
/// <param name="StatisticsWeight">0.1: distance of the batch's statistics from the running ones, in networks with batch normalisation (commands).</param>
/// <param name="ReplayWeight">1: divergence from the network of before on generated images (commands).</param>
/// <param name="RealWeight">0.5 on MNIST, 1 on CIFAR-10, 2 on MiniImageNet: likewise on real ones (commands). 0 leaves it out.</param>
/// <param name="FromNoise">Start from uniform noise; the code starts from images of the batch.</param>
/// <param name="Width">Hidden units or filters; 0 for the paper's.</param>
public sealed record AdiOptions(
    double LearningRate = 0.05, double PixelRate = 25, int Generated = 10, int Steps = 10, int? Lag = null, int? GenerateFrom = null,
    double ClassWeight = 1, double DisagreementWeight = 1, double Norm = 1, double Smoothness = 1, double StatisticsWeight = 0.1,
    double ReplayWeight = 1, double RealWeight = 0.5, bool FromNoise = false, int Width = 0) : IMethodOptions
{
    /// <summary>The defaults on a stream of the paper.</summary>
    public static AdiOptions For(PaperData data) => data switch
    {
        PaperData.Cifar10 => new AdiOptions(LearningRate: 0.01, PixelRate: 10, Generated: 100, RealWeight: 1),
        PaperData.MiniImageNet => new AdiOptions(LearningRate: 0.01, PixelRate: 10, Generated: 100, RealWeight: 2),
        _ => new AdiOptions(),
    };

    /// <inheritdoc/>
    public void Validate(string method)
    {
        OptionRange.Positive(method, (nameof(LearningRate), LearningRate), (nameof(Generated), Generated), (nameof(Lag), Lag ?? 1));
        OptionRange.NotNegative(method, (nameof(PixelRate), PixelRate), (nameof(Steps), Steps), (nameof(GenerateFrom), GenerateFrom ?? 0), (nameof(Width), Width),
            (nameof(ReplayWeight), ReplayWeight), (nameof(RealWeight), RealWeight));
        OptionRange.Finite(method, (nameof(ClassWeight), ClassWeight), (nameof(DisagreementWeight), DisagreementWeight), (nameof(Norm), Norm),
            (nameof(Smoothness), Smoothness), (nameof(StatisticsWeight), StatisticsWeight));
    }
}

/// <summary>
/// Adaptive DeepInversion (Yin et al. 2020) as Automatic Recall Machines' tables use it (55.4 +- 2.6% on MNIST): like
/// <see cref="AutomaticRecallMachine"/>, but each image is made for a class drawn from those seen and not present, without selecting what the
/// batch interferes with, and the statistics of the generated batch shall match the running ones.
/// </summary>
public sealed class Adi : IMethod, IRecorded
{
    private const int Plain = 0, Replaying = 1;

    private readonly TaskStream _stream;
    private readonly AdiOptions _options;
    private readonly SgdLearner _learner;
    private readonly Teacher _teacher;
    private readonly Generator _random;
    private readonly List<Tensor> _mismatch = [];
    private readonly StepGraph _step;
    private int[] _seen = [];

    /// <summary>A fresh learner for a stream.</summary>
    public Adi(TaskStream stream, SeedStreams seeds, AdiOptions options)
    {
        (_stream, _options, _random) = (stream, options, seeds.Noise);
        _learner = new SgdLearner(stream, seeds, options.LearningRate, options.Width);
        _teacher = new Teacher(stream, options.Width, options.Lag);
        _step = new StepGraph("adi-step", Step);
        foreach (var norm in Norms(_teacher.Net))
            norm.Watch = x => Compare(norm, x);
    }

    /// <inheritdoc/>
    public long ParameterCount => _learner.ParameterCount;

    /// <inheritdoc/>
    public long StorageBits => _teacher.StorageBits;

    /// <inheritdoc/>
    public long Nodes => _step.Nodes;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps) => _teacher.BeginTask(task);

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        _teacher.Update(_learner.Net);
        int[] past = [.. _seen.Except(batch.Targets).Order()];
        bool replays = past.Length > 0 && _teacher.Replays(_options.GenerateFrom);
        var loss = _step.Run(replays ? Replaying : Plain, batch, null, replays ? Choose(batch, past) : []);
        _seen = [.. _seen.Union(batch.Targets).Order()];
        _teacher.Advance();
        return loss;
    }

    private Tensor Step(int variant, StepInputs inputs)
    {
        var loss = _learner.Loss(inputs.Batch);
        _learner.Descend(loss);
        if (variant == Replaying)
            Replay(inputs.Batch, inputs.Choices);
        return loss;
    }

    // What the host decides of a replaying step: the class of each image, and the image of the batch that it starts from.
    private Tensor[] Choose(Batch batch, int[] past)
    {
        int m = _options.Generated;
        var classes = Tensor.From(DrawClasses(m, past, _random), [m]);
        return _options.FromNoise ? [classes] : [classes, Tensor.From(RecallObjective.Choose(m, batch.Count, _random), [m])];
    }

    /// <summary>The classes of m images: drawn from those past, without replacement as long as that is possible (code).</summary>
    internal static long[] DrawClasses(int m, int[] past, Generator random) => [.. RecallObjective.Choose(m, past.Length, random).Select(i => (long)past[i])];

    /// <summary>What the pixels descend on, from logits of both networks.</summary>
    internal Tensor Loss(Tensor pixels, Tensor before, Tensor now, Tensor classes)
    {
        var planes = pixels.Reshape(-1, _stream.Train.Channels, _stream.Train.Height, _stream.Train.Width);
        var loss = Functional.CrossEntropy(before, classes) * _options.ClassWeight
            - RecallObjective.Divergence(before, now, Disagreement.FromMixture) * _options.DisagreementWeight
            + RecallObjective.Prior(pixels, planes, _options.Norm, _options.Smoothness);
        if (_mismatch.Count > 0 && _options.StatisticsWeight != 0)
            loss += _mismatch.Aggregate((a, b) => a + b) * (_options.StatisticsWeight / _mismatch.Count);
        return loss;
    }

    private void Replay(Batch batch, IReadOnlyList<Tensor> choices)
    {
        using var scope = TensorScope.Begin("generate");
        var classes = choices[0];
        var images = _options.FromNoise ? Tensor.Rand([_options.Generated, _stream.InputSize], _random) : batch.X.TakeRows(choices[1]);
        using (_teacher.Net.Freeze())
        using (_learner.Net.Freeze())
            RecallObjective.Climb(images, _options.Steps, _options.PixelRate, x =>
            {
                _mismatch.Clear();
                return -Loss(x, _teacher.Net.Forward(x), _learner.Net.Forward(x), classes);
            });
        _mismatch.Clear();
        var (target, targetReal) = Distillation.Targets(_teacher.Net, images, batch.X);
        _mismatch.Clear();
        if (_options.RealWeight == 0)
        {
            _learner.Descend(Distillation.Losses(_learner.Net, images, target).Mean() * _options.ReplayWeight);
            return;
        }
        var (generated, real) = Distillation.Losses(_learner.Net, images, batch.X, target, targetReal);
        _learner.Descend(generated.Mean() * _options.ReplayWeight + real.Mean() * _options.RealWeight);
    }

    // |mean - running mean| + |variance - running variance| of one layer's input, lengths over channels; variance with n - 1 (code).
    private void Compare(BatchNorm norm, Tensor x)
    {
        int[] dims = x.Rank == 4 ? [0, 2, 3] : [0];
        if (_options.StatisticsWeight != 0)
            _mismatch.Add((x.Mean(dims) - norm.RunningMean.Clone()).Norm() + (x.Var(dims) - norm.RunningVar.Clone()).Norm());
    }

    private static IEnumerable<BatchNorm> Norms(Module module) =>
        module is BatchNorm norm ? [norm] : module.Children.SelectMany(Norms);

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
        _teacher.Persist(state);
        state.Generator("random", _random);
        state.Ints("seen", ref _seen);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _step.Dispose();
        _teacher.Dispose();
        _learner.Dispose();
    }
}
