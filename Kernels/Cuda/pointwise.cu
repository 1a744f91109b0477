// Elementwise functions. The rows follow this text: POINTWISE gives a row's expression a name, in the variables a, b, c and the scalars p, q; then come
// its two kernels.

struct PointwiseDense
{
    T* y;
    const T *a, *b, *c;
    double p, q;
    int n, step_a, step_b, step_c;
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

// Operands are dense (step 1) or one number (step 0); absent ones point nowhere and are not read.
template <class F> __device__ __forceinline__ void nat_dense(const PointwiseDense& s)
{
    T p = (T)s.p, q = (T)s.q;
    for (int i = nat_first(); i < s.n; i += nat_step())
        s.y[i] = F::at(s.a[i * s.step_a], s.b ? s.b[i * s.step_b] : T(0), s.c ? s.c[i * s.step_c] : T(0), p, q);
}

template <class F> __device__ __forceinline__ void nat_strided(const PointwiseStrided& s)
{
    T p = (T)s.p, q = (T)s.q;
    for (int i = nat_first(); i < s.n; i += nat_step())
        s.y[i] = F::at(s.a[nat_offset(s.layout_a, i)], s.b ? s.b[nat_offset(s.layout_b, i)] : T(0), s.c ? s.c[nat_offset(s.layout_c, i)] : T(0), p, q);
}
