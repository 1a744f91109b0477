using System.Globalization;
using Native.Optim;

namespace Native.Methods;

/// <summary>
/// Generative knowledge distillation (Scalable Recollections, question 9, tables 7 to 9, figure 4): a teacher and an auto-encoder are trained offline; then fresh students learn the
/// teacher's answers to real images or to recollections, one at a time.
/// <para>All of it takes place during the batches of the run's only phase, so many updates with each as it takes to be through with the last, so that a run can be saved and
/// continued in its middle.</para>
/// </summary>
public sealed class DistillationStudy : IMethod, IMeasured, IPictures
{
    private const int MlpWidth = 100;

    private readonly TaskStream _stream;
    private readonly DistillationOptions _o;
    private readonly Generator _root, _draw;
    private readonly Pretraining? _teacher, _coder;
    private readonly Student[] _students;
    private readonly Tensor _rows;
    private readonly int[] _tested;
    private DistillationMemory? _memory;
    private Classifier? _answering;
    private double[] _curve = [];
    private double _loss;
    private int _episode, _seen, _steps;

    /// <summary>Ready for the stream's union.</summary>
    public DistillationStudy(TaskStream stream, SeedStreams seeds, DistillationOptions options)
    {
        (_stream, _o) = (stream, options);
        _root = new Generator(seeds.Seed).Stream("distillation");
        _draw = _root.Stream("draw");
        var models = AutoEncoderStudy.Root(options.ModelSeed is { } given ? (ulong)given : seeds.Seed);
        if (options.Targets == DistillTargets.Teacher)
        {
            var root = models.Stream("teacher");
            var net = Net(options.Teacher, root.Stream("init"));
            _teacher = new($"{options.Teacher} teacher, {stream.Scenario.Name()}", net, stream, (batch, _) => batch.Loss(net.Forward(batch.X)), (options.Epochs, options.Batch, options.TeacherRate), root);
        }
        if (options.Source == DistillSource.Recollections)
            _coder = AutoEncoderTraining.Discrete(stream, new CodeSize(options.Variables, options.Categories), (options.Epochs, options.Batch, options.CodeRate), options.Tau, options.KlWeight, models);
        int shown = options.Sampling is DistillSampling.Random or DistillSampling.Code ? 1 : options.Candidates;
        using var outside = TensorScope.Outside();
        _rows = Tensor.Zeros([shown], DType.I64);
        _students = [.. options.Rates.Select(rate => new Student(this, Net(options.Student, _root.Stream("student")), rate))];
        _tested = [.. Points(options.Episodes)];
    }

    /// <inheritdoc/>
    public long ParameterCount => _students[0].Net.ParameterCount;

    /// <summary>What the student's images come from: images at 8 bits a value; or codes, where they are stored, and the auto-encoder at 32 bits a number.</summary>
    public long StorageBits => _o.Source != DistillSource.Recollections ? 8L * _stream.InputSize * DistillationMemory.Items(_stream, _o)
        : StoredBits.PerNumber * Coder!.ParameterCount + (_o.Sampling == DistillSampling.Code ? 0 : Coder.Size.IncrementalBits(DistillationMemory.Items(_stream, _o)));

    /// <summary>The first student's losses on the latest candidates, and on the one that it learned from; before its step.</summary>
    internal (float[] Losses, float Taken) LastChoice => (_students[0].Losses?.ToArray<float>() ?? [], (float)_students[0].Loss);

    private DiscreteAutoEncoder? Coder => (DiscreteAutoEncoder?)_coder?.Net;

    private long Prepared => Done(_teacher) + Done(_coder);

    private long Total => (long)(_teacher?.Steps ?? 0) + (_coder?.Steps ?? 0) + _o.Episodes;

    /// <inheritdoc/>
    public void BeginTask(StreamTask task, int steps)
    {
        if (task.Index >= 0)
            throw new UsageException("srm-distill: it is trained on all tasks at once. Train jointly.");
        (_steps, _seen) = (steps, 0);
        _teacher?.Adopt();
        _coder?.Adopt();
    }

    /// <summary>Does the next share: updates of the teacher, then of the auto-encoder, then episodes. Returns the latest loss.</summary>
    public Tensor Observe(Batch batch)
    {
        long until = Total * Math.Min(++_seen, _steps) / _steps;
        while (Prepared + _episode < until)
            if (_teacher is { Left: > 0 })
                _loss = _teacher.Step();
            else if (_coder is { Left: > 0 })
                _loss = _coder.Step();
            else
                Episode();
        if (_episode > 0)
            _loss = _students.Select(s => s.Loss).FirstOrDefault(l => !double.IsFinite(l), _students[0].Loss);
        return Tensor.Scalar((float)_loss);
    }

