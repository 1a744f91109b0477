using System.Numerics;
using System.Runtime.InteropServices;

namespace Native.Tests;

/// <summary>What the tests of raw-pointer kernels share: guarded buffers, fixed random numbers, comparisons in which NaN fails.</summary>
internal static class KernelKit
{
    /// <summary>Numbers in (-1, 1) from a splitmix64 stream; the same for the same seed, everywhere.</summary>
    public static double[] Random(long n, int seed)
    {
        ulong state = (ulong)seed * 0x9E3779B97F4A7C15;
        var values = new double[n];
        for (long i = 0; i < n; i++)
        {
            ulong z = state += 0x9E3779B97F4A7C15;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            // Float values, so that f32 and f64 kernels are given the same input.
            values[i] = (float)(((z ^ (z >> 31)) >> 11) / (double)(1L << 52) - 1);
        }
        return values;
    }

    public static double Dot(double[] a, double[] b)
    {
        Assert.Equal(a.Length, b.Length);
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }

    public static double[] Plus(double[] x, double step, double[] direction) => x.Select((v, i) => v + step * direction[i]).ToArray();

    /// <summary>Fails unless |actual - expected| is at most tol*(1 + |expected|) everywhere, or both are the same special value.</summary>
    public static void Close(double[] expected, double[] actual, double tol, string what)
    {
        Assert.True(expected.Length == actual.Length, $"{what}: {actual.Length} elements instead of {expected.Length}");
        for (int i = 0; i < expected.Length; i++)
        {
            double e = expected[i], a = actual[i];
            bool special = !double.IsFinite(e) && e.Equals(a);
            if (!special && !(Math.Abs(a - e) <= tol * (1 + Math.Abs(e))))
                Assert.Fail($"{what}: element {i} is {a:R}, should be {e:R}");
        }
    }

    /// <summary>The derivative of f at x along the direction, against grad . direction; f64, f smooth.</summary>
    public static void CheckGradient(Func<double[], double> f, double[] x, double[] grad, string what)
    {
        const double Step = 1e-5;
        double[] direction = Random(x.Length, 4242);
        double numeric = (f(Plus(x, Step, direction)) - f(Plus(x, -Step, direction))) / (2 * Step), analytic = Dot(grad, direction);
        double scale = 1 + grad.Sum(Math.Abs);
        if (!(Math.Abs(numeric - analytic) <= 1e-8 * scale))
            Assert.Fail($"{what}: the slope is {numeric:R}, the gradient says {analytic:R}");
    }

    /// <summary>Runs a computation with one, two and five threads and demands the same bits.</summary>
    public static void SameBitsOnAnyThreads(Func<double[]> compute, string what)
    {
        int before = Workers.Count;
        try
        {
            Workers.SetCount(1);
            double[] one = compute();
            foreach (int threads in new[] { 2, 5 })
            {
                Workers.SetCount(threads);
                double[] many = compute();
                for (int i = 0; i < one.Length; i++)
                    if (BitConverter.DoubleToInt64Bits(one[i]) != BitConverter.DoubleToInt64Bits(many[i]))
                        Assert.Fail($"{what}: element {i} is {one[i]:R} with one thread, {many[i]:R} with {threads}");
            }
        }
        finally
        {
            Workers.SetCount(before);
        }
    }

    /// <summary>What a dtype's rounding allows for sums of moderate length.</summary>
    public static double Tolerance<T>() => typeof(T) == typeof(float) ? 2e-5 : 1e-12;
}

/// <summary>
/// Native memory between guard words; fresh memory is NaN (-1 for integers), and disposal fails when a guard was touched.
/// </summary>
internal sealed unsafe class Buf<T> : IDisposable where T : unmanaged, INumber<T>
{
    private const int Guard = 64;
    private const byte GuardByte = 0xC7;
    private readonly byte* _block;
    private readonly long _bytes;

    public Buf(long count)
    {
        Count = count;
        _bytes = count * sizeof(T);
        // Elements start one off a vector boundary: kernels may not count on alignment.
        _block = (byte*)NativeMemory.AlignedAlloc((nuint)(_bytes + 2 * Guard + sizeof(T)), 64);
        new Span<byte>(_block, Guard + sizeof(T)).Fill(GuardByte);
        P = (T*)(_block + Guard + sizeof(T));
        new Span<byte>(P, checked((int)_bytes)).Fill(0xFF);
        new Span<byte>((byte*)P + _bytes, Guard).Fill(GuardByte);
    }

    public Buf(double[] values) : this(values.Length)
    {
        for (long i = 0; i < Count; i++)
            P[i] = T.CreateTruncating(values[i]);
    }

    public long Count { get; }

    public T* P { get; }

    public double[] ToArray()
    {
        var values = new double[Count];
        for (long i = 0; i < Count; i++)
            values[i] = double.CreateTruncating(P[i]);
        return values;
    }

    public void Dispose()
    {
        bool intact = new Span<byte>(_block, Guard + sizeof(T)).IndexOfAnyExcept(GuardByte) < 0
            && new Span<byte>((byte*)P + _bytes, Guard).IndexOfAnyExcept(GuardByte) < 0;
        NativeMemory.AlignedFree(_block);
        Assert.True(intact, "a kernel wrote outside its buffer");
    }
}
