namespace Native.Nn;

/// <summary>Maxima of windows.</summary>
/// <param name="kernel">Size of the window.</param>
/// <param name="stride">Distance of windows; the kernel's size by default.</param>
/// <param name="padding">Border that counts as minus infinity.</param>
public sealed class MaxPool2d(long kernel, long? stride = null, long padding = 0) : Module
{
    /// <inheritdoc/>
    public override Tensor Forward(Tensor x) => Functional.MaxPool2d(x, kernel, stride, padding);
}

/// <summary>Means of windows.</summary>
/// <param name="kernel">Size of the window.</param>
/// <param name="stride">Distance of windows; the kernel's size by default.</param>
/// <param name="padding">Border that counts as zero.</param>
public sealed class AvgPool2d(long kernel, long? stride = null, long padding = 0) : Module
{
    /// <inheritdoc/>
    public override Tensor Forward(Tensor x) => Functional.AvgPool2d(x, kernel, stride, padding);
}
