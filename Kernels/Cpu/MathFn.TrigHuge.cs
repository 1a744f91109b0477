namespace Native;

// Argument reduction for |x| above TrigLimit, one element at a time: rare, so exactness and plain text come before speed.
internal static partial class MathFn
{
    // 64 zero bits, then the first 1216 bits of 2/pi.
    private static ReadOnlySpan<ulong> TwoOverPiBits =>
    [
        0x0000000000000000, 0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041,
        0xFE5163ABDEBBC561, 0xB7246E3A424DD2E0, 0x06492EEA09D1921C, 0xFE1DEB1CB129A73E,
        0xE88235F52EBB4484, 0xE99C7026B45F7E41, 0x3991D639835339F4, 0x9C845F8BBDF9283B,
        0x1FF897FFDE05980F, 0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7, 0x4F463F669E5FEA2D,
        0x7527BAC7EBE5F17B, 0x3D0739F78A5292EA, 0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB
    ];

    // Payne-Hanek, exact for every finite |x| >= 2^-10: the 192 bits of 2/pi that matter, times the 53-bit mantissa, modulo 4 turns
    // of pi/2. hi + lo = x - q*pi/2 with |hi| <= pi/4, about 100 bits; infinity and NaN give NaN.
    private static void TrigReduceExact(double x, out double hi, out double lo, out int q)
    {
        ulong bits = BitConverter.DoubleToUInt64Bits(x) & 0x7FFFFFFFFFFFFFFF;
        int exponent = (int)(bits >> 52) - 1075;
        if (exponent == 972)
        {
            hi = lo = x - x;
            q = 0;
            return;
        }
        ulong mantissa = (bits & 0x000FFFFFFFFFFFFF) | 0x0010000000000000;

        // Bits before this one are multiples of 4 after the product and drop out.
        int first = exponent - 2 + 64, word = first >> 6, shift = first & 63;
        Span<ulong> w = stackalloc ulong[3];
        for (int i = 0; i < 3; i++)
            w[i] = shift == 0 ? TwoOverPiBits[word + i]
                              : (TwoOverPiBits[word + i] << shift) | (TwoOverPiBits[word + i + 1] >> (64 - shift));
        ulong c = mantissa * w[2];
        ulong b = mantissa * w[1] + Math.BigMul(mantissa, w[2], out _);
        ulong carry = b < mantissa * w[1] ? 1UL : 0UL;
        ulong a = mantissa * w[0] + Math.BigMul(mantissa, w[1], out _) + carry;

        // a.b.c / 2^190 = x / (pi/2) mod 4: the top two bits count quadrants, the rest is a signed fraction of one.
        q = (int)(((a >> 62) + ((a >> 61) & 1)) & 3);
        a = (a << 2) | (b >> 62);
        b = (b << 2) | (c >> 62);
        c <<= 2;
        bool negative = (a >> 63) != 0;
        if (negative)
        {
            c = ~c + 1;
            b = ~b + (c == 0 ? 1UL : 0UL);
            a = ~a + (b == 0 && c == 0 ? 1UL : 0UL);
        }
        double scale = 1.1102230246251565e-16; // 2^-53
        while ((a >> 63) == 0)
        {
            a = (a << 1) | (b >> 63);
            b = (b << 1) | (c >> 63);
            c <<= 1;
            scale *= 0.5;
        }
        double h = (double)(a >> 11) * scale;
        double l = (double)(((a & 0x7FF) << 42) | (b >> 22)) * scale * 1.1102230246251565e-16;
        hi = h * F64.Pio21;
        lo = Math.FusedMultiplyAdd(h, F64.Pio21, -hi) + Math.FusedMultiplyAdd(h, F64.Pio22, l * F64.Pio21);
        if (negative != (x < 0.0))
        {
            hi = -hi;
            lo = -lo;
        }
        if (x < 0.0) q = -q & 3;
    }
}
