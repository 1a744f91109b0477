using static Native.Benchmarks.Published;

namespace Native.Benchmarks;

/// <summary>
/// Automatic Recall Machines: Internal Replay, Continual Learning and the Brain (Ji, Henriques, Tuytelaars, Vedaldi 2020). Every number of tables 1 to 9 as
/// printed, and the claims of figures 3 to 7.
/// </summary>
internal static class ArmTables
{
    private const string Paper = "Automatic Recall Machines", Mnist = "mnist-5k-5", Cifar = "cifar10-5", Mini = "miniimagenet-20";

    // What the code of Maximally Interfered Retrieval makes of the data differs: of MNIST classes in their own proportions, shuffled batches; of CIFAR-10 and
    // MiniImageNet pixels in [-1,1], another 95%.
    private const string MirMnist = "mnist-mir-5", MirCifar = "cifar10-mir-5", MirMini = "miniimagenet-mir-20";

    private const string OtherGenerator = "MIR's code has a convolutional auto-encoder for colour images, which is not built; ours is its perceptron for MNIST";

    // The rows of ER, ER-MIR, iCaRL, GEM, GEN and GEN-MIR equal those of Maximally Interfered Retrieval, whose code prints another spread.
    private const string Spread = "standard deviation over 5 runs (ARM's code); rows of ER, ER-MIR, iCaRL, GEM, GEN and GEN-MIR: 2 standard errors over 15 or 20 runs (MIR's code)";
    private const string Own = "table 6 and appendix A.4; what they leave open, from the released code's commands";
    private const string Replay = "released code of Maximally Interfered Retrieval, which the paper ran (A.4)";

    private const string Perceptron = "ours: the settings of MIR's MNIST script, with a perceptron as generator";

    private static readonly PaperColumn[] Columns = [PaperColumn.Accuracy, PaperColumn.Forgetting];

    // MIR's er_main.py and gen_main.py take the best accuracy over all rows, the last one included.
    private static readonly PaperColumn[] MirColumns = [PaperColumn.Accuracy, PaperColumn.Forgetting with { Measure = "forgettingMir" }];

    public static IReadOnlyList<PaperTable> All { get; } = [ArmMemory.With(Cifar10()), ArmMemory.With(MiniImageNet()), ArmMemory.With(FiveThousand()), Distillation(), Statistics(), Hyperparameters(), Ablation(),
        Gradients("arm/table8", "MiniImageNet", "miniimagenet"), Gradients("arm/table9", "MNIST", "mnist"),
        Diversity(), History(), Backwards(), Correlation(), Twice()];

    private static IEnumerable<PaperCell> Ours(string row, string stream, string method, params double[] v) => Line(row, new Recipe(method, stream), Own, v);

    private static IEnumerable<PaperCell> Kept(string row, string stream, string method, int images, params double[] v) =>
        Line($"{row} {images}", new Recipe(method, stream, $"capacity={images}"), Replay, v);

    // accuracy, its spread, forgetting, its spread; the last two may be missing.
    private static IEnumerable<PaperCell> Line(string row, Recipe recipe, string provenance, double[] v) =>
        Row(row, recipe, recipe.Method is "er" or "er-mir" or "gen" or "gen-mir" ? MirColumns : Columns, provenance, (v[0], v[1]), v.Length == 2 ? null : (v[2], v[3]));

