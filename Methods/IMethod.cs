namespace Native.Methods;

/// <summary>
/// A continual-learning method: three verbs of training and one of testing. The loop around them is <see cref="Trainer"/>; a method never
/// sees the images of another task unless it has kept them itself.
/// </summary>
public interface IMethod : IDisposable
{
    /// <summary>Called before the first batch of a task; <paramref name="steps"/> batches will follow, for schedules.</summary>
    void BeginTask(StreamTask task, int steps);

    /// <summary>
    /// Learns from one batch and returns its loss, a scalar. Runs inside a scope that closes afterwards: what must live longer is the method's own.
    /// </summary>
    Tensor Observe(Batch batch);

    /// <summary>Called after the last batch of a task.</summary>
    void EndTask(StreamTask task);

    /// <summary>
    /// Logits [count, outputs] of images [count, pixels] or texts, i64 [count, longest] (<see cref="Batch.X"/>). <paramref name="task"/> is given in the task-incremental scenario only, and is null
    /// otherwise.
    /// </summary>
    Tensor Predict(Tensor images, StreamTask? task);

    /// <summary>
    /// Describes everything that later steps depend on, to save it or to read it back into a method made with the same options and seed (never
    /// trained before). Called between steps. What <see cref="BeginTask"/> sets up is part of it: a run continued in mid-task is not begun again.
    /// </summary>
    void Persist(RunState state);

    /// <summary>Numbers that training changes.</summary>
    long ParameterCount { get; }

    /// <summary>Bits kept of earlier images: memories, or generators at 32 bits a number. 0 when nothing is kept.</summary>
    long StorageBits { get; }
}

/// <summary>
/// A method that goes on learning when a task's data are gone. The loop calls it between the last batch and <see cref="IMethod.EndTask"/>, step by step, so that a run can
/// be stopped, saved and continued there too.
/// </summary>
public interface IOffline
{
    /// <summary>One step without data; its loss, a scalar, or null when nothing is left to do. Runs inside a scope that closes afterwards.</summary>
    Tensor? Rest(StreamTask task);
}

/// <summary>A method that keeps networks in place of data, one for each task.</summary>
public interface IMemories
{
    /// <summary>The networks by name, without the ending of a file.</summary>
    IReadOnlyList<(string Name, Nn.Module Net)> Memories { get; }
}

/// <summary>A method that has more to tell after a run than accuracies: a study of what it has become.</summary>
public interface IMeasured
{
    /// <summary>Further figures, measured once training is over. Leaves what was trained as it is.</summary>
    IReadOnlyList<Metric> Measure(CancellationToken cancel);
}
