// Choices: y = c ? a : b. NAT_T is an integer of the elements' size, because bits are moved: NaNs and zeros keep theirs. An absent a or b is
// its number, given as bits too.

struct WhereDense
{
    T* y;
    const unsigned char* c;
    const T *a, *b;
    long long number_a, number_b;
    int n, step_c, step_a, step_b;
};

// Operands are dense (step 1) or one number (step 0).
KERNEL(where_dense, WhereDense)
{
    T pa = (T)args.number_a, pb = (T)args.number_b;
    int groups = (args.n - 1) / 4 + 1;
    for (int g = nat_first(); g < groups; g += nat_step())
    {
        int i = g * 4, m = min(4, args.n - i);
        nat_pack<unsigned char, 4> c = nat_load4(args.c, args.step_c, i, m);
        nat_pack<T, 4> a = args.a ? nat_load4(args.a, args.step_a, i, m) : nat_pack<T, 4>{{pa, pa, pa, pa}};
        nat_pack<T, 4> b = args.b ? nat_load4(args.b, args.step_b, i, m) : nat_pack<T, 4>{{pb, pb, pb, pb}};
#pragma unroll
        for (int j = 0; j < 4; j++)
            a.at[j] = c.at[j] ? a.at[j] : b.at[j];
        nat_store4(args.y, i, m, a);
    }
}

struct WhereStrided
{
    T* y;
    const unsigned char* c;
    const T *a, *b;
    long long number_a, number_b;
    int n;
    Strided layout_c, layout_a, layout_b;
};

// Only what is chosen is read.
KERNEL(where_strided, WhereStrided)
{
    for (int i = nat_first(); i < args.n; i += nat_step())
    {
        if (args.c[nat_offset(args.layout_c, i)])
            args.y[i] = args.a ? args.a[nat_offset(args.layout_a, i)] : (T)args.number_a;
        else
            args.y[i] = args.b ? args.b[nat_offset(args.layout_b, i)] : (T)args.number_b;
    }
}
