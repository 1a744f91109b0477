using static Native.Benchmarks.Published;

namespace Native.Benchmarks;

/// <summary>
/// Scalable Recollections for Continual Lifelong Learning (Riemer et al. 2019): tables 1 to 9 and the numbers of the Omniglot paragraphs as printed, and
/// the claims of figures 2 to 7.
/// </summary>
internal static class SrmTables
{
    private const string Paper = "Scalable Recollections", Rotations = "mnist-rotations", Cifar = "cifar100-20", After = "cifar100-cifar10", Omniglot = "omniglot-50", Mnist = "mnist";
    private const string NoSpread = "none printed", Five = "none printed; mean of 5 runs";
    private const string Text = "appendix, \"Continual Lifelong Learning Experiments\"; optimisers, strides and paddings are not stated and follow from its storage numbers";
    private const string Distilled = "appendix, \"MNIST Generative Distillation Experiments\": 500 epochs, buffer of 50,000, the better of two rates";

    private static readonly PaperColumn[] Retention = [new("Retention", "averageAccuracy")];

    private static readonly PaperColumn[] Points = [new("Compression", "compression", true, 1, null), new("Distortion", "trainDistortion", false, 1, null)];

    private static readonly int[] Episodes = [10, 100, 1000, 10_000, 100_000], Tested = [10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000], Jpeg = [1, 25, 50, 75, 100];

    private static readonly (string, string[]) Real = ("Real Data", ["source=real", "targets=labels"]), Teacher = ("Real x Teacher y", ["source=real"]);

    public static IReadOnlyList<PaperTable> All { get; } = [Rotation(), Stable(), Incremental(), Total(), OmniglotText(), Sampling(), Categorical(), Continuous(),
        Students("srm/table7", "CNN", [[10.43, 9.94, 11.07, 10.70, 10.07, 10.65, 10.99, 13.89], [19.63, 18.16, 22.82, 22.35, 25.32, 19.34, 16.20, 21.06],
            [90.45, 88.88, 90.71, 89.93, 91.01, 90.66, 90.52, 90.03], [97.11, 96.83, 95.98, 94.97, 97.42, 96.77, 96.37, 95.65], [98.51, 97.99, 96.14, 94.92, 98.63, 98.59, 98.17, 97.75]]),
        Students("srm/table8", "MLP", [[13.64, 17.04, 14.57, 15.13, 15.87, 16.70, 11.80, 14.66], [36.37, 37.04, 38.35, 34.04, 38.56, 37.16, 40.09, 42.31],
            [80.54, 79.08, 78.18, 77.76, 80.00, 80.72, 80.00, 77.75], [91.04, 90.84, 88.38, 86.83, 90.86, 91.37, 90.60, 90.46], [96.66, 95.02, 91.61, 88.97, 96.60, 96.71, 96.24, 95.22]]),
        Active(), OmniglotStudents(), Longer(), Distortion(), BufferOrCode(), Stabilised(), Transfer(), Detailed()];

    private static IEnumerable<PaperCell> Kept(string row, Recipe recipe, double retention) => Plain(row, recipe, Retention, Text, retention);

    // Storage in real images, and the items that are kept in it: each an option where the method has one.
    private static IEnumerable<PaperCell> Sized(string row, int? storage, int items, Recipe recipe, double retention)
    {
        string count = recipe.Options.FirstOrDefault(o => o.StartsWith("items=", StringComparison.Ordinal) || o.StartsWith("capacity=", StringComparison.Ordinal)) is { } option
            ? $"option.{option.Split('=')[0]}" : "items";
        PaperColumn[] columns = [new("Incremental Storage", "storedImages", false, 1, 0.5), new("Items", count, null, 1, 0.5)];
        return [.. Plain(row, recipe, columns, Text, storage ?? double.NaN, items), .. Kept(row, recipe, retention)];
    }

