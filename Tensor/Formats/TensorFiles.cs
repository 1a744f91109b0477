namespace Native;

/// <summary>Tensors to and from the file formats: everything passes through <see cref="HostArray"/>, so that each format knows no device.</summary>
public static class TensorFiles
{
    extension(Tensor t)
    {
        /// <summary>The elements copied to the host, in row-major order.</summary>
        public HostArray ToHostArray() => t.DType switch
        {
            DType.F32 => HostArray.From<float>(t.Shape, t.ToArray<float>()),
            DType.F64 => HostArray.From<double>(t.Shape, t.ToArray<double>()),
            DType.I32 => HostArray.From<int>(t.Shape, t.ToArray<int>()),
            DType.I64 => HostArray.From<long>(t.Shape, t.ToArray<long>()),
            DType.U8 => HostArray.From<byte>(t.Shape, t.ToArray<byte>()),
            _ => HostArray.From<bool>(t.Shape, t.ToArray<bool>()),
        };
    }

    extension(Tensor)
    {
        /// <summary>A tensor that holds a host array's elements.</summary>
        public static Tensor From(HostArray array, Device? device = null)
        {
            var t = Tensor.Empty(array.Shape, array.DType, device);
            t.WriteBytes(array.Data);
            return t;
        }
    }
}
