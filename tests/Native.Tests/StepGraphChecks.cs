using Native.Methods;

namespace Native.Tests;

/// <summary>
/// What must hold of methods whose steps are recorded, on any device: the emulator's tests run it everywhere, the GPU's where there is one. The default device is
/// the process's, so these checks run beside no other test.
/// </summary>
internal static class StepGraphChecks
{
    private static readonly Lazy<TaskStream> Digits = new(() =>
    {
        var (train, test) = SyntheticDigits.Make(new Generator(5), 150, 30);
        return new TaskStream(new StreamPlan("digits", train, test, [[0, 1], [2, 3]]), Scenario.ClassIncremental);
    });

    // Networks with batch normalisation: pixels are of their class and noise.
    private static readonly Lazy<TaskStream> Colours = new(() =>
    {
        const int Count = 24, Size = 3 * 8 * 8;
        var random = new Generator(6);
        int[] labels = [.. Enumerable.Range(0, Count).Select(i => i % 4)];
        byte[] pixels = [.. Enumerable.Range(0, Count * Size).Select(i => (byte)(50 * labels[i / Size] + random.NextInt64(50)))];
        var set = new ImageSet("colours", pixels, labels, Count, 3, 8, 8, "made by the test");
        return new TaskStream(new StreamPlan("colours", set, set, [[0, 1], [2, 3]]), Scenario.ClassIncremental);
    });

    // Six steps of five and one of the rest, at least, in each phase.
    private static readonly TrainerOptions Training = new(Epochs: 2, BatchSize: 5);

    /// <summary>Rows of the method table, each with options that keep it small, and with those that change what its step does.</summary>
    public static IReadOnlyDictionary<string, (string Method, string[] Options)> Cases { get; } = new Dictionary<string, (string, string[])>(StringComparer.Ordinal)
    {
        ["naive"] = ("naive", []),
        ["joint"] = ("joint", []),
        ["stationary"] = ("stationary", []),
        ["er"] = ("er", ["capacity=12", "replayBatch=4"]),
        ["lwf"] = ("lwf", []),
        ["adi"] = ("adi", ["generated=3", "steps=2"]),
        ["adi from noise"] = ("adi", ["generated=3", "steps=2", "fromNoise=true", "realWeight=0"]),
        ["ewc"] = ("ewc", ["strength=10"]),
        ["icarl"] = ("icarl", ["capacity=8", "iterations=2", "replayBatch=4"]),
        ["arm"] = ("arm", ["recalled=4", "steps=3"]),
        ["arm, unit lag"] = ("arm", ["recalled=4", "steps=2", "lag=1", "realWeight=0"]),
        ["arm from noise"] = ("arm", ["recalled=4", "steps=2", "fromNoise=true", "repeats=2"]),
        ["arm twice"] = ("arm", ["recalled=4", "steps=2", "repeats=2", "history=true"]),
        ["arm, gradients that add up"] = ("arm", ["recalled=4", "steps=2", "repeats=2", "again=accumulate"]),
        ["arm in colour"] = ("arm", ["recalled=3", "steps=1", "width=2", "pixelRate=1"]),
        ["arm in colour, statistics kept"] = ("arm", ["recalled=3", "steps=1", "width=2", "pixelRate=1", "recallNorm=trainKeep"]),
        ["adi in colour"] = ("adi", ["generated=3", "steps=1", "width=2", "pixelRate=1"]),
    };

    /// <summary>A training that records its steps ends with the bits of one that runs them operation by operation; what was recorded is more than a few kernels.</summary>
    public static void AGraphHasTheBitsOfSteps(Device device, string name) => OpKit.OnFreshThread(() =>
    {
        using var _ = Env.Device.Override(device.Name);
        using var folder = new TemporaryFolder();
        var recorded = Sit(name, folder, null);
        (byte[]? Bits, double[] Losses, long Nodes, long) eager;
        using (Env.Sync.Override(true))
            eager = Sit(name, folder, null);
        Assert.Equal(0, eager.Nodes);
        Assert.True(recorded.Nodes > 20, $"{name}: {recorded.Nodes} nodes");
        Assert.Equal(eager.Losses, recorded.Losses);
        Assert.True(recorded.Losses.Length >= 12 && recorded.Losses.Distinct().Count() > recorded.Losses.Length / 2, $"{name}: {recorded.Losses.Length} losses");
        Assert.Equal(eager.Bits, recorded.Bits);
    });

