using System.Globalization;
using Native.Nn;

namespace Native.Methods;

/// <summary>
/// Distortion against compression (Scalable Recollections, tables 5 and 6, figure 3) and code against buffer sampling (table 4): an auto-encoder trained offline on all images of a
/// stream, at several rates of which the one of smallest training distortion counts. It names no class: every logit is 0, and the accuracies of such a run mean nothing.
/// <para>Training takes place during the batches of the run's only phase, as many steps with each as it takes to be through with the last, so that a run can be
/// saved and continued in its middle.</para>
/// </summary>
public sealed class AutoEncoderStudy : IMethod, IMeasured, IPictures
{
    private readonly TaskStream _stream;
    private readonly AutoEncoderOptions _o;
    private readonly Generator _root;
    private readonly int[] _all;
    private readonly double[] _rates;
    private readonly Pretraining _best;
    private Pretraining _current;
    private double[] _distortions = [];
    private double _loss;
    private int _trial, _seen, _steps;

    /// <summary>Ready for the stream's union.</summary>
    public AutoEncoderStudy(TaskStream stream, SeedStreams seeds, AutoEncoderOptions options)
    {
        (_stream, _o, _rates) = (stream, options, options.Trials);
        _root = Root(seeds.Seed);
        _all = [.. stream.Tasks.SelectMany(t => t.Train)];
        (_best, _current) = (Training(0), Training(0));
    }

    /// <summary>Where the random numbers of a seed's networks come from: equal for every method that trains one.</summary>
    internal static Generator Root(ulong seed) => new Generator(seed).Stream("recollections");

    /// <inheritdoc/>
    public long ParameterCount => _best.Net.ParameterCount;

    /// <summary>The codes of all training images, and the auto-encoder at 32 bits a number.</summary>
    public long StorageBits => (long)Bits * _all.Length + StoredBits.PerNumber * ParameterCount;

    private ConvAutoEncoder Net => (ConvAutoEncoder)_best.Net;

    private int Bits => Net is DiscreteAutoEncoder discrete ? discrete.Size.Bits : ((ContinuousAutoEncoder)Net).Bits;

    private long Total => (long)_rates.Length * _current.Steps;

