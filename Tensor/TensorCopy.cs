using System.Numerics.Tensors;
using System.Runtime.CompilerServices;

namespace Native;

/// <summary>Host access: spans, arrays, single values. These are the calls that synchronise on a GPU.</summary>
public static unsafe class TensorCopy
{
    extension(Tensor t)
    {
        /// <summary>The value of a tensor with exactly one element.</summary>
        public T Item<T>() where T : unmanaged
        {
            CheckType<T>(t, "item");
            if (t.Count != 1)
                throw new ShapeException($"item: {t.Describe()} has {t.Count} elements, not one. Index it first, or use ToArray.");
            if (t.Device.IsCpu)
                return *t.Data<T>();
            T value;
            Ambient.Current.Cuda(t.Device).Read((nint)t.Data<T>(), &value, sizeof(T));
            return value;
        }

        /// <summary>The value of a one-element tensor of any dtype, as a double.</summary>
        public double Item() => t.DType switch
        {
            DType.F32 => t.Item<float>(),
            DType.F64 => t.Item<double>(),
            DType.I32 => t.Item<int>(),
            DType.I64 => t.Item<long>(),
            DType.U8 => t.Item<byte>(),
            _ => t.Item<bool>() ? 1 : 0,
        };

        /// <summary>All elements in row-major order, copied.</summary>
        public T[] ToArray<T>() where T : unmanaged
        {
            CheckType<T>(t, "to_array");
            var result = new T[t.Count];
            t.CopyTo(result.AsSpan());
            return result;
        }

        /// <summary>All elements in row-major order, copied into a span of exactly that length.</summary>
        public void CopyTo<T>(Span<T> destination) where T : unmanaged
        {
            CheckType<T>(t, "copy_to");
            if (destination.Length != t.Count)
                throw new ShapeException($"copy_to: the span holds {destination.Length} elements, {t.Describe()} has {t.Count}.");
            if (!t.Device.IsCpu)
            {
                using var near = t.OnHost();
                near.CopyTo(destination);
                return;
            }
            T* source = t.Data<T>();
            if (t.Layout.IsDense)
            {
                new ReadOnlySpan<T>(source, destination.Length).CopyTo(destination);
                return;
            }
            var walk = new LayoutWalk(t.Layout);
            int i = 0;
            while (walk.Next(out long at))
                destination[i++] = source[at];
        }

        /// <summary>Overwrites a dense tensor with row-major values.</summary>
        public void CopyFrom<T>(ReadOnlySpan<T> source) where T : unmanaged
        {
            CheckType<T>(t, "copy_from");
            if (source.Length != t.Count)
                throw new ShapeException($"copy_from: {source.Length} values do not fill {t.Describe()}, which has {t.Count} elements.");
            CheckDense(t, "copy_from");
            t.WriteBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(source));
            t.Storage.BumpVersion();
        }

        /// <summary>
        /// The elements of a dense tensor in place. Valid until the tensor's scope closes; a tensor that no scope owns must itself be kept
        /// (a variable, a field), because the span does not keep it from the collector.
        /// </summary>
        public ReadOnlySpan<T> AsSpan<T>() where T : unmanaged
        {
            CheckType<T>(t, "as_span");
            CheckDense(t, "as_span");
            CheckHost(t, "as_span");
            if (t.Count > int.MaxValue)
                throw new ShapeException($"as_span: {t.Describe()} has {t.Count} elements; a span holds at most {int.MaxValue}. Slice it first.");
            return new ReadOnlySpan<T>(t.Data<T>(), (int)t.Count);
        }