    /// <summary>The first two steps of a kind run as they stand, the third is recorded; a step of another kind, or of a shorter batch, begins anew.</summary>
    public static void TheThirdStepIsRecorded(Device device) => OpKit.OnFreshThread(() =>
    {
        using var _ = Env.Device.Override(device.Name);
        var stream = Digits.Value;
        using var arm = new AutomaticRecallMachine(stream, new SeedStreams(3), new ArmOptions(Width: 6, Recalled: 4, Steps: 2));
        List<long> steps(StreamTask task, params int[] sizes)
        {
            arm.BeginTask(task, sizes.Length);
            var nodes = new List<long>();
            foreach (int size in sizes)
            {
                using var scope = TensorScope.Begin("step");
                arm.Observe(stream.BatchOf(stream.Train, task.Train.AsSpan(0, size)));
                nodes.Add(arm.Nodes);
            }
            return nodes;
        }
        var plain = steps(stream.Tasks[0], 5, 5, 2, 5, 5, 2, 2);
        Assert.Equal([0, 0, 0], plain[..3]);
        Assert.True(plain[3] > 10, $"{plain[3]} nodes");
        Assert.All(plain[4..], n => Assert.Equal(plain[3], n));
        var recalling = steps(stream.Tasks[1], 5, 5, 5);
        Assert.Equal([plain[3], plain[3]], recalling[..2]);
        Assert.True(recalling[2] > 3 * plain[3], $"{recalling[2]} nodes of a step that recalls, {plain[3]} of one that does not");
    });

    /// <summary>A device is not waited for in each step: a loss that is not finite is found where losses are looked at, and its step is named.</summary>
    public static void LossesAreReadTogether(Device device) => OpKit.OnFreshThread(() =>
    {
        using var _ = Env.Device.Override(device.Name);
        using var folder = new TemporaryFolder();
        string run(int epochs, int bad, RunCheckpoint? checkpoint = null)
        {
            using var method = new Spoilt(bad);
            string message = Assert.Throws<NumericException>(() => new Trainer(Digits.Value, new TrainerOptions(epochs, BatchSize: 2)).Run(method, joint: false, new Generator(1), checkpoint: checkpoint)).Message;
            return $"{method.Steps} {message}";
        }
        int perEpoch = (Digits.Value.Tasks[0].Train.Length + 1) / 2;
        Assert.StartsWith($"{perEpoch} train: the loss is NaN at step 3 of {perEpoch} of task {{0,1}}, found when steps 1 to {perEpoch} were looked at. Lower", run(1, 3));
        Assert.StartsWith($"128 train: the loss is NaN at step 70 of {20 * perEpoch} of task {{0,1}}, found when steps 65 to 128 were looked at.", run(20, 70));
        // Before a state is saved, so that none is that begins with NaN.
        Assert.StartsWith($"4 train: the loss is NaN at step 3 of {perEpoch} of task {{0,1}}, found when steps 3 to 4 were looked at.",
            run(1, 3, new RunCheckpoint(folder.File("state"), EverySteps: 2)));
    });

