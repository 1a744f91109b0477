namespace Native;

/// <summary>Creation that copies or clears; creation that computes (Full, Arange, Rand) is in Native.Autograd under the same class name.</summary>
public static class TensorCreate
{
    extension(Tensor)
    {
        /// <summary>Undefined contents; every element must be written before it is read.</summary>
        public static Tensor Empty(Shape shape, DType dtype = DType.F32, Device? device = null) =>
            Tensor.Allocate(Layout.Of(shape), dtype, device ?? Device.Default);

        /// <summary>All zeros.</summary>
        public static Tensor Zeros(Shape shape, DType dtype = DType.F32, Device? device = null)
        {
            var t = Tensor.Empty(shape, dtype, device);
            t.Storage.Allocator.Zero(t.Storage, t.ByteSize);
            return t;
        }

        /// <summary>All zeros, with another tensor's shape, dtype and device.</summary>
        public static Tensor ZerosLike(Tensor other) => Tensor.Zeros(other.Shape, other.DType, other.Device);

        /// <summary>Copies row-major values into a new tensor. <see cref="ShapeException"/> when their number is not the shape's.</summary>
        public static Tensor From<T>(ReadOnlySpan<T> values, Shape shape, Device? device = null) where T : unmanaged
        {
            if (values.Length != shape.Count)
                throw new ShapeException($"from: {values.Length} values do not fill shape {shape}, which has {shape.Count} elements.");
            var t = Tensor.Empty(shape, DTypes.Of<T>(), device);
            t.CopyFrom(values);
            return t;
        }

        /// <summary>Copies an array into a new tensor of the given shape.</summary>
        public static Tensor From<T>(T[] values, Shape shape, Device? device = null) where T : unmanaged =>
            Tensor.From((ReadOnlySpan<T>)values, shape, device);

        /// <summary>Copies an array into a new vector.</summary>
        public static Tensor From<T>(params T[] values) where T : unmanaged => Tensor.From((ReadOnlySpan<T>)values, [values.Length]);

        /// <summary>A scalar (rank 0) that holds one value.</summary>
        public static Tensor Scalar<T>(T value, Device? device = null) where T : unmanaged => Tensor.From([value], [], device);

        /// <summary>Copies a System.Numerics.Tensors span, whatever its strides, into a new tensor.</summary>
        public static Tensor From<T>(in System.Numerics.Tensors.ReadOnlyTensorSpan<T> values, Device? device = null) where T : unmanaged
        {
            var dims = new long[values.Rank];
            for (int i = 0; i < dims.Length; i++)
                dims[i] = values.Lengths[i];
            var flat = new T[values.FlattenedLength];
            values.FlattenTo(flat);
            return Tensor.From((ReadOnlySpan<T>)flat, dims, device);
        }
    }
}
