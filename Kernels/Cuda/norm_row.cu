// Normalisation of the rows of x [rows, n], each by its own mean and deviation: layer, group and instance normalisation. The affine map changes every
// `repeat` elements and comes round after `period` rows. The formulas are derived in RowNormKernels.cs; the gradients of the weights are in norm.cu.

struct RowArgs
{
    T *y, *second;                // forward: y; gradient: gx; second gradient: dgy and dx
    T *mean, *variance, *inv_std; // written by forward, read by the gradients
    T *mean_v, *mean_vx;          // second gradient: mean of v and of v xh, for the sums per weight
    const T *x, *g, *v, *w, *b, *u, *t;
    double eps;
    int rows, n, period, repeat, wide;
    Team team;
};

// A thread's pieces of its team's row, and the weight of each: single elements, or sixteen bytes' worth of neighbours where rows are long and they share a
// weight or have one each; the shape alone decides, and so the order of sums. A team beyond the last row stands at row 0 with no elements.
struct Row
{
    int r, i, j, n, step, at, rest, repeat, weights, skip;
    bool exists, leads, wide;

    __device__ __forceinline__ Row(const RowArgs& s)
    {
        r = nat_team(s.team);
        exists = r < s.rows;
        r = exists ? r : 0;
        n = exists ? s.n : 0;
        wide = s.wide;
        i = nat_team_rank(s.team) * (wide ? NAT_WIDE : 1);
        leads = exists && i == 0;
        step = nat_team_size(s.team) * (wide ? NAT_WIDE : 1);
        repeat = s.repeat;
        at = r * s.n + i;
        int first = i / repeat;
        j = r % s.period * (s.n / repeat) + first;
        rest = i - first * repeat;
        weights = step / repeat;
        skip = step - weights * repeat;
    }

    __device__ __forceinline__ bool more() const { return i < n; }

    __device__ __forceinline__ void next()
    {
        i += step;
        at += step;
        j += weights;
        rest += skip;
        if (rest >= repeat)
        {
            rest -= repeat;
            j++;
        }
    }

    // f(values of an element, its weight's number).
    template <int N, class F> __device__ __forceinline__ void each(const From<N>& from, F f) const
    {
        for (Row k = *this; k.more(); k.next())
            if (wide)
            {
                Wide v[N];
#pragma unroll
                for (int n = 0; n < N; n++)
                    v[n] = nat_load_wide(from.p[n] + k.at);
#pragma unroll
                for (int e = 0; e < NAT_WIDE; e++)
                {
                    T values[N];
#pragma unroll
                    for (int n = 0; n < N; n++)
                        values[n] = v[n].at[e];
                    f(values, repeat == 1 ? k.j + e : k.j);
                }
            }
            else
            {
                T values[N];
#pragma unroll
                for (int n = 0; n < N; n++)
                    values[n] = from.p[n][k.at];
                f(values, k.j);
            }
    }

    // f(values of an element, its weight's number, its results).
    template <int N, int M, class F> __device__ __forceinline__ void map(const From<N>& from, const To<M>& to, F f) const
    {
        for (Row k = *this; k.more(); k.next())
            if (wide)
            {
                Wide v[N], y[M];
#pragma unroll
                for (int n = 0; n < N; n++)
                    v[n] = nat_load_wide(from.p[n] + k.at);
#pragma unroll
                for (int e = 0; e < NAT_WIDE; e++)
                {
                    T values[N], results[M];
#pragma unroll
                    for (int n = 0; n < N; n++)
                        values[n] = v[n].at[e];
                    f(values, repeat == 1 ? k.j + e : k.j, results);
#pragma unroll
                    for (int m = 0; m < M; m++)
                        y[m].at[e] = results[m];
                }
#pragma unroll
                for (int m = 0; m < M; m++)
                    nat_store_wide(to.p[m] + k.at, y[m]);
            }
            else
            {
                T values[N], results[M];
#pragma unroll
                for (int n = 0; n < N; n++)
                    values[n] = from.p[n][k.at];
                f(values, k.j, results);
#pragma unroll
                for (int m = 0; m < M; m++)
                    to.p[m][k.at] = results[m];
            }
    }
};

