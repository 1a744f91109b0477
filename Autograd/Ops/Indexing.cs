namespace Native;

/// <summary>Takes elements of one dim in the order of an index vector. Its adjoint is <see cref="IndexAddOp"/>.</summary>
internal sealed class IndexSelectOp(int dim) : StructuredOp("index_select")
{
    private Shape _shape;

    public override OutputSpecs Infer(Inputs x)
    {
        _shape = x[0].Shape;
        var dims = _shape.ToArray();
        dims[dim] = x[1].Count;
        return [new(Layout.Of(dims), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Picks(x[1], y);

    public override void Forward(Inputs x, Outputs y)
    {
        var source = x[0];
        GatherKernels.CheckRange(x[1], source.Layout.Dims[dim], "index_select", () => $"dim {dim} of {source.Describe()}");
        GatherKernels.IndexSelect(y[0], source, x[1], dim);
    }

    public override Saves SavesFor(Inputs x) => Saves.Input1;

    public override Tensor?[] Backward(Tensor g, Saved s) => [new IndexAddOp(dim, _shape).Apply(null, s.Input(1), g.Contiguous())];

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("rows, repeated", x => [x[0].TakeRows(x[1])], new([3, 2]), Positions.Of([4], 2, 0, 2, 1)) { Reference = x => [Pick(x[0], 4, 5, 0, 1, 4, 5, 2, 3)] };
        yield return new("columns", x => [x[0].IndexSelect(-1, x[1])], new([2, 3]), Positions.Of([2], 2, 0)) { Reference = x => [Pick(x[0], 2, 0, 5, 3)] };
        yield return new("middle", x => [x[0].IndexSelect(1, x[1])], new([2, 2, 2]), Positions.Of([1], 1)) { Reference = x => [Pick(x[0], 2, 3, 6, 7)] };
        yield return new("none", x => [x[0].TakeRows(x[1])], new([3, 2]), Positions.Of([0])) { Reference = _ => [[]] };
        yield return new("embedding", x => [Tensor.Embedding(x[0], x[1])], new([3, 2]), Positions.Of([2, 2], 2, 0, 0, 1)) { Reference = x => [Pick(x[0], 4, 5, 0, 1, 0, 1, 2, 3)] };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("range", () => Tensor.Zeros([5, 2]).TakeRows(Tensor.From(0L, 7L)), "index_select: index[1] = 7 is out of range; dim 0 of f32[5,2]@cpu has 5 elements. Use 0..4.");
        yield return new("negative", () => Tensor.Zeros([5, 2]).TakeRows(Tensor.From(-1L)), "index_select: index[0] = -1 is out of range");
        yield return new("dtype", () => Tensor.Zeros([5, 2]).TakeRows(Tensor.From(1)), "index_select: index must be i64; index = i32[1]@cpu.");
        yield return new("rank", () => Tensor.Zeros([5, 2]).TakeRows(Tensor.Zeros([1, 1], DType.I64)), "index_select: index must have 1 dims");
        yield return new("token", () => Tensor.Embedding(Tensor.Zeros([5, 2]), Tensor.From([1L, 2L, 3L, 9L], [2, 2])), "embedding: index[1,1] = 9 is out of range; dim 0 of f32[5,2]@cpu has 5 elements.");
    }

    private static double[] Pick(double[] x, params int[] at) => [.. at.Select(i => x[i])];
}

/// <summary>Adds the elements of a source along one dim to the places that an index vector names, in its order. Its adjoint is <see cref="IndexSelectOp"/>.</summary>
internal sealed class IndexAddOp(int dim, Shape shape) : StructuredOp("index_add")
{
    public override OutputSpecs Infer(Inputs x) => [new(Layout.Of(shape), x[2].DType)];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(x[2].Count, x, y);

    public override void Forward(Inputs x, Outputs y)
    {
        var target = y[0];
        GatherKernels.CheckRange(x[1], shape[dim], "index_add", () => $"dim {dim} of {target.Describe()}");
        GatherKernels.IndexAdd(target, x.Optional(0), x[1], x[2], dim);
    }

    public override Saves SavesFor(Inputs x) => Saves.Input1;

    public override Tensor?[] Backward(Tensor g, Saved s) =>
        [s.Needs(0) ? g : null, null, s.Needs(2) ? new IndexSelectOp(dim).Apply(g.Contiguous(), s.Input(1)) : null];

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("rows, repeated", x => [x[0].IndexAdd(0, x[1], x[2])], new([3, 2]), Positions.Of([3], 2, 0, 2), new([3, 2]))
        {
            Reference = x => [[x[0][0] + x[2][2], x[0][1] + x[2][3], x[0][2], x[0][3], x[0][4] + x[2][0] + x[2][4], x[0][5] + x[2][1] + x[2][5]]],
        };
        yield return new("columns", x => [x[0].IndexAdd(1, x[1], x[2])], new([2, 2]), Positions.Of([1], 1), new([2, 1]))
        {
            Reference = x => [[x[0][0], x[0][1] + x[2][0], x[0][2], x[0][3] + x[2][1]]],
        };
        yield return new("bags, sum", x => [Tensor.EmbeddingBag(x[0], x[1], x[2], BagMode.Sum)], new([3, 1]), Positions.Of([4], 2, 0, 2, 1), Positions.Of([3], 0, 3, 3))
        {
            Reference = x => [[x[0][2] + x[0][0] + x[0][2], 0, x[0][1]]],
        };
        yield return new("bags, mean", x => [Tensor.EmbeddingBag(x[0], x[1], x[2])], new([3, 1]), Positions.Of([4], 2, 0, 2, 1), Positions.Of([3], 0, 3, 3))
        {
            Reference = x => [[(x[0][2] + x[0][0] + x[0][2]) / 3, 0, x[0][1]]],
        };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        var x = Tensor.Zeros([5, 2]);
        yield return new("range", () => x.IndexAdd(0, Tensor.From(5L), Tensor.Zeros([1, 2])), "index_add: index[0] = 5 is out of range; dim 0 of f32[5,2]@cpu has 5 elements.");
        yield return new("source", () => x.IndexAdd(0, Tensor.From(1L), Tensor.Zeros([2, 2])), "index_add: source must have shape [1,2]; source = f32[2,2]@cpu.");
        yield return new("bool", () => Tensor.Zeros([2], DType.Bool).IndexAdd(0, Tensor.From(1L), Tensor.Zeros([1], DType.Bool)), "index_add: needs f32, f64, i32 or i64; input = bool[2]@cpu.");
        yield return new("offsets start", () => Tensor.EmbeddingBag(x, Tensor.From(1L), Tensor.From(1L)), "embedding_bag: offsets[0] must be 0, not 1");
        yield return new("offsets order", () => Tensor.EmbeddingBag(x, Tensor.From(1L, 2L), Tensor.From(0L, 2L, 1L)), "embedding_bag: offsets[2] = 1 is below the offset before it, 2.");
        yield return new("offsets end", () => Tensor.EmbeddingBag(x, Tensor.From(1L, 2L), Tensor.From(0L, 3L)), "embedding_bag: offsets[1] = 3 is beyond the 2 indices.");
    }
}

/// <summary>Takes from one dim the elements that an index tensor names, place by place. Its adjoint is <see cref="ScatterAddOp"/>.</summary>
internal sealed class GatherOp(int dim) : StructuredOp("gather")
{
    private Shape _shape;

