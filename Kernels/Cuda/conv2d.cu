// 2-d convolution and its gradients, exact: every product and sum in T. conv2d_pixels.cuh and conv2d_weight.cuh have the reading and writing.

struct Exact
{
    static __device__ __forceinline__ T of(T x) { return x; }
};

// The product of two tiles by ordinary arithmetic. A thread has TM x TN results, in packs of what is read at once.
template <class S, int TM, int TN> struct Product
{
    typedef Exact Round;
    static constexpr int WIDE = 16 / (int)sizeof(T), VM = TM < WIDE ? TM : WIDE, VN = TN < WIDE ? TN : WIDE;
    static constexpr int THREADS_N = S::N / TN, THREADS_M = S::M / TM;
    static_assert(THREADS_M * THREADS_N == NAT_THREADS, "every thread has results");

    T sum[TM][TN] = {};

    static __device__ __forceinline__ int row(int i) { return i / VM * (THREADS_M * VM) + (int)threadIdx.x / THREADS_N * VM + i % VM; }
    static __device__ __forceinline__ int column(int j) { return j / VN * (THREADS_N * VN) + (int)threadIdx.x % THREADS_N * VN + j % VN; }

    __device__ __forceinline__ void add(const T* tile_a, const T* tile_b)
    {
#pragma unroll
        for (int k = 0; k < S::DEPTH; k++)
        {
            nat_pack<T, VM> a[TM / VM];
            nat_pack<T, VN> b[TN / VN];
#pragma unroll
            for (int i = 0; i < TM / VM; i++)
                a[i] = nat_packed<VM>(tile_a + k * S::ROW_A + row(i * VM));
#pragma unroll
            for (int j = 0; j < TN / VN; j++)
                b[j] = nat_packed<VN>(tile_b + k * S::ROW_B + column(j * VN));
#pragma unroll
            for (int i = 0; i < TM; i++)
#pragma unroll
                for (int j = 0; j < TN; j++)
                    sum[i][j] = nat_fma(a[i / VM].at[i % VM], b[j / VN].at[j % VN], sum[i][j]);
        }
    }
    template <class Store> __device__ __forceinline__ void put(const Store& store, const Place& place) const
    {
#pragma unroll
        for (int j = 0; j < TN; j += VN)
            store.template put<VN, TM>(place.column + column(j), [&](int i) { return place.row + row(i); }, [&](int i, int c) { return sum[i][j + c]; });
    }
};

#define CONV2D_TILE(M, N, DEPTH) \
    typedef Tile<M, N, DEPTH, 4> S; \
    alignas(16) NAT_SHARED T tile_a[S::SIZE_A]; \
    alignas(16) NAT_SHARED T tile_b[S::SIZE_B];

// The registers of a multiprocessor hold two blocks of the largest f32 tiles, if the compiler is told so. Older ones and f64 would spill.
#undef NAT_BOUNDS
#if __CUDA_ARCH__ >= 800
#define NAT_BOUNDS __launch_bounds__(NAT_THREADS, sizeof(T) == 4 ? 2 : 1)
#else
#define NAT_BOUNDS __launch_bounds__(NAT_THREADS)
#endif

KERNEL_SYNC(conv2d_128x128, ConvArgs)
{
    CONV2D_TILE(128, 128, 8)
    nat_conv<S, Product<S, 8, 8>>(args, tile_a, tile_b);
}

KERNEL_SYNC(conv2d_weight_128x128, ConvWeightArgs)
{
    CONV2D_TILE(128, 128, 8)
    nat_conv_weight<S, Product<S, 8, 8>>(args, tile_a, tile_b);
}

// Three of these, where the compiler would try for four.
#undef NAT_BOUNDS
#define NAT_BOUNDS __launch_bounds__(NAT_THREADS, sizeof(T) == 4 ? 3 : 1)

KERNEL_SYNC(conv2d_weight_64x64, ConvWeightArgs)
{
    CONV2D_TILE(64, 64, 16)
    nat_conv_weight<S, Product<S, 4, 4>>(args, tile_a, tile_b);
}

#undef NAT_BOUNDS
#define NAT_BOUNDS __launch_bounds__(NAT_THREADS)

KERNEL_SYNC(conv2d_64x64, ConvArgs)
{
    CONV2D_TILE(64, 64, 16)
    nat_conv<S, Product<S, 4, 4>>(args, tile_a, tile_b);
}

KERNEL_SYNC(conv2d_32x256, ConvArgs)
{
    CONV2D_TILE(32, 256, 8)
    nat_conv<S, Product<S, 8, 4>>(args, tile_a, tile_b);
}

KERNEL_SYNC(conv2d_16x256, ConvArgs)
{
    CONV2D_TILE(16, 256, 8)
    nat_conv<S, Product<S, 4, 4>>(args, tile_a, tile_b);
}

KERNEL_SYNC(conv2d_weight_32x64, ConvWeightArgs)
{
    CONV2D_TILE(32, 64, 16)
    nat_conv_weight<S, Product<S, 4, 2>>(args, tile_a, tile_b);
}

struct SumArgs
{
    T* y;
    const T *parts, *bias;
    double slope;
    int count, splits, pixels, channels, rectify;
};

// y = the sum of parts [splits, count] + the bias of each plane of `pixels`, rectified. A block has 32 elements; each of its warps adds every eighth part, in order,
// then the warps' sums are added in order.
KERNEL_SYNC(conv2d_sum, SumArgs)
{
    NAT_SHARED T sums[NAT_THREADS / 32][32];
    int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, i = (int)blockIdx.x * 32 + lane;
    T sum = 0;
    if (i < args.count)
#pragma unroll 4
        for (int s = warp; s < args.splits; s += NAT_THREADS / 32)
            sum += args.parts[s * args.count + i];
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || i >= args.count)
        return;
#pragma unroll
    for (int w = 1; w < NAT_THREADS / 32; w++)
        sum += sums[w][lane];
    args.y[i] = nat_rectify(args.bias ? sum + args.bias[i / args.pixels % args.channels] : sum, args.rectify, (T)args.slope);
}
