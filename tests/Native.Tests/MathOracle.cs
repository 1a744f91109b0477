using System.Numerics;

namespace Native.Tests;

/// <summary>
/// Elementary functions in BigInteger fixed point, value = n / 2^p, by plain Taylor series and identities: no constant, polynomial or
/// reduction is shared with the code under test. Each result is good to far more than 70 bits.
/// </summary>
internal static class MathOracle
{
    /// <summary>The named function at x (and y for pow); p comes back as the scale chosen for the size of the result.</summary>
    public static BigInteger Evaluate(string name, double x, double y, out int p)
    {
        // Tiny exponentials need as many bits below the point as they have zeros there.
        p = 320 + (name is "exp" or "sigmoid" or "softplus" && x < 0 ? (int)(1.5 * -x) : 0);
        if (name is "sin" or "cos" && Math.Abs(x) > 1) p += Math.ILogB(x);
        if (name is "rsqrt" or "pow") p = 1600;
        var one = BigInteger.One << p;
        var f = Fixed(x, p);
        var a = BigInteger.Abs(f);
        switch (name)
        {
            case "exp": return Exp(f, p);
            case "expm1": return Exp(f, p) - one;
            case "log": return Log(Fixed(x, p += Math.Max(0, -Math.ILogB(x))), p);
            case "log1p": return Log(one + f, p);
            case "softplus": return Log(one + Exp(f, p), p);
            case "sigmoid": return (one << p) / (one + Exp(-f, p));
            case "tanh":
                var e2 = Exp(2 * f, p);
                return ((e2 - one) << p) / (e2 + one);
            case "sinh": return (Exp(f, p) - Exp(-f, p)) >> 1;
            case "cosh": return (Exp(f, p) + Exp(-f, p)) >> 1;
            case "sin": return Sin(f, p);
            case "cos": return Sin(f + (Pi(p) >> 1), p);
            case "erf": return f.Sign * Erf(a, p);
            case "rsqrt": return Sqrt((one << (2 * p)) / f);
            case "pow": return Exp(Log(f, p) * Fixed(y, 1600) >> 1600, p);
            default: throw new ArgumentOutOfRangeException(nameof(name), name, "no oracle");
        }
    }

    /// <summary>|got - reference| in ulps of the reference, for a format of so many bits and smallest exponent.</summary>
    public static double Ulps(double got, BigInteger reference, int p, int bits, int smallest)
    {
        if (!double.IsFinite(got)) return double.PositiveInfinity;
        int ulp = Math.Max((int)BigInteger.Abs(reference).GetBitLength() - 1 - p - (bits - 1), smallest);
        var error = BigInteger.Abs(Fixed(got, p + 1200) - (reference << 1200)) << 30;
        return (double)(error >> (p + 1200 + ulp)) / (1 << 30);
    }

    /// <summary>x * 2^p, exact when p is at least the number of bits of x below the point.</summary>
    public static BigInteger Fixed(double x, int p)
    {
        long bits = BitConverter.DoubleToInt64Bits(x);
        int exponent = (int)((bits >> 52) & 0x7FF);
        BigInteger m = bits & 0xFFFFFFFFFFFFF;
        if (exponent == 0) exponent = 1;
        else m += 1L << 52;
        int shift = exponent - 1075 + p;
        m = shift >= 0 ? m << shift : m >> -shift;
        return x < 0 ? -m : m;
    }

    // Taylor at x / 2^24, then 24 squarings, each of which doubles the error: 80 guard bits.
    private static BigInteger Exp(BigInteger x, int p)
    {
        const int Halvings = 24, Guard = 80;
        int w = p + Guard;
        BigInteger y = (x << Guard) >> Halvings, sum = BigInteger.One << w, term = sum;
        for (int i = 1; !term.IsZero && term != -BigInteger.One; i++)
        {
            term = ((term * y) >> w) / i;
            sum += term;
        }
        for (int i = 0; i < Halvings; i++) sum = (sum * sum) >> w;
        return sum >> Guard;
    }

    private static BigInteger Log(BigInteger x, int p)
    {
        int k = (int)x.GetBitLength() - 1 - p, w = p + 40;
        var m = k >= 0 ? (x << 40) >> k : (x << 40) << -k;
        var one = BigInteger.One << w;
        return (k * 2 * AtanhRatio(BigInteger.One << w, 3 * one, w) + 2 * AtanhRatio(m - one, m + one, w)) >> 40;
    }

    private static BigInteger AtanhRatio(BigInteger n, BigInteger d, int p)
    {
        BigInteger s = (n << p) / d, square = (s * s) >> p, power = s, sum = s;
        for (int i = 3; !power.IsZero && power != -BigInteger.One; i += 2)
        {
            power = (power * square) >> p;
            sum += power / i;
        }
        return sum;
    }

    private static BigInteger Sin(BigInteger x, int p)
    {
        var pi = Pi(p + 64);
        var wide = x << 64;
        var half = BigInteger.Divide(2 * wide + (wide.Sign < 0 ? -pi : pi), 2 * pi);
        BigInteger r = (wide - half * pi) >> 64, square = (r * r) >> p, term = r, sum = r;
        for (int i = 1; !term.IsZero && term != -BigInteger.One; i++)
        {
            term = -((term * square) >> p) / (2 * i * (2 * i + 1));
            sum += term;
        }
        return half.IsEven ? sum : -sum;
    }

    // 2/sqrt(pi) * sum (-1)^n x^(2n+1) / (n! (2n+1)): the terms reach e^36 at x = 6, which 320 bits bear easily.
    private static BigInteger Erf(BigInteger x, int p)
    {
        BigInteger square = (x * x) >> p, term = x, sum = x;
        for (int i = 1; !term.IsZero && term != -BigInteger.One; i++)
        {
            term = -((term * square) >> p) / i;
            sum += term / (2 * i + 1);
        }
        return (2 * sum << p) / Sqrt(Pi(p) << p);
    }

    private static readonly Dictionary<int, BigInteger> PiCache = [];

    // Machin: pi = 16 atan(1/5) - 4 atan(1/239).
    private static BigInteger Pi(int p)
    {
        lock (PiCache)
        {
            if (!PiCache.TryGetValue(p, out var pi)) PiCache[p] = pi = (16 * AtanInverse(5, p + 32) - 4 * AtanInverse(239, p + 32)) >> 32;
            return pi;
        }
    }

    private static BigInteger AtanInverse(int n, int p)
    {
        BigInteger power = (BigInteger.One << p) / n, sum = power;
        for (int i = 3, sign = -1; !power.IsZero; i += 2, sign = -sign)
        {
            power /= n * n;
            sum += sign * power / i;
        }
        return sum;
    }

    private static BigInteger Sqrt(BigInteger x)
    {
        var r = BigInteger.One << (int)((x.GetBitLength() + 1) / 2);
        while (true)
        {
            var next = (r + x / r) >> 1;
            if (next >= r) return r;
            r = next;
        }
    }
}
