using Native.Benchmarks;
using Native.Methods;

namespace Native.Tests;

/// <summary>
/// Orders that hold whatever the scale (Automatic Recall Machines, table 3 and table 7): on the twin of MNIST-5k-5 over drawn digits, and, where
/// the images are, the published numbers on MNIST itself.
/// </summary>
public sealed class RecallOrderTests
{
    /// <summary>Accuracy and forgetting (in the definition of the row's source), fractions, means over seeds.</summary>
    private static (double Accuracy, double Forgetting) Mean(string method, string stream, int seeds, params string[] set)
    {
        var row = MethodTable.Find(method);
        var settings = new MethodSettings(Options: set.Select(MethodOptions.Pair).ToDictionary(StringComparer.Ordinal), Stream: stream);
        var runs = Enumerable.Range(0, seeds).Select(seed =>
        {
            var cut = StreamTable.Find(stream).Build(new StreamRequest(DataFolder.From(null), Scenario.ClassIncremental, (ulong)seed));
            return MethodRun.Execute(new RunSpec(row, stream, Scenario.ClassIncremental, (ulong)seed, new TrainerOptions(), settings), cut, null, CancellationToken.None);
        }).ToList();
        return (runs.Average(r => r["averageAccuracy"]!.Value), row.Joint ? 0 : runs.Average(r => r[method == "er" ? "forgettingMir" : "forgetting"]!.Value));
    }

    [Fact]
    public void On_drawn_digits_methods_come_in_the_papers_order()
    {
        const string Stream = "digits-5k-5";
        var stationary = Mean("stationary", Stream, 2);
        var er500 = Mean("er", Stream, 2);
        var er50 = Mean("er", Stream, 2, "capacity=50");
        var adi = Mean("adi", Stream, 2);
        var arm = Mean("arm", Stream, 2);
        var lwf = Mean("lwf", Stream, 2);
        var naive = Mean("naive", Stream, 2);
        string all = $"stationary {stationary}, er 500 {er500}, er 50 {er50}, adi {adi}, arm {arm}, lwf {lwf}, naive {naive}";
        Assert.True(stationary.Accuracy > er500.Accuracy && er500.Accuracy > er50.Accuracy, all);
        Assert.True(er500.Accuracy > Math.Max(arm.Accuracy, adi.Accuracy) && Math.Min(er50.Accuracy, Math.Min(arm.Accuracy, adi.Accuracy)) > lwf.Accuracy, all);
        Assert.True(lwf.Accuracy > naive.Accuracy + 0.05, all);
        Assert.True(naive.Forgetting > 0.9 && naive.Forgetting > lwf.Forgetting && lwf.Forgetting > arm.Forgetting && arm.Forgetting > adi.Forgetting, all);
    }

    [Fact]
    public void On_drawn_digits_noise_and_too_much_recall_cost_what_the_ablation_says()
    {
        const string Stream = "digits-5k-5";
        // 3 seeds: rounding alone moves a run by three points.
        var arm = Mean("arm", Stream, 3);
        var noise = Mean("arm", Stream, 3, "fromNoise=true");
        // Two recalls per step fix the network on its first task: accuracy and forgetting both fall.
        var twice = Mean("arm", Stream, 1, "repeats=2");
        Assert.True(noise.Accuracy < arm.Accuracy, $"{noise} against {arm}");
        Assert.True(twice.Accuracy < arm.Accuracy - 0.05 && twice.Forgetting < arm.Forgetting - 0.1, $"{twice} against {arm}");
    }

    [Fact]
    public void On_drawn_digits_diversity_helps_and_four_recalls_per_step_learn_nothing_new()
    {
        const string Stream = "digits-5k-5";
        var arm = Mean("arm", Stream, 2);
        // 48.6% against 42.9; on CIFAR-10 it is 26.9 against 16.5.
        var alike = Mean("arm", Stream, 2, "diversity=0");
        Assert.True(alike.Accuracy < arm.Accuracy - 0.02, $"{alike} against {arm}");
        // Recalled images start again each time, as the paper says: 19.9% and 0.1% against 49.6 and 27.4. What is left is the first task, a fifth.
        var four = Mean("arm", Stream, 1, "repeats=4");
        Assert.True(four.Accuracy < arm.Accuracy - 0.1 && four.Forgetting < arm.Forgetting - 0.1, $"{four} against {arm}");
        Assert.True(four.Accuracy > 0.15, $"{four}");
    }

    // Table 3; accuracy within 4 points and forgetting within 6, means of 5 seeds; of 15 for a memory of 50, which images it happens to hold decides (5 points).
    [MnistFact]
    public void On_mnist_the_rows_of_table_3_are_reached()
    {
        var rows = new (string Method, string Stream, string[] Set, double Accuracy, double Forgetting)[]
        {
            ("stationary", "mnist-5k-5", [], 87.1, 0), ("er", "mnist-mir-5", [], 83.2, 13.4), ("er", "mnist-mir-5", ["capacity=50"], 62.8, 42.0),
            ("naive", "mnist-5k-5", [], 18.8, 95.6), ("lwf", "mnist-5k-5", [], 33.3, 58.0), ("adi", "mnist-5k-5", [], 55.4, 11.5), ("arm", "mnist-5k-5", [], 56.2, 21.3),
        };
        foreach (var (method, stream, set, accuracy, forgetting) in rows)
        {
            var (a, f) = Mean(method, stream, set.Length == 0 ? 5 : 15, set);
            string what = $"{method} {string.Join(' ', set)}: {100 * a:F1} / {100 * f:F1}, published {accuracy} / {forgetting}";
            Assert.True(Math.Abs(100 * a - accuracy) <= 4, what);
            Assert.True(Math.Abs(100 * f - forgetting) <= 6, what);
        }
    }
}
