using System.Globalization;
using Native.Optim;

namespace Native.Methods;

/// <summary>
/// Learns a generator, a rate and a momentum such that a fresh learner, trained by them on one task of synthetic images after the other, has a small loss on real
/// images of all classes (section 3, equation 1). The whole of a step is one <see cref="CudaGraph"/>: pairing, draws and real images come in through
/// tensors that keep their place and shape.
/// </summary>
internal sealed class MetaTrainer : IDisposable
{
    private readonly MetaOptions _o;
    private readonly LearnerNet _net;
    private readonly InnerLoop _loop;
    private readonly ImagePixels _pixels;
    private readonly int[][] _members;
    private readonly int[] _all, _labels;
    private readonly Generator _noise, _draw;
    private readonly ClassPool _realPool;
    private readonly Optimizer _optimizer;
    private readonly Schedule _schedule;
    private readonly List<Tensor> _inputs = [];
    private readonly Tensor _real, _label;
    private readonly Tensor[] _made, _innerLabel, _latentRows;
    private readonly Tensor[,] _inner;
    private readonly CudaGraph _graph;
    private readonly int _classes, _tasks;
    private int _step;
    private double _loss = double.NaN, _norm = double.NaN;

    /// <summary>Ready for the first step.</summary>
    /// <param name="o">The options.</param>
    /// <param name="stream">Real images: of the meta-loss, and of the inner batches when there is no generator.</param>
    /// <param name="root">All random numbers come from named sequences of it.</param>
    /// <param name="generates">Learn on generated images; otherwise on real ones, and only rate and momentum are learned.</param>
    /// <param name="dtype">Element type.</param>
    public MetaTrainer(MetaOptions o, TaskStream stream, Generator root, bool generates, DType dtype = DType.F32)
    {
        (_o, _classes) = (o, stream.Outputs);
        if (_classes % o.ClassesPerTask != 0)
            throw new UsageException($"meta-learning: {_classes} classes do not divide into tasks of {o.ClassesPerTask}. Choose a divisor as classesPerTask.");
        _tasks = _classes / o.ClassesPerTask;
        _pixels = new ImagePixels(stream, o.Square);
        _net = Learner(o, _pixels, _classes);
        _loop = new InnerLoop(_net, o.FirstOrder, o.Recompute != Recompute.None);
        (_all, _labels, _members) = Members(stream);
        (_noise, _draw) = (root.Stream("noise"), root.Stream("draw"));
        Parameters = new MetaParameters(o, _pixels.Channels, _pixels.Side, _classes, root.Stream("init"), generates, dtype);
        _optimizer = o.MetaOptimizer == MetaOptimizer.Adam ? new Adam(Parameters.Parameters(), o.MetaRate) : new Sgd(Parameters.Parameters(), o.MetaRate);
        _schedule = Schedule.Cosine(o.MetaRate, Math.Max(1, o.MetaSteps), o.MetaDecay * o.MetaRate);
        _realPool = new ClassPool(_all.Length, root.Stream("real"));
        int real = Math.Min(o.MetaBatch, _all.Length), inner = o.ClassesPerTask * o.MetaPerClass, made = o.ClassesPerTask * o.Pool;
        _real = Input([real, _pixels.Channels, _pixels.Side, _pixels.Side], dtype);
        _label = Input([real], DType.I64);
        _made = Each(_tasks, generates ? made : 0, DType.I64);
        _latentRows = Each(_tasks, generates && o.Curriculum ? made : 0, DType.I64);
        _innerLabel = Each(_tasks, inner, DType.I64);
        _inner = new Tensor[_tasks, o.MetaInnerSteps];
        for (int t = 0; t < _tasks; t++)
            for (int s = 0; s < o.MetaInnerSteps; s++)
                _inner[t, s] = generates ? Input([inner], DType.I64) : Input([inner, _pixels.Channels, _pixels.Side, _pixels.Side], dtype);
        _graph = CudaGraph.Capture("meta-step", _real.Device, Body);
    }

    /// <summary>What is learned.</summary>
    public MetaParameters Parameters { get; }

    /// <summary>Meta-steps done.</summary>
    public int Steps => _step;

    /// <summary>Meta-steps left.</summary>
    public int Left => _o.MetaSteps - _step;

    /// <summary>Draws what a step draws where it runs: weights of fresh learners and noise.</summary>
    internal Generator Noise => _noise;

    /// <summary>The classes of each task's inner batches.</summary>
    internal IReadOnlyList<Tensor> Labels => _innerLabel;

    /// <summary>Kernels, copies and fills of a recorded step; 0 on the cpu.</summary>
    public long Nodes => _graph.Nodes;

