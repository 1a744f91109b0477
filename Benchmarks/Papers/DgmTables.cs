using static Native.Benchmarks.Published;

namespace Native.Benchmarks;

/// <summary>
/// Learning to Remember: A Synaptic Plasticity Driven Framework for Continual Learning (Ostapenko et al. 2019): tables 1 to 4 as printed, and the claims of
/// figures 2 to 4.
/// </summary>
internal static class DgmTables
{
    private const string Paper = "Dynamic Generative Memory", Mnist = "split-mnist-10", Svhn = "svhn-10", Cifar = "cifar10-10", Net = "imagenet-50";
    private const string Code = "released code (cfg/*.yml): ngf, epochs, rates and penalties by data set; section 4 for the networks";

    // These rows coincide with the points at which MeRGAN's code scores its own generated images with a fixed classifier.
    private const string Generated = "the number seems to be accuracy of a fixed classifier on generated images";
    private const string Stored = "the baseline's own paper, which stores real images";
    private const string NoConfiguration = "no configuration is released";

    private static readonly PaperColumn[] Average = [new("A5", "average5"), new("A10", "averageAccuracy")];

    public static IReadOnlyList<PaperTable> All { get; } = [Accuracies(), ImageNet(), Sizes(), Discs(), Reuse(), Growth(), NoReplay()];

    private static IEnumerable<PaperCell> Line(string data, string row, Recipe? recipe, double a5, double a10, string provenance = Code) =>
        Plain($"{data}: {row}", recipe, Average, provenance, a5, a10);

    private static IEnumerable<PaperCell> Net50(string row, string method, double a30, double a50) =>
        Plain($"ImageNet-50: {row}", new Recipe(method, Net), [new("A30", "average3"), new("A50", "averageAccuracy")], Code, a30, a50);

    private static PaperTable Accuracies() => new("dgm/table1", Paper, "Average accuracy after 5 and 10 classes (ImageNet-50: 30 and 50), one class per task", "none printed", 1,
    [
        .. Line("MNIST", "JT", new Recipe("dgm-joint", Mnist), 97.66, 98.10).NotComparable(Generated),
        .. Line("SVHN", "JT", new Recipe("dgm-joint", Svhn), 85.30, 84.82).NotComparable(Generated),
        .. Line("CIFAR10", "JT", new Recipe("dgm-joint", Cifar), 82.20, 64.20),
        .. Net50("JT", "dgm-joint", 57.35, 49.88),
        .. Line("MNIST", "iCarl-S", new Recipe("icarl", Mnist), double.NaN, 55.8, Stored),
        .. Net50("iCarl-S", "icarl", 29.38, 28.98),
        .. Line("MNIST", "EWC-S", new Recipe("ewc", Mnist), double.NaN, 79.7, Stored),
        .. Line("MNIST", "RWalk-S", new Recipe("rwalk", Mnist), double.NaN, 82.5, Stored),
        .. Line("MNIST", "PI-S", new Recipe("si", Mnist), double.NaN, 78.7, Stored),
        .. Line("MNIST", "EWC-M", new Recipe("ewc", Mnist), 70.62, 77.03).NotComparable(Generated),
        .. Line("SVHN", "EWC-M", new Recipe("ewc", Svhn), 39.84, 33.02).NotComparable(Generated),
        .. Line("MNIST", "DGR", new Recipe("dgr", Mnist), 90.39, 85.40).NotComparable(Generated),
        .. Line("SVHN", "DGR", new Recipe("dgr", Svhn), 61.29, 47.28).NotComparable(Generated),
        .. Line("MNIST", "MeRGAN", new Recipe("mergan", Mnist), 98.19, 97.00).NotComparable(Generated),
        .. Line("SVHN", "MeRGAN", new Recipe("mergan", Svhn), 80.90, 66.78).NotComparable(Generated),
        .. Line("MNIST", "DGMw", new Recipe("dgm-w", Mnist), 98.75, 96.46),
        .. Line("SVHN", "DGMw", new Recipe("dgm-w", Svhn), 83.93, 74.38),
        .. Line("CIFAR10", "DGMw", new Recipe("dgm-w", Cifar), 64.94, 51.70, NoConfiguration),
        .. Net50("DGMw", "dgm-w", 32.14, 17.82),
        .. Line("MNIST", "DGMa", new Recipe("dgm-a", Mnist), 99.17, 97.92),
        .. Line("SVHN", "DGMa", new Recipe("dgm-a", Svhn), 81.07, 66.89),
        .. Line("CIFAR10", "DGMa", new Recipe("dgm-a", Cifar), 62.50, 50.80, NoConfiguration),
        .. Net50("DGMa", "dgm-a", 25.93, 15.16),
    ]);

