namespace Native.Methods;

/// <summary>
/// The index buffer of Scalable Recollections (figure 1): codes of earlier examples as packed bits, with the output and task of each. Replay keeps a uniform
/// sample of all that was offered (reservoir: Vitter 1985, algorithm R); Gradient Episodic Memory keeps the latest of each task (ring). Both cost one write an
/// item, and a draw costs what it draws. Outputs and tasks are not charged to the budget, as for real images (<see cref="StoredBits"/>).
/// </summary>
public sealed class IndexBuffer
{
    private readonly PackedCodes _codes;
    private readonly Generator _random;
    private readonly int _share;
    private readonly bool _ring;
    private int[] _targets, _tasks;
    private long[] _offered;

    private IndexBuffer(CodeSize size, int groups, int share, bool ring, Generator random)
    {
        if (groups < 1 || share < 1 || (long)groups * share > int.MaxValue)
            throw new UsageException($"index buffer: {share} items for each of {groups} parts are no memory. Give 1 or more.");
        int capacity = groups * share;
        _codes = new PackedCodes(size, capacity);
        (_random, _share, _ring) = (random, share, ring);
        (_targets, _tasks, _offered) = (new int[capacity], new int[capacity], new long[groups]);
    }

    /// <summary>One that keeps a uniform sample.</summary>
    /// <param name="size">c and l.</param>
    /// <param name="capacity">L: items.</param>
    /// <param name="random">What to keep and what to draw.</param>
    public static IndexBuffer Reservoir(CodeSize size, int capacity, Generator random) => new(size, 1, capacity, ring: false, random);

    /// <summary>One that keeps the latest items of each task.</summary>
    /// <param name="size">c and l.</param>
    /// <param name="tasks">Tasks.</param>
    /// <param name="share">Items of each.</param>
    /// <param name="random">What to draw.</param>
    public static IndexBuffer Ring(CodeSize size, int tasks, int share, Generator random) => new(size, tasks, share, ring: true, random);

    /// <summary>c and l.</summary>
    public CodeSize Size => _codes.Size;

    /// <summary>Items that it can hold.</summary>
    public int Capacity => _codes.Capacity;

    /// <summary>Items that it holds.</summary>
    public int Count => _offered.Sum(n => (int)Math.Min(_share, n));

    /// <summary>Items offered so far.</summary>
    public long Offered => _offered.Sum();

    /// <summary>Bits of the codes that it can hold: items k.</summary>
    public long StorageBits => _codes.Bits;

    /// <summary>Bytes that the codes take in memory: the bits over 8, rounded up.</summary>
    public int CodeBytes => _codes.ByteCount;

    /// <summary>Whether a slot is in use.</summary>
    public bool Holds(int slot) => slot % _share < _offered[slot / _share];

    /// <summary>The output kept in a slot.</summary>
    public int TargetAt(int slot) => _targets[slot];

    /// <summary>The task of a slot's item.</summary>
    public int TaskAt(int slot) => _tasks[slot];

    /// <summary>Offers one item; the slot that it went to, or -1 for one that was not kept.</summary>
    /// <param name="categories">c numbers below l.</param>
    /// <param name="target">The right output.</param>
    /// <param name="task">Its task, from 0.</param>
    public int Add(ReadOnlySpan<long> categories, int target, int task)
    {
        int group = _ring ? task : 0;
        if (group < 0 || group >= _offered.Length)
            throw new UsageException($"index buffer: task {task} is none of the {_offered.Length} that it has a share for.");
        long offered = _offered[group];
        long at = _ring ? offered % _share : offered < Capacity ? offered : _random.NextInt64(offered + 1);
        _offered[group]++;
        if (at >= _share)
            return -1;
        int slot = group * _share + (int)at;
        _codes.Write(slot, categories);
        (_targets[slot], _tasks[slot]) = (target, task);
        return slot;
    }

    /// <summary>Offers a code i64 [n, c] with the outputs and tasks of its rows.</summary>
    public void Add(Tensor categories, ReadOnlySpan<int> targets, ReadOnlySpan<int> tasks)
    {
        long[] all = categories.ToArray<long>();
        for (int i = 0; i < targets.Length; i++)
            Add(all.AsSpan(i * Size.Variables, Size.Variables), targets[i], tasks[i]);
    }

