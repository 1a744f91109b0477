// Fills with random numbers. A thread makes one block of Philox and stores it as 16 bytes.

struct RandomArgs
{
    T* y;
    RandomBlocks from;
    double a, b, last;
    int n;
};

struct alignas(16) Pack
{
    T v[16 / sizeof(T)];
};

// `map` turns a block's uniform numbers into the distribution's.
template <class Map> __device__ __forceinline__ void nat_fill(const RandomArgs& s, Map map)
{
    const int width = 16 / sizeof(T);
    for (int block = nat_first(); block < (s.n - 1) / width + 1; block += nat_step())
    {
        Pack p;
        nat_unit(s.from[block], p.v);
        map(p.v);
        int at = block * width;
        if (s.n - at >= width)
            *(Pack*)(s.y + at) = p;
        else
#pragma unroll
            for (int i = 0; i < width; i++) // to the pack's end, so that it stays in registers
                if (i < s.n - at)
                    s.y[at + i] = p.v[i];
    }
}

KERNEL(random_uniform, RandomArgs)
{
    T low = (T)args.a, high = (T)args.b, last = (T)args.last;
    nat_fill(args, [=](T (&v)[16 / sizeof(T)]) {
        for (T& u : v)
            u = nat_random_uniform(u, low, high, last);
    });
}

KERNEL(random_normal, RandomArgs)
{
    T mean = (T)args.a, deviation = (T)args.b;
    nat_fill(args, [=](T (&v)[16 / sizeof(T)]) {
        for (int i = 0; i < 16 / (int)sizeof(T); i += 2)
            nat_random_normal(v[i], v[i + 1], mean, deviation);
    });
}

// b with probability a, else 0.
KERNEL(random_bernoulli, RandomArgs)
{
    T probability = (T)args.a, value = (T)args.b;
    nat_fill(args, [=](T (&v)[16 / sizeof(T)]) {
        for (T& u : v)
            u = u < probability ? value : T(0);
    });
}

KERNEL(random_gumbel, RandomArgs)
{
    nat_fill(args, [](T (&v)[16 / sizeof(T)]) {
        for (T& u : v)
            u = nat_random_gumbel(u);
    });
}
