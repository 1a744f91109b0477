namespace Native.Methods;

/// <summary>
/// A memory with an equal share for each task that keeps the latest images of it, in one flat array: image n of a task (from 0) takes place n mod
/// share (Lopez-Paz and Ranzato 2017, "Gradient episodic memory", which keeps 256 per task).
/// </summary>
public sealed class RingBuffer
{
    private readonly int _imageSize;
    private byte[] _pixels;
    private int[] _targets;
    private long[] _offered;

    /// <summary>An empty memory.</summary>
    /// <param name="tasks">Tasks.</param>
    /// <param name="share">Images of each.</param>
    /// <param name="imageSize">Bytes per image.</param>
    public RingBuffer(int tasks, int share, int imageSize)
    {
        if (tasks < 1 || share < 1 || imageSize < 1 || (long)tasks * share * imageSize > Array.MaxLength)
            throw new UsageException($"replay: {share} images of {imageSize} bytes for each of {tasks} tasks are not a memory of 1 to {Array.MaxLength} bytes.");
        (Tasks, Share, _imageSize) = (tasks, share, imageSize);
        (_pixels, _targets, _offered) = (new byte[tasks * share * imageSize], new int[tasks * share], new long[tasks]);
    }

    /// <summary>Tasks.</summary>
    public int Tasks { get; }

    /// <summary>Images of each task that it can hold.</summary>
    public int Share { get; }

    /// <summary>Bits of the images that it can hold, labels left out.</summary>
    public long StorageBits => 8L * _pixels.Length;

    /// <summary>Images of a task that it holds.</summary>
    public int Count(int task) => (int)Math.Min(Share, _offered[task]);

    /// <summary>Keeps every image of a batch, each with its own task.</summary>
    public void Add(Batch batch)
    {
        for (int i = 0; i < batch.Count; i++)
            Add(batch.Pixels.AsSpan(i * _imageSize, _imageSize), batch.Targets[i], batch.Tasks[i]);
    }

    /// <summary>Keeps one image.</summary>
    public void Add(ReadOnlySpan<byte> image, int target, int task)
    {
        int at = task * Share + (int)(_offered[task]++ % Share);
        image.CopyTo(_pixels.AsSpan(at * _imageSize, _imageSize));
        _targets[at] = target;
    }

    /// <summary>All images kept of a task, by place.</summary>
    public Batch BatchOf(TaskStream stream, int task)
    {
        int n = Count(task), at = task * Share;
        var tasks = new int[n];
        Array.Fill(tasks, task);
        return new Batch(stream, _pixels[(at * _imageSize)..((at + n) * _imageSize)], _targets[at..(at + n)], tasks);
    }

    /// <summary>Everything that is kept, and how much was offered.</summary>
    public void Persist(RunState state, string name)
    {
        var (pixels, targets, offered) = (_pixels, _targets, _offered);
        state.Bytes($"{name}.pixels", ref pixels);
        state.Ints($"{name}.targets", ref targets);
        state.Longs($"{name}.offered", ref offered);
        if (pixels.Length != _pixels.Length || targets.Length != _targets.Length || offered.Length != _offered.Length)
            throw new UsageException($"replay: the saved memory does not fit one of {Share} images for each of {Tasks} tasks. Continue a run with the options it was begun with.");
        (_pixels, _targets, _offered) = (pixels, targets, offered);
    }
}
