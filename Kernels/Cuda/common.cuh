// Elementary functions of Native for the GPU: the same text of operations as Kernels/Cpu/MathFn.*.cs, in the same order, so the
// bits are equal on every device. Only + - * / sqrt, explicit fma, bit operations and selections; compile with --fmad=false (NVRTC) or
// -ffp-contract=off (g++), never with fast-math. No #include: NVRTC needs no toolkit, and a host compiler brings its own shim of
// __device__, __forceinline__, __float_as_uint, __uint_as_float, __double_as_longlong, __longlong_as_double, __umul64hi, fma and fmaf.
// special.cuh (erf, sin, cos, pow) continues this file. NaN results are equal as NaN; sign and payload of a NaN are whatever
// the hardware gives.

typedef unsigned int nat_u32;
typedef unsigned long long nat_u64;

__device__ __forceinline__ nat_u32 nat_bits(float x) { return __float_as_uint(x); }
__device__ __forceinline__ nat_u64 nat_bits(double x) { return (nat_u64)__double_as_longlong(x); }
__device__ __forceinline__ float nat_from_bits(nat_u32 b) { return __uint_as_float(b); }
__device__ __forceinline__ double nat_from_bits(nat_u64 b) { return __longlong_as_double((long long)b); }
__device__ __forceinline__ float nat_fma(float a, float b, float c) { return fmaf(a, b, c); }
__device__ __forceinline__ double nat_fma(double a, double b, double c) { return fma(a, b, c); }
__device__ __forceinline__ float nat_abs(float x) { return nat_from_bits(nat_bits(x) & 0x7FFFFFFFu); }
__device__ __forceinline__ double nat_abs(double x) { return nat_from_bits(nat_bits(x) & 0x7FFFFFFFFFFFFFFFull); }

// ---- constants (MathFn.Constants.cs)

template <class T> struct nat_k;
template <> struct nat_k<float>
{
    static constexpr float MAGIC = 12582912.0f;
    static constexpr float LOG2E = 1.44269502f;
    static constexpr float LN2_HI = 0.693145752f;
    static constexpr float LN2_LO = 1.42860677e-06f;
    static constexpr float EXP_HI = 89.0f;
    static constexpr float EXP_LO = -104.0f;
    static constexpr float EXPM1_LO = -18.0f;
    static constexpr float TANH_HI = 1e+01f;
    static constexpr float COSH_HI = 9e+01f;
    static constexpr float MIN_NORMAL = 1.17549435e-38f;
    static constexpr float LOG_UP = 16777216.0f;
    static constexpr float LOG_UP_BITS = 24.0f;
    static constexpr float LOG1P_BIG = 1.09951163e+12f;
    static constexpr float ERF_HI = 4.0f;
    static constexpr float TWO_OVER_PI = 0.636619747f;
    static constexpr float PIO2_1 = 1.57079637f;
    static constexpr float PIO2_2 = -4.37113883e-08f;
    static constexpr float PIO2_3 = -1.71512451e-15f;
    static constexpr float TRIG_LIMIT = 131072.0f;
};
template <> struct nat_k<double>
{
    static constexpr double MAGIC = 6755399441055744.0;
    static constexpr double LOG2E = 1.4426950408889634;
    static constexpr double LN2_HI = 0.6931471805598903;
    static constexpr double LN2_LO = 5.497923018708371e-14;
    static constexpr double EXP_HI = 710.0;
    static constexpr double EXP_LO = -746.0;
    static constexpr double EXPM1_LO = -38.0;
    static constexpr double TANH_HI = 20.0;
    static constexpr double COSH_HI = 711.0;
    static constexpr double MIN_NORMAL = 2.2250738585072014e-308;
    static constexpr double LOG_UP = 1.8014398509481984e+16;
    static constexpr double LOG_UP_BITS = 54.0;
    static constexpr double LOG1P_BIG = 1099511627776.0;
    static constexpr double ERF_HI = 6.0;
    static constexpr double TWO_OVER_PI = 0.6366197723675814;
    static constexpr double PIO2_1 = 1.5707963267948966;
    static constexpr double PIO2_2 = 6.123233995736766e-17;
    static constexpr double PIO2_3 = -1.4973849048591698e-33;
    static constexpr double TRIG_LIMIT = 1073741824.0;
    static constexpr double THIRD = 0.3333333333333333;
    static constexpr double THIRD_LO = 1.850371707708594e-17;
    static constexpr double POW_HI = 800.0;
};
template <class T> __device__ __forceinline__ T nat_inf();
template <> __device__ __forceinline__ float nat_inf<float>() { return nat_from_bits(0x7F800000u); }
template <> __device__ __forceinline__ double nat_inf<double>() { return nat_from_bits(0x7FF0000000000000ull); }
template <class T> __device__ __forceinline__ T nat_nan();
template <> __device__ __forceinline__ float nat_nan<float>() { return nat_from_bits(0x7FC00000u); }
template <> __device__ __forceinline__ double nat_nan<double>() { return nat_from_bits(0x7FF8000000000000ull); }

