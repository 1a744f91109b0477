using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// The loops of <see cref="CompareKernels"/>. They work on blocks of 64 elements, because 64 truth values are one vector: masks of
/// any element size are narrowed to bytes, or bytes widened to masks. An input that is strided, broadcast or at its end is gathered
/// into a block first, so that every element goes through the same code.
/// </summary>
internal static unsafe class CompareLoop
{
    private const int Block = 64;

    // Elements that one thread takes at a time.
    private const long Part = 8192;

    public static void Compare<T, F>(Tensor y, Tensor a, Tensor? b, T number) where T : unmanaged, INumber<T> where F : struct, ICompareFn
    {
        if (y.Count == 0)
            return;
        var job = new CompareJob<T, F> { Y = y.Data<byte>(), A = a.Data<T>(), B = b is null ? &number : b.Data<T>() };
        job.Cut = new BlockCut(y, a.Layout, b?.Layout ?? Layout.Scalar, null);
        Workers.Run(job.Cut.Chunks, ref job);
    }

    public static void Where<T>(Tensor y, Tensor condition, Tensor? a, T aNumber, Tensor? b, T bNumber) where T : unmanaged, INumber<T>
    {
        if (y.Count == 0)
            return;
        var job = new WhereJob<T>
        {
            Y = y.Data<T>(),
            C = condition.Data<byte>(),
            A = a is null ? &aNumber : a.Data<T>(),
            B = b is null ? &bNumber : b.Data<T>(),
        };
        job.Cut = new BlockCut(y, condition.Layout, a?.Layout ?? Layout.Scalar, b?.Layout ?? Layout.Scalar);
        Workers.Run(job.Cut.Chunks, ref job);
    }

    /// <summary>Rows of the joint geometry, long ones in parts, dealt out to chunks in the order of the output.</summary>
    private struct BlockCut
    {
        public RowGrid Grid;
        public long Parts;
        public int Chunks;

        public BlockCut(Tensor y, Layout a, Layout b, Layout? c)
        {
            Grid = new RowGrid(y.Layout, a, b, c);
            Parts = Native.Chunks.CeilDiv(Grid.Inner, Part);
            Chunks = (int)Math.Min(Workers.Chunks(y.Count, Part), Grid.Rows * Parts);
        }

        public readonly BlockWalk Walk(int chunk)
        {
            long from = Workers.Start(Grid.Rows * Parts, Chunks, chunk);
            return new BlockWalk
            {
                Left = Workers.Start(Grid.Rows * Parts, Chunks, chunk + 1) - from,
                Row = Grid.At(from / Parts),
                First = from % Parts * Part,
                Output = from / Parts * Grid.Inner + from % Parts * Part,
            };
        }

        public readonly void Next(ref BlockWalk walk)
        {
            walk.Left--;
            walk.Output += Length(walk.First);
            walk.First += Part;
            if (walk.First < Grid.Inner)
                return;
            walk.First = 0;
            Grid.Advance(ref walk.Row);
        }

        public readonly long Length(long first) => Math.Min(Part, Grid.Inner - first);
    }

    /// <summary>The current part: its row's offsets, its first element within the row, and where it goes in the output.</summary>
    private struct BlockWalk
    {
        public RowPosition Row;
        public long First, Output, Left;
    }

    private struct CompareJob<T, F> : IJob where T : unmanaged, INumber<T> where F : struct, ICompareFn
    {
        public byte* Y;
        public T* A, B;
        public BlockCut Cut;

        public readonly void Run(int chunk)
        {
            T* bufferA = stackalloc T[Block], bufferB = stackalloc T[Block];
            long sa = Cut.Grid.SA, sb = Cut.Grid.SB;
            for (var walk = Cut.Walk(chunk); walk.Left > 0; Cut.Next(ref walk))
            {
                T* a = A + walk.Row.A + walk.First * sa, b = B + walk.Row.B + walk.First * sb;
                byte* y = Y + walk.Output;
                long n = Cut.Length(walk.First);
                for (long i = 0; i < n; i += Block)
                {
                    int m = (int)Math.Min(Block, n - i);
                    var truth = Truth<T, F>(Source(a, i, sa, m, bufferA), Source(b, i, sb, m, bufferB));
                    if (m == Block)
                        truth.Store(y + i);
                    else
                        Unsafe.CopyBlockUnaligned(y + i, &truth, (uint)m);
                }
            }
        }
    }

    private struct WhereJob<T> : IJob where T : unmanaged, INumber<T>
    {
        public byte* C;
        public T* Y, A, B;
        public BlockCut Cut;

