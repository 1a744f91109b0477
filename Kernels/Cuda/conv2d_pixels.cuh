// The forward pass and the data gradient: how a block reads their two matrices and writes the result.

struct ConvArgs
{
    T* y;
    const T *x, *w, *bias;
    double slope;
    int rectify; // as nat_rectify
    int batch, groups, sources, results; // channels of a group
    int adjoint;
    int w_source, w_result;              // strides of the weights
    int tiles_m, tiles_n, splits;
    int count;                           // elements of a part
    int packed;                          // four neighbouring results of a row may be written at once
    Axis v, h;
};

// What the results of a phase see along an axis: result pixel first + q * step sees, through tap tap + j * tap_step, source pixel
// origin + q * source_step + j * shift. Backward, only every stride-th pixel of a shifted source hits a result: those are a phase, without gaps.
struct Sweep
{
    int first, step, count, origin, source_step, shift, tap, tap_step, taps;

    __device__ __forceinline__ Sweep(const Axis& a, bool adjoint, int phase)
    {
        first = phase;
        tap_step = a.tap_step;
        if (!adjoint)
        {
            step = 1;
            count = a.to;
            origin = -a.pad;
            source_step = a.stride;
            shift = a.dilation;
            tap = 0;
            taps = a.kernel;
            return;
        }
        step = a.stride;
        count = (a.to - phase + a.stride - 1) / a.stride;
        tap = 0;
        while (tap < tap_step && (phase + a.pad - tap * a.dilation) % a.stride != 0)
            tap++;
        taps = tap == tap_step || tap >= a.kernel ? 0 : (a.kernel - 1 - tap) / tap_step + 1;
        origin = (phase + a.pad - tap * a.dilation) / a.stride;
        source_step = 1;
        shift = -(a.dilation * tap_step / a.stride);
    }
};

// Reads the tiles of a forward pass or data gradient. Of the weights, neighbouring threads read neighbouring k; of the source, a warp reads one k for
// neighbouring pixels.
template <class S, class Round> struct ConvLoad
{
    static constexpr int WARPS = NAT_THREADS / 32, ROWS = S::DEPTH / WARPS, PIXELS = S::N / 32;

    const T *x, *w;
    Walk walk_a, walk_b;
    int k_a, k_b, end, rows, row_stride, w_source, w_middle, w_low;
    int plane, line, shift_v, shift_h, height, width;
    int at[PIXELS], at_v[PIXELS], at_h[PIXELS];
    T a[S::A], b[ROWS * PIXELS];

    __device__ __forceinline__ ConvLoad(const ConvArgs& s, const Place& place, const Sweep& v, const Sweep& h, const Part& part)
    {
        int thread = (int)threadIdx.x, lane = thread & 31, warp = thread >> 5;
        end = part.end;
        k_a = part.begin + S::depth();
        walk_a.start(k_a, S::DEPTH, v.taps, h.taps);
        int row = place.row + S::line();
        rows = s.results - row;
        row_stride = s.w_result;
        w_source = s.w_source;
        w_middle = v.tap_step * s.h.kernel;
        w_low = h.tap_step;
        w = s.w + place.group * s.sources * s.results * s.v.kernel * s.h.kernel + row * s.w_result + v.tap * s.h.kernel + h.tap;

        k_b = part.begin + warp;
        walk_b.start(k_b, WARPS, v.taps, h.taps);
        line = s.h.from;
        plane = s.v.from * line;
        shift_v = v.shift;
        shift_h = h.shift;
        height = s.v.from;
        width = s.h.from;
        x = s.x + place.group * s.sources * plane;
        int pixels = v.count * h.count;
#pragma unroll
        for (int i = 0; i < PIXELS; i++)
        {
            int p = place.column + lane + 32 * i, image = p / pixels, q = p - image * pixels, q_v = q / h.count;
            at_v[i] = v.origin + q_v * v.source_step;
            at_h[i] = h.origin + (q - q_v * h.count) * h.source_step;
            at[i] = image * s.groups * s.sources * plane + at_v[i] * line + at_h[i];
            // A pixel of no image sees nothing but padding.
            if (image >= s.batch)
                at_v[i] = -(1 << 30);
        }
    }
    __device__ __forceinline__ void fetch()
    {
        const T* from = w + walk_a.high * w_source + walk_a.middle * w_middle + walk_a.low * w_low;
#pragma unroll
        for (int i = 0; i < S::A; i++)
            a[i] = k_a < end && i * S::LINES < rows ? from[i * S::LINES * row_stride] : T(0);
        k_a += S::DEPTH;
        walk_a.next();
#pragma unroll
        for (int r = 0; r < ROWS; r++)
        {
            int v = walk_b.middle * shift_v, h = walk_b.low * shift_h, offset = walk_b.high * plane + v * line + h;
#pragma unroll
            for (int i = 0; i < PIXELS; i++)
            {
                bool inside = k_b < end && (unsigned)(at_v[i] + v) < (unsigned)height && (unsigned)(at_h[i] + h) < (unsigned)width;
                b[r * PIXELS + i] = inside ? x[at[i] + offset] : T(0);
            }
            k_b += WARPS;
            walk_b.next();
        }
    }
    __device__ __forceinline__ void store(T* tile_a, T* tile_b) const
    {
        int thread = (int)threadIdx.x, lane = thread & 31, warp = thread >> 5;
#pragma unroll
        for (int i = 0; i < S::A; i++)
            if (S::M % S::LINES == 0 || S::line() + i * S::LINES < S::M)
                tile_a[S::depth() * S::ROW_A + S::line() + i * S::LINES] = Round::of(a[i]);
#pragma unroll
        for (int r = 0; r < ROWS; r++)
#pragma unroll
            for (int i = 0; i < PIXELS; i++)
                tile_b[(warp + r * WARPS) * S::ROW_B + lane + 32 * i] = Round::of(b[r * PIXELS + i]);
    }
};

