using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>
/// Generative replay online, and with retrieval of what the batch interferes with most: GEN and GEN-MIR of "Online continual learning with maximally
/// interfered retrieval" (Aljundi et al. 2019, section 3.2 and released code). A variational auto-encoder and a classifier are trained side by
/// side, several steps each per batch; copies of both, taken at the end of each task, provide old images and their soft labels. Images are
/// retrieved once per batch for the generator and once for the classifier (<c>reuse_samples</c>).
/// <para>The released code takes its virtual step along gradients left over from the step before; here, as the paper says, along those of the new batch.</para>
/// </summary>
public sealed class Gen : IMethod
{
    private readonly GenOptions _options;
    private readonly GatedClassifier _classifier, _classifierBefore;
    private readonly Vae _generator, _generatorBefore;
    private readonly Sgd _sgd;
    private readonly Adam _adam;
    private readonly Generator _noise, _replay;
    private bool _hasPast;
    private int _seen;

    /// <summary>A fresh learner for a stream of images in [0, 1].</summary>
    public Gen(TaskStream stream, SeedStreams seeds, GenOptions options)
    {
        if (stream.Scale != PixelScale.Unit)
            throw new UsageException("gen: its pixels are probabilities, so images must be scaled to [0, 1]; the stream's are not.");
        (_options, _noise, _replay) = (options, seeds.Noise, seeds.Replay);
        int width = options.Width == 0 ? 400 : options.Width;
        var sizes = new VaeSizes(stream.InputSize, options.Hidden, options.Depth, options.Latent, options.Dropout);
        _classifier = new GatedClassifier(stream.InputSize, stream.Outputs, seeds.Init, seeds.Noise, width);
        _generator = new Vae(sizes, seeds.Init, seeds.Noise);
        _classifierBefore = new GatedClassifier(stream.InputSize, stream.Outputs, new Generator(0), seeds.Noise, width);
        _generatorBefore = new Vae(sizes, new Generator(0), seeds.Noise);
        _classifierBefore.Eval();
        _generatorBefore.Eval();
        _sgd = new Sgd(_classifier.Parameters(), options.LearningRate);
        _adam = new Adam(_generator.Parameters(), options.GeneratorRate);
    }

    /// <inheritdoc/>
    public long ParameterCount => _classifier.ParameterCount + _generator.ParameterCount;

