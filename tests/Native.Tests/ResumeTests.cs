using Native.Benchmarks;
using Native.Methods;

namespace Native.Tests;

/// <summary>Every method, interrupted anywhere and continued from what it had saved, ends with the bits of the run that was left alone.</summary>
public sealed class ResumeTests : IDisposable
{
    private static readonly Lazy<(ImageSet Train, ImageSet Test)> Digits = new(() => SyntheticDigits.Make(new Generator(5), 60, 20));

    private static readonly TrainerOptions Training = new(Epochs: 2, BatchSize: 5);

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A method that dies, or asks to stop, at the n-th call of any kind; what it did in that call is not undone.</summary>
    internal sealed class Mortal(IMethod inner, long diesAt, CancellationTokenSource? stop = null) : IMethod, IOffline
    {
        public long Calls { get; private set; }

        public long ParameterCount => inner.ParameterCount;

        public long StorageBits => inner.StorageBits;

        private void Count()
        {
            if (++Calls != diesAt)
                return;
            stop?.Cancel();
            if (stop is null)
                throw new NumericException("killed");
        }

        public void BeginTask(StreamTask task, int steps)
        {
            inner.BeginTask(task, steps);
            Count();
        }

        public Tensor Observe(Batch batch)
        {
            var loss = inner.Observe(batch);
            Count();
            return loss;
        }

        public Tensor? Rest(StreamTask task)
        {
            if ((inner as IOffline)?.Rest(task) is not { } loss)
                return null;
            Count();
            return loss;
        }

        public void EndTask(StreamTask task)
        {
            inner.EndTask(task);
            Count();
        }

        public Tensor Predict(Tensor images, StreamTask? task)
        {
            var logits = inner.Predict(images, task);
            Count();
            return logits;
        }

        public void Persist(RunState state) => inner.Persist(state);

        public void Dispose() => inner.Dispose();
    }

    /// <summary>A sitting; its final bits, or null when it was ended before.</summary>
    private (byte[]? Bits, long Calls) Sit(MethodRow row, Scenario scenario, long diesAt, bool asked, RunCheckpoint? checkpoint)
    {
        using var stop = new CancellationTokenSource();
        var seeds = new SeedStreams(3);
        var (train, test) = Digits.Value;
        var stream = TaskStream.SplitDigits("digits", train, test, scenario, seeds.Order);
        using var method = new Mortal(row.Create(stream, seeds, row.Configure(Settings(row.Name))), diesAt, asked ? stop : null);
        try
        {
            var result = new Trainer(stream, Training).Run(method, row.Joint, seeds.Batch, checkpoint: checkpoint is null ? null : checkpoint with { Seeds = seeds }, cancel: stop.Token);
            var state = new RunStateWriter();
            method.Persist(state);
            seeds.Persist(state);
            double[] rows = [.. Enumerable.Range(0, result.Matrix.Rows).SelectMany(result.Matrix.Row)];
            long steps = result.Steps;
            state.Doubles("rows", ref rows);
            state.Number("total", ref steps);
            state.Save(_folder.File("final"));
            return (File.ReadAllBytes(_folder.File("final")), method.Calls);
        }
        catch (Exception e) when (e is NumericException { Message: "killed" } or OperationCanceledException)
        {
            return (null, method.Calls);
        }
    }

    // Meta-training of a few steps, learned anew in every sitting.
    private static MethodSettings Settings(string name) => name.StartsWith("meta-", StringComparison.Ordinal)
        ? Recipe.QuickSettings(name, "split-digits", "metaSteps=9", "ganSteps=9", "metaSeed=none", "pool=6", "metaPerClass=2", "perClass=2")
        : Recipe.QuickSettings(name, "split-digits", name == "mygo" ? ["sleepSteps=7", "sleepBatch=3"] : []);

    public static TheoryData<string> Methods => [.. MethodTable.All.Select(m => m.Name)];

    [Theory]
    [MemberData(nameof(Methods))]
    public void Killed_or_stopped_anywhere_a_run_ends_with_the_same_bits(string name) => OpKit.OnFreshThread(() =>
    {
        var row = MethodTable.Find(name);
        var random = new Generator(17).Stream(name);
        var (expected, calls) = Sit(row, Scenario.ClassIncremental, long.MaxValue, asked: false, null);
        foreach (bool asked in (bool[])[false, true])
        {
            var checkpoint = new RunCheckpoint(_folder.File($"state-{asked}"), EverySteps: 1 + random.NextInt64(3), Identity: name);
            byte[]? bits = null;
            int sittings = 0;
            for (; bits is null; sittings++)
            {
                Assert.True(sittings < 50, "the run does not come to an end");
                // Long enough that each sitting gets somewhere; a run stopped on request loses nothing.
                (bits, _) = Sit(row, Scenario.ClassIncremental, 8 + random.NextInt64(calls / 2), asked, checkpoint);
            }
            Assert.True(sittings > 1);
            Assert.Equal(expected, bits);
        }
    });

    [Fact]
    public void Stopped_on_request_nothing_is_done_twice() => OpKit.OnFreshThread(() =>
    {
        var row = MethodTable.Find("naive");
        var (expected, calls) = Sit(row, Scenario.ClassIncremental, long.MaxValue, asked: false, null);
        for (long at = 1; at < calls; at += 4)
        {
            var checkpoint = new RunCheckpoint(_folder.File($"state {at}"));
            var (none, first) = Sit(row, Scenario.ClassIncremental, at, asked: true, checkpoint);
            Assert.Null(none);
            var (bits, second) = Sit(row, Scenario.ClassIncremental, long.MaxValue, asked: true, checkpoint);
            Assert.Equal(expected, bits);
            // Only a test that was interrupted is made again; it has 5 calls, one for each task.
            Assert.InRange(first + second, calls, calls + 5);
        }
    });

    [Fact]
    public void A_state_of_another_run_is_refused() => OpKit.OnFreshThread(() =>
    {
        var row = MethodTable.Find("naive");
        string path = _folder.File("state");
        Sit(row, Scenario.ClassIncremental, 20, asked: true, new RunCheckpoint(path, Identity: "this"));
        var error = Assert.Throws<DataFormatException>(() => Sit(row, Scenario.ClassIncremental, 20, asked: true, new RunCheckpoint(path, Identity: "that")));
        Assert.Equal($"state: {path} is of the run 'this', not of 'that'. Delete it to begin this run anew.", error.Message);
    });

    [Theory]
    [InlineData("30s", 30.0, null)]
    [InlineData("5m", 300.0, null)]
    [InlineData("500", null, 500L)]
    public void Intervals_are_seconds_minutes_or_steps(string text, double? seconds, long? steps)
    {
        var (every, everySteps) = RunCheckpoint.ParseInterval(text);
        Assert.Equal((seconds, steps), (every?.TotalSeconds, everySteps));
    }

    [Theory]
    [InlineData("")]
    [InlineData("s")]
    [InlineData("0")]
    [InlineData("5ms")]
    [InlineData("-3")]
    [InlineData("1.5s")]
    [InlineData("99999999999")]
    public void Other_intervals_are_refused(string text) =>
        Assert.StartsWith($"checkpoint: '{text}' is no interval.", Assert.Throws<UsageException>(() => RunCheckpoint.ParseInterval(text)).Message);
}
