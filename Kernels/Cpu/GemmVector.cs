using System.Runtime.CompilerServices;

namespace Native;

/// <content>Matrix times vector: bound by memory, so the one aim is to read the matrix once, along its rows.</content>
internal static unsafe partial class GemmDriver<T, TVec, TLanes>
{
    /// <summary>Columns of one pass: the part of y that stays in the first-level cache, and a run that memory delivers well.</summary>
    private const int RowBlock = 1024;

    /// <summary>One column: the transposed product, whose operands and result are rows and need no rearranging.</summary>
    private static void RunColumn(Product<T> p)
    {
        T* x = p.TransB ? p.B : Gather(Scratch.Slot.GemmVector, p.B, p.Ldb, p.K);
        T* y = p.Ldc == 1 || p.M == 1 ? p.C : Gather(Scratch.Slot.GemmColumn, p.C, p.Ldc, p.M);
        Multiply(new(false, !p.TransA, 1, p.M, p.K, x, p.K, p.A, p.Lda, y, p.M, p.Accumulate));
        for (nint i = 0; y != p.C && i < p.M; i++)
            p.C[i * p.Ldc] = y[i];
    }

    /// <summary>The elements <paramref name="step"/> apart as neighbours: where they are if they are, else copied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static T* Gather(Scratch.Slot slot, T* source, nint step, nint count)
    {
        if (step == 1)
            return source;
        T* dest = Scratch.Get<T>(slot, count);
        for (nint i = 0; i < count; i++)
            dest[i] = source[i * step];
        return dest;
    }

    /// <summary>y[n] = (accumulate ? y : 0) + x[k] B[k,n]: rows of B are added to y, eight at a time.</summary>
    private static void RunRow(Product<T> p)
    {
        long most = Math.Max(1, p.N / (4 * TLanes.Count));
        RowJob job = new() { P = p, Chunks = (int)Math.Min(most, Workers.Chunks((long)p.N * p.K, GemmDriver.Grain)) };
        Workers.Run(job.Chunks, ref job);
    }

    private struct RowJob : IJob
    {
        public Product<T> P;
        public int Chunks;

        public readonly void Run(int chunk)
        {
            // Chunks begin at whole vectors; the last takes the rest.
            nint vectors = P.N / TLanes.Count;
            nint column = RowStart(vectors, Chunks, chunk) * TLanes.Count;
            nint end = chunk == Chunks - 1 ? P.N : RowStart(vectors, Chunks, chunk + 1) * TLanes.Count;
            for (; column < end; column += RowBlock)
            {
                nint columns = Math.Min(RowBlock, end - column);
                if (!P.Accumulate)
                    new Span<T>(P.C + column, (int)columns).Clear();
                AddRows(columns, P.K, P.A, P.B + column, P.Ldb, P.C + column);
            }
        }
    }

    private static void AddRows(nint columns, nint k, T* x, T* b, nint ldb, T* y)
    {
        nint p = 0;
        for (; p + 8 <= k; p += 8)
            GemmKernels<T, TVec, TLanes>.AddRows<N8>(columns, x + p, b + (p * ldb), ldb, y);
        for (; p < k; p++)
            GemmKernels<T, TVec, TLanes>.AddRows<N1>(columns, x + p, b + (p * ldb), ldb, y);
    }
}
