using Native.Optim;

namespace Native.Methods;

/// <summary>One sleep (section 2.2): the student learns its teachers' answers to dreams, equation 1, until the steps are used up or, if adaptive, the loss is flat.</summary>
internal sealed class MyGoSleep : IDisposable
{
    private readonly MyGoOptions _o;
    private readonly TaskStream _stream;
    private readonly NeocortexNet _student;
    private readonly Adam _step;
    private Tensor?[] _start;
    private int _steps;
    private double _window, _windowBefore = double.NaN;
    private bool _flat;

    public MyGoSleep(MyGoOptions o, TaskStream stream, NeocortexNet student)
    {
        (_o, _stream, _student) = (o, stream, student);
        using var outside = TensorScope.Outside();
        using var constant = Autograd.NoGrad();
        _start = [.. student.Awakened.Select(p => (Tensor?)p.Clone())];
        _step = new Adam(student.Awakened, o.SlowRate);
    }

    /// <summary>Steps taken.</summary>
    public int Steps => _steps;

    /// <summary>One step on dreams of a memory drawn at random; null when the sleep is over.</summary>
    public Tensor? Step(IReadOnlyList<GenerativeMemory> memories, Generator draw, Func<int, NeocortexNet> teacherOf)
    {
        if (_steps == _o.SleepSteps || _flat)
            return null;
        int task = (int)draw.NextInt64(memories.Count);
        var classes = Tensor.RandInt(0, _stream.Tasks[task].Classes.Length, [_o.SleepBatch], draw);
        Tensor dreams = memories[task].Dream(classes, draw), wantedFeatures, wanted;
        var teacher = teacherOf(task);
        using (Autograd.NoGrad())
        {
            wantedFeatures = teacher.Features(dreams);
            wanted = teacher.Classify(wantedFeatures);
        }
        var features = _student.Features(dreams);
        var loss = Distance(_student.Classify(features), wanted, task);
        if (_o.FeatureWeight > 0)
            loss += _o.FeatureWeight * Functional.MseLoss(features, wantedFeatures);
        _step.Minimize(loss);
        _steps++;
        if (_o.AdaptiveSleep)
            Watch(loss.Item());
        return loss;
    }

    // Equation 1 over the outputs that answer for the task: its own when the task is told, else all.
    private Tensor Distance(Tensor logits, Tensor wanted, int task)
    {
        if (_stream.Scenario != Scenario.TaskIncremental)
            return Functional.MseLoss(logits, wanted);
        int[] outputs = _stream.Tasks[task].Outputs;
        var weight = new float[_stream.Outputs];
        foreach (int o in outputs)
            weight[o] = 1;
        return ((logits - wanted) * Tensor.From(weight, [weight.Length])).Square().Sum() / (_o.SleepBatch * outputs.Length);
    }

    private void Watch(double loss)
    {
        _window += loss / _o.SleepWindow;
        if (_steps % _o.SleepWindow != 0)
            return;
        _flat = _window >= (1 - _o.SleepTolerance) * _windowBefore;
        (_windowBefore, _window) = (_window, 0);
    }

    /// <summary>|after - before| / |before| of what dreams pass through.</summary>
    public double Change()
    {
        using var scope = TensorScope.Begin("sleep-change");
        using var constant = Autograd.NoGrad();
        double moved = 0, size = 0;
        foreach (var (p, before) in _student.Awakened.Zip(_start))
            (moved, size) = (moved + (p - before!).Square().Sum().Item(), size + before!.Square().Sum().Item());
        return Math.Sqrt(moved / size);
    }

    public void Persist(RunState state, string name)
    {
        state.Optimizer($"{name}.step", _step);
        for (int i = 0; i < _start.Length; i++)
            state.Tensor($"{name}.start{i}", ref _start[i]);
        state.Number($"{name}.steps", ref _steps);
        state.Real($"{name}.window", ref _window);
        state.Real($"{name}.window_before", ref _windowBefore);
        state.Flag($"{name}.flat", ref _flat);
    }

    public void Dispose()
    {
        _step.Dispose();
        foreach (var t in _start)
            t?.Dispose();
        _start = [];
    }
}
