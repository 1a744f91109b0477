using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>An update rule on vectors of elements. Moments it does not have stay untouched.</summary>
internal interface IOptimRule<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    /// <summary>How many moments are read and written: 0 to 2.</summary>
    static abstract int Moments { get; }

    /// <summary>One step; <paramref name="g"/> has mask and coupled decay applied, <paramref name="w"/> the decoupled one.</summary>
    Vector512<T> Step(in OptimScalars<T> s, Vector512<T> w, Vector512<T> g, ref Vector512<T> m, ref Vector512<T> v);
}

/// <summary>The scalars of one tensor, in its own precision.</summary>
internal readonly record struct OptimScalars<T>(T Rate, T Decay, T Shrink, T RootCorrection);

internal readonly struct SgdRule<T> : IOptimRule<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    public static int Moments => 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<T> Step(in OptimScalars<T> s, Vector512<T> w, Vector512<T> g, ref Vector512<T> m, ref Vector512<T> v) => w - g * s.Rate;
}

internal readonly struct MomentumRule<T>(T momentum, bool nesterov) : IOptimRule<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly T _momentum = momentum;
    private readonly bool _nesterov = nesterov;

    public static int Moments => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<T> Step(in OptimScalars<T> s, Vector512<T> w, Vector512<T> g, ref Vector512<T> m, ref Vector512<T> v)
    {
        m = m * _momentum + g;
        return w - (_nesterov ? g + m * _momentum : m) * s.Rate;
    }
}

internal readonly struct AdamRule<T>(T beta1, T rest1, T beta2, T rest2, T eps) : IOptimRule<T> where T : unmanaged, IFloatingPointIeee754<T>
{
    private readonly T _beta1 = beta1, _rest1 = rest1, _beta2 = beta2, _rest2 = rest2, _eps = eps;

    public static int Moments => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<T> Step(in OptimScalars<T> s, Vector512<T> w, Vector512<T> g, ref Vector512<T> m, ref Vector512<T> v)
    {
        m = m * _beta1 + g * _rest1;
        v = v * _beta2 + g * g * _rest2;
        return w - m * s.Rate / (Vector512.Sqrt(v) / Vector512.Create(s.RootCorrection) + Vector512.Create(_eps));
    }
}

/// <summary>The loop of all optimisers: elements of all tensors in one numbering, cut into fixed chunks.</summary>
internal static unsafe class OptimLoop
{
    // Five streams of memory: below this many elements waking a second thread costs more than it saves.
    private const long Grain = 8192;

    public static void Run<R32, R64>(ReadOnlySpan<OptimSlot> slots, R32 rule32, R64 rule64)
        where R32 : struct, IOptimRule<float> where R64 : struct, IOptimRule<double>
    {
        Pass<float, R32>(slots, DType.F32, rule32);
        Pass<double, R64>(slots, DType.F64, rule64);
    }

    private static void Pass<T, R>(ReadOnlySpan<OptimSlot> slots, DType dtype, R rule)
        where T : unmanaged, IFloatingPointIeee754<T> where R : struct, IOptimRule<T>
    {
        var pieces = Pieces<T>.Of(slots.Length);
        long total = 0;
        int count = 0;
        foreach (var s in slots)
        {
            if (s.Value.DType != dtype || s.Value.Count == 0)
                continue;
            pieces[count++] = new Piece<T>
            {
                W = s.Value.Data<T>(),
                G = s.Gradient.Data<T>(),
                M = R.Moments > 0 ? s.First!.Data<T>() : null,
                V = R.Moments > 1 ? s.Second!.Data<T>() : null,
                Mask = s.Mask is null ? null : s.Mask.Data<T>(),
                Start = total,
                Count = s.Value.Count,
                Scalars = new(T.CreateTruncating(s.Rate), T.CreateTruncating(s.Decay), T.CreateTruncating(s.Shrink), T.CreateTruncating(s.RootCorrection)),
            };
            total += s.Value.Count;
        }
        if (count == 0)
            return;
        var job = new Job<T, R> { Pieces = pieces, Count = count, Total = total, Rule = rule, Chunks = Workers.Chunks(total, Grain) };
        Workers.Run(job.Chunks, ref job);
    }