    /// <summary>The learner that a stream's images and the options ask for.</summary>
    public static LearnerNet Learner(MetaOptions o, ImagePixels pixels, int classes) => o.Learner == LearnerKind.Mlp
        ? new MlpLearner(pixels.Size, classes)
        : new ConvLearner(pixels.Channels, pixels.Side, classes, o.LearnerFilters, o.LearnerNorm, o.LearnerShrink, o.Slope, o.HeadNorm);

    /// <summary>One update of what is learned. Returns the meta-loss and the norm of the meta-gradient before clipping.</summary>
    /// <exception cref="NumericException">Either is not finite: training would go on with NaN.</exception>
    public (double Loss, double Norm) Step()
    {
        Draw();
        _graph.Replay();
        return Done(_graph.Outputs);
    }

    /// <summary>The same without a graph, operation by operation.</summary>
    internal (double Loss, double Norm) StepEagerly()
    {
        Draw();
        using var scope = TensorScope.Begin("meta-step");
        return Done(Body());
    }

    private (double Loss, double Norm) Done(IReadOnlyList<Tensor> results)
    {
        _step++;
        double loss = results[0].Item(), norm = results[1].Item();
        if (!double.IsFinite(loss) || !double.IsFinite(norm))
            throw Diverged(loss, norm, results[2].Item(), results[3].Item());
        return (_loss, _norm) = (loss, norm);
    }

    /// <summary>Draws the next step's pairing, batches and real images, and writes them where the step reads them.</summary>
    internal void Draw()
    {
        long[] order = _draw.Permutation(_classes);
        int per = _o.ClassesPerTask, each = _o.MetaPerClass;
        for (int t = 0; t < _tasks; t++)
        {
            int[] classes = Array.ConvertAll(order[(t * per)..((t + 1) * per)], c => (int)c);
            _innerLabel[t].CopyFrom<long>(Repeat(classes, each));
            if (_made[t].Count > 0)
                _made[t].CopyFrom<long>(Repeat(classes, _o.Pool));
            if (_latentRows[t].Count > 0)
                _latentRows[t].CopyFrom<long>([.. classes.SelectMany(c => Enumerable.Range(0, _o.Pool).Select(i => (long)c * _o.Pool + i))]);
            bool generated = _made[t].Count > 0;
            ClassPool[] pools = [.. classes.Select(c => new ClassPool(generated ? _o.Pool : Math.Min(_o.Pool, _members[c].Length), _o.Curriculum && generated ? null : _draw))];
            // Generated pools are new in every meta-step; so are real ones, drawn from all images of a class.
            int[] chosen = generated ? [] : [.. classes.SelectMany((c, i) => Some(_members[c], pools[i].Size))];
            long[] rows = new long[per * each];
            for (int s = 0; s < _o.MetaInnerSteps; s++)
            {
                ClassPool.Rows(pools, rows);
                if (generated)
                    _inner[t, s].CopyFrom<long>(rows);
                else
                    Write(_inner[t, s], _pixels.Gather(Array.ConvertAll(rows, r => chosen[r])));
            }
        }
        long[] at = new long[_real.Shape[0]];
        _realPool.Next(at);
        Write(_real, _pixels.Gather(Array.ConvertAll(at, i => _all[i])));
        _label.CopyFrom<long>(Array.ConvertAll(at, i => (long)_labels[i]));
    }

    /// <summary>The meta-loss of what was drawn, recorded back to everything that is learned. Allocates in the open scope.</summary>
    internal Tensor Loss()
    {
        var dtype = Parameters.DType;
        Tensor rate = Parameters.RawRate.Softplus(), momentum = Parameters.RawMomentum.Sigmoid();
        var w = _net.Fresh((shape, deviation) => Tensor.Randn(shape, _noise, std: deviation, dtype: dtype), dtype);
        var velocity = Array.ConvertAll(w, Tensor.ZerosLike);
        Tensor? earlier = null;
        for (int t = 0, at = 0; t < _tasks; t++)
        {
            var images = _made[t].Count > 0 ? Images(t) : null;
            for (int s = 0; s < _o.MetaInnerSteps; s++, at++)
            {
                int k = _o.PerStepRates ? at : 0;
                _loop.Step(w, velocity, rate.Select(0, k), momentum.Select(0, k), images ?? _inner[t, s], images is null ? null : _inner[t, s], _innerLabel[t]);
            }
            if (_o.Intermediate && t < _tasks - 1)
                earlier = earlier is null ? RealLoss(w) : earlier + RealLoss(w);
        }
        return earlier is null ? RealLoss(w) : (earlier + RealLoss(w)) * (1.0 / _tasks);
    }

