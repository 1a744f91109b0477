// Normalisation of x [batch, channels, length] by the mean and the deviation of each channel, its gradient and the gradient of that; and the sums per
// weight of row normalisation, where x reads the same with weights for channels. The formulas are derived in NormKernels.cs and RowNormKernels.cs.
// s = 1 / sqrt(variance + eps), xh = (x - mean) s.

struct NormArgs
{
    T *y, *second;                // forward: y; gradient: gx; second gradient: dgy and dx
    T *mean, *variance, *inv_std; // written by forward, read by the gradients
    T *gw, *gb;                   // second gradient: dw is gw
    T *partial;                   // sums of chunks
    const T *x, *g, *v, *w, *b, *u, *t;
    const T *mean_v, *mean_vx;    // sums per weight of the second gradient: mean of v and of v xh, per row
    double eps;
    int batch, channels, length;
    int per_row, period; // sums per weight: weights of a row, rows of a sample
    int chunk, chunks; // elements of a channel that one team walks, and how many such there are
    Team team;
};

__device__ __forceinline__ T nat_or(const T* p, int i, T otherwise) { return p ? p[i] : otherwise; }

__device__ __forceinline__ T nat_inv_std(T variance, const NormArgs& s) { return T(1) / sqrt(variance + (T)s.eps); }

// ---- sums over channels, then one pass

// The channel of this thread's team and its chunk. A team beyond the last channel stands at channel 0 with no elements.
struct Channel
{
    int c, begin, end, elements, rank, size;
    bool exists, leads;

    __device__ __forceinline__ Channel(const NormArgs& s)
    {
        c = nat_team(s.team);
        exists = c < s.channels;
        c = exists ? c : 0;
        rank = nat_team_rank(s.team);
        size = nat_team_size(s.team);
        elements = s.batch * s.length;
        begin = (int)blockIdx.y * s.chunk;
        end = exists ? min(begin + s.chunk, elements) : begin;
        leads = exists && rank == 0;
    }

    __device__ __forceinline__ int count(const NormArgs& s, int chunk) const { return min(s.chunk, elements - chunk * s.chunk); }
};

// A thread's elements of its chunk: every size-th. Positions are stepped, because two divisions for each would cost more than reading it.
struct Walk
{
    int e, end, step, l, length, skip, sample, samples;
    unsigned at, hop, turn;

    __device__ __forceinline__ Walk(const NormArgs& s, const Channel& k)
    {
        e = k.begin + k.rank;
        end = k.end;
        step = k.size;
        length = s.length;
        sample = e / length;
        l = e - sample * length;
        at = ((unsigned)sample * s.channels + k.c) * length + l;
        samples = step / length;
        skip = step - samples * length;
        hop = (unsigned)samples * s.channels * length + skip;
        turn = (unsigned)(s.channels - 1) * length;
    }

    __device__ __forceinline__ bool more() const { return e < end; }

    __device__ __forceinline__ void next()
    {
        e += step;
        at += hop;
        l += skip;
        sample += samples;
        if (l >= length)
        {
            l -= length;
            at += turn;
            sample++;
        }
    }
};

// An operation has N sums per channel: gather takes them from this thread's chunk, merge from all chunks; its constructor makes coefficients of them,
// finish writes what there is per channel, apply the elements.

// Sums that are those of the chunks added up.
template <int Count> struct Added
{
    enum { N = Count };

    static __device__ __forceinline__ void merge(const NormArgs& s, const Channel& k, T* sums)
    {
        for (int i = 0; i < N; i++)
        {
            sums[i] = T(0);
            for (int chunk = k.rank; k.exists && chunk < s.chunks; chunk += k.size)
                sums[i] += s.partial[(i * s.chunks + chunk) * s.channels + k.c];
            sums[i] = nat_team_reduce(sums[i], s.team, NatSum());
        }
    }
};

// The sums of a chunk are its mean and its squared deviations from that; chunks are then merged exactly (Chan, Golub and LeVeque 1983), so nothing
// cancels when the mean is large.
struct ChannelForward
{
    enum { N = 2 };
    T mean, variance, inv_std, k, constant;

    static __device__ __forceinline__ void gather(const NormArgs& s, const Channel& k, T* sums)
    {
        T sum = T(0), spread = T(0);
        for (Walk i(s, k); i.more(); i.next())
            sum += s.x[i.at];
        T mean = nat_team_reduce(sum, s.team, NatSum()) / T(k.end - k.begin);
        for (Walk i(s, k); i.more(); i.next())
            spread += (s.x[i.at] - mean) * (s.x[i.at] - mean);
        sums[0] = mean;
        sums[1] = nat_team_reduce(spread, s.team, NatSum());
    }

    static __device__ __forceinline__ void merge(const NormArgs& s, const Channel& k, T* sums)
    {
        T sum = T(0), spread = T(0);
        for (int chunk = k.rank; k.exists && chunk < s.chunks; chunk += k.size)
            sum += T(k.count(s, chunk)) * s.partial[chunk * s.channels + k.c];
        T mean = nat_team_reduce(sum, s.team, NatSum()) / T(k.elements);
        for (int chunk = k.rank; k.exists && chunk < s.chunks; chunk += k.size)
        {
            T off = s.partial[chunk * s.channels + k.c] - mean;
            spread += s.partial[(s.chunks + chunk) * s.channels + k.c] + T(k.count(s, chunk)) * off * off;
        }
        sums[0] = mean;
        sums[1] = nat_team_reduce(spread, s.team, NatSum());
    }

