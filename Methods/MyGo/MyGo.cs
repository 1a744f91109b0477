using System.Globalization;
using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>
/// MyGO, Memory Yielding Generative Offline-consolidation (Ji and Song 2025), section 2: awake, the batches of a task train a head (repaired: all of a copy) and a generative memory;
/// asleep, without data, a student learns what its teachers say of the dreams of all memories. Nothing is kept of a task but the network of its memory.
/// </summary>
public sealed class MyGo : IMethod, IOffline, IMemories, IMeasured, IPictures
{
    private readonly TaskStream _stream;
    private readonly MyGoOptions _o;
    private readonly NeocortexNet _student, _awake, _before;
    private readonly List<GenerativeMemory> _memories = [];
    private readonly Generator _noise, _dreams;
    private readonly ulong _seed;
    private readonly WordsSeen _words;
    private readonly TrainingAccuracy _training;
    private Adam? _wakeStep;
    private MyGoSleep? _sleep;
    private int _task = -1;
    private double[] _dreamAccuracy = [], _change = [], _slept = [];

    /// <summary>Ready for the stream's first task.</summary>
    public MyGo(TaskStream stream, SeedStreams seeds, MyGoOptions options)
    {
        (_stream, _o, _seed) = (stream, options, seeds.Seed);
        (_noise, _dreams) = (seeds.Noise.Stream("memory"), seeds.Replay.Stream("dreams"));
        _student = new NeocortexNet(stream, seeds.Init, options.Width);
        _awake = new NeocortexNet(stream, new Generator(0), options.Width);
        _before = new NeocortexNet(stream, new Generator(0), options.Width);
        (_words, _training) = (new WordsSeen(stream), new TrainingAccuracy(stream, options.TrainingAccuracy));
    }

    /// <inheritdoc/>
    public long ParameterCount => _student.ParameterCount;

    /// <summary>The memories' networks at 32 bits a number, and a bit for each word if earlier tasks used it.</summary>
    public long StorageBits => _memories.Sum(m => m.StorageBits) + (TrainsAll && _o.HoldWords ? _words.StorageBits : 0);

    /// <inheritdoc/>
    public IReadOnlyList<(string Name, Module Net)> Memories => [.. _memories.Select((m, t) => (string.Create(CultureInfo.InvariantCulture, $"memory-{t + 1}"), m.Net))];

    // Who is taught by data: the network itself in the released code, else a copy.
    private NeocortexNet Awake => _o.Variant == MyGoVariant.Literal ? _student : _awake;

