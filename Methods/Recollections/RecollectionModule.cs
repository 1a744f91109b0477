using Native.Optim;

namespace Native.Methods;

/// <summary>
/// The scalable recollection module (Scalable Recollections, figure 1): an encoder and a decoder that learn on, and an index buffer of codes. Decode first, learn then,
/// store last: the methods call it in the order of algorithms 1 and 2.
/// </summary>
public sealed class RecollectionModule : IDisposable
{
    private const int Chunk = 500, TransferBatch = 100;

    private readonly TaskStream _stream;
    private readonly ModuleSettings _settings;
    private readonly Adam _adam;
    private readonly Generator _noise;
    private int _steps;

    /// <summary>A fresh one for a stream's images.</summary>
    /// <param name="stream">Images in [0, 1]; its background images for a transfer.</param>
    /// <param name="seeds">Noise; the auto-encoder's weights have a sequence of their own, so that they change no predictor's.</param>
    /// <param name="settings">What it is.</param>
    /// <param name="buffer">Where codes go.</param>
    /// <exception cref="UsageException">The stream's pixels are not in [0, 1], its images not square, or there is nothing to transfer from.</exception>
    public RecollectionModule(TaskStream stream, SeedStreams seeds, ModuleSettings settings, IndexBuffer buffer)
    {
        var set = stream.Train;
        if (stream.Scale != PixelScale.Unit)
            throw new UsageException($"recollections: the pixels of {stream.Name} are in {stream.Scale.Name}, and probabilities are in [0,1]. Use a stream of that scale.");
        if (set.Height != set.Width)
            throw new UsageException($"recollections: images of {set.Height} x {set.Width} are not square. Resize them.");
        if (settings.Transfer && stream.Background is null)
            throw new UsageException($"recollections: {stream.Name} has no other images to transfer from. Leave transfer out, or use cifar100-20.");
        (_stream, _settings, _noise, Buffer) = (stream, settings, seeds.Noise, buffer);
        Net = new DiscreteAutoEncoder(settings.Size, set.Channels, set.Height, new Generator(seeds.Seed).Stream("auto-encoder"));
        _adam = new Adam(Net.Parameters(), settings.CodeRate);
    }

    /// <summary>Encoder and decoder.</summary>
    public DiscreteAutoEncoder Net { get; }

    /// <summary>The codes of earlier examples.</summary>
    public IndexBuffer Buffer { get; }

    /// <summary>What it is.</summary>
    public ModuleSettings Settings => _settings;

    /// <summary>
    /// The auto-encoder trained on the stream's background images, or on its own of all tasks, with an optimiser of its own (table 3, figure 6): passes in steps of 100
    /// images at beta. Called once, before the first step.
    /// </summary>
    public void Transfer()
    {
        if (!_settings.Transfer && !_settings.Offline)
            return;
        var set = _settings.Transfer ? _stream.Background!() : _stream.Train;
        var draw = _noise.Stream("transfer");
        using var adam = new Adam(Net.Parameters(), _settings.CodeRate);
        for (int pass = 0; pass < _settings.TransferPasses; pass++)
            foreach (long[] part in draw.Permutation(set.Count).Chunk(TransferBatch))
            {
                using var scope = TensorScope.Begin("transfer");
                var pixels = new byte[part.Length * set.ImageSize];
                for (int i = 0; i < part.Length; i++)
                    set.Image((int)part[i]).CopyTo(pixels.AsSpan(i * set.ImageSize));
                adam.Minimize(Net.Loss(Tensor.From(_stream.Scale.Values(pixels), [part.Length, set.ImageSize]), draw, _settings.Tau, _settings.KlWeight));
            }
    }

    /// <summary>
    /// Sets of recollections, each of up to <see cref="ModuleSettings.ReplayBatch"/> different items, decoded by the present decoder (algorithm 1, first loop). Empty for no sets and while
    /// nothing is stored.
    /// </summary>
    public IReadOnlyList<Batch> Sample(int sets)
    {
        if (sets == 0 || Buffer.Count == 0)
            return [];
        int[][] drawn = [.. Enumerable.Range(0, sets).Select(_ => Buffer.Draw(_settings.ReplayBatch))];
        int each = drawn[0].Length;
        var all = Net.Recall(Buffer.Codes([.. drawn.SelectMany(d => d)]));
        return [.. drawn.Select((slots, s) => BatchOf(sets == 1 ? all : all.Narrow(0, s * each, each), slots))];
    }

    /// <summary>The recollections of some slots.</summary>
    public Batch Recall(int[] slots) => BatchOf(Net.Recall(Buffer.Codes(slots)), slots);

    private Batch BatchOf(Tensor images, int[] slots)
    {
        var (targets, tasks) = Buffer.Answers(slots);
        return new Batch(_stream, images, targets, tasks);
    }

