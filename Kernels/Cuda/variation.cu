// Total variation of images [planes, h, w] and its gradient: down * (sum of squared vertical differences) + right * (sum of horizontal ones).

struct VariationArgs
{
    T* out;
    const T *x, *g, *partial;
    double down, right;
    int count, height, width, chunk, chunks;
};

// The sum over a chunk of pixels, each with its neighbours below and to the right; a block per chunk.
KERNEL_SYNC(variation_sums, VariationArgs)
{
    T sum_down = T(0), sum_right = T(0);
    int begin = (int)blockIdx.x * args.chunk, end = min(begin + args.chunk, args.count), plane = args.height * args.width;
    for (int i = begin + (int)threadIdx.x; i < end; i += NAT_THREADS)
    {
        int column = i % args.width, row = i % plane / args.width;
        T x = args.x[i], d = row + 1 < args.height ? args.x[i + args.width] - x : T(0), r = column + 1 < args.width ? args.x[i + 1] - x : T(0);
        sum_down += d * d;
        sum_right += r * r;
    }
    sum_down = nat_block_reduce(sum_down, NatSum());
    sum_right = nat_block_reduce(sum_right, NatSum());
    if (threadIdx.x == 0)
    {
        args.out[blockIdx.x] = sum_down;
        args.out[args.chunks + blockIdx.x] = sum_right;
    }
}

// One block: the chunks' sums, weighed.
KERNEL_SYNC(variation_total, VariationArgs)
{
    T sum_down = T(0), sum_right = T(0);
    for (int i = (int)threadIdx.x; i < args.chunks; i += NAT_THREADS)
    {
        sum_down += args.partial[i];
        sum_right += args.partial[args.chunks + i];
    }
    sum_down = nat_block_reduce(sum_down, NatSum());
    sum_right = nat_block_reduce(sum_right, NatSum());
    if (threadIdx.x == 0)
        *args.out = (T)args.down * sum_down + (T)args.right * sum_right;
}

// out = g (twice down, twice right) times the differences to the neighbours; the order of operations is the cpu's.
KERNEL(variation_grad, VariationArgs)
{
    T g = *args.g, down = (T)(2 * args.down), right = (T)(2 * args.right);
    int plane = args.height * args.width;
    for (int i = nat_first(); i < args.count; i += nat_step())
    {
        int column = i % args.width, row = i % plane / args.width;
        T x = args.x[i];
        T above = row > 0 ? x - args.x[i - args.width] : T(0), below = row + 1 < args.height ? args.x[i + args.width] - x : T(0);
        T before = column > 0 ? x - args.x[i - 1] : T(0), after = column + 1 < args.width ? args.x[i + 1] - x : T(0);
        args.out[i] = g * (down * (above - below) + right * (before - after));
    }
}
