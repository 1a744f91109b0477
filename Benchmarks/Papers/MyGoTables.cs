using Native.Methods;
using static Native.Benchmarks.Published;

namespace Native.Benchmarks;

/// <summary>MyGO: Memory Yielding Generative Offline-consolidation for Lifelong Learning Systems (Ji and Song 2025): tables 1 and 2.</summary>
internal static class MyGoTables
{
    private const string Paper = "MyGO", Spread = "none printed; one run";
    private const string Code = "released code (src/test.py): Adam 1e-3 and 1e-4, batch 128, 5 epochs, 1000 sleep steps; the paper gives none";

    // The released code loads the training split only, and its fine-tuning has one shared head of two outputs without a task id.
    private const string OnTraining = "the paper's number is accuracy on training data";

    public static IReadOnlyList<PaperTable> All { get; } = [Final(), Course()];

    private static Recipe Tuned(string stream) => new("mygo-finetune", stream) { Scenario = Scenario.DomainIncremental, Epochs = 5, BatchSize = 128 };

    private static Recipe MyGo(string stream) => new("mygo", stream) { Scenario = Scenario.TaskIncremental, Epochs = 5, BatchSize = 128 };

    private static PaperTable Final()
    {
        PaperColumn[] tasks(int n) => [.. Enumerable.Range(1, n).Select(t => new PaperColumn($"T{t} Acc.", $"task{t}")), new("Average Acc.", "averageAccuracy")];
        return new("mygo/table1", Paper, "Final accuracy after completion of all tasks", Spread, 1,
        [
            .. Plain("Split-MNIST: Fine-tuning", Tuned("split-mnist"), tasks(5), Code, 43.85, 69.59, 21.90, 95.44, 99.61, 66.08).NotComparable(OnTraining),
            .. Plain("Split-MNIST: MyGO", MyGo("split-mnist"), tasks(5), Code, 99.23, 95.14, 96.96, 99.46, 95.15, 97.19).NotComparable(OnTraining),
            .. Plain("Split-AG News: Fine-tuning", Tuned("ag-news-2"), tasks(2), Code, 63.11, 96.37, 79.74).NotComparable(OnTraining),
            .. Plain("Split-AG News: MyGO", MyGo("ag-news-2"), tasks(2), Code, 76.64, 73.43, 75.03).NotComparable(OnTraining),
        ]);
    }

    private static PaperTable Course()
    {
        PaperColumn[] after = [.. Enumerable.Range(1, 5).Select(t => new PaperColumn($"After Task {t}", $"average{t}"))];
        return new("mygo/table2", Paper, "Evolution of average accuracy on Split-MNIST", Spread, 1,
        [
            .. Plain("Fine-tuning", Tuned("split-mnist"), after, Code, 100.00, 78.04, 63.71, 73.06, 66.08).NotComparable(OnTraining),
            .. Plain("MyGO", MyGo("split-mnist"), after, Code, 99.23, 97.19, 97.11, 97.70, 97.19).NotComparable(OnTraining),
        ]);
    }
}
