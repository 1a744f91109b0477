using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector512;

namespace Native;

// Constants of the elementary functions, one set per element type; common.cuh has the same table. Rounded from 500-digit values.
internal static partial class MathFn
{
    private static class F32
    {
        // 1.5 * 2^(mantissa bits): adding it rounds to an integer, kept in the low bits.
        public const float Magic = 12582912.0f;
        // 1 / ln 2.
        public const float Log2e = 1.44269502f;
        // Leading bits of ln 2; times any exponent it is exact.
        public const float Ln2Hi = 0.693145752f;
        // ln 2 - Ln2Hi.
        public const float Ln2Lo = 1.42860677e-06f;
        // Above, exp is infinite.
        public const float ExpHi = 89.0f;
        // Below, exp rounds to 0.
        public const float ExpLo = -104.0f;
        // Below, expm1 rounds to -1.
        public const float Expm1Lo = -18.0f;
        // Above, tanh rounds to 1.
        public const float TanhHi = 1e+01f;
        // Above, cosh is infinite.
        public const float CoshHi = 9e+01f;
        // Smallest normal number.
        public const float MinNormal = 1.17549435e-38f;
        // Lifts subnormals into the normal range before their exponent is read.
        public const float LogUp = 16777216.0f;
        // log2(LogUp).
        public const float LogUpBits = 24.0f;
        // 2^40: above, 1 + x is x to the last bit.
        public const float Log1pBig = 1.09951163e+12f;
        // Above, erf rounds to 1.
        public const float ErfHi = 4.0f;
        // 2 / pi.
        public const float TwoOverPi = 0.636619747f;
        // pi/2 in three parts.
        public const float Pio21 = 1.57079637f;
        public const float Pio22 = -4.37113883e-08f;
        public const float Pio23 = -1.71512451e-15f;
        // Above, the three parts of pi/2 no longer suffice: exact reduction.
        public const float TrigLimit = 131072.0f;
    }

    private static class F64
    {
        // 1.5 * 2^(mantissa bits): adding it rounds to an integer, kept in the low bits.
        public const double Magic = 6755399441055744.0;
        // 1 / ln 2.
        public const double Log2e = 1.4426950408889634;
        // Leading bits of ln 2; times any exponent it is exact.
        public const double Ln2Hi = 0.6931471805598903;
        // ln 2 - Ln2Hi.
        public const double Ln2Lo = 5.497923018708371e-14;
        // Above, exp is infinite.
        public const double ExpHi = 710.0;
        // Below, exp rounds to 0.
        public const double ExpLo = -746.0;
        // Below, expm1 rounds to -1.
        public const double Expm1Lo = -38.0;
        // Above, tanh rounds to 1.
        public const double TanhHi = 20.0;
        // Above, cosh is infinite.
        public const double CoshHi = 711.0;
        // Smallest normal number.
        public const double MinNormal = 2.2250738585072014e-308;
        // Lifts subnormals into the normal range before their exponent is read.
        public const double LogUp = 1.8014398509481984e+16;
        // log2(LogUp).
        public const double LogUpBits = 54.0;
        // 2^40: above, 1 + x is x to the last bit.
        public const double Log1pBig = 1099511627776.0;
        // Above, erf rounds to 1.
        public const double ErfHi = 6.0;
        // 2 / pi.
        public const double TwoOverPi = 0.6366197723675814;
        // pi/2 in three parts.
        public const double Pio21 = 1.5707963267948966;
        public const double Pio22 = 6.123233995736766e-17;
        public const double Pio23 = -1.4973849048591698e-33;
        // Above, the three parts of pi/2 no longer suffice: exact reduction.
        public const double TrigLimit = 1073741824.0;
        // 1/3 in two parts.
        public const double Third = 0.3333333333333333;
        public const double ThirdLo = 1.850371707708594e-17;
        // Beyond +-this, e^p is 0 or infinite.
        public const double PowHi = 800.0;
    }
}
