using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Native.Tests;

/// <summary>Matrix products against a plain triple loop in double, guard words around C, the same bits for any number of threads.</summary>
[Trait("Category", "Cpu")]
[Collection(WorkersCollection.Name)]
public sealed unsafe class GemmTests
{
    private static readonly int[] Sizes = [0, 1, 3, 12, 13, 31, 33, 100, 257];

    [Fact]
    public void Float_matches_the_triple_loop_for_all_transposes_and_sizes() => Sweep<float>(Gemm.Run<float>);

    [Fact]
    public void Double_matches_the_triple_loop_for_all_transposes_and_sizes() => Sweep<double>(Gemm.Run<double>);

    [Fact]
    public void Narrow_float_path_matches_the_triple_loop() => Sweep<float>(Narrow<float, Vector256<float>, F32x8>);

    [Fact]
    public void Narrow_double_path_matches_the_triple_loop() => Sweep<double>(Narrow<double, Vector256<double>, F64x4>);

    [Fact]
    public void Every_algorithm_is_right_also_where_it_is_not_chosen()
    {
        Algorithms<float, Vector256<float>, F32x8>();
        Algorithms<double, Vector256<double>, F64x4>();
        if (Vector512.IsHardwareAccelerated)
        {
            Algorithms<float, Vector512<float>, F32x16>();
            Algorithms<double, Vector512<double>, F64x8>();
        }
    }

    private static void Algorithms<T, TVec, TLanes>()
        where T : unmanaged, IFloatingPointIeee754<T>
        where TVec : unmanaged
        where TLanes : struct, ILanes<T, TVec>
    {
        Sweep<T>((transA, transB, m, n, k, a, lda, b, ldb, c, ldc, accumulate) => GemmDriver<T, TVec, TLanes>.RunDirect(
            new(transA, transB, (nint)m, (nint)n, (nint)k, a, (nint)lda, b, (nint)ldb, c, (nint)ldc, accumulate)), 1, 1);
        Sweep<T>((transA, transB, m, n, k, a, lda, b, ldb, c, ldc, accumulate) => GemmDriver<T, TVec, TLanes>.RunPacked(
            new(transA, transB, (nint)m, (nint)n, (nint)k, a, (nint)lda, b, (nint)ldb, c, (nint)ldc, accumulate)), 1, 1);
        Sweep<T>((transA, transB, m, n, k, a, lda, b, ldb, c, ldc, accumulate) => GemmDriver<T, TVec, TLanes>.RunDot(
            new(transA, transB, (nint)m, (nint)n, (nint)k, a, (nint)lda, b, (nint)ldb, c, (nint)ldc, accumulate)), 1, 16);
    }