// ---- bit helpers (MathFn.cs)

// 2^k from t = MAGIC + k: the low bits of t are k, MAGIC's own low bits fall off the shift.
__device__ __forceinline__ float nat_pow2(float t) { return nat_from_bits((nat_bits(t) << 23) + 0x3F800000u); }
__device__ __forceinline__ double nat_pow2(double t) { return nat_from_bits((nat_bits(t) << 52) + 0x3FF0000000000000ull); }

// y with the sign bit of x set too.
__device__ __forceinline__ float nat_or_sign(float y, float x) { return nat_from_bits(nat_bits(y) | (nat_bits(x) & 0x80000000u)); }
__device__ __forceinline__ double nat_or_sign(double y, double x)
{
    return nat_from_bits(nat_bits(y) | (nat_bits(x) & 0x8000000000000000ull));
}

// u = m * 2^e with m in [sqrt(1/2), sqrt(2)), for u normal and positive; e is made a number by or-ing it into MAGIC's low bits.
__device__ __forceinline__ float nat_log_split(float u, float& e)
{
    nat_u32 b = nat_bits(u) + (0x3F800000u - 0x3F3504F3u);
    e = nat_from_bits((b >> 23) + 0x4B400000u) - (nat_k<float>::MAGIC + 127.0f);
    return nat_from_bits((b & 0x007FFFFFu) + 0x3F3504F3u);
}
__device__ __forceinline__ double nat_log_split(double u, double& e)
{
    nat_u64 b = nat_bits(u) + (0x3FF0000000000000ull - 0x3FE6A09E667F3BCDull);
    e = nat_from_bits((b >> 52) + 0x4338000000000000ull) - (nat_k<double>::MAGIC + 1023.0);
    return nat_from_bits((b & 0x000FFFFFFFFFFFFFull) + 0x3FE6A09E667F3BCDull);
}

template <class T> __device__ __forceinline__ T nat_rsqrt(T x) { return T(1) / sqrt(x); }

// -1, 0 or 1; zeros keep their sign and NaN stays NaN.
template <class T> __device__ __forceinline__ T nat_sign(T x) { return x > T(0) ? T(1) : (x < T(0) ? T(-1) : x); }


// ---- exp family (MathFn.Exp.cs)

// (e^r - 1 - r) / r^2 for |r| <= ln(2)/2 + 0.001; own weighted Remez fit, degree 5, error with rounded coefficients 2^-28.7 relative
// to e^r - 1.
__device__ __forceinline__ float nat_exp_poly(float r)
{
    float p = 0.00019845918f;
    p = nat_fma(p, r, 0.00139408931f);
    p = nat_fma(p, r, 0.00833338965f);
    p = nat_fma(p, r, 0.0416663587f);
    p = nat_fma(p, r, 0.166666657f);
    return nat_fma(p, r, 0.5f);
}