    private static PaperTable Cifar10() => new("arm/table1", Paper, "Sequential CIFAR10, class-incremental, 5 tasks; chance is 10", Spread, 5,
    [
        .. Ours("Naive SGD (stationary)", Cifar, "stationary", 55.2, 5.0),
        .. Kept("ER", MirCifar, "er", 1000, 41.3, 1.9, 23.3, 2.9),
        .. Kept("ER-MIR", MirCifar, "er-mir", 1000, 47.6, 1.1, 17.4, 2.1),
        .. Kept("iCarl (5 iter)", MirCifar, "icarl", 1000, 32.4, 2.1, 40.0, 1.8),
        .. Kept("GEM", MirCifar, "gem", 1000, 17.5, 1.6, 71.7, 1.3),
        .. Kept("ER", MirCifar, "er", 200, 27.5, 1.2, 50.5, 2.4),
        .. Kept("ER-MIR", MirCifar, "er-mir", 200, 29.8, 1.1, 50.2, 2.0),
        .. Kept("iCarl (5 iter)", MirCifar, "icarl", 200, 28.6, 1.2, 49.0, 2.4),
        .. Kept("GEM", MirCifar, "gem", 200, 16.8, 1.1, 73.5, 1.7),
        .. Kept("ER", MirCifar, "er", 100, 22.4, 1.1, 66.2, 6.2),
        .. Kept("ER-MIR", MirCifar, "er-mir", 100, 23.6, 0.9, 61.4, 1.8),
        .. Kept("ER", MirCifar, "er", 10, 18.8, 0.4, 85.0, 1.1),
        .. Ours("Naive SGD", Cifar, "naive", 15.0, 3.1, 69.4, 4.7),
        .. Line("GEN", new Recipe("gen", Cifar), Perceptron, [15.3, 0.5, 61.3, 5.1]).NotComparable(OtherGenerator),
        .. Line("GEN-MIR", new Recipe("gen-mir", Cifar), Perceptron, [15.3, 1.2, 61.0, 1.2]).NotComparable(OtherGenerator),
        .. Ours("Distill (LwF)", Cifar, "lwf", 19.2, 0.3, 60.9, 3.9),
        .. Ours("ADI", Cifar, "adi", 24.8, 0.9, 12.0, 4.5),
        .. Ours("ARM", Cifar, "arm", 26.9, 1.1, 9.59, 3.7),
    ]);

    private static PaperTable FiveThousand() => new("arm/table3", Paper, "Sequential MNIST (MNIST-5k-5), class-incremental, 5 tasks; chance is 10", Spread, 5,
    [
        .. Ours("Naive SGD (stationary)", Mnist, "stationary", 87.1, 0.6),
        .. Kept("ER", MirMnist, "er", 500, 83.2, 1.9, 13.4, 1.9),
        .. Kept("ER-MIR", MirMnist, "er-mir", 500, 85.6, 2.0, 10.4, 3.3),
        .. Kept("GEM", MirMnist, "gem", 500, 86.3, 0.1, 11.2, 0.1),
        .. Kept("ER", MirMnist, "er", 50, 62.8, 3.1, 42.0, 3.7),
        .. Kept("ER-MIR", MirMnist, "er-mir", 50, 63.8, 4.6, 40.6, 5.9),
        .. Kept("ER", MirMnist, "er", 25, 51.6, 2.7, 57.0, 3.3),
        .. Kept("ER-MIR", MirMnist, "er-mir", 25, 51.6, 2.6, 56.4, 3.3),
        .. Kept("ER", MirMnist, "er", 10, 39.2, 3.5, 72.2, 4.1),
        .. Ours("Naive SGD", Mnist, "naive", 18.8, 0.5, 95.6, 2.7),
        .. Line("GEN", new Recipe("gen", MirMnist), Replay, [79.3, 0.6, 19.5, 0.8]),
        .. Line("GEN-MIR", new Recipe("gen-mir", MirMnist), Replay, [82.1, 0.3, 17.0, 0.4]),
        .. Ours("Distill (LwF)", Mnist, "lwf", 33.3, 2.5, 58.0, 1.7),
        .. Ours("ADI", Mnist, "adi", 55.4, 2.6, 11.5, 5.0),
        .. Ours("ARM", Mnist, "arm", 56.2, 3.5, 21.3, 2.6),
    ]);

    private static PaperTable MiniImageNet()
    {
        Recipe passes(string method, params string[] options) => new(method, Mini, options) { Epochs = 3 };
        IEnumerable<PaperCell> kept(string row, string method, int images, params double[] v) => Line($"{row} {images}", passes(method, $"capacity={images}") with { Stream = MirMini }, Replay, v);
        return new("arm/table2", Paper, "Sequential MiniImageNet, class-incremental, 20 tasks, 3 passes; chance is 1", Spread, 5,
        [
            .. Line("Naive SGD (stationary)", passes("stationary"), Own, [25.2, 4.7]),
            .. kept("ER", "er", 10000, 24.8, 1.0, 23.4, 1.2),
            .. kept("ER-MIR", "er-mir", 10000, 25.6, 0.4, 18.6, 0.7),
            .. kept("ER", "er", 1000, 6.80, 0.7, 50.4, 1.8),
            .. kept("ER-MIR", "er-mir", 1000, 6.80, 0.4, 51.6, 0.9),
            .. kept("ER", "er", 500, 5.60, 0.4, 55.2, 1.2),
            .. kept("ER-MIR", "er-mir", 500, 5.40, 0.4, 55.8, 0.9),
            .. kept("ER", "er", 100, 4.20, 0.4, 58.6, 0.9),
            .. kept("ER-MIR", "er-mir", 100, 4.00, 0.0, 59.2, 0.9),
            .. Line("Naive SGD", passes("naive"), Own, [3.80, 0.2, 51.2, 2.0]),
            .. Line("GEN", passes("gen"), Perceptron, [2.33, 0.3, 34.3, 0.7]).NotComparable(OtherGenerator),
            .. Line("GEN-MIR", passes("gen-mir"), Perceptron, [2.00, 0.0, 35.3, 0.5]).NotComparable(OtherGenerator),
            .. Line("Distill (LwF)", passes("lwf"), Own, [4.89, 0.2, 41.6, 1.6]),
            .. Line("ADI", passes("adi"), Own, [2.99, 0.6, 8.11, 2.1]),
            .. Line("ARM", passes("arm"), Own, [5.52, 0.9, 13.2, 2.6]),
        ]);
    }

