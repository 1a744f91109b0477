using System.Text.Json.Nodes;

namespace Native.Methods;

/// <summary>What a stream is cut from, and how.</summary>
/// <param name="Name">For tables, for example <c>split-mnist</c>.</param>
/// <param name="Train">The training items; what a task holds back for validation is among them.</param>
/// <param name="Test">The test items.</param>
/// <param name="Tasks">The classes of each task, in order; each class at most once.</param>
public sealed record StreamPlan(string Name, ItemSet Train, ItemSet Test, int[][] Tasks)
{
    /// <summary>What bytes mean to a network; of no account for texts.</summary>
    public PixelScale Scale { get; init; } = PixelScale.Unit;

    /// <summary>What of each task is trained on.</summary>
    public TaskSelection Select { get; init; } = Selection.All;

    /// <summary>
    /// Whether a task's items are trained on in the order of the selection, in every pass, instead of being shuffled. The union of all tasks is shuffled
    /// all the same.
    /// </summary>
    public bool InOrder { get; init; }

    /// <summary>Names of tasks, where their classes do not say enough.</summary>
    public IReadOnlyList<string>? Titles { get; init; }

    /// <summary>Images of another data set, without labels, for methods that may begin with a representation of them; null for none.</summary>
    public Func<ImageSet>? Background { get; init; }

    /// <summary>Whatever else decides the stream: seeds, angles, sizes before resampling. Recorded in its description.</summary>
    public JsonObject Notes { get; init; } = [];
}

/// <summary>
/// A sequence of tasks over one training and one test set. A training phase sees the items of its own task only, each task has its own
/// test items, and items are shuffled within a task, never across. Everything lies in flat arrays, so a batch costs the same in every task.
/// </summary>
public sealed class TaskStream
{
    private readonly StreamPlan _plan;
    private readonly int[] _target, _taskOf;

    /// <summary>Cuts the sets as planned.</summary>
    /// <exception cref="UsageException">A class is used twice or has no items, or the sets differ in kind or size.</exception>
    public TaskStream(StreamPlan plan, Scenario scenario)
    {
        (_plan, Scenario) = (plan, scenario);
        Check(plan);
        ClassOrder = [.. plan.Tasks.SelectMany(classes => classes)];
        bool shared = scenario == Scenario.DomainIncremental;
        int labels = ClassOrder.Max() + 1;
        Outputs = shared ? plan.Tasks.Max(classes => classes.Length) : labels;
        _target = new int[labels];
        _taskOf = new int[labels];
        Array.Fill(_target, -1);
        Array.Fill(_taskOf, -1);
        for (int t = 0; t < plan.Tasks.Length; t++)
            for (int i = 0; i < plan.Tasks[t].Length; i++)
            {
                int label = plan.Tasks[t][i];
                _taskOf[label] = t;
                // Shared outputs: the position within the task, which for the pairs {0,1}, {2,3}, ... is the parity of the digit.
                _target[label] = shared ? i : label;
            }
        int[][] train = Members(plan.Train), test = Members(plan.Test);
        Tasks = [.. plan.Tasks.Select((classes, t) =>
        {
            var (chosen, held) = plan.Select(t, train[t], plan.Train);
            return new StreamTask(t, classes, [.. classes.Select(c => _target[c]).Order()], chosen, test[t])
            { Validation = held, Title = plan.Titles?[t] };
        })];
    }

    /// <summary>For tables, for example <c>split-mnist</c>.</summary>
    public string Name => _plan.Name;

    /// <summary>What is told at test time.</summary>
    public Scenario Scenario { get; }

    /// <summary>The training items: images or texts.</summary>
    public ItemSet TrainItems => _plan.Train;

    /// <summary>The test items: images or texts.</summary>
    public ItemSet TestItems => _plan.Test;

    /// <summary>The training images; <see cref="UsageException"/> when the stream's items are texts.</summary>
    public ImageSet Train => Images(_plan.Train);

    /// <summary>The test images; <see cref="UsageException"/> when the stream's items are texts.</summary>
    public ImageSet Test => Images(_plan.Test);

    /// <summary>The classes in the order in which the tasks bring them.</summary>
    public int[] ClassOrder { get; }

    /// <summary>The tasks, in order.</summary>
    public IReadOnlyList<StreamTask> Tasks { get; }

