using Native.Nn;
using Native.Optim;

namespace Native.Methods;

/// <summary>
/// A conditional flow of affine couplings as memory (section 5, future work; RealNVP, Dinh, Sohl-Dickstein and Bengio 2017): in each coupling one half of the numbers scales and shifts the
/// other; halves alternate. It has no helper: what learns is what dreams. Items get a little noise while it learns, without which pixels that never change would have an infinite density.
/// </summary>
internal sealed class FlowMemory : GenerativeMemory
{
    private const int Couplings = 4;
    private const double Noise = 0.05;

    private readonly MemorySizes _sizes;
    private readonly Sequential[] _couplings;
    private readonly Stack _stack;
    private readonly Adam _step;

    public FlowMemory(MemorySizes sizes, Generator init)
    {
        _sizes = sizes;
        _couplings = [.. Enumerable.Range(0, Couplings).Select(k => new Sequential(
            new Linear(Half(k) + sizes.Classes, sizes.Hidden, init), new Relu(), new Linear(sizes.Hidden, 2 * (sizes.Size - Half(k)), init)))];
        _stack = new Stack(_couplings);
        _step = new Adam(_stack.Parameters(), sizes.Rate);
    }

    public override Module Net => _stack;

    public override void Learn(Tensor items, Tensor classes, Generator noise) =>
        _step.Minimize(Loss(items + Noise * Tensor.Randn(items.Shape, noise), classes));

    /// <summary>Minus the mean log density of items, per number, without its constant.</summary>
    internal Tensor Loss(Tensor items, Tensor classes)
    {
        var (z, volume) = Code(items, classes);
        return (0.5 * z.Square().Sum() - volume) / items.Count;
    }

    /// <summary>Items to their codes, and the sum of the logarithms of what each step scales by.</summary>
    internal (Tensor Code, Tensor Volume) Code(Tensor items, Tensor classes)
    {
        var label = classes.OneHot(_sizes.Classes);
        Tensor? volume = null;
        for (int k = 0; k < Couplings; k++)
        {
            var (still, moved) = Halves(items, k);
            var (scale, shift) = Affine(k, still, label);
            items = Join(still, moved * scale.Exp() + shift, k);
            volume = volume is null ? scale.Sum() : volume + scale.Sum();
        }
        return (items, volume!);
    }

    /// <summary>Codes back to their items.</summary>
    internal Tensor Item(Tensor code, Tensor classes)
    {
        var label = classes.OneHot(_sizes.Classes);
        for (int k = Couplings - 1; k >= 0; k--)
        {
            var (still, moved) = Halves(code, k);
            var (scale, shift) = Affine(k, still, label);
            code = Join(still, (moved - shift) * (-scale).Exp(), k);
        }
        return code;
    }

    protected override Tensor Make(Tensor classes, Generator noise)
    {
        var made = Item(Tensor.Randn([classes.Shape[0], _sizes.Size], noise), classes);
        return _sizes.Bounded ? made.Clamp(-1, 1) : made;
    }

    // How many numbers stay still in a coupling: the first half in even ones, the second in odd ones.
    private int Half(int k) => k % 2 == 0 ? _sizes.Size / 2 : _sizes.Size - _sizes.Size / 2;

    private (Tensor Still, Tensor Moved) Halves(Tensor x, int k)
    {
        int half = _sizes.Size / 2;
        Tensor first = x.Narrow(1, 0, half), second = x.Narrow(1, half, _sizes.Size - half);
        return k % 2 == 0 ? (first, second) : (second, first);
    }

    private static Tensor Join(Tensor still, Tensor moved, int k) => Tensor.Concat(k % 2 == 0 ? [still, moved] : [moved, still], 1);

    // The logarithm of the scale is bounded to 2 either way.
    private (Tensor Scale, Tensor Shift) Affine(int k, Tensor still, Tensor label)
    {
        var both = _couplings[k].Forward(Tensor.Concat([still, label], 1));
        int moved = _sizes.Size - Half(k);
        return (2 * (both.Narrow(1, 0, moved) * 0.5).Tanh(), both.Narrow(1, moved, moved));
    }

    protected override void DiscardHelpers() => _step.Dispose();

    protected override void PersistHelpers(RunState state, string name) => state.Optimizer($"{name}.step", _step);

    private sealed class Stack : Module
    {
        public Stack(Sequential[] couplings)
        {
            for (int k = 0; k < couplings.Length; k++)
                Add($"{k}", couplings[k]);
        }
    }
}