    private bool TrainsAll => _o.Variant == MyGoVariant.Repaired;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps)
    {
        _task = task.Index;
        _awake.CopyFrom(_student);
        _before.CopyFrom(_student);
        WakeUp();
        _memories.Add(NewMemory(_memories.Count));
    }

    private void WakeUp()
    {
        if (TrainsAll)
            _awake.HoldRows(_o.HoldWords ? _words.Rows : []);
        _wakeStep = new Adam(TrainsAll ? _awake.Parameters() : Awake.Head, _o.FastRate);
    }

    private GenerativeMemory NewMemory(int task) => GenerativeMemory.Of(_o.Memory,
        new MemorySizes(_stream.Tasks[task].Classes.Length, _student.DreamSize, _student.DreamsOfImages, _o.MemoryHidden, _o.Latent, _o.MemoryRate),
        new Generator(_seed).Stream(string.Create(CultureInfo.InvariantCulture, $"mygo/memory {task}")));

    /// <summary>Wake phase (section 2.1): one update of the head, or of the whole copy, and of the task's memory.</summary>
    public Tensor Observe(Batch batch)
    {
        var net = Awake;
        Tensor encoded, features;
        if (TrainsAll)
        {
            encoded = net.Encode(batch.X);
            features = net.Features(encoded);
        }
        else
        {
            using var constant = Autograd.NoGrad();
            encoded = net.Encode(batch.X);
            features = net.Features(encoded);
        }
        var logits = net.Classify(features);
        var loss = batch.Loss(logits);
        // A copy: the step returns what its graph has saved.
        var items = TrainsAll ? encoded.Detach().Clone() : encoded;
        _wakeStep!.Minimize(TrainsAll && _task > 0 && _o.WakeDistill > 0
            ? loss + _o.WakeDistill * SoftAnswers.Distance(_stream, _task, _before, batch, logits, temperature: 2) : loss);
        int[] outputs = _stream.Tasks[_task].Outputs;
        var classes = Tensor.From(Array.ConvertAll(batch.Targets, t => (long)Array.IndexOf(outputs, t)), [batch.Count]);
        for (int i = 0; i < _o.MemoryUpdates; i++)
            _memories[^1].Learn(items, classes, _noise);
        return loss;
    }

    /// <summary>
    /// Sleep phase (section 2.2): one step of distillation on a batch of dreams. In the repaired variant the first task has none: there is nothing to consolidate, and the network is the
    /// copy that was awake.
    /// </summary>
    public Tensor? Rest(StreamTask task)
    {
        if (_wakeStep is not null)
            FallAsleep(task);
        return _sleep?.Step(_memories, _dreams, TeacherOf);
    }

    // The network as it was knows the earlier tasks; all else is what was learned awake.
    private NeocortexNet TeacherOf(int task) => TrainsAll && task < _task ? _before : _awake;

    private void FallAsleep(StreamTask task)
    {
        _wakeStep!.Dispose();
        _wakeStep = null;
        _memories[^1].Discard();
        _dreamAccuracy = [.. _dreamAccuracy, DreamAccuracy(task)];
        if (_o.Variant == MyGoVariant.Literal)
            _awake.CopyFrom(_student);
        else if (TrainsAll && (_task == 0 || _o.SleepStart == SleepStart.Awake))
            _student.CopyFrom(_awake);
        else if (TrainsAll)
            _student.TakeTable(_awake);
        if (!TrainsAll || _task > 0)
            _sleep = new MyGoSleep(_o, _stream, _student);
    }

    /// <summary>The share of a task's dreams to which the network that real data have just taught gives the class that they were made for.</summary>
    private double DreamAccuracy(StreamTask task)
    {
        const int count = 1000;
        using var scope = TensorScope.Begin("dream-accuracy");
        using var constant = Autograd.NoGrad();
        var draw = new Generator(_seed).Stream(string.Create(CultureInfo.InvariantCulture, $"mygo/judged {_task}"));
        long[] classes = [.. Enumerable.Range(0, count).Select(i => (long)(i % task.Classes.Length))];
        var dreams = _memories[^1].Dream(Tensor.From(classes, [count]), draw);
        float[] logits = Awake.Classify(Awake.Features(dreams)).ToArray<float>();
        return classes.Where((c, i) => task.Outputs.MaxBy(o => logits[i * _stream.Outputs + o]) == task.Outputs[c]).Count() / (double)count;
    }

    /// <summary>Looks at what sleep has done.</summary>
    /// <exception cref="NumericException">It changed no parameter, in a variant in which it should: teacher and student are one.</exception>
    public void EndTask(StreamTask task)
    {
        if (_wakeStep is not null)
            throw new UsageException("mygo: the task ends and the network has not slept. Call Rest until it returns null.");
        if (_sleep is not null)
        {
            double change = _sleep.Change();
            if (!(change > 0) && _o.Variant != MyGoVariant.Literal)
                throw new NumericException(string.Create(CultureInfo.InvariantCulture,
                    $"mygo: {_sleep.Steps} steps of sleep after task {task.Name} changed no parameter (relative change {change}). The teacher must not be the student."));
            (_change, _slept) = ([.. _change, change], [.. _slept, (double)_sleep.Steps / _o.SleepSteps]);
            _sleep.Dispose();
            _sleep = null;
        }
        _words.Add(task);
        _training.Record(this, task);
    }

    /// <inheritdoc/>
    public Tensor Predict(Tensor images, StreamTask? task) => _student.Forward(images);

    /// <inheritdoc/>
    public IReadOnlyList<Metric> Measure(CancellationToken cancel)
    {
        const string unslept = "the repaired variant does not sleep after its first task, and there was no other";
        string flat = _o.Variant == MyGoVariant.Literal ? "; the released code's sleep changes nothing, since its teacher is equal to its student" : "";
        Metric of(string key, string name, double[] values, Func<double[], double> value, string definition) =>
            new(key, name, values.Length == 0 ? null : value(values), values.Length == 0 ? unslept : null, definition);
        return
        [
            of("sleepChange", "change by sleep", _change, v => v.Min(), $"least |after - before| / |before| of what dreams pass through, over the sleeps{flat}"),
            of("sleepShare", "steps slept", _slept, v => v.Average(), "mean share of the allowed steps of sleep that were taken"),
            of("dreamAccuracy", "dream label accuracy", _dreamAccuracy, v => v.Average(), "share of 1000 dreams per task to which the network taught by real data gives their class"),
            .. _dreamAccuracy.Select((v, t) => new Metric(string.Create(CultureInfo.InvariantCulture, $"dreamAccuracy{t + 1}"), string.Create(CultureInfo.InvariantCulture, $"dream label accuracy, task {t + 1}"), v, null, "likewise")),
            .. _training.Metrics(),
        ];
    }

    /// <summary>Ten dreams of each class, a grid per task.</summary>
    /// <exception cref="UsageException">The dreams are of texts.</exception>
    public IReadOnlyList<(string Name, HostArray Image)> Pictures()
    {
        const int each = 10, zoom = 2;
        if (_stream.IsText)
            throw new UsageException("mygo: dreams of texts are points of the embedding space, which no picture shows. Leave --pictures out.");
        using var scope = TensorScope.Begin("pictures");
        var images = _stream.Train;
        return [.. _memories.Select((memory, t) =>
        {
            int classes = _stream.Tasks[t].Classes.Length;
            long[] rows = [.. Enumerable.Range(0, classes * each).Select(i => (long)(i / each))];
            var dreams = memory.Dream(Tensor.From(rows, [rows.Length]), new Generator(0).Stream("pictures"));
            var bytes = HostArray.From<byte>([rows.Length, images.Channels, images.Height, images.Width], PixelScale.Symmetric.Bytes(dreams.ToArray<float>()));
            return (string.Create(CultureInfo.InvariantCulture, $"dreams-{t + 1}"), ImageGrid.Tile(bytes, each, zoom: zoom));
        })];
    }

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        int memories = _memories.Count;
        bool awake = _wakeStep is not null, asleep = _sleep is not null;
        state.Number("task", ref _task);
        state.Number("memories", ref memories);
        state.Flag("awake", ref awake);
        state.Flag("asleep", ref asleep);
        _words.Persist(state, "words");
        state.Module("student", _student);
        state.Module("awake_net", _awake);
        state.Module("before", _before);
        while (_memories.Count < memories)
            _memories.Add(NewMemory(_memories.Count));
        for (int t = 0; t < memories; t++)
            _memories[t].Persist(state, string.Create(CultureInfo.InvariantCulture, $"memory{t}"));
        if (awake)
        {
            if (state.Loading)
                WakeUp();
            state.Optimizer("wake_step", _wakeStep!);
        }
        if (asleep)
            (_sleep ??= new MyGoSleep(_o, _stream, _student)).Persist(state, "sleep");
        state.Generator("noise", _noise);
        state.Generator("dreams", _dreams);
        state.Doubles("dream_accuracy", ref _dreamAccuracy);
        state.Doubles("change", ref _change);
        state.Doubles("slept", ref _slept);
        _training.Persist(state, "training");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _wakeStep?.Dispose();
        _sleep?.Dispose();
        _memories.ForEach(m => m.Dispose());
        _student.Dispose();
        _awake.Dispose();
        _before.Dispose();
    }
}
