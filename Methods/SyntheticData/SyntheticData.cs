namespace Native.Methods;

/// <summary>A method that can show what it has made.</summary>
public interface IPictures
{
    /// <summary>Pictures by name, without the ending of a file; u8 [height, width, channels].</summary>
    IReadOnlyList<(string Name, HostArray Image)> Pictures();
}

/// <summary>
/// Reducing catastrophic forgetting with learning on synthetic data (Masarczyk and Tautkute 2020), and the controls of its figure 4. First a generator is
/// meta-trained with real images of all classes (<see cref="MetaTrainer"/>); then a fresh learner is trained by its images, task after task, a few steps each and nothing
/// replayed, and tested on real ones.
/// <para>Meta-training takes place during the batches of the stream's first task, as many meta-steps with each as it takes to be through with the last, so that a run can be
/// saved and continued in its middle. The stream's own batches are otherwise not looked at: a learner has its own pools, of real images too.</para>
/// </summary>
public sealed class SyntheticData : IMethod, IPictures
{
    private readonly TaskStream _stream;
    private readonly MetaOptions _o;
    private readonly ImagePixels _pixels;
    private readonly int[][] _members;
    private readonly MetaTrainer? _trainer;
    private readonly ConditionalGan? _gan;
    private readonly SequenceLearner _learner;
    private readonly Generator _images, _draw;
    private readonly string? _key;
    private readonly int _units;
    private int _seen, _steps;
    private double _loss;
    private Work _work, _ganWork;

    /// <summary>Ready for the stream's first task.</summary>
    public SyntheticData(TaskStream stream, SeedStreams seeds, MetaOptions options)
    {
        (_stream, _o, _pixels) = (stream, options, new ImagePixels(stream, options.Square));
        (_, _, _members) = MetaTrainer.Members(stream);
        var net = MetaTrainer.Learner(options, _pixels, stream.Outputs);
        _learner = new SequenceLearner(net, seeds.Init, options.TestNorm);
        (_images, _draw) = (seeds.Noise.Stream("images"), seeds.Replay.Stream("draw"));
        ulong seed = options.MetaSeed is { } given ? (ulong)given : seeds.Seed;
        var root = new Generator(seed).Stream("synthetic-data");
        if (options.Source == LearnerSource.Synthetic || options.Rates != LearnerRates.Fixed)
            _trainer = new MetaTrainer(options, stream, root, options.Source == LearnerSource.Synthetic || options.Rates == LearnerRates.Synthetic);
        if (options.Source == LearnerSource.Gan)
            _gan = new ConditionalGan(options, stream, root);
        _units = (_trainer is null ? 0 : options.MetaSteps) + (_gan is null ? 0 : options.GanSteps);
        _key = options.MetaSeed is null ? null : $"on {stream.Describe().ToJsonString()} at {Device.Default.Name}";
    }

    /// <inheritdoc/>
    public long ParameterCount => _learner.ParameterCount;

    /// <summary>The generator that the images come from, at 32 bits a number; 0 for real images.</summary>
    public long StorageBits => 32 * (_o.Source switch
    {
        LearnerSource.Synthetic => _trainer!.Parameters.Generator!.ParameterCount,
        LearnerSource.Gan => _gan!.Parameters.Generator!.ParameterCount,
        _ => 0,
    });

    /// <summary>Meta-steps and steps of the GAN done so far.</summary>
    public int Prepared => (_gan?.Steps ?? 0) + (_trainer?.Steps ?? 0);

    // By everything that decides their bits. A GAN's learner has the rate learned for synthetic data.
    private string RatesKey => $"rates {_o.OfTraining} {_key}";