    public override OutputSpecs Infer(Inputs x)
    {
        _shape = x[0].Shape;
        return [new(Layout.Of(x[1].Shape), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Picks(x[1], y);

    public override void Forward(Inputs x, Outputs y)
    {
        var source = x[0];
        GatherKernels.CheckRange(x[1], source.Layout.Dims[dim], "gather", () => $"dim {dim} of {source.Describe()}");
        GatherKernels.Gather(y[0], source, x[1], dim);
    }

    public override Saves SavesFor(Inputs x) => Saves.Input1;

    public override Tensor?[] Backward(Tensor g, Saved s) => [new ScatterAddOp(dim, _shape).Apply(null, s.Input(1), g.Contiguous())];

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("one per row", x => [x[0].Gather(1, x[1])], new([2, 3]), Positions.Of([2, 1], 2, 0)) { Reference = x => [[x[0][2], x[0][3]]] };
        yield return new("along rows, repeated", x => [x[0].Gather(0, x[1])], new([2, 2]), Positions.Of([3, 2], 0, 1, 1, 1, 1, 0))
        {
            Reference = x => [[x[0][0], x[0][3], x[0][2], x[0][3], x[0][2], x[0][1]]],
        };
        yield return new("smaller index", x => [x[0].Gather(0, x[1])], new([2, 3]), Positions.Of([1, 2], 1, 0)) { Reference = x => [[x[0][3], x[0][1]]] };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("range", () => Tensor.Zeros([2, 3]).Gather(1, Tensor.From([0L, 1L, 2L, 3L], [2, 2])), "gather: index[1,1] = 3 is out of range; dim 1 of f32[2,3]@cpu has 3 elements. Use 0..2.");
        yield return new("rank", () => Tensor.Zeros([2, 3]).Gather(1, Tensor.From(0L)), "gather: index must have 2 dims");
        yield return new("larger index", () => Tensor.Zeros([2, 3]).Gather(1, Tensor.Zeros([3, 1], DType.I64)), "gather: dim 0 of index is larger than that of the input; index = i64[3,1]@cpu, input = f32[2,3]@cpu.");
    }
}

/// <summary>Adds a source, place by place, to the elements of one dim that an index tensor names. Its adjoint is <see cref="GatherOp"/>.</summary>
internal sealed class ScatterAddOp(int dim, Shape shape) : StructuredOp("scatter_add")
{
    public override OutputSpecs Infer(Inputs x) => [new(Layout.Of(shape), x[2].DType)];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(x[2].Count, x, y);

    public override void Forward(Inputs x, Outputs y)
    {
        var target = y[0];
        GatherKernels.CheckRange(x[1], shape[dim], "scatter_add", () => $"dim {dim} of {target.Describe()}");
        GatherKernels.ScatterAdd(target, x.Optional(0), x[1], x[2], dim);
    }

    public override Saves SavesFor(Inputs x) => Saves.Input1;

    public override Tensor?[] Backward(Tensor g, Saved s) =>
        [s.Needs(0) ? g : null, null, s.Needs(2) ? new GatherOp(dim).Apply(g.Contiguous(), s.Input(1)) : null];

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("along columns", x => [x[0].ScatterAdd(1, x[1], x[2])], new([2, 2]), Positions.Of([2, 3], 1, 0, 1, 0, 0, 0), new([2, 3]))
        {
            Reference = x => [[x[0][0] + x[2][1], x[0][1] + x[2][0] + x[2][2], x[0][2] + x[2][3] + x[2][4] + x[2][5], x[0][3]]],
        };
        yield return new("smaller index", x => [x[0].ScatterAdd(0, x[1], x[2])], new([2, 2]), Positions.Of([1, 1], 1), new([2, 2]))
        {
            Reference = x => [[x[0][0], x[0][1], x[0][2] + x[2][0], x[0][3]]],
        };
        yield return new("vector", x => [x[0].ScatterAdd(0, x[1], x[2])], new([3]), Positions.Of([4], 2, 2, 0, 2), new([4]))
        {
            Reference = x => [[x[0][0] + x[2][2], x[0][1], x[0][2] + x[2][0] + x[2][1] + x[2][3]]],
        };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        var x = Tensor.Zeros([2, 3]);
        yield return new("range", () => x.ScatterAdd(1, Tensor.From([0L, -2L], [2, 1]), Tensor.Zeros([2, 1])), "scatter_add: index[1,0] = -2 is out of range; dim 1 of f32[2,3]@cpu has 3 elements.");
        yield return new("source", () => x.ScatterAdd(1, Tensor.From([0L, 1L], [2, 1]), Tensor.Zeros([1, 1])), "scatter_add: dim 0 of index is larger than that of the source");
        yield return new("dtype", () => x.ScatterAdd(1, Tensor.From([0L, 1L], [2, 1]), Tensor.Zeros([2, 1], DType.F64)), "scatter_add: operands have different dtypes; input = f32[2,3]@cpu, source = f64[2,1]@cpu");
    }
}

/// <summary>Index inputs of samples.</summary>
file static class Positions
{
    public static SampleInput Of(Shape shape, params double[] values) => new(shape) { DType = DType.I64, Values = values };
}

/// <summary>How <c>EmbeddingBag</c> joins the rows of a bag.</summary>
public enum BagMode
{
    /// <summary>Their mean.</summary>
    Mean,

