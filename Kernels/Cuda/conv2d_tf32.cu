// 2-d convolution and its gradients on tensor cores: operands are rounded to tf32 on their way into shared memory, sums are f32. Only for those who ask.
// mma.cuh has the instruction, conv2d_pixels.cuh and conv2d_weight.cuh the reading and writing.

struct Tf32
{
    static __device__ __forceinline__ T of(T x) { return nat_tf32(x); }
};

// The product of two tiles by the warps of a block, 2 along M and 4 along N. With rows of 8 more than a multiple of 32, the lanes of a warp read from
// 32 different banks.
template <class S> struct TensorProduct
{
    typedef Tf32 Round;
    static constexpr int WARP_M = S::M / 2, WARP_N = S::N / 4, TM = WARP_M / 16, TN = WARP_N / 8;

    T sum[TM][TN][4] = {};

    static __device__ __forceinline__ int lane() { return (int)threadIdx.x & 31; }
    static __device__ __forceinline__ int row() { return ((int)threadIdx.x >> 7) * WARP_M + (lane() >> 2); }
    static __device__ __forceinline__ int column() { return ((int)threadIdx.x >> 5 & 3) * WARP_N; }

    __device__ __forceinline__ void add(const T* tile_a, const T* tile_b)
    {
        const T* from_a = tile_a + (lane() & 3) * S::ROW_A + row();
        const T* from_b = tile_b + (lane() & 3) * S::ROW_B + column() + (lane() >> 2);
#pragma unroll
        for (int k = 0; k < S::DEPTH; k += 8)
        {
            T a[TM][4], b[TN][2];
#pragma unroll
            for (int i = 0; i < TM; i++)
#pragma unroll
                for (int r = 0; r < 4; r++)
                    a[i][r] = from_a[(k + r / 2 * 4) * S::ROW_A + i * 16 + r % 2 * 8];
#pragma unroll
            for (int j = 0; j < TN; j++)
#pragma unroll
                for (int r = 0; r < 2; r++)
                    b[j][r] = from_b[(k + r * 4) * S::ROW_B + j * 8];
#pragma unroll
            for (int i = 0; i < TM; i++)
#pragma unroll
                for (int j = 0; j < TN; j++)
                    nat_mma_tf32(sum[i][j], a[i], b[j]);
        }
    }
    template <class Store> __device__ __forceinline__ void put(const Store& store, const Place& place) const
    {
#pragma unroll
        for (int n = 0; n < TN; n++)
            store.template put<2, TM * 2>(place.column + column() + n * 8 + (lane() & 3) * 2,
                [&](int i) { return place.row + row() + i / 2 * 16 + i % 2 * 8; }, [&](int i, int j) { return sum[i / 2][n][i % 2 * 2 + j]; });
    }
};

#define CONV2D_TENSOR_TILE(M, N) \
    typedef Tile<M, N, 16, 8> S; \
    alignas(16) NAT_SHARED T tile_a[S::SIZE_A]; \
    alignas(16) NAT_SHARED T tile_b[S::SIZE_B];

KERNEL_SYNC(conv2d_tf32_weight_128x128, ConvWeightArgs)
{
    CONV2D_TENSOR_TILE(128, 128)
    nat_conv_weight<S, TensorProduct<S>>(args, tile_a, tile_b);
}

// The registers of a multiprocessor hold two blocks of this one, if the compiler is told so.
#undef NAT_BOUNDS
#define NAT_BOUNDS __launch_bounds__(NAT_THREADS, 2)

KERNEL_SYNC(conv2d_tf32_128x128, ConvArgs)
{
    CONV2D_TENSOR_TILE(128, 128)
    nat_conv<S, TensorProduct<S>>(args, tile_a, tile_b);
}

#undef NAT_BOUNDS
#define NAT_BOUNDS __launch_bounds__(NAT_THREADS)

KERNEL_SYNC(conv2d_tf32_64x64, ConvArgs)
{
    CONV2D_TENSOR_TILE(64, 64)
    nat_conv<S, TensorProduct<S>>(args, tile_a, tile_b);
}

KERNEL_SYNC(conv2d_tf32_32x128, ConvArgs)
{
    CONV2D_TENSOR_TILE(32, 128)
    nat_conv<S, TensorProduct<S>>(args, tile_a, tile_b);
}

KERNEL_SYNC(conv2d_tf32_weight_64x64, ConvWeightArgs)
{
    CONV2D_TENSOR_TILE(64, 64)
    nat_conv_weight<S, TensorProduct<S>>(args, tile_a, tile_b);
}

KERNEL_SYNC(conv2d_tf32_weight_32x64, ConvWeightArgs)
{
    CONV2D_TENSOR_TILE(32, 64)
    nat_conv_weight<S, TensorProduct<S>>(args, tile_a, tile_b);
}
