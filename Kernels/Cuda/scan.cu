// Running sums and products along the lines of a dense tensor [outer, n, inner], and differences of neighbours. Long lines that are few are cut into
// segments: a first launch leaves the total of each, a second one starts each segment from the totals before it. Shape alone decides the cuts.

// Sums of f32 run in double, so that the last of a million is as good as the first.
template <class V> struct nat_wide { typedef V A; };
template <> struct nat_wide<float> { typedef double A; };

struct nat_sum
{
    typedef nat_wide<T>::A A;
    static __device__ __forceinline__ A none() { return A(0); }
    static __device__ __forceinline__ A combine(A a, A b) { return a + b; }
};

struct nat_product
{
    typedef T A;
    static __device__ __forceinline__ A none() { return A(1); }
    static __device__ __forceinline__ A combine(A a, A b) { return a * b; }
};

struct ScanArgs
{
    T* y;
    const T* x;
    void* totals; // A per segment of a line; null when lines are whole
    int lines, n, inner, segment, segments;
    int reverse;   // from the line's end
    int exclusive; // element i gets what stands before it
    int times;     // y is multiplied by the result
    int cutting;   // only the totals are wanted
};

// Elements of a thread at a time, in nat_scan_rows.
#define NAT_RUN 4

// Contiguous lines, one block per segment: a thread runs over its own few elements, then warps and the block add up.
template <class F> __device__ __forceinline__ void nat_scan_rows(const ScanArgs& s)
{
    typedef typename F::A A;
    NAT_SHARED A warps[NAT_THREADS / 32];
    int lane = (int)threadIdx.x & 31, warp = (int)threadIdx.x >> 5, line = (int)blockIdx.x, segment = (int)blockIdx.y;
    const T* x = s.x + line * s.n;
    T* y = s.y + line * s.n;
    A* totals = (A*)s.totals + line * s.segments;
    A carry = F::none();
    if (!s.cutting && segment > 0)
        carry = nat_block_reduce((int)threadIdx.x < segment ? totals[threadIdx.x] : F::none(), F::combine);
    int left = min(s.segment, s.n - segment * s.segment);
    for (int tile = 0; tile < left; tile += NAT_THREADS * NAT_RUN)
    {
        int first = tile + (int)threadIdx.x * NAT_RUN;
        A runs[NAT_RUN], sum = F::none();
#pragma unroll
        for (int j = 0; j < NAT_RUN; j++)
        {
            int i = segment * s.segment + first + j;
            if (first + j < left)
                sum = F::combine(sum, (A)x[s.reverse ? s.n - 1 - i : i]);
            runs[j] = sum;
        }
#pragma unroll
        for (int o = 1; o < 32; o <<= 1)
        {
            A other = __shfl_sync(0xffffffffu, sum, lane - o);
            sum = lane >= o ? F::combine(other, sum) : sum;
        }
        A before = __shfl_sync(0xffffffffu, sum, lane - 1);
        __syncthreads(); // whoever still reads the last tile's
        if (lane == 31)
            warps[warp] = sum;
        __syncthreads();
        before = lane > 0 ? before : F::none();
        A total = F::none(), start = carry;
#pragma unroll
        for (int w = 0; w < NAT_THREADS / 32; w++)
        {
            if (w == warp)
                start = F::combine(carry, total);
            total = F::combine(total, warps[w]);
        }
        carry = F::combine(carry, total);
        if (s.cutting)
            continue;
        start = F::combine(start, before);
#pragma unroll
        for (int j = 0; j < NAT_RUN; j++)
        {
            int i = segment * s.segment + first + j;
            if (first + j >= left)
                continue;
            T* at = y + (s.reverse ? s.n - 1 - i : i);
            T v = (T)(s.exclusive ? (j > 0 ? F::combine(start, runs[j - 1]) : start) : F::combine(start, runs[j]));
            *at = s.times ? *at * v : v;
        }
    }
    if (s.cutting && threadIdx.x == 0)
        totals[segment] = carry;
}

// Lines side by side, or short ones: a thread walks a segment of a line.
template <class F> __device__ __forceinline__ void nat_scan_columns(const ScanArgs& s)
{
    typedef typename F::A A;
    int line = (int)(blockIdx.x * blockDim.x + threadIdx.x), segment = (int)blockIdx.y;
    if (line >= s.lines)
        return;
    int step = s.reverse ? -s.inner : s.inner, i = segment * s.segment, end = i + min(s.segment, s.n - i);
    int at = line / s.inner * s.n * s.inner + line % s.inner + (s.reverse ? s.n - 1 - i : i) * s.inner;
    const T* __restrict__ x = s.x;
    T* __restrict__ y = s.y;
    A* totals = (A*)s.totals, sum = F::none();
    if (!s.cutting)
        for (int k = 0; k < segment; k++)
            sum = F::combine(sum, totals[k * s.lines + line]);
#pragma unroll 4
    for (; i < end; i++, at += step)
    {
        A before = sum;
        sum = F::combine(sum, (A)x[at]);
        T v = (T)(s.exclusive ? before : sum);
        if (!s.cutting)
            y[at] = s.times ? y[at] * v : v;
    }
    if (s.cutting)
        totals[segment * s.lines + line] = sum;
}

KERNEL_SYNC(scan_sum_rows, ScanArgs) { nat_scan_rows<nat_sum>(args); }
KERNEL(scan_sum_columns, ScanArgs) { nat_scan_columns<nat_sum>(args); }
KERNEL_SYNC(scan_product_rows, ScanArgs) { nat_scan_rows<nat_product>(args); }
KERNEL(scan_product_columns, ScanArgs) { nat_scan_columns<nat_product>(args); }

struct DifferenceArgs
{
    T* y;
    const T* x;
    int count, n, to, inner, adjoint; // x is [outer, n, inner], y [outer, to, inner] with count elements
};

// y[i] = x[i + 1] - x[i], or its adjoint y[i] = x[i - 1] - x[i] with nothing beyond the ends.
KERNEL(scan_difference, DifferenceArgs)
{
    for (int e = nat_first(); e < args.count; e += nat_step())
    {
        int row = e / args.inner, o = row / args.to, i = row - o * args.to;
        const T* x = args.x + o * args.n * args.inner + (e - row * args.inner);
        if (args.adjoint)
            args.y[e] = (i > 0 ? x[(i - 1) * args.inner] : T(0)) - (i < args.n ? x[i * args.inner] : T(0));
        else
            args.y[e] = x[(i + 1) * args.inner] - x[i * args.inner];
    }
}
