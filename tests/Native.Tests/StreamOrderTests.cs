using Native.Methods;

namespace Native.Tests;

/// <summary>The order in which a task's images come: the protocol's own where it has one.</summary>
public sealed class StreamOrderTests
{
    /// <summary>Writes down which images it is shown.</summary>
    private sealed class Notes : IMethod
    {
        public List<int> Seen { get; } = [];

        public long ParameterCount => 0;

        public long StorageBits => 0;

        public void BeginTask(StreamTask task, int steps)
        {
        }

        public Tensor Observe(Batch batch)
        {
            Seen.AddRange(batch.Pixels.Chunk(4).Select(p => (int)p[1]));
            return Tensor.Scalar(0f);
        }

        public void EndTask(StreamTask task)
        {
        }

        public Tensor Predict(Tensor images, StreamTask? task) => Tensor.Zeros([images.Shape[0], 10]);

        public void Persist(RunState state)
        {
        }

        public void Dispose()
        {
        }
    }

    private static TaskStream Stream(bool inOrder, TaskSelection select) => new(
        new StreamPlan("tiny", TaskStreamTests.Tiny("tiny train", 200), TaskStreamTests.Tiny("tiny test", 20), TaskStream.Chunks(10, 2)) { InOrder = inOrder, Select = select },
        Scenario.ClassIncremental);

    private static List<int> Shown(TaskStream stream, bool joint, int epochs = 1)
    {
        using var notes = new Notes();
        new Trainer(stream, new TrainerOptions(epochs, 7)).Run(notes, joint, new Generator(5));
        return notes.Seen;
    }

    [Fact]
    public void A_stream_in_order_is_shown_as_selected_in_every_pass_and_its_union_shuffled() => OpKit.OnFreshThread(() =>
    {
        var select = Selection.ShuffleCutTake(new Generator(3), 0.9, 10);
        TaskStream ordered = Stream(true, select), mixed = Stream(false, select);
        int[] selected = [.. ordered.Tasks.SelectMany(t => t.Train)];
        Assert.Equal(selected, Shown(ordered, joint: false));
        Assert.Equal(ordered.Tasks.SelectMany(t => t.Train.Concat(t.Train)), Shown(ordered, joint: false, epochs: 2));
        List<int> shuffled = Shown(mixed, joint: false), union = Shown(ordered, joint: true);
        Assert.NotEqual(selected, shuffled);
        Assert.Equal(selected.Order(), shuffled.Order());
        Assert.NotEqual(selected, union);
        Assert.Equal(selected.Order(), union.Order());
    });

    [Fact]
    public void The_end_of_a_task_of_500_each_is_of_one_class()
    {
        // Of two classes shuffled together the first 10 of each; the slower class comes alone at the end.
        var stream = Stream(true, Selection.ShuffleCutTake(new Generator(3), 0.9, 10));
        Assert.All(stream.Tasks, t =>
        {
            Assert.Equal(20, t.Train.Length);
            Assert.Equal(10, t.Train.Count(i => stream.Train.Labels[i] == t.Classes[0]));
            Assert.Equal(4, t.Validation.Length);
        });
        var five = StreamTable.Find("digits-5k-5").Build(new StreamRequest(DataFolder.From(null), Scenario.ClassIncremental, 1));
        Assert.True(five.InOrder);
        Assert.Contains(five.Tasks, t => t.Train[^10..].Select(i => five.Train.Labels[i]).Distinct().Count() == 1);
        Assert.All(five.Tasks, t => Assert.Equal(2, t.Train[..100].Select(i => five.Train.Labels[i]).Distinct().Count()));
    }

    [Fact]
    public void Retrieval_takes_the_first_of_a_shuffled_task_in_the_proportions_that_come()
    {
        var stream = StreamTable.Find("digits-mir-5").Build(new StreamRequest(DataFolder.From(null), Scenario.ClassIncremental, 1));
        Assert.False(stream.InOrder);
        Assert.All(stream.Tasks, t => Assert.Equal(1010, t.Train.Length));
        // Not 505 of each: some task is uneven.
        Assert.Contains(stream.Tasks, t => t.Train.Count(i => stream.Train.Labels[i] == t.Classes[0]) != 505);
        Assert.All(stream.Tasks, t => Assert.Empty(t.Train.Intersect(t.Validation)));
        Assert.Contains("and 1010 are wanted", Assert.Throws<UsageException>(() =>
            StreamTable.Find("digits-mir-5").Build(new StreamRequest(DataFolder.From(null), Scenario.ClassIncremental, 1) { MaxTrain = 2000 })).Message);
    }
}