    private static PaperTable Distillation()
    {
        PaperColumn column(string name) => new(name, "averageAccuracy");
        PaperCell cell(string row, string name, double value, double spread, string method, params string[] options) =>
            new(row, column(name), value, spread, new Recipe(method, Cifar, options)) { Provenance = $"{Own}; unit lag: weight 8 of D, no distill: lambda4 = 1 (A.4)" };
        return new("arm/table4", Paper, "Distillation-based methods on CIFAR10: unit lag, and without standard distillation; accuracy", Spread, 5,
        [
            cell("Baseline (CIFAR10)", "Distill (LwF)", 19.2, 0.3, "lwf"),
            cell("Baseline (CIFAR10)", "ADI", 24.8, 0.9, "adi"),
            cell("Baseline (CIFAR10)", "ARM", 26.9, 1.1, "arm"),
            cell("Unit lag (T = 1)", "Distill (LwF)", 15.8, 2.6, "lwf", "lag=1"),
            cell("Unit lag (T = 1)", "ADI", 14.4, 1.6, "adi", "lag=1", "disagreementWeight=8"),
            cell("Unit lag (T = 1)", "ARM", 16.3, 0.9, "arm", "lag=1", "disagreementWeight=8"),
            cell("No distill", "ADI", 20.0, 0.8, "adi", "realWeight=0"),
            cell("No distill", "ARM", 24.4, 1.7, "arm", "realWeight=0", "sharpness=1"),
        ]);
    }

    private static PaperTable Ablation()
    {
        IEnumerable<PaperCell> line(string row, string[] options, params double[] v) => Line(row, new Recipe("arm", Cifar, options), $"{Own}; the change is the row's", v);
        return new("arm/table7", Paper, "Ablation study on CIFAR10; each row changes the baseline", Spread, 5,
        [
            .. line("Baseline (CIFAR10)", [], 26.9, 1.1, 9.59, 3.7),
            .. line("lambda1 = 0, lambda2 = 0", ["awayBefore=0", "awayNow=0"], 22.7, 2.1, 29.6, 3.6),
            .. line("lambda3 = 0", ["diversity=0"], 16.5, 2.2, 4.93, 1.9),
            .. line("lambda4 = 0", ["sharpness=0"], 24.9, 1.2, 17.2, 8.3),
            .. line("lambda5 = 0", ["norm=0"], 25.1, 1.1, 8.71, 6.1),
            .. line("lambda6 = 0", ["smoothness=0"], 26.4, 1.6, 6.77, 4.2),
            .. line("M = 150 (+50)", ["recalled=150"], 27.0, 1.3, 11.1, 5.2),
            .. line("M = 50 (-50)", ["recalled=50"], 23.7, 3.7, 6.13, 3.7),
            .. line("S = 20 (doubled)", ["steps=20"], 24.8, 0.8, 10.3, 8.4),
            .. line("S = 5 (halved)", ["steps=5"], 24.6, 1.5, 13.3, 9.0),
            .. line("Cross-entropy as D", ["disagreement=crossEntropy"], 24.5, 1.3, 26.3, 4.2),
            .. line("Random noise init", ["fromNoise=true"], 15.2, 2.3, 3.99, 2.0),
            .. line("Recall 2x per t", ["repeats=2", "again=accumulate"], 17.5, 0.6, 0.65, 0.4),
            .. line("Recall 4x per t", ["repeats=4", "again=accumulate"], 17.7, 0.3, 0.38, 0.3),
        ]);
    }

