using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace Native;

/// <summary>
/// Random numbers from Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
/// The generator is a key and a position: word number <c>p</c> of the sequence is a pure function of both, so every device makes the
/// same bits, in any order, on any number of threads. Independent sequences come from <see cref="Stream"/>. One object is for one
/// thread at a time.
/// </summary>
public sealed class Generator
{
    private ulong _key;
    private ulong _position;            // in 32-bit words; the next word is number _position % 4 of block _position / 4
    private uint _r0, _r1, _r2, _r3;    // the block that _position points into, valid unless _position is a multiple of 4

    /// <summary>A generator at the start of the sequence that <paramref name="seed"/> names. The seed is the Philox key.</summary>
    public Generator(ulong seed) => _key = seed;

    /// <summary>The Philox key: <c>new Generator(g.Seed)</c> repeats <c>g</c> from its start, for streams too.</summary>
    public ulong Seed => _key;

    /// <summary>
    /// Where the generator stands, for saving; setting it continues from exactly there. <c>Counter</c> counts 32-bit words, so that
    /// a state saved in the middle of a 128-bit block loses nothing.
    /// </summary>
    public (ulong Key, ulong Counter) State
    {
        get => (_key, _position);
        set
        {
            CheckRepeatable("its state is set");
            (_key, _position) = value;
            if ((_position & 3) != 0)
                Philox.Block(_key, _position >> 2, 0, out _r0, out _r1, out _r2, out _r3);
        }
    }

    /// <summary>
    /// An independent child. Its key is <c>mix(mix(key) + fnv1a(utf8(name)))</c> with the SplitMix64 finaliser as <c>mix</c> and 64-bit
    /// FNV-1a: the same parent key and name give the same child, wherever the parent stands and whatever else was drawn from it.
    /// </summary>
    public Generator Stream(string name)
    {
        ulong hash = 0xcbf29ce484222325;
        foreach (byte b in Encoding.UTF8.GetBytes(name))
            hash = (hash ^ b) * 0x100000001b3;
        return new Generator(SplitMix64(unchecked(SplitMix64(_key) + hash)));
    }

    /// <summary>
    /// Hands out <paramref name="blocks"/> whole blocks of four words for a tensor fill and moves past them: element <c>i</c> of a 32-bit
    /// fill is word <c>i % 4</c> of block <c>Counter + i / 4</c>. Words left over in a half-used block are skipped, so that a fill
    /// always starts on a block.
    /// </summary>
    internal (ulong Key, ulong Counter) Reserve(long blocks)
    {
        if (blocks < 0)
            throw new UsageException($"generator: the number of blocks must not be negative; got {blocks}. Reserve 0 or more.");
        ulong first = (_position >> 2) + ((_position & 3) != 0 ? 1UL : 0UL);
        _position = (first + (ulong)blocks) << 2;
        return (_key, first);
    }

    /// <summary>The next 32 random bits.</summary>
    public uint NextUInt32()
    {
        CheckRepeatable("a number is drawn on the host");
        uint word = (uint)(_position & 3);
        if (word == 0)
            Philox.Block(_key, _position >> 2, 0, out _r0, out _r1, out _r2, out _r3);
        _position++;
        return word switch { 0 => _r0, 1 => _r1, 2 => _r2, _ => _r3 };
    }

    /// <summary>Uniform in [0, 1): the top 24 bits of a word, times 2^-24. Never 1.</summary>
    public float NextSingle() => (NextUInt32() >> 8) * (1f / (1 << 24));

    /// <summary>Uniform in [0, 1) with 53 bits: the top 27 bits of one word and the top 26 of the next. Never 1.</summary>
    public double NextDouble()
    {
        uint a = NextUInt32(), b = NextUInt32();
        return (((ulong)(a >> 5) << 26) + (b >> 6)) * (1.0 / (1L << 53));
    }

    /// <summary>
    /// Uniform in [0, <paramref name="exclusive"/>), without bias (Lemire 2019: multiply, and draw again in the sliver that would favour
    /// some values). Takes two words, rarely more.
    /// </summary>
    public long NextInt64(long exclusive)
    {
        if (exclusive <= 0)
            throw new UsageException($"generator: the upper bound of an integer must be positive; got {exclusive}. Pass 1 or more.");
        ulong n = (ulong)exclusive;
        ulong high = Math.BigMul(NextUInt64(), n, out ulong low);
        if (low < n)
        {
            ulong sliver = unchecked(0UL - n) % n;
            while (low < sliver)
                high = Math.BigMul(NextUInt64(), n, out low);
        }
        return (long)high;
    }

    /// <summary>Puts the items in a uniformly random order, in place (Fisher and Yates, from the last item down).</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = (int)NextInt64(i + 1L);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary>The numbers 0 to n-1 in a uniformly random order.</summary>
    public long[] Permutation(long n)
    {
        if (n < 0 || n > Array.MaxLength)
            throw new UsageException($"generator: a permutation has from 0 to {Array.MaxLength} items; got {n}. Permute in parts.");
        var order = new long[n];
        for (int i = 0; i < order.Length; i++)
            order[i] = i;
        Shuffle<long>(order);
        return order;
    }

    internal static void CheckRepeatable(string what)
    {
        if (GraphCapture.Current is { Freezes: true } capture)
            throw capture.Forbidden($"generator: {what}", "It would be the same at every replay: draw before Replay(), fill a tensor of the graph's device instead, or do it in CudaGraph.EachReplay.");
    }

    private ulong NextUInt64()
    {
        ulong low = NextUInt32();
        return low | (ulong)NextUInt32() << 32;
    }

