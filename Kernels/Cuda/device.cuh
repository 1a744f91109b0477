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
    if (s.rank == 1)
        return i * s.strides[0];
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

// N neighbours that move as one; the address is a multiple of their size.
template <class V, int N> struct alignas(sizeof(V) * N) nat_pack
{
    V at[N];
};
template <class V, int N> __device__ __forceinline__ bool nat_is_packed(const V* p) { return ((unsigned long long)p & (sizeof(V) * N - 1)) == 0; }

// Elements i to i + 3, of which m exist: of a dense operand (step 1) or one number over and over (step 0). i is a multiple of 4.
template <class V> __device__ __forceinline__ nat_pack<V, 4> nat_load4(const V* p, int step, int i, int m)
{
    if (step && m == 4 && nat_is_packed<V, 4>(p))
        return *(const nat_pack<V, 4>*)(p + i);
    nat_pack<V, 4> v;
#pragma unroll
    for (int j = 0; j < 4; j++)
        v.at[j] = j < m ? p[(i + j) * step] : V(0);
    return v;
}
template <class V> __device__ __forceinline__ void nat_store4(V* p, int i, int m, const nat_pack<V, 4>& v)
{
    if (m == 4 && nat_is_packed<V, 4>(p))
    {
        *(nat_pack<V, 4>*)(p + i) = v;
        return;
    }
    for (int j = 0; j < m; j++)
        p[i + j] = v.at[j];
}

// Sixteen bytes, the most that one thread moves at a time; from p on if it lies at a multiple of them, else element by element.
#define NAT_WIDE ((int)(16 / sizeof(T)))
typedef nat_pack<T, NAT_WIDE> Wide;
__device__ __forceinline__ Wide nat_load_wide(const T* p)
{
    if (nat_is_packed<T, NAT_WIDE>(p))
        return *(const Wide*)p;
    Wide v;
#pragma unroll
    for (int j = 0; j < NAT_WIDE; j++)
        v.at[j] = p[j];
    return v;
}
__device__ __forceinline__ void nat_store_wide(T* p, const Wide& v)
{
    if (nat_is_packed<T, NAT_WIDE>(p))
    {
        *(Wide*)p = v;
        return;
    }
#pragma unroll
    for (int j = 0; j < NAT_WIDE; j++)
        p[j] = v.at[j];
}

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

// The threads of a block in teams: members differ in the bits low .. high - 1 of their number and agree in all others. Low 0: a team is a run of
// neighbours, which walk one line of memory together. Low above: neighbours walk neighbouring lines, each team one of them.
struct Team
{
    int low, high;
};

__device__ __forceinline__ int nat_team_size(Team t) { return 1 << (t.high - t.low); }
__device__ __forceinline__ int nat_team_rank(Team t) { return ((int)threadIdx.x >> t.low) & (nat_team_size(t) - 1); }

// Number of this thread's team among those of all blocks.
__device__ __forceinline__ int nat_team(Team t)
{
    int i = (int)threadIdx.x;
    return (((int)blockIdx.x * NAT_THREADS + i) >> t.high << t.low) + (i & ((1 << t.low) - 1));
}

template <class V> static __device__ __forceinline__ V* nat_team_room()
{
    NAT_SHARED V room[NAT_THREADS];
    return room;
}

// The combination of one value per member, in a fixed tree: by halves within a warp, then warp after warp. Every member gets the result. All threads of
// the block must call it, those of teams without work too. Combine is commutative.
template <class V, class Combine> __device__ __forceinline__ V nat_team_reduce(V v, Team t, Combine combine)
{
    for (int o = 1 << min(t.high, 5) >> 1; o >= 1 << t.low; o >>= 1)
        v = combine(v, __shfl_xor_sync(0xffffffffu, v, o));
    if (t.high <= 5)
        return v;
    // One value per team and warp is left; members stand `stride` apart.
    V* room = nat_team_room<V>();
    int stride = 1 << max(t.low, 5), first = (int)threadIdx.x >> t.high << t.high | ((int)threadIdx.x & (stride - 1));
    __syncthreads(); // whoever still reads the last result
    room[threadIdx.x] = v;
    __syncthreads();
    v = room[first];
    for (int at = stride; at < 1 << t.high; at += stride)
        v = combine(v, room[first + at]);
    return v;
}

struct NatSum
{
    __device__ __forceinline__ T operator()(T a, T b) const { return a + b; }
};
