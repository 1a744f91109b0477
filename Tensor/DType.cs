namespace Native;

/// <summary>Element type of a tensor. The names are the ones printed everywhere: <c>f32 f64 i32 i64 u8 bool</c>.</summary>
public enum DType : byte
{
    /// <summary>IEEE 754 single precision; the default.</summary>
    F32,

    /// <summary>IEEE 754 double precision; what gradient checks run in.</summary>
    F64,

    /// <summary>32-bit signed integer.</summary>
    I32,

    /// <summary>64-bit signed integer; the type of indices and labels.</summary>
    I64,

    /// <summary>8-bit unsigned integer; the type of images at rest.</summary>
    U8,

    /// <summary>Truth value, one byte, 0 or 1; what comparisons return.</summary>
    Bool,
}

/// <summary>Size, name and kind of each <see cref="DType"/>.</summary>
public static class DTypes
{
    /// <summary>All dtypes, in declaration order.</summary>
    public static ReadOnlySpan<DType> All => [DType.F32, DType.F64, DType.I32, DType.I64, DType.U8, DType.Bool];

    /// <summary>Bytes per element.</summary>
    public static int Size(this DType dtype) => dtype switch
    {
        DType.F64 or DType.I64 => 8,
        DType.F32 or DType.I32 => 4,
        _ => 1,
    };

    /// <summary>The printed name, for example <c>f32</c>.</summary>
    public static string Name(this DType dtype) => dtype switch
    {
        DType.F32 => "f32",
        DType.F64 => "f64",
        DType.I32 => "i32",
        DType.I64 => "i64",
        DType.U8 => "u8",
        _ => "bool",
    };

    /// <summary>True for f32 and f64: the dtypes that carry gradients.</summary>
    public static bool IsFloat(this DType dtype) => dtype <= DType.F64;

    /// <summary>The dtype of a CLR element type; <see cref="DTypeException"/> for any other type.</summary>
    public static DType Of<T>() where T : unmanaged =>
        typeof(T) == typeof(float) ? DType.F32
        : typeof(T) == typeof(double) ? DType.F64
        : typeof(T) == typeof(int) ? DType.I32
        : typeof(T) == typeof(long) ? DType.I64
        : typeof(T) == typeof(byte) ? DType.U8
        : typeof(T) == typeof(bool) ? DType.Bool
        : throw new DTypeException($"dtype: no tensor holds elements of type {typeof(T).Name}. Use float, double, int, long, byte or bool.");

    /// <summary>Parses a printed name; null when unknown.</summary>
    public static DType? Parse(string name)
    {
        foreach (var d in All)
            if (d.Name() == name)
                return d;
        return null;
    }
}
