namespace Native.Methods;

/// <summary>A method whose steps are recorded on a device.</summary>
internal interface IRecorded
{
    /// <summary>Kernels, copies and fills of the largest step recorded so far; 0 before the first recording, and on the cpu.</summary>
    long Nodes { get; }
}

/// <summary>What a step reads that another step may find changed. While a step is recorded these are tensors that keep their place.</summary>
/// <param name="Batch">The real batch.</param>
/// <param name="Memory">A batch from memory, or null.</param>
/// <param name="Choices">What the host has decided for this step, as tensors: rows to start from, classes, weights.</param>
internal readonly record struct StepInputs(Batch Batch, Batch? Memory, IReadOnlyList<Tensor> Choices);

/// <summary>
/// The step of a method as a <see cref="CudaGraph"/> for each variant and batch size: the batch and the choices of the host are copied to where the recorded step reads
/// them, and the step is launched as a whole. On the cpu, with NATIVE_SYNC=1 and under the <see cref="NanTrap"/> the body just runs, on the tensors it is given. The body reads nothing else that changes from step
/// to step, and nothing of the host: what it does is decided by the variant and the sizes alone.
/// <para>So er-mir, which chooses by losses that it reads in the middle of a step, gem, which solves its programme on the host there, and gen-mir, which looks whether
/// a climb has ended in NaN, are not recorded.</para>
/// </summary>
/// <param name="name">For messages.</param>
/// <param name="body">One step of a variant; returns the loss, a scalar.</param>
internal sealed class StepGraph(string name, Func<int, StepInputs, Tensor> body) : IDisposable
{
    // Memory that has not filled yet, or short batches, could make one for every pair of sizes. Each keeps memory of its own, so the rest run unrecorded.
    private const int Most = 16;

    private readonly Dictionary<(int Variant, int Batch, int Memory), Recorded> _steps = [];

    /// <summary>As <see cref="IRecorded.Nodes"/>.</summary>
    public long Nodes => _steps.Values.Select(s => s.Nodes).DefaultIfEmpty().Max();

    /// <summary>One step. The loss is overwritten by the next step of the same variant and sizes.</summary>
    /// <param name="variant">What the step does, as the body knows it: steps of one variant differ in their inputs only.</param>
    /// <param name="batch">The real batch.</param>
    /// <param name="memory">A batch from memory.</param>
    /// <param name="choices">Of one shape and type each for all steps of a variant and size.</param>
    public Tensor Run(int variant, Batch batch, Batch? memory = null, params Tensor[] choices)
    {
        var inputs = new StepInputs(batch, memory, choices);
        if (batch.X.Device.Kind == DeviceKind.Cpu || Env.Sync.Value || NanTrap.IsOn)
            return body(variant, inputs);
        var key = (variant, batch.Count, memory?.Count ?? 0);
        if (!_steps.TryGetValue(key, out var step))
        {
            if (_steps.Count == Most)
                return body(variant, inputs);
            _steps.Add(key, step = new Recorded(name, variant, inputs, body));
        }
        return step.Replay(inputs);
    }

    /// <summary>Frees the recordings and their inputs.</summary>
    public void Dispose()
    {
        foreach (var step in _steps.Values)
            step.Dispose();
        _steps.Clear();
    }

    private sealed class Recorded : IDisposable
    {
        private readonly StepInputs _own;
        private readonly CudaGraph _graph;

        public Recorded(string name, int variant, StepInputs first, Func<int, StepInputs, Tensor> body)
        {
            using var outside = TensorScope.Outside();
            _own = new StepInputs(Like(first.Batch), first.Memory is { } memory ? Like(memory) : null, [.. first.Choices.Select(Like)]);
            var own = _own;
            _graph = CudaGraph.Capture(name, first.Batch.X.Device, () => body(variant, own));
        }

        public long Nodes => _graph.Nodes;

        public Tensor Replay(StepInputs inputs)
        {
            using (Autograd.NoGrad())
                foreach (var (to, from) in Tensors(_own).Zip(Tensors(inputs)))
                    to.CopyInPlace(from);
            _graph.Replay();
            return _graph.Output;
        }

        public void Dispose()
        {
            _graph.Dispose();
            foreach (var t in Tensors(_own))
                t.Dispose();
        }

        private static Tensor Like(Tensor t) => Tensor.ZerosLike(t);

        private static Batch Like(Batch batch) => new(Like(batch.X), Like(batch.Y), batch.Mask is { } mask ? Like(mask) : null);

        private static IEnumerable<Tensor> Tensors(StepInputs inputs) =>
            new[] { inputs.Batch.X, inputs.Batch.Y, inputs.Batch.Mask, inputs.Memory?.X, inputs.Memory?.Y, inputs.Memory?.Mask }.OfType<Tensor>().Concat(inputs.Choices);
    }
}
