using System.Text.Json.Nodes;
using Native.Methods;

namespace Native.Tests;

/// <summary>The streams that need no data, in every scenario; and the choices that protocols make.</summary>
public sealed class StreamTableTests
{
    private static readonly DataFolder Nowhere = DataFolder.From(null, null);

    private static TaskStream Build(string name, Scenario? scenario = null, ulong seed = 0, int? train = null, int? test = null, bool shuffle = false)
    {
        var row = StreamTable.Find(name);
        return row.Build(new StreamRequest(Nowhere, scenario ?? row.Usual, seed) { MaxTrain = train, MaxTest = test, ShuffleClasses = shuffle });
    }

    /// <summary>What must hold of every stream.</summary>
    internal static void Sound(TaskStream s)
    {
        Assert.All(s.Tasks, t =>
        {
            Assert.NotEmpty(t.Train);
            Assert.NotEmpty(t.Test);
            var classes = t.Classes.ToHashSet();
            Assert.True(t.Train.Concat(t.Validation).All(i => classes.Contains(s.TrainItems.Labels[i])), t.Name);
            Assert.True(t.Test.All(i => classes.Contains(s.TestItems.Labels[i])), t.Name);
            Assert.Equal(t.Classes.Select(s.Target).Order(), t.Outputs);
            Assert.All(t.Classes, c => Assert.Equal(c, s.LabelOf(t.Index, s.Target(c))));
            Assert.True(t.Outputs[0] >= 0 && t.Outputs[^1] < s.Outputs);
        });
        Assert.Equal(s.Tasks.Sum(t => t.Classes.Length), s.ClassOrder.Distinct().Count());
        // Nothing is trained on twice, nor held back and trained on.
        int[] used = [.. s.Tasks.SelectMany(t => t.Train.Concat(t.Validation))];
        Assert.Equal(used.Length, used.Distinct().Count());
        Assert.Equal(s.Describe().ToJsonString(), JsonNode.Parse(s.Describe().ToJsonString())!.ToJsonString());
        Assert.DoesNotContain("/", s.Describe()["train"]!["provenance"]!.GetValue<string>());
    }

    public static TheoryData<string> BuiltIn => [.. StreamTable.All.Where(r => r.State(Nowhere) == "built in").Select(r => r.Name)];

    [Theory]
    [MemberData(nameof(BuiltIn))]
    public void Streams_that_need_no_data_exist_in_every_scenario(string name)
    {
        foreach (var scenario in Enum.GetValues<Scenario>())
        {
            var s = Build(name, scenario, test: 200);
            Sound(s);
            Assert.Equal(scenario.Name(), s.Describe()["scenario"]!.GetValue<string>());
            int classes = s.ClassOrder.Length, most = s.Tasks.Max(t => t.Classes.Length);
            Assert.Equal(scenario == Scenario.DomainIncremental ? most : classes, s.Outputs);
            using var scope = TensorScope.Begin();
            if (s.IsText)
            {
                var texts = s.BatchOf(s.TrainItems, s.Tasks[1].Train.AsSpan(0, 3));
                Assert.All(Enumerable.Range(0, 3), i => Assert.InRange(s.Words(s.TrainItems, s.Tasks[1].Train[i]).Length, 6, 40));
                Assert.Equal((3L, DType.I64), (texts.X.Shape[0], texts.X.DType));
                Assert.Equal([1, 1, 1], texts.Tasks);
                continue;
            }
            var batch = s.BatchOf(s.Train, s.Tasks[^1].Train.AsSpan(0, 4));
            Assert.Equal([4L, s.InputSize], batch.X.Shape.ToArray());
            Assert.True(batch.X.ToArray<float>().All(v => v >= s.Scale.Low && v <= s.Scale.High));
            Assert.All(batch.Targets, t => Assert.Contains(t, s.Tasks[^1].Outputs));
        }
    }

    [Fact]
    public void There_is_a_stream_for_every_table_of_the_papers()
    {
        string[] wanted =
        [
            "mnist", "split-mnist", "split-mnist-10", "mnist-5k-5", "mnist-rotations", "cifar10-5", "cifar10-mir-5", "cifar10-10", "svhn-10", "cifar100-20", "cifar100-20-super",
            "cifar100-cifar10", "omniglot-50", "ag-news-2", "ag-news-2-part", "miniimagenet-20", "miniimagenet-mir-20", "imagenet-50", "split-digits", "textures-5", "topics-2",
        ];
        Assert.Empty(wanted.Except(StreamTable.All.Select(r => r.Name)));
        Assert.Equal(StreamTable.All.Count, StreamTable.All.Select(r => r.Name).Distinct().Count());
        // Without data, each of the others says what is missing and names the file.
        foreach (var row in StreamTable.All.Where(r => r.State(Nowhere) != "built in" && r.Name != "split-mnist"))
            Assert.Contains("no data folder is given", Assert.Throws<UsageException>(() => row.Build(new StreamRequest(Nowhere, row.Usual))).Message);
    }