    /// <inheritdoc/>
    public void EndTask(StreamTask task)
    {
        if (_episode < _o.Episodes)
            throw new UsageException($"srm-distill: {_episode} of {_o.Episodes} episodes are done when the run ends. Observe all of its batches.");
    }

    /// <summary>The student's answers: of several that with the highest accuracy at the end.</summary>
    public Tensor Predict(Tensor images, StreamTask? task) => (_answering ?? _students[BestAt(_curve.Length / Row - 1)].Net).Predict(images);

    /// <inheritdoc/>
    public void Persist(RunState state)
    {
        state.Number("seen", ref _seen);
        state.Number("steps", ref _steps);
        state.Number("episode", ref _episode);
        state.Real("loss", ref _loss);
        state.Doubles("curve", ref _curve);
        state.Generator("draw", _draw);
        _teacher?.Persist(state, "teacher");
        _coder?.Persist(state, "coder");
        for (int i = 0; i < _students.Length; i++)
            _students[i].Persist(state, $"student{i}");
    }

    /// <inheritdoc/>
    public IReadOnlyList<Metric> Measure(CancellationToken cancel)
    {
        double image = 8.0 * _stream.InputSize, passed = Math.Min(_o.Items, _stream.Tasks.Sum(t => t.Train.Length));
        var metrics = new List<Metric>
        {
            new("teacherAccuracy", "teacher's accuracy", _teacher is null ? null : Accuracy((Classifier)_teacher.Net, cancel), _teacher is null ? "targets = labels" : null, "mean over tasks of the share of right answers"),
            new("totalCompression", "compression, auto-encoder included", StorageBits == 0 ? null : image * passed / StorageBits, null, "bits of all images that passed / bits of what the student's images come from") { IsFraction = false },
            new("compression", "compression of an item", Coder is { } coder ? image / coder.Size.Bits : 1, null, "bits of an image at 8 a value / bits of its code") { IsFraction = false },
        };
        foreach (int n in Points(1_000_000).Where(n => IsTen(n) || _tested.Contains(n)).Union(_tested))
        {
            int at = Array.IndexOf(_tested, n);
            string? none = at < 0 ? $"the run ends after {_o.Episodes} episodes" : null;
            metrics.Add(new($"episodes{n}", $"accuracy after {n} episodes", none is null ? _curve[at * Row + 1 + BestAt(at)] : null, none,
                "student's accuracy on the test set, mean over tasks; of the student's rates the better one at this count (SRM tables 7 to 9)"));
            for (int s = 0; s < _students.Length && none is null; s++)
                metrics.Add(new($"episodes{n}At{_students[s].Rate.ToString("0e0", CultureInfo.InvariantCulture)}", $"accuracy after {n} episodes at {_students[s].Rate}", _curve[at * Row + 1 + s], null, "as before, of this rate"));
        }
        return metrics;
    }

    /// <summary>A hundred images as the student is shown them.</summary>
    public IReadOnlyList<(string Name, HostArray Image)> Pictures()
    {
        const int count = 100, columns = 20, zoom = 2;
        using var scope = TensorScope.Begin("pictures");
        using var memory = Fill();
        var random = _root.Stream("pictures");
        if (_o.Sampling == DistillSampling.Code)
            memory.RandomCode(0);
        return [("shown", AutoEncoderStudy.Grid(_stream, memory.Take(Tensor.From(memory.Draw(count, random), [count])).X.ToArray<float>(), columns, zoom))];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _memory?.Dispose();
        _teacher?.Dispose();
        _coder?.Dispose();
        foreach (var s in _students)
            s.Dispose();
        _rows.Dispose();
    }

    /// <summary>The episodes at which students are tested: 10, 30, 100, 300 and so on, and the last.</summary>
    internal static IEnumerable<int> Points(int episodes)
    {
        for (long n = 10; n < episodes; n = IsTen(n) ? 3 * n : n / 3 * 10)
            yield return (int)n;
        yield return episodes;
    }

    private static bool IsTen(long n) => Math.Pow(10, Math.Round(Math.Log10(n))) == n;

    private static long Done(Pretraining? training) => training is null ? 0 : training.Steps - training.Left;

