using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// The fills of <see cref="RandomKernels"/>. A tile of words is drawn, turned into uniform numbers and then into the distribution, all within
/// the first-level cache. Tiles start on whole blocks, so any thread can make any tile.
/// </summary>
internal static unsafe class RandomFill
{
    // Elements per tile: a multiple of four words, of a pair and of a vector.
    private const int Tile = 512;

    // What one random number costs, in elements moved.
    private const long Cost = 8;

    public static void Run<T>(T* y, long n, Fill fill, ulong key, ulong counter, T a, T b) where T : unmanaged, IFloatingPointIeee754<T> =>
        Chunks.For(Chunks.CeilDiv(n, Tile), Tile * Cost, (from, to) =>
        {
            // A pair may reach one element beyond the end of the tensor, a vector further: both stay inside the tile.
            T* u = stackalloc T[Tile];
            T* pairs = stackalloc T[Tile];
            for (long tile = from; tile < to; tile++)
            {
                int count = (int)Math.Min(Tile, n - tile * Tile);
                Uniform(u, key, unchecked(counter + (ulong)(tile * Tile * Words<T>() / 4)));
                switch (fill)
                {
                    case Fill.Uniform:
                        Scale(u, a, b);
                        break;
                    case Fill.Normal:
                        Normal(u, pairs, a, b);
                        break;
                    case Fill.Bernoulli:
                        Bernoulli(u, a, b);
                        break;
                    default:
                        Gumbel(u);
                        break;
                }
                new ReadOnlySpan<T>(u, count).CopyTo(new Span<T>(y + tile * Tile, count));
            }
        });

    public static void Integers<T>(T* y, long n, ulong key, ulong counter, long low, long high) where T : unmanaged, INumber<T> =>
        Chunks.For(Chunks.CeilDiv(n, Tile), Tile * Cost, (from, to) =>
        {
            uint* words = stackalloc uint[2 * Tile];
            ulong range = unchecked((ulong)high - (ulong)low);
            for (long tile = from; tile < to; tile++)
            {
                Philox.Fill(key, unchecked(counter + (ulong)(tile * Tile / 2)), new Span<uint>(words, 2 * Tile));
                int count = (int)Math.Min(Tile, n - tile * Tile);
                for (int i = 0; i < count; i++)
                {
                    ulong draw = Math.BigMul(words[2 * i] | (ulong)words[2 * i + 1] << 32, range, out _);
                    y[tile * Tile + i] = T.CreateTruncating(unchecked(low + (long)draw));
                }
            }
        });

    private static int Words<T>() => typeof(T) == typeof(float) ? 1 : 2;

    private static void Uniform<T>(T* u, ulong key, ulong counter) where T : unmanaged
    {
        uint* words = stackalloc uint[2 * Tile];
        Philox.Fill(key, counter, new Span<uint>(words, Tile * Words<T>()));
        if (typeof(T) == typeof(float))
            for (int i = 0; i < Tile; i += Vector512<float>.Count)
                (Vector512.ConvertToSingle((Vector512.Load(words + i) >>> 8).AsInt32()) * (1f / (1 << 24))).Store((float*)u + i);
        else
            for (int i = 0; i < Tile; i++)
                ((double*)u)[i] = (((ulong)(words[2 * i] >> 5) << 26) + (words[2 * i + 1] >> 6)) * (1.0 / (1L << 53));
    }

    private static void Scale<T>(T* u, T low, T high) where T : unmanaged, IFloatingPointIeee754<T>
    {
        // Rounding may carry the largest numbers up to the excluded end.
        Vector512<T> from = Vector512.Create(low), by = Vector512.Create(high - low), last = Vector512.Create(T.Max(low, T.BitDecrement(high)));
        for (int i = 0; i < Tile; i += Vector512<T>.Count)
            Vector512.Min(from + Vector512.Load(u + i) * by, last).Store(u + i);
    }

    private static void Normal<T>(T* u, T* pairs, T mean, T deviation) where T : unmanaged, IFloatingPointIeee754<T>
    {
        // Even elements to the front half, odd ones to the back half: whole vectors of radii and of angles.
        const int Half = Tile / 2;
        for (int i = 0; i < Half; i++)
            (pairs[i], pairs[Half + i]) = (u[2 * i], u[2 * i + 1]);
        Vector512<T> minusTwo = Vector512.Create(T.CreateTruncating(-2)), turn = Vector512.Create(T.CreateTruncating(2 * Math.PI));
        Vector512<T> shift = Vector512.Create(mean), scale = Vector512.Create(deviation);
        for (int i = 0; i < Half; i += Vector512<T>.Count)
        {
            // 1 - u is never 0, and exact.
            var r = Vector512.Sqrt(minusTwo * MathFn.Log(Vector512<T>.One - Vector512.Load(pairs + i)));
            var t = turn * Vector512.Load(pairs + Half + i);
            (shift + scale * (r * MathFn.Cos(t))).Store(pairs + i);
            (shift + scale * (r * MathFn.Sin(t))).Store(pairs + Half + i);
        }
        for (int i = 0; i < Half; i++)
            (u[2 * i], u[2 * i + 1]) = (pairs[i], pairs[Half + i]);
    }

    private static void Bernoulli<T>(T* u, T probability, T value) where T : unmanaged, IFloatingPointIeee754<T>
    {
        Vector512<T> below = Vector512.Create(probability), yes = Vector512.Create(value);
        for (int i = 0; i < Tile; i += Vector512<T>.Count)
            (Vector512.LessThan(Vector512.Load(u + i), below) & yes).Store(u + i);
    }

    private static void Gumbel<T>(T* u) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var least = Vector512.Create(T.ScaleB(T.One, Unsafe.SizeOf<T>() == sizeof(float) ? -25 : -54));
        for (int i = 0; i < Tile; i += Vector512<T>.Count)
            (-MathFn.Log(-MathFn.Log(Vector512.Max(Vector512.Load(u + i), least)))).Store(u + i);
    }
}
