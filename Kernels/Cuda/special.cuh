// erf, sin, cos and pow: the second half of common.cuh, which must come before it. Same rules, same order as the MathFn files named
// below.

// ---- erf (MathFn.Erf.cs)

// erf(x)/x - 1 in z = x^2 <= 1; own weighted Remez fit, degree 6, error with rounded coefficients 2^-26.0 relative to x.
__device__ __forceinline__ float nat_erf_small_poly(float z)
{
    float p = 7.88913167e-05f;
    p = nat_fma(p, z, -0.000802084396f);
    p = nat_fma(p, z, 0.00518953567f);
    p = nat_fma(p, z, -0.0268544443f);
    p = nat_fma(p, z, 0.112836003f);
    p = nat_fma(p, z, -0.37612626f);
    return nat_fma(p, z, 0.128379166f);
}

// log(erfc(1 + w)) for w in [0, 3]; own weighted Remez fit, degree 6, error with rounded coefficients 2^-26.9 times erfc, that is
// absolute in erf.
__device__ __forceinline__ float nat_erfc_log_poly(float w)
{
    float p = 0.000185570156f;
    p = nat_fma(p, w, -0.00182614964f);
    p = nat_fma(p, w, 0.00989087578f);
    p = nat_fma(p, w, -0.0415006801f);
    p = nat_fma(p, w, -0.84311831f);
    p = nat_fma(p, w, -2.6389668f);
    return nat_fma(p, w, -1.84960556f);
}

// erf(x)/x - 1 in z = x^2 <= 1; own weighted Remez fit, degree 12, error with rounded coefficients 2^-55.9 relative to x.
__device__ __forceinline__ double nat_erf_small_poly(double z)
{
    double p = 5.960685348363502e-11;
    p = nat_fma(p, z, -1.1374954862909296e-09);
    p = nat_fma(p, z, 1.466032824399821e-08);
    p = nat_fma(p, z, -1.6350396109483092e-07);
    p = nat_fma(p, z, 1.6461008462592439e-06);
    p = nat_fma(p, z, -1.4925595770910213e-05);
    p = nat_fma(p, z, 0.00012055331132887413);
    p = nat_fma(p, z, -0.0008548326981423169);
    p = nat_fma(p, z, 0.0052239776248283794);
    p = nat_fma(p, z, -0.026866170645077868);
    p = nat_fma(p, z, 0.11283791670954885);
    p = nat_fma(p, z, -0.3761263890318375);
    return nat_fma(p, z, 0.1283791670955126);
}

// log(erfc(1 + w)) for w in [0, 5]; own weighted Remez fit, degree 19, error with rounded coefficients 2^-57.2 times erfc, that is
// absolute in erf.
__device__ __forceinline__ double nat_erfc_log_poly(double w)
{
    double p = -1.223503856885583e-13;
    p = nat_fma(p, w, 4.115869293203323e-12);
    p = nat_fma(p, w, -6.404681117342233e-11);
    p = nat_fma(p, w, 6.119364799395092e-10);
    p = nat_fma(p, w, -4.002756913449347e-09);
    p = nat_fma(p, w, 1.8719402059597e-08);
    p = nat_fma(p, w, -6.145213824143215e-08);
    p = nat_fma(p, w, 1.1506856719756599e-07);
    p = nat_fma(p, w, 1.1812160021603294e-07);
    p = nat_fma(p, w, -2.033206104495264e-06);
    p = nat_fma(p, w, 9.587372598430928e-06);
    p = nat_fma(p, w, -2.7146105154543117e-05);
    p = nat_fma(p, w, 2.6272130200694347e-05);
    p = nat_fma(p, w, 0.0002373242845034831);
    p = nat_fma(p, w, -0.001977902954378847);
    p = nat_fma(p, w, 0.01003382542785738);
    p = nat_fma(p, w, -0.04156109804618498);
    p = nat_fma(p, w, -0.8431072563584932);
    p = nat_fma(p, w, -2.6389675142347913);
    return nat_fma(p, w, -1.8496055099332482);
}

template <class T> __device__ __forceinline__ T nat_erf(T x)
{
    // Odd polynomial below 1; above, 1 - e^g with g a polynomial for log(erfc): no division and no x*x to be rounded in the
    // exponent.
    T a = nat_abs(x);
    T small = nat_fma(x, nat_erf_small_poly(x * x), x);
    T g = nat_erfc_log_poly((a > nat_k<T>::ERF_HI ? nat_k<T>::ERF_HI : a) - T(1));
    T t;
    T r = nat_exp_reduce(g, t);
    T s = nat_pow2(t);
    T big = nat_fma(-nat_exp_minus1(r), s, T(1) - s);
    return a < T(1) ? small : nat_or_sign(big, x);
}

