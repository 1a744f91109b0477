namespace Native.Methods;

/// <summary>
/// A memory of fixed capacity that holds a uniform sample of everything offered so far (Vitter, "Random sampling with a reservoir", 1985,
/// algorithm R): item n (from 1) is appended while there is room; later it replaces slot j, uniform in 0..n-1, if j is a slot. Images are kept
/// as bytes in one flat array; an insertion is one copy, and a draw costs what it draws, however large the memory.
/// </summary>
public sealed class ReservoirBuffer
{
    private readonly byte[] _pixels;
    private readonly int[] _targets, _tasks;
    private readonly int _imageSize;
    private readonly Generator _random;

    // A permutation of the slots in use, those that a draw may answer with first, and where each slot is in it.
    private readonly int[] _order, _place;
    private int _eligible, _except = int.MinValue;

    /// <summary>An empty memory.</summary>
    /// <param name="capacity">Images it can hold.</param>
    /// <param name="imageSize">Bytes per image.</param>
    /// <param name="random">What to keep and what to draw.</param>
    public ReservoirBuffer(int capacity, int imageSize, Generator random)
    {
        if (capacity < 1 || imageSize < 1 || (long)capacity * imageSize > Array.MaxLength)
            throw new UsageException($"replay: {capacity} images of {imageSize} bytes are not a memory of 1 to {Array.MaxLength} bytes.");
        Capacity = capacity;
        (_imageSize, _random) = (imageSize, random);
        _pixels = new byte[capacity * imageSize];
        (_targets, _tasks) = (new int[capacity], new int[capacity]);
        (_order, _place) = (new int[capacity], new int[capacity]);
    }

    /// <summary>Images it can hold.</summary>
    public int Capacity { get; }

    /// <summary>Images it holds.</summary>
    public int Count { get; private set; }

    /// <summary>Images offered so far.</summary>
    public long Offered { get; private set; }

    /// <summary>
    /// Bits of the images that it can hold: height x width x channels x 8 each, the convention of Scalable Recollections and ARM, which
    /// count the reserved size and leave labels out.
    /// </summary>
    public long StorageBits => 8L * Capacity * _imageSize;

    /// <summary>The target kept in a slot, for tests and reports.</summary>
    public int TargetAt(int slot) => _targets[slot];

    /// <summary>The task of the image kept in a slot.</summary>
    public int TaskAt(int slot) => _tasks[slot];

    /// <summary>Offers every image of a batch; the slot that each went to, or -1 for one that was not kept.</summary>
    /// <param name="batch">The images.</param>
    /// <param name="together">
    /// Once the memory is full, draws every slot among 0..n-1, n images having come before the batch, as Maximally Interfered Retrieval's code does: later images are
    /// favoured, the more so the smaller the memory (the batch after the one that fills 10 places overwrites 6 of them), and those of a batch may take the same slot.
    /// </param>
    public int[] Add(Batch batch, bool together = false)
    {
        var slots = new int[batch.Count];
        long before = Math.Max(Offered, Math.Min(Capacity, Offered + batch.Count));
        for (int i = 0; i < batch.Count; i++)
            slots[i] = Add(batch.Pixels.AsSpan(i * _imageSize, _imageSize), batch.Targets[i], batch.Tasks[i], together ? before : null);
        return slots;
    }

    /// <summary>Offers one image; the slot that it went to, or -1.</summary>
    public int Add(ReadOnlySpan<byte> image, int target, int task) => Add(image, target, task, null);

    private int Add(ReadOnlySpan<byte> image, int target, int task, long? among)
    {
        long at = Count < Capacity ? Count : _random.NextInt64(among ?? Offered + 1);
        Offered++;
        if (at >= Capacity)
            return -1;
        int slot = (int)at;
        if (slot == Count)
            (_order[slot], _place[slot]) = (slot, Count++);
        image.CopyTo(_pixels.AsSpan(slot * _imageSize, _imageSize));
        (_targets[slot], _tasks[slot]) = (target, task);
        Admit(slot, task != _except);
        return slot;
    }