    private static Recipe Coded(string method, int c, int l, params string[] options) => new(method, Rotations, [$"variables={c}", $"categories={l}", "items=3000", .. options]);

    // Replay takes example by example, GEM ten at a time (appendix; the code of Meta-Experience Replay and of GEM).
    private static Recipe Single(Recipe r) => r with { BatchSize = 1 };

    private static PaperTable Rotation()
    {
        Recipe real100 = new("srm-gem-real", Rotations, "capacity=100", "learningRate=0.1", "strength=0.5"), real200 = new("srm-gem-real", Rotations, "capacity=200", "learningRate=0.1", "strength=0.5"),
            codes100 = Coded("srm-gem", 104, 4), codes200 = Coded("srm-gem", 139, 8);
        Recipe replayed100 = Single(new Recipe("srm-real", Rotations, "capacity=100", "replayBatch=5")), replayed200 = Single(new Recipe("srm-real", Rotations, "capacity=200", "replayBatch=25")),
            recalled100 = Single(Coded("srm", 104, 4, "replayBatch=5")), recalled200 = Single(Coded("srm", 139, 8, "replayBatch=25"));
        PaperClaim better(string text, Recipe codes, Recipe real) => new(text, codes, "averageAccuracy", real) { Provenance = Text };
        return new("srm/table1", Paper, "MNIST-Rotations, small incremental storage (in real images)", NoSpread, 1,
        [
            .. Sized("GEM Real Storage 100", 100, 100, real100, 62.5),
            .. Sized("GEM Real Storage 200", 200, 200, real200, 67.4),
            .. Sized("GEM Recollections 100", 100, 3000, codes100, 79.0),
            .. Sized("GEM Recollections 200", 200, 3000, codes200, 81.5),
            .. Sized("Replay Real Storage 100", 100, 100, replayed100, 63.4),
            .. Sized("Replay Real Storage 200", 200, 200, replayed200, 71.3),
            .. Sized("Replay Recollections 100", 100, 3000, recalled100, 75.6),
            .. Sized("Replay Recollections 200", 200, 3000, recalled200, 81.1),
            .. Sized("EwC 18288", 18288, 1000, new Recipe("srm-ewc", Rotations), 54.6),
            .. Sized("Online 0", 0, 0, new Recipe("srm-online", Rotations), 51.9),
        ])
        {
            Claims =
            [
                better("GEM, 100 images: recollections above real storage", codes100, real100), better("GEM, 200 images: recollections above real storage", codes200, real200),
                better("replay, 100 images: recollections above real storage", recalled100, replayed100), better("replay, 200 images: recollections above real storage", recalled200, replayed200),
            ],
        };
    }

    // What the text says could be better: the same with the auto-encoder stabilised as in algorithms 1 and 2.
    private static PaperTable Stable()
    {
        IEnumerable<PaperCell> row(string name, Recipe recipe, double retention) => Kept(name, recipe, retention).NotComparable("the paper trained this table's auto-encoder on incoming examples alone");
        return new("srm/table1-stabilised", Paper, "MNIST-Rotations, the auto-encoder stabilised by recollections (N = 1)", NoSpread, 1,
        [
            .. row("GEM Recollections 100, N = 1", Coded("srm-gem", 104, 4, "stabilise=1"), 79.0),
            .. row("GEM Recollections 200, N = 1", Coded("srm-gem", 139, 8, "stabilise=1"), 81.5),
            .. row("Replay Recollections 100, N = 1", Single(Coded("srm", 104, 4, "replayBatch=5", "stabilise=1")), 75.6),
            .. row("Replay Recollections 200, N = 1", Single(Coded("srm", 139, 8, "replayBatch=25", "stabilise=1")), 81.1),
        ]);
    }

