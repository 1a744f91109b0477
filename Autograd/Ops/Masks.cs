using System.Numerics;
using System.Runtime.Intrinsics;

namespace Native;

/// <summary>Weights behind learned masks, as in hard attention to the task (Serra et al. 2018) and Dynamic Generative Memory (Ostapenko et al. 2019, section 3.2).</summary>
public static partial class Ops
{
    /// <summary>w sigmoid(p e): a weight behind its mask; e broadcasts over rows, columns or taps. Linear in w, so it is its own derivative there.</summary>
    public static readonly BinaryOp MaskWeight = DefineParam<MaskWeightFn>("mask_weight", cuda: "a * nat_sigmoid(b * p)",
        vjpA: (g, _, e, _, p, _) => MaskWeight!.Apply(g, e, p),
        vjpB: (g, w, e, _, p, _) => new MaskWeightGradOp(p).Apply(g, w, e),
        [new(-2, 2), new(-1.5, 1.5)], [(1, 0), (2.5, 0)]);

    /// <summary>
    /// g (q / p) (cosh(clamp(p e, -50, 50)) + 1) / (cosh(e) + 1): a mask embedding's gradient at scale p as if the mask had been at scale q, so
    /// that annealing does not starve it (Serra et al. 2018, equation 8).
    /// </summary>
    public static readonly BinaryOp MaskCompensate = DefineParam<MaskCompensateFn>("mask_compensate",
        cuda: "a * (q / p) * ((nat_cosh(b * p < T(-50) ? T(-50) : b * p > T(50) ? T(50) : b * p) + T(1)) / (nat_cosh(b) + T(1)))",
        vjpA: (gg, _, e, _, p, q) => MaskCompensate!.Apply(gg, e, p, q),
        vjpB: (gg, g, e, _, p, q) => gg * g * CompensationSlope(e, p, q),
        [new(-2, 2), new(-1.5, 1.5)], [(0.5, 4), (2, 4)]);

    // Here, so that it is known before the program of all rows is made.
    internal static readonly PointwiseKernel MaskWeightGradKernel =
        new PointwiseKernel<MaskWeightGradFn>("mask_weight_grad", "a * b * (nat_sigmoid(c * p) * (T(1) - nat_sigmoid(c * p))) * p", Domain.Float);

    // The derivative of the factor, composed: nobody's training step comes here.
    private static Tensor CompensationSlope(Tensor e, double p, double q)
    {
        Tensor below = e.Cosh() + 1, at = (e * p).Clamp(-50, 50), above = at.Cosh() + 1;
        return (ClampGrad.Apply(at.Sinh() * p, e * p, -50, 50) - above / below * e.Sinh()) / below * (q / p);
    }

    private readonly struct MaskWeightFn : IBinaryParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> w, Vector512<T> e, Vector512<T> p, Vector512<T> _) where T : unmanaged, INumber<T> => w * MathFn.Sigmoid(e * p);

        public static double Reference(double w, double e, double p, double q) => w / (1 + Math.Exp(-p * e));
    }

    private readonly struct MaskWeightGradFn : IPointwiseFn
    {
        public static int Arity => 3;

        public static Vector512<T> Invoke<T>(Vector512<T> g, Vector512<T> w, Vector512<T> e, Vector512<T> p, Vector512<T> _) where T : unmanaged, INumber<T>
        {
            var m = MathFn.Sigmoid(e * p);
            return g * w * (m * (Vector512<T>.One - m)) * p;
        }
    }

    private readonly struct MaskCompensateFn : IBinaryParamFn
    {
        public static Vector512<T> Invoke<T>(Vector512<T> g, Vector512<T> e, Vector512<T> p, Vector512<T> q) where T : unmanaged, INumber<T>
        {
            Vector512<T> bound = Vector512.Create(T.CreateTruncating(50)), low = Vector512<T>.Zero - bound, at = e * p;
            at = Vector512.ConditionalSelect(Vector512.LessThan(at, low), low, Vector512.ConditionalSelect(Vector512.GreaterThan(at, bound), bound, at));
            return g * (q / p) * ((MathFn.Cosh(at) + Vector512<T>.One) / (MathFn.Cosh(e) + Vector512<T>.One));
        }

        public static double Reference(double g, double e, double p, double q) => g * (q / p) * (Math.Cosh(Math.Clamp(p * e, -50, 50)) + 1) / (Math.Cosh(e) + 1);
    }
}

