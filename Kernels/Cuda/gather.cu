// Reads and writes at positions given by an i64 tensor. A layout is seen from one dim: [outer, n, inner]; what the index names is
// [outer, m, inner]. Sums add their contributions in the order of the index, one thread per destination, so the bits are the CPU's.

typedef long long Index;

// A position outside its range. Where the host waits, the first one goes to the flag; else the kernel stops, as a failed assertion does.
__device__ __forceinline__ void nat_outside(int* flag, int position)
{
    if (flag)
        atomicMin(flag, position);
    else
        __trap();
}

// One unsigned comparison covers both ends.
__device__ __forceinline__ bool nat_is_inside(Index i, int size) { return (nat_u64)i < (nat_u64)size; }

struct GatherCheckArgs
{
    int* flag;
    const Index* index;
    int n, size;
};

KERNEL(gather_check, GatherCheckArgs)
{
    for (int i = nat_first(); i < args.n; i += nat_step())
        if (!nat_is_inside(args.index[i], args.size))
            nat_outside(args.flag, i);
}

struct GatherArgs
{
    T* y;
    const T* x;
    const Index* index;
    int total, n, m, inner;
};

// y[o, j, i] = x[o, index[j], i].
KERNEL(gather_select, GatherArgs)
{
    for (int k = nat_first(); k < args.total; k += nat_step())
    {
        int row = k / args.inner, i = k - row * args.inner, o = row / args.m;
        args.y[k] = args.x[(o * args.n + (int)args.index[row - o * args.m]) * args.inner + i];
    }
}

// y[o, j, i] = x[o, index[o, j, i], i].
KERNEL(gather_each, GatherArgs)
{
    for (int k = nat_first(); k < args.total; k += nat_step())
    {
        int row = k / args.inner, i = k - row * args.inner;
        args.y[k] = args.x[(row / args.m * args.n + (int)args.index[k]) * args.inner + i];
    }
}

// y[o, index[o, j, i], i] += source[o, j, i], one thread per column: for many columns.
KERNEL(gather_add_columns, GatherArgs)
{
    for (int k = nat_first(); k < args.total; k += nat_step())
    {
        int o = k / args.inner, i = k - o * args.inner;
        T* y = args.y + (o * args.n * args.inner + i);
        for (int j = 0, at = o * args.m * args.inner + i; j < args.m; j++, at += args.inner)
            y[(int)args.index[at] * args.inner] += args.x[at];
    }
}

struct GatherChainArgs
{
    int *next, *follows;
    const Index* index;
    int total, m, inner;
};

// Links the positions of a column that name one destination: next[k] is the one after k, or -1; follows[k] is 1 where one is before k.
KERNEL(gather_chain, GatherChainArgs)
{
    for (int k = nat_first(); k < args.total; k += nat_step())
    {
        Index mine = args.index[k];
        int end = (k / args.inner / args.m + 1) * args.m * args.inner, at = k + args.inner;
        while (at < end && args.index[at] != mine)
            at += args.inner;
        args.next[k] = at < end ? at : -1;
        if (at < end)
            args.follows[at] = 1; // by its one predecessor
    }
}

struct GatherAddArgs
{
    T* y;
    const T* x;
    const Index* index;
    const int *next, *follows;
    int total, n, m, inner, own; // own: each element of the source has its index; else each j of it
};

// y[o, index[j], i] += source[o, j, i] or y[o, index[o, j, i], i] += source[o, j, i], one thread per chain.
KERNEL(gather_add, GatherAddArgs)
{
    for (int t = nat_first(); t < args.total; t += nat_step())
    {
        int row = t / args.inner, i = t - row * args.inner, o = row / args.m, k = args.own ? t : row - o * args.m;
        if (args.follows[k])
            continue;
        T* y = args.y + ((o * args.n + (int)args.index[k]) * args.inner + i);
        T sum = *y;
        for (; k >= 0; k = args.next[k])
            sum += args.x[args.own ? k : (o * args.m + k) * args.inner + i];
        *y = sum;
    }
}

