using System.Runtime.InteropServices;

namespace Native;

/// <summary>
/// An array at rest in host memory, as file formats read and write it: little-endian elements in C order. Truth values are bytes 0
/// or 1. At most <see cref="Array.MaxLength"/> bytes. Two arrays are equal when dtype, shape and bytes are.
/// </summary>
public sealed record HostArray
{
    /// <summary>Wraps <paramref name="data"/>, whose length must be the shape's count times the size of an element.</summary>
    public HostArray(DType dtype, Shape shape, byte[] data)
    {
        if (shape.Count * dtype.Size() != data.Length)
            throw new ShapeException($"host array: {shape} of {dtype.Name()} takes {shape.Count * dtype.Size()} bytes; got {data.Length}. "
                + "Pass exactly the bytes of the elements.");
        (DType, Shape, Data) = (dtype, shape, data);
    }

    /// <summary>Element type.</summary>
    public DType DType { get; }

    /// <summary>Dims, outermost first.</summary>
    public Shape Shape { get; }

    /// <summary>The elements' bytes; not copied.</summary>
    public byte[] Data { get; }

    /// <summary>A copy of the elements; <see cref="DTypeException"/> when <typeparamref name="T"/> is not their type.</summary>
    public T[] As<T>() where T : unmanaged
    {
        if (DTypes.Of<T>() != DType)
            throw new DTypeException($"host array: elements are {DType.Name()}, not {DTypes.Of<T>().Name()}; shape {Shape}. "
                + "Ask for the array's own type and convert.");
        return MemoryMarshal.Cast<byte, T>(Data).ToArray();
    }

    /// <summary>Copies <paramref name="values"/>, in C order, into a new array.</summary>
    public static HostArray From<T>(Shape shape, ReadOnlySpan<T> values) where T : unmanaged
    {
        var dtype = DTypes.Of<T>();
        if (shape.Count != values.Length)
            throw new ShapeException($"host array: {shape} has {shape.Count} elements; got {values.Length}. Pass one value per element.");
        if (shape.Count * dtype.Size() > Array.MaxLength)
            throw new ShapeException($"host array: {shape} of {dtype.Name()} takes {shape.Count * dtype.Size()} bytes; one array holds "
                + $"{Array.MaxLength}. Split it.");
        return new HostArray(dtype, shape, MemoryMarshal.AsBytes(values).ToArray());
    }

    /// <inheritdoc/>
    public bool Equals(HostArray? other) =>
        other is not null && DType == other.DType && Shape == other.Shape && Data.AsSpan().SequenceEqual(other.Data);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(DType, Shape, Data.Length);
}
