using System.Runtime.Intrinsics;
using Xunit.Abstractions;

namespace Native.Tests;

/// <summary>The elementary functions: accuracy against a BigInteger oracle, special values, equal bits in tails.</summary>
public sealed class MathFnTests(ITestOutputHelper output)
{
    private const double Inf = double.PositiveInfinity, NaN = double.NaN;

    public static TheoryData<string> Smooth => [.. MathFnFingerprint.Names.Where(n => n != "sign")];

    [Theory]
    [MemberData(nameof(Smooth))]
    public void Float64IsWithinTwoUlpsOfTheOracle(string name) =>
        CheckAgainstOracle<double>(name, Samples(name, 400, 709.7, 745.1, 1020), 53, -1074);

    [Theory]
    [MemberData(nameof(Smooth))]
    public void Float32IsWithinTwoUlpsOfTheOracle(string name) =>
        CheckAgainstOracle<float>(name, Samples(name, 400, 88.7, 103.9, 126), 24, -149);

    /// <summary>Every 6151st float: the f64 functions, checked above, are 29 bits finer and serve as the oracle.</summary>
    [Theory]
    [MemberData(nameof(Smooth))]
    public void Float32IsWithinTwoUlpsOverAllBitPatterns(string name)
    {
        const int Step = 6151, Lanes = 16;
        double worst = 0, at = 0;
        var y = Vector512.Create(name == "pow" ? 1.7f : 0f);
        var x = new float[Lanes];
        for (uint bits = 0; bits < uint.MaxValue - Lanes * Step; bits += Lanes * Step)
        {
            for (int i = 0; i < Lanes; i++) x[i] = BitConverter.UInt32BitsToSingle(bits + (uint)(i * Step));
            var v = Vector512.Create(x);
            var got = MathFnFingerprint.Call(name, v, y);
            var low = MathFnFingerprint.Call(name, Vector512.WidenLower(v), Vector512.WidenLower(y));
            var high = MathFnFingerprint.Call(name, Vector512.WidenUpper(v), Vector512.WidenUpper(y));
            for (int i = 0; i < Lanes; i++)
            {
                double error = UlpsOfFloat(got[i], i < 8 ? low[i] : high[i - 8]);
                if (!(error <= worst)) (worst, at) = (error, x[i]);
            }
        }
        output.WriteLine($"{name} f32, all bit patterns: worst {worst:F3} ulp at {at:R}");
        Assert.True(worst <= 2.0, $"{name}({at:R}) is off by {worst:F3} ulp; the limit is 2.");
    }