struct PickArgs
{
    T* y;
    const T* x;
    const Index* index;
    int* flag;
    Index ignored;
    int lines, n, step, ignores;
    Strided starts; // of the lines' first elements
};

// y[line] = x[line, index[line]], 0 where the index is ignored.
KERNEL(gather_pick, PickArgs)
{
    for (int k = nat_first(); k < args.lines; k += nat_step())
    {
        Index at = args.index[k];
        if (args.ignores && at == args.ignored)
            args.y[k] = T(0);
        else if (nat_is_inside(at, args.n))
            args.y[k] = args.x[nat_offset(args.starts, k) + (int)at * args.step];
        else
            nat_outside(args.flag, k);
    }
}

struct PlaceArgs
{
    T* y;
    const T* x;
    const Index* index;
    int* flag;
    Index ignored;
    int lines, n, inner, ignores;
};

// y[line, index[line]] = x[line], 0 elsewhere and on lines whose index is ignored. Every thread writes where it stands.
KERNEL(gather_place, PlaceArgs)
{
    int total = args.lines * args.n;
    for (int k = nat_first(); k < max(total, args.lines); k += nat_step())
    {
        if (k < args.lines && !(args.ignores && args.index[k] == args.ignored) && !nat_is_inside(args.index[k], args.n))
            nat_outside(args.flag, k);
        if (k >= total)
            continue;
        int row = k / args.inner, o = row / args.n, line = o * args.inner + k - row * args.inner;
        Index at = args.index[line];
        args.y[k] = at == row - o * args.n && !(args.ignores && at == args.ignored) ? args.x[line] : T(0);
    }
}

struct ExtremeArgs
{
    Index* y;
    const T* x;
    int lines, n, inner, smallest;
};

template <class V> __device__ __forceinline__ bool nat_is_nan(V v) { return !(v == v); }

// Whether element i of value v comes before element at of value best: NaN, then the more extreme, then the earlier. -1 is no element.
__device__ __forceinline__ bool nat_leads(T v, int i, T best, int at, bool smallest)
{
    if (i < 0 || at < 0)
        return i >= 0;
    if (nat_is_nan(v) || nat_is_nan(best))
        return nat_is_nan(v) && (!nat_is_nan(best) || i < at);
    return v == best ? i < at : smallest ? v < best : v > best;
}

// y[line] = position of the line's extreme, one thread per line: for short lines, or many.
KERNEL(gather_extreme_lines, ExtremeArgs)
{
    for (int k = nat_first(); k < args.lines; k += nat_step())
    {
        const T* x = args.x + (k / args.inner * args.n * args.inner + k % args.inner);
        T best = *x;
        int at = 0;
        for (int i = 1; i < args.n; i++)
            if (nat_leads(x[i * args.inner], i, best, at, args.smallest))
            {
                best = x[i * args.inner];
                at = i;
            }
        args.y[k] = at;
    }
}

// The same, one block per line.
KERNEL_SYNC(gather_extreme, ExtremeArgs)
{
    NAT_SHARED T values[NAT_THREADS];
    NAT_SHARED int positions[NAT_THREADS];
    int t = (int)threadIdx.x;
    for (int k = (int)blockIdx.x; k < args.lines; k += (int)gridDim.x)
    {
        const T* x = args.x + (k / args.inner * args.n * args.inner + k % args.inner);
        T best = T(0);
        int at = -1;
        for (int i = t; i < args.n; i += NAT_THREADS)
            if (nat_leads(x[i * args.inner], i, best, at, args.smallest))
            {
                best = x[i * args.inner];
                at = i;
            }
        values[t] = best;
        positions[t] = at;
        __syncthreads();
        for (int half = NAT_THREADS / 2; half > 0; half /= 2)
        {
            if (t < half && nat_leads(values[t + half], positions[t + half], values[t], positions[t], args.smallest))
            {
                values[t] = values[t + half];
                positions[t] = positions[t + half];
            }
            __syncthreads();
        }
        if (t == 0)
            args.y[k] = positions[0]; // which only this thread overwrites for the next line
    }
}