    /// <summary>Their sum.</summary>
    Sum,
}

/// <summary>Indexing by tensors of positions (i64, from 0; negative ones are errors). Gradients of any order flow to values, none to positions.</summary>
public static class TensorIndexing
{
    extension(Tensor x)
    {
        /// <summary>The elements of one dim at the positions of an index vector, in its order: <c>y[o, j, i] = x[o, index[j], i]</c>.</summary>
        public Tensor IndexSelect(int dim, Tensor index)
        {
            int d = Check.Dim(dim, x.Rank, x, "index_select");
            CheckVector(index, "index_select", "index");
            return new IndexSelectOp(d).Apply(x.Contiguous(), index.Contiguous());
        }

        /// <summary>Rows by number: <see cref="IndexSelect(Tensor, int, Tensor)"/> along dim 0.</summary>
        public Tensor TakeRows(Tensor index) => x.IndexSelect(0, index);

        /// <summary>A copy of x to which the elements of <paramref name="source"/> along one dim are added where the index vector says, in its order.</summary>
        public Tensor IndexAdd(int dim, Tensor index, Tensor source)
        {
            int d = Check.Dim(dim, x.Rank, x, "index_add");
            CheckVector(index, "index_add", "index");
            CheckSum(x, source, "index_add");
            var want = x.Shape.ToArray();
            want[d] = index.Count;
            Check.ShapeIs(source, want, "index_add", "source");
            return new IndexAddOp(d, x.Shape).Apply(x, index.Contiguous(), source.Contiguous());
        }