        /// <summary>The elements in place, with their strides, as the framework's exchange type; valid as long as <c>AsSpan</c> is. Flipped dims have no such form.</summary>
        public ReadOnlyTensorSpan<T> AsReadOnlyTensorSpan<T>() where T : unmanaged
        {
            CheckType<T>(t, "as_read_only_tensor_span");
            CheckHost(t, "as_read_only_tensor_span");
            if (t.Rank == 0)
                return new ReadOnlyTensorSpan<T>(t.Data<T>(), 1, [1], []);
            var lengths = new nint[t.Rank];
            var strides = new nint[t.Rank];
            for (int i = 0; i < t.Rank; i++)
            {
                if (t.Layout.Strides[i] < 0)
                    throw new ShapeException($"as_read_only_tensor_span: dim {i} of {t.Describe()} is flipped (stride {t.Layout.Strides[i]}). Call Contiguous() first.");
                lengths[i] = (nint)t.Layout.Dims[i];
                strides[i] = lengths[i] <= 1 ? 0 : (nint)t.Layout.Strides[i];
            }
            var (_, max) = t.Layout.Extent();
            return new ReadOnlyTensorSpan<T>(t.Data<T>(), (nint)(max - t.Layout.Offset + 1), lengths, strides);
        }

        /// <summary>Overwrites the elements of a dense tensor with as many bytes, wherever it lives.</summary>
        internal void WriteBytes(ReadOnlySpan<byte> bytes)
        {
            CheckDense(t, "write");
            byte* to = (byte*)t.Storage.Pointer + (t.Layout.Offset * t.DType.Size());
            if (t.Device.IsCpu)
            {
                bytes.CopyTo(new Span<byte>(to, bytes.Length));
                return;
            }
            fixed (byte* from = bytes)
                Ambient.Current.Cuda(t.Device).Write((nint)to, from, bytes.Length);
        }

        /// <summary>The same elements and strides in host memory: the tensor itself, or a copy that no scope owns. Waits for the device.</summary>
        internal Tensor OnHost()
        {
            if (t.Device.IsCpu)
                return t.Alias();
            t.CheckAlive("read");
            var (min, max) = t.Count == 0 ? (t.Layout.Offset, t.Layout.Offset - 1) : t.Layout.Extent();
            int size = t.DType.Size();
            var storage = Ambient.Current.RentUnscoped((max - min + 1) * size, Device.Cpu);
            Ambient.Current.Cuda(t.Device).Read(t.Storage.Pointer + (nint)(min * size), (void*)storage.Pointer, (max - min + 1) * size);
            return new Tensor(storage, t.Layout.Shift(-min), t.DType);
        }

        /// <summary>For messages: <c>f32[64,10]@cpu</c>.</summary>
        internal string Describe() => $"{t.DType.Name()}{t.Shape}@{t.Device}";
    }

    private static void CheckType<T>(Tensor t, string op) where T : unmanaged
    {
        t.CheckAlive(op);
        if (DTypes.Of<T>() != t.DType)
            throw new DTypeException($"{op}: {t.Describe()} does not hold {DTypes.Of<T>().Name()}. Convert it with .To(DType.{DTypes.Of<T>()}), or ask for {t.DType.Name()}.");
    }

    private static void CheckHost(Tensor t, string op)
    {
        if (!t.Device.IsCpu)
            throw new DeviceException($"{op}: {t.Describe()} is not in host memory. Copy it with ToArray, or move it with To(Device.Cpu) first.");
    }

    private static void CheckDense(Tensor t, string op)
    {
        t.CheckAlive(op);
        if (!t.Layout.IsDense)
            throw new ShapeException($"{op}: {t.Describe()} is a strided view. Call Contiguous() first.");
    }
}

/// <summary>Walks the element offsets of a layout in row-major order: the slow, always right way.</summary>
internal struct LayoutWalk
{
    private readonly Layout _layout;
    private Index8 _index;
    private long _left, _at;

    public LayoutWalk(Layout layout)
    {
        _layout = layout;
        _left = layout.Count;
    }

    /// <summary>The next offset, relative to the layout's own; false at the end.</summary>
    public bool Next(out long at)
    {
        at = _at;
        if (_left == 0)
            return false;
        _left--;
        for (int d = _layout.Rank - 1; d >= 0; d--)
        {
            _at += _layout.Strides[d];
            if (++_index[d] < _layout.Dims[d])
                break;
            _at -= _layout.Dims[d] * _layout.Strides[d];
            _index[d] = 0;
        }
        return true;
    }

    [InlineArray(Native.Shape.MaxRank)]
    private struct Index8
    {
        private long _first;
    }
}