    [Fact]
    public void Five_thousand_digits_are_500_of_each_class_in_the_papers_way()
    {
        var s = Build("digits-5k-5", seed: 3);
        Assert.Equal([1000, 1000, 1000, 1000, 1000], s.Tasks.Select(t => t.Train.Length));
        Assert.All(s.Tasks, t => Assert.All(t.Classes, c => Assert.Equal(500, t.Train.Count(i => s.Train.Labels[i] == c))));
        // 12,000 drawn digits: 2,400 a task, of which int(0.95 x 2,400) are not for validation.
        Assert.All(s.Tasks, t => Assert.Equal(120, t.Validation.Length));
        Assert.Equal(Build("digits-5k-5", seed: 3).Tasks[2].Train, s.Tasks[2].Train);
        Assert.NotEqual(Build("digits-5k-5", seed: 4).Tasks[2].Train, s.Tasks[2].Train);
        // Shuffled together, not class by class.
        Assert.InRange(s.Tasks[0].Train.Take(100).Count(i => s.Train.Labels[i] == 0), 25, 75);
        Assert.Equal(3UL, s.Describe()["seed"]!.GetValue<ulong>());
        Assert.Contains("500 are wanted", Assert.Throws<UsageException>(() => Build("digits-5k-5", train: 1000)).Message);
    }

    // Maximally Interfered Retrieval, data.py: 2 (x - 0.5), and int(0.95 n) of each shuffled task.
    [Fact]
    public void Colours_of_interfered_retrieval_are_symmetric_and_a_random_part()
    {
        TaskStream s = Build("textures-mir-5", seed: 3, test: 50), arm = Build("textures-5", seed: 3, test: 50);
        Assert.Equal(arm.Tasks.Select(t => t.Classes), s.Tasks.Select(t => t.Classes));
        Assert.Same(PixelScale.Symmetric, s.Scale);
        Assert.All(s.Tasks, t => Assert.Equal((int)(0.95 * (t.Train.Length + t.Validation.Length)), t.Train.Length));
        Assert.NotEqual(arm.Tasks[1].Train, s.Tasks[1].Train);
        Assert.Equal(Build("textures-mir-5", seed: 3, test: 50).Tasks[1].Train, s.Tasks[1].Train);
        Assert.NotEqual(Build("textures-mir-5", seed: 4, test: 50).Tasks[1].Train, s.Tasks[1].Train);
    }

    [Fact]
    public void Rotated_tasks_turn_the_same_images_by_an_angle_of_their_bin()
    {
        var s = Build("digits-rotations", seed: 1, test: 50);
        Assert.Equal((20, 10), (s.Tasks.Count, s.Outputs));
        double[] angles = [.. s.Describe()["angles"]!.AsArray().Select(a => a!.GetValue<double>())];
        Assert.All(angles.Index(), a => Assert.InRange(a.Item, 9 * a.Index, 9 * (a.Index + 1)));
        Assert.Equal(angles.Select(a => $"{a:F1} deg"), s.Tasks.Select(t => t.Name));
        Assert.All(s.Tasks, t => Assert.Equal((1000, 50), (t.Train.Length, t.Test.Length)));
        var plain = Build("split-digits", test: 50).Test;
        foreach (int t in (int[])[0, 7, 19])
        {
            var map = Rotation.Map(28, 28, angles[t]);
            for (int i = 0; i < 50; i++)
            {
                var turned = new byte[784];
                Rotation.Apply(plain.Image(i), map, turned);
                Assert.Equal(turned, s.Test.Image(s.Tasks[t].Test[i]).ToArray());
                Assert.Equal(plain.Labels[i], s.Target(s.Test.Labels[s.Tasks[t].Test[i]]));
            }
        }
        // The seed chooses the images, not the angles.
        var other = Build("digits-rotations", seed: 2, test: 50);
        Assert.Equal(s.Describe()["angles"]!.ToJsonString(), other.Describe()["angles"]!.ToJsonString());
        Assert.NotEqual(s.Train.Image(0).ToArray(), other.Train.Image(0).ToArray());
        Assert.Equal(200, Build("digits-rotations", Scenario.ClassIncremental, test: 50).Outputs);
        Assert.Contains("order of its tasks is fixed", Assert.Throws<UsageException>(() => Build("digits-rotations", shuffle: true)).Message);
    }

    [Fact]
    public void Single_class_tasks_are_32_pixels_wide_from_minus_one_to_one_and_hold_back_15_percent()
    {
        var s = Build("digits-10", seed: 5, train: 1000, test: 100);
        Assert.Equal((32, 32, 1024), (s.Train.Height, s.Train.Width, s.InputSize));
        Assert.All(s.Tasks, t => Assert.Equal((85, 15, 1), (t.Train.Length, t.Validation.Length, t.Outputs.Length)));
        Assert.Equal("[-1,1]", s.Describe()["input"]!["scale"]!.GetValue<string>());
        Assert.NotEqual(Build("digits-10", seed: 6, train: 1000, test: 100).Tasks[0].Validation, s.Tasks[0].Validation);
        var unit = StreamTable.Find("digits-10").Build(new StreamRequest(Nowhere) { Scale = PixelScale.Unit, MaxTrain = 100, MaxTest = 100 });
        Assert.Equal("[0,1]", unit.Scale.Name);
    }

