using Native.Methods;

namespace Native.Tests;

public sealed class TrainerTests
{
    /// <summary>Notes what it is shown; answers from the first pixel, which the tiny images use for their label.</summary>
    private sealed class Spy(TaskStream stream, Func<int, StreamTask?, float[]> answer, double loss = 0.5) : IMethod
    {
        public List<string> Calls { get; } = [];

        public List<int> Shown { get; } = [];

        /// <summary>Called with the number of steps seen so far.</summary>
        public Action<int>? Stepped { get; init; }

        public long ParameterCount => 0;

        public long StorageBits => 0;

        public void BeginTask(StreamTask task, int steps) => Calls.Add($"begin {task.Index} of {steps}");

        public void EndTask(StreamTask task) => Calls.Add($"end {task.Index}");

        public Tensor Observe(Batch batch)
        {
            Calls.Add($"observe {batch.Count}");
            for (int i = 0; i < batch.Count; i++)
                Shown.Add(batch.Pixels[4 * i + 1]);
            Stepped?.Invoke(Calls.Count(c => c.StartsWith("observe", StringComparison.Ordinal)));
            return Tensor.Scalar(loss);
        }

        public Tensor Predict(Tensor images, StreamTask? task)
        {
            Assert.False(Autograd.IsRecording);
            int n = (int)images.Shape[0];
            var x = images.ToArray<float>();
            return Tensor.From(Enumerable.Range(0, n).SelectMany(i => answer((int)Math.Round(x[4 * i] * 255), task)).ToArray(), [n, stream.Outputs]);
        }

        public void Persist(RunState state)
        {
        }

        public void Dispose()
        {
        }
    }

    private static float[] OneHot(int outputs, int at)
    {
        var v = new float[outputs];
        v[at] = 1;
        return v;
    }

    [Fact]
    public void Phases_show_their_own_images_once_per_epoch_and_keep_the_short_batch() => OpKit.OnFreshThread(() =>
    {
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental, train: 60);
        using var spy = new Spy(stream, (label, _) => OneHot(10, label));
        long live = Ambient.Current.Allocator.Stats.LiveCount;
        var result = new Trainer(stream, new TrainerOptions(Epochs: 2, BatchSize: 5)).Run(spy, joint: false, new Generator(0));
        Assert.Equal(live, Ambient.Current.Allocator.Stats.LiveCount);
        string phase(int t) => $"begin {t} of 6 observe 5 observe 5 observe 2 observe 5 observe 5 observe 2 end {t}";
        Assert.Equal(string.Join(' ', Enumerable.Range(0, 5).Select(phase)), string.Join(' ', spy.Calls));
        for (int epoch = 0; epoch < 10; epoch++)
            Assert.Equal(stream.Tasks[epoch / 2].Train, spy.Shown.Skip(12 * epoch).Take(12).Order());
        Assert.NotEqual(spy.Shown.Take(12), spy.Shown.Skip(12).Take(12));
        Assert.Equal(30, result.Steps);
        Assert.True(result.Matrix.Complete);
        Assert.Equal(6, result.Matrix.Rows);
        Assert.Equal(1, result.Matrix[5, 1]);
    });

    [Fact]
    public void Joint_training_is_one_phase_over_everything()
    {
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental, train: 60);
        using var spy = new Spy(stream, (label, _) => OneHot(10, label < 4 ? label : 0));
        var result = new Trainer(stream).Run(spy, joint: true, new Generator(0));
        Assert.Equal("begin -1 of 6", spy.Calls[0]);
        Assert.Equal(Enumerable.Range(0, 60), spy.Shown.Order());
        Assert.Equal([1, 1, 0, 0, 0], result.Matrix.Row(1));
    }

    [Fact]
    public void The_task_is_told_only_in_the_task_incremental_scenario_and_other_outputs_do_not_compete()
    {
        foreach (var scenario in Enum.GetValues<Scenario>())
        {
            var stream = TaskStreamTests.Stream(scenario);
            bool told = false;
            // The largest logit is always output 0; the right one comes second.
            using var spy = new Spy(stream, (label, task) =>
            {
                told |= task is not null;
                var v = new float[stream.Outputs];
                v[stream.Target(label)] = 1;
                v[0] += 2;
                return v;
            });
            var accuracies = new Trainer(stream).Evaluate(spy);
            Assert.Equal(scenario == Scenario.TaskIncremental, told);
            Assert.Equal(scenario switch
            {
                Scenario.TaskIncremental => [0.5, 1, 1, 1, 1],
                Scenario.ClassIncremental => [0.5, 0, 0, 0, 0],
                _ => new double[] { 0.5, 0.5, 0.5, 0.5, 0.5 },
            }, accuracies);
        }
    }

    [Fact]
    public void NaN_stops_the_run()
    {
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental);
        using var badLogits = new Spy(stream, (_, _) => [0, 0, 0, float.NaN, 0, 0, 0, 0, 0, 0]);
        Assert.StartsWith("predict: output 3 is NaN.", Assert.Throws<NumericException>(() => new Trainer(stream).Evaluate(badLogits)).Message);
        using var badLoss = new Spy(stream, (label, _) => OneHot(10, label), double.NaN);
        Assert.StartsWith("train: the loss is NaN at step 1 of 2 of task {0,1}.",
            Assert.Throws<NumericException>(() => new Trainer(stream).Run(badLoss, joint: false, new Generator(0))).Message);
    }

    [Fact]
    public void A_cancelled_run_ends_before_the_next_step()
    {
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental);
        using var cancel = new CancellationTokenSource();
        using var spy = new Spy(stream, (label, _) => OneHot(10, label))
        {
            Stepped = n =>
            {
                if (n == 3)
                    cancel.Cancel();
            },
        };
        Assert.Throws<OperationCanceledException>(() => new Trainer(stream).Run(spy, joint: false, new Generator(0), cancel: cancel.Token));
        Assert.Equal(["begin 0 of 2", "observe 10", "observe 2", "end 0", "begin 1 of 2", "observe 10"], spy.Calls);
    }

    [Fact]
    public void Wrong_options_are_refused()
    {
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental);
        string refusal(TrainerOptions o) => Assert.Throws<UsageException>(() => new Trainer(stream, o)).Message;
        Assert.Equal("train: epochs must be 1 or more; got 0.", refusal(new TrainerOptions(Epochs: 0)));
        Assert.Equal("train: batch size must be 1 or more; got -1.", refusal(new TrainerOptions(BatchSize: -1)));
    }

    [Fact]
    public void The_largest_batch_is_one_step_and_more_steps_than_can_be_counted_are_refused() => OpKit.OnFreshThread(() =>
    {
        var stream = TaskStreamTests.Stream(Scenario.ClassIncremental, train: 60);
        using var spy = new Spy(stream, (label, _) => OneHot(10, label));
        Assert.Equal(5, new Trainer(stream, new TrainerOptions(BatchSize: int.MaxValue)).Run(spy, joint: false, new Generator(0)).Steps);
        Assert.Equal("train: 2147483647 epochs of 12 steps are more than 2147483647 steps of one task. Give fewer epochs.", Assert.Throws<UsageException>(() =>
            new Trainer(stream, new TrainerOptions(Epochs: int.MaxValue, BatchSize: 1)).Run(spy, joint: false, new Generator(0))).Message);
    });
}
