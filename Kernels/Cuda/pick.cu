// One element per line: read where an index says, or written there. NAT_T is an integer of the elements' size, because bits are moved. An index that
// is no element of its line stops the kernel; the host hears of it when it next waits for the device.

struct PickArgs
{
    T* y;
    const T* x;
    const long long* index;
    long long ignored;
    int lines, n, step, ignores; // n elements of a line, step apart; ignores: whether there is an ignored index
    Strided starts;
};

// y[line] = x[line, index[line]]; 0 where the index is the ignored one.
KERNEL(pick_read, PickArgs)
{
    for (int k = nat_first(); k < args.lines; k += nat_step())
    {
        long long i = args.index[k];
        T v = T(0);
        if (!(args.ignores && i == args.ignored))
        {
            if ((unsigned long long)i < (unsigned long long)args.n)
                v = args.x[nat_offset(args.starts, k) + (int)i * args.step];
            else
                __trap();
        }
        args.y[k] = v;
    }
}

struct PlaceArgs
{
    T* y;
    const T* x;
    const long long* index;
    long long ignored;
    int count, n, inner, ignores;
};

// y[line, index[line]] = x[line], 0 elsewhere and where the index is the ignored one. y is dense; a thread writes an element.
KERNEL(pick_place, PlaceArgs)
{
    for (int e = nat_first(); e < args.count; e += nat_step())
    {
        int row = e / args.inner, o = row / args.n, at = row - o * args.n, k = o * args.inner + (e - row * args.inner);
        long long i = args.index[k];
        bool none = args.ignores && i == args.ignored;
        if (!none && (unsigned long long)i >= (unsigned long long)args.n)
            __trap();
        args.y[e] = !none && i == at ? args.x[k] : T(0);
    }
}
