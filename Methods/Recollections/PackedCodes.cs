namespace Native.Methods;

/// <summary>
/// Codes in as many bits as they need (Scalable Recollections, appendix: k = c ceil(log2 l) bits an item): item i begins at bit i k of one array of bytes, the lowest
/// bits first, and nothing lies between items. Bits left over in the last byte are 0.
/// </summary>
public sealed class PackedCodes
{
    private byte[] _bytes;

    /// <summary>Room for so many items, all of category 0.</summary>
    /// <exception cref="UsageException">There is no item, or more than one array holds.</exception>
    public PackedCodes(CodeSize size, int capacity)
    {
        if (capacity < 1 || ((long)capacity * size.Bits + 7) / 8 > Array.MaxLength)
            throw new UsageException($"index buffer: {capacity} items of {size.Bits} bits are not a memory of 1 to {Array.MaxLength} bytes. Give another number of items.");
        (Size, Capacity) = (size, capacity);
        _bytes = new byte[((long)capacity * size.Bits + 7) / 8];
    }

    /// <summary>c and l.</summary>
    public CodeSize Size { get; }

    /// <summary>Items.</summary>
    public int Capacity { get; }

    /// <summary>Items times k.</summary>
    public long Bits => (long)Capacity * Size.Bits;

    /// <summary>Bytes that the codes take: <see cref="Bits"/> over 8, rounded up.</summary>
    public int ByteCount => _bytes.Length;

    /// <summary>Replaces an item.</summary>
    /// <param name="item">From 0.</param>
    /// <param name="categories">c numbers below l.</param>
    /// <exception cref="UsageException">There are more or fewer, or one is no category.</exception>
    public void Write(int item, ReadOnlySpan<long> categories)
    {
        Check(item, categories.Length);
        foreach (long category in categories)
            if (category < 0 || category >= Size.Categories)
                throw new UsageException($"index buffer: {category} is none of the categories 0 to {Size.Categories - 1}. Encode with the model that the buffer was made for.");
        long at = (long)item * Size.Bits;
        foreach (long category in categories)
            for (int bit = 0; bit < Size.BitsPerVariable; bit++, at++)
            {
                int mask = 1 << (int)(at & 7);
                ref byte b = ref _bytes[at >> 3];
                b = (byte)((category >> bit & 1) == 0 ? b & ~mask : b | mask);
            }
    }

    /// <summary>Reads an item's c categories.</summary>
    public void Read(int item, Span<long> categories)
    {
        Check(item, categories.Length);
        long at = (long)item * Size.Bits;
        for (int v = 0; v < categories.Length; v++)
        {
            int category = 0;
            for (int bit = 0; bit < Size.BitsPerVariable; bit++, at++)
                category |= (_bytes[at >> 3] >> (int)(at & 7) & 1) << bit;
            categories[v] = category;
        }
    }

    /// <summary>The bytes themselves, to save or to read back.</summary>
    /// <exception cref="UsageException">The saved ones are of another size, or hold what is no category.</exception>
    public void Persist(RunState state, string name)
    {
        byte[] bytes = _bytes;
        state.Bytes(name, ref bytes);
        if (!state.Loading)
            return;
        if (bytes.Length != _bytes.Length)
            throw new UsageException($"index buffer: {bytes.Length} saved bytes of codes do not fit {Capacity} items of {Size.Bits} bits, which take {_bytes.Length}. Continue with the options that they were saved with.");
        _bytes = bytes;
        var categories = new long[Size.Variables];
        for (int item = 0; item < Capacity; item++)
        {
            Read(item, categories);
            if (categories.Max() >= Size.Categories)
                throw new UsageException($"index buffer: saved item {item} has category {categories.Max()} of {Size.Categories}. The file is of another model or damaged; save it again.");
        }
    }

    private void Check(int item, int variables)
    {
        if (item < 0 || item >= Capacity || variables != Size.Variables)
            throw new UsageException($"index buffer: item {item} of {variables} variables does not fit {Capacity} items of {Size}. Use the model that the buffer was made for.");
    }
}
