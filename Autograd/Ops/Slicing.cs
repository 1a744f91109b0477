using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Native;

/// <summary>What a slice takes of one dim.</summary>
/// <param name="Start">Its first element.</param>
/// <param name="Length">How many.</param>
/// <param name="Step">The distance from one to the next; negative runs backwards; 0 takes one element and drops the dim.</param>
internal readonly record struct Cut(long Start, long Length, long Step)
{
    /// <summary>All of a dim, in order.</summary>
    public static Cut Whole(long size) => new(0, size, 1);

    /// <summary>One element, without its dim.</summary>
    public static Cut One(long index) => new(index, 1, 0);

    /// <summary>Takes every element of a dim of this size once, in one order or the other.</summary>
    public bool Covers(long size) => Length == size && Step is 1 or -1;

    /// <summary>The layout of the elements that the cuts, one per dim, take.</summary>
    public static Layout Apply(ReadOnlySpan<Cut> cuts, Layout layout)
    {
        // From the last dim on, so that a dropped one does not renumber those still to come.
        for (int d = cuts.Length - 1; d >= 0; d--)
        {
            if (cuts[d].Step == 0)
                layout = layout.Select(d, cuts[d].Start);
            else if (cuts[d] != Whole(layout.Dims[d]))
                layout = layout.Slice(d, cuts[d].Start, cuts[d].Length, cuts[d].Step);
        }
        return layout;
    }

    /// <summary>Cuts that take everything of a tensor.</summary>
    public static Cut[] All(Tensor x)
    {
        var cuts = new Cut[x.Rank];
        for (int d = 0; d < cuts.Length; d++)
            cuts[d] = Whole(x.Layout.Dims[d]);
        return cuts;
    }
}

/// <summary>Takes part of every dim, without a copy. <see cref="SliceScatterOp"/> is its adjoint.</summary>
internal sealed class SliceOp(Cut[] cuts) : ViewOp("slice")
{
    private protected override Layout View(Tensor x) => Cut.Apply(cuts, x.Layout);

    private protected override Tensor Backward(Tensor g, Layout input)
    {
        bool flip = true;
        for (int d = 0; d < cuts.Length; d++)
            flip &= cuts[d].Covers(input.Dims[d]);
        // A slice that only reverses is its own inverse; any other leaves elements out, and their gradient is zero.
        return flip ? new SliceOp(cuts).Apply(g) : new SliceScatterOp(input.Shape, cuts).Apply(g);
    }

    internal static IEnumerable<Sample> Samples()
    {
        double[] Pick(double[] x, params int[] at) => [.. at.Select(i => x[i])];
        yield return new("middle rows", x => [x[0].Slice(0, 1, 3)], new SampleInput([4, 2])) { Reference = x => [Pick(x[0], 2, 3, 4, 5)] };
        yield return new("every second", x => [x[0].Slice(0, 1, null, 2)], new SampleInput([6])) { Reference = x => [Pick(x[0], 1, 3, 5)] };
        yield return new("backwards by 2", x => [x[0].Slice(0, 4, null, -2)], new SampleInput([6])) { Reference = x => [Pick(x[0], 4, 2, 0)] };
        yield return new("none", x => [x[0].Slice(1, 2, 2)], new SampleInput([2, 3])) { Reference = _ => [[]] };
        yield return new("flip both", x => [x[0].Flip(0, 1)], new SampleInput([2, 3])) { Reference = x => [Pick(x[0], 5, 4, 3, 2, 1, 0)] };
        yield return new("flip of transpose", x => [x[0].T.Flip(1)], new SampleInput([2, 3])) { Reference = x => [Pick(x[0], 3, 0, 4, 1, 5, 2)] };
        yield return new("index and range", x => [x[0][1, 1..^1]], new SampleInput([2, 4])) { Reference = x => [Pick(x[0], 5, 6)] };
        yield return new("index of last dim", x => [x[0][.., ^1]], new SampleInput([2, 3])) { Reference = x => [Pick(x[0], 2, 5)] };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("index", () => _ = Tensor.Zeros([5, 3])[7], "index: 7 is out of range for dim 0 of size 5; input = f32[5,3]@cpu. Use 0..4, or ^1..^5 from the end.");
        yield return new("from end", () => _ = Tensor.Zeros([5, 3])[0, ^4], "index: ^4 is out of range for dim 1 of size 3");
        yield return new("of nothing", () => _ = Tensor.Zeros([0])[0], "index: 0 is out of range for dim 0 of size 0; input = f32[0]@cpu. The dim is empty.");
        yield return new("too many", () => _ = Tensor.Zeros([5, 3])[0, 0, 0], "index: 3 indices for f32[5,3]@cpu, which has 2 dims.");
        yield return new("range", () => _ = Tensor.Zeros([5, 3])[2..9], "index: 2..9 is out of range for dim 0 of size 5");
        yield return new("reversed", () => _ = Tensor.Zeros([5, 3])[3..1], "index: 3..1 runs backwards for dim 0 of size 5");
        yield return new("step", () => Tensor.Zeros([5]).Slice(0, step: 0), "slice: step must not be 0; dim 0 of f32[5]@cpu.");
        yield return new("wrong way", () => Tensor.Zeros([5]).Slice(0, 1, 3, -1), "slice: 1..3 with step -1 takes nothing");
        yield return new("squeeze", () => Tensor.Zeros([5, 3]).Squeeze(1), "squeeze: dim 1 has 3 elements, not one; input = f32[5,3]@cpu.");
        yield return new("parts", () => Tensor.Zeros([5]).Split([2, 2]), "split: the sizes [2,2] add up to 4; dim 0 of f32[5]@cpu has 5 elements.");
    }
}

