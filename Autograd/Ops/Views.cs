namespace Native;

/// <summary>
/// An operation that only changes geometry: the result shares the input's storage. The instance holds the parameters of one
/// application; its backward is again views, scatters or sums.
/// </summary>
public abstract class ViewOp(string name) : Op(name)
{
    /// <summary>What any of them takes.</summary>
    internal static OpCost Cost { get; } = new(0, 0, "changes the geometry, touches no element");

    /// <summary>The result's layout over the input's storage; checks parameters.</summary>
    private protected abstract Layout View(Tensor x);

    /// <summary>The gradient of an input that had the given layout.</summary>
    private protected abstract Tensor Backward(Tensor g, Layout input);

    /// <summary>Applies the view.</summary>
    public Tensor Apply(Tensor x)
    {
        x.CheckAlive(Name);
        var y = x.View(View(x));
        var ambient = Ambient.Current;
        if (ambient.Recording && x.Node is { } node)
            y.Node = node.Differentiable ? new ViewNode(this, ambient, x) : node;
        return y;
    }

    internal override void Propagate(OpNode node, Engine engine) => engine.Send(node, 0, Backward(node.Grad!, ((ViewNode)node).Input));

    private sealed class ViewNode(Op op, Ambient ambient, Tensor x) : SmallNode(op, ambient, x, saveX: false, y: null)
    {
        public Layout Input { get; } = x.Layout;
    }
}

/// <summary>The same elements in the same order under other dims; the layout has been found to be a view of the input's.</summary>
internal sealed class ReshapeOp(Layout layout) : ViewOp("reshape")
{
    private protected override Layout View(Tensor x) => layout;

    private protected override Tensor Backward(Tensor g, Layout input) => g.Reshape(input.Dims);

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("split and merge", x => [x[0].Reshape(3, 2, 2)], new SampleInput([2, 6])) { Reference = x => [x[0]] };
        yield return new("to scalar", x => [x[0].Reshape()], new SampleInput([1, 1])) { Reference = x => [x[0]] };
        yield return new("empty", x => [x[0].Reshape(0, 3, 2)], new SampleInput([0, 6])) { Reference = x => [x[0]], Orders = 0 };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("count", () => Tensor.Zeros([2, 3]).Reshape(4, 2), "reshape: shape [4,2] has 8 elements, f32[2,3]@cpu has 6.");
        yield return new("two unknown", () => Tensor.Zeros([2, 3]).Reshape(-1, -1), "only one dim may be -1");
        yield return new("not divisible", () => Tensor.Zeros([2, 3]).Reshape(4, -1), "cannot infer dim 1 of [4,-1]");
        yield return new("any size would do", () => Tensor.Zeros([0, 6]).Reshape(0, -1), "cannot infer dim 1 of [0,-1]");
    }
}

internal sealed class PermuteOp(int[] order) : ViewOp("permute")
{
    private protected override Layout View(Tensor x) => x.Layout.Permute(order);

    private protected override Tensor Backward(Tensor g, Layout input)
    {
        var inverse = new int[order.Length];
        for (int i = 0; i < order.Length; i++)
            inverse[order[i]] = i;
        return new PermuteOp(inverse).Apply(g);
    }

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("transpose", x => [x[0].T], new SampleInput([3, 4])) { Reference = x => [Reorder(x[0], [3, 4], [1, 0])] };
        yield return new("rotate", x => [x[0].Permute(2, 0, 1)], new SampleInput([2, 3, 4])) { Reference = x => [Reorder(x[0], [2, 3, 4], [2, 0, 1])] };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("twice", () => Tensor.Zeros([2, 3]).Permute(0, 0), "permute: dim 0 is named twice for f32[2,3]@cpu");
        yield return new("count", () => Tensor.Zeros([2, 3]).Permute(0), "permute: 1 dims named for f32[2,3]@cpu, which has 2");
        yield return new("scalar", () => _ = Tensor.Zeros([3]).T, "transpose: T needs at least two dims");
    }

    private static double[] Reorder(double[] x, long[] dims, int[] order)
    {
        var y = new double[x.Length];
        var target = Layout.Of(dims).Permute(order);
        var walk = new LayoutWalk(target);
        for (int i = 0; walk.Next(out long at); i++)
            y[i] = x[at];
        return y;
    }
}

/// <summary>The matrix transpose: exchanges the last two dims. Its own adjoint.</summary>
internal sealed class SwapLastOp() : ViewOp("transpose")
{
    public static readonly SwapLastOp Instance = new();