    private struct Piece<T> where T : unmanaged
    {
        public T* W, G, M, V, Mask;
        public long Start, Count;
        public OptimScalars<T> Scalars;
    }

    // Reused from step to step: a training loop allocates nothing here.
    private static class Pieces<T> where T : unmanaged
    {
        [ThreadStatic]
        private static Piece<T>[]? cache;

        public static Piece<T>[] Of(int n)
        {
            if (cache is null || cache.Length < n)
                cache = new Piece<T>[Math.Max(n, 16)];
            return cache;
        }
    }

    private struct Job<T, R> : IJob where T : unmanaged, IFloatingPointIeee754<T> where R : struct, IOptimRule<T>
    {
        public Piece<T>[] Pieces;
        public int Count, Chunks;
        public long Total;
        public R Rule;

        public readonly void Run(int chunk)
        {
            long from = Workers.Start(Total, Chunks, chunk), to = Workers.Start(Total, Chunks, chunk + 1);
            for (int i = 0; i < Count; i++)
            {
                ref readonly var p = ref Pieces[i];
                long a = Math.Max(from - p.Start, 0), b = Math.Min(to - p.Start, p.Count);
                if (a < b)
                    Range(p, Rule, a, b);
            }
        }
    }

    // Called a few times a step at most: without the attribute it would stay in the slow first tier for the first dozens of steps.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Range<T, R>(Piece<T> p, R rule, long from, long to) where T : unmanaged, IFloatingPointIeee754<T> where R : struct, IOptimRule<T>
    {
        int width = Vector512<T>.Count;
        var s = p.Scalars;
        T* w = p.W, g = p.G, m = p.M, v = p.V, mask = p.Mask;
        long i = from;
        for (; i + width <= to; i += width)
        {
            var vg = Vector512.Load(g + i);
            var vw = Vector512.Load(w + i);
            if (mask != null)
                vg *= Vector512.Load(mask + i);
            vg = Decayed(s, vw, vg);
            Vector512<T> vm = R.Moments > 0 ? Vector512.Load(m + i) : default, vv = R.Moments > 1 ? Vector512.Load(v + i) : default;
            rule.Step(s, vw * s.Shrink, vg, ref vm, ref vv).Store(w + i);
            if (R.Moments > 0)
                vm.Store(m + i);
            if (R.Moments > 1)
                vv.Store(v + i);
        }
        if (i == to)
            return;
        // The tail through the same vector code, so that an element's position never changes its bits.
        uint bytes = (uint)((to - i) * sizeof(T));
        var tg = Partial(g + i, bytes);
        var tw = Partial(w + i, bytes);
        if (mask != null)
            tg *= Partial(mask + i, bytes);
        tg = Decayed(s, tw, tg);
        Vector512<T> tm = R.Moments > 0 ? Partial(m + i, bytes) : default, tv = R.Moments > 1 ? Partial(v + i, bytes) : default;
        var last = rule.Step(s, tw * s.Shrink, tg, ref tm, ref tv);
        Unsafe.CopyBlockUnaligned(w + i, &last, bytes);
        if (R.Moments > 0)
            Unsafe.CopyBlockUnaligned(m + i, &tm, bytes);
        if (R.Moments > 1)
            Unsafe.CopyBlockUnaligned(v + i, &tv, bytes);
    }

    // Skipped when there is none: 0 * infinity is NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<T> Decayed<T>(in OptimScalars<T> s, Vector512<T> w, Vector512<T> g) where T : unmanaged, IFloatingPointIeee754<T> =>
        s.Decay == T.Zero ? g : g + w * s.Decay;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector512<T> Partial<T>(T* x, uint bytes) where T : unmanaged
    {
        Vector512<T> v = default;
        Unsafe.CopyBlockUnaligned(&v, x, bytes);
        return v;
    }
}