    private static PaperTable Incremental()
    {
        Recipe codes(string method, int c, int l, string rate) => new(method, Cifar, $"variables={c}", $"categories={l}", "items=5000", $"codeRate={rate}");
        return new("srm/table2", Paper, "Incremental CIFAR-100, small incremental storage (in real images)", NoSpread, 1,
        [
            .. Sized("Online 0", 0, 0, new Recipe("srm-online", Cifar), 33.3),
            .. Sized("LwF 0", 0, 0, new Recipe("srm-lwf", Cifar), 34.5),
            .. Sized("Replay Real Storage 10", 10, 10, new Recipe("srm-real", Cifar, "capacity=10"), 29.4),
            .. Sized("Replay Real Storage 50", 50, 50, new Recipe("srm-real", Cifar, "capacity=50"), 33.4),
            .. Sized("Replay Real Storage 200", 200, 200, new Recipe("srm-real", Cifar, "capacity=200"), 43.0),
            .. Sized("Replay Recollections 10", 10, 5000, codes("srm", 48, 2, "1e-3"), 39.7),
            .. Sized("Replay Recollections 50", 50, 5000, codes("srm", 244, 2, "1e-3"), 47.9),
            .. Sized("Replay Recollections 200", 200, 5000, codes("srm", 620, 3, "1e-4"), 51.6),
            .. Sized("GEM Real Storage 20", 20, 20, new Recipe("srm-gem-real", Cifar, "capacity=20", "strength=0.1"), 23.4),
            .. Sized("GEM Real Storage 60", 60, 60, new Recipe("srm-gem-real", Cifar, "capacity=60", "strength=0.1"), 40.6),
            .. Sized("GEM Real Storage 200", 200, 200, new Recipe("srm-gem-real", Cifar, "capacity=200", "strength=0.1"), 48.7),
            .. Sized("GEM Recollections 20", 20, 5000, codes("srm-gem", 98, 2, "1e-4"), 52.4),
            .. Sized("GEM Recollections 60", 60, 5000, codes("srm-gem", 294, 2, "1e-3"), 56.0),
            .. Sized("GEM Recollections 200", 200, 5000, codes("srm-gem", 620, 3, "1e-4"), 59.0),
        ]);
    }

    private static PaperTable Total()
    {
        Recipe codes(string method, bool transfer) => new(method, Cifar, "variables=76", "categories=2", "items=1392", $"transfer={(transfer ? "true" : "false")}");
        return new("srm/table3", Paper, "Incremental CIFAR-100, total storage of 200 real images", NoSpread, 1,
        [
            .. Sized("Replay Real Storage", null, 200, new Recipe("srm-real", Cifar, "capacity=200"), 43.0),
            .. Sized("Replay Recollections - No Transfer", null, 1392, codes("srm", false), 43.7),
            .. Sized("Replay Recollections - CIFAR-10 Transfer", null, 1392, codes("srm", true), 49.7),
            .. Sized("GEM Real Storage", null, 200, new Recipe("srm-gem-real", Cifar, "capacity=200", "strength=0.1"), 48.7),
            .. Sized("GEM Recollections - No Transfer", null, 1392, codes("srm-gem", false), 43.7),
            .. Sized("GEM Recollections - CIFAR-10 Transfer", null, 1392, codes("srm-gem", true), 54.2),
            .. Sized("iCaRL", null, 200, new Recipe("srm-icarl", Cifar, "capacity=200"), 43.6),
        ]);
    }

    // Numbers of the text below table 2.
    private static PaperTable OmniglotText() => new("srm/omniglot", Paper, "Incremental Omniglot, 50 tasks (text of question 1)", NoSpread, 1,
    [
        .. Kept("Online 0", new Recipe("srm-online", Omniglot), 3.5),
        .. Kept("Replay 10", new Recipe("srm-real", Omniglot, "capacity=10"), 3.6),
        .. Kept("Recollections 10", new Recipe("srm", Omniglot, "variables=62", "categories=2", "items=1000"), 5.0),
        .. Kept("Replay 50", new Recipe("srm-real", Omniglot, "capacity=50"), 4.3),
        .. Kept("Replay 50, three steps", new Recipe("srm-real", Omniglot, "capacity=50", "repeats=3"), 4.8),
        .. Kept("Recollections 50", new Recipe("srm", Omniglot, "variables=312", "categories=2", "items=1000"), 9.3),
        .. Kept("Recollections 50, three steps", new Recipe("srm", Omniglot, "variables=312", "categories=2", "items=1000", "repeats=3"), 13.0),
    ]);

