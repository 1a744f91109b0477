namespace Native.Methods;

/// <summary>
/// The heat-map of figure 4 of Automatic Recall Machines, summed where the predictions are: for each task the mean over its iterations, and over the images
/// first recalled in each, of what the network of before predicts.
/// </summary>
internal sealed class RecallShares(TaskStream stream) : IDisposable
{
    private long[] _iterations = new long[stream.Tasks.Count];

    // [tasks, outputs]
    private Tensor? _sum;

    /// <summary>Begins an iteration of a task; the result tells <see cref="Add"/> which row is meant, as a tensor that a recorded step can read.</summary>
    public Tensor Begin(int task)
    {
        using (TensorScope.Outside())
            _sum ??= Tensor.Zeros([stream.Tasks.Count, stream.Outputs]);
        _iterations[task]++;
        var row = new float[stream.Tasks.Count];
        row[task] = 1;
        return Tensor.From(row, [row.Length, 1]);
    }

    /// <summary>Adds the predictions of an iteration, [M, outputs].</summary>
    public void Add(Tensor row, Tensor predictions)
    {
        using var constant = Autograd.NoGrad();
        _sum!.AddInPlace(row * predictions.Mean(0));
    }

    /// <summary>What is recalled of the classes of the present task, of earlier ones and of those to come.</summary>
    public IReadOnlyList<Metric> Measure()
    {
        float[]? sum = _sum?.ToArray<float>();
        Metric share(string key, string which, Func<int, int, bool> counts)
        {
            double total = 0;
            long iterations = 0;
            for (int t = 0; t < stream.Tasks.Count; t++)
            {
                int[] outputs = [.. stream.Tasks.Where(other => counts(other.Index, t)).SelectMany(other => other.Outputs)];
                if (outputs.Length == 0 || _iterations[t] == 0)
                    continue;
                iterations += _iterations[t];
                total += outputs.Average(c => sum![t * stream.Outputs + c]);
            }
            return new Metric(key, $"recalled, {which}", iterations == 0 ? null : total / iterations, iterations == 0 ? $"nothing was recalled while there were {which}" : null,
                $"probability per class of {which}, as the network of before predicts it for what is recalled; mean over images, classes and iterations (ARM figure 4)");
        }
        return [share("recalledPresent", "classes of the present task", (of, now) => of == now), share("recalledEarlier", "classes of earlier tasks", (of, now) => of < now),
            share("recalledUnseen", "classes of later tasks", (of, now) => of > now)];
    }

    /// <summary>Sums and counts.</summary>
    public void Persist(RunState state)
    {
        state.Tensor("recalled.sum", ref _sum);
        state.Longs("recalled.iterations", ref _iterations);
        if (_iterations.Length != stream.Tasks.Count || _sum is not null && _sum.Count != stream.Tasks.Count * stream.Outputs)
            throw new UsageException($"recall: a saved history of {_iterations.Length} tasks is not of a stream of {stream.Tasks.Count}. Continue a run with the options it was begun with.");
    }

    /// <summary>Frees the sums.</summary>
    public void Dispose() => _sum?.Dispose();
}
