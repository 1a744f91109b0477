// The ends of each element type's range: identities of max and min. Infinite where the type has infinities. Needs common.cuh.

template <class T> __device__ __forceinline__ T nat_highest() { return nat_inf<T>(); }
template <> __device__ __forceinline__ int nat_highest<int>() { return 0x7FFFFFFF; }
template <> __device__ __forceinline__ long long nat_highest<long long>() { return 0x7FFFFFFFFFFFFFFFll; }
template <class T> __device__ __forceinline__ T nat_lowest() { return -nat_inf<T>(); }
template <> __device__ __forceinline__ int nat_lowest<int>() { return -0x7FFFFFFF - 1; }
template <> __device__ __forceinline__ long long nat_lowest<long long>() { return -0x7FFFFFFFFFFFFFFFll - 1; }
