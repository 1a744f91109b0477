namespace Native;

/// <summary>A row-major stand-in for a kernel's input: the tensor itself, or a copy that goes back to the pool on disposal.</summary>
internal readonly ref struct DenseInput
{
    private readonly bool _copied;

    private DenseInput(Tensor tensor, bool copied) => (Tensor, _copied) = (tensor, copied);

    public Tensor Tensor { get; }

    public static DenseInput Of(Tensor x)
    {
        if (x.Layout.IsDense)
            return new DenseInput(x, copied: false);
        var copy = Tensor.Allocate(Layout.Of(x.Shape), x.DType, x.Device);
        CopyKernels.Copy(x, copy);
        return new DenseInput(copy, copied: true);
    }

    public void Dispose()
    {
        if (_copied)
            Ambient.Current.Release(Tensor.Storage);
    }
}
