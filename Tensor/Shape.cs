using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Native;

/// <summary>
/// The dims of a tensor, outermost first, at most <see cref="MaxRank"/> of them. Immutable. Written as a collection
/// expression wherever a shape is expected: <c>Tensor.Zeros([64, 784])</c>; <c>[]</c> is the shape of a scalar.
/// </summary>
[CollectionBuilder(typeof(Shape), nameof(Create))]
public readonly struct Shape : IEquatable<Shape>, IEnumerable<long>
{
    /// <summary>Highest rank of any tensor.</summary>
    public const int MaxRank = 8;

    private readonly long[]? _dims;

    internal Shape(long[] owned) => _dims = owned;

    /// <summary>Builds a shape; called by collection expressions.</summary>
    public static Shape Create(ReadOnlySpan<long> dims)
    {
        if (dims.Length > MaxRank)
            throw new ShapeException($"shape: rank {dims.Length} is above the limit of {MaxRank}; dims = {Format(dims)}. Merge dims with Reshape.");
        foreach (long d in dims)
            if (d < 0)
                throw new ShapeException($"shape: dims must not be negative; dims = {Format(dims)}.");
        CheckedCount(dims);
        return new Shape(dims.ToArray());
    }

    /// <summary>Number of dims; 0 for a scalar.</summary>
    public int Rank => _dims?.Length ?? 0;

    /// <summary>Number of elements: the product of the dims, 1 for a scalar, 0 when any dim is 0.</summary>
    public long Count => Product(Span);

    /// <summary>The size of one dim; negative indices count from the last.</summary>
    public long this[int dim] => Span[dim < 0 ? dim + Rank : dim];

    /// <summary>The dims as a span.</summary>
    public ReadOnlySpan<long> Span => _dims;

    /// <summary>Lets a span stand where a shape is expected.</summary>
    public static implicit operator Shape(long[] dims) => Create(dims);

    /// <summary>Lets a shape stand where a span is expected.</summary>
    public static implicit operator ReadOnlySpan<long>(Shape shape) => shape.Span;

    /// <inheritdoc/>
    public bool Equals(Shape other) => Span.SequenceEqual(other.Span);

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        foreach (long d in Span)
            hash.Add(d);
        return hash.ToHashCode();
    }

    /// <summary>Same dims.</summary>
    public static bool operator ==(Shape a, Shape b) => a.Equals(b);

    /// <summary>Different dims.</summary>
    public static bool operator !=(Shape a, Shape b) => !a.Equals(b);

    /// <summary>For example <c>[64,784]</c>; <c>[]</c> for a scalar.</summary>
    public override string ToString() => Format(Span);

    /// <inheritdoc/>
    public IEnumerator<long> GetEnumerator() => ((IEnumerable<long>)(_dims ?? [])).GetEnumerator();

    System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>A fresh array of the dims.</summary>
    public long[] ToArray() => Span.ToArray();

    internal static string Format(ReadOnlySpan<long> dims) => "[" + string.Join(',', dims.ToArray()) + "]";

    internal static long Product(ReadOnlySpan<long> dims)
    {
        long n = 1;
        foreach (long d in dims)
            n *= d;
        return n;
    }

    /// <summary>The product of dims, refusing one that does not fit 63 bits (a header may claim anything).</summary>
    internal static long CheckedCount(ReadOnlySpan<long> dims)
    {
        long n = 1;
        bool zero = false;
        foreach (long d in dims)
        {
            if (d == 0)
                zero = true;
            else if (n > long.MaxValue / 16 / d)
                throw new ShapeException($"shape: {Format(dims)} has more elements than memory can address.");
            else
                n *= d;
        }
        return zero ? 0 : n;
    }

    /// <summary>
    /// The common shape of two operands under broadcasting: dims align at the last one; a dim of 1, or a missing one, stretches.
    /// Returns null when a pair of dims differs and neither is 1.
    /// </summary>
    public static Shape? Broadcast(Shape a, Shape b)
    {
        int rank = Math.Max(a.Rank, b.Rank);
        var dims = new long[rank];
        for (int i = 1; i <= rank; i++)
        {
            long p = i <= a.Rank ? a.Span[^i] : 1, q = i <= b.Rank ? b.Span[^i] : 1;
            if (p != q && p != 1 && q != 1)
                return null;
            dims[rank - i] = p == 1 ? q : p;
        }
        return new Shape(dims);
    }
}