/// <summary>
/// g w p m (1 - m) with m = sigmoid(p e): the derivative of <see cref="Ops.MaskWeight"/> with respect to e, of the gradient's shape. Symmetric in g and w,
/// so that it closes on itself in both.
/// </summary>
internal sealed class MaskWeightGradOp(double scale) : StructuredOp("mask_weight_grad")
{
    public override OutputSpecs Infer(Inputs x)
    {
        Check.Float(x[0], Name, "gradient");
        Check.SameDType(x[0], x[1], Name, "gradient", "weight");
        Check.SameDType(x[0], x[2], Name, "gradient", "mask");
        foreach (int i in (ReadOnlySpan<int>)[1, 2])
            if (x[i].Layout.Expand(x[0].Shape) is null)
                throw new ShapeException($"{Name}: an operand does not broadcast to the gradient; gradient = {x[0].Describe()}, operand {i} = {x[i].Describe()}. Dims must be equal or 1.");
        return [new(x[0].Layout.Dense(), x[0].DType)];
    }

    public override OpCost Cost(Inputs x, Outputs y) => OpCost.Of(OpCost.FlopsOf(Ops.MaskWeightGradKernel.Cuda) * y[0].Count, x, y);

    public override void Forward(Inputs x, Outputs y) => Ops.MaskWeightGradKernel.Run(y[0], x[0], x[1], x[2], scale);

    public override Saves SavesFor(Inputs x) => Saves.Input0 | Saves.Input1 | Saves.Input2;

    public override Tensor?[] Backward(Tensor v, Saved s)
    {
        Tensor g = s.Input(0), w = s.Input(1), e = s.Input(2);
        return
        [
            s.Needs(0) ? new MaskWeightGradOp(scale).Apply(v, w, e) : null,
            s.Needs(1) ? new MaskWeightGradOp(scale).Apply(v, g, e) : null,
            // d/de m (1 - m) = p m (1 - m) (1 - 2 m)
            s.Needs(2) ? new MaskWeightGradOp(scale).Apply(v, g * w, e) * ((1 - (e * scale).Sigmoid() * 2) * scale) : null,
        ];
    }

    internal static IEnumerable<Sample> Samples()
    {
        foreach (var (g, w, e) in new (Shape, Shape, Shape)[] { ([7], [7], [7]), ([2, 3, 2], [2, 3, 2], [3, 1]), ([4, 3], [4, 3], [3]), ([4, 3], [1, 3], [4, 1]), ([0, 3], [0, 3], [3]) })
            yield return new($"{g} x {w} behind {e}", x => [new MaskWeightGradOp(2.5).Apply(x[0], x[1], x[2])], new SampleInput(g), new(w), new(e, -1, 1))
            {
                Composed = x => [Composed(x[0], x[1], x[2])],
            };
        yield return new("values", x => [new MaskWeightGradOp(2.5).Apply(x[0], x[1], x[2])], new SampleInput([5]), new([5]), new([5], -1, 1))
        {
            Reference = x => [[.. Enumerable.Range(0, 5).Select(i => x[0][i] * x[1][i] * 2.5 / Math.Pow(Math.Exp(1.25 * x[2][i]) + Math.Exp(-1.25 * x[2][i]), 2))]],
        };

        static Tensor Composed(Tensor g, Tensor w, Tensor e)
        {
            var m = (e * 2.5).Sigmoid();
            return g * w * (m * (1 - m)) * 2.5;
        }
    }

    internal static IEnumerable<ErrorSample> Errors()
    {
        yield return new("shape", () => new MaskWeightGradOp(1).Apply(Tensor.Zeros([2, 3]), Tensor.Zeros([2, 3]), Tensor.Zeros([2])),
            "mask_weight_grad: an operand does not broadcast to the gradient; gradient = f32[2,3]@cpu, operand 2 = f32[2]@cpu");
        yield return new("dtype", () => new MaskWeightGradOp(1).Apply(Tensor.Zeros([2]), Tensor.Zeros([2], DType.F64), Tensor.Zeros([2])), "mask_weight_grad: ");
    }
}
