using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// Softmax, log-softmax and log-sum-exp along one dim of a tensor seen as [outer, n, inner], with gradients. The maximum is
/// subtracted first, so nothing overflows. A line of -inf only has softmax NaN (0/0) and log-sum-exp -inf; a line with +inf has
/// softmax NaN and log-sum-exp +inf; a NaN makes its whole line NaN. Element i of a line is summed in lane i mod 16 wherever the dim
/// stands, so moving the dim changes no bit.
/// </summary>
internal static unsafe class SoftmaxKernels
{
    // One exponential costs about as much as moving this many elements; it decides what is worth a second thread.
    private const long ExpCost = 8;

    private enum Kind
    {
        Softmax,
        LogSoftmax,
        LogSumExp,
    }

    /// <summary>y [outer, n, inner] = exp(x) / sum over n of exp(x).</summary>
    public static void Softmax<T>(long outer, long n, long inner, T* x, T* y) where T : unmanaged, IFloatingPointIeee754<T> =>
        Run(Kind.Softmax, outer, n, inner, x, y);

    /// <summary>y [outer, n, inner] = x - log(sum over n of exp(x)).</summary>
    public static void LogSoftmax<T>(long outer, long n, long inner, T* x, T* y) where T : unmanaged, IFloatingPointIeee754<T> =>
        Run(Kind.LogSoftmax, outer, n, inner, x, y);

    /// <summary>y [outer, inner] = log(sum over n of exp(x)); -inf when n is 0. Its gradient is g times the softmax of x.</summary>
    public static void LogSumExp<T>(long outer, long n, long inner, T* x, T* y) where T : unmanaged, IFloatingPointIeee754<T> =>
        Run(Kind.LogSumExp, outer, n, inner, x, y);

    /// <summary>gx = y (g - sum over n of g y), from the output y of <see cref="Softmax"/>.</summary>
    public static void SoftmaxGrad<T>(long outer, long n, long inner, T* g, T* y, T* gx) where T : unmanaged, IFloatingPointIeee754<T> =>
        Grad<T, SoftmaxRule<T>>(outer, n, inner, g, y, gx, T.One);

    /// <summary>As above, divided by tau.</summary>
    public static void SoftmaxGrad<T>(long outer, long n, long inner, T* g, T* y, T* gx, T tau) where T : unmanaged, IFloatingPointIeee754<T> =>
        Grad<T, TemperedRule<T>>(outer, n, inner, g, y, gx, tau);

    /// <summary>gx = g - exp(y) sum over n of g, from the output y of <see cref="LogSoftmax"/>.</summary>
    public static void LogSoftmaxGrad<T>(long outer, long n, long inner, T* g, T* y, T* gx) where T : unmanaged, IFloatingPointIeee754<T> =>
        Grad<T, LogSoftmaxRule<T>>(outer, n, inner, g, y, gx, T.One);

