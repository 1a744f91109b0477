// Where the largest or smallest element of a line stands: a reduction of pairs. A NaN is the extreme of either kind, and the first of equals
// is meant, so that the order of combination does not matter.

template <class V> __device__ __forceinline__ bool nat_is_nan(V) { return false; }
__device__ __forceinline__ bool nat_is_nan(float x) { return x != x; }
__device__ __forceinline__ bool nat_is_nan(double x) { return x != x; }

struct nat_place
{
    T value;
    int at; // -1: no element yet
};

__device__ __forceinline__ nat_place nat_swap(nat_place p, int o) { return {(T)nat_swap(p.value, o), nat_swap(p.at, o)}; }

template <bool Smallest> struct nat_extreme
{
    typedef nat_place A;
    typedef long long Out;
    static __device__ __forceinline__ A none() { return {T(0), -1}; }
    static __device__ __forceinline__ A load(T x, int r) { return {x, r}; }
    static __device__ __forceinline__ A combine(A a, A b)
    {
        if (a.at < 0 || b.at < 0)
            return a.at < 0 ? b : a;
        bool an = nat_is_nan(a.value), bn = nat_is_nan(b.value);
        if ((an && bn) || a.value == b.value)
            return a.at < b.at ? a : b;
        if (an || bn)
            return an ? a : b;
        return (Smallest ? a.value < b.value : a.value > b.value) ? a : b;
    }
    static __device__ __forceinline__ Out finish(A a) { return a.at; }
};

KERNEL_SYNC(extreme_argmax_inner, ReduceArgs) { nat_reduce_inner<nat_extreme<false>>(args); }
KERNEL_SYNC(extreme_argmax_outer, ReduceArgs) { nat_reduce_outer<nat_extreme<false>>(args); }
KERNEL_SYNC(extreme_argmin_inner, ReduceArgs) { nat_reduce_inner<nat_extreme<true>>(args); }
KERNEL_SYNC(extreme_argmin_outer, ReduceArgs) { nat_reduce_outer<nat_extreme<true>>(args); }
