namespace Native.Methods;

/// <summary>Chooses what of a task's training items is trained on and what is held back.</summary>
/// <param name="task">The task's index.</param>
/// <param name="members">Its items, in the order of the set.</param>
/// <param name="set">The set that holds them.</param>
public delegate (int[] Train, int[] Validation) TaskSelection(int task, int[] members, ItemSet set);

/// <summary>The choices that the papers' protocols make.</summary>
public static class Selection
{
    /// <summary>Everything is trained on.</summary>
    public static TaskSelection All { get; } = (_, members, _) => (members, []);

    /// <summary>
    /// Automatic Recall Machines and Maximally Interfered Retrieval on MNIST: the items of a task are shuffled together, the first
    /// int(<paramref name="share"/> n) are for training and the rest for validation; of the first part the first <paramref name="perClass"/> of each
    /// class are kept, in that order.
    /// </summary>
    public static TaskSelection ShuffleCutTake(Generator random, double share, int perClass) => (task, members, set) =>
    {
        int[] order = [.. members];
        random.Stream($"task {task}").Shuffle<int>(order);
        int cut = (int)(order.Length * share);
        var taken = new Dictionary<int, int>();
        var train = new List<int>();
        foreach (int i in order.AsSpan(0, cut))
        {
            int n = taken.GetValueOrDefault(set.Labels[i]);
            if (n == perClass)
                continue;
            taken[set.Labels[i]] = n + 1;
            train.Add(i);
        }
        foreach (var (label, n) in taken)
            if (n < perClass)
                throw new UsageException($"stream: {set.Name} has {n} training images of class {label} and {perClass} are wanted. Use a larger set.");
        return ([.. train], order[cut..]);
    };

    /// <summary>
    /// Maximally Interfered Retrieval on MNIST: as <see cref="ShuffleCutTake"/>, but the first <paramref name="perTask"/> items of the first part are
    /// kept, whatever their classes.
    /// </summary>
    public static TaskSelection ShuffleCutFirst(Generator random, double share, int perTask) => (task, members, set) =>
    {
        int[] order = [.. members];
        random.Stream($"task {task}").Shuffle<int>(order);
        int cut = (int)(order.Length * share);
        if (cut < perTask)
            throw new UsageException($"stream: {set.Name} has {cut} training images of task {task} and {perTask} are wanted. Use a larger set.");
        return (order[..perTask], order[cut..]);
    };

    /// <summary>
    /// Automatic Recall Machines on CIFAR-10 and MiniImageNet: of each class the first int(<paramref name="share"/> n) items are for training and the
    /// last n - int(<paramref name="share"/> n) for validation.
    /// </summary>
    public static TaskSelection HeadTail(double share) => (_, members, set) =>
    {
        List<int> train = [], validation = [];
        foreach (var ofClass in members.GroupBy(i => set.Labels[i]))
        {
            int[] items = [.. ofClass];
            int cut = (int)(items.Length * share);
            train.AddRange(items.AsSpan(0, cut));
            validation.AddRange(items.AsSpan(cut));
        }
        train.Sort();
        validation.Sort();
        return ([.. train], [.. validation]);
    };

    /// <summary>Dynamic Generative Memory: a random share of each task is held back for validation.</summary>
    public static TaskSelection RandomValidation(Generator random, double share) => (task, members, _) =>
    {
        int[] order = [.. members];
        random.Stream($"task {task}").Shuffle<int>(order);
        int held = (int)(order.Length * share);
        return ([.. order[held..].Order()], [.. order[..held].Order()]);
    };
}