    // Of a point of the curve: its episode, and each student's accuracy.
    private int Row => 1 + _students.Length;

    private int BestAt(int point) => point < 0 ? 0 : Enumerable.Range(0, _students.Length).MaxBy(s => _curve[point * Row + 1 + s]);

    private void Episode()
    {
        _memory ??= Fill();
        _rows.CopyFrom<long>(_o.Sampling switch
        {
            DistillSampling.Code => [_memory.RandomCode(_episode)],
            DistillSampling.Random => _memory.Draw(1, _draw),
            DistillSampling.Active => _memory.Draw(_o.Candidates, _draw),
            _ => _memory.Thin(_memory.Draw(_o.Candidates * _o.Spread, _draw), _draw),
        });
        foreach (var s in _students)
            s.Step();
        if (Array.IndexOf(_tested, ++_episode) >= 0)
            _curve = [.. _curve, _episode, .. _students.Select(s => Accuracy(s.Net, CancellationToken.None))];
    }

    private DistillationMemory Fill() => new(_stream, _o, (Classifier?)_teacher?.Net, Coder, _root);

    private double Accuracy(Classifier net, CancellationToken cancel)
    {
        _answering = net;
        try
        {
            return new Trainer(_stream).Evaluate(this, cancel: cancel).Average();
        }
        finally
        {
            _answering = null;
        }
    }

    private Classifier Net(DistillNet kind, Generator init)
    {
        var images = _stream.Train;
        return kind switch
        {
            DistillNet.Mlp => new Mlp(_stream.InputSize, _stream.Outputs, init, MlpWidth),
            _ when images.Height != images.Width => throw new UsageException($"srm-distill: images of {images.Height} x {images.Width} pixels are not square. Choose student=mlp and teacher=mlp, or another stream."),
            DistillNet.Cnn or DistillNet.LeNet5 => new LeNet(_stream.Outputs, init, images.Channels, images.Height, kind == DistillNet.LeNet5),
            _ => new ResNet18(_stream.Outputs, init, side: images.Height, channels: images.Channels),
        };
    }

    /// <summary>A student and its optimiser. A step is one <see cref="CudaGraph"/>: which rows it chooses from comes in through a tensor that keeps its place.</summary>
    private sealed class Student : IDisposable
    {
        private readonly DistillationStudy _owner;
        private readonly Adam _adam;
        private readonly CudaGraph _graph;
        private bool _stepped;

        public Student(DistillationStudy owner, Classifier net, double rate)
        {
            (_owner, Net, Rate, _adam) = (owner, net, rate, new Adam(net.Parameters(), rate));
            _graph = CudaGraph.Capture("student", owner._rows.Device, Body);
        }

        public Classifier Net { get; }

        public double Rate { get; }

        /// <summary>Loss of the latest step. Waits for the device.</summary>
        public double Loss => _stepped ? _graph.Outputs[0].Item() : 0;

        /// <summary>Losses of the latest candidates; null when there was no choice.</summary>
        public Tensor? Losses => _stepped && _graph.Outputs.Count > 1 ? _graph.Outputs[1] : null;

        public void Step()
        {
            _graph.Replay();
            _stepped = true;
        }

        public void Persist(RunState state, string name)
        {
            state.Module($"{name}.net", Net);
            state.Optimizer($"{name}.adam", _adam);
        }

        public void Dispose()
        {
            _graph.Dispose();
            _adam.Dispose();
            Net.Dispose();
        }

        private Tensor[] Body()
        {
            var (x, y, mask) = _owner._memory!.Take(_owner._rows);
            Tensor? losses = null;
            if (_owner._rows.Count > 1)
            {
                // Active sampling: of the candidates the one of the largest loss.
                losses = EachLoss(x, y, mask);
                var hardest = losses.ArgMax(0, keepDim: true);
                (x, y, mask) = (x.TakeRows(hardest), y.TakeRows(hardest), mask?.TakeRows(hardest));
            }
            var loss = Functional.CrossEntropy(Masked(Net.Forward(x), mask), y);
            _adam.Minimize(loss);
            return losses is null ? [loss] : [loss, losses];
        }

        private Tensor EachLoss(Tensor x, Tensor y, Tensor? mask)
        {
            using var constant = Autograd.NoGrad();
            return Functional.CrossEntropy(Masked(Net.Predict(x), mask), y, reduction: Reduction.None);
        }

        private static Tensor Masked(Tensor logits, Tensor? mask) => mask is null ? logits : logits + mask;
    }
}