    /// <summary>Killed again and again and continued from what was saved, a recorded training ends with the bits of the one that was left alone.</summary>
    public static void KilledItEndsWithTheSameBits(Device device, string name) => OpKit.OnFreshThread(() =>
    {
        using var _ = Env.Device.Override(device.Name);
        using var folder = new TemporaryFolder();
        var (expected, _, nodes, calls) = Sit(name, folder, null);
        Assert.True(nodes > 20, $"{name}: {nodes} nodes");
        var checkpoint = new RunCheckpoint(folder.File("state"), EverySteps: 3, Identity: name);
        byte[]? bits = null;
        int sittings = 0;
        // Late enough that a sitting records before it dies.
        for (; bits is null; sittings++)
        {
            Assert.True(sittings < 9, "the run does not come to an end");
            bits = Sit(name, folder, checkpoint, calls * 2 / 5 + sittings).Bits;
        }
        Assert.True(sittings > 1);
        Assert.Equal(expected, bits);
    });

    /// <summary>One sitting: the final bits (null when it died), the loss of each step, what was recorded, and the calls of the method.</summary>
    private static (byte[]? Bits, double[] Losses, long Nodes, long Calls) Sit(string name, TemporaryFolder folder, RunCheckpoint? checkpoint, long diesAt = long.MaxValue)
    {
        var (method, options) = Cases[name];
        var row = MethodTable.Find(method);
        var seeds = new SeedStreams(3);
        bool colour = name.Contains("colour", StringComparison.Ordinal);
        var stream = (colour ? Colours : Digits).Value;
        var settings = new MethodSettings(Options: (colour ? options : options.Append("width=6")).Select(MethodOptions.Pair).ToDictionary(StringComparer.Ordinal));
        using var inner = row.Create(stream, seeds, row.Configure(settings));
        var losses = new List<double>();
        using var watched = new Watched(inner, losses);
        using var mortal = new ResumeTests.Mortal(watched, diesAt);
        try
        {
            var result = new Trainer(stream, Training).Run(mortal, row.Joint, seeds.Batch, checkpoint: checkpoint is null ? null : checkpoint with { Seeds = seeds });
            var state = new RunStateWriter();
            inner.Persist(state);
            seeds.Persist(state);
            double[] rows = [.. Enumerable.Range(0, result.Matrix.Rows).SelectMany(result.Matrix.Row)];
            long flops = result.Work.Flops, updates = result.Work.OptimizerSteps;
            state.Doubles("rows", ref rows);
            state.Number("flops", ref flops);
            state.Number("updates", ref updates);
            state.Save(folder.File("final"));
            return (File.ReadAllBytes(folder.File("final")), [.. losses], ((IRecorded)inner).Nodes, mortal.Calls);
        }
        catch (NumericException e) when (e.Message == "killed")
        {
            return (null, [.. losses], ((IRecorded)inner).Nodes, mortal.Calls);
        }
    }

    // Its loss is NaN in one step.
    private sealed class Spoilt(int bad) : IMethod
    {
        public int Steps { get; private set; }

        public long ParameterCount => 0;

        public long StorageBits => 0;

        public void BeginTask(StreamTask task, int steps)
        {
        }

        public Tensor Observe(Batch batch) => Tensor.Scalar(++Steps == bad ? float.NaN : 0.5f);

        public void EndTask(StreamTask task)
        {
        }

        public Tensor Predict(Tensor images, StreamTask? task) => Tensor.Zeros([images.Shape[0], Digits.Value.Outputs]);

        public void Persist(RunState state)
        {
        }

        public void Dispose()
        {
        }
    }

    /// <summary>Reads the loss of every step, which nothing may depend on.</summary>
    private sealed class Watched(IMethod inner, List<double> losses) : IMethod
    {
        public long ParameterCount => inner.ParameterCount;

        public long StorageBits => inner.StorageBits;

        public void BeginTask(StreamTask task, int steps) => inner.BeginTask(task, steps);

        public Tensor Observe(Batch batch)
        {
            var loss = inner.Observe(batch);
            losses.Add(loss.Item());
            return loss;
        }

        public void EndTask(StreamTask task) => inner.EndTask(task);

        public Tensor Predict(Tensor images, StreamTask? task) => inner.Predict(images, task);

        public void Persist(RunState state) => inner.Persist(state);

        public void Dispose()
        {
        }
    }
}
