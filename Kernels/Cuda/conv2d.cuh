// What the convolution kernels share. Each is a product of matrices that never exist: A [m, k] and B [k, n] are read from the tensors tile by tile, as
// the block comes to them, into shared memory, where a tile of each is multiplied while the next is on its way.
//   forward and data gradient   A = weights [results, sources x taps]    B = what each tap of each result pixel sees    n = pixels of all images
//   weight gradient             A = gradient [filters, pixels]           B = the input under each tap [pixels, taps]    k = pixels of all images
// A block belongs to one group. Where the result is too small to fill the device, blocks share a sum: each writes its part, and conv2d_sum adds the
// parts in order.

// A position (high, middle, low) in a box that is walked in row-major order by a fixed step, so that only the start divides.
struct Walk
{
    int high, middle, low;
    int by_high, by_middle, by_low, middles, lows;

    __device__ __forceinline__ void start(int at, int step, int n_middle, int n_low)
    {
        middles = n_middle > 0 ? n_middle : 1;
        lows = n_low > 0 ? n_low : 1;
        split(at, high, middle, low);
        split(step, by_high, by_middle, by_low);
    }
    __device__ __forceinline__ void next()
    {
        low += by_low;
        middle += by_middle;
        high += by_high;
        if (low >= lows)
        {
            low -= lows;
            middle++;
        }
        if (middle >= middles)
        {
            middle -= middles;
            high++;
        }
    }
    __device__ __forceinline__ void split(int at, int& h, int& m, int& l) const
    {
        int row = at / lows;
        l = at - row * lows;
        h = row / middles;
        m = row - h * middles;
    }
};

// max(v, 0), or slope v where v is not positive, with the bits of the pointwise rows; kind as Rectify in Epilogue.cs.
__device__ __forceinline__ T nat_rectify(T v, int kind, T slope)
{
    return kind == 1 ? (v < T(0) ? T(0) : v) : kind == 2 ? (v > T(0) ? v : v * slope) : v;
}

// V values that are moved at once; the address must be a multiple of their size.
template <int V> __device__ __forceinline__ const nat_pack<T, V>& nat_packed(const T* p) { return *(const nat_pack<T, V>*)p; }

// A tile: M x N results of a block, DEPTH of the sum at a time; rows in shared memory are PAD longer, against bank conflicts.
template <int M_, int N_, int DEPTH_, int PAD> struct Tile
{
    static constexpr int M = M_, N = N_, DEPTH = DEPTH_, ROW_A = M + PAD, ROW_B = N + PAD;
    static constexpr int LINES = NAT_THREADS / DEPTH;         // rows that are read at once where threads go along k
    static constexpr int A = (M + LINES - 1) / LINES;         // elements of A that a thread reads
    static constexpr int SIZE_A = 2 * DEPTH * ROW_A, SIZE_B = 2 * DEPTH * ROW_B;

    // Where a thread reads along k: eight neighbours, a whole sector of memory, by four rows a warp; more would meet in the same banks of the tile.
    static __device__ __forceinline__ int depth() { return (int)threadIdx.x % 8 + ((int)threadIdx.x / 32 * 8) % DEPTH; }
    static __device__ __forceinline__ int line() { return (int)threadIdx.x / (4 * DEPTH) * 4 + (int)threadIdx.x / 8 % 4; }
};

// Which results a block has, and which part of their sum.
struct Place
{
    int row, column, split, phase_v, phase_h, group;

    __device__ __forceinline__ Place(int tile_m, int tile_n, int tiles_m, int tiles_n, int splits, int phases_v, int phases_h)
    {
        int b = (int)blockIdx.x;
        row = take(b, tiles_m) * tile_m;
        column = take(b, tiles_n) * tile_n;
        split = take(b, splits);
        phase_h = take(b, phases_h);
        phase_v = take(b, phases_v);
        group = b;
    }
    __device__ __forceinline__ static int take(int& b, int n)
    {
        int rest = b / n, digit = b - rest * n;
        b = rest;
        return digit;
    }
};

// The range of k of one of several blocks that share a sum: whole tiles.
struct Part
{
    int begin, end;

    __device__ __forceinline__ Part(int k, int depth, int split, int splits)
    {
        int tiles = (k + depth - 1) / depth, each = (tiles + splits - 1) / splits * depth;
        begin = min(split * each, k);
        end = min(begin + each, k);
    }
};

// One axis, vertical or horizontal: `from` pixels are read, `to` pixels written.
struct Axis
{
    int from, to, kernel, stride, pad, dilation;
    int phases;   // 1 forward; backward, results whose taps differ: stride
    int tap_step; // 1 forward; backward, distance of the taps that a result sees: stride / gcd(stride, dilation)
};

// Multiplies the tiles of [begin, end) of the sum: one buffer is worked on while the other is filled.
template <class S, class Load, class Product> __device__ __forceinline__ void nat_conv_tiles(Load& load, Product& product, const Part& part, T* tile_a, T* tile_b)
{
    int tiles = (part.end - part.begin + S::DEPTH - 1) / S::DEPTH;
    if (tiles == 0)
        return;
    load.fetch();
    load.store(tile_a, tile_b);
    __syncthreads();
    for (int t = 0; t < tiles; t++)
    {
        int now = t & 1, then = 1 - now;
        if (t + 1 < tiles)
            load.fetch();
        product.add(tile_a + now * (S::SIZE_A / 2), tile_b + now * (S::SIZE_B / 2));
        if (t + 1 < tiles)
            load.store(tile_a + then * (S::SIZE_A / 2), tile_b + then * (S::SIZE_B / 2));
        __syncthreads();
    }
}