    /// <summary>Outputs that a network needs: all classes, or those of the largest task when tasks share them.</summary>
    public int Outputs { get; }

    /// <summary>Whether a task's items come in their own order, unshuffled.</summary>
    public bool InOrder => _plan.InOrder;

    /// <summary>What bytes mean to a network.</summary>
    public PixelScale Scale => _plan.Scale;

    /// <summary>Loads images of another data set that a method may begin with; null where the stream has none.</summary>
    public Func<ImageSet>? Background => _plan.Background;

    /// <summary>Numbers per input: channels x height x width.</summary>
    public int InputSize => Train.ImageSize;

    /// <summary>Whether the items are texts: then there are no images, and batches hold numbers of words.</summary>
    public bool IsText => _plan.Train is TextSet;

    /// <summary>The words of a stream of texts: of all its training texts, as in the released code of MyGO. Labels are not looked at.</summary>
    /// <exception cref="UsageException">The items are images.</exception>
    public Vocabulary Vocabulary => Vocabulary.Of(_plan.Train as TextSet
        ?? throw new UsageException($"stream: the items of {_plan.Train.Name} are images, and words are asked for. Use a method and network for images."));

    /// <summary>The numbers of the words of a text.</summary>
    public ReadOnlyMemory<int> Words(ItemSet set, int index) => Vocabulary.Number((TextSet)set)[index];

    /// <summary>
    /// Split-MNIST and its like: ten classes, two per task, in the order {0,1} to {8,9} unless <paramref name="order"/> shuffles the classes.
    /// </summary>
    public static TaskStream SplitDigits(string name, ImageSet train, ImageSet test, Scenario scenario, Generator? order = null) =>
        Split(name, train, test, scenario, classes: 10, perTask: 2, order);

    /// <summary>Cuts a data set into tasks of <paramref name="perTask"/> classes each.</summary>
    /// <exception cref="UsageException">The classes do not divide evenly, or a class has no images.</exception>
    public static TaskStream Split(
        string name, ItemSet train, ItemSet test, Scenario scenario, int classes, int perTask, Generator? order = null) =>
        new(new StreamPlan(name, train, test, Chunks(classes, perTask, order)), scenario);

    /// <summary>The classes 0 to <paramref name="classes"/> - 1, in order or shuffled, in tasks of <paramref name="perTask"/>.</summary>
    public static int[][] Chunks(int classes, int perTask, Generator? order = null)
    {
        if (perTask < 1 || classes < 1 || classes % perTask != 0)
            throw new UsageException($"stream: {classes} classes do not divide into tasks of {perTask}. Choose a divisor.");
        int[] all = [.. Enumerable.Range(0, classes)];
        order?.Shuffle<int>(all);
        return [.. all.Chunk(perTask)];
    }

    /// <summary>All training items as one task, for joint training; it has no test items, since the tasks keep theirs.</summary>
    public StreamTask Union()
    {
        // By task and then by position: the order before shuffling is part of the run's identity.
        var all = Tasks.SelectMany(t => t.Train).ToArray();
        return new StreamTask(-1, ClassOrder, [.. Enumerable.Range(0, Outputs)], all, []) { Validation = [.. Tasks.SelectMany(t => t.Validation)] };
    }

    /// <summary>The output that stands for a label.</summary>
    public int Target(int label) => _target[label];

    /// <summary>The task that brings a label; -1 for none.</summary>
    public int TaskOf(int label) => _taskOf[label];

    /// <summary>The label that a target means in a task: what <see cref="Target"/> undoes.</summary>
    public int LabelOf(int task, int target) =>
        Tasks[task].Classes.FirstOrDefault(label => _target[label] == target, -1) is var label and >= 0
            ? label
            : throw new UsageException($"stream: task {task} of {Name} has no class for output {target}.");

    /// <summary>Items of one of the stream's sets as a batch. Allocates in the open scope.</summary>
    public Batch BatchOf(ItemSet set, ReadOnlySpan<int> indices)
    {
        var (targets, tasks) = Answers(set, indices);
        if (set is TextSet)
        {
            var words = new ReadOnlyMemory<int>[indices.Length];
            for (int i = 0; i < words.Length; i++)
                words[i] = Words(set, indices[i]);
            return new Batch(this, words, targets, tasks);
        }
        var images = Images(set);
        int size = images.ImageSize;
        var pixels = new byte[indices.Length * size];
        for (int i = 0; i < indices.Length; i++)
            images.Pixels.AsSpan(indices[i] * size, size).CopyTo(pixels.AsSpan(i * size));
        return new Batch(this, pixels, targets, tasks);
    }