    __device__ __forceinline__ ChannelForward(const NormArgs& s, const Channel& c, const T* sums)
    {
        mean = sums[0];
        variance = sums[1] / T(c.elements);
        inv_std = nat_inv_std(variance, s);
        k = nat_or(s.w, c.c, T(1)) * inv_std;
        constant = nat_or(s.b, c.c, T(0));
    }

    __device__ __forceinline__ void finish(const NormArgs& s, int c) const
    {
        s.mean[c] = mean;
        s.variance[c] = variance;
        s.inv_std[c] = inv_std;
    }

    __device__ __forceinline__ void apply(const NormArgs& s, unsigned at) const { s.y[at] = k * (s.x[at] - mean) + constant; }
};

struct ChannelGrad : Added<2>
{
    T mean, gw, gb, kp, kx, constant;

    static __device__ __forceinline__ void gather(const NormArgs& s, const Channel& k, T* sums)
    {
        T g = T(0), gx = T(0), mean = s.mean[k.c];
        for (Walk i(s, k); i.more(); i.next())
        {
            g += s.g[i.at];
            gx += s.g[i.at] * (s.x[i.at] - mean);
        }
        sums[0] = nat_team_reduce(g, s.team, NatSum());
        sums[1] = nat_team_reduce(gx, s.team, NatSum());
    }

    __device__ __forceinline__ ChannelGrad(const NormArgs& s, const Channel& k, const T* sums)
    {
        T m = T(k.elements), inv_std = s.inv_std[k.c];
        mean = s.mean[k.c];
        gb = sums[0];
        gw = sums[1] * inv_std;
        kp = nat_or(s.w, k.c, T(1)) * inv_std;
        kx = -kp * gw / m * inv_std;
        constant = -kp * gb / m;
    }

    __device__ __forceinline__ void finish(const NormArgs& s, int c) const
    {
        s.gw[c] = gw;
        s.gb[c] = gb;
    }

    __device__ __forceinline__ void apply(const NormArgs& s, unsigned at) const { s.y[at] = kp * s.g[at] + kx * (s.x[at] - mean) + constant; }
};

struct ChannelGradGrad : Added<5>
{
    T mean, dw, gp, gx, gc, xp, xq, xx, xc; // coefficients of dgy, then of dx

    static __device__ __forceinline__ void gather(const NormArgs& s, const Channel& k, T* sums)
    {
        T sum[N] = {T(0), T(0), T(0), T(0), T(0)}, mean = s.mean[k.c];
        for (Walk i(s, k); i.more(); i.next())
        {
            T g = s.g[i.at], v = s.v[i.at], d = s.x[i.at] - mean;
            sum[0] += g;
            sum[1] += g * d;
            sum[2] += v;
            sum[3] += v * d;
            sum[4] += v * g;
        }
        for (int i = 0; i < N; i++)
            sums[i] = nat_team_reduce(sum[i], s.team, NatSum());
    }

    __device__ __forceinline__ ChannelGradGrad(const NormArgs& s, const Channel& k, const T* sums)
    {
        T m = T(k.elements), d = s.inv_std[k.c], w = nat_or(s.w, k.c, T(1)), u = s.u[k.c], t = s.t[k.c];
        T a = sums[0] / m, b = sums[1] * d / m, mv = sums[2] / m, vx = sums[3] * d / m, covariance = sums[4] / m - mv * a - vx * b;
        T mean_e = u * a - w * d * (b * mv + vx * a), mean_ex = u * b - T(2) * w * d * vx * b;
        mean = s.mean[k.c];
        dw = m * d * covariance;
        gp = w * d;
        gx = (u - w * d * vx) * d;
        gc = t - w * d * mv;
        xp = -w * d * d * b;
        xq = d * (u - w * d * vx);
        xx = -d * d * (mean_ex + d * w * covariance);
        xc = -d * mean_e;
    }

    __device__ __forceinline__ void finish(const NormArgs& s, int c) const { s.gw[c] = dw; }

    __device__ __forceinline__ void apply(const NormArgs& s, unsigned at) const
    {
        T v = s.v[at], d = s.x[at] - mean;
        s.y[at] = gp * v + gx * d + gc;
        s.second[at] = xp * v + xq * s.g[at] + xx * d + xc;
    }
};

// The row that an element of weight c in a sample belongs to.
__device__ __forceinline__ int nat_row(const NormArgs& s, int c, int sample) { return sample * s.period + c / s.per_row; }

// Rows: gw = sum of g xh, gb = sum of g, per weight.
struct WeightGrad : Added<2>
{
    T gw, gb;

