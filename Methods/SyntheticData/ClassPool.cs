namespace Native.Methods;

/// <summary>
/// Draws positions of a pool without replacement until it is used up, then reshuffles it ("one time per sample"; "drawn randomly from the pool of 250
/// samples per class", section 4). A draw that runs over the end takes the rest first.
/// </summary>
internal sealed class ClassPool
{
    private readonly Generator _random;
    private long[] _order;
    private int _at;

    public ClassPool(int size, Generator random)
    {
        if (size < 1)
            throw new UsageException($"pool: {size} images are no pool. Give 1 or more per class.");
        _random = random;
        _order = random.Permutation(size);
    }

    public int Size => _order.Length;

    /// <summary>The next so many positions.</summary>
    public void Next(Span<long> positions)
    {
        foreach (ref long p in positions)
        {
            if (_at == _order.Length)
            {
                _random.Shuffle<long>(_order);
                _at = 0;
            }
            p = _order[_at++];
        }
    }

    /// <summary>Describes the order and the place in it; the generator is described by its owner.</summary>
    public void Persist(RunState state, string name)
    {
        state.Longs($"{name}.order", ref _order);
        state.Number($"{name}.at", ref _at);
    }
}
