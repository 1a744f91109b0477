using Native.Methods;

namespace Native.Tests;

/// <summary>Watching a run changes nothing; what is watched is what happened; gradients compare as their definition says.</summary>
public sealed class RecallStudyTests
{
    private static TaskStream Digits => RecallTests.Digits.Value;

    private static AutomaticRecallMachine Arm(ulong seed, ArmOptions? options = null) => new(Digits, new SeedStreams(seed), options ?? new ArmOptions(Width: 16));

    [Fact]
    public void A_watched_run_is_the_trainers_to_the_bit() => OpKit.OnFreshThread(() =>
    {
        using AutomaticRecallMachine watched = Arm(2), plain = Arm(2);
        var history = RecallStudy.Run(watched, Digits, new SeedStreams(2).Batch, new TrainerOptions(), every: 7, new HashSet<long> { 10, 30 });
        var result = new Trainer(Digits).Run(plain, joint: false, new SeedStreams(2).Batch);
        Assert.Equal(RecallTests.Values(plain.Networks.Now), RecallTests.Values(watched.Networks.Now));
        Assert.Equal(result.Matrix.Row(5), history.Accuracies[^1]);
        Assert.Equal(result.Matrix.Row(0), history.Accuracies[0]);
        int perTask = Digits.Tasks[0].Train.Length / 10, steps = Digits.Tasks.Sum(t => (t.Train.Length + 9) / 10);
        Assert.Equal(0, history.Evaluated[0]);
        Assert.Equal(steps, history.Evaluated[^1]);
        // One slice for each iteration from the second task on: probabilities.
        Assert.Equal(steps - (Digits.Tasks[0].Train.Length + 9) / 10, history.Iterations.Count);
        Assert.All(history.Recalled, p => Assert.Equal(1, p.Sum(), 1e-4f));
        // Two pictures of two rows of ten, at twice the size, with one pixel between.
        Assert.Equal([1L, 4 * 57 + 1, 10 * 57 + 1], history.Pictures!.Shape.ToArray());
    });

    [Fact]
    public void The_rows_below_are_the_real_images_that_recall_started_from() => OpKit.OnFreshThread(() =>
    {
        // Without a step of ascent recalled and real are the same picture.
        using var arm = Arm(2, new ArmOptions(Width: 16, Steps: 0));
        var pictures = RecallStudy.Run(arm, Digits, new SeedStreams(2).Batch, new TrainerOptions(), every: 0, new HashSet<long> { 12 }).Pictures!;
        int width = (int)pictures.Shape[2], row = 57 * width;
        Assert.Equal(pictures.Data[width..(width + row)], pictures.Data[(width + row)..(width + 2 * row)]);
        Assert.True(pictures.Data.Distinct().Count() > 20);
    });

    [Fact]
    public void A_gradient_resembles_itself_and_a_class_of_its_own() => OpKit.OnFreshThread(() =>
    {
        // A stream with one training image per class: the real image of a class is known.
        var (train, test) = SyntheticDigits.Make(new Generator(5), 400, 100);
        int[] first = [.. Enumerable.Range(0, 10).Select(c => Array.IndexOf(train.Labels, c))];
        var one = train with { Pixels = [.. first.SelectMany(i => train.Image(i).ToArray())], Labels = [.. Enumerable.Range(0, 10)], Count = 10 };
        var stream = TaskStream.SplitDigits("one", one, test, Scenario.ClassIncremental);
        using var net = new Mlp(784, 10, new Generator(3), 12);
        var study = new GradientCorrelation(stream, net, new Generator(4));
        using var scope = TensorScope.Begin();
        // The very image of class 7, recalled as 7, said to have started from a 4.
        var image = stream.BatchOf(one, [7]).X;
        study.Add(image, Tensor.From([.. Enumerable.Range(0, 10).Select(c => c == 7 ? 1f : 0)], [1, 10]), originClass: 4);
        var rows = study.Rows();
        Assert.Equal(["FC 1", "FC 2", "FC 3", "All", "FC 1", "FC 2", "FC 3", "All"], rows.Select(r => r.Layer));
        foreach (var row in rows)
        {
            // One-hot soft targets are hard ones; the same gradient: 1.
            Assert.Equal(1, row.Target.Mean, 1e-5);
            Assert.Equal(0, row.Target.Spread, 1e-3);
            Assert.InRange(row.Origin.Mean, -1, 0.99);
            Assert.Equal(row.Layer == "All" ? 6 : 2, row.Target.Count);
        }
        // And by hand for the first layer's weights against class 4.
        Tensor gradient(int c) => Autograd.Grad(Functional.CrossEntropy(net.Forward(stream.BatchOf(one, [c]).X), Tensor.From([(long)c], [1])), [.. net.Layers[0].Blocks])[0];
        Tensor a = gradient(7), b = gradient(4);
        Tensor bias(int c) => Autograd.Grad(Functional.CrossEntropy(net.Forward(stream.BatchOf(one, [c]).X), Tensor.From([(long)c], [1])), [.. net.Layers[0].Blocks])[1];
        static double cosine(Tensor x, Tensor y) => (x * y).Sum().Item() / (x.Norm().Item() * y.Norm().Item());
        Assert.Equal((cosine(a, b) + cosine(bias(7), bias(4))) / 2, rows[0].Origin.Mean, 1e-5);
        // What is recalled as the class that it started from has no second class.
        study.Add(image, Tensor.From([.. Enumerable.Range(0, 10).Select(c => c == 7 ? 1f : 0)], [1, 10]), originClass: 7);
        Assert.Equal(1, study.PassedOver);
        Assert.Equal(6, study.Rows()[3].Target.Count);
    });