    /// <summary>One update of encoder and decoder on images [n, pixels] (algorithm 1, second loop); the loss, a scalar of the scope around.</summary>
    public Tensor Learn(Tensor images)
    {
        using var scope = TensorScope.Begin("auto-encoder");
        var loss = Net.Loss(images, _noise, _settings.Tau, _settings.KlWeight);
        _adam.Minimize(loss);
        return scope.Keep(loss);
    }

    /// <summary>The updates of a step: on each set joined by the incoming examples, or with N = 0 one on these alone.</summary>
    public void Learn(Batch incoming, IReadOnlyList<Batch> joined)
    {
        if (_settings.Stabilise == 0)
            Learn(incoming.X);
        else
            for (int s = 0; s < _settings.Stabilise; s++)
                Learn(joined.Count == 0 ? incoming.X : joined[s].X);
    }

    /// <summary>One stochastic code of each image, i64 [n, c].</summary>
    public Tensor Encode(Batch batch) => Net.Encode(batch.X, _noise);

    /// <summary>Offers codes to the buffer, and renews all when it is time.</summary>
    public void Store(Tensor codes, Batch batch)
    {
        Buffer.Add(codes, batch.Targets, batch.Tasks);
        _steps++;
        if (_settings.ReencodeEvery == 0 || _steps % _settings.ReencodeEvery != 0)
            return;
        foreach (int[] slots in Buffer.Draw(Buffer.Count).Order().Chunk(Chunk))
        {
            using var scope = TensorScope.Begin("reencode");
            Buffer.Replace(slots, Net.Encode(Net.Recall(Buffer.Codes(slots)), _noise));
        }
    }

    /// <summary>
    /// Mean absolute difference of pixels in [0, 1] between images of a task's test set and one stochastic pass of them (figures 5 and 6), over at most
    /// <paramref name="most"/> images spread over the set. Draws noise of its own.
    /// </summary>
    public double Distortion(StreamTask task, int most)
    {
        using var constant = Autograd.NoGrad();
        int[] images = Spread(task.Test, most);
        var noise = new Generator(0).Stream($"distortion/{task.Index}");
        double sum = 0;
        foreach (int[] part in images.Chunk(Chunk))
        {
            using var scope = TensorScope.Begin("distortion");
            var x = _stream.BatchOf(_stream.Test, part).X;
            sum += (Net.Reconstruct(x, noise) - x).Abs().Mean(1).Sum().Item();
        }
        return sum / images.Length;
    }

    private static int[] Spread(int[] all, int most) => all.Length <= most ? all : [.. Enumerable.Range(0, most).Select(i => all[(int)((long)i * all.Length / most)])];

    /// <summary>
    /// Two grids: test images, each above its reconstruction (rows in pairs, a task each, spread over the stream), and recollections drawn from the buffer, a
    /// task per row in the order of storing where the buffer is a ring.
    /// </summary>
    public IReadOnlyList<(string Name, HostArray Image)> Pictures()
    {
        const int columns = 10, rows = 5, recalled = 100;
        using var constant = Autograd.NoGrad();
        var noise = new Generator(0).Stream("pictures");
        var pairs = new List<Tensor>();
        foreach (int t in Spread([.. Enumerable.Range(0, _stream.Tasks.Count)], rows))
        {
            var x = _stream.BatchOf(_stream.Test, Spread(_stream.Tasks[t].Test, columns)).X;
            pairs.AddRange([x, Net.Reconstruct(x, noise)]);
        }
        List<(string, HostArray)> pictures = [("reconstructions", Grid(Tensor.Concat([.. pairs]), (int)pairs[0].Shape[0]))];
        if (Buffer.Count > 0)
            pictures.Add(("recollections", Grid(Net.Recall(Buffer.Codes(Spread([.. AllSlots()], recalled))), columns)));
        return pictures;
    }

    private IEnumerable<int> AllSlots() => Enumerable.Range(0, Buffer.Capacity).Where(Buffer.Holds).OrderBy(Buffer.TaskAt);

    private HostArray Grid(Tensor images, int columns)
    {
        var set = _stream.Train;
        byte[] bytes = _stream.Scale.Bytes(images.ToArray<float>());
        return ImageGrid.Tile(HostArray.From<byte>([images.Shape[0], set.Channels, set.Height, set.Width], bytes), columns, zoom: 2);
    }

    /// <summary>Everything that later steps depend on.</summary>
    public void Persist(RunState state, string name)
    {
        state.Module($"{name}.net", Net);
        state.Optimizer($"{name}.adam", _adam);
        Buffer.Persist(state, $"{name}.buffer");
        state.Generator($"{name}.noise", _noise);
        state.Number($"{name}.steps", ref _steps);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _adam.Dispose();
        Net.Dispose();
    }
}
