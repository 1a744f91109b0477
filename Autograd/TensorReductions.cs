namespace Native;

/// <summary>
/// Reductions and what else runs along dims. Without a dim everything is reduced to a scalar; negative dims count from the end; with
/// <c>keepDim</c> reduced dims stay with size 1. Sum is among the arithmetic.
/// </summary>
public static class TensorReductions
{
    extension(Tensor x)
    {
        /// <summary>Mean of all elements; NaN of none.</summary>
        public Tensor Mean() => x.Mean([]);

        /// <summary>Mean over one dim.</summary>
        public Tensor Mean(int dim, bool keepDim = false) => x.Mean([dim], keepDim);

        /// <summary>Mean over several dims (all when none is named).</summary>
        public Tensor Mean(ReadOnlySpan<int> dims, bool keepDim = false)
        {
            Check.Float(x, "mean");
            return Ops.Sum.Apply(x, dims, keepDim) / CountOver(x, dims, "mean");
        }

        /// <summary>The largest element; ties share the gradient evenly; NaN wins.</summary>
        public Tensor Max() => Ops.Max.Apply(x);

        /// <summary>The smallest element; ties share the gradient evenly; NaN wins.</summary>
        public Tensor Min() => Ops.Min.Apply(x);

        /// <summary>The largest element over dims (all when none is named); ties share the gradient evenly; NaN wins.</summary>
        public Tensor Amax(ReadOnlySpan<int> dims, bool keepDim = false) => Ops.Max.Apply(x, dims, keepDim);

        /// <summary>The largest element over one dim; ties share the gradient evenly; NaN wins.</summary>
        public Tensor Amax(int dim, bool keepDim = false) => Ops.Max.Apply(x, [dim], keepDim);

        /// <summary>The smallest element over dims (all when none is named); ties share the gradient evenly; NaN wins.</summary>
        public Tensor Amin(ReadOnlySpan<int> dims, bool keepDim = false) => Ops.Min.Apply(x, dims, keepDim);

        /// <summary>The smallest element over one dim; ties share the gradient evenly; NaN wins.</summary>
        public Tensor Amin(int dim, bool keepDim = false) => Ops.Min.Apply(x, [dim], keepDim);

        /// <summary>The largest elements along a dim and where they stand (i64; the first of a tie, and the first NaN). The gradient goes there only.</summary>
        public (Tensor Values, Tensor Indices) Max(int dim, bool keepDim = false) => Extreme(x, dim, keepDim, smallest: false);

        /// <summary>The smallest elements along a dim and where they stand (i64; the first of a tie, and the first NaN). The gradient goes there only.</summary>
        public (Tensor Values, Tensor Indices) Min(int dim, bool keepDim = false) => Extreme(x, dim, keepDim, smallest: true);

        /// <summary>Position of the largest element along a dim, i64: the first of a tie; NaN counts as the largest.</summary>
        public Tensor ArgMax(int dim, bool keepDim = false) => Arg(x, dim, keepDim, smallest: false);

        /// <summary>Position of the smallest element along a dim, i64: the first of a tie; NaN counts as the smallest.</summary>
        public Tensor ArgMin(int dim, bool keepDim = false) => Arg(x, dim, keepDim, smallest: true);

        /// <summary>Position of the largest element in row-major order, a scalar i64.</summary>
        public Tensor ArgMax() => Arg(x.Reshape(x.Count), 0, keepDim: false, smallest: false);

        /// <summary>Position of the smallest element in row-major order, a scalar i64.</summary>
        public Tensor ArgMin() => Arg(x.Reshape(x.Count), 0, keepDim: false, smallest: true);

        /// <summary>Product of all elements; 1 of none. The gradient is right with any number of zeros, at any order.</summary>
        public Tensor Prod() => Ops.Prod.Apply(x);

        /// <summary>Product over one dim.</summary>
        public Tensor Prod(int dim, bool keepDim = false) => Ops.Prod.Apply(x, [dim], keepDim);

        /// <summary>Variance of all elements: the sum of squared deviations divided by (count - correction). NaN when that is 0.</summary>
        public Tensor Var(double correction = 1) => x.Var([], correction: correction);

        /// <summary>Variance over one dim.</summary>
        public Tensor Var(int dim, bool keepDim = false, double correction = 1) => x.Var([dim], keepDim, correction);

        /// <summary>Variance over several dims (all when none is named).</summary>
        public Tensor Var(ReadOnlySpan<int> dims, bool keepDim = false, double correction = 1)
        {
            long n = CountOver(x, dims, "var");
            var deviation = x - x.Mean(dims, keepDim: true);
            return Ops.Sum.Apply(deviation.Square(), dims, keepDim) / Math.Max(0, n - correction);
        }

