// Pooling of planes [planes, height, width] to [planes, out_h, out_w], and the adjoints. Adjoints gather: each input pixel adds up what the windows that
// hold it send, in the order of the windows, so that nothing is written twice and sums are the cpu's to the bit.

struct PoolArgs
{
    T* y;
    const T* x;
    long long* index; // of maxima, flat within the input plane; max_forward writes it
    int planes, height, width, out_h, out_w;
    int kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
};

__device__ __forceinline__ int nat_ceil_div(int a, int b) { return (a + b - 1) / b; }

// Positions of a window inside the plane along one dim: `count` from `first`, `dilation` apart.
__device__ __forceinline__ void nat_taps(int start, int kernel, int dilation, int size, int& first, int& count)
{
    int skipped = start >= 0 ? 0 : nat_ceil_div(-start, dilation);
    first = start + skipped * dilation;
    int inside = first >= size ? 0 : nat_ceil_div(size - first, dilation);
    count = min(inside, max(kernel - skipped, 0));
}

// Windows that may hold a pixel along one dim: from `first` to `last`.
__device__ __forceinline__ void nat_windows(int pixel, int kernel, int stride, int pad, int dilation, int out, int& first, int& last)
{
    int behind = pixel + pad - (kernel - 1) * dilation;
    first = behind <= 0 ? 0 : nat_ceil_div(behind, stride);
    last = min((pixel + pad) / stride, out - 1);
}

// y = the maximum of each window and where it was found. The first of equal maxima wins, the first NaN beats everything; a window without a pixel gives
// -inf at -1.
KERNEL(pool2d_max, PoolArgs)
{
    int n = args.planes * args.out_h * args.out_w;
    for (int o = nat_first(); o < n; o += nat_step())
    {
        int row = o / args.out_w, column = o - row * args.out_w, plane = row / args.out_h, top, left, rows, columns;
        nat_taps((row - plane * args.out_h) * args.stride_h - args.pad_h, args.kernel_h, args.dilation_h, args.height, top, rows);
        nat_taps(column * args.stride_w - args.pad_w, args.kernel_w, args.dilation_w, args.width, left, columns);
        const T* x = args.x + plane * args.height * args.width;
        int at = rows > 0 && columns > 0 ? top * args.width + left : -1;
        T best = at < 0 ? -nat_inf<T>() : x[at];
        for (int ky = 0; ky < rows; ky++)
            for (int kx = 0; kx < columns; kx++)
            {
                int i = (top + ky * args.dilation_h) * args.width + left + kx * args.dilation_w;
                T v = x[i];
                // True for a larger v and for the first NaN; false for everything after a NaN.
                if (!(v <= best) && best == best)
                {
                    best = v;
                    at = i;
                }
            }
        args.y[o] = best;
        args.index[o] = at;
    }
}

// y [planes, height, width] = x [planes, out_h, out_w] scattered to where the maxima came from.
KERNEL(pool2d_max_grad, PoolArgs)
{
    int n = args.planes * args.height * args.width;
    for (int i = nat_first(); i < n; i += nat_step())
    {
        int row = i / args.width, column = i - row * args.width, plane = row / args.height, in_plane = i - plane * args.height * args.width;
        int top, bottom, left, right;
        nat_windows(row - plane * args.height, args.kernel_h, args.stride_h, args.pad_h, args.dilation_h, args.out_h, top, bottom);
        nat_windows(column, args.kernel_w, args.stride_w, args.pad_w, args.dilation_w, args.out_w, left, right);
        T sum = T(0);
        for (int oy = top; oy <= bottom; oy++)
            for (int ox = left; ox <= right; ox++)
            {
                int o = (plane * args.out_h + oy) * args.out_w + ox;
                if (args.index[o] == in_plane)
                    sum += args.x[o];
            }
        args.y[i] = sum;
    }
}

// y [planes, out_h, out_w] = x [planes, height, width] read where the maxima came from, 0 where there was no pixel.
KERNEL(pool2d_max_gather, PoolArgs)
{
    int n = args.planes * args.out_h * args.out_w;
    for (int o = nat_first(); o < n; o += nat_step())
    {
        long long at = args.index[o];
        args.y[o] = at >= 0 ? args.x[o / (args.out_h * args.out_w) * args.height * args.width + (int)at] : T(0);
    }
}