    /// <summary>Describes the parameters and, while steps are left, what they depend on.</summary>
    public void Persist(RunState state, string name)
    {
        state.Number($"{name}.step", ref _step);
        state.Module($"{name}.parameters", Parameters);
        if (Left <= 0)
            return;
        state.Real($"{name}.loss", ref _loss);
        state.Real($"{name}.norm", ref _norm);
        state.Optimizer($"{name}.optimizer", _optimizer);
        state.Generator($"{name}.noise", _noise);
        state.Generator($"{name}.draw", _draw);
        state.Generator($"{name}.realOrder", _realPool.Random!);
        _realPool.Persist(state, $"{name}.real");
    }

    /// <summary>Takes over what an equal trainer has learned, if there was one.</summary>
    public void Adopt(string key, ref Work work)
    {
        if (Left == 0 || !TrainedNets.TryAdopt(key, Parameters, out var done))
            return;
        (_step, work) = (_o.MetaSteps, done);
    }

    /// <summary>Frees parameters, moments, inputs and the recording.</summary>
    public void Dispose()
    {
        _graph.Dispose();
        _optimizer.Dispose();
        Parameters.Dispose();
        foreach (var t in _inputs)
            t.Dispose();
    }

    /// <summary>
    /// The step itself: the meta-loss, the norm of its gradient before clipping, and the first rate and momentum that it was taken with. Allocates in the open scope.
    /// </summary>
    internal Tensor[] Body()
    {
        // A number of the host: repeated before each replay.
        CudaGraph.EachReplay(() => _optimizer.Lr = _schedule.At(_step));
        Tensor rate, momentum;
        using (Autograd.NoGrad())
            (rate, momentum) = (Parameters.RawRate.Softplus().Select(0, 0), Parameters.RawMomentum.Sigmoid().Select(0, 0));
        var loss = Loss();
        return [loss, _optimizer.Minimize(loss, _o.Clip), rate, momentum];
    }

    private Tensor Images(int task)
    {
        var noise = Parameters.Latents is { } learned ? learned.TakeRows(_latentRows[task])
            : Tensor.Randn([_made[task].Count, _o.Latent], _noise, dtype: Parameters.DType);
        return _o.Recompute == Recompute.All ? Checkpoint.Run(z => Parameters.Images(z, _made[task]), noise) : Parameters.Images(noise, _made[task]);
    }

    private Tensor RealLoss(Tensor[] w) => Functional.CrossEntropy(_net.Forward(w, _real), _label);

    private NumericException Diverged(double loss, double norm, double rate, double momentum)
    {
        static string N(double v) => v.ToString("G4", CultureInfo.InvariantCulture);
        return new NumericException($"meta-learning: step {_step} of {_o.MetaSteps} gave a meta-loss of {N(loss)} and a meta-gradient of norm {N(norm)}, at a learned rate of {N(rate)} and a "
            + $"momentum of {N(momentum)}; the step before {N(_loss)} and {N(_norm)}. Lower metaRate ({N(_o.MetaRate)}) or initialRate ({N(_o.InitialRate)}), or clip below {N(_o.Clip)}.");
    }

    private int[] Some(int[] members, int count) => Array.ConvertAll(_draw.Permutation(members.Length)[..count], i => members[i]);

    private Tensor Input(Shape shape, DType dtype)
    {
        using var outside = TensorScope.Outside();
        var t = Tensor.Zeros(shape, dtype);
        _inputs.Add(t);
        return t;
    }

    private Tensor[] Each(int tasks, int count, DType dtype) => [.. Enumerable.Range(0, tasks).Select(_ => Input([count], dtype))];

    private static long[] Repeat(int[] classes, int each) => [.. classes.SelectMany(c => Enumerable.Repeat((long)c, each))];

    private static void Write(Tensor to, float[] values)
    {
        if (to.DType == DType.F64)
            to.CopyFrom<double>(Array.ConvertAll(values, v => (double)v));
        else
            to.CopyFrom<float>(values);
    }

    /// <summary>Every training image of a stream with its output, and those of each output.</summary>
    public static (int[] All, int[] Labels, int[][] Members) Members(TaskStream stream)
    {
        int[] all = [.. stream.Tasks.SelectMany(t => t.Train)], labels = Array.ConvertAll(all, i => stream.Target(stream.Train.Labels[i]));
        int[][] members = [.. Enumerable.Range(0, stream.Outputs).Select(c => all.Where((_, i) => labels[i] == c).ToArray())];
        return (all, labels, members);
    }
}
