using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>
/// Jensen-Shannon divergences of the rows of two matrices of logits [rows, classes]; p and q are their softmaxes, m = (p + q) / 2. From the distributions:
/// 1/2 sum of p log(p/m) + q log(q/m). From the mixture: 1/2 sum of m log(m/p) + m log(m/q). With a = log(m/p) and b = log(m/q), p times the derivative by p
/// is -p a / 2 in the first and p (a + b) / 4 - (m - p) / 2 in the second; the softmax takes p times the sum of that over the row away. All logits are finite.
/// </summary>
internal static unsafe class DivergenceKernels
{
    // Exponentials and logarithms of an element, in elements moved.
    private const long Cost = 40;

    /// <summary>loss [rows].</summary>
    public static void Forward<T>(long rows, long classes, bool fromMixture, T* a, T* b, T* loss) where T : unmanaged, IFloatingPointIeee754<T> =>
        Chunks.For(rows, classes * Cost, (start, end) =>
        {
            for (long r = start; r < end; r++)
            {
                Row<T> p = new(a + r * classes, classes), q = new(b + r * classes, classes);
                var sum = default(Sums<T>);
                for (long i = 0; i < classes; i += Vector512<T>.Count)
                    sum.Add(new Mixture<T>(p.At(i), q.At(i)).Term(fromMixture), i, classes);
                loss[r] = sum.Total * T.CreateChecked(0.5);
            }
        });

    /// <summary>ga and gb [rows, classes] from g [rows].</summary>
    public static void Grad<T>(long rows, long classes, bool fromMixture, T* a, T* b, T* g, T* ga, T* gb) where T : unmanaged, IFloatingPointIeee754<T> =>
        Chunks.For(rows, classes * Cost * 2, (start, end) =>
        {
            for (long r = start; r < end; r++)
                GradRow(classes, fromMixture, a + r * classes, b + r * classes, g[r], ga + r * classes, gb + r * classes);
        });

    private static void GradRow<T>(long classes, bool fromMixture, T* a, T* b, T g, T* ga, T* gb) where T : unmanaged, IFloatingPointIeee754<T>
    {
        Row<T> p = new(a, classes), q = new(b, classes);
        Sums<T> sumP = default, sumQ = default;
        // The slopes wait where their results will stand; the probabilities are formed again.
        for (long i = 0; i < classes; i += Vector512<T>.Count)
        {
            var x = new Mixture<T>(p.At(i), q.At(i));
            Vector512<T> slopeP = x.Slope(fromMixture, x.P, x.ToP), slopeQ = x.Slope(fromMixture, x.Q, x.ToQ);
            sumP.Add(slopeP, i, classes);
            sumQ.Add(slopeQ, i, classes);
            Lanes.Put(slopeP, ga + i, classes - i);
            Lanes.Put(slopeQ, gb + i, classes - i);
        }
        Vector512<T> scale = Vector512.Create(g), totalP = Vector512.Create(sumP.Total), totalQ = Vector512.Create(sumQ.Total);
        for (long i = 0; i < classes; i += Vector512<T>.Count)
        {
            long left = classes - i;
            Lanes.Put(scale * (Lanes.At(ga + i, left) - MathFn.Exp(p.At(i)) * totalP), ga + i, left);
            Lanes.Put(scale * (Lanes.At(gb + i, left) - MathFn.Exp(q.At(i)) * totalQ), gb + i, left);
        }
    }

    /// <summary>The log-probabilities of a row.</summary>
    private readonly struct Row<T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        private readonly T* _x;
        private readonly long _n;
        private readonly Vector512<T> _max, _log;

        public Row(T* x, long n)
        {
            T max = SoftmaxKernels.Max(x, n);
            _x = x;
            (_n, _max) = (n, Vector512.Create(max));
            _log = Vector512.Create(SoftmaxKernels.Log(SoftmaxKernels.SumExp(x, n, max, null)));
        }

        public Vector512<T> At(long i) => Lanes.At(_x + i, _n - i) - _max - _log;
    }

    /// <summary>A sum in sixteen lanes; what lies beyond the row adds nothing.</summary>
    private struct Sums<T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        private Vector512<T> _low, _high;

        public void Add(Vector512<T> term, long i, long n)
        {
            if (n - i < Vector512<T>.Count)
                term = Vector512.ConditionalSelect(Lanes.FirstLanes<T>(n - i), term, Vector512<T>.Zero);
            if (Vector512<T>.Count == Lanes.Count || (i & Vector512<T>.Count) == 0)
                _low += term;
            else
                _high += term;
        }

        public readonly T Total => Lanes.Tree(_low, _high);
    }

    /// <summary>What the formulas are made of, exact where p and q are near each other and where they are far apart. Twin of <c>Mixture</c> in divergence.cu.</summary>
    private readonly struct Mixture<T> where T : unmanaged, IFloatingPointIeee754<T>
    {
        public readonly Vector512<T> P, Q, M, ToP, ToQ;

        public Mixture(Vector512<T> logP, Vector512<T> logQ)
        {
            Vector512<T> far = Vector512.Abs(logP - logQ), near = MathFn.Log1p(MathFn.Expm1(-far) * Number(0.5));
            var first = Vector512.GreaterThanOrEqual(logP, logQ);
            ToP = Vector512.ConditionalSelect(first, near, near + far);
            ToQ = Vector512.ConditionalSelect(first, near + far, near);
            P = MathFn.Exp(logP);
            Q = MathFn.Exp(logQ);
            M = MathFn.Exp(Vector512.ConditionalSelect(first, logP, logQ) + near);
        }

        public Vector512<T> Term(bool fromMixture) => fromMixture ? M * (ToP + ToQ) : -(P * ToP + Q * ToQ);

        public Vector512<T> Slope(bool fromMixture, Vector512<T> p, Vector512<T> to)
        {
            if (!fromMixture)
                return p * (to * Number(-0.5));
            // m - p without cancellation.
            var more = Vector512.ConditionalSelect(Vector512.LessThan(to, Vector512<T>.One), p * MathFn.Expm1(to), M - p);
            return p * ((ToP + ToQ) * Number(0.25)) - more * Number(0.5);
        }

        private static Vector512<T> Number(double x) => Vector512.Create(T.CreateChecked(x));
    }
}
