using Native.Methods;

namespace Native.Tests;

/// <summary>Packed codes and the index buffer: bits, what is kept, what is drawn, what a file says.</summary>
[Trait("Category", "Cpu")]
public sealed class IndexBufferTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static long[] Code(CodeSize size, int seed)
    {
        var random = new Generator((ulong)seed);
        return [.. Enumerable.Range(0, size.Variables).Select(_ => random.NextInt64(size.Categories))];
    }

    [Theory]
    [InlineData(104, 4, 3000, 78_000)]
    [InlineData(139, 8, 3000, 156_375)]
    [InlineData(6, 20, 7, 27)]      // 210 bits
    [InlineData(4, 37, 3, 9)]
    [InlineData(4, 2, 1, 1)]
    public void Codes_take_the_bits_of_the_formula_and_come_back(int c, int l, int items, int bytes)
    {
        var size = new CodeSize(c, l);
        var codes = new PackedCodes(size, items);
        Assert.Equal((bytes, (long)items * size.Bits), (codes.ByteCount, codes.Bits));
        int[] some = [.. Enumerable.Range(0, items).Where(i => i < 5 || i > items - 5).Distinct()];
        // Written twice, in two orders: neighbours leave each other alone, and old bits go.
        foreach (int i in some)
            codes.Write(i, Code(size, i + 1000));
        foreach (int i in some.Reverse())
            codes.Write(i, Code(size, i));
        var read = new long[c];
        foreach (int i in some)
        {
            codes.Read(i, read);
            Assert.Equal(Code(size, i), read);
        }
    }

    [Fact]
    public void What_is_no_code_is_refused()
    {
        var codes = new PackedCodes(new CodeSize(4, 3), 2);
        Assert.Contains("3 is none of the categories 0 to 2", Assert.Throws<UsageException>(() => codes.Write(0, [0, 1, 2, 3])).Message, StringComparison.Ordinal);
        Assert.Throws<UsageException>(() => codes.Write(0, [-1, 1, 2, 0]));
        Assert.Throws<UsageException>(() => codes.Write(2, [0, 1, 2, 0]));
        Assert.Throws<UsageException>(() => codes.Write(0, [0, 1, 2]));
        Assert.Throws<UsageException>(() => new PackedCodes(new CodeSize(4, 3), 0));
    }

    private static readonly CodeSize Size = new(6, 4);

    private static IndexBuffer Filled(IndexBuffer buffer, int items, int tasks = 1)
    {
        for (int i = 0; i < items; i++)
            buffer.Add(Code(Size, i), i, i * tasks / items);
        return buffer;
    }

    [Fact]
    public void A_reservoir_holds_each_item_as_likely_as_any_other()
    {
        const int capacity = 10, offered = 40, runs = 3000;
        var kept = new int[offered];
        for (ulong run = 0; run < runs; run++)
        {
            var buffer = Filled(IndexBuffer.Reservoir(Size, capacity, new Generator(run)), offered);
            Assert.Equal((capacity, offered), (buffer.Count, buffer.Offered));
            for (int slot = 0; slot < capacity; slot++)
                kept[buffer.TargetAt(slot)]++;
        }
        // Each a quarter of the time: 750, standard deviation below 24.
        Assert.All(kept, n => Assert.InRange(n, 640, 860));
    }

    [Fact]
    public void A_ring_holds_the_latest_of_each_task()
    {
        var ring = Filled(IndexBuffer.Ring(Size, 3, 4, new Generator(1)), 18, tasks: 3);
        Assert.Equal(12, ring.Count);
        for (int t = 0; t < 3; t++)
        {
            int[] slots = ring.SlotsOf(t);
            Assert.Equal(Enumerable.Range(6 * t + 2, 4), slots.Select(ring.TargetAt).Order());
            Assert.All(slots, s => Assert.Equal(t, ring.TaskAt(s)));
            foreach (int s in slots)
                Assert.Equal(Code(Size, ring.TargetAt(s)), ring.Codes([s]).ToArray<long>());
        }
        Assert.Equal(12L * Size.Bits, ring.StorageBits);
        Assert.Throws<UsageException>(() => ring.Add(Code(Size, 0), 0, 3));
        Assert.Throws<UsageException>(() => IndexBuffer.Reservoir(Size, 4, new Generator(1)).SlotsOf(0));
    }

    [Fact]
    public void A_draw_is_of_different_items_and_uniform()
    {
        // Two full tasks and one with 2 of 4 places taken: slots 0 to 7, 8 and 9.
        var ring = Filled(IndexBuffer.Ring(Size, 3, 4, new Generator(1)), 8, tasks: 2);
        ring.Add(Code(Size, 1), 1, 2);
        ring.Add(Code(Size, 2), 2, 2);
        var counts = new int[12];
        for (int i = 0; i < 4000; i++)
        {
            int[] slots = ring.Draw(3);
            Assert.Equal(3, slots.Distinct().Count());
            foreach (int s in slots)
                counts[s]++;
        }
        Assert.Equal([0, 0], counts[10..]);
        // 1200 each, standard deviation 29.
        Assert.All(counts[..10], n => Assert.InRange(n, 1060, 1340));
        Assert.Equal(Enumerable.Range(0, 10), ring.Draw(99).Order());
        Assert.Empty(IndexBuffer.Reservoir(Size, 4, new Generator(1)).Draw(5));
    }

    [Fact]
    public void A_file_brings_everything_back()
    {
        string path = _folder.File("index");
        IndexBuffer saved = Filled(IndexBuffer.Reservoir(Size, 10, new Generator(1)), 30), read = IndexBuffer.Reservoir(Size, 10, new Generator(99));
        saved.Save(path);
        read.Load(path);
        for (int round = 0; round < 3; round++)
        {
            int[] slots = saved.Draw(4);
            Assert.Equal(slots, read.Draw(4));
            Assert.Equal(saved.Codes(slots).ToArray<long>(), read.Codes(slots).ToArray<long>());
            Assert.Equal(saved.Answers(slots).Targets, read.Answers(slots).Targets);
            Assert.Equal(saved.Add(Code(Size, 5), 5, 0), read.Add(Code(Size, 5), 5, 0));
        }
    }

    [Fact]
    public void A_file_of_another_model_is_refused()
    {
        string path = _folder.File("index");
        Filled(IndexBuffer.Reservoir(Size, 10, new Generator(1)), 30).Save(path);
        string refused(IndexBuffer other) => Assert.Throws<UsageException>(() => other.Load(path)).Message;
        Assert.Equal("index buffer: the saved one has 6 variables of 4 categories and 10 items in all, and this one 12 variables of 2 categories and 10 items in all. "
            + "Use the model and the options that it was saved with.", refused(IndexBuffer.Reservoir(new CodeSize(12, 2), 10, new Generator(1))));
        Assert.Contains("9 items in all", refused(IndexBuffer.Reservoir(Size, 9, new Generator(1))), StringComparison.Ordinal);
        Assert.Contains("5 items for each of 2 tasks", refused(IndexBuffer.Ring(Size, 2, 5, new Generator(1))), StringComparison.Ordinal);
        File.WriteAllText(path, "no buffer");
        Assert.Throws<DataFormatException>(() => IndexBuffer.Reservoir(Size, 10, new Generator(1)).Load(path));
    }
}