    private static PaperTable ImageNet()
    {
        PaperColumn[] columns = [new("Top-1 A30", "average3"), new("Top-1 A50", "averageAccuracy"), new("Top-5 A30", "top5.average3"), new("Top-5 A50", "top5.average5")];
        IEnumerable<PaperCell> line(string row, Recipe recipe, params double[] v) => Plain(row, recipe, columns, Code, v);
        return new("dgm/table2", Paper, "ImageNet-50: DGM with real images among the replayed (ratio r, memory K) and iCarl", "none printed", 1,
        [
            .. line("JT", new Recipe("dgm-joint", Net), 57.35, 49.88, 84.70, 78.24),
            .. line("iCarl (K=1000)", new Recipe("icarl", Net, "capacity=1000"), 29.38, 28.98, 69.98, 59.49),
            .. line("iCarl (K=2000)", new Recipe("icarl", Net, "capacity=2000"), 39.38, 29.96, 70.57, 60.07),
            .. line("DGMw (K=1000)", new Recipe("dgm-w", Net, "capacity=1000"), 36.87, 18.84, 69.13, 43.12),
            .. line("DGMw (K=2000)", new Recipe("dgm-w", Net, "capacity=2000"), 41.93, 22.56, 69.20, 51.84),
            .. line("DGMw (r=0.75)", new Recipe("dgm-w", Net, "realShare=0.75"), 50.80, 38.22, 78.27, 64.64),
            .. line("DGMw (r=0.5)", new Recipe("dgm-w", Net, "realShare=0.5"), 48.80, 40.72, 79.40, 71.72),
            .. line("DGMw (r=0.25)", new Recipe("dgm-w", Net, "realShare=0.25"), 46.93, 35.04, 75.80, 65.60),
            .. line("DGMw (r=0.1)", new Recipe("dgm-w", Net, "realShare=0.1"), 41.67, 30.48, 71.80, 61.04),
            .. line("DGMw (r=0)", new Recipe("dgm-w", Net), 32.14, 17.82, 62.53, 40.76),
        ]);
    }

    private static PaperTable Sizes()
    {
        PaperColumn[] columns = [new("Size init.", "generatorParametersFirst", null, 1, null), new("Size final", "generatorParameters", null, 1, null), new("A10(%)", "averageAccuracy")];
        IEnumerable<PaperCell> line(string row, Recipe recipe, params double[] v) => Plain(row, recipe, columns, Code, v);
        return new("dgm/table3", Paper, "Size of the generator's base network (parameters) and accuracy after 10 tasks", "none printed", 1,
        [
            .. line("MNIST: DGMw", new Recipe("dgm-w", Mnist), 5.58e4, 3.83e5, 96.46),
            .. line("MNIST: MeRGAN", new Recipe("mergan", Mnist), 5.18e5, 5.18e5, 97.00).Select(Scored),
            .. line("SVHN: DGMw", new Recipe("dgm-w", Svhn), 5.58e4, 3.99e5, 74.38),
            .. line("SVHN: MeRGAN", new Recipe("mergan", Svhn), 5.18e5, 5.18e5, 66.78).Select(Scored),
        ]);
    }

    private static PaperCell Scored(PaperCell cell) => cell.Column.Name == "A10(%)" ? cell with { NotComparable = Generated } : cell;

    private static PaperTable Discs()
    {
        IEnumerable<PaperCell> line(string row, string key, params double[] v) => new[] { ("Size5 DGMa", 5, "dgm-a"), ("Size5 DGMw", 5, "dgm-w"), ("Size10 DGMa", 10, "dgm-a"), ("Size10 DGMw", 10, "dgm-w") }
            .Zip(v).Select(c => new PaperCell(row, new PaperColumn($"{c.First.Item1} (MB)", $"{key}Megabytes{c.First.Item2}", false, 1, null), c.Second, null, new Recipe(c.First.Item3, Mnist)) { Provenance = Code });
        return new("dgm/table4", Paper, "Disc space of weights and masks after 5 and 10 tasks of MNIST, in megabytes", "none printed", 1,
        [
            .. line("Weights", "weights", 6.7, 1.1, 14.0, 2.0),
            .. line("Masks", "masks", 0.4, 3.8, 0.8, 9.9),
            .. line("Total", "total", 7.1, 4.9, 14.8, 11.9),
        ]);
    }

    private static PaperTable Figure(string id, string title, params PaperClaim[] claims) =>
        new(id, Paper, title, "none", 1, []) { Claims = [.. claims.Select(c => c with { Provenance = Code })] };

    private static PaperTable NoReplay() => Figure("dgm/figure2", "ImageNet-50: top-5 accuracy between joint training and no replay",
        new("joint training is above DGMw", new("dgm-joint", Net), "top5.average5", new("dgm-w", Net), "top5.average5"),
        new("DGMw is above no replay", new("dgm-w", Net), "top5.average5", new("dgm-naive", Net), "top5.average5"),
        new("real images among the replayed help", new("dgm-w", Net, "realShare=0.5"), "top5.average5", new("dgm-w", Net), "top5.average5"));

    private static PaperTable Reuse() => Figure("dgm/figure3", "Masks: reuse of units grows, newly blocked units become fewer",
        new("the share of reused units is larger in the last task than in the second", new("dgm-w", Mnist), "reused10", new("dgm-w", Mnist), "reused2"),
        new("the share of newly blocked units is larger in the second task than in the last", new("dgm-w", Mnist), "blocked2", new("dgm-w", Mnist), "blocked10"));

    private static PaperTable Growth()
    {
        PaperColumn[] accuracy = [new("A10", "averageAccuracy")];
        return new PaperTable("dgm/figure4", Paper, "Network growth on MNIST: linear > DGMa > DGMw", "none printed", 1,
            [.. Plain("DGMw", new Recipe("dgm-w", Mnist), accuracy, Code, 96.46), .. Plain("DGMa", new Recipe("dgm-a", Mnist), accuracy, Code, 96.98)
                .NotComparable("a DGMa made comparable with DGMw, of a size that is not told; ours is the one of table 1 (97.92)")])
        {
            Claims =
            [
                new("DGMa grows less than linearly", new("dgm-a", Mnist), "linearNeurons10", new("dgm-a", Mnist), "neurons10") { Provenance = Code },
                new("DGMw grows less than DGMa", new("dgm-a", Mnist), "neurons10", new("dgm-w", Mnist), "neurons10") { Provenance = Code },
            ],
        };
    }
}
