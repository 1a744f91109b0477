using System.Runtime.CompilerServices;

namespace Native;

/// <summary>
/// A training step that is recorded once and then launched as a whole: one call of the driver instead of hundreds, and no work of the host in between.
/// <code>
/// using var graph = CudaGraph.Capture("train-step", device, () => { Tensor loss = Loss(x, y); opt.Minimize(loss); return loss; });
/// for (...) { x.CopyFrom(...); graph.Replay(); }
/// </code>
/// Every <see cref="Replay"/> is one run of the body, to the bit: the first <c>warmup</c> run it as it stands, the next one records it, and from then on its kernels
/// are launched at the same addresses. What the host contributes to a step is computed again before each replay, in the order of the recording: positions of
/// generators, learning rates and counters of optimisers, and what <see cref="EachReplay"/> was given. Other work of the body on the host is not repeated,
/// so that a body reads its inputs from tensors that live outside it, and its shapes and decisions must not depend on the step. On the cpu, and with NATIVE_SYNC=1,
/// every replay runs the body.
/// <para>A graph belongs to the thread that made it.</para>
/// </summary>
public sealed class CudaGraph : IDisposable
{
    private readonly string _name;
    private readonly Func<Tensor[]> _body;
    private readonly int _warmup;
    private readonly Ambient _owner = Ambient.Current;
    private readonly CudaState? _state;
    private readonly CachingAllocator? _pool;
    private readonly string _where, _title;
    private Tensor[] _outputs = [];
    private List<Tensor> _own = [];
    private GraphCapture? _capture;
    private Storage? _block;
    private StepUpload? _upload;
    private List<(Storage Storage, int Generation)> _used = [];
    private List<Storage> _written = [];
    private nint _executable, _former;
    private long _flops;
    private int _runs, _capacity = 1;
    private bool _disposed;

    private CudaGraph(string name, Device device, Func<Tensor[]> body, int warmup, string where)
    {
        if (warmup < 1)
            throw new UsageException($"graph '{name}': a body runs at least once before it is recorded, to make what it makes once; warmup = {warmup}.");
        (_name, _body, _warmup, _where) = (name, body, warmup, where);
        _title = ToString();
        if (device.IsCpu)
            return;
        _state = _owner.Cuda(device);
        _pool = _state.NewPool();
    }

    /// <summary>The results of the latest replay, in the order of the body's; overwritten by the next, freed with the graph.</summary>
    public IReadOnlyList<Tensor> Outputs => _runs > 0 ? _outputs : throw new UsageException($"graph '{_name}': there is no output before the first Replay().");

    /// <summary>The first result of the latest replay.</summary>
    public Tensor Output => Outputs.Count > 0 ? Outputs[0] : throw new UsageException($"graph '{_name}': its body returns nothing. Return the tensor from the body.");

    /// <summary>Kernels, copies and fills of one replay; 0 until the body has been recorded, and on the cpu.</summary>
    public long Nodes { get; private set; }

    /// <summary>Prepares a graph of a body with one result. Nothing runs before the first <see cref="Replay"/>.</summary>
    /// <param name="name">For messages.</param>
    /// <param name="device">The device that the body works on.</param>
    /// <param name="body">One step; what it allocates is freed when it ends, except what it returns.</param>
    /// <param name="warmup">Replays that run the body as it stands. Two make moments and gradients exist, and show what memory a steady step needs.</param>
    /// <param name="file">Filled in by the compiler.</param>
    /// <param name="line">Filled in by the compiler.</param>
    public static CudaGraph Capture(string name, Device device, Func<Tensor> body, int warmup = 2, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(name, device, () => [body()], warmup, $"{Path.GetFileName(file)}:{line}");

    /// <summary>Prepares a graph of a body with several results.</summary>
    /// <inheritdoc cref="Capture(string, Device, Func{Tensor}, int, string, int)"/>
    public static CudaGraph Capture(string name, Device device, Func<Tensor[]> body, int warmup = 2, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(name, device, body, warmup, $"{Path.GetFileName(file)}:{line}");

    /// <summary>Prepares a graph of a body without results.</summary>
    /// <inheritdoc cref="Capture(string, Device, Func{Tensor}, int, string, int)"/>
    public static CudaGraph Capture(string name, Device device, Action body, int warmup = 2, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0) =>
        new(name, device, () => { body(); return []; }, warmup, $"{Path.GetFileName(file)}:{line}");

    /// <summary>Inside a body: runs something on the host now and before each later replay, such as <c>opt.Lr = schedule.At(step++)</c>. Elsewhere it just runs it.</summary>
    public static void EachReplay(Action action) => GraphCapture.Each(action);

    /// <summary>One run of the body. Returns without waiting for the device.</summary>
    /// <exception cref="UsageException">The body does what no graph can repeat: it reads the device, draws on the host, or copies from it while being recorded.</exception>
    /// <exception cref="LifetimeException">Memory that the recorded body uses was freed, or replaced by other memory, since.</exception>
    public void Replay()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!ReferenceEquals(Ambient.Current, _owner))
            throw new UsageException($"{this} belongs to the thread that made it. Make one for each thread.");
        if (_owner.Capture is { } outer)
            throw outer.Forbidden($"replay: graph '{_name}' is replayed", "Call its body directly: one graph holds the whole step.");
        if (_state is null)
            Run();
        else if (_executable != 0)
            Launch(fresh: false);
        else if (_runs < _warmup || Env.Sync.Value)
            WarmUp();   // With NATIVE_SYNC always: what a driver runs as a whole cannot be waited for kernel by kernel.
        else
            Record();
        _runs++;
    }

