namespace Native.Methods;

/// <summary>
/// Draws positions of a pool without replacement until it is used up, then reshuffles it ("one time per sample"; "drawn randomly from the pool of 250
/// samples per class", section 4). A draw that runs over the end takes the rest first.
/// </summary>
internal sealed class ClassPool
{
    private readonly Generator? _random;
    private long[] _order;
    private int _at;

    /// <summary>A pool in its first order.</summary>
    /// <param name="size">Images in the pool.</param>
    /// <param name="random">Draws the order; null for the pool's own, again and again (a curriculum).</param>
    public ClassPool(int size, Generator? random)
    {
        if (size < 1)
            throw new UsageException($"pool: {size} images are no pool. Give 1 or more per class.");
        _random = random;
        _order = random?.Permutation(size) ?? [.. Enumerable.Range(0, size).Select(i => (long)i)];
    }

    public int Size => _order.Length;

    /// <summary>What draws the order, if anything does.</summary>
    public Generator? Random => _random;

    /// <summary>
    /// Rows of pools that lie one after the other, as many from each, class after class: an inner batch. <paramref name="rows"/> divides evenly among the pools.
    /// </summary>
    public static void Rows(IReadOnlyList<ClassPool> pools, Span<long> rows)
    {
        int each = rows.Length / pools.Count;
        long start = 0;
        for (int c = 0; c < pools.Count; start += pools[c++]._order.Length)
        {
            var of = rows.Slice(c * each, each);
            pools[c].Next(of);
            foreach (ref long row in of)
                row += start;
        }
    }

    /// <summary>The next so many positions.</summary>
    public void Next(Span<long> positions)
    {
        foreach (ref long p in positions)
        {
            if (_at == _order.Length)
            {
                _random?.Shuffle<long>(_order);
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