    // Counts of the streams: nothing random, so our number needs no run.
    private static PaperTable Statistics()
    {
        // Thousands are printed rounded: half of the last printed digit is no difference.
        (string Name, string Measure, double Rounding)[] columns = [("Tasks", "stream.Tasks", 0), ("Classes", "stream.Classes", 0), ("Classes per task", "stream.Classes per task", 0),
            ("#Train", "stream.#Train", 50), ("#Test", "stream.#Test", 500), ("#Val", "stream.#Val", 50), ("Batch size", "stream.Batch size", 0)];
        IEnumerable<PaperCell> line(string row, string stream, int[] whole, params double[] v) => columns.Select((c, i) =>
            new PaperCell(row, new PaperColumn(c.Name, c.Measure, null, 1, whole.Contains(i) ? 500 : c.Rounding), v[i], null, new Recipe("naive", stream)) { Provenance = "appendix A.1" });
        return new("arm/table5", Paper, "Dataset statistics", "none", 1,
        [
            .. line("CIFAR10", Cifar, [], 5, 10, 2, 47_500, 10_000, 2_500, 10),
            .. line("MiniImageNet", Mini, [], 20, 100, 5, 45_600, 12_000, 2_400, 10),
            // 5K and 3K, where the others have a decimal.
            .. line("MNIST", Mnist, [3, 5], 5, 10, 2, 5_000, 10_000, 3_000, 10),
        ]);
    }

    private static PaperTable Hyperparameters()
    {
        (string Name, string Option)[] columns = [("eta0", "learningRate"), ("eta1", "pixelRate"), ("lambda0: recalled", "recallWeight"), ("lambda0: real", "realWeight"),
            ("lambda1", "awayBefore"), ("lambda2", "awayNow"), ("lambda3", "diversity"), ("lambda4", "sharpness"), ("lambda5", "norm"), ("lambda6", "smoothness"), ("S", "steps")];
        IEnumerable<PaperCell> line(string row, string stream, params double[] v) => columns.Select((c, i) =>
            new PaperCell(row, new PaperColumn(c.Name, $"option.{c.Option}", null, 1, 0), v[i], null, new Recipe("arm", stream)) { Provenance = "appendix A.4" });
        return new("arm/table6", Paper, "ARM hyperparameters: what our defaults are for each stream", "none", 1,
        [
            .. line("MNIST", Mnist, 0.05, 25, 1, 1, 1, 0.1, 16, 0.1, 1, 1, 10),
            .. line("CIFAR10", Cifar, 0.01, 10, 1, 1, 1, 0.1, 16, 0.1, 1, 1, 10),
            .. line("MiniImageNet", Mini, 0.01, 10, 1, 2, 1, 0.1, 1, 1, 1, 1, 10),
        ]);
    }

    // Correlations of gradients on recalled images with gradients on real images of class 1 (the originator) and class 2 (the target).
    private static PaperTable Gradients(string id, string title, string data)
    {
        bool mnist = data == "mnist";
        string[] layers = mnist ? ["FC 1", "FC 2", "FC 3", "All"] : ["Conv 1", "Conv 2", "Conv 3", "Conv 4", "Conv 5", "FC", "All"];
        double[][] hard = mnist
            ? [[0.022, 0.178, 0.255, 0.176], [0.012, 0.168, 0.325, 0.228], [0.002, 0.264, 0.675, 0.160], [0.012, 0.181, 0.418, 0.181]]
            : [[0.061, 0.316, 0.246, 0.287], [0.032, 0.274, 0.282, 0.241], [0.028, 0.326, 0.414, 0.258], [-0.031, 0.264, 0.474, 0.198],
                [-0.181, 0.195, 0.556, 0.142], [-0.014, 0.084, 0.726, 0.084], [-0.036, 0.218, 0.439, 0.177]];
        double[][] soft = mnist
            ? [[0.013, 0.182, 0.055, 0.196], [0.015, 0.207, 0.072, 0.246], [0.004, 0.311, 0.100, 0.293], [0.011, 0.216, 0.076, 0.233]]
            : [[0.065, 0.319, 0.212, 0.302], [0.022, 0.273, 0.262, 0.259], [0.034, 0.315, 0.381, 0.273], [-0.040, 0.247, 0.433, 0.216],
                [-0.200, 0.190, 0.505, 0.186], [-0.019, 0.070, 0.655, 0.156], [-0.043, 0.212, 0.401, 0.197]];
        IEnumerable<PaperCell> part(string targets, double[][] values) => layers.Zip(values).SelectMany(l =>
        {
            string key = $"{targets}.{l.First.Replace(" ", "", StringComparison.Ordinal)}";
            // Correlations run from -1 to 1: three points of a hundred are 0.03.
            PaperColumn[] columns = [new("Corr. class 1", $"{key}.class1", null, 1, 0.03), new("Corr. class 2", $"{key}.class2", null, 1, 0.03)];
            return Row($"{l.First} ({targets} targets)", new Recipe("arm-gradients", mnist ? Mnist : Mini), columns, "appendix A.7", (l.Second[0], l.Second[1]), (l.Second[2], l.Second[3]))
                .Select(c => c with { Remark = "the paper's spread is over 1000 images, ours over runs" });
        });
        return new(id, Paper, $"{title}: correlation of gradients by layer (A.7)", "standard deviation over 1000 pairs of images", 1, [.. part("hard", hard), .. part("soft", soft)]);
    }