    /// <summary>Forgets the recording, so that the next replays warm up and record again: after a network has grown, for example.</summary>
    public void Reset()
    {
        if (_executable != 0)
            (_former, _executable) = (_executable, 0);
        Forget();
        _runs = 0;
    }

    /// <summary>Frees the recording, its results and its memory.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Forget();
        Destroy(_former);
        FreeOutputs();
        _pool?.Close();
    }

    /// <summary>For example <c>graph 'train-step' (Program.cs:41)</c>.</summary>
    public override string ToString() => $"graph '{_name}' ({_where})";

    private void WarmUp()
    {
        var capture = new GraphCapture(_name, _state!, 0);
        Under(capture, Run);
        _capacity = Math.Max(1, capture.Used);
    }

    private void Record()
    {
        var cuda = _state!.Cuda;
        cuda.MakeCurrent();
        var capture = new GraphCapture(_name, _state, _capacity);
        // Not from the graph's own pool, which has just what the body needs.
        try
        {
            _block = _state.Lasting.Rent(_capacity, scoped: false);
            _upload = new StepUpload(_state, _block.Pointer, _capacity);
            capture.Block = _block.Pointer;
            cuda.Check(cuda.Driver.StreamBeginCapture(_state.Stream), "beginning to record a graph");
        }
        catch
        {
            Forget();
            throw;
        }
        nint graph = 0;
        long flops = _owner.Flops;
        try
        {
            GraphCapture.BeginRecording();
            try
            {
                Under(capture, Run);
            }
            finally
            {
                GraphCapture.EndRecording();
                // Also after an error: the stream must come out of the capture.
                var ended = cuda.Driver.StreamEndCapture(_state.Stream, out graph);
                if (ended != CudaResult.Success)
                    graph = 0;
            }
            if (graph == 0)
                throw new UsageException($"{this}: the driver gave the recording up. Run the body with NATIVE_SYNC=1 outside a graph to find what it does.");
            cuda.Check(cuda.Driver.GraphGetNodeCount(graph, out long nodes), "counting a graph's nodes");
            _executable = Instantiate(cuda, graph);
            (_capture, Nodes, _flops) = (capture, nodes, _owner.Flops - flops);
            (_used, _written) = capture.Outside();
        }
        catch
        {
            Forget();
            throw;
        }
        finally
        {
            if (graph != 0)
                cuda.Driver.GraphDestroy(graph);
        }
        Launch(fresh: true);
    }

    // A new recording of the same kernels takes the place of the former one; of others it has to be prepared anew, which takes the driver longer.
    private nint Instantiate(CudaDevice cuda, nint graph)
    {
        nint former = _former;
        _former = 0;
        if (former != 0)
        {
            if (cuda.Driver.GraphExecUpdate(former, graph) == CudaResult.Success)
                return former;
            cuda.Driver.GraphExecDestroy(former);
        }
        cuda.Check(cuda.Driver.GraphInstantiate(out nint executable, graph), $"instantiating graph '{_name}'");
        return executable;
    }

    // The values of the recorded run were computed while it was recorded.
    private void Launch(bool fresh)
    {
        var cuda = _state!.Cuda;
        if (!fresh)
        {
            foreach (var (storage, generation) in _used)
                if (!storage.Live || storage.Generation != generation)
                    throw new LifetimeException($"replay: memory of {CachingAllocator.Size(storage.Bytes)} that {this} uses was freed or replaced since it was recorded. "
                        + "Keep its tensors alive, or call Reset() after a change such as growing a layer.");
            _capture!.Again();
            _owner.Flops += _flops;
        }
        cuda.MakeCurrent();
        _upload!.Send(_capture!.Values);
        _state.Note(_title, null, default);
        cuda.Check(cuda.Driver.GraphLaunch(_executable, _state.Stream), $"launching graph '{_name}'");
        foreach (var storage in _written)
            storage.BumpVersion();
    }

    // What the body allocates comes from the graph's own pool, which nobody else uses between replays.
    private void Under(GraphCapture capture, Action run)
    {
        var pool = _state!.Allocator;
        (_owner.Capture, _state.Allocator) = (capture, _pool!);
        try
        {
            run();
        }
        finally
        {
            (_owner.Capture, _state.Allocator) = (null, pool);
        }
    }

    private void Run()
    {
        using var outside = TensorScope.Outside();
        using var scope = TensorScope.Begin(_name);
        var results = _body();
        if (results is null || Array.IndexOf(results, null) >= 0)
            throw new UsageException($"{this}: its body returns null. Return tensors, or use the form of Capture whose body returns nothing.");
        var own = new List<Tensor>();
        var kept = new Tensor[results.Length];
        for (int i = 0; i < results.Length; i++)
        {
            // What the body only passes on belongs to somebody else.
            bool made = results[i].Storage.ScopeDepth == scope.Depth;
            kept[i] = scope.Keep(results[i]);
            if (made)
                own.Add(kept[i]);
        }
        FreeOutputs();
        (_outputs, _own) = (kept, own);
    }

    private void FreeOutputs()
    {
        foreach (var t in _own)
            t.Dispose();
        _own = [];
        _outputs = [];
    }

    // Of a device that is lost there is nothing left to give back.
    private void Destroy(nint executable)
    {
        if (executable != 0 && _state!.Cuda.TryMakeCurrent())
            _state.Cuda.Driver.GraphExecDestroy(executable);
    }

    private void Forget()
    {
        Destroy(_executable);
        (_executable, Nodes) = (0, 0);
        _upload?.Dispose();
        _upload = null;
        _capture = null;
        _used = [];
        _written = [];
        if (_block is { Live: true } block)
            block.Allocator.Return(block);
        _block = null;
    }
}