    [Fact]
    public void SpecialValuesHold()
    {
        (string Name, double X, double Y, double Expected)[] rows =
        [
            ("exp", 0, 0, 1), ("exp", -0.0, 0, 1), ("exp", -Inf, 0, 0), ("exp", Inf, 0, Inf), ("exp", 800, 0, Inf), ("exp", -800, 0, 0),
            ("expm1", 0, 0, 0), ("expm1", -0.0, 0, -0.0), ("expm1", -Inf, 0, -1), ("expm1", Inf, 0, Inf), ("expm1", -100, 0, -1),
            ("log", 1, 0, 0), ("log", 0, 0, -Inf), ("log", -0.0, 0, -Inf), ("log", -1, 0, NaN), ("log", Inf, 0, Inf), ("log", -Inf, 0, NaN),
            ("log1p", 0, 0, 0), ("log1p", -0.0, 0, -0.0), ("log1p", -1, 0, -Inf), ("log1p", -2, 0, NaN),
            ("log1p", Inf, 0, Inf), ("log1p", -Inf, 0, NaN),
            ("tanh", 0, 0, 0), ("tanh", -0.0, 0, -0.0), ("tanh", Inf, 0, 1), ("tanh", -Inf, 0, -1), ("tanh", 50, 0, 1),
            ("sigmoid", 0, 0, 0.5), ("sigmoid", Inf, 0, 1), ("sigmoid", -Inf, 0, 0), ("sigmoid", 800, 0, 1),
            ("softplus", Inf, 0, Inf), ("softplus", -Inf, 0, 0), ("softplus", 1000, 0, 1000), ("softplus", -1000, 0, 0),
            ("erf", 0, 0, 0), ("erf", -0.0, 0, -0.0), ("erf", Inf, 0, 1), ("erf", -Inf, 0, -1), ("erf", 30, 0, 1),
            ("sin", 0, 0, 0), ("sin", -0.0, 0, -0.0), ("sin", Inf, 0, NaN), ("sin", -Inf, 0, NaN),
            ("cos", 0, 0, 1), ("cos", -0.0, 0, 1), ("cos", Inf, 0, NaN), ("cos", -Inf, 0, NaN),
            ("sinh", 0, 0, 0), ("sinh", -0.0, 0, -0.0), ("sinh", Inf, 0, Inf), ("sinh", -Inf, 0, -Inf), ("sinh", -800, 0, -Inf),
            ("cosh", 0, 0, 1), ("cosh", -Inf, 0, Inf), ("cosh", Inf, 0, Inf), ("cosh", 800, 0, Inf),
            ("rsqrt", 4, 0, 0.5), ("rsqrt", 0, 0, Inf), ("rsqrt", Inf, 0, 0), ("rsqrt", -1, 0, NaN),
            ("sign", 7, 0, 1), ("sign", -1e-30, 0, -1), ("sign", 0, 0, 0), ("sign", -0.0, 0, -0.0), ("sign", -Inf, 0, -1),
            ("pow", 2, 10, 1024), ("pow", -2, 3, -8), ("pow", -2, 2, 4), ("pow", -2, 0.5, NaN), ("pow", -Inf, 0.5, Inf), ("pow", 9, 0.5, 3),
            ("pow", NaN, 0, 1), ("pow", 1, NaN, 1), ("pow", NaN, 1, NaN), ("pow", 2, NaN, NaN), ("pow", -1, NaN, NaN),
            ("pow", Inf, -0.0, 1),
            ("pow", 0, 3, 0), ("pow", -0.0, 3, -0.0), ("pow", -0.0, 2, 0), ("pow", 0, -1, Inf), ("pow", -0.0, -1, -Inf),
            ("pow", -0.0, -2, Inf),
            ("pow", -0.0, 0.5, 0), ("pow", -0.0, -0.5, Inf), ("pow", 0, Inf, 0), ("pow", 0, -Inf, Inf), ("pow", -1, Inf, 1),
            ("pow", -1, -Inf, 1),
            ("pow", 0.5, Inf, 0), ("pow", 0.5, -Inf, Inf), ("pow", -3, Inf, Inf), ("pow", -3, -Inf, 0), ("pow", Inf, 2, Inf),
            ("pow", Inf, -2, 0),
            ("pow", -Inf, 3, -Inf), ("pow", -Inf, 2, Inf), ("pow", -Inf, -3, -0.0), ("pow", -Inf, -2, 0),
            ("pow", 2, 5000, Inf), ("pow", 2, -5000, 0),
            ("pow", -2, 1e30, Inf), ("pow", 1e30, 0, 1), ("pow", 0.25, -0.5, 2),
        ];
        foreach (var (name, x, y, expected) in rows)
        {
            AssertSame<double>(name, x, y, expected);
            AssertSame<float>(name, (float)x, (float)y, (float)expected);
        }
        foreach (string name in MathFnFingerprint.Names)
        {
            AssertSame<double>(name, NaN, 2, NaN);
            AssertSame<float>(name, float.NaN, 2, float.NaN);
        }
    }

    [Fact]
    public void NearZeroTheOddFunctionsAreTheirArgument()
    {
        foreach (string name in (string[])["expm1", "log1p", "tanh", "sin", "sinh"])
            foreach (double x in (double[])[5e-324, 1e-320, 1e-310, 2.3e-308, 1e-30])
                foreach (double s in (double[])[x, -x])
                {
                    AssertSame<double>(name, s, 0, s);
                    if ((float)s != 0) AssertSame<float>(name, (float)s, 0, (float)s);
                }
        foreach (float x in (float[])[1e-45f, -1e-45f, 1e-40f, 1e-8f, -1e-8f]) AssertSame<float>("tanh", x, 0, x);
    }

    /// <summary>An element gives the same bits alone, in any lane, beside any neighbour (the slow path of sin and cos included).</summary>
    [Fact]
    public void TailsAndScalarsEqualFullVectors()
    {
        CheckTails<float>(v => BitConverter.SingleToUInt32Bits(v), float.IsNaN);
        CheckTails<double>(BitConverter.DoubleToUInt64Bits, double.IsNaN);
        foreach (float x in MathFnFingerprint.Inputs<float>(0))
        {
            var v = Vector512.Create(x);
            Assert.Equal(MathFn.Exp(v)[3], MathFn.Exp(x));
            Assert.Equal(MathFn.Log(v)[3], MathFn.Log(x));
            Assert.Equal(MathFn.Log1p(v)[3], MathFn.Log1p(x));
            Assert.Equal(MathFn.Sin(v)[3], MathFn.Sin(x));
            Assert.Equal(MathFn.Cos(v)[3], MathFn.Cos(x));
            Assert.Equal(MathF.Sqrt(x), MathFn.Sqrt(x));
        }
    }

    private static void CheckTails<T>(Func<T, ulong> bits, Func<T, bool> isNaN) where T : unmanaged
    {
        T[] x = MathFnFingerprint.Inputs<T>(0), y = MathFnFingerprint.Inputs<T>(1);
        foreach (string name in MathFnFingerprint.Names)
        {
            var full = MathFnFingerprint.Apply(name, x, y);
            for (int i = 0; i < x.Length; i += 3)
            {
                T alone = MathFnFingerprint.Call(name, Vector512.CreateScalar(x[i]), Vector512.CreateScalar(y[i])).ToScalar();
                Assert.True(bits(alone) == bits(full[i]) || (isNaN(alone) && isNaN(full[i])),
                    $"{name}({x[i]}, {y[i]}): alone {alone}, in a vector {full[i]}.");
            }
        }
    }

