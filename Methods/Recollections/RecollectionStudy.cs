namespace Native.Methods;

/// <summary>What a run with recollections tells beside accuracies: storage, and how the auto-encoder's distortion of test images went over the tasks.</summary>
internal sealed class RecollectionStudy(TaskStream stream, RecollectionModule module)
{
    // Test images of a task that a distortion is the mean of.
    private const int During = 200, AtEnd = 1000;

    private double[] _seen = [];
    private bool _begun;

    /// <summary>The first task begins with a transfer where one is asked for.</summary>
    public void Begin(StreamTask task)
    {
        if (!_begun)
            module.Transfer();
        _begun = true;
    }

    /// <summary>After a task: the mean distortion over all tasks, which is one point of figures 5 and 6.</summary>
    public void End(StreamTask task) => _seen = [.. _seen, Mean(During, default)];

    private double Mean(int most, CancellationToken cancel)
    {
        double sum = 0;
        foreach (var task in stream.Tasks)
        {
            cancel.ThrowIfCancellationRequested();
            sum += module.Distortion(task, most);
        }
        return sum / stream.Tasks.Count;
    }

    /// <summary><c>testDistortion</c>, <c>testDistortion1</c> after the first task and so on, storage and items.</summary>
    public IReadOnlyList<Metric> Measure(CancellationToken cancel)
    {
        const string definition = "mean over tasks of the mean over test images and pixels of |x - x'|, pixels in [0,1], one stochastic pass";
        return
        [
            Recollections.Stored(stream, module.Buffer.StorageBits), Recollections.Items(module.Buffer.Capacity),
            new Metric("storedImagesInformation", "stored images (log2 l)", module.Buffer.Capacity * module.Buffer.Size.InformationBits / Recollections.ImageBits(stream), null,
                "items c log2 l over the bits of an image: the count that the paper's 620 variables of 3 categories need") { IsFraction = false },
            new Metric("totalImages", "total storage in images", (double)module.Buffer.Size.TotalBits(module.Buffer.Capacity, stream.Train.Channels) / Recollections.ImageBits(stream), null,
                "items k + 32 |auto-encoder| over the bits of an image (table 3)") { IsFraction = false },
            new Metric("testDistortion", "test distortion", Mean(AtEnd, cancel), null, $"{definition}; at the end, {AtEnd} images a task") { IsFraction = false },
            .. _seen.Select((d, t) => new Metric($"testDistortion{t + 1}", $"test distortion after task {t + 1}", d, null, $"{definition}; {During} images a task") { IsFraction = false }),
        ];
    }

    public void Persist(RunState state, string name)
    {
        state.Doubles($"{name}.seen", ref _seen);
        state.Flag($"{name}.begun", ref _begun);
    }
}