    /// <summary>
    /// Everything that decides the stream, as JSON with a fixed order of keys: equal streams give equal text. Holds no path and no time.
    /// </summary>
    public JsonObject Describe()
    {
        var input = _plan.Train is ImageSet images
            ? new JsonObject
            {
                ["kind"] = "image",
                ["channels"] = images.Channels,
                ["height"] = images.Height,
                ["width"] = images.Width,
                ["scale"] = Scale.Name,
            }
            : new JsonObject { ["kind"] = "text", ["words"] = Vocabulary.Words.Count };
        var json = new JsonObject
        {
            ["name"] = Name,
            ["scenario"] = Scenario.Name(),
            ["outputs"] = Outputs,
            ["input"] = input,
            ["train"] = About(_plan.Train),
            ["test"] = About(_plan.Test),
            ["classOrder"] = new JsonArray([.. ClassOrder.Select(c => (JsonNode)c)]),
            ["tasks"] = new JsonArray([.. Tasks.Select(t => (JsonNode)new JsonObject
            {
                ["name"] = t.Name,
                ["classes"] = t.Classes.Length,
                ["train"] = t.Train.Length,
                ["validation"] = t.Validation.Length,
                ["test"] = t.Test.Length,
            })]),
        };
        foreach (var (key, note) in _plan.Notes)
            json[key] = note?.DeepClone();
        return json;
    }

    private static JsonObject About(ItemSet set) => new() { ["name"] = set.Name, ["items"] = set.Count, ["provenance"] = set.Provenance };

    private static ImageSet Images(ItemSet set) => set as ImageSet
        ?? throw new UsageException($"stream: the items of {set.Name} are texts, and images are asked for. Use a method and network for text.");

    private (int[] Targets, int[] Tasks) Answers(ItemSet set, ReadOnlySpan<int> indices)
    {
        var (targets, tasks) = (new int[indices.Length], new int[indices.Length]);
        for (int i = 0; i < indices.Length; i++)
        {
            int label = set.Labels[indices[i]];
            (targets[i], tasks[i]) = (_target[label], _taskOf[label]);
        }
        return (targets, tasks);
    }

    private static void Check(StreamPlan plan)
    {
        if (plan.Train is ImageSet a && plan.Test is ImageSet b && (a.Channels, a.Height, a.Width) != (b.Channels, b.Height, b.Width))
            throw new UsageException($"stream: {a.Name} has images of {a.Channels}x{a.Height}x{a.Width} and {b.Name} of "
                + $"{b.Channels}x{b.Height}x{b.Width}. Take both from one data set.");
        if (plan.Train.GetType() != plan.Test.GetType())
            throw new UsageException($"stream: {plan.Train.Name} and {plan.Test.Name} are not of one kind. Take both from one data set.");
        int[] classes = [.. plan.Tasks.SelectMany(t => t)];
        if (classes.Length == 0 || plan.Tasks.Any(t => t.Length == 0))
            throw new UsageException($"stream: {plan.Name} has a task without classes. Give each at least one.");
        if (classes.Distinct().Count() != classes.Length)
            throw new UsageException($"stream: {plan.Name} has a class in two places. Each class belongs to one task.");
        foreach (var set in new[] { plan.Train, plan.Test })
        {
            var present = set.Labels.ToHashSet();
            foreach (int c in classes.Order())
                if (!present.Contains(c))
                    throw new UsageException($"stream: {set.Name} has no {(set is ImageSet ? "image" : "text")} of class {c}; {classes.Length} "
                        + "classes are wanted. Use a larger set.");
        }
    }

    private int[][] Members(ItemSet set)
    {
        var members = _plan.Tasks.Select(_ => new List<int>()).ToArray();
        for (int i = 0; i < set.Count; i++)
            if (set.Labels[i] < _taskOf.Length && _taskOf[set.Labels[i]] is >= 0 and var task)
                members[task].Add(i);
        return [.. members.Select(m => m.ToArray())];
    }
}