    private string GanKey => $"gan {_o.OfGan} {_key}";

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps)
    {
        if (task.Index != 0)
            return;
        (_steps, _seen) = (steps, 0);
        if (_key is null)
            return;
        _gan?.Adopt(GanKey, ref _ganWork);
        _trainer?.Adopt(RatesKey, ref _work);
    }

    /// <summary>Does the next share of meta-training in the first task, nothing in others. Returns the latest loss: of the meta-step, later of the learner.</summary>
    public Tensor Observe(Batch batch)
    {
        if (batch.Tasks[0] == 0)
        {
            int until = (int)((long)_units * Math.Min(_seen + 1, _steps) / _steps);
            for (_seen++; Prepared < until;)
                Prepare();
        }
        return Tensor.Scalar((float)_loss);
    }

    // One update, of the GAN as long as it has any left. What is learned is there for other runs from the moment on.
    private void Prepare()
    {
        var before = Work.Done;
        if (_gan is { Left: > 0 })
        {
            _loss = _gan.Step();
            _ganWork += Work.Done - before;
            if (_gan.Left == 0 && _key is not null)
                TrainedNets.Remember(GanKey, _gan.Parameters, _ganWork);
            return;
        }
        _loss = _trainer!.Step().Loss;
        _work += Work.Done - before;
        if (_trainer.Left == 0 && _key is not null)
            TrainedNets.Remember(RatesKey, _trainer.Parameters, _work);
    }

    /// <summary>Trains the learner on the task's images.</summary>
    public void EndTask(StreamTask task)
    {
        if (Prepared < _units)
            throw new UsageException($"synthetic data: {Prepared} of {_units} steps of meta-training are done when the first task ends. Observe all of its batches.");
        using var scope = TensorScope.Begin("learn");
        (double Rate, double Momentum)[] rates = _o.Rates == LearnerRates.Fixed ? [(_o.InitialRate, _o.InitialMomentum)] : _trainer!.Parameters.ReadRates();
        int[] classes = [.. task.Outputs];
        var (images, pools) = Pool(classes);
        long[] rows = new long[classes.Length * _o.PerClass];
        var labels = Tensor.From([.. classes.SelectMany(c => Enumerable.Repeat((long)c, _o.PerClass))], [rows.Length]);
        for (int s = 0; s < _o.InnerSteps; s++)
        {
            using var step = TensorScope.Begin("inner");
            ClassPool.Rows(pools, rows);
            // One rate for all, or one per step of meta-training, whose last stands for those beyond it.
            var (rate, momentum) = rates[rates.Length == 1 ? 0 : Math.Min(rates.Length - 1, task.Index * _o.MetaInnerSteps + Math.Min(s, _o.MetaInnerSteps - 1))];
            _loss = _learner.Step(images.TakeRows(Tensor.From(rows, [rows.Length])), labels, rate, momentum).Item();
            if (!double.IsFinite(_loss))
                throw new NumericException($"synthetic data: the learner's loss is {_loss} at step {s + 1} of task {task.Name}, at rate {rate:G4} and momentum {momentum:G4}. Choose rates that suit it.");
        }
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor images, StreamTask? task) => _learner.Forward(_pixels.Of(images));

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        state.Number("seen", ref _seen);
        state.Number("steps", ref _steps);
        state.Real("loss", ref _loss);
        Persist(state, "work", ref _work);
        Persist(state, "ganWork", ref _ganWork);
        _trainer?.Persist(state, "rates");
        _gan?.Persist(state, "gan");
        state.Module("learner", _learner);
        state.Generator("images", _images);
        state.Generator("draw", _draw);
    }

    /// <summary>Figure 3: an image of each class in a row; and ten of each, a row per class.</summary>
    public IReadOnlyList<(string Name, HostArray Image)> Pictures()
    {
        const int each = 10, zoom = 2;
        using var scope = TensorScope.Begin("pictures");
        int classes = _stream.Outputs, per = _o.ClassesPerTask;
        var random = new Generator(0).Stream("pictures");
        var bytes = new byte[classes * each * _pixels.Size];
        for (int c = 0; c < classes; c += per)
        {
            var (images, _) = Pool([.. Enumerable.Range(c, Math.Min(per, classes - c))], random, enough: each);
            PixelScale.Symmetric.Bytes(images.ToArray<float>()).CopyTo(bytes.AsSpan(c * each * _pixels.Size));
        }
        HostArray of(IEnumerable<int> which, int columns) => ImageGrid.Tile(HostArray.From<byte>([which.Count(), _pixels.Channels, _pixels.Side, _pixels.Side],
            [.. which.SelectMany(i => bytes.AsSpan(i * _pixels.Size, _pixels.Size).ToArray())]), columns, zoom: zoom);
        string name = _o.Source.ToString().ToLowerInvariant();
        return [($"{name}-strip", of(Enumerable.Range(0, classes).Select(c => c * each), classes)), ($"{name}-samples", of(Enumerable.Range(0, classes * each), each))];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _trainer?.Dispose();
        _gan?.Dispose();
        _learner.Dispose();
    }

    private static void Persist(RunState state, string name, ref Work work)
    {
        var (flops, steps) = work;
        state.Number($"{name}.flops", ref flops);
        state.Number($"{name}.steps", ref steps);
        work = new Work(flops, steps);
    }

    // The images of a task, class after class, and a draw from each class's.
    private (Tensor Images, ClassPool[] Pools) Pool(int[] classes) =>
        Pool(classes, _images, _o.Pool * Math.Max(1, (_o.PerClass + _o.MetaPerClass - 1) / _o.MetaPerClass));

    private (Tensor Images, ClassPool[] Pools) Pool(int[] classes, Generator random, int enough)
    {
        if (_o.Source == LearnerSource.Real)
        {
            // As many as there are, where there are fewer.
            int[][] chosen = [.. classes.Select(c => Array.ConvertAll(random.Permutation(_members[c].Length)[..Math.Min(enough, _members[c].Length)], i => _members[c][i]))];
            int[] all = [.. chosen.SelectMany(c => c)];
            return (Tensor.From(_pixels.Gather(all), [all.Length, _pixels.Channels, _pixels.Side, _pixels.Side]), [.. chosen.Select(c => new ClassPool(c.Length, _draw))]);
        }
        var from = _o.Source == LearnerSource.Gan ? _gan!.Parameters : _trainer!.Parameters;
        // A GAN is trained on all classes at once, so its running statistics are the right ones; meta-learned images were made task by task.
        _ = _o.Source == LearnerSource.Gan ? from.Eval() : from.Train();
        return (from.Pool(classes, enough, random), [.. classes.Select(_ => new ClassPool(enough, _o.Curriculum && _o.Source == LearnerSource.Synthetic ? null : _draw))]);
    }
}
