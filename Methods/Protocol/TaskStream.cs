namespace Native.Methods;

/// <summary>One task of a stream.</summary>
/// <param name="Index">Position in the stream, from 0; -1 for the union of all tasks.</param>
/// <param name="Classes">Labels of the data set that belong to it.</param>
/// <param name="Outputs">The outputs of the network that stand for these classes.</param>
/// <param name="Train">Indices into the training set.</param>
/// <param name="Test">Indices into the test set.</param>
public sealed record StreamTask(int Index, int[] Classes, int[] Outputs, int[] Train, int[] Test)
{
    /// <summary>For tables: the classes, for example <c>{0,1}</c>.</summary>
    public string Name => $"{{{string.Join(',', Classes)}}}";
}

/// <summary>
/// A sequence of tasks cut from one data set by class. A training phase sees the images of its own task only, each task has its own
/// test set, and images are shuffled within a task, never across.
/// </summary>
public sealed class TaskStream
{
    private readonly int[] _target, _taskOf;

    private TaskStream(string name, Scenario scenario, ImageSet train, ImageSet test, int[] classOrder, int perTask)
    {
        (Name, Scenario, Train, Test, ClassOrder) = (name, scenario, train, test, classOrder);
        int classes = classOrder.Length;
        bool shared = scenario == Scenario.DomainIncremental;
        Outputs = shared ? perTask : classes;
        _target = new int[classes];
        _taskOf = new int[classes];
        for (int i = 0; i < classes; i++)
        {
            _taskOf[classOrder[i]] = i / perTask;
            // Shared outputs: the position within the task, which for the pairs {0,1}, {2,3}, ... is the parity of the digit.
            _target[classOrder[i]] = shared ? i % perTask : classOrder[i];
        }
        Tasks = [.. Enumerable.Range(0, classes / perTask).Select(t =>
        {
            var members = classOrder[(t * perTask)..((t + 1) * perTask)];
            var outputs = members.Select(c => _target[c]).Order().ToArray();
            return new StreamTask(t, members, outputs, Members(train, t), Members(test, t));
        })];
    }

    /// <summary>For tables, for example <c>split-mnist</c>.</summary>
    public string Name { get; }

    /// <summary>What is told at test time.</summary>
    public Scenario Scenario { get; }

    /// <summary>The training images.</summary>
    public ImageSet Train { get; }

    /// <summary>The test images.</summary>
    public ImageSet Test { get; }

    /// <summary>The classes in the order in which the tasks bring them.</summary>
    public int[] ClassOrder { get; }

    /// <summary>The tasks, in order.</summary>
    public IReadOnlyList<StreamTask> Tasks { get; }

    /// <summary>Outputs that a network needs: all classes, or those of one task when tasks share them.</summary>
    public int Outputs { get; }

    /// <summary>Numbers per input: channels x height x width.</summary>
    public int InputSize => Train.ImageSize;

    /// <summary>
    /// Split-MNIST and its like: ten classes, two per task, in the order {0,1} to {8,9} unless <paramref name="order"/> shuffles the classes.
    /// </summary>
    public static TaskStream SplitDigits(string name, ImageSet train, ImageSet test, Scenario scenario, Generator? order = null) =>
        Split(name, train, test, scenario, classes: 10, perTask: 2, order);

    /// <summary>Cuts a data set into tasks of <paramref name="perTask"/> classes each.</summary>
    /// <exception cref="UsageException">The classes do not divide evenly, or a class has no images.</exception>
    public static TaskStream Split(
        string name, ImageSet train, ImageSet test, Scenario scenario, int classes, int perTask, Generator? order = null)
    {
        if (perTask < 1 || classes < 1 || classes % perTask != 0)
            throw new UsageException($"stream: {classes} classes do not divide into tasks of {perTask}. Choose a divisor.");
        if (train.ImageSize != test.ImageSize)
            throw new UsageException($"stream: {train.Name} has {train.ImageSize} numbers per image and {test.Name} {test.ImageSize}. "
                + "Take both from one data set.");
        foreach (var set in new[] { train, test })
            for (int c = 0; c < classes; c++)
                if (!set.Labels.AsSpan().Contains((byte)c))
                    throw new UsageException($"stream: {set.Name} has no image of class {c}; {classes} classes are wanted. Use a larger set.");
        var classOrder = Enumerable.Range(0, classes).ToArray();
        order?.Shuffle<int>(classOrder);
        return new TaskStream(name, scenario, train, test, classOrder, perTask);
    }

    /// <summary>All training images as one task, for joint training; it has no test images, since the tasks keep theirs.</summary>
    public StreamTask Union()
    {
        // By task and then by position: the order before shuffling is part of the run's identity.
        var all = Tasks.SelectMany(t => t.Train).ToArray();
        return new StreamTask(-1, ClassOrder, [.. Enumerable.Range(0, Outputs)], all, []);
    }

    /// <summary>The output that stands for a label.</summary>
    public int Target(int label) => _target[label];

    /// <summary>The task that brings a label.</summary>
    public int TaskOf(int label) => _taskOf[label];

    /// <summary>Images of one of the stream's sets as a batch. Allocates in the open scope.</summary>
    public Batch BatchOf(ImageSet set, ReadOnlySpan<int> indices)
    {
        int size = set.ImageSize;
        var pixels = new byte[indices.Length * size];
        var targets = new int[indices.Length];
        var tasks = new int[indices.Length];
        for (int i = 0; i < indices.Length; i++)
        {
            set.Pixels.AsSpan(indices[i] * size, size).CopyTo(pixels.AsSpan(i * size));
            int label = set.Labels[indices[i]];
            (targets[i], tasks[i]) = (_target[label], _taskOf[label]);
        }
        return new Batch(this, pixels, targets, tasks);
    }

    private int[] Members(ImageSet set, int task)
    {
        var members = new List<int>();
        for (int i = 0; i < set.Count; i++)
            if (set.Labels[i] < _taskOf.Length && _taskOf[set.Labels[i]] == task)
                members.Add(i);
        return [.. members];
    }
}
