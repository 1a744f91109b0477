namespace Native;

/// <summary>A row-major tensor seen around one dim: element i of line (o, j) is at (o n + i) inner + j.</summary>
/// <param name="Outer">Product of the dims before.</param>
/// <param name="N">The dim's size: the length of a line.</param>
/// <param name="Inner">Product of the dims after: the distance of neighbours on a line.</param>
internal readonly record struct Lines(long Outer, long N, long Inner)
{
    public long Count => Outer * Inner;

    /// <summary>The lines of a layout along one dim, which may count from the end.</summary>
    public static Lines Of(Layout x, int dim)
    {
        if (dim < 0)
            dim += x.Rank;
        return new(Shape.Product(x.Dims[..dim]), x.Dims[dim], Shape.Product(x.Dims[(dim + 1)..]));
    }

    /// <summary>Where line number k starts.</summary>
    public long Start(long k) => k / Inner * N * Inner + k % Inner;
}
