// Products of matrices, the readable way: tiles of 64 x 64, each the sum of tiles of a and b that the block keeps in shared memory. Transposed
// operands are strides. Each element is one sum over k in ascending order, except for vectors.

struct MatMulArgs
{
    T* y;
    const T *a, *b;
    int m, n, k;
    int a_row, a_column, b_row, b_column; // strides of the last two dims
    int accumulate;
    Strided batch_a, batch_b; // where the matrices of a batch begin
};

#define MATMUL_TILE 64
#define MATMUL_DEPTH 16

// y[batch, m, n] = a[batch, m, k] b[batch, k, n], or that added to y. A thread sums 4 x 4 elements.
KERNEL_SYNC(matmul_tiled, MatMulArgs)
{
    NAT_SHARED T a_tile[MATMUL_DEPTH][MATMUL_TILE + 4];
    NAT_SHARED T b_tile[MATMUL_DEPTH][MATMUL_TILE + 4];
    int thread = (int)threadIdx.x;
    int across = (args.n + MATMUL_TILE - 1) / MATMUL_TILE, down = (args.m + MATMUL_TILE - 1) / MATMUL_TILE;
    int block = (int)blockIdx.x, row = block / across % down * MATMUL_TILE, column = block % across * MATMUL_TILE, batch = block / across / down;
    const T* a = args.a + nat_offset(args.batch_a, batch);
    const T* b = args.b + nat_offset(args.batch_b, batch);

    // Neighbouring threads read along whichever dim is dense.
    bool a_by_k = args.a_column <= args.a_row, b_by_k = args.b_row < args.b_column;
    int my_row = thread / 16 * 4, my_column = thread % 16 * 4;
    T sum[4][4] = {};
    for (int k = 0; k < args.k; k += MATMUL_DEPTH)
    {
#pragma unroll
        for (int e = thread; e < MATMUL_TILE * MATMUL_DEPTH; e += NAT_THREADS)
        {
            int i = a_by_k ? e / MATMUL_DEPTH : e % MATMUL_TILE, ka = a_by_k ? e % MATMUL_DEPTH : e / MATMUL_TILE;
            bool in_a = row + i < args.m && k + ka < args.k;
            a_tile[ka][i] = in_a ? a[(row + i) * args.a_row + (k + ka) * args.a_column] : T(0);
            int j = b_by_k ? e / MATMUL_DEPTH : e % MATMUL_TILE, kb = b_by_k ? e % MATMUL_DEPTH : e / MATMUL_TILE;
            bool in_b = column + j < args.n && k + kb < args.k;
            b_tile[kb][j] = in_b ? b[(k + kb) * args.b_row + (column + j) * args.b_column] : T(0);
        }
        __syncthreads();
#pragma unroll
        for (int d = 0; d < MATMUL_DEPTH; d++)
#pragma unroll
            for (int i = 0; i < 4; i++)
#pragma unroll
                for (int j = 0; j < 4; j++)
                    sum[i][j] = nat_fma(a_tile[d][my_row + i], b_tile[d][my_column + j], sum[i][j]);
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
        {
            if (row + my_row + i >= args.m || column + my_column + j >= args.n)
                continue;
            T* y = args.y + (batch * args.m + row + my_row + i) * args.n + column + my_column + j;
            *y = args.accumulate ? *y + sum[i][j] : sum[i][j];
        }
}

struct MatVecArgs
{
    T* y;
    const T *a, *x;
    int rows, k;
    int a_row, a_k, x_k; // strides
    int accumulate;
    Strided batch_a, batch_x;
};

// y[batch, rows] = a[batch, rows, k] x[batch, k] where the rows of a are dense: a block sums one row.
KERNEL_SYNC(matmul_row, MatVecArgs)
{
    int batch = (int)blockIdx.x / args.rows, row = (int)blockIdx.x % args.rows;
    const T* a = args.a + nat_offset(args.batch_a, batch) + row * args.a_row;
    const T* x = args.x + nat_offset(args.batch_x, batch);
    T sum = 0;
    for (int k = (int)threadIdx.x; k < args.k; k += NAT_THREADS)
        sum = nat_fma(a[k * args.a_k], x[k * args.x_k], sum);
    sum = nat_block_reduce(sum, [](T p, T q) { return p + q; });
    if (threadIdx.x == 0)
        args.y[blockIdx.x] = args.accumulate ? args.y[blockIdx.x] + sum : sum;
}

// The same where the columns of a are dense: a block sums 32 rows, each warp every eighth k.
KERNEL_SYNC(matmul_column, MatVecArgs)
{
    NAT_SHARED T parts[NAT_THREADS / 32][32];
    int blocks = (args.rows + 31) / 32, batch = (int)blockIdx.x / blocks;
    int lane = (int)threadIdx.x % 32, warp = (int)threadIdx.x / 32, row = (int)blockIdx.x % blocks * 32 + lane;
    const T* a = args.a + nat_offset(args.batch_a, batch) + row * args.a_row;
    const T* x = args.x + nat_offset(args.batch_x, batch);
    T sum = 0;
    if (row < args.rows)
        for (int k = warp; k < args.k; k += NAT_THREADS / 32)
            sum = nat_fma(a[k * args.a_k], x[k * args.x_k], sum);
    parts[warp][lane] = sum;
    __syncthreads();
    if (warp > 0 || row >= args.rows)
        return;
#pragma unroll
    for (int w = 1; w < NAT_THREADS / 32; w++)
        sum += parts[w][lane];
    T* y = args.y + batch * args.rows + row;
    *y = args.accumulate ? *y + sum : sum;
}
