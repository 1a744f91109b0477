// Moves, fills and converts elements. NAT_T is only the element's size or the destination's type.

struct CopyArgs
{
    T* y;
    const T* x;
    int n;
    Strided layout_y, layout_x;
};

// y[i] = x[i], either side with any strides.
KERNEL(copy_strided, CopyArgs)
{
    for (int i = nat_first(); i < args.n; i += nat_step())
        args.y[nat_offset(args.layout_y, i)] = args.x[nat_offset(args.layout_x, i)];
}

struct FillArgs
{
    T* y;
    double value;
    int n;
};

// Dense y[i] = value.
KERNEL(copy_fill, FillArgs)
{
    T v = (T)args.value;
    for (int i = nat_first(); i < args.n; i += nat_step())
        args.y[i] = v;
}