KERNEL_SYNC(norm_row_forward, RowArgs)
{
    Row first(args);
    T m = T(args.n), sum = T(0), spread = T(0);
    From<1> x = {{args.x}};
    first.each(x, [&](const T* v, int) { sum += v[0]; });
    T mean = nat_team_reduce(sum, args.team, NatSum()) / m;
    first.each(x, [&](const T* v, int) { spread += (v[0] - mean) * (v[0] - mean); });
    T variance = nat_team_reduce(spread, args.team, NatSum()) / m, d = T(1) / sqrt(variance + (T)args.eps);
    if (first.leads)
    {
        args.mean[first.r] = mean;
        args.variance[first.r] = variance;
        args.inv_std[first.r] = d;
    }
    first.map(x, To<1>{{args.y}}, [&](const T* v, int j, T* y) { y[0] = (v[0] - mean) * d * nat_or(args.w, j, T(1)) + nat_or(args.b, j, T(0)); });
}

// gx = s P(g w).
KERNEL_SYNC(norm_row_grad, RowArgs)
{
    Row first(args);
    T m = T(args.n), mean = args.mean[first.r], d = args.inv_std[first.r], h0 = T(0), hx = T(0);
    From<2> gx = {{args.g, args.x}};
    first.each(gx, [&](const T* v, int j) {
        T h = v[0] * nat_or(args.w, j, T(1));
        h0 += h;
        hx += h * (v[1] - mean);
    });
    h0 = nat_team_reduce(h0, args.team, NatSum()) / m;
    hx = nat_team_reduce(hx, args.team, NatSum()) * d / m;
    first.map(gx, To<1>{{args.y}}, [&](const T* v, int j, T* y) {
        T xh = (v[1] - mean) * d;
        y[0] = d * (v[0] * nat_or(args.w, j, T(1)) - h0 - xh * hx);
    });
}

// dgy and dx, and for dw the means of v and v xh.
KERNEL_SYNC(norm_row_grad_grad, RowArgs)
{
    Row first(args);
    T m = T(args.n), mean = args.mean[first.r], d = args.inv_std[first.r];
    T h0 = T(0), hx = T(0), v0 = T(0), vx = T(0), u0 = T(0), ux = T(0), vh = T(0);
    From<3> gvx = {{args.g, args.v, args.x}};
    first.each(gvx, [&](const T* at, int j) {
        T off = at[2] - mean, g = at[0], v = at[1], h = g * nat_or(args.w, j, T(1)), gu = g * args.u[j];
        h0 += h;
        hx += h * off;
        v0 += v;
        vx += v * off;
        u0 += gu;
        ux += gu * off;
        vh += v * h;
    });
    h0 = nat_team_reduce(h0, args.team, NatSum()) / m;
    hx = nat_team_reduce(hx, args.team, NatSum()) * d / m;
    v0 = nat_team_reduce(v0, args.team, NatSum()) / m;
    vx = nat_team_reduce(vx, args.team, NatSum()) * d / m;
    u0 = nat_team_reduce(u0, args.team, NatSum()) / m;
    ux = nat_team_reduce(ux, args.team, NatSum()) * d / m;
    T covariance = nat_team_reduce(vh, args.team, NatSum()) / m - v0 * h0 - vx * hx;
    T e0 = u0 - d * (hx * v0 + vx * h0), ex = ux - T(2) * d * vx * hx + d * covariance;
    if (first.leads)
    {
        args.mean_v[first.r] = v0;
        args.mean_vx[first.r] = vx;
    }
    first.map(gvx, To<2>{{args.y, args.second}}, [&](const T* at, int j, T* y) {
        T g = at[0], v = at[1], w = nat_or(args.w, j, T(1)), u = args.u[j], xh = (at[2] - mean) * d;
        y[0] = w * (d * (v - v0 - xh * vx)) + u * xh + args.t[j];
        y[1] = d * (u * g - d * hx * v - d * vx * g * w - e0 - xh * ex);
    });
}
