namespace Native.Methods;

/// <summary>
/// The images that stand for each class, in order of importance, equally many per class (Rebuffi et al. 2017, "iCaRL", algorithms 4 and 5): kept in
/// one flat array, class after class.
/// </summary>
public sealed class ExemplarSets
{
    private readonly int _imageSize;
    private byte[] _pixels = [];
    private int[] _targets = [], _tasks = [];

    /// <summary>Empty sets.</summary>
    /// <param name="capacity">Images in all, K.</param>
    /// <param name="imageSize">Bytes per image.</param>
    public ExemplarSets(int capacity, int imageSize)
    {
        if (capacity < 1 || imageSize < 1 || (long)capacity * imageSize > Array.MaxLength)
            throw new UsageException($"replay: {capacity} images of {imageSize} bytes are not a memory of 1 to {Array.MaxLength} bytes.");
        (Capacity, _imageSize) = (capacity, imageSize);
    }

    /// <summary>Images in all.</summary>
    public int Capacity { get; }

    /// <summary>Images kept.</summary>
    public int Count => _targets.Length;

    /// <summary>Bits of the images that may be kept, labels left out.</summary>
    public long StorageBits => 8L * Capacity * _imageSize;

    /// <summary>The classes that have images.</summary>
    public int[] Classes => [.. _targets.Distinct()];

    /// <summary>
    /// The order in which features stand for their mean (algorithm 4): each next one is that which brings the mean of the chosen nearest to the mean
    /// of all. Distances in double precision; of equals the first; nothing twice.
    /// </summary>
    /// <param name="features">Row after row.</param>
    /// <param name="width">Numbers per row.</param>
    /// <param name="count">How many to choose; at most all.</param>
    public static int[] Herd(ReadOnlySpan<float> features, int width, int count)
    {
        int n = features.Length / width;
        var mean = new double[width];
        for (int i = 0; i < features.Length; i++)
            mean[i % width] += features[i] / (double)n;
        var sum = new double[width];
        var taken = new bool[n];
        var chosen = new int[Math.Min(count, n)];
        for (int k = 0; k < chosen.Length; k++)
        {
            int best = -1;
            double nearest = double.PositiveInfinity;
            for (int i = 0; i < n; i++)
            {
                if (taken[i])
                    continue;
                double distance = 0;
                for (int d = 0; d < width; d++)
                {
                    double off = mean[d] - (sum[d] + features[i * width + d]) / (k + 1);
                    distance += off * off;
                }
                if (distance < nearest)
                    (best, nearest) = (i, distance);
            }
            if (best < 0)
                throw new NumericException("herding: the features are not finite. Lower the learning rate.");
            (chosen[k], taken[best]) = (best, true);
            for (int d = 0; d < width; d++)
                sum[d] += features[best * width + d];
        }
        return chosen;
    }

    /// <summary>
    /// Adds sets of new classes, each in order of importance, and cuts all sets to <see cref="Capacity"/> / classes (algorithm 5): the last go first.
    /// </summary>
    public void Add(IReadOnlyList<(int Target, int Task, byte[][] Images)> classes)
    {
        int share = Capacity / (Classes.Length + classes.Count);
        var (pixels, targets, tasks) = (new List<byte>(), new List<int>(), new List<int>());
        foreach (var old in Enumerable.Range(0, Count).GroupBy(i => _targets[i]))
            foreach (int i in old.Take(share))
            {
                pixels.AddRange(_pixels.AsSpan(i * _imageSize, _imageSize));
                targets.Add(_targets[i]);
                tasks.Add(_tasks[i]);
            }
        foreach (var (target, task, images) in classes)
            foreach (byte[] image in images.Take(share))
            {
                pixels.AddRange(image);
                targets.Add(target);
                tasks.Add(task);
            }
        (_pixels, _targets, _tasks) = ([.. pixels], [.. targets], [.. tasks]);
    }

    /// <summary>Images drawn uniformly with replacement; null when there are none.</summary>
    public Batch? Draw(TaskStream stream, int count, Generator random)
    {
        if (Count == 0)
            return null;
        var places = new int[count];
        for (int i = 0; i < count; i++)
            places[i] = (int)random.NextInt64(Count);
        return BatchOf(stream, places);
    }

    /// <summary>The images of a class, most important first.</summary>
    public Batch BatchOf(TaskStream stream, int target) =>
        BatchOf(stream, [.. Enumerable.Range(0, Count).Where(i => _targets[i] == target)]);

    private Batch BatchOf(TaskStream stream, int[] places)
    {
        var pixels = new byte[places.Length * _imageSize];
        for (int i = 0; i < places.Length; i++)
            _pixels.AsSpan(places[i] * _imageSize, _imageSize).CopyTo(pixels.AsSpan(i * _imageSize));
        return new Batch(stream, pixels, Array.ConvertAll(places, i => _targets[i]), Array.ConvertAll(places, i => _tasks[i]));
    }

    /// <summary>Everything that is kept.</summary>
    public void Persist(RunState state, string name)
    {
        state.Bytes($"{name}.pixels", ref _pixels);
        state.Ints($"{name}.targets", ref _targets);
        state.Ints($"{name}.tasks", ref _tasks);
        if (_pixels.Length != _targets.Length * _imageSize || _tasks.Length != _targets.Length || _targets.Length > Capacity)
            throw new UsageException($"replay: saved exemplars of {_targets.Length} images do not fit {Capacity} images of {_imageSize} bytes. Continue a run with the options it was begun with.");
    }
}