    private protected override Layout View(Tensor x) => x.Layout.SwapLast();

    private protected override Tensor Backward(Tensor g, Layout input) => Apply(g);

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("matrix", x => [x[0].T], new SampleInput([2, 3])) { Reference = x => [[x[0][0], x[0][3], x[0][1], x[0][4], x[0][2], x[0][5]]] };
        yield return new("batch", x => [x[0].T], new SampleInput([2, 2, 2])) { Reference = x => [[x[0][0], x[0][2], x[0][1], x[0][3], x[0][4], x[0][6], x[0][5], x[0][7]]] };
    }
}

internal sealed class ExpandOp(Shape shape) : ViewOp("expand")
{
    private protected override Layout View(Tensor x) =>
        x.Layout.Expand(shape) ?? throw new ShapeException($"expand: {x.Describe()} does not stretch to {shape}; only dims of size 1 stretch.");

    private protected override Tensor Backward(Tensor g, Layout input) => Reductions.SumTo(g, input.Shape);

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("rows", x => [x[0].Expand([2, 3])], new SampleInput([3])) { Reference = x => [[.. x[0], .. x[0]]] };
        yield return new("columns", x => [x[0].Expand([2, 3])], new SampleInput([2, 1])) { Reference = x => [[x[0][0], x[0][0], x[0][0], x[0][1], x[0][1], x[0][1]]] };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("not one", () => Tensor.Zeros([2, 3]).Expand([4, 3]), "expand: f32[2,3]@cpu does not stretch to [4,3]");
    }
}

/// <summary>Copies into row-major order.</summary>
internal sealed class ContiguousOp() : StructuredOp("contiguous")
{
    public static readonly ContiguousOp Instance = new();

    public override OutputSpecs Infer(Inputs x) => [new(Layout.Of(x[0].Shape), x[0].DType)];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Moves(x, y);

    public override void Forward(Inputs x, Outputs y) => CopyKernels.Copy(x[0], y[0]);

    public override Tensor?[] Backward(Tensor g, Saved s) => [g];

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("copy", x => [x[0].Clone()], new SampleInput([2, 3])) { Reference = x => [x[0]] };
    }
}

/// <summary>Converts the element type.</summary>
internal sealed class CastOp(DType to, DType from) : StructuredOp("cast")
{
    public override string? NoDerivative => to.IsFloat() ? null : $"{to.Name()} output";

    public override OutputSpecs Infer(Inputs x) => [new(Layout.Of(x[0].Shape), to)];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Moves(x, y);

    public override void Forward(Inputs x, Outputs y) => CopyKernels.Cast(x[0], y[0]);

    public override Tensor?[] Backward(Tensor g, Saved s) => [new CastOp(from, to).Apply(g)];

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("to f64", x => [x[0].To(DType.F64)], new SampleInput([2, 3])) { Reference = x => [x[0]] };
        yield return new("to i32", x => [x[0].To(DType.I32)], new SampleInput([7]) { Kinks = [-1, 0, 1] }) { Reference = x => [[.. x[0].Select(Math.Truncate)]], Orders = 0 };
        yield return new("from i64", x => [x[0].To(DType.F32)], new SampleInput([7], -5, 5) { DType = DType.I64 }) { Reference = x => [x[0]], Orders = 0 };
        yield return new("to bool", x => [x[0].To(DType.Bool)], new SampleInput([3]) { DType = DType.I32, Values = [0, 2, -1] }) { Reference = _ => [[0, 1, 1]], Orders = 0 };
    }
}

/// <summary>The elements on another device, dense there. The only op whose result lives elsewhere than its input.</summary>
internal sealed class ToDeviceOp(Device to, Device from) : StructuredOp("to_device")
{
    public override string? NoDerivative => null;

    public override OutputSpecs Infer(Inputs x) => [new(Layout.Of(x[0].Shape), x[0].DType) { Device = to }];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Moves(x, y);

    public override void Forward(Inputs x, Outputs y) => CopyKernels.Move(x[0], y[0]);

    public override Tensor?[] Backward(Tensor g, Saved s) => [new ToDeviceOp(from, to).Apply(g)];

    internal static IEnumerable<Sample> Samples()
    {
        // Copies need no kernels, so the emulated device serves without a compiler.
        yield return new("there and back", x => [x[0].To(Device.Parse("emu:0")).To(Device.Cpu)], new SampleInput([2, 3])) { Reference = x => [x[0]] };
        yield return new("integers", x => [x[0].To(Device.Parse("emu:0")).To(Device.Cpu)], new SampleInput([7], -5, 5) { DType = DType.I64 }) { Reference = x => [x[0]], Orders = 0 };
    }
}