    /// <summary>
    /// Draws up to <paramref name="count"/> different images, uniformly, of tasks other than <paramref name="exceptTask"/>; null when there
    /// is none.
    /// </summary>
    public Batch? Draw(TaskStream stream, int count, int exceptTask)
    {
        var slots = DrawSlots(count, exceptTask);
        return slots.Length == 0 ? null : BatchOf(stream, slots);
    }

    /// <summary>
    /// The slots of such a draw. Costs one step per image drawn; sorting the slots by task costs one step per image kept, once per task.
    /// </summary>
    public int[] DrawSlots(int count, int exceptTask)
    {
        if (exceptTask != _except)
        {
            _except = exceptTask;
            for (int slot = 0; slot < Count; slot++)
                Admit(slot, _tasks[slot] != exceptTask);
        }
        var drawn = new int[Math.Min(count, _eligible)];
        for (int i = 0; i < drawn.Length; i++)
        {
            // The first steps of a shuffle: each slot at most once.
            Swap(i, i + (int)_random.NextInt64(_eligible - i));
            drawn[i] = _order[i];
        }
        return drawn;
    }

    /// <summary>The images of some slots.</summary>
    public Batch BatchOf(TaskStream stream, ReadOnlySpan<int> slots)
    {
        var pixels = new byte[slots.Length * _imageSize];
        var (targets, tasks) = (new int[slots.Length], new int[slots.Length]);
        for (int i = 0; i < slots.Length; i++)
        {
            _pixels.AsSpan(slots[i] * _imageSize, _imageSize).CopyTo(pixels.AsSpan(i * _imageSize));
            (targets[i], tasks[i]) = (_targets[slots[i]], _tasks[slots[i]]);
        }
        return new Batch(stream, pixels, targets, tasks);
    }

    /// <summary>Everything that later insertions and draws depend on, where the generator stands included.</summary>
    public void Persist(RunState state, string name)
    {
        int count = Count, eligible = _eligible;
        long offered = Offered;
        state.Number($"{name}.count", ref count);
        state.Number($"{name}.offered", ref offered);
        state.Number($"{name}.except", ref _except);
        state.Number($"{name}.eligible", ref eligible);
        byte[] pixels = _pixels[..(Count * _imageSize)];
        var (targets, tasks, order) = (_targets[..Count], _tasks[..Count], _order[..Count]);
        state.Bytes($"{name}.pixels", ref pixels);
        state.Ints($"{name}.targets", ref targets);
        state.Ints($"{name}.tasks", ref tasks);
        state.Ints($"{name}.order", ref order);
        state.Generator($"{name}.random", _random);
        if (!state.Loading)
            return;
        if (count < 0 || count > Capacity || eligible < 0 || eligible > count || pixels.Length != count * _imageSize || targets.Length != count || tasks.Length != count
            || !order.Order().SequenceEqual(Enumerable.Range(0, count)))
            throw new UsageException($"replay: a saved memory of {targets.Length} images in {pixels.Length} bytes does not fit one of {Capacity} images of {_imageSize} bytes. Continue a run with the options it was begun with.");
        (Count, Offered, _eligible) = (count, offered, eligible);
        pixels.CopyTo(_pixels, 0);
        targets.CopyTo(_targets, 0);
        tasks.CopyTo(_tasks, 0);
        order.CopyTo(_order, 0);
        for (int i = 0; i < count; i++)
            _place[order[i]] = i;
    }

    private void Admit(int slot, bool eligible)
    {
        int at = _place[slot];
        if (at < _eligible != eligible)
            Swap(at, eligible ? _eligible++ : --_eligible);
    }

    private void Swap(int i, int j)
    {
        (_order[i], _order[j]) = (_order[j], _order[i]);
        (_place[_order[i]], _place[_order[j]]) = (i, j);
    }
}
