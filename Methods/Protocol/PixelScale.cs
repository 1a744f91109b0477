namespace Native.Methods;

/// <summary>What numbers a network sees for bytes 0 to 255. Part of a stream: sources differ, and so do their results.</summary>
public sealed class PixelScale
{
    private readonly float[] _table;

    private PixelScale(string name, double low, double high, Func<int, float> value)
    {
        (Name, Low, High) = (name, low, high);
        _table = [.. Enumerable.Range(0, 256).Select(value)];
    }

    /// <summary>[0,1]: b / 255 (Gradient Episodic Memory, Automatic Recall Machines).</summary>
    public static PixelScale Unit { get; } = new("[0,1]", 0, 1, b => b / 255f);

    /// <summary>[-1,1]: (b / 255 - 0.5) / 0.5 (Dynamic Generative Memory, MyGO; on CIFAR-10 the code of Maximally Interfered Retrieval).</summary>
    public static PixelScale Symmetric { get; } = new("[-1,1]", -1, 1, b => (b / 255f - 0.5f) / 0.5f);

    /// <summary>For descriptions: <c>[0,1]</c> or <c>[-1,1]</c>.</summary>
    public string Name { get; }

    /// <summary>The value of byte 0.</summary>
    public double Low { get; }

    /// <summary>The value of byte 255.</summary>
    public double High { get; }

    /// <summary>The scale of a name: <c>unit</c> or <c>symmetric</c>; <see cref="UsageException"/> for any other.</summary>
    public static PixelScale Parse(string name) => name switch
    {
        "unit" => Unit,
        "symmetric" => Symmetric,
        _ => throw Unknown.Name("pixel scale", name, ["unit", "symmetric"]),
    };

    /// <summary>Bytes to numbers.</summary>
    public float[] Values(ReadOnlySpan<byte> bytes)
    {
        var x = new float[bytes.Length];
        for (int i = 0; i < x.Length; i++)
            x[i] = _table[bytes[i]];
        return x;
    }

    /// <summary>Numbers to bytes, rounded and clamped, for pictures of what a network makes; NaN becomes 0.</summary>
    public byte[] Bytes(ReadOnlySpan<float> values)
    {
        var bytes = new byte[values.Length];
        for (int i = 0; i < bytes.Length; i++)
        {
            double b = Math.Round((values[i] - Low) / (High - Low) * 255);
            bytes[i] = double.IsNaN(b) ? (byte)0 : (byte)Math.Clamp(b, 0, 255);
        }
        return bytes;
    }
}
