using System.Text.Json.Nodes;

namespace Native.Methods;

/// <summary>The streams over MNIST, each with a twin over drawn digits.</summary>
internal static class DigitStreams
{
    /// <summary>Tasks of the rotated streams, and the range of their angles in degrees (Gradient Episodic Memory, run_experiments.sh).</summary>
    private const int Rotations = 20;

    private const double FromAngle = 0, ToAngle = 180;

    /// <summary>Training images per rotated task (Gradient Episodic Memory).</summary>
    private const int PerRotation = 1000;

    // Data are no chance: one drawing for all seeds, as there is one MNIST; and one set of angles, as the published runs share one file of them.
    private const ulong DigitsSeed = 20_25, AnglesSeed = 0;

    private static readonly Lazy<(ImageSet Train, ImageSet Test)> Digits = new(() => SyntheticDigits.Make(new Generator(DigitsSeed)));

    public static IEnumerable<StreamRow> Rows { get; } =
    [
        new("split-mnist", "5 x 2 digits", "MNIST, or drawn digits without it", Scenario.ClassIncremental, MnistOrDigits, r => Pairs("split-mnist", r, Either(r))),
        new("split-digits", "5 x 2 digits", "digits drawn by the program", Scenario.ClassIncremental, BuiltIn, r => Pairs("split-digits", r, Digits.Value)),
        .. Both("mnist", "digits", "1 x 10 digits, all images", Scenario.ClassIncremental, Whole),
        .. Both("split-mnist-10", "digits-10", "10 x 1 digits, 32x32, 15% validation", Scenario.ClassIncremental, Single),
        .. Both("mnist-5k-5", "digits-5k-5", "5 x 2 digits, 500 images each", Scenario.ClassIncremental, FiveThousand),
        .. Both("mnist-mir-5", "digits-mir-5", "5 x 2 digits, the first 1010 of each shuffled task", Scenario.ClassIncremental, Retrieval),
        .. Both("mnist-rotations", "digits-rotations", $"{Rotations} angles x 10 digits, {PerRotation} images each", Scenario.DomainIncremental, Rotated),
    ];

    private static IEnumerable<StreamRow> Both(string real, string drawn, string tasks, Scenario usual,
        Func<string, StreamRequest, (ImageSet Train, ImageSet Test), TaskStream> build) =>
    [
        new(real, tasks, "MNIST", usual, Mnist.State, r => build(real, r, Mnist.Load(r))),
        new(drawn, tasks, "digits drawn by the program", usual, BuiltIn, r => build(drawn, r, Digits.Value)),
    ];

    private static string BuiltIn(DataFolder folder) => "built in";

    private static string MnistOrDigits(DataFolder folder) => Mnist.Here(folder) ? Mnist.State(folder) : "no MNIST here: drawn digits";

    private static (ImageSet Train, ImageSet Test) Either(StreamRequest r) => Mnist.Here(r.Folder) || r.Explicit ? Mnist.Load(r) : Digits.Value;

    /// <summary>Split-MNIST: {0,1} to {8,9}.</summary>
    private static TaskStream Pairs(string name, StreamRequest r, (ImageSet Train, ImageSet Test) sets) =>
        Cut(r, new StreamPlan(name, r.First(sets.Train, true), r.First(sets.Test, false), TaskStream.Chunks(10, 2, r.Order)));

    /// <summary>One task of all digits: Scalable Recollections' distortion and distillation experiments.</summary>
    private static TaskStream Whole(string name, StreamRequest r, (ImageSet Train, ImageSet Test) sets) =>
        Cut(r, new StreamPlan(name, r.First(sets.Train, true), r.First(sets.Test, false), TaskStream.Chunks(10, 10, r.Order)));

    /// <summary>Dynamic Generative Memory: one class per task, bilinear to 32 x 32, [-1,1], 15% for validation.</summary>
    private static TaskStream Single(string name, StreamRequest r, (ImageSet Train, ImageSet Test) sets) =>
        Cut(r, new StreamPlan(name, DataCache.At32(r.First(sets.Train, true)), DataCache.At32(r.First(sets.Test, false)), TaskStream.Chunks(10, 1, r.Order))
        {
            Scale = PixelScale.Symmetric,
            Select = Selection.RandomValidation(r.Random("validation"), 0.15),
            Notes = new JsonObject { ["seed"] = r.Seed, ["validation"] = "a random 15% of each task", ["resampled"] = "bilinear from 28x28" },
        });