        /// <summary>Standard deviation of all elements; its gradient is 0 where all elements are equal.</summary>
        public Tensor Std(double correction = 1) => x.Std([], correction: correction);

        /// <summary>Standard deviation over one dim.</summary>
        public Tensor Std(int dim, bool keepDim = false, double correction = 1) => x.Std([dim], keepDim, correction);

        /// <summary>Standard deviation over several dims (all when none is named).</summary>
        public Tensor Std(ReadOnlySpan<int> dims, bool keepDim = false, double correction = 1)
        {
            long n = CountOver(x, dims, "std");
            // As a length, because that has a gradient where it is 0.
            return Ops.Norm.Apply(x - x.Mean(dims, keepDim: true), dims, keepDim) / Math.Sqrt(Math.Max(0, n - correction));
        }

        /// <summary>Euclidean length of all elements as one vector; its gradient at 0 is 0.</summary>
        public Tensor Norm() => Ops.Norm.Apply(x);

        /// <summary>Euclidean length along one dim.</summary>
        public Tensor Norm(int dim, bool keepDim = false) => Ops.Norm.Apply(x, [dim], keepDim);

        /// <summary>Euclidean length over several dims (all when none is named).</summary>
        public Tensor Norm(ReadOnlySpan<int> dims, bool keepDim = false) => Ops.Norm.Apply(x, dims, keepDim);

        /// <summary>log(sum of exp(x)) along a dim, without overflow.</summary>
        public Tensor LogSumExp(int dim, bool keepDim = false)
        {
            int d = Check.Dim(dim, x.Rank, x, "logsumexp");
            return Squeeze(new LogSumExpOp(d).Apply(x), d, keepDim);
        }

        /// <summary>log(sum of exp(x)) over several dims: one after the other, since the result nests.</summary>
        public Tensor LogSumExp(ReadOnlySpan<int> dims, bool keepDim = false)
        {
            var y = x;
            var reduced = Reduced(x, dims, "logsumexp");
            for (int d = 0; d < reduced.Length; d++)
                if (reduced[d])
                    y = new LogSumExpOp(d).Apply(y);
            return keepDim ? y : y.Reshape(x.Shape.Span.ToArray().Where((_, d) => !reduced[d]).ToArray());
        }

        /// <summary>Running sum along a dim.</summary>
        public Tensor CumSum(int dim) => new CumSumOp(Check.Dim(dim, x.Rank, x, "cumsum"), reverse: false).Apply(x);

        /// <summary>Differences of neighbours along a dim, x[i+1] - x[i]; one shorter.</summary>
        public Tensor Diff(int dim = -1) => new DiffOp(Check.Dim(dim, x.Rank, x, "diff"), adjoint: false).Apply(x);

        /// <summary>exp(x) / sum of exp(x) along a dim, without overflow.</summary>
        public Tensor Softmax(int dim) => new SoftmaxOp(Check.Dim(dim, x.Rank, x, "softmax")).Apply(x);

        /// <summary>log of <see cref="Softmax(Tensor, int)"/>, without overflow or loss of digits.</summary>
        public Tensor LogSoftmax(int dim) => new LogSoftmaxOp(Check.Dim(dim, x.Rank, x, "log_softmax")).Apply(x);
    }

    private static Tensor Arg(Tensor x, int dim, bool keepDim, bool smallest)
    {
        int d = Check.Dim(dim, x.Rank, x, smallest ? "argmin" : "argmax");
        return Squeeze(new ArgExtremeOp(d, smallest).Apply(x), d, keepDim);
    }

    private static (Tensor Values, Tensor Indices) Extreme(Tensor x, int dim, bool keepDim, bool smallest)
    {
        int d = Check.Dim(dim, x.Rank, x, smallest ? "min" : "max");
        var index = new ArgExtremeOp(d, smallest).Apply(x.Detach());
        return (Squeeze(new PickOp(d).Apply(x, index), d, keepDim), Squeeze(index, d, keepDim));
    }

    private static Tensor Squeeze(Tensor y, int dim, bool keepDim) =>
        keepDim ? y : y.Reshape([.. y.Shape.Span[..dim], .. y.Shape.Span[(dim + 1)..]]);

    private static bool[] Reduced(Tensor x, ReadOnlySpan<int> dims, string op)
    {
        var reduced = new bool[x.Rank];
        Array.Fill(reduced, dims.IsEmpty);
        foreach (int dim in dims)
            reduced[Check.Dim(dim, x.Rank, x, op)] = true;
        return reduced;
    }

    private static long CountOver(Tensor x, ReadOnlySpan<int> dims, string op)
    {
        if (dims.IsEmpty)
            return x.Count;
        long n = 1;
        foreach (int dim in dims)
            n *= x.Layout.Dims[Check.Dim(dim, x.Rank, x, op)];
        return n;
    }
}
