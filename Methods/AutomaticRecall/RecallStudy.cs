namespace Native.Methods;

/// <summary>What a run of Automatic Recall Machines was like on the way.</summary>
/// <param name="Iterations">Iterations that recalled, from 0.</param>
/// <param name="Recalled">
/// For each of them the mean over recalled images of what the network of before predicts: the vertical slices of figures 4 and 7a.
/// </param>
/// <param name="Evaluated">Iterations before which the test sets were tried: 0, then every so many, and the end.</param>
/// <param name="Accuracies">For each of them the accuracy on every task, fractions: the curves of figures 5 and 7b.</param>
/// <param name="Pictures">Real and recalled images, or null when none were asked for: figure 2.</param>
public sealed record RecallHistory(
    IReadOnlyList<long> Iterations, IReadOnlyList<float[]> Recalled, IReadOnlyList<long> Evaluated, IReadOnlyList<double[]> Accuracies, HostArray? Pictures);

/// <summary>
/// The histories behind the figures of Automatic Recall Machines. The same training as <see cref="Trainer"/>'s, observed more often; observing
/// changes no bit of it. For figure 3 run it with several <see cref="ArmOptions.Diversity"/>; a method that never recalls gives the curves alone.
/// </summary>
public static class RecallStudy
{
    /// <summary>Trains and watches.</summary>
    /// <param name="method">Freshly made: <see cref="AutomaticRecallMachine"/>, or another for its curves.</param>
    /// <param name="stream">Its stream.</param>
    /// <param name="shuffle">Order of the images within a task, as for <see cref="Trainer"/>.</param>
    /// <param name="training">Passes and batch size.</param>
    /// <param name="every">Iterations between tries of the test sets; 0 for after each task only.</param>
    /// <param name="pictures">
    /// Iterations to picture: for each two rows, above the recalled images and below the real ones that they started from, as in figure 2.
    /// </param>
    /// <param name="progress">Called after each iteration with its number and how many there are.</param>
    /// <param name="cancel">Looked at before each iteration.</param>
    public static RecallHistory Run(IMethod method, TaskStream stream, Generator shuffle, TrainerOptions training, int every,
        IReadOnlySet<long> pictures, Action<long, long>? progress = null, CancellationToken cancel = default)
    {
        if (every < 0)
            throw new UsageException($"recall: {every} iterations between tests are none. Give 1 or more, or 0 for after each task.");
        var trainer = new Trainer(stream, training);
        var (iterations, recalled) = (new List<long>(), new List<float[]>());
        var (evaluated, accuracies) = (new List<long>(), new List<double[]>());
        var shown = new List<byte[]>();
        if (method is AutomaticRecallMachine arm)
            arm.Recorder = r =>
            {
                float[] mean = r.Predictions.Mean(0).ToArray<float>();
                if (iterations.Count > 0 && iterations[^1] == r.Iteration)
                    return;
                iterations.Add(r.Iteration);
                recalled.Add(mean);
                if (pictures.Contains(r.Iteration))
                    shown.AddRange(Pair(stream, r));
            };
        long t = 0, total = stream.Tasks.Sum(task => (long)training.StepsIn(task));
        void test()
        {
            evaluated.Add(t);
            accuracies.Add(trainer.Evaluate(method, cancel: cancel));
        }
        test();
        foreach (var task in stream.Tasks)
        {
            method.BeginTask(task, training.StepsIn(task));
            for (int epoch = 0; epoch < training.Epochs; epoch++)
            {
                int[] order = [.. task.Train];
                if (!stream.InOrder)
                    shuffle.Shuffle<int>(order);
                foreach (int[] part in order.Chunk(training.BatchSize))
                {
                    cancel.ThrowIfCancellationRequested();
                    if (every > 0 && t % every == 0 && evaluated[^1] != t)
                        test();
                    using (var scope = TensorScope.Begin("train-step"))
                        method.Observe(stream.BatchOf(stream.Train, part));
                    t++;
                    progress?.Invoke(t, total);
                }
            }
            method.EndTask(task);
            test();
        }
        int width = shown.Count == 0 ? 0 : shown.Count / (2 * Math.Max(1, iterations.Count(pictures.Contains)));
        return new RecallHistory(iterations, recalled, evaluated, accuracies, width == 0 ? null : Grid(stream, shown, width));
    }

    // The recalled images, then the real ones below them (themselves where recall started from noise).
    private static IEnumerable<byte[]> Pair(TaskStream stream, Recollection r)
    {
        int n = Math.Min(20, (int)r.Images.Shape[0]), size = stream.InputSize;
        float[] values = r.Images.ToArray<float>();
        double low = stream.Scale.Low, span = stream.Scale.High - low;
        for (int i = 0; i < n; i++)
            yield return Array.ConvertAll(values[(i * size)..((i + 1) * size)], v => (byte)Math.Round(255 * Math.Clamp((v - low) / span, 0, 1)));
        for (int i = 0; i < n; i++)
        {
            long at = r.Origin.Length == 0 ? i % r.Batch.Count : r.Origin[i];
            yield return r.Batch.Pixels[(int)(at * size)..(int)((at + 1) * size)];
        }
    }

    private static HostArray Grid(TaskStream stream, List<byte[]> shown, int width)
    {
        var set = stream.Train;
        var images = HostArray.From<byte>([shown.Count, set.Channels, set.Height, set.Width], [.. shown.SelectMany(b => b)]);
        return ImageGrid.Tile(images, columns: width, zoom: set.Height < 64 ? 2 : 1);
    }
}
