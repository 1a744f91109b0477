namespace Native.Nn;

/// <summary>A table of rows, looked up by number: indices of any shape give that shape and a last dim of width. Starts normal(0, 1).</summary>
public sealed class Embedding : Module
{
    /// <summary>A table [rows, width], drawn from the generator.</summary>
    public Embedding(long rows, long width, Generator generator, DType dtype = DType.F32, Device? device = null)
    {
        using var scope = TensorScope.Begin("embedding");
        Weight = Add("weight", Init.Normal([rows, width], 1, generator, dtype, device));
    }

    /// <summary>[rows, width].</summary>
    public Parameter Weight { get; }

    /// <summary>Rows for an i64 index.</summary>
    public override Tensor Forward(Tensor x) => Tensor.Embedding(Weight.Value, x);
}

/// <summary>Sums or means of rows of a table, one for each bag of indices. Starts normal(0, 1).</summary>
public sealed class EmbeddingBag : Module
{
    private readonly BagMode _mode;

    /// <summary>A table [rows, width], drawn from the generator.</summary>
    public EmbeddingBag(long rows, long width, Generator generator, BagMode mode = BagMode.Mean, DType dtype = DType.F32, Device? device = null)
    {
        _mode = mode;
        using var scope = TensorScope.Begin("embedding_bag");
        Weight = Add("weight", Init.Normal([rows, width], 1, generator, dtype, device));
    }

    /// <summary>[rows, width].</summary>
    public Parameter Weight { get; }

    /// <summary>Bags of equal size: i64 [bags, size] gives [bags, width].</summary>
    public override Tensor Forward(Tensor x) => Tensor.EmbeddingBag(Weight.Value, x, _mode);

    /// <summary>Bags of any size: bag b is index[offsets[b]] up to where the next begins.</summary>
    public Tensor Forward(Tensor index, Tensor offsets) => Tensor.EmbeddingBag(Weight.Value, index, offsets, _mode);
}
