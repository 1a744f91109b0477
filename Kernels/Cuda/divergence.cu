// Jensen-Shannon divergences of the rows of two matrices of logits, and their gradients: formulas in DivergenceKernels.cs.

struct DivergenceArgs
{
    T *out, *other; // forward: one number per row; gradient: with respect to a and to b
    const T *a, *b, *g;
    int rows, classes, from_mixture;
    Team team;
};

// Log-probabilities are logit - max - log.
struct LogNorm
{
    T max, log;

    __device__ __forceinline__ LogNorm(const T* x, const Line& l, Team team)
    {
        max = nat_line_max(x, l, team);
        log = nat_log(nat_line_sum_exp(x, max, l, team));
    }
    __device__ __forceinline__ T of(T x) const { return x - max - log; }
};

// log(m / p) and log(m / q) of the mixture m = (p + q) / 2, exact where p and q are near each other and where they are far apart.
struct Mixture
{
    T p, q, m, to_p, to_q;

    __device__ __forceinline__ Mixture(T log_p, T log_q)
    {
        T far = nat_abs(log_p - log_q), near = nat_log1p(nat_expm1(-far) * T(0.5));
        bool first = log_p >= log_q;
        to_p = first ? near : near + far;
        to_q = first ? near + far : near;
        p = nat_exp(log_p);
        q = nat_exp(log_q);
        m = nat_exp((first ? log_p : log_q) + near);
    }
    // p (m / p - 1) without cancellation.
    static __device__ __forceinline__ T more(T p, T m, T to) { return to < T(1) ? p * nat_expm1(to) : m - p; }
    __device__ __forceinline__ T term(bool from_mixture) const { return from_mixture ? m * (to_p + to_q) : -(p * to_p + q * to_q); }
    __device__ __forceinline__ T slope_p(bool from_mixture) const { return from_mixture ? p * ((to_p + to_q) * T(0.25)) - more(p, m, to_p) * T(0.5) : p * (to_p * T(-0.5)); }
    __device__ __forceinline__ T slope_q(bool from_mixture) const { return from_mixture ? q * ((to_p + to_q) * T(0.25)) - more(q, m, to_q) * T(0.5) : q * (to_q * T(-0.5)); }
};

KERNEL_SYNC(divergence_js, DivergenceArgs)
{
    Line l(args.team, args.rows, args.classes, 1);
    LogNorm p(args.a, l, args.team), q(args.b, l, args.team);
    T sum = T(0);
    l.each(args.a, args.b, [&](T a, T b, int) { sum += Mixture(p.of(a), q.of(b)).term(args.from_mixture); });
    sum = nat_team_reduce(sum, args.team, NatSum());
    if (l.leads())
        args.out[l.number] = sum * T(0.5);
}

KERNEL_SYNC(divergence_js_grad, DivergenceArgs)
{
    Line l(args.team, args.rows, args.classes, 1);
    LogNorm p(args.a, l, args.team), q(args.b, l, args.team);
    T sum_p = T(0), sum_q = T(0), g = l.exists ? args.g[l.number] : T(0);
    l.each(args.a, args.b, [&](T a, T b, int) {
        Mixture x(p.of(a), q.of(b));
        sum_p += x.slope_p(args.from_mixture);
        sum_q += x.slope_q(args.from_mixture);
    });
    sum_p = nat_team_reduce(sum_p, args.team, NatSum());
    sum_q = nat_team_reduce(sum_q, args.team, NatSum());
    l.map(args.out, args.a, args.b, [&](T a, T b, int) {
        Mixture x(p.of(a), q.of(b));
        return g * (x.slope_p(args.from_mixture) - x.p * sum_p);
    });
    l.map(args.other, args.a, args.b, [&](T a, T b, int) {
        Mixture x(p.of(a), q.of(b));
        return g * (x.slope_q(args.from_mixture) - x.q * sum_q);
    });
}
