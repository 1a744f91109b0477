// Comparisons of two tensors, or of a tensor and a number (b absent). NAT_T is what is compared; truth is a byte, 0 or 1.

// The order is that of Comparison in Compare.cs. The operator is the same for all threads, so asking for it costs nothing beside the memory.
__device__ __forceinline__ unsigned char nat_holds(int op, T a, T b)
{
    switch (op)
    {
    case 0: return a == b;
    case 1: return a != b;
    case 2: return a < b;
    case 3: return a <= b;
    case 4: return a > b;
    case 5: return a >= b;
    case 6: return a != T(0) && b != T(0);
    default: return a != T(0) || b != T(0);
    }
}

struct CompareDense
{
    unsigned char* y;
    const T *a, *b;
    double number;
    int n, op, step_a, step_b;
};

// Operands are dense (step 1) or one number (step 0).
KERNEL(compare_dense, CompareDense)
{
    T number = (T)args.number;
    int groups = (args.n - 1) / 4 + 1;
    for (int g = nat_first(); g < groups; g += nat_step())
    {
        int i = g * 4, m = min(4, args.n - i);
        nat_pack<T, 4> a = nat_load4(args.a, args.step_a, i, m);
        nat_pack<T, 4> b = args.b ? nat_load4(args.b, args.step_b, i, m) : nat_pack<T, 4>{{number, number, number, number}};
        nat_pack<unsigned char, 4> y;
#pragma unroll
        for (int j = 0; j < 4; j++)
            y.at[j] = nat_holds(args.op, a.at[j], b.at[j]);
        nat_store4(args.y, i, m, y);
    }
}

struct CompareStrided
{
    unsigned char* y;
    const T *a, *b;
    double number;
    int n, op;
    Strided layout_a, layout_b;
};

KERNEL(compare_strided, CompareStrided)
{
    T number = (T)args.number;
    for (int i = nat_first(); i < args.n; i += nat_step())
        args.y[i] = nat_holds(args.op, args.a[nat_offset(args.layout_a, i)], args.b ? args.b[nat_offset(args.layout_b, i)] : number);
}
