// Random integers. A block of Philox is two of them.

struct RandintArgs
{
    T* y;
    RandomBlocks from;
    nat_u64 range;
    long long low;
    int n;
};

// y[i] in [low, low + range).
KERNEL(randint_fill, RandintArgs)
{
    for (int block = nat_first(); block < (args.n - 1) / 2 + 1; block += nat_step())
    {
        nat_words r = args.from[block];
        args.y[2 * block] = (T)nat_random_integer(r.w[0], r.w[1], args.low, args.range);
        if (2 * block + 1 < args.n)
            args.y[2 * block + 1] = (T)nat_random_integer(r.w[2], r.w[3], args.low, args.range);
    }
}