    /// <summary>
    /// Automatic Recall Machines: 500 training images per class of 95%, 5% for validation. The released code does not shuffle what it has chosen, so a
    /// task ends with some batches of one class: the one that the shuffled set brought later. Forgetting depends on it: LwF's is 59% so (published: 58.0 +-
    /// 1.7) and 66% with mixed batches to the end.
    /// </summary>
    private static TaskStream FiveThousand(string name, StreamRequest r, (ImageSet Train, ImageSet Test) sets) =>
        Cut(r, new StreamPlan(name, r.First(sets.Train, true), r.First(sets.Test, false), TaskStream.Chunks(10, 2, r.Order))
        {
            Select = Selection.ShuffleCutTake(r.Random("subset"), 0.95, 500),
            InOrder = true,
            Notes = new JsonObject
            {
                ["seed"] = r.Seed,
                ["selection"] = "each task shuffled; of the first 95% the first 500 per class, trained on in that order; the last 5% for validation",
            },
        });

    /// <summary>
    /// Maximally Interfered Retrieval, whose code made the ER, ER-MIR, GEN and GEN-MIR rows of Automatic Recall Machines' table 3: classes come in MNIST's
    /// own proportions, batches are shuffled. It stops after the batch that exceeds 1000 images, the 101st.
    /// </summary>
    private static TaskStream Retrieval(string name, StreamRequest r, (ImageSet Train, ImageSet Test) sets) =>
        Cut(r, new StreamPlan(name, r.First(sets.Train, true), r.First(sets.Test, false), TaskStream.Chunks(10, 2, r.Order))
        {
            Select = Selection.ShuffleCutFirst(r.Random("subset"), 0.95, 1010),
            Notes = new JsonObject { ["seed"] = r.Seed, ["selection"] = "each task shuffled; of the first 95% the first 1010; the last 5% for validation" },
        });

    /// <summary>
    /// Gradient Episodic Memory: task t of 20 turns all its images by one angle, uniform in [9t, 9(t+1)) degrees; 1000 training images per task, the
    /// whole test set. Each task's ten digits are classes of their own, so that all three scenarios exist; the papers share one head (domain).
    /// </summary>
    private static TaskStream Rotated(string name, StreamRequest r, (ImageSet Train, ImageSet Test) sets)
    {
        var (train, test) = (r.First(sets.Train, true), r.First(sets.Test, false));
        var draw = new Generator(AnglesSeed).Stream("rotations/angles");
        const double bin = (ToAngle - FromAngle) / Rotations;
        double[] angles = [.. Enumerable.Range(0, Rotations).Select(t => FromAngle + (t + draw.NextDouble()) * bin)];
        int[][] maps = [.. angles.Select(a => Rotation.Map(train.Height, train.Width, a))];
        int[][] chosen = [.. Enumerable.Range(0, Rotations).Select(t =>
        {
            var order = r.Random($"rotations/task {t}").Permutation(train.Count);
            return Array.ConvertAll(order[..Math.Min(PerRotation, order.Length)], i => (int)i);
        })];
        int[] every = [.. Enumerable.Range(0, test.Count)];
        return Cut(r, new StreamPlan(name, Turn(train, maps, chosen), Turn(test, maps, [.. maps.Select(_ => every)]),
            TaskStream.Chunks(10 * Rotations, 10))
        {
            Titles = [.. angles.Select(a => $"{a:F1} deg")],
            Notes = new JsonObject { ["seed"] = r.Seed, ["anglesSeed"] = AnglesSeed, ["angles"] = new JsonArray([.. angles.Select(a => (JsonNode)a)]) },
        }, ordered: true);
    }

    /// <summary>The chosen images of each task, turned, one task after the other; a label is 10 x task + digit.</summary>
    private static ImageSet Turn(ImageSet set, int[][] maps, int[][] chosen)
    {
        int[] starts = [0, .. chosen.Select(c => c.Length)];
        for (int t = 0; t < chosen.Length; t++)
            starts[t + 1] += starts[t];
        int count = starts[^1], size = set.ImageSize;
        if ((long)count * size > Array.MaxLength)
            throw new UsageException($"rotations: {count} turned images of {size} bytes are too many. Use fewer test images (the first N).");
        var pixels = new byte[count * size];
        var labels = new int[count];
        Parallel.For(0, chosen.Length, t =>
        {
            for (int i = 0; i < chosen[t].Length; i++)
            {
                int to = starts[t] + i;
                Rotation.Apply(set.Image(chosen[t][i]), maps[t], pixels.AsSpan(to * size, size));
                labels[to] = 10 * t + set.Labels[chosen[t][i]];
            }
        });
        return set with { Name = $"{set.Name}, turned by {maps.Length} angles", Pixels = pixels, Labels = labels, Count = count };
    }

    /// <summary>A stream as planned, with what the request changes, and a note of what the seed decided.</summary>
    internal static TaskStream Cut(StreamRequest r, StreamPlan plan, bool ordered = false)
    {
        if (ordered && r.ShuffleClasses)
            throw new UsageException($"{plan.Name}: the order of its tasks is fixed. Leave --shuffle-classes out.");
        if (r.ShuffleClasses)
            plan.Notes["seed"] = r.Seed;
        return new TaskStream(plan with { Scale = r.Scale ?? plan.Scale }, r.Scenario);
    }
}