    static __device__ __forceinline__ void gather(const NormArgs& s, const Channel& k, T* sums)
    {
        T gw = T(0), gb = T(0);
        for (Walk i(s, k); i.more(); i.next())
        {
            int row = nat_row(s, k.c, i.sample);
            gw += s.g[i.at] * ((s.x[i.at] - s.mean[row]) * s.inv_std[row]);
            gb += s.g[i.at];
        }
        sums[0] = nat_team_reduce(gw, s.team, NatSum());
        sums[1] = nat_team_reduce(gb, s.team, NatSum());
    }

    __device__ __forceinline__ WeightGrad(const NormArgs&, const Channel&, const T* sums)
    {
        gw = sums[0];
        gb = sums[1];
    }

    __device__ __forceinline__ void finish(const NormArgs& s, int c) const
    {
        s.gw[c] = gw;
        s.gb[c] = gb;
    }

    __device__ __forceinline__ void apply(const NormArgs&, unsigned) const {}
};

// Rows: dw = sum of g s P(v), per weight.
struct WeightGradGrad : Added<1>
{
    T dw;

    static __device__ __forceinline__ void gather(const NormArgs& s, const Channel& k, T* sums)
    {
        T dw = T(0);
        for (Walk i(s, k); i.more(); i.next())
        {
            int row = nat_row(s, k.c, i.sample);
            T d = s.inv_std[row], xh = (s.x[i.at] - s.mean[row]) * d;
            dw += s.g[i.at] * (d * (s.v[i.at] - s.mean_v[row] - xh * s.mean_vx[row]));
        }
        sums[0] = nat_team_reduce(dw, s.team, NatSum());
    }

    __device__ __forceinline__ WeightGradGrad(const NormArgs&, const Channel&, const T* sums) { dw = sums[0]; }

    __device__ __forceinline__ void finish(const NormArgs& s, int c) const { s.gw[c] = dw; }

    __device__ __forceinline__ void apply(const NormArgs&, unsigned) const {}
};

template <class Op> __device__ __forceinline__ void nat_apply(const NormArgs& s, const Channel& k, const T* sums)
{
    Op op(s, k, sums);
    if (k.leads && blockIdx.y == 0)
        op.finish(s, k.c);
    for (Walk i(s, k); i.more(); i.next())
        op.apply(s, i.at);
}

// A channel that is one chunk: everything at once.
template <class Op> __device__ __forceinline__ void nat_whole(const NormArgs& s)
{
    Channel k(s);
    T sums[Op::N];
    Op::gather(s, k, sums);
    nat_apply<Op>(s, k, sums);
}

// A channel of several chunks: first the sums of each, then the rest.
template <class Op> __device__ __forceinline__ void nat_sums(const NormArgs& s)
{
    Channel k(s);
    T sums[Op::N];
    Op::gather(s, k, sums);
    for (int i = 0; k.leads && i < Op::N; i++)
        s.partial[(i * s.chunks + (int)blockIdx.y) * s.channels + k.c] = sums[i];
}

template <class Op> __device__ __forceinline__ void nat_rest(const NormArgs& s)
{
    Channel k(s);
    T sums[Op::N];
    Op::merge(s, k, sums);
    nat_apply<Op>(s, k, sums);
}

KERNEL_SYNC(norm_channel_forward, NormArgs)
{
    nat_whole<ChannelForward>(args);
}
KERNEL_SYNC(norm_channel_forward_sums, NormArgs)
{
    nat_sums<ChannelForward>(args);
}
KERNEL_SYNC(norm_channel_forward_rest, NormArgs)
{
    nat_rest<ChannelForward>(args);
}

KERNEL_SYNC(norm_channel_grad, NormArgs)
{
    nat_whole<ChannelGrad>(args);
}
KERNEL_SYNC(norm_channel_grad_sums, NormArgs)
{
    nat_sums<ChannelGrad>(args);
}
KERNEL_SYNC(norm_channel_grad_rest, NormArgs)
{
    nat_rest<ChannelGrad>(args);
}

KERNEL_SYNC(norm_channel_grad_grad, NormArgs)
{
    nat_whole<ChannelGradGrad>(args);
}
KERNEL_SYNC(norm_channel_grad_grad_sums, NormArgs)
{
    nat_sums<ChannelGradGrad>(args);
}
KERNEL_SYNC(norm_channel_grad_grad_rest, NormArgs)
{
    nat_rest<ChannelGradGrad>(args);
}

KERNEL_SYNC(norm_weight_grad, NormArgs)
{
    nat_whole<WeightGrad>(args);
}
KERNEL_SYNC(norm_weight_grad_sums, NormArgs)
{
    nat_sums<WeightGrad>(args);
}
KERNEL_SYNC(norm_weight_grad_rest, NormArgs)
{
    nat_rest<WeightGrad>(args);
}

KERNEL_SYNC(norm_weight_grad_grad, NormArgs)
{
    nat_whole<WeightGradGrad>(args);
}
KERNEL_SYNC(norm_weight_grad_grad_sums, NormArgs)
{
    nat_sums<WeightGradGrad>(args);
}
KERNEL_SYNC(norm_weight_grad_grad_rest, NormArgs)
{
    nat_rest<WeightGradGrad>(args);
}