    private void CheckAgainstOracle<T>(string name, IEnumerable<(double X, double Y)> samples, int bits, int smallest) where T : unmanaged
    {
        double worst = 0, atX = 0, atY = 0;
        foreach (var (x0, y0) in samples)
        {
            double x = Round<T>(x0), y = Round<T>(y0);
            var reference = MathOracle.Evaluate(name, x, y, out int p);
            double error = MathOracle.Ulps(Value<T>(name, x, y), reference, p, bits, smallest);
            if (!(error <= worst)) (worst, atX, atY) = (error, x, y);
        }
        output.WriteLine($"{name} {typeof(T).Name}: worst {worst:F3} ulp at {atX:R}{(name == "pow" ? $", {atY:R}" : "")}");
        Assert.True(worst <= 2.0, $"{name}({atX:R}, {atY:R}) is off by {worst:F3} ulp; the limit is 2.");
    }

    // Arguments that reach every regime of the function without overflowing it.
    private static IEnumerable<(double X, double Y)> Samples(string name, int count, double top, double bottom, int exponent)
    {
        ulong state = 12345;
        double Uniform(double low, double high)
        {
            state = state * 6364136223846793005 + 1442695040888963407;
            return low + (high - low) * ((state >> 11) * 1.1102230246251565e-16);
        }
        double Signed(double v) => Uniform(0, 1) < 0.5 ? -v : v;
        double Spread(double low, double high) => Math.ScaleB(Uniform(1, 2), (int)Uniform(low, high));
        double largest = name switch
        {
            "tanh" => 20,
            "erf" => exponent > 200 ? 6 : 4,
            "sin" or "cos" => 1000,
            "sigmoid" or "softplus" => 40,
            _ => top,
        };
        double smallest = name is "exp" or "sigmoid" or "softplus" ? -bottom : name == "expm1" ? -40 : -largest;
        for (int i = 0; i < count; i++)
        {
            if (name is "log" or "rsqrt")
            {
                yield return (Spread(-exponent - 20, exponent), 0);
                yield return (Uniform(0.3, 3), 0);
            }
            else if (name == "log1p")
            {
                yield return (Spread(-60, exponent), 0);
                yield return (Uniform(-0.9999, 3), 0);
                yield return (Signed(Spread(-90, -1)), 0);
            }
            else if (name == "pow")
            {
                double x = i % 3 == 0 ? Spread(-exponent, exponent) : Uniform(0.5, 2);
                yield return (x, Uniform(-bottom, top * 0.999) / Math.Max(Math.Abs(Math.Log(x)), 1e-9) * Math.Sign(Math.Log(x)));
            }
            else
            {
                yield return (Uniform(smallest, largest), 0);
                yield return (Uniform(-1, 1), 0);
                yield return (Uniform(-3, 3), 0);
                yield return (Signed(Spread(-90, -1)), 0);
                if (name is not ("sin" or "cos")) continue;
                yield return (Signed(Spread(1, exponent)), 0);
                yield return (Math.Round(Uniform(1, exponent > 200 ? 1e8 : 1e5)) * Math.PI / 2, 0);
            }
        }
    }

    private static double Round<T>(double x) => typeof(T) == typeof(float) ? (float)x : x;

    private static double Value<T>(string name, double x, double y) where T : unmanaged => typeof(T) == typeof(float)
        ? MathFnFingerprint.Call(name, Vector512.Create((float)x), Vector512.Create((float)y)).ToScalar()
        : MathFnFingerprint.Call(name, Vector512.Create(x), Vector512.Create(y)).ToScalar();

    private static double UlpsOfFloat(float got, double reference)
    {
        if (double.IsNaN(reference)) return float.IsNaN(got) ? 0 : Inf;
        if (!float.IsFinite(got) || double.IsInfinity(reference)) return got == (float)reference ? 0 : Inf;
        int e = reference == 0 ? -149 : Math.Max(Math.ILogB(reference) - 23, -149);
        return Math.ScaleB(Math.Abs(got - reference), -e);
    }

    // Zeros count with their sign.
    private static void AssertSame<T>(string name, double x, double y, double expected) where T : unmanaged
    {
        double got = Value<T>(name, x, y);
        bool same = double.IsNaN(expected) ? double.IsNaN(got) : got == expected && double.IsNegative(got) == double.IsNegative(expected);
        Assert.True(same, $"{name}({x:R}, {y:R}) in {typeof(T).Name} gives {got:R}; expected {expected:R}.");
    }
}
