using System.Text.Json.Nodes;

namespace Native.Methods;

/// <summary>The streams over CIFAR, SVHN, MiniImageNet and ImageNet, and their built-in twins over drawn textures.</summary>
internal static class ColourStreams
{
    private const ulong TexturesSeed = 20_25;

    private static readonly Lazy<(ImageSet Train, ImageSet Test)> Textures = new(() => SyntheticTextures.Make(new Generator(TexturesSeed)));

    // Another drawing, to transfer a representation from: what CIFAR-10 is to CIFAR-100.
    private static readonly Lazy<ImageSet> Others = new(() => SyntheticTextures.Make(new Generator(TexturesSeed + 1)).Train);

    private const Scenario Class = Scenario.ClassIncremental, Task = Scenario.TaskIncremental;

    private const string FivePairs = "5 x 2 classes, 5% validation", RandomPairs = "5 x 2 classes, [-1,1], a random 5% validation",
        TenSingles = "10 x 1 class, 15% validation", Drawn = "colour textures drawn by the program";

    public static IEnumerable<StreamRow> Rows { get; } =
    [
        Row("cifar10-5", FivePairs, "CIFAR-10", Class, Cifar10State, r => Pairs("cifar10-5", r, Cifar10(r))),
        Row("cifar10-mir-5", RandomPairs, "CIFAR-10", Class, Cifar10State, r => Retrieval("cifar10-mir-5", r, Cifar10(r))),
        Row("textures-mir-5", RandomPairs, Drawn, Class, BuiltIn, r => Retrieval("textures-mir-5", r, Textures.Value)),
        Row("textures-5", FivePairs, Drawn, Class, BuiltIn, r => Pairs("textures-5", r, Textures.Value, () => Others.Value)),
        Row("cifar10-10", TenSingles, "CIFAR-10", Class, Cifar10State, r => Single("cifar10-10", r, Cifar10(r))),
        Row("svhn-10", TenSingles, "SVHN", Class, SvhnState, r => Single("svhn-10", r, Svhn10(r))),
        Row("textures-10", TenSingles, Drawn, Class, BuiltIn, r => Single("textures-10", r, Textures.Value)),
        Row("cifar100-20", "20 x 5 classes, fine labels in order", "CIFAR-100", Task, Cifar100State, r => Hundred("cifar100-20", r, false)),
        Row("cifar100-20-super", "20 superclasses x 5 classes", "CIFAR-100", Task, Cifar100State, r => Hundred("cifar100-20-super", r, true)),
        Row("cifar100-cifar10", "20 x 5 classes, then 10", "CIFAR-100 and CIFAR-10", Task, BothState, HundredThenTen),
        Row("miniimagenet-20", "20 x 5 classes, 84x84", "MiniImageNet, .npz files", Class, d => FolderState(d, NpzFolder.MiniImageNet), MiniImageNet),
        Row("imagenet-50", "5 x 10 classes, 32x32", "ImageNet, .npz files", Class, d => FolderState(d, NpzFolder.ImageNetTrain), ImageNet),
    ];

    private static StreamRow Row(string name, string tasks, string data, Scenario usual, Func<DataFolder, string> state, Func<StreamRequest, TaskStream> build) =>
        new(name, tasks, data, usual, state, build);

    private static string BuiltIn(DataFolder folder) => "built in";

    /// <summary>Where a set is, in words, or the command that brings it.</summary>
    internal static string State(DataFolder folder, string set, string title, string path) =>
        folder.Find(path) is { } there ? $"{title} in {Path.GetDirectoryName(there)}" : $"absent: native data get {set}";

    private static string Cifar10State(DataFolder d) => State(d, "cifar-10", "CIFAR-10", DataTable.Cifar10[0].Path);

    private static string Cifar100State(DataFolder d) => State(d, "cifar-100", "CIFAR-100", DataTable.Cifar100[0].Path);

    private static string SvhnState(DataFolder d) => State(d, "svhn", "SVHN", DataTable.Svhn[0].Path);

    private static string BothState(DataFolder d) => $"{Cifar100State(d)}; {Cifar10State(d)}";

    private static string FolderState(DataFolder d, NpzFolder.Layout layout) =>
        d.Find(layout.Path) is { } there ? $".npz files in {there}" : $"absent: put .npz files into {layout.Path} of the data folder";