    /// <summary>Both generators and the classifier of before, at 32 bits a number: the convention of Automatic Recall Machines, section 4.2.1.</summary>
    public long StorageBits => 32 * (_classifier.ParameterCount + 2 * _generator.ParameterCount);

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps) => _seen = 0;

    /// <inheritdoc/>
    public Tensor Observe(Batch batch)
    {
        _seen += batch.Count;
        double beta = Math.Min(_seen / _options.WarmUp, _options.MaxBeta);
        var old = _hasPast ? Retrieve(batch, GeneratorGain(batch, beta), _options.GeneratorSpread) : null;
        for (int i = 0; i < _options.Iterations; i++)
        {
            using var scope = TensorScope.Begin("generator");
            var loss = Bound(batch.X, beta);
            _adam.Minimize(old is null ? loss : loss + _options.ReplayWeight * Bound(old, beta));
        }
        Tensor? labels = null;
        if (_hasPast)
        {
            old = Retrieve(batch, ClassifierGain(batch), _options.ClassifierSpread);
            using var constant = Autograd.NoGrad();
            labels = _classifierBefore.Forward(old).Softmax(1);
        }
        var first = Learn(batch, old, labels);
        for (int i = 1; i < _options.Iterations; i++)
        {
            using var scope = TensorScope.Begin("classifier");
            Learn(batch, old, labels);
        }
        return first;
    }

    private Tensor Bound(Tensor images, double beta)
    {
        var (reconstruction, divergence) = _generator.Loss(images);
        return reconstruction + beta * divergence;
    }

    // Two passes, as two batches: dropout is drawn for each.
    private Tensor Learn(Batch batch, Tensor? old, Tensor? labels)
    {
        var loss = batch.Loss(_classifier.Forward(batch.X));
        _sgd.Minimize(old is null ? loss : loss + _options.ReplayWeight * SoftLoss(_classifier.Forward(old), labels!));
        return loss;
    }

    /// <summary>Cross-entropy against soft labels with probabilities of at least 1e-5, below which there is no gradient (released code).</summary>
    internal static Tensor SoftLoss(Tensor logits, Tensor labels) => -(logits.Softmax(1).Clamp(1e-5, 1).Log() * labels).Sum() / logits.Shape[0];

    /// <summary>
    /// Images of the generator of before, [n ReplayPerImage, pixels]. With ascents each group of n codes starts from the prior and climbs the gain, and
    /// away from the groups found before; a climb that ends in NaN is given up for images drawn at random.
    /// </summary>
    private Tensor Retrieve(Batch batch, Func<Tensor, Tensor>? gain, double spread)
    {
        long count = (long)batch.Count * _options.ReplayPerImage;
        if (gain is null)
            return _generatorBefore.Sample(count, _replay);
        var found = new List<Tensor>();
        using (_generatorBefore.Freeze())
        using (_classifierBefore.Freeze())
            for (int i = 0; i < _options.ReplayPerImage; i++)
            {
                var z = Tensor.Randn([batch.Count, _options.Latent], _replay);
                RecallObjective.Climb(z, _options.Ascents, 1, code =>
                {
                    var value = gain(code);
                    foreach (var other in found)
                        value += Functional.MseLoss(code, other) * (spread / found.Count);
                    return value;
                });
                found.Add(z);
            }
        using var constant = Autograd.NoGrad();
        var codes = Tensor.Concat(found);
        return double.IsFinite(codes.Sum().Item()) ? _generatorBefore.Decode(codes) : _generatorBefore.Sample(count, _replay);
    }

    // What codes climb for the classifier: where a virtual step on the batch changes the answer, and the answer of before was sure.
    private Func<Tensor, Tensor>? ClassifierGain(Batch batch)
    {
        if (_options.Ascents == 0)
            return null;
        var ahead = Ahead(_classifier, batch.Loss(_classifier.Forward(batch.X)));
        return code =>
        {
            var images = _generatorBefore.Decode(code);
            var before = _classifierBefore.Forward(images);
            return _options.ClassifierInterference * SoftCrossEntropy(_classifier.Call(images, ahead), before)
                - _options.ClassifierConfidence * SoftCrossEntropy(before, before);
        };
    }

    // And for the generator: where a virtual step raises the divergence of the code.
    private Func<Tensor, Tensor>? GeneratorGain(Batch batch, double beta)
    {
        if (_options.Ascents == 0)
            return null;
        var ahead = Ahead(_generator, Bound(batch.X, beta));
        return code =>
        {
            var images = _generatorBefore.Decode(code);
            Tensor interference;
            using (_generator.With(ahead))
                interference = _generator.Loss(images).Divergence;
            interference -= _generatorBefore.Loss(images).Divergence;
            var before = _classifierBefore.Forward(images);
            return _options.GeneratorInterference * interference - _options.GeneratorConfidence * SoftCrossEntropy(before, before);
        };
    }

    // The parameters after one step of plain descent at the classifier's rate (released code, for both), as constants.
    private Tensor[] Ahead(Module net, Tensor loss)
    {
        var parameters = net.Parameters();
        var gradients = Autograd.Grad(loss, [.. parameters], releaseActivations: true);
        using var constant = Autograd.NoGrad();
        return [.. parameters.Zip(gradients, (p, g) => p - _options.LearningRate * g)];
    }

    // Gradients through both.
    private static Tensor SoftCrossEntropy(Tensor logits, Tensor target) => -(target.Softmax(1) * logits.LogSoftmax(1)).Sum(1).Mean();

    /// <inheritdoc/>
    public void EndTask(StreamTask task)
    {
        _classifierBefore.CopyFrom(_classifier);
        _generatorBefore.CopyFrom(_generator);
        _hasPast = true;
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor images, StreamTask? task) => _classifier.Predict(images);

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        state.Module("classifier", _classifier);
        state.Module("generator", _generator);
        state.Module("classifier_before", _classifierBefore);
        state.Module("generator_before", _generatorBefore);
        state.Optimizer("sgd", _sgd);
        state.Optimizer("adam", _adam);
        state.Generator("noise", _noise);
        state.Generator("replay", _replay);
        state.Flag("has_past", ref _hasPast);
        state.Number("seen", ref _seen);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _sgd.Dispose();
        _adam.Dispose();
        _classifier.Dispose();
        _generator.Dispose();
        _classifierBefore.Dispose();
        _generatorBefore.Dispose();
    }
}