    private static PaperTable Figure(string id, string title, params PaperClaim[] claims) =>
        new(id, Paper, title, "none", 5, []) { Claims = [.. claims.Select(c => c with { Provenance = Own })] };

    private static PaperTable Diversity()
    {
        Recipe with(string stream, int weight) => new("arm", stream, $"diversity={weight}");
        return Figure("arm/figure3", "Optimal diversity weight is negatively correlated with the number of classes",
            new("MNIST: lambda3 = 16 is better than 1", with(Mnist, 16), "averageAccuracy", with(Mnist, 1)),
            new("CIFAR10: lambda3 = 16 is better than 1", with(Cifar, 16), "averageAccuracy", with(Cifar, 1)),
            new("MiniImageNet: lambda3 = 1 is better than 16", with(Mini, 1) with { Epochs = 3 }, "averageAccuracy", with(Mini, 16) with { Epochs = 3 }));
    }

    private static PaperTable History()
    {
        PaperClaim[] claims(string stream, int weight)
        {
            Recipe recipe = new("arm", stream, $"diversity={weight}", "history=true");
            PaperClaim claim(string text, string right) => new($"{stream}, lambda3 = {weight}: {text}", recipe, "recalledEarlier", recipe, right);
            return [claim("classes of the present task are recalled less than earlier ones", "recalledPresent"), claim("classes not seen yet are recalled less than earlier ones", "recalledUnseen")];
        }
        return Figure("arm/figure4", "History of recalled classes: those of the present task are not recalled, those not seen yet are avoided",
            [.. claims(Cifar, 1), .. claims(Cifar, 16), .. claims(Mnist, 1), .. claims(Mnist, 16)]);
    }

    private static PaperTable Backwards() => Figure("arm/figure5", "Tasks are retained beyond their training window",
        new("MNIST: the first task is known better at the end than without recall", new("arm", Mnist), "task1", new("naive", Mnist), "task1"),
        new("CIFAR10: the first task is known better at the end than without recall", new("arm", Cifar), "task1", new("naive", Cifar), "task1"),
        new("CIFAR10: backward transfer is better than without recall", new("arm", Cifar), "backwardTransfer", new("naive", Cifar), "backwardTransfer"));

    private static PaperTable Correlation()
    {
        PaperClaim layer(string stream, string name) => new($"{stream}, hard targets, {name}: gradients resemble class 2 more than class 1",
            new("arm-gradients", stream), $"hard.{name}.class2", new("arm-gradients", stream), $"hard.{name}.class1");
        return Figure("arm/figure6", "Recalled images give gradients like class 2, although they look like class 1",
            [.. new[] { "FC1", "FC2", "FC3", "All" }.Select(l => layer(Mnist, l)), .. new[] { "Conv1", "Conv5", "FC", "All" }.Select(l => layer(Cifar, l))]);
    }

    private static PaperTable Twice()
    {
        Recipe twice = new("arm", Cifar, "repeats=2", "again=accumulate");
        return Figure("arm/figure7", "Two recalls per step fix the network on the first task",
            new("CIFAR10: the first task is known better at the end with two recalls", twice, "task1", new("arm", Cifar), "task1"),
            new("CIFAR10: forgetting is larger with one recall", new("arm", Cifar), "forgetting", twice, "forgetting"),
            new("CIFAR10: accuracy is higher with one recall", new("arm", Cifar), "averageAccuracy", twice));
    }
}