    [Fact]
    public void Validation_from_the_tail_is_the_last_of_each_class()
    {
        var set = TaskStreamTests.Tiny("t", 200);
        var (train, held) = Selection.HeadTail(0.95)(0, [.. Enumerable.Range(0, 200).Where(i => set.Labels[i] < 2)], set);
        Assert.Equal(38, train.Length);
        Assert.Equal([190, 191], held);
        var s = Build("textures-5", test: 100);
        Assert.All(s.Tasks, t => Assert.Equal((2280, 120), (t.Train.Length, t.Validation.Length)));
        Assert.Equal(s.Tasks.Sum(t => t.Validation.Length), s.Union().Validation.Length);
    }

    [Fact]
    public void A_shuffled_order_is_recorded_with_its_seed_and_an_unshuffled_one_is_the_same_for_all_seeds()
    {
        var s = Build("split-digits", seed: 9, shuffle: true);
        Assert.Equal(9UL, s.Describe()["seed"]!.GetValue<ulong>());
        Assert.Equal(s.ClassOrder, s.Describe()["classOrder"]!.AsArray().Select(c => c!.GetValue<int>()));
        Assert.NotEqual(Enumerable.Range(0, 10), s.ClassOrder);
        Assert.Equal(Build("split-digits", seed: 1).Describe().ToJsonString(), Build("split-digits", seed: 2).Describe().ToJsonString());
    }

    [Fact]
    public void Part_of_a_set_is_its_first_items()
    {
        var s = Build("split-digits", train: 120, test: 30);
        Assert.Equal((120, 30), (s.Train.Count, s.Test.Count));
        Assert.Contains("(the first 120 of 12000)", s.Train.Name);
        Assert.Contains("are none", Assert.Throws<UsageException>(() => Build("split-digits", train: 0)).Message);
        var texts = (TextSet)Build("topics-2", train: 40).TrainItems;
        Assert.Equal(40, texts.Count);
        Assert.Equal(((TextSet)Build("topics-2").TrainItems).Text(39), texts.Text(39));
    }

    [Fact]
    public void Tasks_of_different_sizes_share_the_outputs_of_the_largest()
    {
        var plan = new StreamPlan("uneven", TaskStreamTests.Tiny("a", 60, 6), TaskStreamTests.Tiny("b", 30, 6), [[0], [1, 2, 3], [5, 4]]);
        var domain = new TaskStream(plan, Scenario.DomainIncremental);
        Assert.Equal(3, domain.Outputs);
        Assert.Equal([0, 0, 1, 2, 1, 0], Enumerable.Range(0, 6).Select(domain.Target));
        Assert.Equal(4, domain.LabelOf(2, 1));
        Assert.Contains("has no class for output 2", Assert.Throws<UsageException>(() => domain.LabelOf(2, 2)).Message);
        Assert.Contains("in two places", Assert.Throws<UsageException>(() => new TaskStream(plan with { Tasks = [[0, 1], [1]] }, Scenario.TaskIncremental)).Message);
        Assert.Contains("without classes", Assert.Throws<UsageException>(() => new TaskStream(plan with { Tasks = [[0, 1], []] }, Scenario.TaskIncremental)).Message);
        var texts = TextSet.From("t", ["a"], [0], "x");
        Assert.Contains("not of one kind", Assert.Throws<UsageException>(() => new TaskStream(plan with { Test = texts }, Scenario.TaskIncremental)).Message);
    }

    [Fact]
    public void Texts_and_images_are_not_taken_for_each_other()
    {
        var s = Build("topics-2");
        Assert.Contains("are texts, and images are asked for", Assert.Throws<UsageException>(() => s.Train).Message);
        Assert.Contains("are texts, and images are asked for", Assert.Throws<UsageException>(() => new Naive(s, new SeedStreams(0), new NaiveOptions())).Message);
        var digits = Build("split-digits", train: 100, test: 20);
        Assert.Contains("are images, and words are asked for", Assert.Throws<UsageException>(() => digits.Vocabulary).Message);
    }

    [Fact]
    public void Two_sets_join_with_their_labels_one_after_the_other()
    {
        var both = TaskStreamTests.Tiny("a", 20, 4).Then(TaskStreamTests.Tiny("b", 10, 5), 4);
        Assert.Equal((30, "a + b"), (both.Count, both.Name));
        Assert.Equal([4, 5, 6, 7, 8], both.Labels[20..25]);
        Assert.Equal(TaskStreamTests.Tiny("b", 10, 5).Image(3).ToArray(), both.Image(23).ToArray());
        Assert.Contains("Resample one", Assert.Throws<UsageException>(() => both.Then(SyntheticDigits.Make(new Generator(1), 10, 10).Train, 9)).Message);
    }
}