    private static (ImageSet Train, ImageSet Test) Cifar10(StreamRequest r) =>
        Pair("cifar-10", r, () => (Cifar.Load10(r.Folder, true, r.AllowUnofficial), Cifar.Load10(r.Folder, false, r.AllowUnofficial)));

    private static (ImageSet Train, ImageSet Test) Svhn10(StreamRequest r) =>
        Pair("svhn", r, () => (Svhn.Load(r.Folder, true, r.AllowUnofficial), Svhn.Load(r.Folder, false, r.AllowUnofficial)));

    /// <summary>A training and a test set, kept while anyone uses them.</summary>
    internal static (T Train, T Test) Pair<T>(string name, StreamRequest r, Func<(T, T)> load) where T : ItemSet =>
        DataCache.Get($"{name} {r.Folder.Root} {r.AllowUnofficial}", load, both => [both.Item1, both.Item2]);

    /// <summary>Automatic Recall Machines: two classes per task, of each class the first 95% for training and the last 5% for validation, [0,1].</summary>
    private static TaskStream Pairs(string name, StreamRequest r, (ImageSet Train, ImageSet Test) sets, Func<ImageSet>? background = null) =>
        DigitStreams.Cut(r, new StreamPlan(name, r.First(sets.Train, true), r.First(sets.Test, false), TaskStream.Chunks(10, 2, r.Order))
        {
            Select = Selection.HeadTail(0.95),
            Background = background is null ? null : () => r.First(background(), true),
            Notes = new JsonObject { ["validation"] = "the last 5% of each class" },
        });

    /// <summary>
    /// Maximally Interfered Retrieval (data.py), whose code made the ER and ER-MIR rows of Automatic Recall Machines' table 1: two classes per task, of
    /// each task a random 95% for training and the rest for validation, [-1,1].
    /// </summary>
    private static TaskStream Retrieval(string name, StreamRequest r, (ImageSet Train, ImageSet Test) sets) =>
        DigitStreams.Cut(r, new StreamPlan(name, r.First(sets.Train, true), r.First(sets.Test, false), TaskStream.Chunks(10, 2, r.Order))
        {
            Scale = PixelScale.Symmetric,
            Select = Selection.RandomValidation(r.Random("validation"), 0.05),
            Notes = new JsonObject { ["seed"] = r.Seed, ["validation"] = "a random 5% of each task" },
        });

    /// <summary>Dynamic Generative Memory: one class per task, [-1,1], 15% for validation.</summary>
    private static TaskStream Single(string name, StreamRequest r, (ImageSet Train, ImageSet Test) sets) =>
        DigitStreams.Cut(r, new StreamPlan(name, r.First(sets.Train, true), r.First(sets.Test, false), TaskStream.Chunks(10, 1, r.Order))
        {
            Scale = PixelScale.Symmetric,
            Select = Selection.RandomValidation(r.Random("validation"), 0.15),
            Notes = new JsonObject { ["seed"] = r.Seed, ["validation"] = "a random 15% of each task" },
        });

    private static (ImageSet Train, ImageSet Test, int[] Superclass) Cifar100(StreamRequest r) => DataCache.Get($"cifar-100 {r.Folder.Root} {r.AllowUnofficial}", () =>
    {
        var (train, superclass) = Cifar.Load100(r.Folder, true, r.AllowUnofficial);
        return (train, Cifar.Load100(r.Folder, false, r.AllowUnofficial).Images, superclass);
    }, all => [all.train, all.Images]);

    /// <summary>
    /// Incremental CIFAR-100: five fine labels per task, in the order of the labels (Gradient Episodic Memory), or one superclass per task, as
    /// the text of Scalable Recollections has it.
    /// </summary>
    private static TaskStream Hundred(string name, StreamRequest r, bool bySuperclass)
    {
        var (train, test, superclass) = Cifar100(r);
        int[][] tasks = bySuperclass ? BySuperclass(superclass, r.Order) : TaskStream.Chunks(100, 5, r.Order);
        return DigitStreams.Cut(r, new StreamPlan(name, r.First(train, true), r.First(test, false), tasks)
        {
            Titles = bySuperclass ? [.. tasks.Select(t => $"superclass {superclass[t[0]]}")] : null,
            Background = () => Cifar10(r).Train,
        });
    }