struct MeanArgs
{
    T* y;
    const T* x;
    int planes, height, width, out_h, out_w;
    int even;    // bins divide the plane evenly; otherwise they are windows of the next six
    int kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
    int divisor; // 0: the number of pixels in the bin
    Team team;   // the threads that share a bin
};

// Pixels of one bin along one dim: from `start` to below `end`.
__device__ __forceinline__ void nat_bin(int even, int i, int kernel, int stride, int pad, int size, int out, int& start, int& end)
{
    if (even)
    {
        start = (int)((long long)i * size / out);
        end = (int)(((long long)(i + 1) * size + out - 1) / out);
        return;
    }
    start = min(max(i * stride - pad, 0), size);
    end = min(max(i * stride - pad + kernel, 0), size);
}

// Bins that hold a pixel along one dim: from `first` to `last`.
__device__ __forceinline__ void nat_bins(int even, int pixel, int kernel, int stride, int pad, int size, int out, int& first, int& last)
{
    if (!even)
    {
        nat_windows(pixel, kernel, stride, pad, 1, out, first, last);
        return;
    }
    first = (int)((long long)pixel * out / size);
    last = (int)(((long long)(pixel + 1) * out + size - 1) / size) - 1;
}

__device__ __forceinline__ T nat_share(T sum, int divisor, int pixels) { return sum / T(divisor > 0 ? divisor : max(pixels, 1)); }

// y = means over bins. A bin of padding alone has the mean 0.
KERNEL_SYNC(pool2d_mean, MeanArgs)
{
    int o = nat_team(args.team), size = nat_team_size(args.team), top = 0, bottom = 0, left = 0, right = 0, plane = 0;
    bool exists = o < args.planes * args.out_h * args.out_w;
    if (exists)
    {
        int row = o / args.out_w;
        plane = row / args.out_h;
        nat_bin(args.even, row - plane * args.out_h, args.kernel_h, args.stride_h, args.pad_h, args.height, args.out_h, top, bottom);
        nat_bin(args.even, o - row * args.out_w, args.kernel_w, args.stride_w, args.pad_w, args.width, args.out_w, left, right);
    }
    const T* x = args.x + plane * args.height * args.width;
    int columns = right - left, pixels = (bottom - top) * columns;
    T sum = T(0);
    // One thread goes pixel by pixel as the cpu does; a team strides over the bin as if it were one line.
    if (size == 1)
    {
        for (int row = top; row < bottom; row++)
            for (int i = left; i < right; i++)
                sum += x[row * args.width + i];
    }
    else
    {
        for (int i = nat_team_rank(args.team); i < pixels; i += size)
            sum += x[(top + i / columns) * args.width + left + i % columns];
    }
    sum = nat_team_reduce(sum, args.team, NatSum());
    if (exists && nat_team_rank(args.team) == 0)
        args.y[o] = nat_share(sum, args.divisor, pixels);
}

// y [planes, height, width] = the adjoint of the means: each pixel gets its share of every bin that holds it.
KERNEL(pool2d_mean_grad, MeanArgs)
{
    int n = args.planes * args.height * args.width;
    for (int i = nat_first(); i < n; i += nat_step())
    {
        int line = i / args.width, column = i - line * args.width, plane = line / args.height, row = line - plane * args.height;
        int first_y, last_y, first_x, last_x, top, bottom, left, right;
        nat_bins(args.even, row, args.kernel_h, args.stride_h, args.pad_h, args.height, args.out_h, first_y, last_y);
        nat_bins(args.even, column, args.kernel_w, args.stride_w, args.pad_w, args.width, args.out_w, first_x, last_x);
        T sum = T(0);
        for (int oy = first_y; oy <= last_y; oy++)
        {
            nat_bin(args.even, oy, args.kernel_h, args.stride_h, args.pad_h, args.height, args.out_h, top, bottom);
            for (int ox = first_x; ox <= last_x; ox++)
            {
                nat_bin(args.even, ox, args.kernel_w, args.stride_w, args.pad_w, args.width, args.out_w, left, right);
                sum += nat_share(args.x[(plane * args.out_h + oy) * args.out_w + ox], args.divisor, (bottom - top) * (right - left));
            }
        }
        args.y[i] = sum;
    }
}
