using System.Numerics;
using System.Text;

namespace Native;

/// <summary>
/// A reduction on a GPU: two kernels, one whose neighbouring threads walk along a line, one whose neighbouring threads take neighbouring lines.
/// Shape and strides decide which runs and in what order elements are combined; the device does not.
/// </summary>
internal sealed class ReduceCuda(KernelFamily family, string name)
{
    // Blocks that keep a large GPU busy, and rounds of a block below which cutting a line costs more than it gains.
    private const int Busy = 1024, Rounds = 8;

    private static readonly Dictionary<Type, Group> Groups = [];

    private readonly CudaKernel _inner = new(family, $"{name}_inner"), _outer = new(family, $"{name}_outer");

    /// <summary>The kernels of a row. Rows that one class declares are one program: when one of them exists, all do.</summary>
    public static ReduceCuda Of(ReduceKernel row, Type owner)
    {
        lock (Groups)
        {
            if (!Groups.TryGetValue(owner, out var group))
                Groups.Add(owner, group = new Group(owner));
            lock (group.Rows)
                group.Rows.Add(row);
            return new ReduceCuda(group.Family, $"reduce_{row.Name}");
        }
    }

    /// <summary>Combines the elements of x over the dims marked; y is dense, one element per line.</summary>
    /// <param name="y">The results.</param>
    /// <param name="x">Any layout.</param>
    /// <param name="reduced">A mark per dim of x.</param>
    /// <param name="partialSize">Bytes of what is combined: <c>sizeof(A)</c>.</param>
    public void Run(Tensor y, Tensor x, ReadOnlySpan<bool> reduced, int partialSize)
    {
        // A mask of dims, so that no layout is made for an operation that may run in every step.
        uint mask = 0;
        long outputs = 1, length = 1;
        for (int d = 0; d < x.Rank; d++)
        {
            if (reduced[d])
                (mask, length) = (mask | (1u << d), length * x.Layout.Dims[d]);
            else
                outputs *= x.Layout.Dims[d];
        }
        ReduceArgs args = new()
        {
            Y = Launch.At(y),
            X = Launch.At(x),
            Outputs = Launch.Int(outputs, name),
            Length = Launch.Int(length, name),
            Last = 1,
            Kept = new(x.Layout, mask),
            Gone = new(x.Layout, ~mask),
        };
        Launch.Int(x.Count, name);
        Run(y.Device, x.DType, ref args, partialSize);
    }

    private unsafe void Run(Device device, DType dtype, ref ReduceArgs args, int partialSize)
    {
        int pack = dtype.Size() == 8 ? 2 : 4;
        int turns = Math.Max(1, (args.Length + pack - 1) / pack), widest = Power(args.Outputs);
        bool inner = args.Outputs == 1 || Math.Abs(args.Gone.Strides[args.Gone.Rank - 1]) <= Math.Abs(args.Kept.Strides[args.Kept.Rank - 1]);
        // Along a line, long ones get the whole block; across lines, 32 neighbours are a full access, and fewer only if there are no more.
        args.Lanes = !inner ? Math.Min(Power(turns), Launch.Threads / Math.Min(32, widest))
            : turns > 8 * 32 ? Launch.Threads : Math.Min(Power(turns), 32);
        args.Packed = args.Partial == 0 && IsPacked(ref args, pack, dtype.Size()) ? 1 : 0;
        int perBlock = Launch.Threads / args.Lanes, blocks = (args.Outputs + perBlock - 1) / perBlock, round = args.Lanes * pack;
        int segments = args.Partial == 1 ? 1 : Math.Min((Busy + blocks - 1) / Math.Max(1, blocks), args.Length / (round * Rounds));
        if (segments <= 1)
        {
            args.Segment = args.Length;
            Launch.Run(device, inner ? _inner : _outer, dtype, CudaGrid.Of(blocks, Launch.Threads), args);
            return;
        }
        args.Segment = ((args.Length / segments / round) + 1) * round;
        segments = (args.Length + args.Segment - 1) / args.Segment;
        var parts = Tensor.Allocate(Layout.Of([(long)segments * args.Outputs * partialSize]), DType.U8, device);
        var first = args;
        (first.Y, first.Last) = (Launch.At(parts), 0);
        Launch.Run(device, inner ? _inner : _outer, dtype, CudaGrid.Of(blocks, Launch.Threads) with { BlocksY = segments }, first);
        args.Gone.Rank = args.Kept.Rank = 1;
        (args.Gone.Dims[0], args.Gone.Strides[0]) = (segments, args.Outputs);
        (args.Kept.Dims[0], args.Kept.Strides[0]) = (args.Outputs, 1);
        (args.X, args.Length, args.Partial) = (Launch.At(parts), segments, 1);
        Run(device, dtype, ref args, partialSize);
        Ambient.Current.Release(parts.Storage);
    }

    // Whether every pack of a line is one aligned access.
    private static unsafe bool IsPacked(ref ReduceArgs args, int pack, int size)
    {
        int last = args.Gone.Rank - 1, rest = args.Gone.Dims[last];
        for (int d = 0; d < last; d++)
            rest |= args.Gone.Strides[d];
        for (int d = 0; d < args.Kept.Rank; d++)
            rest |= args.Kept.Strides[d];
        return args.Gone.Strides[last] == 1 && rest % pack == 0 && args.X % (pack * size) == 0;
    }

    private static int Power(int n) => n > Launch.Threads ? Launch.Threads : (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(1, n));

    /// <summary>Rows of one class and their program.</summary>
    private sealed class Group
    {
        public Group(Type owner) =>
            Family = new($"reduce_{owner.Name.ToLowerInvariant()}", Text, DType.F32, DType.F64, DType.I32, DType.I64);

        public List<ReduceKernel> Rows { get; } = [];

        public KernelFamily Family { get; }

        private string Text(DType dtype)
        {
            var s = new StringBuilder(KernelFamily.Resource("limits.cuh")).Append(KernelFamily.Resource("reduce.cuh"));
            lock (Rows)
            {
                foreach (var row in Rows.Where(r => r.TakesIntegers || dtype.IsFloat()).OrderBy(r => r.Name, StringComparer.Ordinal))
                {
                    var (pre, combine, post, identity) = row.Cuda;
                    s.AppendLine($"REDUCTION({row.Name}, ({pre}), ({combine}), ({post}), ({identity}))");
                    s.AppendLine($"KERNEL_SYNC(reduce_{row.Name}_inner, ReduceArgs) {{ nat_reduce_inner<fn_{row.Name}>(args); }}");
                    s.AppendLine($"KERNEL_SYNC(reduce_{row.Name}_outer, ReduceArgs) {{ nat_reduce_outer<fn_{row.Name}>(args); }}");
                }
            }
            return s.ToString();
        }
    }

    private struct ReduceArgs
    {
        public nint Y, X;
        public int Outputs, Length, Segment, Lanes, Partial, Last, Packed;
        public Strided Kept, Gone;
    }
}
