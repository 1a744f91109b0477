namespace Native.Optim;

/// <summary>
/// Stochastic gradient descent with momentum, in PyTorch's form (the rate is outside the momentum): g += weightDecay * w;
/// m = momentum * m + g; w -= rate * m, or with Nesterov's variant w -= rate * (g + momentum * m). No dampening.
/// </summary>
public sealed class Sgd : Optimizer
{
    private readonly double _momentum;
    private readonly bool _nesterov;

    /// <summary>Descends on the parameters, which form the first group.</summary>
    /// <exception cref="UsageException">A negative number, a momentum outside [0, 1), or Nesterov without momentum.</exception>
    public Sgd(IReadOnlyList<Parameter> parameters, double lr, double momentum = 0, double weightDecay = 0, bool nesterov = false)
        : base(parameters, lr, weightDecay)
    {
        if (nesterov && momentum == 0)
            throw new UsageException("sgd: nesterov needs a momentum; momentum = 0. Give one, for example 0.9.");
        _momentum = Fraction(momentum, "momentum");
        _nesterov = nesterov;
    }

    private protected override int MomentCount => _momentum == 0 ? 0 : 1;

    private protected override string[] MomentNames { get; } = ["momentum"];

    private protected override OptimSlot Scalars(ParamGroup group, long step, OptimSlot slot) =>
        slot with { Rate = group.Lr, Decay = group.WeightDecay };

    private protected override void Update(ReadOnlyMemory<OptimSlot> slots) => OptimKernels.Sgd(slots, _momentum, _nesterov);
}
