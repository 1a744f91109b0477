namespace Native;

/// <summary>a[..., m, k] b[..., k, n], leading dims broadcast. Its gradients are matrix products with transposed views: a closed family.</summary>
internal sealed class MatMulOp() : StructuredOp("matmul")
{
    public static readonly MatMulOp Instance = new();

    public override OutputSpecs Infer(Inputs x)
    {
        Tensor a = x[0], b = x[1];
        Check.Float(a, Name, "lhs");
        Check.SameDType(a, b, Name);
        if (a.Layout.Dims[^1] != b.Layout.Dims[^2])
            throw new ShapeException($"matmul: inner dimensions differ; lhs = {a.Describe()}, rhs = {b.Describe()}; lhs.dim({a.Rank - 1})={a.Layout.Dims[^1]}, rhs.dim({b.Rank - 2})={b.Layout.Dims[^2]}.{Hint(a, b)}");
        if (a.Rank == 2 && b.Rank == 2)
            return [new(Layout.Of([a.Layout.Dims[0], b.Layout.Dims[1]]), a.DType)];
        Shape leadA = Shape.Create(a.Layout.Dims[..^2]), leadB = Shape.Create(b.Layout.Dims[..^2]);
        var lead = Shape.Broadcast(leadA, leadB)
            ?? throw new ShapeException($"matmul: batch dims do not broadcast; lhs = {a.Describe()}, rhs = {b.Describe()}; {leadA} against {leadB}. Dims must be equal or 1.");
        return [new(Layout.Of([.. lead, a.Layout.Dims[^2], b.Layout.Dims[^1]]), a.DType)];
    }

    internal override bool IsProduct => true;

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(2 * x[0].Count * x[1].Layout.Dims[^1], x, y);

    public override void Forward(Inputs x, Outputs y) => MatMulKernels.Run(y[0], x[0], x[1]);

    public override Saves SavesFor(Inputs x) => (x[0].RequiresGrad ? Saves.Input1 : 0) | (x[1].RequiresGrad ? Saves.Input0 : 0);

    public override Tensor?[] Backward(Tensor g, Saved s) => [s.Needs(0) ? Apply(g, s.Input(1).T) : null, s.Needs(1) ? RightGrad(g, s) : null];

    // The gradient of a transposed view (the weight of a linear layer) is computed transposed, so that it is dense where it arrives.
    private Tensor RightGrad(Tensor g, Saved s) =>
        s.IsTransposed(1) ? Apply(g.T, s.Input(0)).T : Apply(s.Input(0).T, g);

    // A transpose is suggested only after checking that it fits.
    private static string Hint(Tensor a, Tensor b)
    {
        if (a.Layout.Dims[^1] == b.Layout.Dims[^1])
            return " Did you mean rhs.T?";
        if (a.Layout.Dims[^2] == b.Layout.Dims[^2])
            return " Did you mean lhs.T?";
        return " The last dim of the left operand must equal the last but one of the right.";
    }

