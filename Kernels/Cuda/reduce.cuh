// Reductions: elements are mapped, then combined over some dims in a fixed order that shape and strides alone decide. A reduction F has
//   A                  what is combined,
//   Out                what it becomes in the end,
//   none()             the identity,
//   load(x, r)         element number r of its line as an A,
//   combine(a, b)      associative; commutative too,
//   finish(a)          an A as an Out.
// Several threads ("lanes") share an output; where outputs are few, a line is cut into segments, one per blockIdx.y, whose results a second
// launch combines.

struct ReduceArgs
{
    void* y;       // Out per output when this launch is the last, else A per segment and output
    const void* x; // T, or A when they are partial results
    int outputs, length, segment; // elements per line and per segment
    int lanes;     // per output, a power of two: up to 32, or the whole block
    int partial, last, packed;
    Strided kept, gone;
};

// Elements that a lane takes at a time: 16 bytes' worth, if they lie together.
#define NAT_PACK (sizeof(T) == 8 ? 2 : 4)

template <class V> __device__ __forceinline__ V nat_swap(V v, int o) { return __shfl_xor_sync(0xffffffffu, v, o); }

// Combination of what one lane takes of a line that starts at element base. Pack and position decide who takes what, not how it is read.
template <class F> __device__ __forceinline__ typename F::A nat_reduce_lane(const ReduceArgs& s, int base, int lane)
{
    typedef typename F::A A;
    const int P = NAT_PACK;
    unsigned begin = blockIdx.y * (unsigned)s.segment, end = (unsigned)min(s.length - (int)begin, s.segment) + begin, step = (unsigned)(s.lanes * P);
    A sums[P];
#pragma unroll
    for (int j = 0; j < P; j++)
        sums[j] = F::none();
    if (s.packed)
    {
        const T* x = (const T*)s.x + base;
#pragma unroll 4
        for (unsigned r = begin + (unsigned)(lane * P); r < end; r += step)
        {
            nat_pack<T, P> v = *(const nat_pack<T, P>*)(x + nat_offset(s.gone, (int)r));
#pragma unroll
            for (int j = 0; j < P; j++)
                sums[j] = F::combine(sums[j], F::load(v.at[j], (int)r + j));
        }
    }
    else
    {
        for (unsigned r = begin + (unsigned)(lane * P); r < end; r += step)
        {
#pragma unroll
            for (int j = 0; j < P; j++)
            {
                if (r + j >= end)
                    continue;
                int at = base + nat_offset(s.gone, (int)r + j);
                sums[j] = F::combine(sums[j], s.partial ? ((const A*)s.x)[at] : F::load(((const T*)s.x)[at], (int)r + j));
            }
        }
    }
#pragma unroll
    for (int h = P / 2; h > 0; h >>= 1)
#pragma unroll
        for (int j = 0; j < h; j++)
            sums[j] = F::combine(sums[j], sums[j + h]);
    return sums[0];
}

template <class F> __device__ __forceinline__ void nat_reduce_store(const ReduceArgs& s, int o, typename F::A total)
{
    if (s.last)
        ((typename F::Out*)s.y)[o] = F::finish(total);
    else
        ((typename F::A*)s.y)[(int)blockIdx.y * s.outputs + o] = total;
}

// Neighbouring threads take neighbouring elements of a line: for lines that are contiguous, or nearly so.
template <class F> __device__ __forceinline__ void nat_reduce_inner(const ReduceArgs& s)
{
    NAT_SHARED typename F::A warps[NAT_THREADS / 32];
    int lane = (int)threadIdx.x & (s.lanes - 1), o = (int)(blockIdx.x * (unsigned)(NAT_THREADS / s.lanes) + threadIdx.x / (unsigned)s.lanes);
    typename F::A total = F::none();
    if (o < s.outputs)
        total = nat_reduce_lane<F>(s, nat_offset(s.kept, o), lane);
    for (int h = min(s.lanes, 32) >> 1; h > 0; h >>= 1)
        total = F::combine(total, nat_swap(total, h));
    if (s.lanes > 32)
    {
        if ((lane & 31) == 0)
            warps[lane >> 5] = total;
        __syncthreads();
        total = warps[0];
#pragma unroll
        for (int w = 1; w < NAT_THREADS / 32; w++)
            total = F::combine(total, warps[w]);
    }
    if (lane == 0 && o < s.outputs)
        nat_reduce_store<F>(s, o, total);
}

// Neighbouring threads take neighbouring outputs, whose elements lie side by side; lanes lie apart.
template <class F> __device__ __forceinline__ void nat_reduce_outer(const ReduceArgs& s)
{
    NAT_SHARED typename F::A parts[NAT_THREADS];
    int width = NAT_THREADS / s.lanes, lane = (int)threadIdx.x / width, o = (int)(blockIdx.x * (unsigned)width + threadIdx.x % (unsigned)width);
    typename F::A total = F::none();
    if (o < s.outputs)
        total = nat_reduce_lane<F>(s, nat_offset(s.kept, o), lane);
    parts[threadIdx.x] = total;
    for (int h = s.lanes >> 1; h > 0; h >>= 1)
    {
        __syncthreads();
        if (lane < h)
            parts[threadIdx.x] = total = F::combine(total, parts[(int)threadIdx.x + h * width]);
    }
    if (lane == 0 && o < s.outputs)
        nat_reduce_store<F>(s, o, total);
}

// A row of the op table: its four expressions, in x, or a and b, or a.
#define REDUCTION(name, pre, combination, post, identity)                                     \
    struct fn_##name                                                                          \
    {                                                                                         \
        typedef T A;                                                                          \
        typedef T Out;                                                                        \
        static __device__ __forceinline__ T none() { return identity; }                       \
        static __device__ __forceinline__ T load(T x, int) { return pre; }                    \
        static __device__ __forceinline__ T combine(T a, T b) { return combination; }         \
        static __device__ __forceinline__ T finish(T a) { return post; }                      \
    };