    [Fact]
    public void Products_larger_than_every_block_are_right()
    {
        // One past BlockM, BlockN, DirectDepth and many BlockK, each in turn, so that every blocking loop runs more than once; rows of
        // 1024 and 2048 floats share cache sets, which both ways of packing treat apart.
        foreach (bool trans in new[] { false, true })
        {
            Check<float>(Gemm.Run<float>, new Case(trans, !trans, 3073, 50, 49, 0, false));
            Check<float>(Gemm.Run<float>, new Case(true, trans, 3073, 14, 4097, 0, false));
            Check<float>(Gemm.Run<float>, new Case(trans, !trans, 49, 4097, 50, 1, true));
            Check<float>(Gemm.Run<float>, new Case(trans, false, 14, 4097, 4097, 1, true));
            Check<float>(Gemm.Run<float>, new Case(trans, trans, 60, 61, 1601, 2, true));
            Check<float>(Gemm.Run<float>, new Case(trans, trans, 250, 260, 4200, 2, true));
            Check<float>(Gemm.Run<float>, new Case(trans, trans, 256, 70, 8192, 0, true));
            Check<float>(Gemm.Run<float>, new Case(trans, trans, 400, 401, 402, 0, false));
            Check<float>(Gemm.Run<float>, new Case(trans, false, 131, 1024, 77, 0, false));
        }
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_threads()
    {
        int before = Workers.Count;
        try
        {
            foreach (Case shape in new Case[]
            {
                new(false, false, 10, 400, 784, 0, true), new(false, true, 10, 400, 784, 0, false),
                new(true, false, 400, 784, 10, 0, false),
                new(false, false, 257, 259, 401, 1, true), new(true, true, 130, 300, 500, 0, false),
                new(false, false, 1, 5000, 300, 0, false),
                new(false, false, 3000, 1, 300, 0, true),
            })
            {
                Workers.SetCount(1);
                using Problem<float> one = new(shape);
                one.Run(Gemm.Run<float>);
                for (int threads = 2; threads <= 4; threads++)
                {
                    Workers.SetCount(threads);
                    using Problem<float> many = new(shape);
                    many.Run(Gemm.Run<float>);
                    Assert.True(one.Output.SequenceEqual(many.Output), $"{shape}: other bits with {threads} threads");
                }
            }
        }
        finally
        {
            Workers.SetCount(before);
        }
    }

    [Fact]
    public void Batched_products_match_single_ones()
    {
        foreach ((int batch, int size, bool shared) in new[] { (7, 5, false), (40, 31, true), (3, 140, false) })
        {
            long block = size * size;
            using Buffer<float> a = new(block * batch, 1), b = new(shared ? block : block * batch, 2), c = new(block * batch, 3);
            using Buffer<float> expected = new(block * batch, 3);
            long strideB = shared ? 0 : block;
            Gemm.RunBatched(false, true, size, size, size, a.P, size, b.P, size, c.P, size, true, batch, block, strideB, block);
            for (long i = 0; i < batch; i++)
            {
                Gemm.Run(
                    false, true, size, size, size, a.P + (i * block), size, b.P + (i * strideB), size,
                    expected.P + (i * block), size, true);
            }
            Assert.True(expected.Span.SequenceEqual(c.Span), $"batch {batch} of {size}");
        }
    }

    [Fact]
    public void Infinity_and_nan_travel_as_in_the_triple_loop()
    {
        // A blanked lane must not turn 0 * infinity into NaN, and an ignored zero must not hide a NaN.
        foreach (bool transB in new[] { false, true })
        {
            // 20 rows take the dot kernel when B is transposed; at k = 37 it reads lanes 21 to 31 a second time and must blank them.
            const int M = 20, N = 37, K = 37, Spike = 25;
            using Buffer<float> a = new(M * K, 1), b = new(N * K, 2), c = new(M * N, 3);
            a.Span.Fill(1);
            b.Span.Fill(1);
            b.P[Spike] = float.PositiveInfinity;
            a.P[(3 * K) + 36] = float.NaN;
            Gemm.Run(false, transB, M, N, K, a.P, K, b.P, transB ? K : N, c.P, N, false);
            int column = transB ? 0 : Spike;
            for (int i = 0; i < M; i++)
            {
                for (int j = 0; j < N; j++)
                {
                    float expected = i == 3 ? float.NaN : j == column ? float.PositiveInfinity : K;
                    Assert.Equal(expected, c.P[(i * N) + j]);
                }
            }
        }
    }

    [Fact]
    public void Other_element_types_are_refused()
    {
        Assert.Throws<DTypeException>(static () =>
        {
            int x = 1;
            Gemm.Run(false, false, 1, 1, 1, &x, 1, &x, 1, &x, 1, false);
        });
    }

    private delegate void Product<T>(
        bool transA, bool transB, long m, long n, long k, T* a, long lda, T* b, long ldb, T* c, long ldc, bool accumulate)
        where T : unmanaged;

    private readonly record struct Case(bool TransA, bool TransB, int M, int N, int K, int Pad, bool Accumulate);

    private static void Narrow<T, TVec, TLanes>(
        bool transA, bool transB, long m, long n, long k, T* a, long lda, T* b, long ldb, T* c, long ldc, bool accumulate)
        where T : unmanaged, INumberBase<T>
        where TVec : unmanaged
        where TLanes : struct, ILanes<T, TVec>
        => GemmDriver<T, TVec, TLanes>.Run(
            new(transA, transB, (nint)m, (nint)n, (nint)k, a, (nint)lda, b, (nint)ldb, c, (nint)ldc, accumulate));

    private static void Sweep<T>(Product<T> product, int least = 0, int leastK = 0) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int turn = 0;
        foreach (int m in Sizes.Where(m => m >= least))
        {
            foreach (int n in Sizes.Where(n => n >= least))
            {
                foreach (int k in Sizes.Where(k => k >= leastK))
                {
                    for (int trans = 0; trans < 4; trans++)
                    {
                        // Padding and accumulation alternate so that each is met by every kind of size.
                        turn++;
                        Check(product, new Case((trans & 1) != 0, (trans & 2) != 0, m, n, k, turn / 3 % 3, turn % 2 == 0));
                    }
                }
            }
        }
    }

