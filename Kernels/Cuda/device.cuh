// What every kernel family of Native is written in. A family is compiled once per element type: NAT_T is that type, NAT_NAME what kernel names
// end in. A kernel takes one struct of arguments by value, whose twin in C# has the same fields in the same order; indices are 32-bit, the host
// refuses tensors of 2^31 elements and more. Blocks have NAT_THREADS threads in one dim unless a kernel says otherwise.
// KERNEL(name, Args) is a kernel whose threads never wait for each other; KERNEL_SYNC one that uses barriers or shuffles (the emulator runs the
// first kind as plain loops, the second with a stack per thread).

#ifndef NAT_T
#error "device.cuh needs NAT_T and NAT_NAME"
#endif

typedef NAT_T T;

#define NAT_THREADS 256
#define NAT_JOIN_(a, b) a##_##b
#define NAT_JOIN(a, b) NAT_JOIN_(a, b)

#ifndef NAT_EMULATED
// A family that works in registers redefines it, to have two blocks share a multiprocessor.
#define NAT_BOUNDS __launch_bounds__(NAT_THREADS)
#define KERNEL(name, Args) extern "C" __global__ void NAT_BOUNDS NAT_JOIN(name, NAT_NAME)(const Args args)
#define KERNEL_SYNC(name, Args) KERNEL(name, Args)
#define NAT_SHARED __shared__
#endif

// A layout, as the host collapsed it: neighbouring dims that can be walked as one are one.
struct Strided
{
    int rank;
    int dims[8];
    int strides[8];
};

// The element offset of row-major position i.
__device__ __forceinline__ int nat_offset(const Strided& s, int i)
{
    int offset = 0;
#pragma unroll
    for (int d = 7; d > 0; d--)
    {
        if (d < s.rank)
        {
            int rest = i / s.dims[d];
            offset += (i - rest * s.dims[d]) * s.strides[d];
            i = rest;
        }
    }
    return offset + i * s.strides[0];
}

// Position of this thread among all of a grid-stride loop, and the loop's step.
__device__ __forceinline__ int nat_first() { return (int)(blockIdx.x * blockDim.x + threadIdx.x); }
__device__ __forceinline__ int nat_step() { return (int)(gridDim.x * blockDim.x); }

// The combination of one value per thread of the block, in a fixed tree: lanes of a warp by halves, then warps by halves. Every thread gets the
// result. All NAT_THREADS threads must call it.
template <class V, class Combine> __device__ V nat_block_reduce(V v, Combine combine)
{
    NAT_SHARED V warps[NAT_THREADS / 32];
    int lane = (int)threadIdx.x & 31, warp = (int)threadIdx.x >> 5;
#pragma unroll
    for (int o = 16; o > 0; o >>= 1)
        v = combine(v, __shfl_down_sync(0xffffffffu, v, o));
    __syncthreads(); // whoever still reads the last result
    if (lane == 0)
        warps[warp] = v;
    __syncthreads();
    V total = warps[0];
#pragma unroll
    for (int w = 1; w < NAT_THREADS / 32; w++)
        total = combine(total, warps[w]);
    return total;
}