// ---- sin, cos (MathFn.Trig.cs)

// 64 zero bits, then the first 1216 bits of 2/pi.
__device__ static const nat_u64 nat_two_over_pi[20] = {
    0x0000000000000000ull, 0xA2F9836E4E441529ull, 0xFC2757D1F534DDC0ull, 0xDB6295993C439041ull,
    0xFE5163ABDEBBC561ull, 0xB7246E3A424DD2E0ull, 0x06492EEA09D1921Cull, 0xFE1DEB1CB129A73Eull,
    0xE88235F52EBB4484ull, 0xE99C7026B45F7E41ull, 0x3991D639835339F4ull, 0x9C845F8BBDF9283Bull,
    0x1FF897FFDE05980Full, 0xEF2F118B5A0A6D1Full, 0x6D367ECF27CB09B7ull, 0x4F463F669E5FEA2Dull,
    0x7527BAC7EBE5F17Bull, 0x3D0739F78A5292EAull, 0x6BFB5FB11F8D5D08ull, 0x56033046FC7B6BABull
};

// Payne-Hanek, exact for every finite |x| >= 2^-10: the 192 bits of 2/pi that matter, times the 53-bit mantissa, modulo 4 turns of pi/2.
// hi + lo = x - q*pi/2 with |hi| <= pi/4, about 100 bits; infinity and NaN give NaN.
__device__ inline void nat_trig_reduce_exact(double x, double& hi, double& lo, int& q)
{
    nat_u64 bits = nat_bits(x) & 0x7FFFFFFFFFFFFFFFull;
    int exponent = (int)(bits >> 52) - 1075;
    if (exponent == 972)
    {
        hi = lo = x - x;
        q = 0;
        return;
    }
    nat_u64 mantissa = (bits & 0x000FFFFFFFFFFFFFull) | 0x0010000000000000ull;

    // Bits before this one are multiples of 4 after the product and drop out.
    int first = exponent - 2 + 64, word = first >> 6, shift = first & 63;
    nat_u64 w[3];
    for (int i = 0; i < 3; i++)
        w[i] = shift == 0 ? nat_two_over_pi[word + i]
                          : (nat_two_over_pi[word + i] << shift) | (nat_two_over_pi[word + i + 1] >> (64 - shift));
    nat_u64 c = mantissa * w[2];
    nat_u64 b = mantissa * w[1] + __umul64hi(mantissa, w[2]);
    nat_u64 carry = b < mantissa * w[1] ? 1 : 0;
    nat_u64 a = mantissa * w[0] + __umul64hi(mantissa, w[1]) + carry;

    // a.b.c / 2^190 = x / (pi/2) mod 4: the top two bits count quadrants, the rest is a signed fraction of one.
    q = (int)(((a >> 62) + ((a >> 61) & 1)) & 3);
    a = (a << 2) | (b >> 62);
    b = (b << 2) | (c >> 62);
    c <<= 2;
    bool negative = (a >> 63) != 0;
    if (negative)
    {
        c = ~c + 1;
        b = ~b + (c == 0 ? 1 : 0);
        a = ~a + (b == 0 && c == 0 ? 1 : 0);
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
    hi = h * nat_k<double>::PIO2_1;
    lo = fma(h, nat_k<double>::PIO2_1, -hi) + fma(h, nat_k<double>::PIO2_2, l * nat_k<double>::PIO2_1);
    if (negative != (x < 0.0))
    {
        hi = -hi;
        lo = -lo;
    }
    if (x < 0.0) q = -q & 3;
}
__device__ inline void nat_trig_huge(double x, double& r, double& lo, double& t)
{
    int q;
    nat_trig_reduce_exact(x, r, lo, q);
    t = nat_k<double>::MAGIC + (double)q;
}
__device__ inline void nat_trig_huge(float x, float& r, float& lo, float& t)
{
    double hi64, lo64;
    int q;
    nat_trig_reduce_exact((double)x, hi64, lo64, q);
    r = (float)hi64;
    lo = (float)((hi64 - (double)r) + lo64);
    t = nat_k<float>::MAGIC + (float)q;
}

// sin or cos of quadrant n (the low bits of t): the other polynomial when n is odd, negated when n is 2 or 3.
__device__ __forceinline__ float nat_quadrant(float t, float s, float c)
{
    nat_u32 n = nat_bits(t);
    return nat_from_bits(nat_bits((n & 1u) != 0u ? c : s) ^ ((n & 2u) << 30));
}
__device__ __forceinline__ double nat_quadrant(double t, double s, double c)
{
    nat_u64 n = nat_bits(t);
    return nat_from_bits(nat_bits((n & 1ull) != 0ull ? c : s) ^ ((n & 2ull) << 62));
}

// (sin(r)/r - 1) / z in z = r^2, |r| <= 0.80; own weighted Remez fit, degree 2, error with rounded coefficients 2^-27.5 relative to
// r.
__device__ __forceinline__ float nat_sin_poly(float z)
{
    float p = -0.000195052402f;
    p = nat_fma(p, z, 0.00833209045f);
    return nat_fma(p, z, -0.166666538f);
}

// (cos(r) - 1 + z/2) / z^2 in z = r^2, |r| <= 0.80; own weighted Remez fit, degree 2, error with rounded coefficients 2^-30.8
// absolute in cos.
__device__ __forceinline__ float nat_cos_poly(float z)
{
    float p = 2.44249222e-05f;
    p = nat_fma(p, z, -0.00138872513f);
    return nat_fma(p, z, 0.0416666456f);
}

// (sin(r)/r - 1) / z in z = r^2, |r| <= 0.79; own weighted Remez fit, degree 5, error with rounded coefficients 2^-57.7 relative to
// r.
__device__ __forceinline__ double nat_sin_poly(double z)
{
    double p = 1.589493149480162e-10;
    p = nat_fma(p, z, -2.5050726859158825e-08);
    p = nat_fma(p, z, 2.7557313498576296e-06);
    p = nat_fma(p, z, -0.00019841269829270371);
    p = nat_fma(p, z, 0.00833333333332177);
    return nat_fma(p, z, -0.1666666666666663);
}

// (cos(r) - 1 + z/2) / z^2 in z = r^2, |r| <= 0.79; own weighted Remez fit, degree 5, error with rounded coefficients 2^-62.5
// absolute in cos.
__device__ __forceinline__ double nat_cos_poly(double z)
{
    double p = -1.1358371148343715e-11;
    p = nat_fma(p, z, 2.0875699342576466e-09);
    p = nat_fma(p, z, -2.755731418205926e-07);
    p = nat_fma(p, z, 2.480158728891454e-05);
    p = nat_fma(p, z, -0.0013888888888873253);
    return nat_fma(p, z, 0.041666666666666595);
}

template <class T> __device__ __forceinline__ T nat_trig_reduce(T x, T& t, T& lo)
{
    // x = n*pi/2 + r + lo, t = MAGIC + n. The first product is exact inside the fma, and so is its difference with x; the second is
    // kept with its error.
    t = nat_fma(x, nat_k<T>::TWO_OVER_PI, nat_k<T>::MAGIC);
    T n = t - nat_k<T>::MAGIC;
    T r1 = nat_fma(n, -nat_k<T>::PIO2_1, x);
    T p = n * nat_k<T>::PIO2_2;
    T pl = nat_fma(n, nat_k<T>::PIO2_2, -p);
    T r = r1 - p;
    T b = r - r1;
    lo = r1 - (r - b) - (p + b) - nat_fma(n, nat_k<T>::PIO2_3, pl);
    if (nat_abs(x) > nat_k<T>::TRIG_LIMIT) nat_trig_huge(x, r, lo, t);
    return r;
}

template <class T> __device__ __forceinline__ T nat_sin_part(T r, T lo)
{
    T z = r * r;
    return r + nat_fma(r * z, nat_sin_poly(z), lo);
}

template <class T> __device__ __forceinline__ T nat_cos_part(T r, T lo)
{
    T z = r * r;
    return T(1) + nat_fma(z, nat_fma(z, nat_cos_poly(z), T(-0.5)), -(r * lo));
}

template <class T> __device__ __forceinline__ T nat_sin(T x)
{
    T t;
    T lo;
    T r = nat_trig_reduce(x, t, lo);
    T y = nat_quadrant(t, nat_sin_part(r, lo), nat_cos_part(r, lo));
    // sin(-0) = -0, which the sums above lose.
    return x == T(0) ? x : y;
}

template <class T> __device__ __forceinline__ T nat_cos(T x)
{
    T t;
    T lo;
    T r = nat_trig_reduce(x, t, lo);
    return nat_quadrant(t + T(1), nat_sin_part(r, lo), nat_cos_part(r, lo));
}

// ---- pow (MathFn.Pow.cs)

// ((atanh(s)/s - 1)/z - 1/3) / z in z = s^2 <= 0.02945; own weighted Remez fit, degree 7, error with rounded coefficients 2^-66.3
// relative to atanh(s).
__device__ __forceinline__ double nat_pow_poly(double z)
{
    double p = 0.05994768718740017;
    p = nat_fma(p, z, 0.058373778387908366);
    p = nat_fma(p, z, 0.06668160254312747);
    p = nat_fma(p, z, 0.07692278395407388);
    p = nat_fma(p, z, 0.09090909435744363);
    p = nat_fma(p, z, 0.1111111110876345);
    p = nat_fma(p, z, 0.14285714285722576);
    return nat_fma(p, z, 0.1999999999999999);
}

__device__ __forceinline__ double nat_pow_log(double x, double& lo)
{
    // log x = hi + lo for x > 0 with about 65 bits: e*ln 2 + 2 atanh(s), s = (m-1)/(m+1); every step that reaches above 2^-66
    // carries its error.
    bool tiny = x < nat_k<double>::MIN_NORMAL;
    double e;
    double m = nat_log_split(tiny ? x * nat_k<double>::LOG_UP : x, e);
    e = tiny ? e - nat_k<double>::LOG_UP_BITS : e;
    double f = m - 1.0;
    double d = m + 1.0;
    double dl = m - (d - 1.0);
    double i = 1.0 / d;
    double s = f * i;
    double sl = nat_fma(-s, dl, nat_fma(-s, d, f)) * i;
    double z = s * s;
    double zl = nat_fma(s, s, -z) + (s + s) * sl;
    // a + al = 1/3 + z*Q(z), b + bl = z*a, h + hl = 2s*(1 + b).
    double q = nat_fma(z, nat_pow_poly(z), nat_k<double>::THIRD_LO);
    double a = nat_k<double>::THIRD + q;
    double al = q - (a - nat_k<double>::THIRD);
    double b = z * a;
    double bl = nat_fma(z, a, -b) + nat_fma(z, al, zl * a);
    double s2 = s + s;
    double sl2 = sl + sl;
    double c = s2 * b;
    double cl = nat_fma(s2, b, -c) + nat_fma(s2, bl, sl2 * b);
    double h = s2 + c;
    double hl = c - (h - s2) + (sl2 + cl);
    // e*LN2_HI is exact, and is 0 or larger than h.
    double k = e * nat_k<double>::LN2_HI;
    double y = k + h;
    lo = h - (y - k) + nat_fma(e, nat_k<double>::LN2_LO, hl);
    return y;
}

__device__ __forceinline__ double nat_pow_edges(double x, double y, double mag)
{
    // The special cases of C99 pow, on top of mag = |x|^y.
    bool whole = floor(y) == y;
    double half = y * 0.5;
    bool odd = whole && (floor(half) != half);
    double a = nat_abs(x);
    double v = a == 1.0 ? 1.0 : mag;
    bool root = (x < 0.0) && (a < nat_inf<double>()) && !whole;
    v = root ? nat_nan<double>() : v;
    v = odd ? nat_or_sign(v, x) : v;
    v = (x == x) && (y == y) ? v : x + y;
    return (y == 0.0) || (x == 1.0) ? 1.0 : v;
}

__device__ __forceinline__ double nat_pow(double x, double y)
{
    double a = nat_abs(x);
    double lo;
    double l = nat_pow_log(a, lo);
    l = a == 0.0 ? -nat_inf<double>() : l;
    l = a == nat_inf<double>() ? nat_inf<double>() : l;
    double p = y * l;
    double pl = nat_fma(y, l, -p) + y * lo;
    // Outside +-POW_HI the answer is 0 or infinity, and the error term would be inf - inf.
    bool inside = nat_abs(p) < nat_k<double>::POW_HI;
    p = inside ? p : (p > 0.0 ? nat_k<double>::POW_HI : -nat_k<double>::POW_HI);
    pl = inside ? pl : 0.0;
    double t;
    double r = nat_exp_reduce(p, t);
    return nat_pow_edges(x, y, nat_exp_scale(nat_exp_minus1(r + pl), t));
}

__device__ __forceinline__ float nat_pow(float x, float y)
{
    double a = (double)x, b = (double)y;
    return (float)nat_pow_edges(a, b, nat_exp(b * nat_log(nat_abs(a))));
}