    internal static IEnumerable<Sample> Samples()
    {
        yield return new("2d", x => [x[0].MatMul(x[1])], new SampleInput([3, 4]), new SampleInput([4, 5])) { Reference = x => [Naive(x[0], x[1], 1, 3, 4, 5, 12, 20)] };
        yield return new("row by column", x => [x[0].MatMul(x[1])], new SampleInput([1, 7]), new SampleInput([7, 1])) { Reference = x => [Naive(x[0], x[1], 1, 1, 7, 1, 7, 7)] };
        yield return new("empty inner", x => [x[0].MatMul(x[1])], new SampleInput([2, 0]), new SampleInput([0, 3])) { Reference = _ => [new double[6]], Orders = 0 };
        yield return new("batched", x => [x[0].MatMul(x[1])], new SampleInput([2, 3, 4]), new SampleInput([2, 4, 2])) { Reference = x => [Naive(x[0], x[1], 2, 3, 4, 2, 12, 8)] };
        yield return new("batch broadcast", x => [x[0].MatMul(x[1])], new SampleInput([3, 4]), new SampleInput([2, 4, 2])) { Reference = x => [Naive(x[0], x[1], 2, 3, 4, 2, 0, 8)] };
        yield return new("batch by matrix", x => [x[0].MatMul(x[1])], new SampleInput([2, 3, 4]), new SampleInput([4, 2])) { Reference = x => [Naive(x[0], x[1], 2, 3, 4, 2, 12, 0)] };
        yield return new("transposed both", x => [x[0].T.MatMul(x[1].T)], new SampleInput([4, 3]), new SampleInput([2, 4]))
        {
            Reference = x => [Naive(Flip(x[0], 4, 3), Flip(x[1], 2, 4), 1, 3, 4, 2, 12, 8)],
        };
        yield return new("vectors", x => [x[0].MatMul(x[1])], new SampleInput([5]), new SampleInput([5])) { Reference = x => [Naive(x[0], x[1], 1, 1, 5, 1, 5, 5)] };
        yield return new("outer", x => [x[0].Outer(x[1])], new SampleInput([3]), new SampleInput([2])) { Reference = x => [Naive(x[0], x[1], 1, 3, 1, 2, 3, 2)] };
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("inner", () => Tensor.Zeros([64, 128]).MatMul(Tensor.Zeros([64, 10])),
            "matmul: inner dimensions differ; lhs = f32[64,128]@cpu, rhs = f32[64,10]@cpu; lhs.dim(1)=128, rhs.dim(0)=64. Did you mean lhs.T?");
        yield return new("dtype", () => Tensor.Zeros([2, 2]).MatMul(Tensor.Zeros([2, 2], DType.F64)), "matmul: operands have different dtypes; lhs = f32[2,2]@cpu, rhs = f64[2,2]@cpu");
        yield return new("integers", () => Tensor.Zeros([2, 2], DType.I64).MatMul(Tensor.Zeros([2, 2], DType.I64)), "matmul: needs f32 or f64; lhs = i64[2,2]@cpu");
        yield return new("batch", () => Tensor.Zeros([2, 3, 4]).MatMul(Tensor.Zeros([3, 4, 5])), "matmul: batch dims do not broadcast");
        yield return new("scalar", () => Tensor.Zeros([]).MatMul(Tensor.Zeros([2, 2])), "matmul: operands need at least one dim; lhs = f32[]@cpu");
    }

    private static double[] Naive(double[] a, double[] b, int batch, int m, int k, int n, int strideA, int strideB)
    {
        var y = new double[batch * m * n];
        for (int p = 0; p < batch; p++)
            for (int i = 0; i < m; i++)
                for (int j = 0; j < n; j++)
                    for (int q = 0; q < k; q++)
                        y[(p * m + i) * n + j] += a[p * strideA + i * k + q] * b[p * strideB + q * n + j];
        return y;
    }

    private static double[] Flip(double[] x, int rows, int columns)
    {
        var y = new double[x.Length];
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                y[j * rows + i] = x[i * columns + j];
        return y;
    }
}

/// <summary>Linear algebra as methods of <see cref="Tensor"/>.</summary>
public static class TensorLinear
{
    extension(Tensor a)
    {
        /// <summary>
        /// The matrix product, with PyTorch's rules: two vectors give their dot product; a vector is a row on the left and a column on the right;
        /// leading dims are batches and broadcast.
        /// </summary>
        public Tensor MatMul(Tensor b)
        {
            if (a.Rank == 0 || b.Rank == 0)
                throw new ShapeException($"matmul: operands need at least one dim; lhs = {a.Describe()}, rhs = {b.Describe()}. Use * for scalars.");
            if (a.Rank == 1)
            {
                var row = a.Reshape(1, a.Count).MatMul(b);
                return b.Rank == 1 ? row.Reshape() : row.Reshape([.. row.Shape.Span[..^2], row.Shape[-1]]);
            }
            if (b.Rank == 1)
            {
                var column = a.MatMul(b.Reshape(b.Count, 1));
                return column.Reshape(column.Shape.Span[..^1]);
            }
            // A batch of matrices times one matrix is one tall matrix product.
            if (a.Rank > 2 && b.Rank == 2 && a.IsContiguous && a.Count > 0)
                return MatMulOp.Instance.Apply(a.Reshape(-1, a.Shape[-1]), b).Reshape([.. a.Shape.Span[..^1], b.Shape[1]]);
            return MatMulOp.Instance.Apply(a, b);
        }

        /// <summary>Sum of products of two vectors, a scalar.</summary>
        public Tensor Dot(Tensor b)
        {
            Check.Rank(a, 1, "dot", "lhs", "(a vector)");
            Check.Rank(b, 1, "dot", "rhs", "(a vector)");
            return a.MatMul(b);
        }

        /// <summary>The outer product of two vectors: [m] and [n] give [m, n].</summary>
        public Tensor Outer(Tensor b)
        {
            Check.Rank(a, 1, "outer", "lhs", "(a vector)");
            Check.Rank(b, 1, "outer", "rhs", "(a vector)");
            return a.Reshape(a.Count, 1).MatMul(b.Reshape(1, b.Count));
        }
    }
}