/// <summary>Geometry as methods of <see cref="Tensor"/>.</summary>
public static class TensorViews
{
    extension(Tensor x)
    {
        /// <summary>
        /// The same elements under another shape; one dim may be -1 and is inferred. A view when the strides allow, else a copy.
        /// </summary>
        public Tensor Reshape(params ReadOnlySpan<long> shape)
        {
            if (shape.SequenceEqual(x.Layout.Dims))
                return x;
            Span<long> dims = stackalloc long[shape.Length];
            InferShape(x, shape, dims);
            return x.Layout.Reshape(dims) is { } view ? new ReshapeOp(view).Apply(x) : new ReshapeOp(Layout.Of(dims)).Apply(x.Contiguous());
        }

        /// <summary>Reorders dims: result dim i is dim <c>order[i]</c>.</summary>
        public Tensor Permute(params ReadOnlySpan<int> order)
        {
            Check.That(order.Length == x.Rank, "permute", $"{order.Length} dims named for {x.Describe()}, which has {x.Rank}. Name each dim once.");
            var full = new int[order.Length];
            var seen = new bool[order.Length];
            for (int i = 0; i < order.Length; i++)
            {
                int d = Check.Dim(order[i], x.Rank, x, "permute");
                Check.That(!seen[d], "permute", $"dim {order[i]} is named twice for {x.Describe()}. Name each dim once.");
                seen[d] = true;
                full[i] = d;
            }
            return new PermuteOp(full).Apply(x);
        }

        /// <summary>Swaps two dims.</summary>
        public Tensor Transpose(int dim0, int dim1)
        {
            int a = Check.Dim(dim0, x.Rank, x, "transpose"), b = Check.Dim(dim1, x.Rank, x, "transpose");
            var order = Enumerable.Range(0, x.Rank).ToArray();
            (order[a], order[b]) = (order[b], order[a]);
            return new PermuteOp(order).Apply(x);
        }

        /// <summary>The matrix transpose: swaps the last two dims.</summary>
        public Tensor T => x.Rank < 2
            ? throw new ShapeException($"transpose: T needs at least two dims; input = {x.Describe()}.")
            : SwapLastOp.Instance.Apply(x);

        /// <summary>Stretches dims of size 1 (and adds leading ones) without copying. A size of -1 keeps the dim.</summary>
        public Tensor Expand(Shape shape) => shape == x.Shape ? x : new ExpandOp(shape).Apply(x);

        /// <summary>Row-major and without gaps: itself when it is already, else a copy.</summary>
        public Tensor Contiguous() => x.IsContiguous ? x : ContiguousOp.Instance.Apply(x);

        /// <summary>A fresh copy, recorded.</summary>
        public Tensor Clone() => ContiguousOp.Instance.Apply(x);

        /// <summary>The elements converted; itself when the dtype is already that one. Gradients flow between f32 and f64.</summary>
        public Tensor To(DType dtype) => x.DType == dtype ? x : new CastOp(dtype, x.DType).Apply(x);

        /// <summary>On another device; itself when it is already there.</summary>
        public Tensor To(Device device)
        {
            return ReferenceEquals(x.Device, device) ? x : new ToDeviceOp(device, x.Device).Apply(x);
        }
    }

    // The shape asked for, its -1 replaced by what makes the counts agree.
    private static void InferShape(Tensor x, ReadOnlySpan<long> shape, Span<long> dims)
    {
        shape.CopyTo(dims);
        int unknown = -1;
        long known = 1;
        for (int i = 0; i < dims.Length; i++)
        {
            if (dims[i] == -1)
            {
                Check.That(unknown < 0, "reshape", $"only one dim may be -1; shape = {Shape.Format(shape)}, input = {x.Describe()}.");
                unknown = i;
            }
            else
            {
                Check.That(dims[i] >= 0, "reshape", $"dims must not be negative; shape = {Shape.Format(shape)}, input = {x.Describe()}.");
                known = checked(known * dims[i]);
            }
        }
        if (unknown >= 0)
        {
            Check.That(known != 0 && x.Count % known == 0, "reshape", $"cannot infer dim {unknown} of {Shape.Format(shape)}; {x.Describe()} has {x.Count} elements, the other dims take {known}.");
            dims[unknown] = x.Count / known;
            known *= dims[unknown];
        }
        Check.That(known == x.Count, "reshape", $"shape {Shape.Format(shape)} has {known} elements, {x.Describe()} has {x.Count}.");
    }
}