    internal static int[][] BySuperclass(int[] superclass, Generator? order)
    {
        int[] groups = [.. Enumerable.Range(0, 20)];
        order?.Shuffle<int>(groups);
        int[][] tasks = [.. groups.Select(g => Enumerable.Range(0, 100).Where(c => superclass[c] == g).ToArray())];
        return tasks.All(t => t.Length == 5) ? tasks
            : throw new DataFormatException("cifar-100: the 20 superclasses have "
                + $"{string.Join(",", tasks.Select(t => t.Length))} classes; 5 each are wanted. Fetch the files again.");
    }

    /// <summary>Scalable Recollections, figure 2: CIFAR-100 in 20 tasks, then all of CIFAR-10 as one more; its classes are 100 to 109.</summary>
    private static TaskStream HundredThenTen(StreamRequest r)
    {
        var (train, test, _) = Cifar100(r);
        var (nextTrain, nextTest) = Cifar10(r);
        int[][] tasks = [.. TaskStream.Chunks(100, 5, r.Order), [.. Enumerable.Range(100, 10)]];
        var (bothTrain, bothTest) = (r.First(train, true).Then(r.First(nextTrain, true), 100), r.First(test, false).Then(r.First(nextTest, false), 100));
        return DigitStreams.Cut(r, new StreamPlan("cifar100-cifar10", bothTrain, bothTest, tasks)
        {
            Titles = [.. tasks[..^1].Select(t => $"{{{string.Join(',', t)}}}"), "CIFAR-10"],
        });
    }

    /// <summary>
    /// Automatic Recall Machines: 20 tasks of 5 classes. Of the 600 images of a class the first 80% are training data and the rest the test set; of
    /// the first part 95% are trained on and the rest is for validation.
    /// </summary>
    private static TaskStream MiniImageNet(StreamRequest r)
    {
        var (train, test) = Pair("miniimagenet", r, () => SplitByClass(NpzFolder.Load(r.Folder, NpzFolder.MiniImageNet, r.AllowUnofficial), 0.8));
        return DigitStreams.Cut(r, new StreamPlan("miniimagenet-20", r.First(train, true), r.First(test, false), TaskStream.Chunks(100, 5, r.Order))
        {
            Select = Selection.HeadTail(0.95),
            Notes = new JsonObject { ["test"] = "the last 20% of each class", ["validation"] = "the last 5% of the rest of each class" },
        });
    }

    /// <summary>Dynamic Generative Memory: 50 classes of ImageNet in five tasks of ten, shrunk to 32 x 32, [-1,1].</summary>
    private static TaskStream ImageNet(StreamRequest r)
    {
        var (train, test) = Pair("imagenet-50", r, () => (Resample.Bilinear(NpzFolder.Load(r.Folder, NpzFolder.ImageNetTrain, r.AllowUnofficial), 32, 32),
            Resample.Bilinear(NpzFolder.Load(r.Folder, NpzFolder.ImageNetTest, r.AllowUnofficial), 32, 32)));
        return DigitStreams.Cut(r, new StreamPlan("imagenet-50", r.First(train, true), r.First(test, false), TaskStream.Chunks(50, 10, r.Order))
        {
            Scale = PixelScale.Symmetric,
            Notes = new JsonObject { ["resampled"] = "bilinear" },
        });
    }

    /// <summary>Of each class the first int(share n) images, and the others.</summary>
    internal static (ImageSet Head, ImageSet Tail) SplitByClass(ImageSet set, double share)
    {
        var (head, tail) = Selection.HeadTail(share)(0, [.. Enumerable.Range(0, set.Count)], set);
        return (Take(set, head, "train"), Take(set, tail, "test"));
    }

    /// <summary>Some images as a set of their own.</summary>
    internal static ImageSet Take(ImageSet set, int[] indices, string suffix)
    {
        var pixels = new byte[indices.Length * set.ImageSize];
        for (int i = 0; i < indices.Length; i++)
            set.Image(indices[i]).CopyTo(pixels.AsSpan(i * set.ImageSize));
        return set with { Name = $"{set.Name} {suffix}", Pixels = pixels, Labels = [.. indices.Select(i => set.Labels[i])], Count = indices.Length };
    }
}
