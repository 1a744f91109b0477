namespace Native.Methods;

/// <summary>How alike two kinds of gradients are in one layer.</summary>
/// <param name="Mean">Mean over recalled images and parameter blocks of the dot product of normalised gradients.</param>
/// <param name="Spread">Standard deviation of the same.</param>
/// <param name="Count">How many products.</param>
public readonly record struct Correlated(double Mean, double Spread, long Count);

/// <summary>One row of tables 8 and 9 of Automatic Recall Machines.</summary>
/// <param name="Layer">For example <c>FC 3</c>, or <c>All</c>.</param>
/// <param name="Hard">Whether the target of the recalled image is its most probable class instead of the whole prediction of the network of before.</param>
/// <param name="Origin">With gradients on real images of the class that the recalled image started from ("class 1").</param>
/// <param name="Target">With gradients on real images of the class that it is recalled as ("class 2").</param>
public sealed record LayerCorrelation(string Layer, bool Hard, Correlated Origin, Correlated Target);

/// <summary>
/// The gradient study of Automatic Recall Machines (appendix A.7, tables 8 and 9, figure 6). Networks stand still as training left them. For each recalled
/// image: the gradient of the present network's cross-entropy on it, and on one random training image of its class of origin and one of its target
/// class; each parameter block (weights, biases) of each is normalised, and their dot products are collected by layer.
/// <para>Open in the paper and decided here: each batch is of one task drawn from all (with batches of the last task only, soft targets oppose class 1 by
/// -0.36 on MNIST where table 9 has 0.01: the present network has just learned it and the one of before has not); batch normalisation uses running
/// statistics, since a gradient is of one image; an image recalled as the class that it started from has no second class and is passed over.</para>
/// </summary>
public sealed class GradientCorrelation
{
    private readonly TaskStream _stream;
    private readonly Classifier _net;
    private readonly Generator _random;
    private readonly Dictionary<int, int[]> _members;
    private readonly Dictionary<(string Layer, bool Hard, bool Target), Sums> _sums = [];

    internal GradientCorrelation(TaskStream stream, Classifier net, Generator random)
    {
        (_stream, _net, _random) = (stream, net, random);
        _members = stream.Tasks.SelectMany(t => t.Train).GroupBy(i => stream.Target(stream.Train.Labels[i])).ToDictionary(g => g.Key, g => g.ToArray());
    }

    /// <summary>Recalled images that were passed over, because they were recalled as the class that they started from.</summary>
    public int PassedOver { get; private set; }

    /// <summary>Recalls images for batches of all tasks and compares gradients.</summary>
    /// <param name="arm">After training.</param>
    /// <param name="stream">What it was trained on.</param>
    /// <param name="samples">Recalled images; 1000 in the paper.</param>
    /// <param name="random">Draws batches and real images.</param>
    /// <param name="cancel">Looked at before each batch.</param>
    public static (IReadOnlyList<LayerCorrelation> Rows, int PassedOver) Measure(
        AutomaticRecallMachine arm, TaskStream stream, int samples, Generator random, CancellationToken cancel = default)
    {
        var (now, before) = arm.Networks;
        var study = new GradientCorrelation(stream, now, random);
        for (int done = 0; done < samples;)
        {
            cancel.ThrowIfCancellationRequested();
            using var scope = TensorScope.Begin("gradients");
            int[] of = [.. stream.Tasks[(int)random.NextInt64(stream.Tasks.Count)].Train];
            random.Shuffle<int>(of);
            var batch = stream.BatchOf(stream.Train, of.AsSpan(0, Math.Min(10, of.Length)));
            var images = arm.Begin(batch, out long[] origin);
            if (origin.Length == 0)
                throw new UsageException("gradients: recall that starts from noise has no class of origin. Set fromNoise=false.");
            arm.Climb(batch, images);
            var predictions = Distillation.Targets(before, images);
            // Rows that start alike end alike: one of each is enough.
            foreach (int row in Enumerable.Range(0, origin.Length).GroupBy(i => origin[i]).Select(g => g.First()).Take(samples - done))
            {
                study.Add(images.Narrow(0, row, 1), predictions.Narrow(0, row, 1), batch.Targets[origin[row]]);
                done++;
            }
        }
        return (study.Rows(), study.PassedOver);
    }

    /// <summary>Compares the gradients of one recalled image [1, pixels] whose prediction was [1, classes].</summary>
    internal void Add(Tensor image, Tensor prediction, int originClass)
    {
        using var scope = TensorScope.Begin("gradient");
        long target = prediction.ArgMax(1).Item<long>();
        if (target == originClass || !_members.ContainsKey((int)target))
        {
            PassedOver++;
            return;
        }
        _net.Eval();
        var hard = Normalised(image, Tensor.From([target], [1]));
        var soft = Normalised(image, prediction);
        var origin = Real(originClass);
        var real = Real((int)target);
        _net.Train();
        int block = 0;
        foreach (var (layer, blocks) in _net.Layers)
            for (int i = 0; i < blocks.Count; i++, block++)
            {
                Note(layer, true, false, hard[block], origin[block]);
                Note(layer, true, true, hard[block], real[block]);
                Note(layer, false, false, soft[block], origin[block]);
                Note(layer, false, true, soft[block], real[block]);
            }
    }

    internal IReadOnlyList<LayerCorrelation> Rows() =>
        [.. new[] { true, false }.SelectMany(hard => _net.Layers.Select(l => l.Name).Append("All").Select(layer =>
            new LayerCorrelation(layer, hard, Sum(layer, hard, false), Sum(layer, hard, true))))];

    private Correlated Sum(string layer, bool hard, bool target) =>
        _sums.TryGetValue((layer, hard, target), out var s) ? s.Result : new Correlated(double.NaN, double.NaN, 0);

    private void Note(string layer, bool hard, bool target, Tensor? a, Tensor? b)
    {
        // A block without any gradient (all its units are off) has no direction.
        if (a is null || b is null)
            return;
        double product = (a * b).Sum().Item();
        foreach (string name in new[] { layer, "All" })
            _sums[(name, hard, target)] = _sums.GetValueOrDefault((name, hard, target)).With(product);
    }

    private Tensor?[] Real(int target)
    {
        int[] members = _members[target];
        var batch = _stream.BatchOf(_stream.Train, [members[_random.NextInt64(members.Length)]]);
        return Normalised(batch.X, batch.Y);
    }

    // The gradient by block, in the order of the layers, each of length 1; null where it is 0.
    private Tensor?[] Normalised(Tensor image, Tensor target)
    {
        var loss = Functional.CrossEntropy(_net.Forward(image), target);
        var gradients = Autograd.Grad(loss, [.. _net.Layers.SelectMany(l => l.Blocks)]);
        using var constant = Autograd.NoGrad();
        return [.. gradients.Select(g => g.Norm().Item() is var length and > 0 ? g / length : null)];
    }

    private readonly record struct Sums(double Total, double Squares, long Count)
    {
        public Correlated Result => new(Total / Count, Math.Sqrt(Math.Max(0, Squares / Count - Total / Count * (Total / Count))), Count);

        public Sums With(double product) => new(Total + product, Squares + product * product, Count + 1);
    }
}