    private static void Check<T>(Product<T> product, Case shape) where T : unmanaged, IFloatingPointIeee754<T>
    {
        using Problem<T> problem = new(shape);
        problem.Run(product);
        string? fault = problem.Fault();
        Assert.True(fault is null, $"{typeof(T).Name} {shape}: {fault}");
    }

    /// <summary>Elements between two guards, which hold a value that no product writes; see <see cref="Intact"/>.</summary>
    private sealed class Buffer<T> : IDisposable where T : unmanaged, IFloatingPointIeee754<T>
    {
        private const int Guard = 64;
        private static readonly T Mark = T.CreateChecked(-12345);
        private readonly T* start;
        private readonly long count;

        public Buffer(long count, ulong seed)
        {
            this.count = count;
            start = (T*)NativeMemory.Alloc((nuint)(count + (2 * Guard)), (nuint)sizeof(T));
            new Span<T>(start, (int)(count + (2 * Guard))).Fill(Mark);
            ulong state = seed * 0x9E3779B97F4A7C15;
            for (long i = 0; i < count; i++)
            {
                state = (state * 6364136223846793005) + 1442695040888963407;
                P[i] = T.CreateChecked(((state >> 40) / (double)(1 << 24)) - 0.5);
            }
        }

        public T* P => start + Guard;

        public Span<T> Span => new(P, (int)count);

        public bool Intact => !new Span<T>(start, Guard).ContainsAnyExcept(Mark) && !new Span<T>(P + count, Guard).ContainsAnyExcept(Mark);

        public void Dispose() => NativeMemory.Free(start);
    }

    private sealed class Problem<T> : IDisposable where T : unmanaged, IFloatingPointIeee754<T>
    {
        private readonly Case shape;
        private readonly Buffer<T> a, b, c, before;
        private readonly int lda, ldb, ldc;

        public Problem(Case shape)
        {
            this.shape = shape;
            (int m, int n, int k) = (shape.M, shape.N, shape.K);
            (lda, ldb, ldc) = ((shape.TransA ? m : k) + shape.Pad, (shape.TransB ? k : n) + (2 * shape.Pad), n + (3 * shape.Pad));
            a = new((long)lda * (shape.TransA ? k : m), 1);
            b = new((long)ldb * (shape.TransB ? n : k), 2);
            c = new((long)ldc * m, 3);
            before = new((long)ldc * m, 3);
            // A result that is not overwritten must show: without accumulation C starts as NaN.
            if (!shape.Accumulate)
            {
                for (int i = 0; i < m; i++)
                    c.Span.Slice(i * ldc, n).Fill(T.NaN);
            }
        }

        public Span<T> Output => c.Span;

        public void Run(Product<T> product) => product(
            shape.TransA, shape.TransB, shape.M, shape.N, shape.K, a.P, lda, b.P, ldb, c.P, ldc, shape.Accumulate);

        public string? Fault()
        {
            double eps = typeof(T) == typeof(float) ? 1.2e-7 : 2.3e-16;
            double tolerance = 2 * eps * Math.Sqrt(shape.K + 1) * (1 + (0.25 * Math.Sqrt(shape.K)));
            double[] sums = new double[shape.N];
            for (int i = 0; i < shape.M; i++)
            {
                Array.Clear(sums);
                for (int p = 0; p < shape.K; p++)
                {
                    double x = double.CreateChecked(a.P[shape.TransA ? (p * lda) + i : (i * lda) + p]);
                    for (int j = 0; j < shape.N; j++)
                        sums[j] += x * double.CreateChecked(b.P[shape.TransB ? (j * ldb) + p : (p * ldb) + j]);
                }
                for (int j = 0; j < ldc; j++)
                {
                    double start = double.CreateChecked(before.P[(i * ldc) + j]);
                    double actual = double.CreateChecked(c.P[(i * ldc) + j]);
                    double expected = j >= shape.N ? start : sums[j] + (shape.Accumulate ? start : 0);
                    double allowed = j >= shape.N ? 0 : tolerance;
                    if (!(Math.Abs(actual - expected) <= allowed))
                        return $"C[{i},{j}] is {actual}, expected {expected}, tolerance {allowed}";
                }
            }
            return a.Intact && b.Intact && c.Intact ? null : "memory beside a matrix was written";
        }

        public void Dispose()
        {
            a.Dispose();
            b.Dispose();
            c.Dispose();
            before.Dispose();
        }
    }
}
