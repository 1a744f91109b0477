namespace Native.Optim;

/// <summary>
/// Adam (Kingma and Ba 2015) with bias correction and eps outside the root. Weight decay is added to the gradient, or, with
/// <c>decoupled</c>, shrinks the weights directly (AdamW, Loshchilov and Hutter 2019).
/// </summary>
public sealed class Adam : Optimizer
{
    private readonly double _beta1, _beta2, _eps;
    private readonly bool _decoupled;

    /// <summary>Trains the parameters, which form the first group.</summary>
    /// <exception cref="UsageException">A negative number, or a beta outside [0, 1).</exception>
    public Adam(IReadOnlyList<Parameter> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weightDecay = 0, bool decoupled = false)
        : base(parameters, lr, weightDecay)
    {
        _beta1 = Fraction(beta1, "beta1");
        _beta2 = Fraction(beta2, "beta2");
        _eps = NotNegative(eps, "eps");
        _decoupled = decoupled;
    }

    private protected override int MomentCount => 2;

    private protected override string[] MomentNames { get; } = ["m", "v"];

    private protected override OptimSlot Scalars(ParamGroup group, long step, OptimSlot slot) => slot with
    {
        Rate = group.Lr / (1 - Math.Pow(_beta1, step)),
        RootCorrection = Math.Sqrt(1 - Math.Pow(_beta2, step)),
        Decay = _decoupled ? 0 : group.WeightDecay,
        Shrink = _decoupled ? 1 - group.Lr * group.WeightDecay : 1,
    };

    private protected override void Update(ReadOnlyMemory<OptimSlot> slots) => OptimKernels.Adam(slots, _beta1, _beta2, _eps);
}