// (e^r - 1 - r) / r^2 for |r| <= ln(2)/2 + 0.001; own weighted Remez fit, degree 10, error with rounded coefficients 2^-60.3
// relative to e^r - 1.
__device__ __forceinline__ double nat_exp_poly(double r)
{
    double p = 2.087531695205355e-09;
    p = nat_fma(p, r, 2.510927041071958e-08);
    p = nat_fma(p, r, 2.755740349729082e-07);
    p = nat_fma(p, r, 2.7557243605670005e-06);
    p = nat_fma(p, r, 2.4801587170581215e-05);
    p = nat_fma(p, r, 0.00019841269886655214);
    p = nat_fma(p, r, 0.001388888888896385);
    p = nat_fma(p, r, 0.008333333333321452);
    p = nat_fma(p, r, 0.041666666666666505);
    p = nat_fma(p, r, 0.16666666666666677);
    return nat_fma(p, r, 0.5);
}

template <class T> __device__ __forceinline__ T nat_exp_reduce(T x, T& t)
{
    // t = MAGIC + k with k = x / ln 2 rounded to nearest even by the addition itself; LN2_HI has trailing zeros, so k*LN2_HI and the
    // first difference are exact.
    t = nat_fma(x, nat_k<T>::LOG2E, nat_k<T>::MAGIC);
    T k = t - nat_k<T>::MAGIC;
    return nat_fma(k, -nat_k<T>::LN2_LO, nat_fma(k, -nat_k<T>::LN2_HI, x));
}

template <class T> __device__ __forceinline__ T nat_exp_minus1(T r)
{
    return nat_fma(r * r, nat_exp_poly(r), r);
}

template <class T> __device__ __forceinline__ T nat_exp_split(T x, T& t, T& q)
{
    // e^x = 2^k (1 + r + q): r keeps its rounding error in q, and the two stay apart, because 2^k (1 + r) - 1 may be smaller than r.
    t = nat_fma(x, nat_k<T>::LOG2E, nat_k<T>::MAGIC);
    T k = t - nat_k<T>::MAGIC;
    T r0 = nat_fma(k, -nat_k<T>::LN2_HI, x);
    T r = nat_fma(k, -nat_k<T>::LN2_LO, r0);
    q = nat_fma(r * r, nat_exp_poly(r), nat_fma(k, -nat_k<T>::LN2_LO, r0 - r));
    return r;
}

template <class T> __device__ __forceinline__ T nat_exp_scale(T p, T t)
{
    // (1 + p) * 2^k in two steps, so that k reaches the subnormals and the last binade with one rounding.
    T t1 = nat_fma(t - nat_k<T>::MAGIC, T(0.5), nat_k<T>::MAGIC);
    T t2 = t - (t1 - nat_k<T>::MAGIC);
    T s = nat_pow2(t1);
    return nat_fma(p, s, s) * nat_pow2(t2);
}

template <class T> __device__ __forceinline__ T nat_exp(T x)
{
    T c = x > nat_k<T>::EXP_HI ? nat_k<T>::EXP_HI : x;
    c = x < nat_k<T>::EXP_LO ? nat_k<T>::EXP_LO : c;
    T t;
    T r = nat_exp_reduce(c, t);
    return nat_exp_scale(nat_exp_minus1(r), t);
}

template <class T> __device__ __forceinline__ T nat_sum_minus1(T r, T q, T s, T c)
{
    // s*r + s*q + c with |c| >= |s*r| or c = 0, s a power of two: the error of the large sum joins the small term, so only the last
    // addition rounds.
    T sr = s * r;
    T w = c + sr;
    return w + nat_fma(q, s, sr - (w - c));
}

template <class T> __device__ __forceinline__ T nat_expm1(T x)
{
    // 2^k (1 + r + q) - 1. Half of it is formed, because 2^k overflows in the last binade.
    T c = x > nat_k<T>::EXP_HI ? nat_k<T>::EXP_HI : x;
    c = x < nat_k<T>::EXPM1_LO ? nat_k<T>::EXPM1_LO : c;
    T t;
    T q;
    T r = nat_exp_split(c, t, q);
    T h = nat_pow2(t - T(1));
    T y = nat_sum_minus1(r, q, h, h - T(0.5));
    // For k = 0 the answer is r + q itself, subnormals included; the sign is put back because -0 was lost in the sum.
    return nat_or_sign(t == nat_k<T>::MAGIC ? r + q : y + y, x);
}

