namespace Native;

/// <summary>Copies tensors behind each other along one dim. The instance holds the length of each part, so that nothing is saved.</summary>
internal sealed class ConcatOp(int dim, long[] sizes) : StructuredOp("concat")
{
    public override OutputSpecs Infer(Inputs x)
    {
        var dims = x[0].Shape.ToArray();
        dims[dim] = sizes.Sum();
        return [new(Layout.Of(dims), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Moves(x, y);

    public override void Forward(Inputs x, Outputs y)
    {
        long at = 0;
        for (int i = 0; i < sizes.Length; at += sizes[i++])
            CopyKernels.Copy(x[i], y[0].View(y[0].Layout.Slice(dim, at, sizes[i])));
    }

    public override Tensor?[] Backward(Tensor g, Saved s)
    {
        var grads = new Tensor?[sizes.Length];
        long at = 0;
        for (int i = 0; i < sizes.Length; at += sizes[i++])
            grads[i] = s.Needs(i) ? g.Take(dim, new Cut(at, sizes[i], 1)) : null;
        return grads;
    }

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("rows", x => [Tensor.Concat(x)], new SampleInput([2, 2]), new SampleInput([1, 2])) { Reference = x => [[.. x[0], .. x[1]]] };
        yield return new("columns of three", x => [Tensor.Concat(x, -1)], new SampleInput([2, 1]), new SampleInput([2, 0]), new SampleInput([2, 2]))
        {
            Reference = x => [[x[0][0], x[2][0], x[2][1], x[0][1], x[2][2], x[2][3]]],
        };
        yield return new("the same twice", x => [Tensor.Concat([x[0], x[0]])], new SampleInput([3])) { Reference = x => [[.. x[0], .. x[0]]] };
        yield return new("stack", x => [Tensor.Stack(x, 1)], new SampleInput([2]), new SampleInput([2])) { Reference = x => [[x[0][0], x[1][0], x[0][1], x[1][1]]] };
        yield return new("stack of scalars", x => [Tensor.Stack(x)], new SampleInput([]), new SampleInput([])) { Reference = x => [[x[0][0], x[1][0]]] };
        yield return new("roll", x => [x[0].Roll(-1, 1)], new SampleInput([2, 3])) { Reference = x => [[x[0][1], x[0][2], x[0][0], x[0][4], x[0][5], x[0][3]]] };
        yield return new("repeat", x => [x[0].Repeat(2, 1, 2)], new SampleInput([2, 1]))
        {
            Reference = x => [[x[0][0], x[0][0], x[0][1], x[0][1], x[0][0], x[0][0], x[0][1], x[0][1]]],
        };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("nothing", () => Tensor.Concat([]), "concat: no tensors were given.");
        yield return new("scalars", () => Tensor.Concat([Tensor.Zeros([])]), "concat: dim 0 is out of range");
        yield return new("dims", () => Tensor.Concat([Tensor.Zeros([2, 3]), Tensor.Zeros([2, 4])]), "concat: dim 1 differs; tensor 0 = f32[2,3]@cpu, tensor 1 = f32[2,4]@cpu. Only dim 0 may.");
        yield return new("ranks", () => Tensor.Concat([Tensor.Zeros([2, 3]), Tensor.Zeros([2])]), "concat: tensor 1 must have 2 dims");
        yield return new("dtypes", () => Tensor.Concat([Tensor.Zeros([2]), Tensor.Zeros([2], DType.F64)]), "concat: operands have different dtypes; tensor 0 = f32[2]@cpu, tensor 1 = f64[2]@cpu");
        yield return new("stacked shapes", () => Tensor.Stack([Tensor.Zeros([2]), Tensor.Zeros([3])]), "stack: tensor 1 must have shape [2]; tensor 1 = f32[3]@cpu.");
        yield return new("repeats", () => Tensor.Zeros([2, 2]).Repeat(3), "repeat: 1 counts for f32[2,2]@cpu, which has 2 dims.");
    }
}

/// <summary>Joining, padding and repeating as members of <see cref="Tensor"/>.</summary>
public static class TensorJoining
{
    extension(Tensor x)
    {
        /// <summary>A new tensor with the given ones behind each other along one dim; all other dims must be equal.</summary>
        public static Tensor Concat(IReadOnlyList<Tensor> tensors, int dim = 0)
        {
            Check.That(tensors.Count > 0, "concat", "no tensors were given. Give at least one.");
            var first = tensors[0];
            int d = Check.Dim(dim, first.Rank, first, "concat", "tensor 0");
            var sizes = new long[tensors.Count];
            for (int i = 0; i < sizes.Length; i++)
            {
                var t = tensors[i];
                Check.Rank(t, first.Rank, "concat", $"tensor {i}", "as tensor 0 has");
                Check.SameDType(first, t, "concat", "tensor 0", $"tensor {i}");
                for (int k = 0; k < t.Rank; k++)
                    Check.That(k == d || t.Layout.Dims[k] == first.Layout.Dims[k], "concat", $"dim {k} differs; tensor 0 = {first.Describe()}, tensor {i} = {t.Describe()}. Only dim {d} may.");
                sizes[i] = t.Layout.Dims[d];
            }
            return new ConcatOp(d, sizes).Apply(tensors.ToArray());
        }

        /// <summary>Tensors of one shape along a new dim, which comes before dim <paramref name="dim"/>.</summary>
        public static Tensor Stack(IReadOnlyList<Tensor> tensors, int dim = 0)
        {
            Check.That(tensors.Count > 0, "stack", "no tensors were given. Give at least one.");
            var parts = new Tensor[tensors.Count];
            for (int i = 0; i < parts.Length; i++)
            {
                Check.ShapeIs(tensors[i], tensors[0].Shape, "stack", $"tensor {i}");
                parts[i] = tensors[i].Unsqueeze(dim);
            }
            return Tensor.Concat(parts, dim < 0 ? dim + parts[0].Rank : dim);
        }

        /// <summary>Adds elements of one value before and after one dim; negative counts remove elements instead.</summary>
        public Tensor Pad(int dim, long before, long after, double value = 0)
        {
            int d = Check.Dim(dim, x.Rank, x, "pad");
            var pads = new (long, long)[x.Rank - d];
            pads[0] = (before, after);
            return x.Pad(pads, value);
        }

        /// <summary>
        /// Adds elements of one value around the tensor: one pair (before, after) for each of the last dims, outermost first. Negative counts
        /// remove elements instead.
        /// </summary>
        public Tensor Pad(ReadOnlySpan<(long Before, long After)> pads, double value = 0)
        {
            Check.That(pads.Length <= x.Rank, "pad", $"{pads.Length} pairs for {x.Describe()}, which has {x.Rank} dims. Give at most one pair per dim.");
            Cut[] crop = Cut.All(x), place = Cut.All(x);
            var dims = x.Shape.ToArray();
            bool crops = false, grows = false;
            for (int i = 0; i < pads.Length; i++)
            {
                int d = x.Rank - pads.Length + i;
                var (before, after) = pads[i];
                long removed = Math.Max(-before, 0) + Math.Max(-after, 0);
                Check.That(removed <= dims[d], "pad", $"({before}, {after}) removes {removed} of the {dims[d]} elements of dim {d}; input = {x.Describe()}.");
                crop[d] = new Cut(Math.Max(-before, 0), dims[d] - removed, 1);
                place[d] = new Cut(Math.Max(before, 0), crop[d].Length, 1);
                dims[d] += before + after;
                crops |= removed > 0;
                grows |= before > 0 || after > 0;
            }
            var y = crops ? new SliceOp(crop).Apply(x) : x;
            return grows ? new SliceScatterOp(Shape.Create(dims), place, value, "pad").Apply(y) : y;
        }

        /// <summary>Moves elements along one dim by <paramref name="shift"/> positions; those that leave at one end enter at the other.</summary>
        public Tensor Roll(long shift, int dim)
        {
            int d = Check.Dim(dim, x.Rank, x, "roll");
            long n = x.Layout.Dims[d];
            long s = n == 0 ? 0 : (shift % n + n) % n;
            return s == 0 ? x : Tensor.Concat([x.Narrow(d, n - s, s), x.Narrow(d, 0, n - s)], d);
        }

        /// <summary>Rolls the elements in row-major order, as if the tensor were flat.</summary>
        public Tensor Roll(long shift) => x.Reshape(-1).Roll(shift, 0).Reshape(x.Shape);

        /// <summary>
        /// The whole tensor again and again: <c>counts[d]</c> times along dim d. More counts than dims add leading dims.
        /// </summary>
        public Tensor Repeat(params ReadOnlySpan<long> counts)
        {
            Check.That(counts.Length >= x.Rank, "repeat", $"{counts.Length} counts for {x.Describe()}, which has {x.Rank} dims. Give one per dim.");
            var dims = new long[counts.Length];
            dims.AsSpan().Fill(1);
            x.Layout.Dims.CopyTo(dims.AsSpan(counts.Length - x.Rank));
            var y = x.Reshape(dims);
            for (int d = 0; d < dims.Length; d++)
            {
                Check.That(counts[d] >= 0, "repeat", $"counts must not be negative; counts = {Shape.Format(counts)}.");
                long outer = Shape.Product(dims.AsSpan(0, d)), inner = Shape.Product(dims.AsSpan(d));
                dims[d] *= counts[d];
                if (counts[d] != 1)
                    y = y.Reshape(outer, 1, inner).Expand([outer, counts[d], inner]).Reshape(dims);
            }
            return y;
        }

        /// <summary>Every element of one dim <paramref name="count"/> times in a row.</summary>
        public Tensor RepeatInterleave(long count, int dim)
        {
            int d = Check.Dim(dim, x.Rank, x, "repeat_interleave");
            Check.That(count >= 0, "repeat_interleave", $"the count must not be negative; count = {count}, input = {x.Describe()}.");
            var dims = x.Shape.ToArray();
            long outer = Shape.Product(dims.AsSpan(0, d + 1)), inner = Shape.Product(dims.AsSpan(d + 1));
            dims[d] *= count;
            return count == 1 ? x : x.Reshape(outer, 1, inner).Expand([outer, count, inner]).Reshape(dims);
        }

        /// <summary>Enlarges images [..., height, width] by a whole factor; every pixel becomes a square of equal pixels.</summary>
        public Tensor UpsampleNearest(int factor)
        {
            Check.That(x.Rank >= 2, "upsample_nearest", $"needs at least two dims, height and width; input = {x.Describe()}.");
            Check.That(factor > 0, "upsample_nearest", $"the factor must be positive, not {factor}; input = {x.Describe()}.");
            return new UpsampleOp(factor).Apply(x);
        }
    }
}
