namespace Native.Methods;

/// <summary>
/// Some images with their targets, as bytes (what a memory keeps) and as tensors (what a network takes). The tensors belong to the scope
/// that was open when the batch was made.
/// </summary>
public sealed class Batch
{
    // Added to a logit that must not compete. Finite, so that no infinity enters the graph; exp of it is exactly 0 in f32 and f64.
    internal const float Closed = -1e9f;

    private readonly TaskStream _stream;
    private byte[]? _pixels;

    /// <summary>Makes the tensors.</summary>
    /// <param name="stream">Scenario and sizes.</param>
    /// <param name="pixels">Bytes, image after image.</param>
    /// <param name="targets">The right output of each image.</param>
    /// <param name="tasks">The task of each image.</param>
    public Batch(TaskStream stream, byte[] pixels, int[] targets, int[] tasks)
        : this(stream, Values(stream, pixels, targets), targets, tasks) => _pixels = pixels;

    /// <summary>Images that a method has made itself.</summary>
    /// <param name="stream">Scenario and sizes.</param>
    /// <param name="x">f32 [count, pixels], in the stream's scale.</param>
    /// <param name="targets">The right output of each image.</param>
    /// <param name="tasks">The task of each image.</param>
    /// <exception cref="UsageException">In the task-incremental scenario an output is none of its task's.</exception>
    public Batch(TaskStream stream, Tensor x, int[] targets, int[] tasks)
    {
        if (x.Rank != 2 || x.Shape[0] != targets.Length || x.Shape[1] != stream.InputSize || tasks.Length != targets.Length)
            throw new ShapeException($"batch: images {x.Shape}, {targets.Length} targets and {tasks.Length} tasks do not agree on images of {stream.InputSize} pixels.");
        (_stream, Targets, Tasks, X) = (stream, targets, tasks, x);
        Y = Tensor.From(Array.ConvertAll(targets, t => (long)t), [Count]);
        if (stream.Scenario == Scenario.TaskIncremental)
            Mask = MakeMask(stream, targets, tasks);
    }

    private static Tensor Values(TaskStream stream, byte[] pixels, int[] targets) => pixels.Length == targets.Length * stream.InputSize
        ? Tensor.From(stream.Scale.Values(pixels), [targets.Length, stream.InputSize])
        : throw new ShapeException($"batch: {pixels.Length} bytes and {targets.Length} targets do not agree on images of {stream.InputSize} bytes.");

    /// <summary>Some of the images.</summary>
    public Batch Part(int from, int count) => new(_stream, X.Narrow(0, from, count), Targets[from..(from + count)], Tasks[from..(from + count)]);

    /// <summary>The images of both, those of this batch first.</summary>
    public Batch With(Batch other) => new(_stream, Tensor.Concat([X, other.X]), [.. Targets, .. other.Targets], [.. Tasks, .. other.Tasks]);

    /// <summary>Number of images.</summary>
    public int Count => Targets.Length;

    /// <summary>The images as bytes, one after the other; of images that a method has made, the nearest.</summary>
    public byte[] Pixels => _pixels ??= _stream.Scale.Bytes(X.ToArray<float>());

    /// <summary>The right output of each image.</summary>
    public int[] Targets { get; }

    /// <summary>The task that each image belongs to.</summary>
    public int[] Tasks { get; }

    /// <summary>f32 [count, pixels], in the stream's <see cref="TaskStream.Scale"/>.</summary>
    public Tensor X { get; }

    /// <summary>i64 [count], the right outputs.</summary>
    public Tensor Y { get; }

    /// <summary>f32 [count, outputs] to add to the logits so that only the outputs of each image's task compete; null unless task-incremental.</summary>
    public Tensor? Mask { get; }

    /// <summary>Mean cross-entropy of the logits [count, outputs] against the targets, over the outputs that compete. A scalar.</summary>
    public Tensor Loss(Tensor logits) => Functional.CrossEntropy(Mask is null ? logits : logits + Mask, Y);

    private static Tensor MakeMask(TaskStream stream, int[] targets, int[] tasks)
    {
        var mask = new float[tasks.Length * stream.Outputs];
        Array.Fill(mask, Closed);
        for (int i = 0; i < tasks.Length; i++)
        {
            if (tasks[i] < 0 || tasks[i] >= stream.Tasks.Count || !stream.Tasks[tasks[i]].Outputs.Contains(targets[i]))
                throw new UsageException($"batch: output {targets[i]} is none of task {tasks[i]} of {stream.Name}, so the task's mask would close it. Give the task that brings it.");
            foreach (int output in stream.Tasks[tasks[i]].Outputs)
                mask[i * stream.Outputs + output] = 0;
        }
        return Tensor.From(mask, [tasks.Length, stream.Outputs]);
    }
}