template <class T> __device__ __forceinline__ T nat_divide_by(T n, T d, T dl)
{
    // n / (d + dl) with dl the rounding error of d: one division and one Newton step on the exact remainder.
    T r = T(1) / d;
    T q = n * r;
    T e = nat_fma(-q, dl, nat_fma(-q, d, n));
    return nat_fma(e, r, q);
}

template <class T> __device__ __forceinline__ T nat_sigmoid(T x)
{
    // With E = e^-|x| <= 1 nothing overflows: 1/(1+E) for x >= 0 and E/(1+E) below.
    T e = nat_exp(-nat_abs(x));
    T d = T(1) + e;
    return nat_divide_by(x < T(0) ? e : T(1), d, e - (d - T(1)));
}

template <class T> __device__ __forceinline__ T nat_tanh(T x)
{
    // u = e^(-2|x|) - 1 in (-1, 0] keeps full relative precision near 0; tanh|x| = -u / (2 + u).
    T a = nat_abs(x);
    a = a > nat_k<T>::TANH_HI ? nat_k<T>::TANH_HI : a;
    T t;
    T q;
    T r = nat_exp_split(a * T(-2), t, q);
    T s = nat_pow2(t);
    T u = nat_sum_minus1(r, q, s, s - T(1));
    T d = T(2) + u;
    return nat_or_sign(nat_divide_by(-u, d, u - (d - T(2))), x);
}

template <class T> __device__ __forceinline__ T nat_cosh(T x)
{
    // h = e^|x| / 2, formed with k - 1 so that it overflows only where cosh does; e^-|x| / 2 = 1/(4h).
    T a = nat_abs(x);
    a = a > nat_k<T>::COSH_HI ? nat_k<T>::COSH_HI : a;
    T t;
    T r = nat_exp_reduce(a, t);
    T h = nat_exp_scale(nat_exp_minus1(r), t - T(1));
    return h + T(0.25) / h;
}

template <class T> __device__ __forceinline__ T nat_sinh(T x)
{
    // Below 1 from u = e^|x| - 1 as u - (u^2/2) / (u+1), precise near 0; above as e^|x|/2 - e^-|x|/2; one division serves both.
    T a = nat_abs(x);
    a = a > nat_k<T>::COSH_HI ? nat_k<T>::COSH_HI : a;
    T t;
    T q;
    T r = nat_exp_split(a, t, q);
    T h = nat_exp_scale(r + q, t - T(1));
    T s = nat_pow2(t);
    T u = nat_sum_minus1(r, q, s, s - T(1));
    bool small = a < T(1);
    T n = small ? u * u * T(-0.5) : T(-0.25);
    T d = small ? u + T(1) : h;
    return nat_or_sign((small ? u : h) + n / d, x);
}

// ---- log family (MathFn.Log.cs)

// (log(1+f) - f) / f^2 for 1+f in [sqrt(1/2), sqrt(2)]; own weighted Remez fit, degree 8, error with rounded coefficients 2^-27.4
// relative to log(1+f).
__device__ __forceinline__ float nat_log_poly(float f)
{
    float p = -0.076196447f;
    p = nat_fma(p, f, 0.129036874f);
    p = nat_fma(p, f, -0.132434323f);
    p = nat_fma(p, f, 0.141819611f);
    p = nat_fma(p, f, -0.166090503f);
    p = nat_fma(p, f, 0.200019673f);
    p = nat_fma(p, f, -0.250015825f);
    p = nat_fma(p, f, 0.333333254f);
    return nat_fma(p, f, -0.499999881f);
}