    private static PaperTable Sampling()
    {
        IEnumerable<PaperCell> line(int c, string sampling, double reconstruction, double nearest) => Plain($"{c} 2d variables: {sampling} Sampling",
            new Recipe("srm-autoencoder", Mnist, $"variables={c}", "categories=2"),
            [new("Reconstruction Distortion", "reconstruction", false, 1, null), new("Nearest Neighbor Distortion", $"nearest{sampling}", false, 1, null)], Distilled, reconstruction, nearest);
        return new("srm/table4", Paper, "L1 distance to the nearest training example, code or buffer sampling", NoSpread, 1,
            [.. line(38, "Code", 0.058, 0.074), .. line(38, "Buffer", 0.058, 0.054), .. line(168, "Code", 0.021, 0.081), .. line(168, "Buffer", 0.021, 0.021)]);
    }

    private static PaperTable Categorical()
    {
        (int C, int L, double Compression, double Distortion)[] rows =
        [
            (6, 20, 209.067, 0.06609), (10, 20, 125.440, 0.04965), (6, 16, 261.333, 0.07546), (12, 10, 130.667, 0.05497), (10, 14, 156.800, 0.05410), (24, 3, 130.667, 0.05988),
            (38, 2, 165.053, 0.05785), (6, 2, 1045.333, 0.13831), (40, 3, 78.400, 0.04158), (20, 2, 313.600, 0.08446), (8, 6, 261.333, 0.08423), (12, 6, 174.222, 0.06756),
            (30, 2, 209.067, 0.06958), (24, 6, 87.111, 0.04065), (4, 37, 261.333, 0.07795), (8, 15, 196.000, 0.06812), (48, 10, 32.667, 0.01649), (209, 8, 10.003, 0.01455),
            (12, 37, 87.111, 0.03996), (313, 4, 10.019, 0.01420), (392, 3, 8.000, 0.01348), (50, 18, 25.088, 0.01859), (168, 2, 37.333, 0.01955), (108, 3, 29.037, 0.01894),
            (62, 2, 101.161, 0.04073), (208, 2, 30.154, 0.01832), (68, 5, 30.745, 0.01849),
        ];
        return new("srm/table5", Paper, "Discrete latent variables: compression and L1 distortion on MNIST's training set", NoSpread, 1,
            [.. rows.SelectMany(r => Plain($"c = {r.C}, l = {r.L}", new Recipe("srm-autoencoder", Mnist, $"variables={r.C}", $"categories={r.L}"), Points, Distilled, r.Compression, r.Distortion))]);
    }

    private static PaperTable Continuous()
    {
        (int H, double Compression, double Distortion)[] rows =
            [(1, 49, 0.135196), (2, 24.5, 0.124725), (3, 16.33333333, 0.0947032), (5, 9.8, 0.0354035), (7, 7, 0.031808), (20, 2.45, 0.0149272)];
        return new("srm/table6", Paper, "Continuous latent variables: compression and L1 distortion on MNIST's training set", NoSpread, 1,
            [.. rows.SelectMany(r => Plain($"h = {r.H}", new Recipe("srm-autoencoder", Mnist, $"filters={r.H}"), Points, Distilled, r.Compression, r.Distortion))]);
    }

