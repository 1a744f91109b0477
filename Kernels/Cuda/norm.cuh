// Normalisation of x [batch, channels, length] by the mean and the deviation of each channel, its gradient and the gradient of that; and the sums per
// weight of row normalisation, where x reads the same with weights for channels. The formulas are derived in NormKernels.cs and RowNormKernels.cs.
// s = 1 / sqrt(variance + eps), xh = (x - mean) s.

struct NormArgs
{
    T *y, *second;                // forward: y; gradient: gx; second gradient: dgy and dx
    T *mean, *variance, *inv_std; // written by forward, read by the gradients
    T *gw, *gb;                   // second gradient: dw is gw
    T *partial;                   // sums of chunks
    const T *x, *g, *v, *w, *b, *u, *t;
    const T *mean_v, *mean_vx;    // sums per weight of the second gradient: mean of v and of v xh, per row
    double eps;
    int batch, channels, length;
    int per_row, period; // sums per weight: weights of a row, rows of a sample
    int chunk, chunks; // elements of a channel that one team walks, and how many such there are
    int wide;          // channels are walked in pieces of sixteen bytes
    Team team;
};

__device__ __forceinline__ T nat_inv_std(T variance, const NormArgs& s) { return T(1) / sqrt(variance + (T)s.eps); }

// ---- sums over channels, then one pass

// The channel of this thread's team and its chunk. A team beyond the last channel stands at channel 0 with no elements.
struct Channel
{
    int c, begin, end, elements, rank, size;
    bool exists, leads;

    __device__ __forceinline__ Channel(const NormArgs& s)
    {
        c = nat_team(s.team);
        exists = c < s.channels;
        c = exists ? c : 0;
        rank = nat_team_rank(s.team);
        size = nat_team_size(s.team);
        elements = s.batch * s.length;
        begin = (int)blockIdx.y * s.chunk;
        end = exists ? min(begin + s.chunk, elements) : begin;
        leads = exists && rank == 0;
    }

    __device__ __forceinline__ int count(const NormArgs& s, int chunk) const { return min(s.chunk, elements - chunk * s.chunk); }
};

// A thread's pieces of its chunk: every size-th, where a piece is one element, or sixteen bytes' worth of neighbours where channels are long and come out
// even: the shape alone decides, and so the order of sums. Positions are counted in pieces and stepped, because two divisions for each would cost more
// than reading it.
struct Walk
{
    int e, end, step, l, length, skip, sample, samples;
    unsigned at, hop, turn;

    __device__ __forceinline__ Walk(const NormArgs& s, const Channel& k)
    {
        int piece = s.wide ? NAT_WIDE : 1;
        e = k.begin / piece + k.rank;
        end = k.end / piece;
        step = k.size;
        length = s.length / piece;
        sample = e / length;
        l = e - sample * length;
        at = ((unsigned)sample * s.channels + k.c) * length + l;
        samples = step / length;
        skip = step - samples * length;
        hop = (unsigned)samples * s.channels * length + skip;
        turn = (unsigned)(s.channels - 1) * length;
    }

    __device__ __forceinline__ bool more() const { return e < end; }

    __device__ __forceinline__ void next()
    {
        e += step;
        at += hop;
        l += skip;
        sample += samples;
        if (l >= length)
        {
            l -= length;
            at += turn;
            sample++;
        }
    }
};

// f(values of an element, its sample).
template <int N, class F> __device__ __forceinline__ void nat_each(const NormArgs& s, const Channel& k, const From<N>& from, F f)
{
    for (Walk i(s, k); i.more(); i.next())
        if (s.wide)
        {
            Wide v[N];
#pragma unroll
            for (int n = 0; n < N; n++)
                v[n] = nat_load_wide(from.p[n] + i.at * NAT_WIDE);
#pragma unroll
            for (int j = 0; j < NAT_WIDE; j++)
            {
                T values[N];
#pragma unroll
                for (int n = 0; n < N; n++)
                    values[n] = v[n].at[j];
                f(values, i.sample);
            }
        }
        else
        {
            T values[N];
#pragma unroll
            for (int n = 0; n < N; n++)
                values[n] = from.p[n][i.at];
            f(values, i.sample);
        }
}

// f(values of an element, its results).
template <int N, int M, class F> __device__ __forceinline__ void nat_map(const NormArgs& s, const Channel& k, const From<N>& from, const To<M>& to, F f)
{
    for (Walk i(s, k); i.more(); i.next())
        if (s.wide)
        {
            Wide v[N], y[M];
#pragma unroll
            for (int n = 0; n < N; n++)
                v[n] = nat_load_wide(from.p[n] + i.at * NAT_WIDE);
#pragma unroll
            for (int j = 0; j < NAT_WIDE; j++)
            {
                T values[N], results[M];
#pragma unroll
                for (int n = 0; n < N; n++)
                    values[n] = v[n].at[j];
                f(values, results);
#pragma unroll
                for (int m = 0; m < M; m++)
                    y[m].at[j] = results[m];
            }
#pragma unroll
            for (int m = 0; m < M; m++)
                nat_store_wide(to.p[m] + i.at * NAT_WIDE, y[m]);
        }
        else
        {
            T values[N], results[M];
#pragma unroll
            for (int n = 0; n < N; n++)
                values[n] = from.p[n][i.at];
            f(values, results);
#pragma unroll
            for (int m = 0; m < M; m++)
                to.p[m][i.at] = results[m];
        }
}
