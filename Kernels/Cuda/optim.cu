// Updates of many tensors in one launch. The table of tensors travels with the arguments; a block takes a chunk of one tensor at a time.

#define OPTIM_SLOTS 48
#define OPTIM_CHUNK (4 * NAT_THREADS)

struct OptimTensor
{
    T *w;
    const T *g;
    T *m, *v;
    const T *mask; // or null
    double rate, decay, shrink, root_correction;
    int count, first_chunk;
};

struct OptimArgs
{
    double a, b, c, d, eps; // the rule's own scalars
    const double* step;     // null, or a graph's memory with the four scalars of each tensor for this replay
    int tensors, chunks;
    OptimTensor table[OPTIM_SLOTS];
};

// Fields of one tensor in its own precision.
struct OptimScalars
{
    T rate, decay, shrink, root_correction;
};

struct alignas(16) Pack
{
    T v[16 / sizeof(T)];
};

__device__ __forceinline__ bool nat_is_aligned(const void* p) { return ((nat_u64)p & 15) == 0; }

// `rule(scalars, w, g, m, v)` gives the new w and changes the moments; as many of them as `moments` says are read and written.
template <int moments, class Rule> __device__ __forceinline__ void nat_optim(const OptimArgs& args, Rule rule)
{
    const int width = 16 / sizeof(T);
    int slot = 0;
    // Chunks come in ascending order, so the table is walked once.
    for (int chunk = (int)blockIdx.x; chunk < args.chunks; chunk += (int)gridDim.x)
    {
        while (slot + 1 < args.tensors && args.table[slot + 1].first_chunk <= chunk)
            slot++;
        const OptimTensor& t = args.table[slot];
        const double* now = args.step ? args.step + 4 * slot : &t.rate;
        OptimScalars s = {(T)now[0], (T)now[1], (T)now[2], (T)now[3]};
        auto step = [&](T& w, T g, T& m, T& v, T mask, bool masked) {
            if (masked)
                g = g * mask;
            // Skipped when there is none: 0 * infinity is NaN.
            if (s.decay != T(0))
                g = g + w * s.decay;
            w = rule(s, w * s.shrink, g, m, v);
        };
        int from = (chunk - t.first_chunk) * OPTIM_CHUNK, to = t.count - from < OPTIM_CHUNK ? t.count : from + OPTIM_CHUNK;
        bool wide = nat_is_aligned(t.w) && nat_is_aligned(t.g) && nat_is_aligned(t.mask) && (moments < 1 || nat_is_aligned(t.m)) && (moments < 2 || nat_is_aligned(t.v));
        int packs = wide ? (to - from) / width : 0;
        for (int k = (int)threadIdx.x; k < packs; k += NAT_THREADS)
        {
            int i = from + k * width;
            Pack w = *(const Pack*)(t.w + i), g = *(const Pack*)(t.g + i), m = w, v = w, mask = w;
            if (moments > 0)
                m = *(const Pack*)(t.m + i);
            if (moments > 1)
                v = *(const Pack*)(t.v + i);
            if (t.mask)
                mask = *(const Pack*)(t.mask + i);
#pragma unroll
            for (int e = 0; e < width; e++)
                step(w.v[e], g.v[e], m.v[e], v.v[e], mask.v[e], t.mask);
            *(Pack*)(t.w + i) = w;
            if (moments > 0)
                *(Pack*)(t.m + i) = m;
            if (moments > 1)
                *(Pack*)(t.v + i) = v;
        }
        for (int i = from + packs * width + (int)threadIdx.x; i < to; i += NAT_THREADS)
        {
            T none = T(0);
            step(t.w[i], t.g[i], moments > 0 ? t.m[i] : none, moments > 1 ? t.v[i] : none, t.mask ? t.mask[i] : none, t.mask);
        }
    }
}

KERNEL(optim_sgd, OptimArgs)
{
    nat_optim<0>(args, [](const OptimScalars& s, T w, T g, T&, T&) { return w - g * s.rate; });
}

// a: momentum.
KERNEL(optim_momentum, OptimArgs)
{
    T momentum = (T)args.a;
    nat_optim<1>(args, [=](const OptimScalars& s, T w, T g, T& m, T&) {
        m = m * momentum + g;
        return w - m * s.rate;
    });
}

KERNEL(optim_nesterov, OptimArgs)
{
    T momentum = (T)args.a;
    nat_optim<1>(args, [=](const OptimScalars& s, T w, T g, T& m, T&) {
        m = m * momentum + g;
        return w - (g + m * momentum) * s.rate;
    });
}

// a, c: betas; b, d: what is missing to 1.
KERNEL(optim_adam, OptimArgs)
{
    T beta1 = (T)args.a, rest1 = (T)args.b, beta2 = (T)args.c, rest2 = (T)args.d, eps = (T)args.eps;
    nat_optim<2>(args, [=](const OptimScalars& s, T w, T g, T& m, T& v) {
        m = m * beta1 + g * rest1;
        v = v * beta2 + g * g * rest2;
        return w - m * s.rate / (sqrt(v) / s.root_correction + eps);
    });
}
