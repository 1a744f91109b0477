// Moves, fills and converts elements. NAT_T is only the element's size, or the destination's type.

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

// Conversion as the CPU does it: floats to integers truncate and saturate, NaN becomes 0; integers saturate; anything to bool is "not 0".
template <class To> struct nat_ends;
template <> struct nat_ends<unsigned char> { static constexpr long long LOW = 0, HIGH = 255; };
template <> struct nat_ends<int> { static constexpr long long LOW = -0x7FFFFFFFll - 1, HIGH = 0x7FFFFFFFll; };
template <> struct nat_ends<long long> { static constexpr long long LOW = -0x7FFFFFFFFFFFFFFFll - 1, HIGH = 0x7FFFFFFFFFFFFFFFll; };
template <class V> struct nat_is_float { static constexpr bool VALUE = false; };
template <> struct nat_is_float<float> { static constexpr bool VALUE = true; };
template <> struct nat_is_float<double> { static constexpr bool VALUE = true; };
template <class V> struct nat_is_bool { static constexpr bool VALUE = false; };
template <> struct nat_is_bool<bool> { static constexpr bool VALUE = true; };

template <class To, class From> __device__ __forceinline__ To nat_convert(From x)
{
    if constexpr (nat_is_bool<To>::VALUE)
        return x != From(0);
    else if constexpr (nat_is_float<To>::VALUE)
        return (To)x;
    else if constexpr (nat_is_float<From>::VALUE)
    {
        // HIGH may round up to the power of two above it, and then nothing lies between the two.
        if (!(x > (From)nat_ends<To>::LOW))
            return x == x ? (To)nat_ends<To>::LOW : To(0);
        return x >= (From)nat_ends<To>::HIGH ? (To)nat_ends<To>::HIGH : (To)x;
    }
    else
    {
        long long v = (long long)x;
        return (To)(v < nat_ends<To>::LOW ? nat_ends<To>::LOW : v > nat_ends<To>::HIGH ? nat_ends<To>::HIGH : v);
    }
}

struct CastArgs
{
    T* y;
    const void* x;
    int n, from, dense; // from: the source's DType
    Strided layout_x;
};

template <class From> __device__ __forceinline__ void nat_cast_all(const CastArgs& s)
{
    const From* x = (const From*)s.x;
    if (!s.dense)
    {
        for (int i = nat_first(); i < s.n; i += nat_step())
            s.y[i] = nat_convert<T>(x[nat_offset(s.layout_x, i)]);
        return;
    }
    int groups = (s.n - 1) / 4 + 1;
    for (int g = nat_first(); g < groups; g += nat_step())
    {
        int i = g * 4, m = min(4, s.n - i);
        nat_pack<From, 4> from = nat_load4(x, 1, i, m);
        nat_pack<T, 4> to;
#pragma unroll
        for (int j = 0; j < 4; j++)
            to.at[j] = nat_convert<T>(from.at[j]);
        nat_store4(s.y, i, m, to);
    }
}

// Dense y = x converted; x has any strides.
KERNEL(copy_cast, CastArgs)
{
    switch (args.from)
    {
    case 0: nat_cast_all<float>(args); break;
    case 1: nat_cast_all<double>(args); break;
    case 2: nat_cast_all<int>(args); break;
    case 3: nat_cast_all<long long>(args); break;
    default: nat_cast_all<unsigned char>(args); break;
    }
}
