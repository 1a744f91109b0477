// Random numbers for the GPU: element i of a fill as a function of key, first block and i, with the bits of Kernels/Cpu/RandomFill.cs.
// The rules are stated in Kernels/Random.cs. Needs common.cuh and special.cuh, and their compiler options.

// Philox4x32-10: word number `word` of the sequence that starts at block `first`.
__device__ __forceinline__ nat_u32 nat_philox(nat_u64 key, nat_u64 first, nat_u64 word)
{
    nat_u64 block = first + (word >> 2);
    nat_u32 c0 = (nat_u32)block, c1 = (nat_u32)(block >> 32), c2 = 0, c3 = 0, k0 = (nat_u32)key, k1 = (nat_u32)(key >> 32);
    for (int round = 0; round < 10; round++)
    {
        nat_u64 p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
        c0 = (nat_u32)(p1 >> 32) ^ c1 ^ k0;
        c1 = (nat_u32)p1;
        c2 = (nat_u32)(p0 >> 32) ^ c3 ^ k1;
        c3 = (nat_u32)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    switch (word & 3)
    {
        case 0: return c0;
        case 1: return c1;
        case 2: return c2;
        default: return c3;
    }
}

// Uniform in [0, 1): 24 bits of one word, or 53 bits of two.
template <class T> __device__ __forceinline__ T nat_unit(nat_u64 key, nat_u64 first, nat_u64 i);
template <> __device__ __forceinline__ float nat_unit<float>(nat_u64 key, nat_u64 first, nat_u64 i)
{
    return (float)(nat_philox(key, first, i) >> 8) * nat_from_bits(0x33800000u); // 2^-24
}
template <> __device__ __forceinline__ double nat_unit<double>(nat_u64 key, nat_u64 first, nat_u64 i)
{
    nat_u64 high = nat_philox(key, first, 2 * i) >> 5, low = nat_philox(key, first, 2 * i + 1) >> 6;
    return (double)((high << 26) + low) * nat_from_bits((nat_u64)0x3CA0000000000000ull); // 2^-53
}

// Uniform in [low, high); last is the largest number below high, or low where there is none.
template <class T> __device__ __forceinline__ T nat_random_uniform(nat_u64 key, nat_u64 first, nat_u64 i, T low, T high, T last)
{
    T v = low + nat_unit<T>(key, first, i) * (high - low);
    return v < last ? v : last;
}

// Box and Muller: elements 2k and 2k+1 are the cosine and the sine of one pair.
template <class T> __device__ __forceinline__ T nat_random_normal(nat_u64 key, nat_u64 first, nat_u64 i, T mean, T deviation)
{
    nat_u64 even = i & ~1ull;
    T r = sqrt(T(-2) * nat_log(T(1) - nat_unit<T>(key, first, even)));
    T t = T(6.283185307179586) * nat_unit<T>(key, first, even + 1);
    return mean + deviation * (r * (i & 1 ? nat_sin(t) : nat_cos(t)));
}

// value with the given probability, else 0.
template <class T> __device__ __forceinline__ T nat_random_bernoulli(nat_u64 key, nat_u64 first, nat_u64 i, T probability, T value)
{
    return nat_unit<T>(key, first, i) < probability ? value : T(0);
}

// -log(-log u), with half of the smallest step in place of 0.
template <class T> __device__ __forceinline__ T nat_random_gumbel(nat_u64 key, nat_u64 first, nat_u64 i)
{
    T least = sizeof(T) == 4 ? T(2.98023223876953125e-8) : T(5.5511151231257827e-17), u = nat_unit<T>(key, first, i);
    return -nat_log(-nat_log(u > least ? u : least));
}

// Uniform in [low, low + range).
__device__ __forceinline__ long long nat_random_integer(nat_u64 key, nat_u64 first, nat_u64 i, long long low, nat_u64 range)
{
    nat_u64 draw = nat_philox(key, first, 2 * i) | (nat_u64)nat_philox(key, first, 2 * i + 1) << 32;
    return (long long)((nat_u64)low + __umul64hi(draw, range));
}