/// <summary>
/// The adjoint of a slice: a tensor of one value (0, or the padding) with x written where the cuts say. Its gradient is the slice.
/// </summary>
internal sealed class SliceScatterOp(Shape shape, Cut[] cuts, double fill = 0, string name = "slice_scatter") : StructuredOp(name)
{
    /// <summary>What instances call themselves, by their parameters.</summary>
    internal static IEnumerable<string> Names() => ["slice_scatter", "pad"];

    public override OutputSpecs Infer(Inputs x) => [new(Layout.Of(shape), x[0].DType)];

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Moves(x, y);

    public override void Forward(Inputs x, Outputs y)
    {
        CopyKernels.Fill(y[0], fill);
        CopyKernels.Copy(x[0], y[0].View(Cut.Apply(cuts, y[0].Layout)));
    }

    public override Tensor?[] Backward(Tensor g, Saved s) => [new SliceOp(cuts).Apply(g)];

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("every second, backwards", x => [new SliceScatterOp([5], [new Cut(3, 2, -2)]).Apply(x[0])], new SampleInput([2]))
        {
            Reference = x => [[0, x[0][1], 0, x[0][0], 0]],
        };
        yield return new("pad", x => [x[0].Pad([(1, 0), (0, 2)], 0.5)], new SampleInput([1, 2]))
        {
            Reference = x => [[0.5, 0.5, 0.5, 0.5, x[0][0], x[0][1], 0.5, 0.5]],
        };
        yield return new("pad and crop", x => [x[0].Pad(0, -1, 2)], new SampleInput([3])) { Reference = x => [[x[0][1], x[0][2], 0, 0]] };
        yield return new("pad nothing", x => [x[0].Pad(1, 1, 1, -1)], new SampleInput([2, 0])) { Reference = _ => [[-1, -1, -1, -1]], Orders = 0 };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("rank", () => Tensor.Zeros([2]).Pad([(0, 0), (1, 1)]), "pad: 2 pairs for f32[2]@cpu, which has 1 dims.");
        yield return new("crop", () => Tensor.Zeros([2]).Pad(0, -2, -1), "pad: (-2, -1) removes 3 of the 2 elements of dim 0; input = f32[2]@cpu.");
    }
}

/// <summary>Parts of a tensor as methods of <see cref="Tensor"/>. Everything here shares storage with its source.</summary>
public static class TensorSlicing
{
    extension(Tensor x)
    {
        /// <summary>
        /// Elements start, start + step, ... of one dim, up to but not including stop. Negative start and stop count from the end; left out,
        /// they are the ends that suit the step's sign. Positions outside the dim are errors, not clipped.
        /// </summary>
        public Tensor Slice(int dim, long? start = null, long? stop = null, long step = 1)
        {
            int d = Check.Dim(dim, x.Rank, x, "slice");
            Check.That(step != 0, "slice", $"step must not be 0; dim {d} of {x.Describe()}. Use 1 to take every element.");
            long n = x.Layout.Dims[d];
            long from = FromEnd(start, n) ?? (step > 0 ? 0 : n - 1), to = FromEnd(stop, n) ?? (step > 0 ? n : -1);
            bool inside = step > 0 ? from >= 0 && from <= n && to >= 0 && to <= n
                : (from >= 0 || start is null) && from < n && (to >= 0 || stop is null) && to < n;
            Check.That(inside, "slice", $"{start}..{stop} with step {step} leaves dim {d} of size {n}; input = {x.Describe()}. Positions run from 0 to {n}.");
            Check.That(step > 0 ? from <= to : from >= to, "slice", $"{from}..{to} with step {step} takes nothing of dim {d} of size {n}; input = {x.Describe()}. Swap start and stop, or change the step's sign.");
            // Written so that no step, however large, overflows.
            long length = from == to ? 0 : step > 0 ? 1 + (to - from - 1) / step : 1 - (from - to - 1) / step;
            return x.Take(d, new Cut(from, length, length <= 1 ? 1 : step));
        }

