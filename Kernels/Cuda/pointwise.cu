// Elementwise functions. The rows follow this text: POINTWISE gives a row's expression a name, in the variables a, b, c and the scalars p, q; then come
// its two kernels.

#ifndef NAT_EMULATED
#pragma nv_diag_suppress 186 // a row for all numbers may compare an unsigned one with zero
#endif

struct PointwiseDense
{
    T* y;
    const T *a, *b, *c;
    double p, q;
    int n, n_packed, step_a, step_b, step_c;
};

struct PointwiseStrided
{
    T* y;
    const T *a, *b, *c;
    double p, q;
    int n;
    Strided layout_a, layout_b, layout_c;
};

#define POINTWISE(name, expression)                                                                \
    struct fn_##name                                                                               \
    {                                                                                              \
        static __device__ __forceinline__ T at(T a, T b, T c, T p, T q)                            \
        {                                                                                          \
            (void)a; (void)b; (void)c; (void)p; (void)q;                                           \
            return expression;                                                                     \
        }                                                                                          \
    };

__device__ __forceinline__ T nat_at(const T* x, int step, int i) { return x ? x[i * step] : T(0); }

__device__ __forceinline__ Wide nat_sixteen(const T* x, int step, int i)
{
    Wide r;
    if (step)
        return ((const Wide*)x)[i];
#pragma unroll
    for (int k = 0; k < NAT_WIDE; k++)
        r.at[k] = x ? *x : T(0);
    return r;
}

// Operands are dense (step 1) or one number (step 0); absent ones point nowhere and are not read. The first n_packed elements lie at multiples of
// sixteen bytes in all dense operands (0 when they do not).
template <class F> __device__ __forceinline__ void nat_dense(const PointwiseDense& s)
{
    T p = (T)s.p, q = (T)s.q;
    const int width = NAT_WIDE;
    for (int i = nat_first(); i < s.n_packed / width; i += nat_step())
    {
        Wide a = nat_sixteen(s.a, s.step_a, i), b = nat_sixteen(s.b, s.step_b, i), c = nat_sixteen(s.c, s.step_c, i), y;
#pragma unroll
        for (int k = 0; k < width; k++)
            y.at[k] = F::at(a.at[k], b.at[k], c.at[k], p, q);
        ((Wide*)s.y)[i] = y;
    }
    for (int i = s.n_packed + nat_first(); i < s.n; i += nat_step())
        s.y[i] = F::at(s.a[i * s.step_a], nat_at(s.b, s.step_b, i), nat_at(s.c, s.step_c, i), p, q);
}

template <class F> __device__ __forceinline__ void nat_strided(const PointwiseStrided& s)
{
    T p = (T)s.p, q = (T)s.q;
    for (int i = nat_first(); i < s.n; i += nat_step())
        s.y[i] = F::at(s.a[nat_offset(s.layout_a, i)], s.b ? s.b[nat_offset(s.layout_b, i)] : T(0), s.c ? s.c[nat_offset(s.layout_c, i)] : T(0), p, q);
}
