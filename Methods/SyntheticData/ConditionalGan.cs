using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>
/// The control 'GAN based': a conditional GAN (Mirza and Osindero 2014) on all real images, from which the pools are drawn. Its generator is the one of the meta-learned
/// images; the critic has two convolutions of stride 2 and meets the class in a product (Miyato and Koyama 2018), because a class that is only one more input was ignored for
/// thousands of steps. Loss of Goodfellow et al. 2014, the generator's not
/// saturating; Adam at 2e-4 with beta1 = 0.5 (Radford et al. 2016). The paper states none of this.
/// </summary>
internal sealed class ConditionalGan : IDisposable
{
    private const double Rate = 2e-4, Beta1 = 0.5;

    private readonly MetaOptions _o;
    private readonly ImagePixels _pixels;
    private readonly int[] _all, _labels;
    private readonly int _classes;
    private readonly Critic _critic;
    private readonly Adam _generatorStep, _criticStep;
    private readonly Generator _noise;
    private readonly ClassPool _pool;
    private int _step;
    private double _loss = double.NaN;

    public ConditionalGan(MetaOptions o, TaskStream stream, Generator root)
    {
        (_o, _classes, _pixels) = (o, stream.Outputs, new ImagePixels(stream, o.Square));
        (_all, _labels, _) = MetaTrainer.Members(stream);
        Parameters = new MetaParameters(o with { Curriculum = false, PerStepRates = false }, _pixels.Channels, _pixels.Side, _classes, root.Stream("gan/init"));
        _critic = new Critic(_pixels, _classes, root.Stream("gan/critic"));
        _generatorStep = new Adam(Parameters.Generator!.Parameters(), Rate, Beta1);
        _criticStep = new Adam(_critic.Parameters(), Rate, Beta1);
        _noise = root.Stream("gan/noise");
        _pool = new ClassPool(_all.Length, root.Stream("gan/real"));
    }

    /// <summary>The generator.</summary>
    public MetaParameters Parameters { get; }

    /// <summary>Updates done.</summary>
    public int Steps => _step;

    /// <summary>Updates left.</summary>
    public int Left => _o.GanSteps - _step;

    /// <summary>One update of the critic, then one of the generator. Returns the critic's loss.</summary>
    /// <exception cref="NumericException">A loss is not finite.</exception>
    public double Step()
    {
        using var scope = TensorScope.Begin("gan-step");
        long[] at = new long[Math.Min(_o.GanBatch, _all.Length)];
        _pool.Next(at);
        var real = Tensor.From(_pixels.Gather(Array.ConvertAll(at, i => _all[i])), [at.Length, _pixels.Channels, _pixels.Side, _pixels.Side]);
        var labels = Tensor.From(Array.ConvertAll(at, i => (long)_labels[i]), [at.Length]);
        var made = Parameters.Images(Tensor.Randn([at.Length, _o.Latent], _noise), labels);
        var (critic, generator) = Adversarial.Step(_criticStep, _generatorStep, x => _critic.Forward(x, labels), real, made);
        _loss = critic.Item();
        double other = generator.Item();
        _step++;
        if (!double.IsFinite(_loss) || !double.IsFinite(other))
            throw new NumericException($"gan: step {_step} of {_o.GanSteps} gave losses of {_loss} (critic) and {other} (generator). Find the operation with --nan-trap.");
        return _loss;
    }

    /// <summary>Describes the generator and, while steps are left, what they depend on.</summary>
    public void Persist(RunState state, string name)
    {
        state.Number($"{name}.step", ref _step);
        state.Module($"{name}.parameters", Parameters);
        if (Left <= 0)
            return;
        state.Real($"{name}.loss", ref _loss);
        state.Module($"{name}.critic", _critic);
        state.Optimizer($"{name}.generatorStep", _generatorStep);
        state.Optimizer($"{name}.criticStep", _criticStep);
        state.Generator($"{name}.noise", _noise);
        state.Generator($"{name}.realOrder", _pool.Random!);
        _pool.Persist(state, $"{name}.real");
    }

    /// <summary>Takes over what an equal GAN has learned, if there was one.</summary>
    public void Adopt(string key, ref Work work)
    {
        if (Left == 0 || !TrainedNets.TryAdopt(key, Parameters, out var done))
            return;
        (_step, work) = (_o.GanSteps, done);
    }

    /// <summary>Frees networks and moments.</summary>
    public void Dispose()
    {
        _generatorStep.Dispose();
        _criticStep.Dispose();
        Parameters.Dispose();
        _critic.Dispose();
    }

    /// <summary>Two convolutions and a hidden layer h; the answer is w h + v(class) h.</summary>
    private sealed class Critic : Module
    {
        private const int Filters = 32, Hidden = 128;
        private const double Slope = 0.2;

        private readonly Sequential _features;
        private readonly Linear _judge, _classVectors;
        private readonly int _classes;

        public Critic(ImagePixels pixels, int classes, Generator init)
        {
            _classes = classes;
            int last = (pixels.Side + 3) / 4;
            _features = Add("features", new Sequential(
                new Conv2d(pixels.Channels, Filters, 3, init, stride: 2, padding: 1), new LeakyRelu(Slope),
                new Conv2d(Filters, 2 * Filters, 3, init, stride: 2, padding: 1), new LeakyRelu(Slope), new Flatten(),
                new Linear(2 * Filters * last * last, Hidden, init), new LeakyRelu(Slope)));
            _judge = Add("judge", new Linear(Hidden, 1, init));
            _classVectors = Add("classes", new Linear(classes, Hidden, init, bias: false));
        }

        public Tensor Forward(Tensor x, Tensor labels)
        {
            var hidden = _features.Forward(x);
            return _judge.Forward(hidden).Reshape(x.Shape[0]) + (hidden * _classVectors.Forward(labels.OneHot(_classes))).Sum(1);
        }
    }
}
