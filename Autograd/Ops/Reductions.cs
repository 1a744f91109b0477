using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>A reduction over any set of dims. One row: kernel, vjp, samples.</summary>
public sealed class ReduceOp : Op
{
    private readonly Func<Tensor, Tensor, Tensor, Tensor> _vjp;
    private readonly bool _savesX, _savesY;

    internal ReduceOp(string name, ReduceKernel kernel, Func<Tensor, Tensor, Tensor, Tensor> vjp, bool savesX, bool savesY) : base(name)
    {
        Kernel = kernel;
        (_vjp, _savesX, _savesY) = (vjp, savesX, savesY);
    }

    internal ReduceKernel Kernel { get; }

    /// <summary>The CUDA text: pre-map, combination, post-map, identity.</summary>
    public (string Pre, string Combine, string Post, string Identity) Cuda => Kernel.Cuda;

    /// <summary>Where the generated tests draw inputs from.</summary>
    internal SampleDomain Domain { get; init; } = new(-2, 2);

    internal Func<double, double, double> Reference { get; init; } = (_, _) => double.NaN;

    internal double Start { get; init; }

    /// <summary>Whether an empty reduction has a value (its identity).</summary>
    internal bool TakesEmpty { get; init; } = true;

    /// <summary>
    /// Reduces over <paramref name="dims"/> (all when empty; negative ones count from the end). With <paramref name="keepDim"/> reduced dims stay
    /// with size 1.
    /// </summary>
    public Tensor Apply(Tensor x, ReadOnlySpan<int> dims = default, bool keepDim = false)
    {
        var ambient = Ambient.Current;
        x.CheckAlive(Name);
        if (x.DType is DType.Bool or DType.U8)
            throw new DTypeException($"{Name}: needs f32, f64, i32 or i64; input = {x.Describe()}. Convert it with .To(DType.I64) or .To(DType.F32).");
        Span<bool> reduced = stackalloc bool[Shape.MaxRank];
        reduced = reduced[..x.Rank];
        reduced.Fill(dims.IsEmpty);
        foreach (int dim in dims)
        {
            int d = Check.Dim(dim, x.Rank, x, Name);
            Check.That(!reduced[d], Name, $"dim {dim} is named twice; input = {x.Describe()}.");
            reduced[d] = true;
        }
        var kept = new List<long>(x.Rank);
        var withOnes = new long[x.Rank];
        for (int d = 0; d < x.Rank; d++)
        {
            withOnes[d] = reduced[d] ? 1 : x.Layout.Dims[d];
            if (!reduced[d])
                kept.Add(x.Layout.Dims[d]);
            else if (x.Layout.Dims[d] == 0)
                Check.That(TakesEmpty, Name, $"dim {d} has no elements and {Name} of nothing has no value; input = {x.Describe()}.");
        }
        Layout ones = Layout.Of(withOnes), y0 = keepDim ? ones : Layout.Of(kept.ToArray());
        var y = Tensor.Allocate(y0, x.DType, x.Device);
        if (ambient.Watch == Watch.None)
        {
            Kernel.Run(y, x, reduced);
        }
        else
        {
            var mask = reduced.ToArray();
            Watched(ambient, () => Kernel.Run(y, x, mask), [x], y);
        }
        GC.KeepAlive(x);
        if (ambient.Recording && x.Node is { } node && x.DType.IsFloat())
            y.Node = node.Differentiable ? new ReduceNode(this, ambient, x, _savesX, _savesY ? y : null, ones) : node;
        return y;
    }

    internal override void Propagate(OpNode node, Engine engine)
    {
        var n = (ReduceNode)node;
        // The gradient and the output come back with size-1 dims where they were reduced, so that formulas broadcast.
        engine.Send(node, 0, _vjp(n.Grad!.Reshape(n.Kept.Shape).Expand(n.Whole.Shape), _savesX ? n.SavedInput(0) : null!, _savesY ? n.SavedOutput(0).Reshape(n.Kept.Shape) : null!));
    }

    /// <summary>Remembers the geometry besides the saved tensors.</summary>
    private sealed class ReduceNode(Op op, Ambient ambient, Tensor x, bool saveX, Tensor? y, Layout kept) : SmallNode(op, ambient, x, saveX, y)
    {
        public Layout Kept => kept;

        public Layout Whole { get; } = x.Layout;
    }
}

/// <summary>Rows of reductions. Order of combination depends on the shape only.</summary>
public static partial class Ops
{
    /// <summary>Sum.</summary>
    public static readonly ReduceOp Sum = new("sum", new ReduceKernel<SumFn>("sum", ("x", "a + b", "a", "T(0)")), (g, _, _) => g, savesX: false, savesY: false)
    {
        Reference = SumFn.Reference,
    };

    private readonly struct SumFn : IReduceFn
    {
        public static T Identity<T>() where T : unmanaged, INumber<T> => T.Zero;

        public static Vector512<T> Pre<T>(Vector512<T> x) where T : unmanaged, INumber<T> => x;

        public static Vector512<T> Combine<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => a + b;

        public static double Reference(double sum, double x) => sum + x;
    }
}

/// <summary>Reductions that others are made of.</summary>
internal static class Reductions
{
    /// <summary>Undoes broadcasting: sums x over the dims in which <paramref name="shape"/> is 1 or absent.</summary>
    public static Tensor SumTo(Tensor x, Shape shape)
    {
        if (x.Shape == shape)
            return x;
        int lead = x.Rank - shape.Rank;
        var dims = new List<int>();
        for (int d = 0; d < x.Rank; d++)
            if (d < lead || (shape.Span[d - lead] == 1 && x.Layout.Dims[d] != 1))
                dims.Add(d);
        if (dims.Count == 0)
            return x.Reshape(shape);
        return Ops.Sum.Apply(x, dims.ToArray(), keepDim: true).Reshape(shape);
    }
}
