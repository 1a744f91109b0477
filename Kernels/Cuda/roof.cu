// What a device can do at most, measured beside everything else that is measured: multiply-adds from registers, products of tensor cores, and streams.

struct RoofArgs
{
    T* y;
    float one, half;
    int rounds;
};

// Eight chains per thread hide the latency of a multiply-add. Values stay at 1 (0.5 * 1 + 0.5): the numbers come from the host, so that no compiler knows.
KERNEL(roof_fma, RoofArgs)
{
    T a[8];
#pragma unroll
    for (int i = 0; i < 8; i++)
        a[i] = args.one;
#pragma unroll 16
    for (int round = 0; round < args.rounds; round++)
    {
#pragma unroll
        for (int i = 0; i < 8; i++)
            a[i] = fma(a[i], args.half, args.half);
    }
    T sum = 0;
#pragma unroll
    for (int i = 0; i < 8; i++)
        sum += a[i];
    args.y[nat_first()] = sum;
}

// Eight products in flight per warp, of 16 x 8 x 8 each: the instruction that the convolution uses.
KERNEL_SYNC(roof_tf32, RoofArgs)
{
    float d[8][4] = {}, a[4], b[2];
#pragma unroll
    for (int i = 0; i < 4; i++)
        a[i] = args.one;
    b[0] = b[1] = args.half;
    for (int round = 0; round < args.rounds; round++)
    {
#pragma unroll
        for (int i = 0; i < 8; i++)
            nat_mma_tf32(d[i], a, b);
    }
    T sum = 0;
#pragma unroll
    for (int i = 0; i < 8; i++)
        sum += d[i][0] + d[i][1] + d[i][2] + d[i][3];
    args.y[nat_first()] = sum;
}

struct RoofStreamArgs
{
    T* y;
    const T* a;
    const T* b;
    int packs, rounds;
};

// Two arrays in, one out, over and over. Blocks change places between rounds, so that a multiprocessor's own cache holds nothing of the round before.
KERNEL(roof_stream, RoofStreamArgs)
{
    typedef nat_pack<T, 4> Pack;
    const Pack* a = (const Pack*)args.a;
    const Pack* b = (const Pack*)args.b;
    Pack* y = (Pack*)args.y;
    for (int round = 0; round < args.rounds; round++)
    {
        int block = (int)((blockIdx.x + (unsigned)round * 37u) % gridDim.x);
        for (int i = block * NAT_THREADS + (int)threadIdx.x; i < args.packs; i += nat_step())
        {
            Pack p = a[i], q = b[i];
#pragma unroll
            for (int j = 0; j < 4; j++)
                p.at[j] += q.at[j];
            y[i] = p;
        }
    }
}