        public readonly void Run(int chunk)
        {
            byte* bufferC = stackalloc byte[Block];
            T* bufferA = stackalloc T[Block], bufferB = stackalloc T[Block], bufferY = stackalloc T[Block];
            long sc = Cut.Grid.SA, sa = Cut.Grid.SB, sb = Cut.Grid.SC;
            for (var walk = Cut.Walk(chunk); walk.Left > 0; Cut.Next(ref walk))
            {
                byte* c = C + walk.Row.A + walk.First * sc;
                T* a = A + walk.Row.B + walk.First * sa, b = B + walk.Row.C + walk.First * sb, y = Y + walk.Output;
                long n = Cut.Length(walk.First);
                for (long i = 0; i < n; i += Block)
                {
                    int m = (int)Math.Min(Block, n - i);
                    T* target = m == Block ? y + i : bufferY;
                    Choose(target, Source(c, i, sc, m, bufferC), Source(a, i, sa, m, bufferA), Source(b, i, sb, m, bufferB));
                    if (m != Block)
                        Unsafe.CopyBlockUnaligned(y + i, bufferY, (uint)(m * sizeof(T)));
                }
            }
        }
    }

    // 64 readable elements from position i on: in place, or copied into the buffer (whose rest is left as it is). A broadcast element
    // fills it once, at the start of its part.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static T* Source<T>(T* x, long i, long stride, int m, T* buffer) where T : unmanaged
    {
        if (stride == 1 && m == Block)
            return x + i;
        if (stride == 0)
        {
            if (i == 0)
                new Span<T>(buffer, Block).Fill(*x);
            return buffer;
        }
        x += i * stride;
        for (int k = 0; k < m; k++)
            buffer[k] = x[k * stride];
        return buffer;
    }

    // 64 truth values as bytes 0 and 1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Truth<T, F>(T* a, T* b) where T : unmanaged, INumber<T> where F : struct, ICompareFn
    {
        int w = Vector512<T>.Count;
        Vector512<byte> bytes;
        if (sizeof(T) == 1)
        {
            bytes = Mask<T, F>(a, b).AsByte();
        }
        else if (sizeof(T) == 4)
        {
            var low = Vector512.Narrow(Mask<T, F>(a, b).AsUInt32(), Mask<T, F>(a + w, b + w).AsUInt32());
            var high = Vector512.Narrow(Mask<T, F>(a + 2 * w, b + 2 * w).AsUInt32(), Mask<T, F>(a + 3 * w, b + 3 * w).AsUInt32());
            bytes = Vector512.Narrow(low, high);
        }
        else
        {
            bytes = Vector512.Narrow(Vector512.Narrow(Pair<T, F>(a, b), Pair<T, F>(a + 2 * w, b + 2 * w)), Vector512.Narrow(Pair<T, F>(a + 4 * w, b + 4 * w), Pair<T, F>(a + 6 * w, b + 6 * w)));
        }
        return bytes & Vector512<byte>.One;
    }

    private static Vector512<T> Mask<T, F>(T* a, T* b) where T : unmanaged, INumber<T> where F : struct, ICompareFn =>
        F.Invoke(Vector512.Load(a), Vector512.Load(b));

    private static Vector512<uint> Pair<T, F>(T* a, T* b) where T : unmanaged, INumber<T> where F : struct, ICompareFn =>
        Vector512.Narrow(Mask<T, F>(a, b).AsUInt64(), Mask<T, F>(a + 8, b + 8).AsUInt64());

    // 64 elements y = c ? a : b.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Choose<T>(T* y, byte* c, T* a, T* b) where T : unmanaged, INumber<T>
    {
        var bytes = Vector512.Load(c);
        if (sizeof(T) == 1)
        {
            Pick(y, a, b, bytes.As<byte, T>());
            return;
        }
        var (low, high) = Vector512.Widen(bytes);
        Quarter(y, a, b, low);
        Quarter(y + 32, a + 32, b + 32, high);
    }

    // 32 elements, whose truth values have become 16 bits wide.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quarter<T>(T* y, T* a, T* b, Vector512<ushort> c) where T : unmanaged, INumber<T>
    {
        var (low, high) = Vector512.Widen(c);
        if (sizeof(T) == 4)
        {
            Pick(y, a, b, low.As<uint, T>());
            Pick(y + 16, a + 16, b + 16, high.As<uint, T>());
            return;
        }
        var (c0, c1) = Vector512.Widen(low);
        var (c2, c3) = Vector512.Widen(high);
        Pick(y, a, b, c0.As<ulong, T>());
        Pick(y + 8, a + 8, b + 8, c1.As<ulong, T>());
        Pick(y + 16, a + 16, b + 16, c2.As<ulong, T>());
        Pick(y + 24, a + 24, b + 24, c3.As<ulong, T>());
    }

    private static void Pick<T>(T* y, T* a, T* b, Vector512<T> c) where T : unmanaged, INumber<T> =>
        Vector512.ConditionalSelect(Vector512.Equals(c, Vector512<T>.Zero), Vector512.Load(b), Vector512.Load(a)).Store(y);
}
