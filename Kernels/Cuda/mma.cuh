// Tensor cores: numbers of 10 bits of mantissa (tf32), products exact, sums in f32. From sm_80; on anything older the kernel stops with an error.

// The nearest tf32 number, ties away from zero.
__device__ __forceinline__ float nat_tf32(float x)
{
#if defined(NAT_EMULATED)
    nat_u32 b = nat_bits(x);
    return nat_abs(x) < nat_inf<float>() ? nat_from_bits((b + 0x1000u) & ~0x1FFFu) : x == x ? x : nat_nan<float>();
#elif __CUDA_ARCH__ >= 800
    nat_u32 r;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
    return __uint_as_float(r);
#else
    return x;
#endif
}

// d += a b for a warp, a [16, 8], b [8, 8]. Of each lane, with g = lane / 4 and t = lane % 4: a has (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4);
// b has (t, g), (t + 4, g); d has (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
__device__ __forceinline__ void nat_mma_tf32(float (&d)[4], const float (&a)[4], const float (&b)[2])
{
#if defined(NAT_EMULATED)
    nat::mma_tf32(d, a, b, NAT_HERE);
#elif __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])), "r"(__float_as_uint(a[3])),
                   "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
#else
    asm volatile("trap;");
#endif
}