    [Fact]
    public void The_study_of_a_run_leaves_the_networks_alone_and_repeats() => OpKit.OnFreshThread(() =>
    {
        using var arm = Arm(2, new ArmOptions(Width: 16, GradientSamples: 25));
        RecallTests.Train(arm, Digits, 10, 10);
        float[] before = RecallTests.Values(arm.Networks.Now);
        var first = arm.Measure(CancellationToken.None);
        Assert.Equal(before, RecallTests.Values(arm.Networks.Now));
        Assert.Equal(2 * 4 * 2 * 2, first.Count);
        Assert.Contains(first, m => m.Key == "hard.FC3.class2" && m.Value is > -1 and < 1);
        Assert.Contains(first, m => m.Key == "soft.All.class1.spread");
        using var none = Arm(2);
        Assert.Empty(none.Measure(CancellationToken.None));
        using var noise = Arm(2, new ArmOptions(Width: 16, GradientSamples: 5, FromNoise: true));
        Assert.Contains("no class of origin", Assert.Throws<UsageException>(() => noise.Measure(CancellationToken.None)).Message);
    });

    [Fact]
    public void Shares_of_classes_are_those_of_the_watched_history_and_change_no_bit() => OpKit.OnFreshThread(() =>
    {
        var options = new ArmOptions(Width: 16, Steps: 2, Repeats: 2, History: true);
        using AutomaticRecallMachine watched = Arm(2, options), plain = Arm(2, options with { History = false });
        var history = RecallStudy.Run(watched, Digits, new SeedStreams(2).Batch, new TrainerOptions(), every: 0, new HashSet<long>());
        new Trainer(Digits).Run(plain, joint: false, new SeedStreams(2).Batch);
        Assert.Equal(RecallTests.Values(plain.Networks.Now), RecallTests.Values(watched.Networks.Now));
        Assert.Empty(plain.Measure(CancellationToken.None));
        int[] steps = [.. Digits.Tasks.Select(t => (t.Train.Length + 9) / 10)];
        int taskAt(long t) => Enumerable.Range(0, steps.Length).First(k => t < steps[..(k + 1)].Sum());
        double share(Func<int, int, bool> counts) => history.Iterations.Zip(history.Recalled)
            .Select(r => Enumerable.Range(0, 10).Where(c => counts(c / 2, taskAt(r.First))).Select(c => (double)r.Second[c]).ToList())
            .Where(s => s.Count > 0).Average(s => s.Average());
        var measured = watched.Measure(CancellationToken.None).ToDictionary(m => m.Key, m => m.Value!.Value);
        Assert.Equal(3, measured.Count);
        Assert.Equal(share((of, now) => of == now), measured["recalledPresent"], 1e-5);
        Assert.Equal(share((of, now) => of < now), measured["recalledEarlier"], 1e-5);
        Assert.Equal(share((of, now) => of > now), measured["recalledUnseen"], 1e-5);
        Assert.True(measured["recalledEarlier"] > 0.02 + Math.Max(measured["recalledPresent"], measured["recalledUnseen"]), string.Join(' ', measured));
        using var untrained = Arm(2, options);
        Assert.All(untrained.Measure(CancellationToken.None), m => Assert.StartsWith("nothing was recalled while there were classes of", m.Reason, StringComparison.Ordinal));
    });

    [Fact]
    public void A_folder_that_cannot_be_written_is_found_before_the_run()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("taken"), "");
        using StringWriter output = new(), error = new();
        Assert.Equal(2, Benchmarks.App.Run(["recall", "naive", "--stream", "digits-5k-5", "--out", folder.File("taken")], output, error));
        Assert.Matches("^write: .*taken.accuracy.csv cannot be written; .* Name another file.$", error.ToString().TrimEnd());
        Assert.Equal("", output.ToString());
    }
}
