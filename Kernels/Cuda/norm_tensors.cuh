// What normalisations of channels and of rows share.

__device__ __forceinline__ T nat_or(const T* p, int i, T otherwise) { return p ? p[i] : otherwise; }

// Tensors that are walked together.
template <int N> struct From
{
    const T* p[N];
};
template <int N> struct To
{
    T* p[N];
};