        /// <summary>
        /// <c>y[o, j, i] = x[o, index[o, j, i], i]</c>, where the middle stands for <paramref name="dim"/>. The index has x's rank; in other dims it
        /// may be smaller, and then leaves the rest of x out. The result has the index's shape.
        /// </summary>
        public Tensor Gather(int dim, Tensor index)
        {
            int d = Check.Dim(dim, x.Rank, x, "gather");
            Check.DTypeIs(index, DType.I64, "gather", "index");
            return new GatherOp(d).Apply(CropTo(x, index, d, "gather", "input").Contiguous(), index.Contiguous());
        }

        /// <summary>
        /// A copy of x with <c>y[o, index[o, j, i], i] += source[o, j, i]</c>, in the order of j. The index has x's rank; in dims other than
        /// <paramref name="dim"/> it may be smaller than x, and everywhere smaller than the source.
        /// </summary>
        public Tensor ScatterAdd(int dim, Tensor index, Tensor source)
        {
            int d = Check.Dim(dim, x.Rank, x, "scatter_add");
            Check.DTypeIs(index, DType.I64, "scatter_add", "index");
            CheckSum(x, source, "scatter_add");
            var part = CropTo(source, index, -1, "scatter_add", "source").Contiguous();
            var touched = CropTo(x, index, d, "scatter_add", "input");
            if (touched.Shape == x.Shape)
                return new ScatterAddOp(d, x.Shape).Apply(x, index.Contiguous(), part);
            // The index reaches only a corner of x: sum there, and add the corner.
            var corner = new ScatterAddOp(d, touched.Shape).Apply(null, index.Contiguous(), part);
            var pads = new (long, long)[x.Rank];
            for (int k = 0; k < pads.Length; k++)
                pads[k] = (0, x.Layout.Dims[k] - touched.Layout.Dims[k]);
            return x + corner.Pad(pads);
        }

        /// <summary>1 at the class each index names, 0 elsewhere: the index's shape with a last dim of <paramref name="classes"/>.</summary>
        public Tensor OneHot(long classes, DType dtype = DType.F32)
        {
            Check.DTypeIs(x, DType.I64, "one_hot", "index");
            Check.That(classes > 0, "one_hot", $"the number of classes must be positive, not {classes}; index = {x.Describe()}.");
            var index = x.Unsqueeze(-1).Contiguous();
            GatherKernels.CheckRange(index, classes, "one_hot", () => "the list of classes");
            return new PlaceOp(x.Rank, classes).Apply(Tensor.Full(index.Shape, 1, dtype, x.Device), index);
        }

        /// <summary>
        /// Rows of a table [rows, width] for an index of any shape; the result has the index's shape and a last dim of width. With
        /// <paramref name="paddingIndex"/> that row gets no gradient.
        /// </summary>
        public static Tensor Embedding(Tensor weight, Tensor index, long? paddingIndex = null)
        {
            Check.Rank(weight, 2, "embedding", "weight", "[rows, width]");
            Check.DTypeIs(index, DType.I64, "embedding", "index");
            var dense = index.Contiguous();
            GatherKernels.CheckRange(dense, weight.Layout.Dims[0], "embedding", () => $"dim 0 of {weight.Describe()}");
            long[] shape = [.. index.Layout.Dims, weight.Layout.Dims[1]];
            var y = weight.TakeRows(dense.Reshape(-1)).Reshape(shape);
            return paddingIndex is { } padding ? Tensor.Where(dense.Eq(padding).Unsqueeze(-1), y.Detach(), y) : y;
        }

