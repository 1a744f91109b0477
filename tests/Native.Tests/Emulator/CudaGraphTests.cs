using Native.Nn;
using Native.Optim;

namespace Native.Tests;

/// <summary>Recorded steps on the emulator: the same bits as steps that run one by one, and clear words for what no graph can repeat.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class CudaGraphTests
{
    private static Device Emu => Device.Parse("emu:0");

    [NeedsFact(GpuKit.Gxx)]
    public void A_hundred_replays_equal_a_hundred_steps_with_a_schedule_adam_and_dropout() => SameAsEager(100, random =>
    {
        var noise = random.Stream("noise");
        var net = new Sequential(new Linear(6, 16, random, device: Emu), new BatchNorm(16, device: Emu), new Relu(), new Dropout(0.3, noise), new Linear(16, 3, random, device: Emu));
        var opt = new Adam(net.Parameters(), lr: 0.01, weightDecay: 1e-3);
        var rate = Schedule.Cosine(0.01, 80);
        return new Training(net, opt, [random, noise], (x, y) =>
        {
            Tensor loss = Functional.CrossEntropy(net.Forward(x + 0.1 * Tensor.RandnLike(x, noise)), y);
            opt.Minimize(loss);
            return loss;
        }, step => opt.Lr = rate.At(step));
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Gradients_that_add_up_clipped_with_momentum_and_two_groups() => SameAsEager(8, random =>
    {
        var noise = random.Stream("noise");
        var net = new Sequential(new Linear(6, 8, random, device: Emu), new BatchNorm(8, momentum: null, device: Emu), new Tanh(), new Linear(8, 3, random, device: Emu));
        var opt = new Sgd([net.Parameters()[0]], lr: 0.1, momentum: 0.9, nesterov: true);
        opt.AddGroup([.. net.Parameters().Skip(1)], 0.05);
        return new Training(net, opt, [random, noise], (x, y) =>
        {
            Tensor loss = Functional.CrossEntropy(net.Forward(x), y);
            loss.Backward();
            Functional.CrossEntropy(net.Forward(x * Tensor.Bernoulli(x.Shape, 0.5, noise, device: Emu)), y).Backward();
            Clip.GradNormOnDevice(net.Parameters(), 0.5);
            opt.Step();
            opt.ZeroGrad();
            return loss;
        }, step => opt.Groups[1].Lr = 0.05 / (1 + step));
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_checkpoint_draws_the_same_numbers_twice_at_every_replay() => SameAsEager(6, random =>
    {
        var noise = random.Stream("noise");
        var net = new Sequential(new Linear(6, 8, random, device: Emu), new Dropout(0.5, noise), new Tanh(), new Linear(8, 3, random, device: Emu));
        var opt = new Sgd(net.Parameters(), lr: 0.1);
        return new Training(net, opt, [random, noise], (x, y) =>
        {
            Tensor loss = Functional.CrossEntropy(Checkpoint.Run(net.Forward, x, noise), y);
            opt.Minimize(loss);
            return loss;
        }, _ => { });
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Work_of_the_host_is_repeated_where_it_is_declared() => OpKit.OnFreshThread(() =>
    {
        using var x = Owned(Tensor.Ones([4], device: Emu));
        var random = new Generator(5);
        int counted = 0, ran = 0;
        using var graph = CudaGraph.Capture("count", Emu, () =>
        {
            ran++;
            CudaGraph.EachReplay(() => counted += random.NextInt64(10) >= 0 ? 1 : 0);
            return x * 2;
        });
        for (int i = 0; i < 7; i++)
            graph.Replay();
        Assert.Equal((7, 3), (counted, ran));
        Assert.Equal(CachingAllocator.Poison ? 2 : 1, graph.Nodes);    // the kernel, and the poison of its output
    });

    [NeedsFact(GpuKit.Gxx)]
    public void What_is_repeated_within_something_repeated_is_repeated_once() => OpKit.OnFreshThread(() =>
    {
        using var x = Owned(Tensor.Ones([4], device: Emu));
        int outer = 0, inner = 0;
        using var graph = CudaGraph.Capture("nested", Emu, () =>
        {
            CudaGraph.EachReplay(() =>
            {
                outer++;
                CudaGraph.EachReplay(() => inner++);
            });
            return x * 2;
        });
        for (int i = 0; i < 6; i++)
            graph.Replay();
        Assert.Equal((6, 6), (outer, inner));
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_body_that_returns_null_gets_a_sentence() => OpKit.OnFreshThread(() =>
    {
        using var graph = CudaGraph.Capture("null", Emu, () => (Tensor)null!);
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

    [NeedsFact(GpuKit.Gxx)]
    public void Integers_are_drawn_anew_with_the_cpus_bits() => OpKit.OnFreshThread(() =>
    {
        Generator here = new(9), there = new(9);
        using var graph = CudaGraph.Capture("draw", Emu, () => (Tensor[])[Tensor.RandInt(0, 1000, [37], here, device: Emu), Tensor.Gumbel([5], here, DType.F64, Emu)]);
        for (int i = 0; i < 6; i++)
        {
            graph.Replay();
            Assert.Equal(Tensor.RandInt(0, 1000, [37], there).ToArray<long>(), graph.Outputs[0].ToArray<long>());
            Assert.Equal(Tensor.Gumbel([5], there, DType.F64).ToArray<double>(), graph.Outputs[1].ToArray<double>());
        }
        Assert.Equal(there.State, here.State);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Bags_are_found_without_reading_their_offsets() => OpKit.OnFreshThread(() =>
    {
        using var table = Owned(Tensor.Randn([5, 3], new Generator(1), device: Emu));
        using var index = Owned(Tensor.From([4L, 1L, 1L, 0L, 2L, 3L], [6], Emu));
        using var offsets = Owned(Tensor.From([0L, 2L, 2L, 5L], [4], Emu));
        using var graph = CudaGraph.Capture("bags", Emu, () => Tensor.EmbeddingBag(table, index, offsets));
        foreach (long[] starts in (long[][])[[0, 2, 2, 5], [0, 1, 2, 3], [0, 0, 0, 6], [0, 3, 4, 4], [0, 6, 6, 6]])
        {
            offsets.CopyFrom<long>(starts);
            graph.Replay();
            using var scope = TensorScope.Begin("expected");
            Tensor expected = Tensor.EmbeddingBag(table.To(Device.Cpu), index.To(Device.Cpu), Tensor.From(starts, [4]));
            Assert.Equal(expected.ToArray<float>(), graph.Output.ToArray<float>());
        }
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
        using var x = Owned(Tensor.Ones([4], device: Emu));
        using var inner = CudaGraph.Capture("inner", Emu, () => x + 1);
        var random = new Generator(2);
        int run = 0;
        using var graph = CudaGraph.Capture("step", Emu, () =>
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
                    Tensor.From([1f], [1], Emu);
                    break;
                case "more":
                    Tensor.Zeros([run == 3 ? 1024 : 4], device: Emu);
                    break;
                case "kernel":
                    if (run == 3)
                        new CudaBackend(HostCompiler.Shared, () => throw new DeviceException("none")).Load(CudaDevice.Open(Emu), Kernel("random_uniform"), DType.F32, 0);
                    break;
                case "values":
                    for (int i = 0; i < (run == 3 ? 2 : 1); i++)
                        Tensor.Rand([3], random, device: Emu);
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
        var x = Owned(Tensor.Ones([4], device: Emu));
        using var graph = CudaGraph.Capture("step", Emu, () => x * 2);
        for (int i = 0; i < 4; i++)
            graph.Replay();
        x.Dispose();
        x = Owned(Tensor.Full([4], 3, device: Emu));
        Assert.Contains("that graph 'step' (CudaGraphTests.cs", Assert.Throws<LifetimeException>(graph.Replay).Message, StringComparison.Ordinal);
        graph.Reset();
        for (int i = 0; i < 4; i++)
            graph.Replay();
        Assert.Equal([6f, 6, 6, 6], graph.Output.ToArray<float>());
        x.Dispose();
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_step_that_grows_is_recorded_again() => OpKit.OnFreshThread(() =>
    {
        using var x = Owned(Tensor.Ones([4], device: Emu));
        int terms = 1;
        using var graph = CudaGraph.Capture("step", Emu, () =>
        {
            Tensor y = x;
            for (int i = 0; i < terms; i++)
                y += x;
            return y;
        });
        foreach (int next in (int[])[1, 2, 2, 5])
        {
            terms = next;
            graph.Reset();
            graph.Reset();
            for (int i = 0; i < 4; i++)
                graph.Replay();
            Assert.Equal(next + 1, graph.Output.ToArray<float>()[3]);
        }
    });

    [NeedsFact(GpuKit.Gxx)]
    public void A_replay_is_a_change_that_backward_notices() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin("test");
        using var w = Owned(Tensor.Ones([4], device: Emu));
        using var x = Owned(Tensor.Ones([4], device: Emu).RequireGrad());
        using var graph = CudaGraph.Capture("step", Emu, () => w.AddInPlace(1));
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
    public void Its_memory_is_its_own_and_goes_back() => OpKit.OnFreshThread(() =>
    {
        var x = Owned(Tensor.Ones([100], device: Emu));
        Tensor last;
        using (var first = CudaGraph.Capture("first", Emu, () => (x * 2).Exp() + 1))
        using (var second = CudaGraph.Capture("second", Emu, () => (x * 5).Exp() + 1))
        {
            float[]? one = null, two = null;
            for (int i = 0; i < 5; i++)
            {
                first.Replay();
                second.Replay();
                // The pool of everybody else is busy in between.
                using var scope = TensorScope.Begin("between");
                for (int k = 0; k < 4; k++)
                    (x * k).Exp();
                one = first.Output.ToArray<float>();
                two = second.Output.ToArray<float>();
            }
            Assert.Equal(MathF.Exp(2) + 1, one![99], 1e-5f);
            Assert.Equal(MathF.Exp(5) + 1, two![0], 1e-3f);
            last = second.Output;
        }
        Assert.Throws<LifetimeException>(() => last.ToArray<float>());
        x.Dispose();
        Ambient.Current.AllocatorOf(Emu).Trim();
        Assert.Equal(0, Ambient.Current.AllocatorOf(Emu).Stats.Live);
    });

    [Fact]
    public void On_the_cpu_every_replay_runs_the_body() => OpKit.OnFreshThread(() =>
    {
        int runs = 0;
        using var x = Owned(Tensor.Ones([2]));
        using var graph = CudaGraph.Capture("step", Device.Cpu, () => x * ++runs);
        Assert.Contains("no output before the first Replay", Assert.Throws<UsageException>(() => graph.Output).Message, StringComparison.Ordinal);
        graph.Replay();
        graph.Replay();
        Assert.Equal([2f, 2], graph.Output.ToArray<float>());
        Assert.Equal(0, graph.Nodes);
        OpKit.OnFreshThread(() => Assert.Contains("belongs to the thread", Assert.Throws<UsageException>(graph.Replay).Message, StringComparison.Ordinal));
    });

    private static CudaKernel Kernel(string name) => KernelCatalog.Families().SelectMany(f => f.Launched).First(k => k.Name == name);

    private sealed record Training(Module Net, Optimizer Optimizer, Generator[] Generators, Func<Tensor, Tensor, Tensor> Step, Action<long> Before);

    private static void SameAsEager(int steps, Func<Generator, Training> make) => OpKit.OnFreshThread(() =>
    {
        var (eager, losses, _) = Train(steps, make, recorded: false);
        var (replayed, sameLosses, nodes) = Train(steps, make, recorded: true);
        Assert.True(nodes > 10, $"{nodes} nodes");
        Assert.Equal(losses, sameLosses);
        Assert.Equal(eager, replayed);
        Assert.Equal(losses.Length, losses.Distinct().Count());
    });

    private static (Dictionary<string, double[]> State, float[] Losses, long Nodes) Train(int steps, Func<Generator, Training> make, bool recorded)
    {
        var training = make(new Generator(11));
        var data = new Generator(12);
        using var x = Owned(Tensor.Zeros([8, 6], device: Emu));
        using var y = Owned(Tensor.Zeros([8], DType.I64, Emu));
        using var graph = CudaGraph.Capture("train-step", Emu, () => training.Step(x, y));
        var losses = new float[steps];
        for (int i = 0; i < steps; i++)
        {
            using var scope = TensorScope.Begin("step");
            x.CopyFrom<float>(Tensor.Randn([8, 6], data).ToArray<float>());
            y.CopyFrom<long>(Tensor.RandInt(0, 3, [8], data).ToArray<long>());
            training.Before(i);
            if (recorded)
                graph.Replay();
            losses[i] = (float)(recorded ? graph.Output : training.Step(x, y)).Item();
        }
        using var end = TensorScope.Begin("end");
        var state = training.Optimizer.State().ToDictionary(s => s.Key, s => OpKit.ToDoubles(s.Value));
        foreach (var (name, value) in training.Net.NamedParameters().Select(p => (p.Name, (Tensor)p.Value)).Concat(training.Net.NamedBuffers()))
            state.Add(name, OpKit.ToDoubles(value));
        foreach (var (i, g) in training.Generators.Index())
            state.Add($"generator {i}", [g.State.Counter]);
        long nodes = graph.Nodes;
        training.Optimizer.Dispose();
        training.Net.Dispose();
        return (state, losses, nodes);
    }

    private static Tensor Owned(Tensor t)
    {
        if (t.Storage.ScopeDepth < 0)
            return t;
        using var outside = TensorScope.Outside();
        return t.Clone();
    }
}
