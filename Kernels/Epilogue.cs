namespace Native;

/// <summary>Rectifiers that the convolution kernels of a GPU apply as they write: the numbers of <c>nat_rectify</c>.</summary>
internal enum Rectify
{
    None = 0,
    Relu = 1,
    LeakyRelu = 2,
}

/// <summary>A pointwise function of every result, with the bits of the row: where a kernel can, it is applied before the result is written, else in place.</summary>
/// <param name="Kernel">The function; null for none.</param>
/// <param name="P">Its first scalar.</param>
/// <param name="Rectify">The same as a rectifier, if it is one.</param>
internal readonly record struct Epilogue(PointwiseKernel? Kernel, double P = 0, Rectify Rectify = Rectify.None)
{
    /// <summary>Applies it in place.</summary>
    public void Finish(Tensor y)
    {
        if (Kernel is not null && y.Count > 0)
            Kernel.Run(y, y, p: P);
    }
}
