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

    /// <summary>Operations per element: those of the map and of the combination.</summary>
    public int Flops => OpCost.FlopsOf(Cuda.Pre) + OpCost.FlopsOf(Cuda.Combine);

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
        if (!Kernel.TakesIntegers)
            Check.Float(x, Name);
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
        Span<long> withOnes = stackalloc long[Shape.MaxRank], kept = stackalloc long[Shape.MaxRank];
        int keptRank = 0;
        for (int d = 0; d < x.Rank; d++)
        {
            withOnes[d] = reduced[d] ? 1 : x.Layout.Dims[d];
            if (!reduced[d])
                kept[keptRank++] = x.Layout.Dims[d];
            else if (x.Layout.Dims[d] == 0)
                Check.That(TakesEmpty, Name, $"dim {d} has no elements and {Name} of nothing has no value; input = {x.Describe()}.");
        }
        Layout ones = Layout.Of(withOnes[..x.Rank]), y0 = keepDim ? ones : Layout.Of(kept[..keptRank]);
        var y = Tensor.Allocate(y0, x.DType, x.Device);
        if (ambient.Watch == Watch.None)
        {
            Kernel.Run(y, x, reduced);
        }
        else
        {
            var mask = reduced.ToArray();
            Watched(ambient, () => Kernel.Run(y, x, mask), [x], y, swapped: null, OpCost.Of(Flops * x.Count, new Inputs([x]), new Outputs([y])));
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

    /// <summary>The largest element; NaN wins; elements that tie for it share the gradient evenly. Of nothing it has no value.</summary>
    public static readonly ReduceOp Max = new("max", new ReduceKernel<MaxFn>("max", ("x", "a != a || a > b ? a : b", "a", "nat_lowest<T>()")),
        (g, x, y) => g * Reductions.Share(x, y), savesX: true, savesY: true)
    {
        Reference = MaxFn.Reference,
        Start = double.NegativeInfinity,
        TakesEmpty = false,
    };

    /// <summary>The smallest element; NaN wins; elements that tie for it share the gradient evenly. Of nothing it has no value.</summary>
    public static readonly ReduceOp Min = new("min", new ReduceKernel<MinFn>("min", ("x", "a != a || a < b ? a : b", "a", "nat_highest<T>()")),
        (g, x, y) => g * Reductions.Share(x, y), savesX: true, savesY: true)
    {
        Reference = MinFn.Reference,
        Start = double.PositiveInfinity,
        TakesEmpty = false,
    };

    /// <summary>Product, 1 of nothing. Its gradient multiplies the other elements and never divides, so zeros are no special case.</summary>
    public static readonly ReduceOp Prod = new("prod", new ReduceKernel<ProdFn>("prod", ("x", "a * b", "a", "T(1)")),
        (g, x, y) => Reductions.OtherElements(x, y) is { } others ? g * others : g, savesX: true, savesY: true)
    {
        // Close to 1, so that seventy factors stay near it.
        Reference = ProdFn.Reference,
        Start = 1,
        Domain = new(0.8, 1.25),
    };

    /// <summary>
    /// Euclidean length. A row of its own because its gradient x / |x| is taken as 0 at 0, where a composite with sqrt would give NaN.
    /// </summary>
    public static readonly ReduceOp Norm = new("norm", new ReduceKernel<NormFn>("norm", ("x * x", "a + b", "sqrt(a)", "T(0)"), integers: false),
        (g, x, y) => g * DivNoNan!.Apply(x, y), savesX: true, savesY: true)
    {
        Reference = NormFn.Reference,
        Domain = new(0.2, 2),
    };

    /// <summary>a / b, but 0 where b is 0.</summary>
    public static readonly BinaryOp DivNoNan = Define<DivNoNanFn>("div_no_nan", cuda: "b == T(0) ? T(0) : a / b",
        vjpA: (g, _, b, _) => DivNoNan!.Apply(g, b),
        vjpB: (g, _, b, y) => -(g * DivNoNan!.Apply(y, b)),
        [new(-2, 2), new(0.5, 2)]);

    /// <summary>1 where a equals b, else 0. Piecewise constant: its derivatives are 0.</summary>
    public static readonly BinaryOp Same = Define<SameFn>("same", cuda: "a == b ? T(1) : T(0)",
        vjpA: (_, _, _, _) => null,
        vjpB: (_, _, _, _) => null,
        [new(-2, -0.1), new(0.1, 2)]);

    private readonly struct SumFn : IReduceFn
    {
        public static T Identity<T>() where T : unmanaged, INumber<T> => T.Zero;

        public static Vector512<T> Pre<T>(Vector512<T> x) where T : unmanaged, INumber<T> => x;

        public static Vector512<T> Combine<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => a + b;

        public static double Reference(double sum, double x) => sum + x;
    }

    private readonly struct MaxFn : IReduceFn
    {
        // Saturating -inf gives an integer's smallest value.
        public static T Identity<T>() where T : unmanaged, INumber<T> => T.CreateSaturating(double.NegativeInfinity);

        public static Vector512<T> Pre<T>(Vector512<T> x) where T : unmanaged, INumber<T> => x;

        public static Vector512<T> Combine<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> =>
            Vector512.ConditionalSelect(Vector512.GreaterThan(a, b) | ~Vector512.Equals(a, a), a, b);

        public static double Reference(double best, double x) => double.IsNaN(best) || best > x ? best : x;
    }

    private readonly struct MinFn : IReduceFn
    {
        public static T Identity<T>() where T : unmanaged, INumber<T> => T.CreateSaturating(double.PositiveInfinity);

        public static Vector512<T> Pre<T>(Vector512<T> x) where T : unmanaged, INumber<T> => x;

        public static Vector512<T> Combine<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> =>
            Vector512.ConditionalSelect(Vector512.LessThan(a, b) | ~Vector512.Equals(a, a), a, b);

        public static double Reference(double best, double x) => double.IsNaN(best) || best < x ? best : x;
    }

    private readonly struct ProdFn : IReduceFn
    {
        public static T Identity<T>() where T : unmanaged, INumber<T> => T.One;

        public static Vector512<T> Pre<T>(Vector512<T> x) where T : unmanaged, INumber<T> => x;

        public static Vector512<T> Combine<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => a * b;

        public static double Reference(double product, double x) => product * x;
    }

    private readonly struct NormFn : IReduceFn
    {
        public static T Identity<T>() where T : unmanaged, INumber<T> => T.Zero;

        public static Vector512<T> Pre<T>(Vector512<T> x) where T : unmanaged, INumber<T> => x * x;

        public static Vector512<T> Combine<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => a + b;

        public static T Post<T>(T total) where T : unmanaged, INumber<T> => Vector512.Sqrt(Vector512.CreateScalar(total)).ToScalar();

        public static double Reference(double length, double x) => Math.Sqrt(length * length + x * x);
    }

    private readonly struct DivNoNanFn : IBinaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> =>
            Vector512.ConditionalSelect(Vector512.Equals(b, Vector512<T>.Zero), Vector512<T>.Zero, a / b);

        public static double Reference(double a, double b) => b == 0 ? 0 : a / b;
    }

    private readonly struct SameFn : IBinaryFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> a, Vector512<T> b) where T : unmanaged, INumber<T> => Vector512.Equals(a, b) & Vector512<T>.One;

        public static double Reference(double a, double b) => a == b ? 1 : 0;
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

    /// <summary>What each element of x gets of the gradient of the extreme y: an even share among those that equal it.</summary>
    public static Tensor Share(Tensor x, Tensor y)
    {
        var tie = Ops.Same.Apply(x, y);
        return tie / SumTo(tie, y.Shape);
    }

    /// <summary>For each element of x the product of the others that y (x's dims, 1 where reduced) was made of; null when there are none.</summary>
    public static Tensor? OtherElements(Tensor x, Tensor y)
    {
        var order = new List<int>();
        for (int d = 0; d < x.Rank; d++)
            if (y.Layout.Dims[d] == x.Layout.Dims[d])
                order.Add(d);
        int kept = order.Count;
        for (int d = 0; d < x.Rank; d++)
            if (y.Layout.Dims[d] != x.Layout.Dims[d])
                order.Add(d);
        if (kept == x.Rank)
            return null;
        if (kept == x.Rank - 1)
            return new ProdOfOthersOp(order[^1]).Apply(x);
        // Several dims: bring them to the back, treat them as one, and undo both.
        var moved = x.Permute(order.ToArray());
        var flat = moved.Reshape([.. moved.Shape.Span[..kept], Shape.Product(moved.Shape.Span[kept..])]);
        var back = new int[order.Count];
        for (int i = 0; i < back.Length; i++)
            back[order[i]] = i;
        return new ProdOfOthersOp(kept).Apply(flat).Reshape(moved.Shape).Permute(back);
    }
}