// (log(1+f) - f) / f^2 for 1+f in [sqrt(1/2), sqrt(2)]; own weighted Remez fit, degree 19, error with rounded coefficients 2^-54.8
// relative to log(1+f).
__device__ __forceinline__ double nat_log_poly(double f)
{
    double p = 0.026156431711665325;
    p = nat_fma(p, f, -0.06004269630445398);
    p = nat_fma(p, f, 0.0652968589462503);
    p = nat_fma(p, f, -0.056788220715464);
    p = nat_fma(p, f, 0.05659073249120444);
    p = nat_fma(p, f, -0.061942505669427904);
    p = nat_fma(p, f, 0.06685908611906423);
    p = nat_fma(p, f, -0.07149947449031703);
    p = nat_fma(p, f, 0.076914358740829);
    p = nat_fma(p, f, -0.08332863583724576);
    p = nat_fma(p, f, 0.09090927286946023);
    p = nat_fma(p, f, -0.10000017953829475);
    p = nat_fma(p, f, 0.11111111104121213);
    p = nat_fma(p, f, -0.12499999604244408);
    p = nat_fma(p, f, 0.14285714279528058);
    p = nat_fma(p, f, -0.16666666671357794);
    p = nat_fma(p, f, 0.20000000000086);
    p = nat_fma(p, f, -0.24999999999974915);
    p = nat_fma(p, f, 0.33333333333333026);
    return nat_fma(p, f, -0.5000000000000003);
}

template <class T> __device__ __forceinline__ T nat_log_one_plus(T u, T c)
{
    // log(u + c) for u normal and |c| at most half an ulp of u. f + fl = (u + c) / 2^e - 1; k*LN2_HI is exact (trailing zeros), so
    // the sum rounds once at the end. Beyond 2^40 c is below the last bit, and its scale would leave the exponent range.
    T e;
    T m = nat_log_split(u, e);
    c = u > nat_k<T>::LOG1P_BIG ? T(0) : c * nat_pow2(nat_k<T>::MAGIC - e);
    T f0 = m - T(1);
    T f = f0 + c;
    T fl = c - (f - f0);
    T y = nat_fma(f * f, nat_log_poly(f), nat_fma(e, nat_k<T>::LN2_LO, fl));
    return nat_fma(e, nat_k<T>::LN2_HI, f + y);
}

template <class T> __device__ __forceinline__ T nat_log(T x)
{
    bool tiny = x < nat_k<T>::MIN_NORMAL;
    T e;
    T m = nat_log_split(tiny ? x * nat_k<T>::LOG_UP : x, e);
    e = tiny ? e - nat_k<T>::LOG_UP_BITS : e;
    T f = m - T(1);
    T y = nat_fma(f * f, nat_log_poly(f), e * nat_k<T>::LN2_LO);
    y = nat_fma(e, nat_k<T>::LN2_HI, f + y);
    T edge = x < T(0) ? nat_nan<T>() : x;
    edge = x == T(0) ? -nat_inf<T>() : edge;
    return (x > T(0)) && (x < nat_inf<T>()) ? y : edge;
}

template <class T> __device__ __forceinline__ T nat_log1p(T x)
{
    // u + c = 1 + x exactly, whichever of the two is larger.
    T u = T(1) + x;
    T b = u - T(1);
    T c = T(1) - (u - b) + (x - b);
    T y = nat_log_one_plus(u, c);
    T edge = x < T(-1) ? nat_nan<T>() : x;
    edge = x == T(-1) ? -nat_inf<T>() : edge;
    return nat_or_sign((x > T(-1)) && (x < nat_inf<T>()) ? y : edge, x);
}

template <class T> __device__ __forceinline__ T nat_softplus(T x)
{
    // max(x, 0) + log(1 + e^-|x|): e^-|x| is in [0, 1], so nothing overflows and 1 + e rounds with a known error.
    T e = nat_exp(-nat_abs(x));
    T u = T(1) + e;
    return (x > T(0) ? x : T(0)) + nat_log_one_plus(u, e - (u - T(1)));
}
