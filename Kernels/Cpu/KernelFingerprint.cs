using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Text;

namespace Native;

/// <summary>
/// Hashes of what kernels compute whose vector width is the machine's: like <see cref="MathFnFingerprint"/>, for comparison between
/// processes. No golden values: the sums of a kernel may change with its blocking, but not with the instruction set or the threads.
/// </summary>
internal static unsafe class KernelFingerprint
{
    // m, n, k: every algorithm and its ragged ends, with sizes next to the vector widths of both instruction sets.
    private static readonly (int M, int N, int K)[] Products =
    [
        (10, 400, 784), (10, 37, 15), (10, 37, 16), (7, 33, 9), (33, 7, 8), (5, 9, 47), (31, 100, 123), (100, 31, 203), (100, 10, 77),
        (1, 200, 70), (1, 1003, 37), (200, 1, 75), (64, 64, 64), (49, 50, 51), (130, 70, 1000), (300, 290, 520), (3, 2, 5),
        (60, 70, 4200), (131, 1024, 77), (50, 20, 90), (2, 70, 300),
    ];

    // Pixels and images as lanes, both sides of the weight gradient, groups, dilation, and padding that leaves places without a pixel.
    private static readonly ConvShape[] Convolutions =
    [
        new(3, 5, 20, 33, 29, 3, 3, PadH: 1, PadW: 1), new(33, 60, 4, 4, 13, 3, 3, PadH: 1, PadW: 1), new(26, 7, 10, 10, 16, 5, 5, 3, 3, 2, 2),
        new(5, 8, 9, 7, 6, 3, 2, PadH: 2, PadW: 1, DilationH: 2, DilationW: 2, Groups: 2), new(40, 1, 9, 9, 32, 5, 5, 2, 2, 2, 2), new(70, 32, 6, 6, 1, 3, 3, PadH: 1, PadW: 1),
    ];

    /// <summary>First line: what the process runs on. Then one line per case and thread count, ending in a 64-bit FNV-1a.</summary>
    public static string Compute()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# v512 {Vector512.IsHardwareAccelerated} v256 {Vector256.IsHardwareAccelerated}\n");
        int before = Workers.Count;
        try
        {
            foreach (int threads in new[] { 1, 2, 7 })
            {
                Workers.SetCount(threads);
                foreach (var shape in Products)
                {
                    for (int kind = 0; kind < 8; kind++)
                    {
                        (bool transA, bool transB, bool accumulate) = ((kind & 1) != 0, (kind & 2) != 0, (kind & 4) != 0);
                        string name = $"{shape.M}x{shape.N}x{shape.K} {(transA ? 'T' : 'N')}{(transB ? 'T' : 'N')}{(accumulate ? "+" : "")}";
                        ulong single = Product<float>(shape, transA, transB, accumulate);
                        ulong twice = Product<double>(shape, transA, transB, accumulate);
                        text.Append(CultureInfo.InvariantCulture, $"matmul f32 {name} threads {threads} {single:x16}\n");
                        text.Append(CultureInfo.InvariantCulture, $"matmul f64 {name} threads {threads} {twice:x16}\n");
                    }
                }
                foreach (var shape in Convolutions)
                {
                    text.Append(CultureInfo.InvariantCulture, $"conv2d f32 {shape} threads {threads} {Convolution<float>(shape):x16}\n");
                    text.Append(CultureInfo.InvariantCulture, $"conv2d f64 {shape} threads {threads} {Convolution<double>(shape):x16}\n");
                }
            }
        }
        finally
        {
            Workers.SetCount(before);
        }
        return text.ToString();
    }

    private static ulong Product<T>((int M, int N, int K) shape, bool transA, bool transB, bool accumulate)
        where T : unmanaged, INumberBase<T>
    {
        (int m, int n, int k) = shape;
        T[] a = Numbers<T>(m * k, 1), b = Numbers<T>(k * n, 2), c = Numbers<T>(m * n, 3);
        fixed (T* pa = a, pb = b, pc = c)
            Gemm.Run(transA, transB, m, n, k, pa, transA ? m : k, pb, transB ? k : n, pc, n, accumulate);
        return Hash<T>(c);
    }

    // The forward pass and both gradients.
    private static ulong Convolution<T>(ConvShape s) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T[] x = Numbers<T>((int)(s.Batch * s.Channels * s.InPixels), 1), w = Numbers<T>((int)s.WeightCount, 2), b = Numbers<T>((int)s.Filters, 3);
        T[] y = Numbers<T>((int)(s.Batch * s.Filters * s.OutPixels), 4), gx = new T[x.Length], gw = new T[w.Length], out0 = new T[y.Length];
        fixed (T* px = x, pw = w, pb = b, py = y, pgx = gx, pgw = gw, po = out0)
        {
            Conv2dKernels.Forward(s, px, pw, pb, po);
            Conv2dKernels.DataGrad(s, py, pw, null, pgx);
            Conv2dKernels.WeightGrad(s, px, py, pgw);
        }
        return Hash<T>([.. out0, .. gx, .. gw]);
    }

    private static ulong Hash<T>(T[] values) where T : unmanaged
    {
        ulong hash = 14695981039346656037;
        foreach (byte x in MemoryMarshal.AsBytes<T>(values))
            hash = (hash ^ x) * 1099511628211;
        return hash;
    }

    // Full mantissas of both signs: any other order of a sum shows in its last bits.
    private static T[] Numbers<T>(int count, ulong seed) where T : unmanaged, INumberBase<T>
    {
        var x = new T[count];
        ulong state = seed * 0x9E3779B97F4A7C15;
        for (int i = 0; i < count; i++)
        {
            state = (state * 6364136223846793005) + 1442695040888963407;
            x[i] = T.CreateChecked(((double)(state >> 11) / (1L << 53)) - 0.5);
        }
        return x;
    }
}