        /// <summary>
        /// Sums or means of rows of a table [rows, width]: bag b joins the rows <c>index[offsets[b]] ... index[offsets[b+1] - 1]</c>, the last bag
        /// runs to the end. An empty bag gives zeros. The result is [bags, width].
        /// </summary>
        public static Tensor EmbeddingBag(Tensor weight, Tensor index, Tensor offsets, BagMode mode = BagMode.Mean)
        {
            Check.Float(weight, "embedding_bag", "weight");
            Check.Rank(weight, 2, "embedding_bag", "weight", "[rows, width]");
            CheckVector(index, "embedding_bag", "index");
            CheckVector(offsets, "embedding_bag", "offsets");
            long n = index.Count, bags = offsets.Count;
            if (offsets.Device.IsCpu || DataChecks.Wanted(offsets.Device))
                CheckOffsets(offsets.ToArray<long>(), n);
            // The bag of an index is the number of bags that begin up to it, less one: counted where the offsets are, since nothing may wait for them.
            var begins = Tensor.Zeros([n + 1], DType.I64, offsets.Device).IndexAdd(0, offsets, Tensor.Ones([bags], DType.I64, offsets.Device));
            var bag = begins.CumSum(0).Narrow(0, 0, n) - 1;
            var sums = new IndexAddOp(0, [bags, weight.Layout.Dims[1]]).Apply(null, bag, weight.TakeRows(index));
            if (mode == BagMode.Sum || bags == 0)
                return sums;
            // An empty bag's sum of zero is divided by 1.
            var ends = Tensor.Concat([offsets.Narrow(0, 1, bags - 1), Tensor.Full([1], n, DType.I64, offsets.Device)]);
            return sums / (ends - offsets).To(weight.DType).Clamp(1, double.PositiveInfinity).Reshape(bags, 1);
        }

        /// <summary>Bags of equal size: row b of the index [bags, size] is bag b.</summary>
        public static Tensor EmbeddingBag(Tensor weight, Tensor index, BagMode mode = BagMode.Mean)
        {
            Check.Rank(index, 2, "embedding_bag", "index", "[bags, size], or give offsets,");
            var sums = Tensor.Embedding(weight, index).Sum(1);
            return mode == BagMode.Sum ? sums : sums / Math.Max(1, index.Layout.Dims[1]);
        }
    }

    private static void CheckOffsets(long[] offsets, long count)
    {
        Check.That(offsets.Length > 0 || count == 0, "embedding_bag", $"no offsets for {count} indices. Give each bag's first position.");
        for (int b = 0; b < offsets.Length; b++)
        {
            long from = offsets[b], to = b + 1 < offsets.Length ? offsets[b + 1] : count;
            Check.That(b > 0 || from == 0, "embedding_bag", $"offsets[0] must be 0, not {from}: every index belongs to a bag.");
            Check.That(from <= count, "embedding_bag", $"offsets[{b}] = {from} is beyond the {count} indices.");
            Check.That(to >= from, "embedding_bag", $"offsets[{b + 1}] = {to} is below the offset before it, {from}. Offsets must not decrease.");
            Check.That(to <= count, "embedding_bag", $"offsets[{b + 1}] = {to} is beyond the {count} indices.");
        }
    }

    private static void CheckVector(Tensor index, string op, string name)
    {
        Check.DTypeIs(index, DType.I64, op, name);
        Check.Rank(index, 1, op, name, "");
    }

    private static void CheckSum(Tensor x, Tensor source, string op)
    {
        if (x.DType is DType.Bool or DType.U8)
            throw new DTypeException($"{op}: needs f32, f64, i32 or i64; input = {x.Describe()}. Convert it with .To(DType.I64) or .To(DType.F32).");
        Check.SameDType(x, source, op, "input", "source");
    }

    // The part of x that an index of its rank reaches, dim d left whole.
    private static Tensor CropTo(Tensor x, Tensor index, int d, string op, string name)
    {
        Check.Rank(index, x.Rank, op, "index", $"as the {name} has");
        var cuts = Cut.All(x);
        bool crops = false;
        for (int k = 0; k < x.Rank; k++)
        {
            if (k == d || index.Layout.Dims[k] == x.Layout.Dims[k])
                continue;
            Check.That(index.Layout.Dims[k] < x.Layout.Dims[k], op, $"dim {k} of index is larger than that of the {name}; index = {index.Describe()}, {name} = {x.Describe()}.");
            cuts[k] = Cut.Whole(index.Layout.Dims[k]);
            crops = true;
        }
        return crops ? new SliceOp(cuts).Apply(x) : x;
    }
}
