using System.Runtime.CompilerServices;

namespace Native;

/// <summary>
/// Where each element of a tensor lies in its storage: element (i0, i1, ...) is at <c>Offset + i0*Strides[0] + i1*Strides[1] + ...</c>,
/// in elements. Immutable and shared between tensors; every view is a new layout over the same storage.
/// </summary>
public sealed class Layout
{
    private readonly long[] _dims;
    private readonly long[] _strides;
    private Layout? _dense, _swapped;

    private Layout(long[] dims, long[] strides, long offset)
    {
        _dims = dims;
        _strides = strides;
        Offset = offset;
        Count = Native.Shape.Product(dims);
        IsDense = IsRowMajor(dims, strides);
        IsContiguous = IsDense && offset == 0;
    }

    /// <summary>Number of dims.</summary>
    public int Rank => _dims.Length;

    /// <summary>Number of elements.</summary>
    public long Count { get; }

    /// <summary>Index of the first element in the storage, in elements.</summary>
    public long Offset { get; }

    /// <summary>Row-major without gaps, though it may start inside its storage.</summary>
    public bool IsDense { get; }

    /// <summary>Row-major without gaps, from the start of its storage.</summary>
    public bool IsContiguous { get; }

    /// <summary>The dims.</summary>
    public Shape Shape => new(_dims);

    /// <summary>The dims as a span.</summary>
    public ReadOnlySpan<long> Dims => _dims;

    /// <summary>Distance, in elements, between neighbours along each dim; 0 where a dim is expanded, negative where it is flipped.</summary>
    public ReadOnlySpan<long> Strides => _strides;

    /// <summary>The scalar layout.</summary>
    public static Layout Scalar => Of([]);

    /// <summary>The row-major layout of a shape. Layouts are immutable, so the same shape usually gets the same object, and no garbage.</summary>
    public static Layout Of(ReadOnlySpan<long> dims)
    {
        uint hash = (uint)dims.Length;
        foreach (long d in dims)
            hash = (hash * 31) + (uint)d;
        ref var slot = ref Recent[hash % Recent.Length];
        // Another thread may replace the slot at any moment; whatever is read is a whole layout.
        var recent = slot;
        return recent is not null && recent._dims.AsSpan().SequenceEqual(dims) ? recent : slot = Build(Native.Shape.Create(dims));
    }

    private static readonly Layout?[] Recent = new Layout?[1021];

    private static Layout Build(Shape shape)
    {
        long[] dims = shape.ToArray(), strides = new long[dims.Length];
        long n = 1;
        for (int i = dims.Length - 1; i >= 0; i--)
        {
            strides[i] = n;
            n *= dims[i];
        }
        return new Layout(dims, strides, 0);
    }

    /// <summary>The contiguous layout of the same shape: what an operation's fresh output gets. Cached.</summary>
    public Layout Dense() => IsContiguous ? this : _dense ??= Of(_dims);

    /// <summary>Same dims; the common case is the same object.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool SameShape(Layout other) => ReferenceEquals(this, other) || _dims.AsSpan().SequenceEqual(other._dims);

    /// <summary>Reorders dims: <c>result.Dims[i] = Dims[order[i]]</c>. The order must be a permutation (checked by the caller).</summary>
    public Layout Permute(ReadOnlySpan<int> order)
    {
        var dims = new long[Rank];
        var strides = new long[Rank];
        for (int i = 0; i < order.Length; i++)
        {
            dims[i] = _dims[order[i]];
            strides[i] = _strides[order[i]];
        }
        return new Layout(dims, strides, Offset);
    }

    /// <summary>The last two dims exchanged: the matrix transpose. Cached, because every linear layer asks for it at every step.</summary>
    public Layout SwapLast()
    {
        if (_swapped is not null)
            return _swapped;
        var dims = (long[])_dims.Clone();
        var strides = (long[])_strides.Clone();
        (dims[^1], dims[^2]) = (dims[^2], dims[^1]);
        (strides[^1], strides[^2]) = (strides[^2], strides[^1]);
        return _swapped = new Layout(dims, strides, Offset);
    }

    /// <summary>Takes <paramref name="length"/> elements of one dim, from <paramref name="start"/>, every <paramref name="step"/>-th (negative: backwards).</summary>
    public Layout Slice(int dim, long start, long length, long step = 1)
    {
        var dims = (long[])_dims.Clone();
        var strides = (long[])_strides.Clone();
        dims[dim] = length;
        strides[dim] *= step;
        // An empty slice may start one past the end; keep its offset inside the storage.
        return new Layout(dims, strides, length == 0 ? Offset : Offset + start * _strides[dim]);
    }

    /// <summary>Removes one dim by fixing its index.</summary>
    public Layout Select(int dim, long index)
    {
        var dims = new long[Rank - 1];
        var strides = new long[Rank - 1];
        for (int i = 0, j = 0; i < Rank; i++)
        {
            if (i == dim)
                continue;
            dims[j] = _dims[i];
            strides[j++] = _strides[i];
        }
        return new Layout(dims, strides, Offset + index * _strides[dim]);
    }

