// Random numbers for the GPU, with the bits of Kernels/Cpu/RandomFill.cs. The rules are stated in Kernels/Random.cs. One block of Philox is 16 bytes of
// a fill: four f32 or two f64, so that no distribution needs anything from a neighbour's block. Needs common.cuh and special.cuh, and their
// compiler options.

struct nat_words
{
    nat_u32 w[4];
};

// Philox4x32-10: the four words of a block.
__device__ __forceinline__ nat_words nat_philox(nat_u64 key, nat_u64 block)
{
    nat_u32 c0 = (nat_u32)block, c1 = (nat_u32)(block >> 32), c2 = 0, c3 = 0, k0 = (nat_u32)key, k1 = (nat_u32)(key >> 32);
#pragma unroll
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
    return {{c0, c1, c2, c3}};
}

// Where a fill begins. `step` is null, or a graph's memory with the key and the first block of this replay.
struct RandomBlocks
{
    nat_u64 key, first;
    const nat_u64* step;

    __device__ __forceinline__ nat_words operator[](nat_u64 i) const { return step ? nat_philox(step[0], step[1] + i) : nat_philox(key, first + i); }
};

// Uniform in [0, 1): 24 bits of one word, or 53 bits of two.
__device__ __forceinline__ void nat_unit(const nat_words& r, float (&u)[4])
{
#pragma unroll
    for (int i = 0; i < 4; i++)
        u[i] = (float)(r.w[i] >> 8) * nat_from_bits(0x33800000u); // 2^-24
}
__device__ __forceinline__ void nat_unit(const nat_words& r, double (&u)[2])
{
#pragma unroll
    for (int i = 0; i < 2; i++)
        u[i] = (double)(((nat_u64)(r.w[2 * i] >> 5) << 26) + (r.w[2 * i + 1] >> 6)) * nat_from_bits((nat_u64)0x3CA0000000000000ull); // 2^-53
}

// Uniform in [low, high); last is the largest number below high, or low where there is none.
template <class T> __device__ __forceinline__ T nat_random_uniform(T u, T low, T high, T last)
{
    T v = low + u * (high - low);
    return v < last ? v : last;
}

// Box and Muller: two uniform numbers become the cosine and the sine of one pair.
template <class T> __device__ __forceinline__ void nat_random_normal(T& first, T& second, T mean, T deviation)
{
    T r = sqrt(T(-2) * nat_log(T(1) - first)), t = T(6.283185307179586) * second;
    first = mean + deviation * (r * nat_cos(t));
    second = mean + deviation * (r * nat_sin(t));
}

// -log(-log u), with half of the smallest step in place of 0.
template <class T> __device__ __forceinline__ T nat_random_gumbel(T u)
{
    T least = sizeof(T) == 4 ? T(2.98023223876953125e-8) : T(5.5511151231257827e-17);
    return -nat_log(-nat_log(u > least ? u : least));
}

// Uniform in [low, low + range), from 64 random bits.
__device__ __forceinline__ long long nat_random_integer(nat_u32 bits_low, nat_u32 bits_high, long long low, nat_u64 range)
{
    return (long long)((nat_u64)low + __umul64hi(bits_low | (nat_u64)bits_high << 32, range));
}