    private static ulong SplitMix64(ulong x)
    {
        x = unchecked(x + 0x9e3779b97f4a7c15);
        x = unchecked((x ^ (x >> 30)) * 0xbf58476d1ce4e5b9);
        x = unchecked((x ^ (x >> 27)) * 0x94d049bb133111eb);
        return x ^ (x >> 31);
    }
}

/// <summary>The Philox4x32-10 block function: 128 bits of counter and 64 bits of key in, 128 random bits out.</summary>
internal static class Philox
{
    internal const uint M0 = 0xD2511F53, M1 = 0xCD9E8D57;  // multipliers of the two halves
    internal const uint W0 = 0x9E3779B9, W1 = 0xBB67AE85;  // Weyl increments of the two key words (golden ratio, sqrt(3) - 1)

    /// <summary>One block; the counter and key words are the low and high halves of the arguments, low first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Block(ulong key, ulong counterLo, ulong counterHi, out uint r0, out uint r1, out uint r2, out uint r3)
    {
        uint c0 = (uint)counterLo, c1 = (uint)(counterLo >> 32), c2 = (uint)counterHi, c3 = (uint)(counterHi >> 32);
        uint k0 = (uint)key, k1 = (uint)(key >> 32);
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = (ulong)M0 * c0, p1 = (ulong)M1 * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            unchecked
            {
                k0 += W0;
                k1 += W1;
            }
        }
        (r0, r1, r2, r3) = (c0, c1, c2, c3);
    }

    /// <summary>Fills <paramref name="words"/> with the sequence from block <paramref name="counter"/> on; cuts the last block.</summary>
    internal static void Fill(ulong key, ulong counter, Span<uint> words)
    {
        if (Avx512F.IsSupported)
            for (; words.Length >= 32; words = words[32..], counter = unchecked(counter + 8))
                Fill8(key, counter, words);
        else if (Avx2.IsSupported)
            for (; words.Length >= 16; words = words[16..], counter = unchecked(counter + 4))
                Fill4(key, counter, words);
        Span<uint> block = stackalloc uint[4];
        for (; !words.IsEmpty; counter = unchecked(counter + 1))
        {
            Block(key, counter, 0, out block[0], out block[1], out block[2], out block[3]);
            int n = Math.Min(4, words.Length);
            block[..n].CopyTo(words);
            words = words[n..];
        }
    }

    // Eight blocks at once. Each counter word lives in the low half of a 64-bit lane, because vpmuludq reads just those halves and
    // gives the full product: its high half is one shift away, and its low half may keep rubbish above, since nobody reads that.
    // Lane order 0 4 1 5 2 6 3 7 makes the two interleaving stores at the end come out in sequence order.
    private static void Fill8(ulong key, ulong counter, Span<uint> words)
    {
        var block = Vector512.Create(counter) + Vector512.Create(0UL, 4, 1, 5, 2, 6, 3, 7);
        Vector512<ulong> c0 = block, c1 = block >>> 32, c2 = default, c3 = default;
        var m0 = Vector512.Create((ulong)M0).AsUInt32();
        var m1 = Vector512.Create((ulong)M1).AsUInt32();
        uint k0 = (uint)key, k1 = (uint)(key >> 32);
        for (int round = 0; round < 10; round++, k0 = unchecked(k0 + W0), k1 = unchecked(k1 + W1))
        {
            var p0 = Avx512F.Multiply(c0.AsUInt32(), m0);
            var p1 = Avx512F.Multiply(c2.AsUInt32(), m1);
            c0 = (p1 >>> 32) ^ c1 ^ Vector512.Create((ulong)k0);
            c2 = (p0 >>> 32) ^ c3 ^ Vector512.Create((ulong)k1);
            (c1, c3) = (p1, p0);
        }
        var low = Vector512.Create((ulong)uint.MaxValue);
        var a = (c0 & low) | (c1 << 32);
        var b = (c2 & low) | (c3 << 32);
        Avx512F.UnpackLow(a, b).AsUInt32().CopyTo(words);
        Avx512F.UnpackHigh(a, b).AsUInt32().CopyTo(words[16..]);
    }

    // The same with 256-bit registers: four blocks, lane order 0 2 1 3.
    private static void Fill4(ulong key, ulong counter, Span<uint> words)
    {
        var block = Vector256.Create(counter) + Vector256.Create(0UL, 2, 1, 3);
        Vector256<ulong> c0 = block, c1 = block >>> 32, c2 = default, c3 = default;
        var m0 = Vector256.Create((ulong)M0).AsUInt32();
        var m1 = Vector256.Create((ulong)M1).AsUInt32();
        uint k0 = (uint)key, k1 = (uint)(key >> 32);
        for (int round = 0; round < 10; round++, k0 = unchecked(k0 + W0), k1 = unchecked(k1 + W1))
        {
            var p0 = Avx2.Multiply(c0.AsUInt32(), m0);
            var p1 = Avx2.Multiply(c2.AsUInt32(), m1);
            c0 = (p1 >>> 32) ^ c1 ^ Vector256.Create((ulong)k0);
            c2 = (p0 >>> 32) ^ c3 ^ Vector256.Create((ulong)k1);
            (c1, c3) = (p1, p0);
        }
        var low = Vector256.Create((ulong)uint.MaxValue);
        var a = (c0 & low) | (c1 << 32);
        var b = (c2 & low) | (c3 << 32);
        Avx2.UnpackLow(a, b).AsUInt32().CopyTo(words);
        Avx2.UnpackHigh(a, b).AsUInt32().CopyTo(words[8..]);
    }
}