    /// <summary>The slots of up to <paramref name="count"/> different items, uniformly from all that it holds (Floyd's algorithm: one number an item drawn).</summary>
    public int[] Draw(int count)
    {
        int held = Count;
        var drawn = new int[Math.Min(count, held)];
        for (int i = 0; i < drawn.Length; i++)
        {
            int last = held - drawn.Length + i, any = (int)_random.NextInt64(last + 1);
            drawn[i] = drawn.AsSpan(0, i).Contains(any) ? last : any;
        }
        return Array.ConvertAll(drawn, Slot);
    }

    // The slot of the n-th item that is held, task after task.
    private int Slot(int n)
    {
        int group = 0;
        for (; n >= Math.Min(_share, _offered[group]); group++)
            n -= (int)Math.Min(_share, _offered[group]);
        return group * _share + n;
    }

    /// <summary>The slots of a task's items by place; of a ring only.</summary>
    public int[] SlotsOf(int task) => _ring ? [.. Enumerable.Range(task * _share, (int)Math.Min(_share, _offered[task]))]
        : throw new UsageException("index buffer: a reservoir has no share of a task. Use a ring.");

    /// <summary>The categories i64 [slots, c] of some slots.</summary>
    public Tensor Codes(ReadOnlySpan<int> slots)
    {
        var all = new long[slots.Length * Size.Variables];
        for (int i = 0; i < slots.Length; i++)
            _codes.Read(slots[i], all.AsSpan(i * Size.Variables, Size.Variables));
        return Tensor.From(all, [slots.Length, Size.Variables]);
    }

    /// <summary>Puts other codes, i64 [slots, c], in place of those of some slots.</summary>
    public void Replace(ReadOnlySpan<int> slots, Tensor categories)
    {
        long[] all = categories.ToArray<long>();
        for (int i = 0; i < slots.Length; i++)
            _codes.Write(slots[i], all.AsSpan(i * Size.Variables, Size.Variables));
    }

    /// <summary>The outputs and tasks of some slots.</summary>
    public (int[] Targets, int[] Tasks) Answers(int[] slots) => (Array.ConvertAll(slots, s => _targets[s]), Array.ConvertAll(slots, s => _tasks[s]));

    /// <summary>Everything that later insertions and draws depend on, where the generator stands included, behind a header that says what it is.</summary>
    /// <exception cref="UsageException">What was saved is of another size or kind.</exception>
    public void Persist(RunState state, string name)
    {
        int[] header = [Size.Variables, Size.Categories, _offered.Length, _share, _ring ? 1 : 0], saved = header;
        state.Ints($"{name}.header", ref saved);
        if (!saved.AsSpan().SequenceEqual(header))
            throw new UsageException($"index buffer: the saved one has {Describe(saved)}, and this one {Describe(header)}. Use the model and the options that it was saved with.");
        var (targets, tasks, offered) = (_targets, _tasks, _offered);
        _codes.Persist(state, $"{name}.codes");
        state.Ints($"{name}.targets", ref targets);
        state.Ints($"{name}.tasks", ref tasks);
        state.Longs($"{name}.offered", ref offered);
        state.Generator($"{name}.random", _random);
        if (targets.Length != Capacity || tasks.Length != Capacity || offered.Length != _offered.Length || offered.Min() < 0)
            throw new UsageException($"index buffer: the saved one has {targets.Length} outputs and {tasks.Length} tasks for {Capacity} items. The file is damaged; save it again.");
        (_targets, _tasks, _offered) = (targets, tasks, offered);
    }

    /// <summary>Writes it to a file of its own (safetensors).</summary>
    public void Save(string path)
    {
        var state = new RunStateWriter();
        Persist(state, "index");
        state.Save(path);
    }

    /// <summary>Reads back what <see cref="Save"/> wrote of a buffer of the same size and kind.</summary>
    /// <exception cref="UsageException">The header disagrees, or there is no such file.</exception>
    /// <exception cref="DataFormatException">The file is damaged or something else.</exception>
    public void Load(string path)
    {
        var state = new RunStateReader(path);
        Persist(state, "index");
        state.Finish();
    }

    private static string Describe(int[] header) => header is [int c, int l, int groups, int share, int ring]
        ? $"{c} variables of {l} categories and {share} items {(ring == 1 ? $"for each of {groups} tasks" : "in all")}" : $"a header of {header.Length} numbers";
}
