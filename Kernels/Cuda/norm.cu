// Normalisation per channel, its gradient and the gradient of that; and the sums per weight of row normalisation. norm.cuh says how they are walked.

// An operation has N sums per channel: gather takes them from this thread's chunk, merge from all chunks; its constructor makes coefficients of them,
// finish writes what there is per channel; apply computes the elements of to() from those of from(), if there are any.

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
    enum { N = 2, OUT = 1 };
    T mean, variance, inv_std, k, constant;

    static __device__ __forceinline__ From<1> from(const NormArgs& s) { return {{s.x}}; }
    static __device__ __forceinline__ To<1> to(const NormArgs& s) { return {{s.y}}; }

    static __device__ __forceinline__ void gather(const NormArgs& s, const Channel& k, T* sums)
    {
        T sum = T(0), spread = T(0);
        nat_each(s, k, from(s), [&](const T* v, int) { sum += v[0]; });
        T mean = nat_team_reduce(sum, s.team, NatSum()) / T(k.end - k.begin);
        nat_each(s, k, from(s), [&](const T* v, int) { spread += (v[0] - mean) * (v[0] - mean); });
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

    __device__ __forceinline__ void apply(const T* v, T* y) const { y[0] = k * (v[0] - mean) + constant; }
};

struct ChannelGrad : Added<2>
{
    enum { OUT = 1 };
    T mean, gw, gb, kp, kx, constant;

    static __device__ __forceinline__ From<2> from(const NormArgs& s) { return {{s.g, s.x}}; }
    static __device__ __forceinline__ To<1> to(const NormArgs& s) { return {{s.y}}; }

    static __device__ __forceinline__ void gather(const NormArgs& s, const Channel& k, T* sums)
    {
        T g = T(0), gx = T(0), mean = s.mean[k.c];
        nat_each(s, k, from(s), [&](const T* v, int) {
            g += v[0];
            gx += v[0] * (v[1] - mean);
        });
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

    __device__ __forceinline__ void apply(const T* v, T* y) const { y[0] = kp * v[0] + kx * (v[1] - mean) + constant; }
};

struct ChannelGradGrad : Added<5>
{
    enum { OUT = 2 };
    T mean, dw, gp, gx, gc, xp, xq, xx, xc; // coefficients of dgy, then of dx

    static __device__ __forceinline__ From<3> from(const NormArgs& s) { return {{s.g, s.v, s.x}}; }
    static __device__ __forceinline__ To<2> to(const NormArgs& s) { return {{s.y, s.second}}; }

    static __device__ __forceinline__ void gather(const NormArgs& s, const Channel& k, T* sums)
    {
        T sum[N] = {T(0), T(0), T(0), T(0), T(0)}, mean = s.mean[k.c];
        nat_each(s, k, from(s), [&](const T* at, int) {
            T g = at[0], v = at[1], d = at[2] - mean;
            sum[0] += g;
            sum[1] += g * d;
            sum[2] += v;
            sum[3] += v * d;
            sum[4] += v * g;
        });
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

    __device__ __forceinline__ void apply(const T* at, T* y) const
    {
        T v = at[1], d = at[2] - mean;
        y[0] = gp * v + gx * d + gc;
        y[1] = xp * v + xq * at[0] + xx * d + xc;
    }
};

// The row that an element of weight c in a sample belongs to.
__device__ __forceinline__ int nat_row(const NormArgs& s, int c, int sample) { return sample * s.period + c / s.per_row; }

// Rows: gw = sum of g xh, gb = sum of g, per weight.
struct WeightGrad : Added<2>
{
    enum { OUT = 0 };
    T gw, gb;

    static __device__ __forceinline__ void gather(const NormArgs& s, const Channel& k, T* sums)
    {
        T gw = T(0), gb = T(0);
        nat_each(s, k, From<2>{{s.g, s.x}}, [&](const T* v, int sample) {
            int row = nat_row(s, k.c, sample);
            gw += v[0] * ((v[1] - s.mean[row]) * s.inv_std[row]);
            gb += v[0];
        });
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
};

// Rows: dw = sum of g s P(v), per weight.
struct WeightGradGrad : Added<1>
{
    enum { OUT = 0 };
    T dw;

    static __device__ __forceinline__ void gather(const NormArgs& s, const Channel& k, T* sums)
    {
        T dw = T(0);
        nat_each(s, k, From<3>{{s.g, s.v, s.x}}, [&](const T* v, int sample) {
            int row = nat_row(s, k.c, sample);
            T d = s.inv_std[row], xh = (v[2] - s.mean[row]) * d;
            dw += v[0] * (d * (v[1] - s.mean_v[row] - xh * s.mean_vx[row]));
        });
        sums[0] = nat_team_reduce(dw, s.team, NatSum());
    }

    __device__ __forceinline__ WeightGradGrad(const NormArgs&, const Channel&, const T* sums) { dw = sums[0]; }

    __device__ __forceinline__ void finish(const NormArgs& s, int c) const { s.gw[c] = dw; }
};

template <class Op> __device__ __forceinline__ void nat_apply(const NormArgs& s, const Channel& k, const T* sums)
{
    Op op(s, k, sums);
    if (k.leads && blockIdx.y == 0)
        op.finish(s, k.c);
    if constexpr (Op::OUT > 0)
        nat_map(s, k, Op::from(s), Op::to(s), [&](const T* v, T* y) { op.apply(v, y); });
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
