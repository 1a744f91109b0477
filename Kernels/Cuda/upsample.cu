// Enlarging images by a whole factor. The sums over squares, which are the adjoint, are means over bins with the divisor 1: pool2d.cu.

struct UpsampleArgs
{
    T* y;
    const T* x;
    int n, width, factor; // elements of y, and its width
};

// Every pixel of x becomes a square of y. Rows of all planes are walked as one plane: squares do not straddle planes.
KERNEL(upsample_nearest, UpsampleArgs)
{
    int narrow = args.width / args.factor;
    for (int i = nat_first(); i < args.n; i += nat_step())
    {
        int row = i / args.width;
        args.y[i] = args.x[row / args.factor * narrow + (i - row * args.width) / args.factor];
    }
}
