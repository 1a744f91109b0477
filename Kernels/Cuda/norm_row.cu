// Normalisation of the rows of x [rows, n], each by its own mean and deviation: layer, group and instance normalisation. The affine map changes every
// `repeat` elements and comes round after `period` rows. The formulas are derived in RowNormKernels.cs; the gradients of the weights are in norm.cu.

struct RowArgs
{
    T *y, *second;                // forward: y; gradient: gx; second gradient: dgy and dx
    T *mean, *variance, *inv_std; // written by forward, read by the gradients
    T *mean_v, *mean_vx;          // second gradient: mean of v and of v xh, for the sums per weight
    const T *x, *g, *v, *w, *b, *u, *t;
    double eps;
    int rows, n, period, repeat;
    Team team;
};

__device__ __forceinline__ T nat_or(const T* p, int i, T otherwise) { return p ? p[i] : otherwise; }

// A thread's elements of its team's row, and the weight of each. A team beyond the last row stands at row 0 with no elements.
struct Row
{
    int r, i, j, n, step, at, rest, repeat, weights, skip;
    bool exists, leads;

    __device__ __forceinline__ Row(const RowArgs& s)
    {
        r = nat_team(s.team);
        exists = r < s.rows;
        r = exists ? r : 0;
        n = exists ? s.n : 0;
        i = nat_team_rank(s.team);
        leads = exists && i == 0;
        step = nat_team_size(s.team);
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
};

KERNEL_SYNC(norm_row_forward, RowArgs)
{
    Row first(args);
    T m = T(args.n), sum = T(0), spread = T(0);
    for (Row i = first; i.more(); i.next())
        sum += args.x[i.at];
    T mean = nat_team_reduce(sum, args.team, NatSum()) / m;
    for (Row i = first; i.more(); i.next())
        spread += (args.x[i.at] - mean) * (args.x[i.at] - mean);
    T variance = nat_team_reduce(spread, args.team, NatSum()) / m, d = T(1) / sqrt(variance + (T)args.eps);
    if (first.leads)
    {
        args.mean[first.r] = mean;
        args.variance[first.r] = variance;
        args.inv_std[first.r] = d;
    }
    for (Row i = first; i.more(); i.next())
        args.y[i.at] = (args.x[i.at] - mean) * d * nat_or(args.w, i.j, T(1)) + nat_or(args.b, i.j, T(0));
}

// gx = s P(g w).
KERNEL_SYNC(norm_row_grad, RowArgs)
{
    Row first(args);
    T m = T(args.n), mean = args.mean[first.r], d = args.inv_std[first.r], h0 = T(0), hx = T(0);
    for (Row i = first; i.more(); i.next())
    {
        T h = args.g[i.at] * nat_or(args.w, i.j, T(1));
        h0 += h;
        hx += h * (args.x[i.at] - mean);
    }
    h0 = nat_team_reduce(h0, args.team, NatSum()) / m;
    hx = nat_team_reduce(hx, args.team, NatSum()) * d / m;
    for (Row i = first; i.more(); i.next())
    {
        T xh = (args.x[i.at] - mean) * d;
        args.y[i.at] = d * (args.g[i.at] * nat_or(args.w, i.j, T(1)) - h0 - xh * hx);
    }
}

// dgy and dx, and for dw the means of v and v xh.
KERNEL_SYNC(norm_row_grad_grad, RowArgs)
{
    Row first(args);
    T m = T(args.n), mean = args.mean[first.r], d = args.inv_std[first.r];
    T h0 = T(0), hx = T(0), v0 = T(0), vx = T(0), u0 = T(0), ux = T(0), vh = T(0);
    for (Row i = first; i.more(); i.next())
    {
        T off = args.x[i.at] - mean, g = args.g[i.at], v = args.v[i.at], h = g * nat_or(args.w, i.j, T(1)), gu = g * args.u[i.j];
        h0 += h;
        hx += h * off;
        v0 += v;
        vx += v * off;
        u0 += gu;
        ux += gu * off;
        vh += v * h;
    }
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
    for (Row i = first; i.more(); i.next())
    {
        T g = args.g[i.at], v = args.v[i.at], w = nat_or(args.w, i.j, T(1)), u = args.u[i.j], xh = (args.x[i.at] - mean) * d;
        args.y[i.at] = w * (d * (v - v0 - xh * vx)) + u * xh + args.t[i.j];
        args.second[i.at] = d * (u * g - d * hx * v - d * vx * g * w - e0 - xh * ex);
    }
}
