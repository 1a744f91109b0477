using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Text;

[assembly: InternalsVisibleTo("native")]

namespace Native;

/// <summary>
/// One hash per elementary function over a fixed input set. The instruction set is chosen when the process starts, so "the same bits
/// everywhere" can only be checked between processes: <c>native fingerprint</c> prints this text, and a test compares the runs.
/// </summary>
internal static class MathFnFingerprint
{
    private const int Count = 4096;

    public static readonly string[] Names =
        ["exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf", "sin", "cos", "sinh", "cosh", "rsqrt", "sign", "pow"];

    private static readonly double[] Special =
        [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1e-30, -1e-30, 1e-8, -1e-8, 1e-4, -1e-4, 1e-45,
         5e-324, 1e-310, 88.5, 89.2, -87.5,
         -103.5, 709.5, 710.3, -745.0, -708.5, 1e5, 1e8, 1e22, 3e38, 1.7e308, double.PositiveInfinity, double.NegativeInfinity, double.NaN];

    /// <summary>First line: what the process runs on. Then one line per function and type: name, type, 64-bit FNV-1a in hexadecimal.</summary>
    public static string Compute()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# v512 {Vector512.IsHardwareAccelerated} v256 {Vector256.IsHardwareAccelerated} ");
        text.Append(CultureInfo.InvariantCulture, $"fma {Fma.IsSupported}\n");
        foreach (string name in Names)
        {
            ulong f = 14695981039346656037, d = f;
            foreach (float v in Apply(name, Inputs<float>(0), Inputs<float>(1)))
                f = Mix(f, float.IsNaN(v) ? 0x7FC00000UL : BitConverter.SingleToUInt32Bits(v));
            foreach (double v in Apply(name, Inputs<double>(0), Inputs<double>(1)))
                d = Mix(d, double.IsNaN(v) ? 0x7FF8000000000000UL : BitConverter.DoubleToUInt64Bits(v));
            text.Append(CultureInfo.InvariantCulture, $"{name} f32 {f:x16}\n{name} f64 {d:x16}\n");
        }
        return text.ToString();
    }

    /// <summary>The fixed inputs: special values, any bit pattern, moderate and small sizes. Stream 1 is the exponents of pow.</summary>
    public static T[] Inputs<T>(ulong stream) where T : unmanaged
    {
        var x = new T[Count];
        ulong state = 0x9E3779B97F4A7C15 * (stream + 1);
        for (int i = 0; i < Count; i++)
        {
            ulong r = Next(ref state);
            double unit = (double)(Next(ref state) >> 11) * 1.1102230246251565e-16;
            double v = i < 1024 ? Special[stream == 0 ? i % 32 : i / 32]
                : i < 2048 ? (typeof(T) == typeof(float) ? BitConverter.UInt32BitsToSingle((uint)r) : BitConverter.UInt64BitsToDouble(r))
                : i < 3072 ? 20.0 * (unit - 0.5)
                : i < 3584 ? 200.0 * (unit - 0.5)
                : BitConverter.UInt64BitsToDouble((r & 0x8000000000000000) | ((1023 - (r >> 8) % 40) << 52)) * unit;
            x[i] = typeof(T) == typeof(float) ? (T)(object)(float)v : (T)(object)v;
        }
        return x;
    }

    /// <summary>name(x), or x^y for pow, element by element; lengths are multiples of the vector.</summary>
    public static T[] Apply<T>(string name, T[] x, T[] y) where T : unmanaged
    {
        var result = new T[x.Length];
        for (int i = 0; i < x.Length; i += Vector512<T>.Count)
            Call(name, Vector512.Create<T>(x.AsSpan(i)), Vector512.Create<T>(y.AsSpan(i))).CopyTo(result.AsSpan(i));
        return result;
    }

    /// <summary>One vector through the function called <paramref name="name"/>.</summary>
    public static Vector512<T> Call<T>(string name, Vector512<T> x, Vector512<T> y) where T : unmanaged => name switch
    {
        "exp" => MathFn.Exp(x),
        "expm1" => MathFn.Expm1(x),
        "log" => MathFn.Log(x),
        "log1p" => MathFn.Log1p(x),
        "tanh" => MathFn.Tanh(x),
        "sigmoid" => MathFn.Sigmoid(x),
        "softplus" => MathFn.Softplus(x),
        "erf" => MathFn.Erf(x),
        "sin" => MathFn.Sin(x),
        "cos" => MathFn.Cos(x),
        "sinh" => MathFn.Sinh(x),
        "cosh" => MathFn.Cosh(x),
        "rsqrt" => MathFn.Rsqrt(x),
        "sign" => MathFn.Sign(x),
        "pow" => MathFn.Pow(x, y),
        _ => throw new ArgumentException($"fingerprint: there is no function '{name}'. Use one of {string.Join(", ", Names)}."),
    };

    private static ulong Mix(ulong hash, ulong value)
    {
        for (int i = 0; i < 8; i++, value >>= 8) hash = (hash ^ (value & 0xFF)) * 1099511628211;
        return hash;
    }

    // SplitMix64: a fixed sequence of well-mixed bit patterns.
    private static ulong Next(ref ulong state)
    {
        ulong z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