    /// <summary>The largest element, -inf for none. A NaN may or may not come through: the sum that follows carries it anyway.</summary>
    internal static T Max<T>(T* x, long n) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var best = Vector512.Create(T.NegativeInfinity);
        for (long i = 0; i < n; i += Vector512<T>.Count)
            best = Vector512.MaxNative(best, LoadPadded(x + i, n - i));
        var half = Vector256.MaxNative(best.GetLower(), best.GetUpper());
        var quarter = Vector128.MaxNative(half.GetLower(), half.GetUpper());
        T max = quarter[0];
        for (int i = 1; i < Vector128<T>.Count; i++)
            max = T.MaxNative(max, quarter[i]);
        return max;
    }

    /// <summary>The sum of exp(x - shift) over a line; the terms are kept in <paramref name="e"/> unless it is null.</summary>
    internal static T SumExp<T>(T* x, long n, T shift, T* e) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int width = Vector512<T>.Count;
        var by = Vector512.Create(shift);
        Vector512<T> low = Vector512<T>.Zero, high = Vector512<T>.Zero;
        for (long i = 0; i < n; i += width)
        {
            // Beyond the line stands -inf, whose exponential adds nothing.
            var term = MathFn.Exp(LoadPadded(x + i, n - i) - by);
            if (e != null)
                Lanes.Put(term, e + i, n - i);
            if (width == Lanes.Count || (i & width) == 0)
                low += term;
            else
                high += term;
        }
        return Lanes.Tree(low, high);
    }

    internal static T Log<T>(T x) where T : unmanaged, IFloatingPointIeee754<T> => MathFn.Log(Vector512.Create(x))[0];

    private static void Run<T>(Kind kind, long outer, long n, long inner, T* x, T* y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        if (inner == 1 && n < Vector512<T>.Count)
        {
            Chunks.For(Chunks.CeilDiv(outer, Vector512<T>.Count), n * Vector512<T>.Count * ExpCost / 4, (start, end) =>
            {
                for (long r = start * Vector512<T>.Count; r < Math.Min(outer, end * Vector512<T>.Count); r += Vector512<T>.Count)
                    ShortLines(kind, x + r * n, n, outer - r, y + (kind == Kind.LogSumExp ? r : r * n));
            });
            return;
        }
        if (inner == 1)
        {
            Chunks.For(outer, n * ExpCost, (start, end) =>
            {
                for (long r = start; r < end; r++)
                    Line(kind, x + r * n, n, y + (kind == Kind.LogSumExp ? r : r * n));
            });
            return;
        }
        long width = Vector512<T>.Count, tiles = Chunks.CeilDiv(inner, width);
        Chunks.For(outer * tiles, n * width * ExpCost, (start, end) =>
        {
            for (long i = start; i < end; i++)
            {
                long slab = i / tiles, j = i % tiles * width;
                Tile(kind, x + slab * n * inner + j, n, inner, inner - j, y + slab * (kind == Kind.LogSumExp ? 1 : n) * inner + j);
            }
        });
    }

    private static void Line<T>(Kind kind, T* x, long n, T* y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T max = Max(x, n);
        if (kind == Kind.LogSumExp)
        {
            // An infinite maximum is its own answer, or NaN's: subtracting it would only make NaN.
            T shift = T.IsFinite(max) ? max : T.Zero;
            *y = shift + Log(SumExp(x, n, shift, null));
            return;
        }
        T sum = SumExp(x, n, max, kind == Kind.Softmax ? y : null);
        Vector512<T> total = Vector512.Create(sum), log = kind == Kind.Softmax ? total : MathFn.Log(total), by = Vector512.Create(max);
        for (long i = 0; i < n; i += Vector512<T>.Count)
        {
            long left = n - i;
            Lanes.Put(kind == Kind.Softmax ? Lanes.At(y + i, left) / total : Lanes.At(x + i, left) - by - log, y + i, left);
        }
    }

    // Lines shorter than a vector leave most of it unused: as many of them are laid side by side, one per lane, which is the same to the bit.
    private static void ShortLines<T>(Kind kind, T* x, long n, long left, T* y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        int width = Vector512<T>.Count;
        T* a = stackalloc T[2 * width * width], b = a + width * width;
        left = Math.Min(left, width);
        Turn(x, left, n, 1, n, a, width, 1);
        Tile(kind, a, n, width, left, b);
        Turn(b, left, kind == Kind.LogSumExp ? 1 : n, width, 1, y, 1, kind == Kind.LogSumExp ? 1 : n);
    }

    // to[i along, j across] = from[i along, j across] for n elements of each line.
    private static void Turn<T>(T* from, long lines, long n, long along, long across, T* to, long toAlong, long toAcross) where T : unmanaged
    {
        for (long i = 0; i < n; i++)
            for (long line = 0; line < lines; line++)
                to[i * toAlong + line * toAcross] = from[i * along + line * across];
    }

    // A vector of neighbouring lines whose elements are `inner` apart.
    private static void Tile<T>(Kind kind, T* x, long n, long inner, long left, T* y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        var max = Vector512.Create(T.NegativeInfinity);
        for (long i = 0; i < n; i++)
            max = Vector512.MaxNative(max, Lanes.At(x + i * inner, left));
        if (kind == Kind.LogSumExp)
            max = Vector512.ConditionalSelect(Vector512.LessThan(Vector512.Abs(max), Vector512.Create(T.PositiveInfinity)), max,
                Vector512<T>.Zero);

        Vector512<T>* lanes = stackalloc Vector512<T>[Lanes.Count];
        new Span<Vector512<T>>(lanes, Lanes.Count).Clear();
        for (long i = 0; i < n; i++)
        {
            var term = MathFn.Exp(Lanes.At(x + i * inner, left) - max);
            lanes[i & (Lanes.Count - 1)] += term;
            if (kind == Kind.Softmax)
                Lanes.Put(term, y + i * inner, left);
        }
        var sum = Lanes.Tree(lanes);
        var log = kind == Kind.Softmax ? sum : MathFn.Log(sum);
        if (kind == Kind.LogSumExp)
            Lanes.Put(max + log, y, left);
        else
            for (long i = 0; i < n; i++)
            {
                T* at = y + i * inner;
                Lanes.Put(kind == Kind.Softmax ? Lanes.At(at, left) / sum : Lanes.At(x + i * inner, left) - max - log, at, left);
            }
    }

    private static void Grad<T, F>(long outer, long n, long inner, T* g, T* y, T* gx, T tau)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ITerm<T>, IRule<T>
    {
        if (inner == 1 && n < Vector512<T>.Count)
        {
            Chunks.For(Chunks.CeilDiv(outer, Vector512<T>.Count), n * Vector512<T>.Count * ExpCost / 4, (start, end) =>
            {
                for (long r = start * Vector512<T>.Count; r < Math.Min(outer, end * Vector512<T>.Count); r += Vector512<T>.Count)
                    GradShortLines<T, F>(n, outer - r, g + r * n, y + r * n, gx + r * n, tau);
            });
            return;
        }
        if (inner == 1)
        {
            Chunks.For(outer, n * ExpCost, (start, end) =>
            {
                for (long r = start; r < end; r++)
                    GradLine<T, F>(n, g + r * n, y + r * n, gx + r * n, tau);
            });
            return;
        }
        long width = Vector512<T>.Count, tiles = Chunks.CeilDiv(inner, width);
        Chunks.For(outer * tiles, n * width * ExpCost, (start, end) =>
        {
            for (long i = start; i < end; i++)
            {
                long at = i / tiles * n * inner + i % tiles * width;
                GradTile<T, F>(n, inner, inner - i % tiles * width, g + at, y + at, gx + at, tau);
            }
        });
    }

    private static void GradLine<T, F>(long n, T* g, T* y, T* gx, T tau)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ITerm<T>, IRule<T>
    {
        Vector512<T> sum = Vector512.Create(Lanes.Sum<T, F>(g, y, g, n, T.Zero)), by = Vector512.Create(tau);
        for (long i = 0; i < n; i += Vector512<T>.Count)
        {
            long left = n - i;
            Lanes.Put(F.Gradient(Lanes.At(g + i, left), Lanes.At(y + i, left), sum, by), gx + i, left);
        }
    }

    private static void GradShortLines<T, F>(long n, long left, T* g, T* y, T* gx, T tau)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ITerm<T>, IRule<T>
    {
        int width = Vector512<T>.Count;
        T* a = stackalloc T[3 * width * width], b = a + width * width, c = b + width * width;
        left = Math.Min(left, width);
        Turn(g, left, n, 1, n, a, width, 1);
        Turn(y, left, n, 1, n, b, width, 1);
        GradTile<T, F>(n, width, left, a, b, c, tau);
        Turn(c, left, n, width, 1, gx, 1, n);
    }

    private static void GradTile<T, F>(long n, long inner, long left, T* g, T* y, T* gx, T tau)
        where T : unmanaged, IFloatingPointIeee754<T>
        where F : struct, ITerm<T>, IRule<T>
    {
        Vector512<T>* lanes = stackalloc Vector512<T>[Lanes.Count];
        new Span<Vector512<T>>(lanes, Lanes.Count).Clear();
        for (long i = 0, at = 0; i < n; i++, at += inner)
        {
            var gi = Lanes.At(g + at, left);
            lanes[i & (Lanes.Count - 1)] += F.Of(gi, Lanes.At(y + at, left), gi, gi);
        }
        Vector512<T> sum = Lanes.Tree(lanes), by = Vector512.Create(tau);
        for (long i = 0, at = 0; i < n; i++, at += inner)
            Lanes.Put(F.Gradient(Lanes.At(g + at, left), Lanes.At(y + at, left), sum, by), gx + at, left);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> LoadPadded<T>(T* p, long left) where T : unmanaged, IFloatingPointIeee754<T> =>
        left >= Vector512<T>.Count ? Vector512.Load(p) : Lanes.Load(p, left, T.NegativeInfinity);

    /// <summary>A gradient that needs one sum per line, of the terms that <see cref="ITerm{T}"/> makes from g and y.</summary>
    private interface IRule<T> where T : unmanaged
    {
        static abstract Vector512<T> Gradient(Vector512<T> g, Vector512<T> y, Vector512<T> sum, Vector512<T> tau);
    }

    private readonly struct SoftmaxRule<T> : ITerm<T>, IRule<T> where T : unmanaged
    {
        public static Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> k) => a * b;

        public static Vector512<T> Gradient(Vector512<T> g, Vector512<T> y, Vector512<T> sum, Vector512<T> tau) => y * (g - sum);
    }

    private readonly struct TemperedRule<T> : ITerm<T>, IRule<T> where T : unmanaged
    {
        public static Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> k) => a * b;

        public static Vector512<T> Gradient(Vector512<T> g, Vector512<T> y, Vector512<T> sum, Vector512<T> tau) => y * (g - sum) / tau;
    }

    private readonly struct LogSoftmaxRule<T> : ITerm<T>, IRule<T> where T : unmanaged
    {
        public static Vector512<T> Of(Vector512<T> a, Vector512<T> b, Vector512<T> c, Vector512<T> k) => a;

        public static Vector512<T> Gradient(Vector512<T> g, Vector512<T> y, Vector512<T> sum, Vector512<T> tau) => g - MathFn.Exp(y) * sum;
    }
}
