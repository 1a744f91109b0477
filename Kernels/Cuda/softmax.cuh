// Lines of n elements that are `inner` apart, each walked by a team of threads: what softmax and the divergences share.

// Either operand when one is NaN: the sum of exponentials that follows carries it.
struct Larger
{
    __device__ __forceinline__ T operator()(T a, T b) const { return a > b ? a : b; }
};

// This thread's part of its team's line. A team without a line has n = 0, and walks with the others to every reduction. Long lines of neighbours whose
// number is a multiple of sixteen bytes' worth are walked in such pieces, first, first + step, ...; others element by element. The shape alone decides who
// takes what, and so the order of sums: a line that begins elsewhere is only read more slowly.
struct Line
{
    int base, inner, first, step, n, number;
    bool exists, wide;

    __device__ __forceinline__ Line(Team team, int lines, int count, int distance)
    {
        inner = distance;
        number = nat_team(team);
        wide = distance == 1 && count % NAT_WIDE == 0 && count >= 32 * NAT_WIDE;
        first = nat_team_rank(team) * (wide ? NAT_WIDE : 1);
        step = nat_team_size(team) * (wide ? NAT_WIDE : 1);
        exists = number < lines;
        n = exists ? count : 0;
        base = exists ? number / inner * count * inner + number % inner : 0;
    }

    __device__ __forceinline__ bool leads() const { return exists && first == 0; }
    __device__ __forceinline__ int at(int i) const { return base + i * inner; }

    // f(a[i], i) for this thread's elements.
    template <class F> __device__ __forceinline__ void each(const T* a, F f) const
    {
        if (wide)
            for (int i = first; i < n; i += step)
            {
                Wide x = nat_load_wide(a + base + i);
#pragma unroll
                for (int j = 0; j < NAT_WIDE; j++)
                    f(x.at[j], i + j);
            }
        else
            for (int i = first; i < n; i += step)
                f(a[at(i)], i);
    }

    // f(a[i], b[i], i).
    template <class F> __device__ __forceinline__ void each(const T* a, const T* b, F f) const
    {
        if (wide)
            for (int i = first; i < n; i += step)
            {
                Wide x = nat_load_wide(a + base + i), y = nat_load_wide(b + base + i);
#pragma unroll
                for (int j = 0; j < NAT_WIDE; j++)
                    f(x.at[j], y.at[j], i + j);
            }
        else
            for (int i = first; i < n; i += step)
                f(a[at(i)], b[at(i)], i);
    }

    // out[i] = f(a[i], i).
    template <class F> __device__ __forceinline__ void map(T* out, const T* a, F f) const
    {
        if (wide)
            for (int i = first; i < n; i += step)
            {
                Wide x = nat_load_wide(a + base + i), y;
#pragma unroll
                for (int j = 0; j < NAT_WIDE; j++)
                    y.at[j] = f(x.at[j], i + j);
                nat_store_wide(out + base + i, y);
            }
        else
            for (int i = first; i < n; i += step)
                out[at(i)] = f(a[at(i)], i);
    }

    // out[i] = f(a[i], b[i], i).
    template <class F> __device__ __forceinline__ void map(T* out, const T* a, const T* b, F f) const
    {
        if (wide)
            for (int i = first; i < n; i += step)
            {
                Wide x = nat_load_wide(a + base + i), y = nat_load_wide(b + base + i), z;
#pragma unroll
                for (int j = 0; j < NAT_WIDE; j++)
                    z.at[j] = f(x.at[j], y.at[j], i + j);
                nat_store_wide(out + base + i, z);
            }
        else
            for (int i = first; i < n; i += step)
                out[at(i)] = f(a[at(i)], b[at(i)], i);
    }
};

__device__ __forceinline__ T nat_line_max(const T* x, const Line& l, Team team)
{
    T max = -nat_inf<T>();
    l.each(x, [&](T a, int) { max = Larger()(max, a); });
    return nat_team_reduce(max, team, Larger());
}

__device__ __forceinline__ T nat_line_sum_exp(const T* x, T shift, const Line& l, Team team)
{
    T sum = T(0);
    l.each(x, [&](T a, int) { sum += nat_exp(a - shift); });
    return nat_team_reduce(sum, team, NatSum());
}
