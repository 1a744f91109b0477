using Native.Nn;
using Native.Optim;

namespace Native.Tests;

/// <summary>Clear words for what no graph can repeat and for what changed since it was recorded; errors of the device; memory.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class CudaGraphErrorTests
{
    [NeedsFact(GpuKit.Gxx)]
    public void A_body_that_returns_null_gets_a_sentence() => OpKit.OnFreshThread(() =>
    {
        using var graph = CudaGraph.Capture("null", Emulated.Device, () => (Tensor)null!);
        Assert.Contains("its body returns null", Assert.Throws<UsageException>(graph.Replay).Message, StringComparison.Ordinal);
    });

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData("MemHostAlloc")]
    [InlineData("StreamBeginCapture")]
    public void A_recording_that_cannot_begin_keeps_nothing(string call) => OpKit.OnFreshThread(() =>
    {
        var (device, driver) = DriverKit.Faulty();
        using var x = Tensor.Ones([4], device: device);
        using var graph = CudaGraph.Capture("step", device, () => x + Tensor.Rand([4], new Generator(1), device: device));
        graph.Replay();
        graph.Replay();
        long before = Ambient.Current.AllocatorOf(device).Stats.LiveCount;
        driver.FailAt(call, 1, CudaResult.OutOfMemory, lasting: false);
        Assert.Throws<CudaException>(graph.Replay);
        Assert.Equal(before, Ambient.Current.AllocatorOf(device).Stats.LiveCount);
        graph.Replay();
        Assert.True(graph.Nodes > 0);
    });

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData("item", "read: a value of the device is read on the host inside graph 'step'")]
    [InlineData("draw", "generator: a number is drawn on the host inside graph 'step'")]
    [InlineData("fill", "generator: a tensor of the cpu is filled inside graph 'step'")]
    [InlineData("wind", "generator: its state is set inside graph 'step'")]
    [InlineData("from", "write: 4 bytes of the host are copied to the device, and would be the same at every replay, inside graph 'step'")]
    [InlineData("more", "memory: 4096 bytes are needed that no earlier run needed inside graph 'step'")]
    [InlineData("values", "graph 'step': the recorded run declares 32 bytes of step values, its warm-up runs 16")]
    [InlineData("kernel", "kernel: random_uniform for f32 is used for the first time inside graph 'step'")]
    [InlineData("each", "EachReplay: work of the device is queued inside graph 'step'")]
    [InlineData("nested", "replay: graph 'inner' is replayed inside graph 'step'")]
    public void What_no_graph_can_repeat_is_refused_and_the_device_goes_on(string act, string message) => OpKit.OnFreshThread(() =>
    {
        using var x = Emulated.Owned(Tensor.Ones([4], device: Emulated.Device));
        using var inner = CudaGraph.Capture("inner", Emulated.Device, () => x + 1);
        var random = new Generator(2);
        int run = 0;
        using var graph = CudaGraph.Capture("step", Emulated.Device, () =>
        {
            run++;
            switch (act)
            {
                case "item":
                    x.Sum().Item();
                    break;
                case "draw":
                    random.NextSingle();
                    break;
                case "fill":
                    Tensor.Rand([3], random);
                    break;
                case "wind":
                    random.State = (1, 2);
                    break;
                case "each":
                    CudaGraph.EachReplay(() => x.AddInPlace(0));
                    break;
                case "from":
                    Tensor.From([1f], [1], Emulated.Device);
                    break;
                case "more":
                    Tensor.Zeros([run == 3 ? 1024 : 4], device: Emulated.Device);
                    break;
                case "kernel":
                    if (run == 3)
                        new CudaBackend(HostCompiler.Shared, () => throw new DeviceException("none")).Load(CudaDevice.Open(Emulated.Device), Kernel("random_uniform"), DType.F32, 0);
                    break;
                case "values":
                    for (int i = 0; i < (run == 3 ? 2 : 1); i++)
                        Tensor.Rand([3], random, device: Emulated.Device);
                    break;
                default:
                    inner.Replay();
                    break;
            }
            return x * 3;
        });
        var error = Assert.Throws<UsageException>(() =>
        {
            for (int i = 0; i < 3; i++)
                graph.Replay();
        });
        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
        using var scope = TensorScope.Begin("after");
        Assert.Equal([5f, 5, 5, 5], (x + 4).ToArray<float>());
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Freed_memory_stops_a_replay_until_the_graph_is_reset() => OpKit.OnFreshThread(() =>
    {
        var x = Emulated.Owned(Tensor.Ones([4], device: Emulated.Device));
        using var graph = CudaGraph.Capture("step", Emulated.Device, () => x * 2);
        for (int i = 0; i < 4; i++)
            graph.Replay();
        x.Dispose();
        x = Emulated.Owned(Tensor.Full([4], 3, device: Emulated.Device));
        Assert.Contains("that graph 'step' (CudaGraphErrorTests.cs", Assert.Throws<LifetimeException>(graph.Replay).Message, StringComparison.Ordinal);
        graph.Reset();
        for (int i = 0; i < 4; i++)
            graph.Replay();
        Assert.Equal([6f, 6, 6, 6], graph.Output.ToArray<float>());
        x.Dispose();
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_replay_is_a_change_that_backward_notices() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin("test");
        using var w = Emulated.Owned(Tensor.Ones([4], device: Emulated.Device));
        using var x = Emulated.Owned(Tensor.Ones([4], device: Emulated.Device).RequireGrad());
        using var graph = CudaGraph.Capture("step", Emulated.Device, () => w.AddInPlace(1));
        for (int i = 0; i < 3; i++)
            graph.Replay();
        Tensor loss = (x * w).Sum();
        graph.Replay();
        Assert.Contains("changed in place", Assert.Throws<GradException>(() => loss.Backward()).Message, StringComparison.Ordinal);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void An_error_of_the_device_names_the_graph_and_disposal_is_silent() => OpKit.OnFreshThread(() =>
    {
        var (device, driver) = DriverKit.Faulty();
        var x = Tensor.Ones([4], device: device);
        using (var graph = CudaGraph.Capture("step", device, () => x + Tensor.Rand([4], new Generator(1), device: device)))
        {
            for (int i = 0; i < 4; i++)
                graph.Replay();
            driver.FailAt("GraphLaunch", 1, CudaResult.IllegalAddress);
            Assert.Contains("first seen after graph 'step'", Assert.Throws<CudaException>(graph.Replay).Message, StringComparison.Ordinal);
            Assert.Contains("lost to this process", Assert.Throws<DeviceException>(graph.Replay).Message, StringComparison.Ordinal);
        }
        x.Dispose();
        Assert.Empty(driver.AfterLoss);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Pools_of_graphs_count_against_the_limit() => OpKit.OnFreshThread(() =>
    {
        var state = Ambient.Current.Cuda(Emulated.Device);
        using var x = Emulated.Owned(Tensor.Ones([1 << 20], device: Emulated.Device));
        state.Lasting.Limit = 32 << 20;
        var graphs = new List<CudaGraph>();
        Assert.Contains("limit 32 MiB", Assert.Throws<TensorMemoryException>(() =>
        {
            for (int i = 0; i < 8; i++)
            {
                graphs.Add(CudaGraph.Capture("big", Emulated.Device, () => x + 1));
                for (int k = 0; k < 3; k++)
                    graphs[^1].Replay();
            }
        }).Message, StringComparison.Ordinal);
        Assert.InRange(graphs.Count, 3, 7);
        graphs.ForEach(g => g.Dispose());
        using var fits = Emulated.Owned(Tensor.Ones([6 << 20], device: Emulated.Device));
        state.Lasting.Limit = 0;
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Work_of_the_host_that_fails_ends_the_recording() => OpKit.OnFreshThread(() =>
    {
        using var x = Emulated.Owned(Tensor.Ones([2], device: Emulated.Device));
        bool fail = false;
        int ran = 0;
        using var graph = CudaGraph.Capture("step", Emulated.Device, () =>
        {
            ran++;
            CudaGraph.EachReplay(() => { if (fail) throw new UsageException("no more data"); });
            return x + 1;
        });
        for (int i = 0; i < 4; i++)
            graph.Replay();
        fail = true;
        Assert.Throws<UsageException>(graph.Replay);
        fail = false;
        Assert.Equal((3, 0), (ran, graph.Nodes));
        graph.Replay();
        Assert.Equal(4, ran);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_new_group_of_parameters_and_results_of_the_cpu_are_refused() => OpKit.OnFreshThread(() =>
    {
        var random = new Generator(1);
        using var first = new Linear(2, 2, random, device: Emulated.Device);
        using var second = new Linear(2, 2, random, device: Emulated.Device);
        using var x = Emulated.Owned(Tensor.Ones([1, 2], device: Emulated.Device));
        using var opt = new Sgd(first.Parameters(), 0.1);
        using (var graph = CudaGraph.Capture("step", Emulated.Device, () => { second.Forward(first.Forward(x)).Sum().Backward(); opt.Step(); opt.ZeroGrad(); }))
        {
            for (int i = 0; i < 3; i++)
                graph.Replay();
            opt.AddGroup(second.Parameters(), 0.1);
            Assert.Contains("had 1 groups of parameters when the graph was recorded and has 2 now", Assert.Throws<UsageException>(graph.Replay).Message, StringComparison.Ordinal);
        }
        using var here = Emulated.Owned(Tensor.Ones([2]));
        using var wrong = CudaGraph.Capture("step", Emulated.Device, () => here + 1);
        Assert.Contains("its body returns f32[2]@cpu", Assert.Throws<UsageException>(wrong.Replay).Message, StringComparison.Ordinal);
        CudaGraph? self = null;
        using var inside = self = CudaGraph.Capture("self", Emulated.Device, () => self!.Reset());
        Assert.StartsWith("reset: graph 'self' is reset inside graph 'self'", Assert.Throws<UsageException>(inside.Replay).Message, StringComparison.Ordinal);
    });

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData("StreamEndCapture")]
    [InlineData("GraphInstantiate")]
    public void A_context_lost_while_recording_is_told_as_such(string call) => OpKit.OnFreshThread(() =>
    {
        var (device, driver) = DriverKit.Faulty();
        var x = Tensor.Ones([4], device: device);
        using (var graph = CudaGraph.Capture("step", device, () => x + 1))
        {
            for (int i = 0; i < 2; i++)
                graph.Replay();
            driver.FailAt(call, 1, CudaResult.IllegalAddress);
            Assert.Equal(700, Assert.Throws<CudaException>(graph.Replay).Number);
            Assert.Contains("lost to this process", Assert.Throws<DeviceException>(graph.Replay).Message, StringComparison.Ordinal);
        }
        x.Dispose();
        Assert.Empty(driver.AfterLoss);
    });

    private static CudaKernel Kernel(string name) => KernelCatalog.Families().SelectMany(f => f.Launched).First(k => k.Name == name);
}
