namespace Native.Methods;

/// <summary>
/// A memory of fixed capacity that holds a uniform sample of everything offered so far (Vitter, "Random sampling with a reservoir", 1985,
/// algorithm R): item n (from 1) is appended while there is room; later it replaces slot j, uniform in 0..n-1, if j is a slot. Images are kept
/// as bytes in one flat array; an insertion is one copy.
/// </summary>
public sealed class ReservoirBuffer
{
    private readonly byte[] _pixels;
    private readonly int[] _targets, _tasks, _scratch;     // _scratch: written anew by each draw
    private readonly int _imageSize;
    private readonly Generator _random;

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
        (_targets, _tasks, _scratch) = (new int[capacity], new int[capacity], new int[capacity]);
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

    /// <summary>Offers every image of a batch.</summary>
    public void Add(Batch batch)
    {
        for (int i = 0; i < batch.Count; i++)
            Add(batch.Pixels.AsSpan(i * _imageSize, _imageSize), batch.Targets[i], batch.Tasks[i]);
    }

    /// <summary>Offers one image.</summary>
    public void Add(ReadOnlySpan<byte> image, int target, int task)
    {
        long slot = Count < Capacity ? Count : _random.NextInt64(Offered + 1);
        Offered++;
        if (slot >= Capacity)
            return;
        Count = Math.Max(Count, (int)slot + 1);
        image.CopyTo(_pixels.AsSpan((int)slot * _imageSize, _imageSize));
        (_targets[slot], _tasks[slot]) = (target, task);
    }

    /// <summary>Describes what is kept and where the generator stands.</summary>
    /// <exception cref="UsageException">The saved memory is larger than this one.</exception>
    public void Persist(RunState state, string name)
    {
        long offered = Offered;
        state.Number($"{name}.offered", ref offered);
        var (pixels, targets, tasks) = (_pixels[..(Count * _imageSize)], _targets[..Count], _tasks[..Count]);
        state.Bytes($"{name}.pixels", ref pixels);
        state.Ints($"{name}.targets", ref targets);
        state.Ints($"{name}.tasks", ref tasks);
        state.Generator($"{name}.random", _random);
        if (!state.Loading)
            return;
        if (targets.Length > Capacity || tasks.Length != targets.Length || pixels.Length != targets.Length * _imageSize)
            throw new UsageException($"replay: a saved memory of {targets.Length} images in {pixels.Length} bytes does not fit one of {Capacity} images of {_imageSize} bytes. "
                + "Continue a run with the options it was begun with.");
        (Offered, Count) = (offered, targets.Length);
        pixels.CopyTo(_pixels, 0);
        targets.CopyTo(_targets, 0);
        tasks.CopyTo(_tasks, 0);
    }

    /// <summary>
    /// Draws up to <paramref name="count"/> different images, uniformly, of tasks other than <paramref name="exceptTask"/>; null when there
    /// is none.
    /// </summary>
    public Batch? Draw(TaskStream stream, int count, int exceptTask)
    {
        int eligible = 0;
        for (int slot = 0; slot < Count; slot++)
            if (_tasks[slot] != exceptTask)
                _scratch[eligible++] = slot;
        int n = Math.Min(count, eligible);
        if (n == 0)
            return null;
        var pixels = new byte[n * _imageSize];
        var (targets, tasks) = (new int[n], new int[n]);
        for (int i = 0; i < n; i++)
        {
            // The first n steps of a shuffle: each slot at most once.
            int j = i + (int)_random.NextInt64(eligible - i);
            (_scratch[i], _scratch[j]) = (_scratch[j], _scratch[i]);
            int slot = _scratch[i];
            _pixels.AsSpan(slot * _imageSize, _imageSize).CopyTo(pixels.AsSpan(i * _imageSize));
            (targets[i], tasks[i]) = (_targets[slot], _tasks[slot]);
        }
        return new Batch(stream, pixels, targets, tasks);
    }
}
