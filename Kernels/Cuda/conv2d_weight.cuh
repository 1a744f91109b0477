// The weight gradient: how a block reads its two matrices and writes the result.

struct ConvWeightArgs
{
    T* gw;
    const T *x, *gy;
    int batch, groups, channels, filters; // channels and filters of a group
    int tiles_m, tiles_n, splits;
    int count;
    Axis v, h;
};

// Reads the tiles of a weight gradient: neighbouring threads read neighbouring pixels of the gradient and of the input.
template <class S, class Round> struct WeightLoad
{
    static constexpr int TAPS = S::N / S::LINES;

    const T *x, *gy;
    Walk walk;
    int k, end, rows, x_image, gy_image, gy_plane, out_width, width, height, stride_v, stride_h;
    int at[TAPS], at_v[TAPS], at_h[TAPS];
    T a[S::A], b[TAPS];

    __device__ __forceinline__ WeightLoad(const ConvWeightArgs& s, const Place& place, const Part& part)
    {
        int row = place.row + S::line();
        end = part.end;
        k = part.begin + S::depth();
        out_width = s.h.to;
        gy_plane = s.v.to * s.h.to;
        walk.start(k, S::DEPTH, s.v.to, s.h.to);
        rows = s.filters - row;
        gy_image = s.groups * s.filters * gy_plane;
        gy = s.gy + (place.group * s.filters + row) * gy_plane;
        width = s.h.from;
        height = s.v.from;
        stride_v = s.v.stride;
        stride_h = s.h.stride;
        x_image = s.groups * s.channels * height * width;
        x = s.x + place.group * s.channels * height * width;
        int area = s.v.kernel * s.h.kernel;
#pragma unroll
        for (int i = 0; i < TAPS; i++)
        {
            int t = place.column + S::line() + i * S::LINES, channel = t / area, rest = t - channel * area, tap_v = rest / s.h.kernel;
            at_v[i] = tap_v * s.v.dilation - s.v.pad;
            at_h[i] = (rest - tap_v * s.h.kernel) * s.h.dilation - s.h.pad;
            at[i] = (channel * height + at_v[i]) * width + at_h[i];
            if (channel >= s.channels)
                at_v[i] = -(1 << 30);
        }
    }
    __device__ __forceinline__ void fetch()
    {
        bool some = k < end;
        const T* from = gy + walk.high * gy_image + walk.middle * out_width + walk.low;
#pragma unroll
        for (int i = 0; i < S::A; i++)
            a[i] = some && i * S::LINES < rows ? from[i * S::LINES * gy_plane] : T(0);
        int v = walk.middle * stride_v, h = walk.low * stride_h, offset = walk.high * x_image + v * width + h;
#pragma unroll
        for (int i = 0; i < TAPS; i++)
        {
            bool inside = some && (unsigned)(at_v[i] + v) < (unsigned)height && (unsigned)(at_h[i] + h) < (unsigned)width;
            b[i] = inside ? x[at[i] + offset] : T(0);
        }
        k += S::DEPTH;
        walk.next();
    }
    __device__ __forceinline__ void store(T* tile_a, T* tile_b) const
    {
#pragma unroll
        for (int i = 0; i < S::A; i++)
            tile_a[S::depth() * S::ROW_A + S::line() + i * S::LINES] = Round::of(a[i]);
#pragma unroll
        for (int i = 0; i < TAPS; i++)
            tile_b[S::depth() * S::ROW_B + S::line() + i * S::LINES] = Round::of(b[i]);
    }
};

// Writes a weight gradient: column t of the product is a tap of a channel, row m a filter.
struct WeightStore
{
    T* gw;
    int filters, taps;

    __device__ __forceinline__ WeightStore(const ConvWeightArgs& s, const Place& place)
    {
        filters = s.filters;
        taps = s.channels * s.v.kernel * s.h.kernel;
        gw = s.gw + place.split * s.count + place.group * filters * taps;
    }
    template <int V, int R, class Row, class Value> __device__ __forceinline__ void put(int t, Row row, Value value) const
    {
#pragma unroll
        for (int i = 0; i < R; i++)
#pragma unroll
            for (int j = 0; j < V; j++)
                if (row(i) < filters && t + j < taps)
                    gw[row(i) * taps + t + j] = value(i, j);
    }
};

// A whole weight gradient.
template <class S, class Product> __device__ __forceinline__ void nat_conv_weight(const ConvWeightArgs& s, T* tile_a, T* tile_b)
{
    Place place(S::M, S::N, s.tiles_m, s.tiles_n, s.splits, 1, 1);
    Part part(s.batch * s.v.to * s.h.to, S::DEPTH, place.split, s.splits);
    WeightLoad<S, typename Product::Round> load(s, place, part);
    Product product;
    nat_conv_tiles<S>(load, product, part, tile_a, tile_b);
    product.put(WeightStore(s, place), place);
}