    private static PaperTable Table(string id, string title, (string Name, string[] Options)[] columns, double[][] values, params string[] all) => new(id, Paper, title, Five, 5,
    [
        .. Episodes.Zip(values).SelectMany(row => columns.Zip(row.Second).Select(c => new PaperCell($"{row.First} episodes", new PaperColumn(c.First.Name, $"episodes{row.First}"),
            c.Second, null, new Recipe("srm-distill", Mnist, [.. c.First.Options, .. all])) { Provenance = Distilled })),
    ]);

    private static PaperTable Students(string id, string student, double[][] values) => Table(id, $"Distillation from a CNN teacher to a {student} student on MNIST",
    [
        Real, ("10% Sample", ["source=sample", "share=0.1"]), ("2% Sample", ["source=sample", "share=0.02"]), ("1% Sample", ["source=sample", "share=0.01"]), Teacher,
        ("10x Compress", ["variables=168"]), ("50x Compress", ["variables=62"]), ("100x Compress", ["variables=38"]),
    ], values, $"student={student.ToLowerInvariant()}");

    private static PaperTable Active() => Table("srm/table9", "Distillation with active and diverse sampling, CNN teacher and student on MNIST",
    [
        Real, Teacher, ("Active 10x Compress", ["variables=168", "sampling=active"]), ("Active 100x Compress", ["variables=38", "sampling=active"]),
        ("Active & Diverse 10x Compress", ["variables=168", "sampling=diverse"]), ("Active & Diverse 100x Compress", ["variables=38", "sampling=diverse"]),
    ],
    [[10.43, 10.07, 9.95, 10.19, 10.67, 11.51], [19.63, 25.32, 14.80, 22.57, 27.05, 29.93], [90.45, 91.01, 93.45, 92.97, 94.81, 92.54], [97.11, 97.42, 98.61, 97.53, 98.59, 97.66],
        [98.51, 98.63, 99.18, 98.25, 99.20, 98.32]], "student=cnn");

    private static PaperTable OmniglotStudents()
    {
        PaperColumn[] column = [new("Accuracy", "episodes1000000")];
        IEnumerable<PaperCell> line(string row, double value, params string[] options) => Plain(row, new Recipe("srm-distill", Omniglot, options), column, Distilled, value);
        return new("srm/omniglot-distillation", Paper, "Distillation on Omniglot after a million episodes (text of question 9)", Five, 5,
        [
            .. Plain("Teacher", new Recipe("srm-distill", Omniglot, "variables=134"), [new("Accuracy", "teacherAccuracy")], Distilled, 94.86),
            .. line("10% Sample", 28.87, "source=sample", "share=0.1"), .. line("2% Sample", 8.88, "source=sample", "share=0.02"), .. line("1% Sample", 5.99, "source=sample", "share=0.01"),
            .. line("10x Compress", 87.86, "variables=134"), .. line("50x Compress", 74.03, "variables=50"), .. line("100x Compress", 51.45, "variables=32"),
        ]);
    }

    private static PaperTable Figure(string id, string title, params PaperClaim[] claims) =>
        new(id, Paper, title, "none", 1, []) { Claims = [.. claims.Select(c => c with { Provenance = Text })] };

    private static PaperTable Longer()
    {
        Recipe codes = new("srm", After, "variables=620", "categories=3", "items=5000");
        return Figure("srm/figure2", "Retention of CIFAR-100 during a million examples of CIFAR-10",
            new("recollections retain more than real storage of the same size (200 images)", codes, "retained20", new("srm-real", After, "capacity=200"), "retained20"),
            new("recollections retain more than real storage of six times the size", codes, "retained20", new("srm-real", After, "capacity=1200"), "retained20"));
    }

    // The text above figure 7: it loses knowledge faster despite better performance at first.
    private static PaperTable Detailed()
    {
        Recipe codes = new("srm", After, "variables=620", "categories=3", "items=5000"), larger = new("srm-real", After, "capacity=1200");
        return Figure("srm/figure7", "Retention of CIFAR-100 during a million examples of CIFAR-10, with larger buffers of real images",
            new("real storage of six times the size is better while CIFAR-100 is learnt", larger, "average20", codes, "average20"),
            new("and loses more of it afterwards", larger, "average20", larger, "retained20") { LeftBase = codes, RightBase = codes });
    }