    /// <summary>Stretches dims of size 1 (and adds leading dims) to a larger shape with stride 0. Null when a dim cannot stretch.</summary>
    public Layout? Expand(Shape shape)
    {
        if (shape.Rank < Rank)
            return null;
        long[] dims = shape.ToArray(), strides = new long[dims.Length];
        for (int i = 1; i <= Rank; i++)
        {
            long have = _dims[^i], want = dims[^i];
            if (have != want && have != 1)
                return null;
            strides[^i] = have == want ? _strides[^i] : 0;
        }
        return new Layout(dims, strides, Offset);
    }

    /// <summary>
    /// The same elements in the same order under other dims, without a copy; null when that needs one.
    /// Runs of old dims that are dense with respect to each other may be regrouped freely.
    /// </summary>
    public Layout? Reshape(ReadOnlySpan<long> shape)
    {
        if (Count == 0 || IsDense)
        {
            var dense = Of(shape);
            return Offset == 0 ? dense : new Layout(dense._dims, dense._strides, Offset);
        }
        long[] dims = shape.ToArray(), strides = new long[dims.Length];
        int from = 0, to = 0;
        while (from < Rank || to < dims.Length)
        {
            // Grow a group of old dims and a group of new dims until both cover the same number of elements.
            int f0 = from, t0 = to;
            long have = from < Rank ? _dims[from++] : 1, want = to < dims.Length ? dims[to++] : 1;
            while (have != want)
            {
                if (have < want)
                    have *= _dims[from++];
                else
                    want *= dims[to++];
            }
            if (!TryGroupStride(f0, from, out long stride))
                return null;
            for (int i = to - 1; i >= t0; i--)
            {
                strides[i] = stride;
                stride *= dims[i];
            }
        }
        return new Layout(dims, strides, Offset);
    }

    // The innermost stride of a run of dims that behave as one dim; false when they do not.
    private bool TryGroupStride(int from, int to, out long stride)
    {
        stride = 1;
        bool first = true;
        long expect = 0;
        for (int i = to - 1; i >= from; i--)
        {
            if (_dims[i] == 1)
                continue;
            if (first)
                stride = _strides[i];
            else if (_strides[i] != expect)
                return false;
            first = false;
            expect = _strides[i] * _dims[i];
        }
        return true;
    }

    /// <summary>The same geometry moved by <paramref name="elements"/> within the storage.</summary>
    internal Layout Shift(long elements) => new(_dims, _strides, Offset + elements);

    /// <summary>First and last element index touched, or (0, -1) when empty: what a bounds check needs.</summary>
    internal (long Min, long Max) Extent()
    {
        if (Count == 0)
            return (0, -1);
        long min = Offset, max = Offset;
        for (int i = 0; i < Rank; i++)
        {
            long span = (_dims[i] - 1) * _strides[i];
            if (span > 0)
                max += span;
            else
                min += span;
        }
        return (min, max);
    }

    /// <summary>True when two index tuples may name the same element (an expanded dim).</summary>
    internal bool Overlaps()
    {
        for (int i = 0; i < Rank; i++)
            if (_strides[i] == 0 && _dims[i] > 1)
                return true;
        return false;
    }

    private static bool IsRowMajor(long[] dims, long[] strides)
    {
        long n = 1;
        for (int i = dims.Length - 1; i >= 0; i--)
        {
            if (dims[i] != 1 && strides[i] != n)
                return Native.Shape.Product(dims) == 0;
            n *= dims[i];
        }
        return true;
    }

    /// <summary>For example <c>[3,4] strides [4,1] offset 0</c>.</summary>
    public override string ToString() => $"{Shape} strides {Native.Shape.Format(_strides)} offset {Offset}";
}

/// <summary>A layout by value: what a strided kernel receives as one argument, with no upload. 136 bytes.</summary>
public struct LayoutArg
{
    /// <summary>Dims, unused ones 1.</summary>
    public Dims8 Dims;

    /// <summary>Strides in elements.</summary>
    public Dims8 Strides;

    /// <summary>Number of dims in use.</summary>
    public long Rank;

    /// <summary>Eight inline longs.</summary>
    [InlineArray(Native.Shape.MaxRank)]
    public struct Dims8
    {
        private long _first;
    }

    /// <summary>Copies a layout's dims and strides; the offset goes into the pointer.</summary>
    public LayoutArg(Layout layout)
    {
        Rank = layout.Rank;
        for (int i = 0; i < Native.Shape.MaxRank; i++)
        {
            Dims[i] = i < layout.Rank ? layout.Dims[i] : 1;
            Strides[i] = i < layout.Rank ? layout.Strides[i] : 0;
        }
    }
}
