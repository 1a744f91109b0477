using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>
/// Training of a network that others then use as it is: so many passes over a stream's images with Adam at a constant rate, shuffled anew for each. Step by step, so that a run
/// can be saved in its middle; finished networks are shared between runs (<see cref="TrainedNets"/>).
/// </summary>
internal sealed class Pretraining : IDisposable
{
    private readonly TaskStream _stream;
    private readonly Func<Batch, Generator, Tensor> _loss;
    private readonly Adam _adam;
    private readonly Generator _order, _noise;
    private readonly int[] _all;
    private readonly int _batch, _perEpoch;
    private readonly string _name, _key;
    private int[] _epoch = [];
    private int _shuffled = -1, _step;
    private double _last = double.NaN;
    private Work _work;

    /// <summary>Ready for the first step.</summary>
    /// <param name="name">What it trains and with which settings: with stream, seed and device all that decides its bits.</param>
    /// <param name="net">The fresh network; disposed with this.</param>
    /// <param name="stream">Images of all of its tasks.</param>
    /// <param name="loss">The loss of a batch, and where it may draw noise from.</param>
    /// <param name="schedule">Epochs, batch and rate.</param>
    /// <param name="root">Order and noise come from named sequences of it.</param>
    public Pretraining(string name, Module net, TaskStream stream, Func<Batch, Generator, Tensor> loss, (int Epochs, int Batch, double Rate) schedule, Generator root)
    {
        (_name, Net, _stream, _loss, _batch) = (name, net, stream, loss, schedule.Batch);
        _all = [.. stream.Tasks.SelectMany(t => t.Train)];
        _perEpoch = (_all.Length + _batch - 1) / _batch;
        Steps = (long)schedule.Epochs * _perEpoch is var steps and <= int.MaxValue ? (int)steps
            : throw new UsageException($"{name}: {schedule.Epochs} epochs of {_perEpoch} steps are more than {int.MaxValue} steps. Give fewer epochs.");
        _adam = new Adam(net.Parameters(), schedule.Rate);
        (_order, _noise) = (root.Stream("order"), root.Stream("noise"));
        _key = $"{name}, {schedule.Epochs} epochs of batches of {_batch} at {schedule.Rate:R}, seed {root.Seed} on {stream.Describe().ToJsonString()} at {Device.Default.Name}";
    }

    /// <summary>The network.</summary>
    public Module Net { get; }

    /// <summary>Steps in all.</summary>
    public int Steps { get; }

    /// <summary>Steps left.</summary>
    public int Left => Steps - _step;

    /// <summary>Loss of the latest step; NaN before the first.</summary>
    public double Loss => _last;

    /// <summary>Before the first step: takes over what an equal training has yielded, if there was one. Whether it did; then no step is left.</summary>
    public bool Adopt()
    {
        if (Left == 0 || !TrainedNets.TryAdopt(_key, Net, out _work))
            return Left == 0;
        _step = Steps;
        return true;
    }

    /// <summary>One update. Returns the loss before it, which may be no finite number: then training is over.</summary>
    public double Step()
    {
        var before = Work.Done;
        if (_step / _perEpoch is var epoch && epoch != _shuffled)
        {
            _epoch = [.. _all];
            _order.Stream($"epoch {epoch}").Shuffle<int>(_epoch);
            _shuffled = epoch;
        }
        int from = _step % _perEpoch * _batch;
        using (TensorScope.Begin(_name))
        {
            var batch = _stream.BatchOf(_stream.Train, _epoch.AsSpan(from, Math.Min(_batch, _epoch.Length - from)));
            var loss = _loss(batch, _noise);
            _last = loss.Item();
            if (double.IsFinite(_last))
                _adam.Minimize(loss);
        }
        _step = double.IsFinite(_last) ? _step + 1 : Steps;
        _work += Work.Done - before;
        if (Left == 0 && double.IsFinite(_last))
            TrainedNets.Remember(_key, Net, _work);
        return _last;
    }

    /// <summary>Describes the network and, while steps are left, what they depend on.</summary>
    public void Persist(RunState state, string name)
    {
        state.Number($"{name}.step", ref _step);
        state.Module($"{name}.net", Net);
        if (Left == 0)
            return;
        state.Real($"{name}.loss", ref _last);
        var (flops, updates) = _work;
        state.Number($"{name}.flops", ref flops);
        state.Number($"{name}.updates", ref updates);
        _work = new Work(flops, updates);
        state.Optimizer($"{name}.adam", _adam);
        state.Generator($"{name}.noise", _noise);
    }

    /// <summary>Frees network and moments.</summary>
    public void Dispose()
    {
        _adam.Dispose();
        Net.Dispose();
    }
}