    private static PaperTable Distortion() => Figure("srm/figure3", "Distortion at equal compression: categorical below continuous",
        new("at about 25x, 50 variables of 18 categories distort less than 2 continuous filters", new("srm-autoencoder", Mnist, "filters=2"), "trainDistortion",
            new("srm-autoencoder", Mnist, "variables=50", "categories=18"), "trainDistortion"),
        new("at about 10x, 209 variables of 8 categories distort less than 5 continuous filters", new("srm-autoencoder", Mnist, "filters=5"), "trainDistortion",
            new("srm-autoencoder", Mnist, "variables=209", "categories=8"), "trainDistortion"),
        new("JPEG at its lowest quality (about 20x) distorts more than 24 variables of 6 categories (87x)", new("srm-jpeg", Mnist, "quality=1"), "trainDistortion",
            new("srm-autoencoder", Mnist, "variables=24", "categories=6"), "trainDistortion"))
        with
    { Points = [.. Curve("categorical", Categorical()), .. Curve("continuous", Continuous()), .. Jpeg.Select(q => new PaperPoint("JPEG", new("srm-jpeg", Mnist, $"quality={q}"), "compression", "trainDistortion"))] };

    private static IEnumerable<PaperPoint> Curve(string series, PaperTable table) => table.Recipes.Select(r => new PaperPoint(series, r, "compression", "trainDistortion"));

    private static PaperTable BufferOrCode() => Figure("srm/figure4", "Distillation from the buffer beats distillation from random codes",
        new("38 variables: buffer sampling is above code sampling after 100,000 episodes", new("srm-distill", Mnist, "variables=38"), "episodes100000",
            new("srm-distill", Mnist, "variables=38", "sampling=code"), "episodes100000"),
        new("38 variables with the buffer are above 168 variables without it", new("srm-distill", Mnist, "variables=38"), "episodes100000",
            new("srm-distill", Mnist, "variables=168", "sampling=code"), "episodes100000"))
        with
    { Points = [.. Learning(38, "buffer"), .. Learning(38, "code", "sampling=code"), .. Learning(168, "buffer"), .. Learning(168, "code", "sampling=code")] };

    // The published curves; the measures are those of the tested episodes.
    private static IEnumerable<PaperPoint> Learning(int variables, string sampling, params string[] options) =>
        Tested.Select(n => new PaperPoint($"{variables} 2d variables, {sampling} sampling", new("srm-distill", Mnist, [$"variables={variables}", .. options]), "", $"episodes{n}", n));

    private static PaperTable Stabilised()
    {
        Recipe with(params string[] options) => new("srm", Cifar, ["variables=620", "categories=3", "items=5000", .. options]);
        return Figure("srm/figure5", "Recollections stabilise the auto-encoder that makes them (CIFAR-100)",
            new PaperClaim("distortion is larger without replay than with recollections", with("stabilise=0"), "testDistortion", with("stabilise=10"), "testDistortion"));
    }

    private static PaperTable Transfer()
    {
        Recipe with(params string[] options) => new("srm", Cifar, ["variables=76", "categories=2", "items=1392", .. options]);
        return Figure("srm/figure6", "A representation from CIFAR-10 helps the auto-encoder (CIFAR-100)",
            new PaperClaim("distortion is larger from a random start than from CIFAR-10", with("transfer=false"), "testDistortion", with("transfer=true"), "testDistortion"),
            new PaperClaim("distortion is larger online than with all tasks at once", with("stabilise=0"), "testDistortion", with("stabilise=0", "offline=true"), "testDistortion"),
            new PaperClaim("distortion falls from the first task to the last", with("transfer=false"), "testDistortion1", with("transfer=false"), "testDistortion20"));
    }
}