// Writes results: column p of the product is a pixel, row m a channel.
struct ConvStore
{
    const ConvArgs& s;
    const Sweep &v, &h;
    T* y;
    int pixels, columns, group;
    bool whole; // not a part: bias and activation belong in

    __device__ __forceinline__ ConvStore(const ConvArgs& args, const Place& place, const Sweep& sv, const Sweep& sh) : s(args), v(sv), h(sh)
    {
        pixels = v.count * h.count;
        columns = s.batch * pixels;
        group = place.group;
        whole = s.splits == 1;
        y = s.y + place.split * s.count;
    }
    __device__ __forceinline__ int at(int p) const
    {
        int image = p / pixels, q = p - image * pixels, q_v = q / h.count, q_h = q - q_v * h.count;
        return (image * s.groups + group) * s.results * s.v.to * s.h.to + (v.first + q_v * v.step) * s.h.to + h.first + q_h * h.step;
    }
    // V neighbouring columns of R rows; row(i) is a row's number, value(i, j) what goes there.
    template <int V, int R, class Row, class Value> __device__ __forceinline__ void put(int p, Row row, Value value) const
    {
        int plane = s.v.to * s.h.to;
        if (s.packed)
        {
            if (p >= columns)
                return;
            T* to = y + at(p);
#pragma unroll
            for (int i = 0; i < R; i++)
            {
                if (row(i) >= s.results)
                    continue;
                nat_pack<T, V> pack;
                T bias = offset(row(i));
#pragma unroll
                for (int j = 0; j < V; j++)
                    pack.at[j] = finish(value(i, j) + bias);
                *(nat_pack<T, V>*)(to + row(i) * plane) = pack;
            }
            return;
        }
#pragma unroll
        for (int j = 0; j < V; j++)
        {
            if (p + j >= columns)
                return;
            T* to = y + at(p + j);
#pragma unroll
            for (int i = 0; i < R; i++)
                if (row(i) < s.results)
                    to[row(i) * plane] = finish(value(i, j) + offset(row(i)));
        }
    }
    __device__ __forceinline__ T offset(int row) const { return whole && s.bias ? s.bias[group * s.results + row] : T(0); }
    __device__ __forceinline__ T finish(T v) const { return whole ? nat_rectify(v, s.rectify, (T)s.slope) : v; }
};

// A whole forward pass or data gradient. All threads of a block that has no pixel in this phase leave together.
template <class S, class Product> __device__ __forceinline__ void nat_conv(const ConvArgs& s, T* tile_a, T* tile_b)
{
    Place place(S::M, S::N, s.tiles_m, s.tiles_n, s.splits, s.v.phases, s.h.phases);
    Sweep v(s.v, s.adjoint, place.phase_v), h(s.h, s.adjoint, place.phase_h);
    if (place.column >= s.batch * v.count * h.count)
        return;
    Part part(s.sources * v.taps * h.taps, S::DEPTH, place.split, s.splits);
    ConvLoad<S, typename Product::Round> load(s, place, v, h, part);
    Product product;
    nat_conv_tiles<S>(load, product, part, tile_a, tile_b);
    product.put(ConvStore(s, place, v, h), place);
}