        /// <summary><paramref name="length"/> elements of one dim, from <paramref name="start"/> on.</summary>
        public Tensor Narrow(int dim, long start, long length)
        {
            int d = Check.Dim(dim, x.Rank, x, "narrow");
            long n = x.Layout.Dims[d], from = start < 0 ? start + n : start;
            Check.That(length >= 0 && from >= 0 && from <= n - length, "narrow", $"{length} elements from {start} leave dim {d} of size {n}; input = {x.Describe()}.");
            return x.Take(d, new Cut(from, length, 1));
        }

        /// <summary>One element of a dim; the dim goes. Negative indices count from the end.</summary>
        public Tensor Select(int dim, long index)
        {
            int d = Check.Dim(dim, x.Rank, x, "select");
            long n = x.Layout.Dims[d], i = index < 0 ? index + n : index;
            Check.That(i >= 0 && i < n, "select", $"index {index} is out of range for dim {d} of size {n}; input = {x.Describe()}.");
            return x.Take(d, Cut.One(i));
        }

        /// <summary>Reverses the order along the named dims.</summary>
        public Tensor Flip(params ReadOnlySpan<int> dims)
        {
            var cuts = Cut.All(x);
            foreach (int dim in dims)
            {
                int d = Check.Dim(dim, x.Rank, x, "flip");
                long n = x.Layout.Dims[d];
                Check.That(cuts[d] == Cut.Whole(n), "flip", $"dim {dim} is named twice; input = {x.Describe()}.");
                if (n > 1)
                    cuts[d] = new Cut(n - 1, n, -1);
            }
            return new SliceOp(cuts).Apply(x);
        }

        /// <summary>Drops every dim of size 1.</summary>
        public Tensor Squeeze()
        {
            var kept = new List<long>(x.Rank);
            foreach (long n in x.Layout.Dims)
                if (n != 1)
                    kept.Add(n);
            return x.Reshape(kept.ToArray());
        }

        /// <summary>Drops a dim of size 1; any other size is an error.</summary>
        public Tensor Squeeze(int dim)
        {
            int d = Check.Dim(dim, x.Rank, x, "squeeze");
            Check.That(x.Layout.Dims[d] == 1, "squeeze", $"dim {d} has {x.Layout.Dims[d]} elements, not one; input = {x.Describe()}. Select one of them, or sum over the dim.");
            long[] dims = [.. x.Layout.Dims[..d], .. x.Layout.Dims[(d + 1)..]];
            return x.Reshape(dims);
        }

        /// <summary>Adds a dim of size 1 before dim <paramref name="dim"/>; <c>-1</c> adds it last.</summary>
        public Tensor Unsqueeze(int dim)
        {
            int d = dim < 0 ? dim + x.Rank + 1 : dim;
            Check.That(d >= 0 && d <= x.Rank, "unsqueeze", $"dim {dim} is out of range; input = {x.Describe()}. Use {-x.Rank - 1}..{x.Rank}.");
            long[] dims = [.. x.Layout.Dims[..d], 1, .. x.Layout.Dims[d..]];
            return x.Reshape(dims);
        }

        /// <summary>Moves one dim to another position; the others keep their order.</summary>
        public Tensor MoveDim(int source, int destination)
        {
            int from = Check.Dim(source, x.Rank, x, "movedim"), to = Check.Dim(destination, x.Rank, x, "movedim");
            var order = Enumerable.Range(0, x.Rank).ToList();
            order.RemoveAt(from);
            order.Insert(to, from);
            return x.Permute(order.ToArray());
        }

        /// <summary>Consecutive parts of one dim with <paramref name="size"/> elements each; the last may have fewer.</summary>
        public Tensor[] Split(long size, int dim = 0)
        {
            int d = Check.Dim(dim, x.Rank, x, "split");
            long n = x.Layout.Dims[d];
            Check.That(size > 0, "split", $"the size of a part must be positive, not {size}; dim {d} of {x.Describe()}.");
            var sizes = new long[(n + size - 1) / size];
            for (int i = 0; i < sizes.Length; i++)
                sizes[i] = Math.Min(size, n - i * size);
            return x.Split(sizes, d);
        }

