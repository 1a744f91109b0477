namespace Native.Methods;

/// <summary>
/// What a student is shown: images as they come out of the memory, with what it is told of them. The decoder does not change any more, so every stored code is decoded once, ahead;
/// storage is what the codes take (<see cref="IndexBuffer"/>).
/// </summary>
internal sealed class DistillationMemory : IDisposable
{
    // Random codes decoded at once.
    private const int Ahead = 1000;

    private readonly TaskStream _stream;
    private readonly DistillationOptions _o;
    private readonly Classifier? _teacher;
    private readonly DiscreteAutoEncoder? _coder;
    private readonly Generator _root;
    private readonly Tensor? _masks, _tasks;
    private readonly Tensor _images, _targets;
    private int _block = -1;

    /// <summary>Fills the memory.</summary>
    /// <param name="stream">Images.</param>
    /// <param name="o">What is kept of them.</param>
    /// <param name="teacher">Tells the targets; null for labels.</param>
    /// <param name="coder">Makes the codes; null for real images.</param>
    /// <param name="root">Draws which images are kept, codes, and random codes.</param>
    public DistillationMemory(TaskStream stream, DistillationOptions o, Classifier? teacher, DiscreteAutoEncoder? coder, Generator root)
    {
        (_stream, _o, _teacher, _coder, _root) = (stream, o, teacher, coder, root);
        using var outside = TensorScope.Outside();
        using var constant = Autograd.NoGrad();
        if (stream.Scenario == Scenario.TaskIncremental)
            _masks = Tensor.From(Masks(stream), [stream.Tasks.Count, stream.Outputs]);
        if (o.Sampling == DistillSampling.Code)
        {
            if (_masks is not null)
                throw new UsageException("srm-distill: a random code belongs to no task, so nothing tells which outputs compete. Leave sampling=code out, or run it in the class-incremental scenario.");
            (Count, _images, _targets) = (Ahead, Tensor.Zeros([Ahead, stream.InputSize]), Tensor.Zeros([Ahead, stream.Outputs]));
            return;
        }
        int[] kept = Kept(stream, o, root);
        var images = new List<float>(kept.Length * stream.InputSize);
        var targets = new List<float>(kept.Length * stream.Outputs);
        var noise = root.Stream("encode");
        var codes = coder is null ? null : IndexBuffer.Reservoir(coder.Size, kept.Length, root.Stream("reservoir"));
        foreach (int[] part in kept.Chunk(AutoEncoderTraining.Together))
        {
            using var scope = TensorScope.Begin("memory");
            var batch = stream.BatchOf(stream.Train, part);
            var shown = batch.X;
            if (coder is not null)
            {
                int from = codes!.Count;
                codes.Add(coder.Encode(batch.X, noise), batch.Targets, batch.Tasks);
                shown = coder.Recall(codes.Codes([.. Enumerable.Range(from, part.Length)]));
            }
            images.AddRange(shown.ToArray<float>());
            targets.AddRange((teacher is null ? batch.Y.OneHot(stream.Outputs) : Answers(teacher, shown, batch.Mask)).ToArray<float>());
        }
        Count = kept.Length;
        (_images, _targets) = (Tensor.From(images.ToArray(), [Count, stream.InputSize]), Tensor.From(targets.ToArray(), [Count, stream.Outputs]));
        if (_masks is not null)
            _tasks = Tensor.From(Array.ConvertAll(kept, i => (long)stream.TaskOf(stream.Train.Labels[i])), [Count]);
    }

    /// <summary>Items to draw from.</summary>
    public int Count { get; }

    /// <summary>Items that a memory takes: all that pass, or a share of them.</summary>
    public static int Items(TaskStream stream, DistillationOptions o)
    {
        int passing = Math.Min(o.Items, stream.Tasks.Sum(t => t.Train.Length));
        return o.Source == DistillSource.Sample ? Math.Max(1, (int)Math.Round(o.Share * passing)) : passing;
    }

    /// <summary>Images [n, pixels], targets [n, outputs] and the outputs that compete (to be added to logits; null when all do) of rows i64 [n]. Reads nothing on the host.</summary>
    public (Tensor X, Tensor Y, Tensor? Mask) Take(Tensor rows) => (_images.TakeRows(rows), _targets.TakeRows(rows), _masks?.TakeRows(_tasks!.TakeRows(rows)));

    /// <summary>Code sampling: makes sure that the random codes of an episode are decoded, and returns its row; episodes come in order.</summary>
    public long RandomCode(int episode)
    {
        if (episode / Ahead != _block)
        {
            _block = episode / Ahead;
            using var scope = TensorScope.Begin("codes");
            using var constant = Autograd.NoGrad();
            var shown = _coder!.Recall(AutoEncoderStudy.RandomCodes(_coder.Size, Ahead, _root.Stream($"codes {_block}")));
            _images.CopyInPlace(shown);
            _targets.CopyInPlace(Answers(_teacher!, shown, null));
        }
        return episode % Ahead;
    }

    /// <summary>The items that come next, by chance: rows, as many as are asked for, different where there are enough.</summary>
    public long[] Draw(int count, Generator random)
    {
        var rows = new long[count];
        for (int i = 0; i < count; i++)
            do
                rows[i] = random.NextInt64(Count);
            while (count <= Count && rows.AsSpan(0, i).Contains(rows[i]));
        return rows;
    }

    /// <summary>Of rows those that are unlike one another: similarity is the dot product of the images (appendix).</summary>
    public long[] Thin(long[] rows, Generator random)
    {
        using var scope = TensorScope.Begin("similarity");
        using var constant = Autograd.NoGrad();
        var x = _images.TakeRows(Tensor.From(rows, [rows.Length]));
        float[] similarity = x.MatMul(x.T).ToArray<float>();
        int[] chosen = _o.Sampling == DistillSampling.Diverse ? Msss.Choose(similarity, _o.Candidates, random, _o.Subset) : DeterminantalPoints.Choose(similarity, _o.Candidates, random);
        return Array.ConvertAll(chosen, i => rows[i]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var t in new[] { _images, _targets, _masks, _tasks })
            t?.Dispose();
    }

    // The images that pass are drawn from all of training's; a sample is the first of them.
    private static int[] Kept(TaskStream stream, DistillationOptions o, Generator root)
    {
        int[] all = [.. stream.Tasks.SelectMany(t => t.Train)];
        root.Stream("items").Shuffle<int>(all);
        return all[..Items(stream, o)];
    }

    private static Tensor Answers(Classifier teacher, Tensor images, Tensor? mask)
    {
        var logits = teacher.Predict(images);
        return (mask is null ? logits : logits + mask).Softmax(1);
    }

    private static float[] Masks(TaskStream stream)
    {
        var masks = new float[stream.Tasks.Count * stream.Outputs];
        Array.Fill(masks, Batch.Closed);
        foreach (var task in stream.Tasks)
            foreach (int output in task.Outputs)
                masks[task.Index * stream.Outputs + output] = 0;
        return masks;
    }
}