    private long Done => _trial == _rates.Length ? Total : (_trial + 1L) * _current.Steps - _current.Left;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps)
    {
        if (task.Index >= 0)
            throw new UsageException("srm-autoencoder: it is trained on all tasks at once. Train jointly.");
        (_steps, _seen) = (steps, 0);
        SkipKnown();
    }

    /// <summary>Does the next share of training. Returns the latest loss.</summary>
    public Tensor Observe(Batch batch)
    {
        long until = Total * Math.Min(++_seen, _steps) / _steps;
        while (Done < until)
        {
            double loss = _current.Step();
            if (double.IsFinite(loss))
                _loss = loss;
            if (_current.Left > 0)
                continue;
            EndTrial();
            SkipKnown();
        }
        return Tensor.Scalar((float)_loss);
    }

    /// <inheritdoc/>
    public void EndTask(StreamTask task)
    {
        if (_trial < _rates.Length)
            throw new UsageException($"srm-autoencoder: {Done} of {Total} steps are done when the run ends. Observe all of its batches.");
        if (!_distortions.Any(double.IsFinite))
            throw new NumericException($"srm-autoencoder: training diverged at every rate: {string.Join(", ", _rates)}. Give a smaller one.");
    }

    /// <summary>Zeros: an auto-encoder names no class.</summary>
    public Tensor Predict(Tensor images, StreamTask? task) => Tensor.Zeros([images.Shape[0], _stream.Outputs]);

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        state.Number("seen", ref _seen);
        state.Number("steps", ref _steps);
        state.Number("trial", ref _trial);
        state.Real("loss", ref _loss);
        state.Doubles("distortions", ref _distortions);
        state.Module("best", _best.Net);
        if (_trial == _rates.Length)
            return;
        if (state.Loading && _trial > 0)
            Replace();
        _current.Persist(state, "current");
    }

    /// <inheritdoc/>
    public IReadOnlyList<Metric> Measure(CancellationToken cancel)
    {
        int best = Best;
        int[] test = [.. _stream.Tasks.SelectMany(t => t.Test)];
        double image = 8.0 * _stream.InputSize;
        var metrics = new List<Metric>
        {
            new("compression", "compression", image / Bits, null, "bits of an image at 8 a value / bits of its code: c ceil(log2 l), or 32 a number (SRM tables 5 and 6)") { IsFraction = false },
            new("trainDistortion", "training distortion", _distortions[best], null, "mean |image - reconstruction| over pixels and training images, one stochastic pass, best rate (SRM tables 5 and 6)"),
            new("bestRate", "rate of it", _rates[best], null, "Adam's rate of the smallest training distortion") { IsFraction = false },
            new("reconstruction", "test distortion", AutoEncoderTraining.Distortion(Net, _stream, _stream.Test, test, _root.Stream("measure/test"), cancel), null,
                "mean |image - reconstruction| over pixels and test images, one stochastic pass (SRM table 4)"),
        };
        for (int i = 0; i < _rates.Length; i++)
        {
            string rate = _rates[i].ToString("0e0", CultureInfo.InvariantCulture);
            bool finite = double.IsFinite(_distortions[i]);
            metrics.Add(new($"trainDistortion{rate}", $"training distortion at {rate}", finite ? _distortions[i] : null, finite ? null : "training diverged", "as trainDistortion, of this rate"));
        }
        foreach (bool buffer in (ReadOnlySpan<bool>)[false, true])
        {
            string key = buffer ? "nearestBuffer" : "nearestCode", what = buffer ? "codes of training images drawn at random" : "codes whose variables are uniform";
            string? none = Net is not DiscreteAutoEncoder ? "continuous codes have no uniform distribution" : _o.Samples == 0 ? "samples = 0" : null;
            metrics.Add(new(key, $"distance to the nearest image, {(buffer ? "buffer" : "code")} sampling", none is null ? Nearest(buffer, cancel) : null, none,
                $"mean over {_o.Samples} recollections of {what}: mean |recollection - nearest training image| over pixels (SRM table 4)"));
        }
        return metrics;
    }

    /// <summary>Training images with their reconstructions below them; recollections of the buffer; those of random codes.</summary>
    public IReadOnlyList<(string Name, HostArray Image)> Pictures()
    {
        const int columns = 20, rows = 5, zoom = 2;
        using var scope = TensorScope.Begin("pictures");
        var images = _stream.BatchOf(_stream.Train, _all.AsSpan(0, Math.Min(columns, _all.Length))).X;
        var pictures = new List<(string, HostArray)>
        { ("reconstructions", Grid(_stream, [.. images.ToArray<float>(), .. AutoEncoderTraining.Reconstruct(Net, images, _root.Stream("pictures")).ToArray<float>()], (int)images.Shape[0], zoom)) };
        if (Net is DiscreteAutoEncoder)
            foreach (bool buffer in (ReadOnlySpan<bool>)[false, true])
                pictures.Add((buffer ? "buffer-samples" : "code-samples", Grid(_stream, Recollections(buffer, columns * rows, _root.Stream("pictures")), columns, zoom)));
        return pictures;
    }

    /// <summary>Images [n, pixels] in [0, 1] as a picture.</summary>
    internal static HostArray Grid(TaskStream stream, float[] values, int columns, int zoom)
    {
        var (set, bytes) = (stream.Train, stream.Scale.Bytes(values));
        return ImageGrid.Tile(HostArray.From<byte>([bytes.Length / set.ImageSize, set.Channels, set.Height, set.Width], bytes), columns, zoom: zoom);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _best.Dispose();
        _current.Dispose();
    }

    // The smallest distortion; one that is no number is none.
    private int Best => Enumerable.Range(0, _distortions.Length).MinBy(i => double.IsFinite(_distortions[i]) ? _distortions[i] : double.PositiveInfinity);

    private Pretraining Training(int trial)
    {
        var schedule = (_o.Epochs, _o.Batch, _rates[trial]);
        return _o.Filters is { } filters ? AutoEncoderTraining.Continuous(_stream, filters, schedule, _root)
            : AutoEncoderTraining.Discrete(_stream, new CodeSize(_o.Variables, _o.Categories), schedule, _o.Tau, _o.KlWeight, _root);
    }

    private void SkipKnown()
    {
        while (_trial < _rates.Length && _current.Adopt())
            EndTrial();
    }

    // A diverged network gives no number, which is its result.
    private void EndTrial()
    {
        var net = (ConvAutoEncoder)_current.Net;
        double distortion = AutoEncoderTraining.Distortion(net, _stream, _stream.Train, _all, _root.Stream("measure/train"));
        _distortions = [.. _distortions, distortion];
        // Not the latest step's: a network that was taken over has made none.
        _loss = double.IsFinite(distortion) ? distortion : 0;
        if (Best == _trial)
            _best.Net.CopyFrom(net);
        if (++_trial < _rates.Length)
            Replace();
    }

    private void Replace()
    {
        _current.Dispose();
        _current = Training(_trial);
    }

    private double Nearest(bool buffer, CancellationToken cancel)
    {
        float[] made = Recollections(buffer, _o.Samples, _root.Stream(buffer ? "measure/buffer" : "measure/code"));
        byte[] pixels = new byte[(long)_all.Length * _stream.InputSize];
        for (int i = 0; i < _all.Length; i++)
            _stream.Train.Image(_all[i]).CopyTo(pixels.AsSpan(i * _stream.InputSize));
        return NearestImages.Distances(made, pixels, _stream.InputSize, cancel).Average();
    }

    // Of codes of training images drawn at random, or of random codes.
    private float[] Recollections(bool buffer, int count, Generator random)
    {
        var net = (DiscreteAutoEncoder)Net;
        var made = new List<float>(count * _stream.InputSize);
        for (int from = 0; from < count; from += AutoEncoderTraining.Together)
        {
            using var scope = TensorScope.Begin("recollections");
            int n = Math.Min(AutoEncoderTraining.Together, count - from);
            made.AddRange((buffer
                ? net.Reconstruct(_stream.BatchOf(_stream.Train, [.. Enumerable.Range(0, n).Select(_ => _all[random.NextInt64(_all.Length)])]).X, random)
                : net.Recall(RandomCodes(net.Size, n, random))).ToArray<float>());
        }
        return [.. made];
    }

    /// <summary>Codes i64 [n, c] whose variables are uniform: code sampling.</summary>
    internal static Tensor RandomCodes(CodeSize size, int count, Generator random)
    {
        var codes = new long[count * size.Variables];
        for (int i = 0; i < codes.Length; i++)
            codes[i] = random.NextInt64(size.Categories);
        return Tensor.From(codes, [count, size.Variables]);
    }
}