        /// <summary>Consecutive parts of one dim with the given sizes, which must add up to the whole.</summary>
        public Tensor[] Split(ReadOnlySpan<long> sizes, int dim = 0)
        {
            int d = Check.Dim(dim, x.Rank, x, "split");
            long sum = 0;
            foreach (long size in sizes)
            {
                Check.That(size >= 0, "split", $"sizes must not be negative; sizes = {Shape.Format(sizes)}.");
                sum += size;
            }
            Check.That(sum == x.Layout.Dims[d], "split", $"the sizes {Shape.Format(sizes)} add up to {sum}; dim {d} of {x.Describe()} has {x.Layout.Dims[d]} elements.");
            var parts = new Tensor[sizes.Length];
            long at = 0;
            for (int i = 0; i < parts.Length; at += sizes[i++])
                parts[i] = x.Take(d, new Cut(at, sizes[i], 1));
            return parts;
        }

        /// <summary>At most <paramref name="count"/> parts of one dim, equal except for the last.</summary>
        public Tensor[] Chunk(int count, int dim = 0)
        {
            int d = Check.Dim(dim, x.Rank, x, "chunk");
            Check.That(count > 0, "chunk", $"the number of parts must be positive, not {count}; dim {d} of {x.Describe()}.");
            return x.Split(Math.Max(1, (x.Layout.Dims[d] + count - 1) / count), d);
        }

        /// <summary>The elements of one dim, one tensor each, without that dim.</summary>
        public Tensor[] Unbind(int dim = 0)
        {
            int d = Check.Dim(dim, x.Rank, x, "unbind");
            var parts = new Tensor[x.Layout.Dims[d]];
            for (int i = 0; i < parts.Length; i++)
                parts[i] = x.Select(d, i);
            return parts;
        }

        /// <summary>One cut, checked by the caller.</summary>
        internal Tensor Take(int dim, Cut cut)
        {
            var cuts = Cut.All(x);
            cuts[dim] = cut;
            return new SliceOp(cuts).Apply(x);
        }
    }

    private static long? FromEnd(long? at, long n) => at < 0 ? at + n : at;

    /// <summary>Gives <see cref="Tensor"/>'s indexer its meaning as soon as this assembly is touched.</summary>
    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255:The 'ModuleInitializer' attribute should not be used in libraries", Justification = "C# has no extension indexers: the member lives in Native.Tensor, its meaning here.")]
    internal static void Install() => TensorIndex.Hook = At;

    /// <summary><c>x[i, a..b]</c>: one slice, whatever the number of indices.</summary>
    private static Tensor At(Tensor x, ReadOnlySpan<TensorIndex> indices)
    {
        Check.That(indices.Length <= x.Rank, "index", $"{indices.Length} indices for {x.Describe()}, which has {x.Rank} dims. Give at most one per dim.");
        var cuts = Cut.All(x);
        for (int d = 0; d < indices.Length; d++)
            cuts[d] = indices[d].Index is { } index ? One(x, d, index) : Part(x, d, indices[d].Range);
        return new SliceOp(cuts).Apply(x);
    }

    private static Cut One(Tensor x, int d, Index index)
    {
        long n = x.Layout.Dims[d], i = index.IsFromEnd ? n - index.Value : index.Value;
        Check.That(i >= 0 && i < n, "index", $"{index} is out of range for dim {d} of size {n}; input = {x.Describe()}. {(n == 0 ? "The dim is empty." : $"Use 0..{n - 1}, or ^1..^{n} from the end.")}");
        return Cut.One(i);
    }

    private static Cut Part(Tensor x, int d, Range range)
    {
        long n = x.Layout.Dims[d];
        long from = range.Start.IsFromEnd ? n - range.Start.Value : range.Start.Value, to = range.End.IsFromEnd ? n - range.End.Value : range.End.Value;
        Check.That(from >= 0 && from <= n && to >= 0 && to <= n, "index", $"{range} is out of range for dim {d} of size {n}; input = {x.Describe()}.");
        Check.That(from <= to, "index", $"{range} runs backwards for dim {d} of size {n}; input = {x.Describe()}. Flip the dim, or use Slice with a negative step.");
        return new Cut(from, to - from, 1);
    }
}
