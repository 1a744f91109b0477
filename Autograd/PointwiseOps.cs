namespace Native;

/// <summary>vjp of a one-input row; null means that the derivative is zero everywhere it exists. Upstream gradient, saved input, saved output. A parameter named <c>_</c> is not saved.</summary>
public delegate Tensor? UnaryVjp(Tensor g, Tensor x, Tensor y);

/// <summary>vjp of a one-input row with scalar parameters.</summary>
public delegate Tensor? ParamVjp(Tensor g, Tensor x, Tensor y, double p, double q);

/// <summary>vjp of a two-input row with respect to one of them: upstream gradient, saved inputs, saved output.</summary>
public delegate Tensor? BinaryVjp(Tensor g, Tensor a, Tensor b, Tensor y);

/// <summary>vjp of a two-input row with scalar parameters.</summary>
public delegate Tensor? BinaryParamVjp(Tensor g, Tensor a, Tensor b, Tensor y, double p, double q);

/// <summary>Where the generated tests draw a row's inputs from: intervals that keep away from kinks, poles and overflow.</summary>
/// <param name="Low">Lower end.</param>
/// <param name="High">Upper end.</param>
/// <param name="Kinks">Points that samples stay at least 0.1 away from.</param>
public sealed record SampleDomain(double Low, double High, params double[] Kinks);

/// <summary>A row: everything there is to know of one pointwise operation, and what the generated tests need.</summary>
public abstract class PointwiseOp : Op
{
    private protected PointwiseOp(string name, PointwiseKernel kernel) : base(name) => Kernel = kernel;

    internal PointwiseKernel Kernel { get; }

    /// <summary>The CUDA expression of the kernel.</summary>
    public string Cuda => Kernel.Cuda;

    /// <summary>Number of tensor inputs.</summary>
    public int Arity => Kernel.Arity;

    /// <summary>Sample inputs of each tensor argument.</summary>
    internal SampleDomain[] Domains { get; init; } = [];

    /// <summary>Sample scalar parameters (p, q).</summary>
    internal (double P, double Q)[] Parameters { get; init; } = [(0, 0)];

    /// <summary>The oracle in double precision: inputs, then p and q.</summary>
    internal Func<double[], double, double, double> Reference { get; init; } = (_, _, _) => double.NaN;

    /// <summary>Operations per element: those of the expression.</summary>
    public int Flops => OpCost.FlopsOf(Kernel.Cuda);

    // A delegate's parameter names survive compilation; one called "_" is an argument the formula ignores, so it need not be kept alive.
    private protected static bool Reads(Delegate? vjp, int argument) => vjp is not null && vjp.Method.GetParameters()[argument].Name != "_";

    private protected void CheckDType(Tensor x)
    {
        if (Kernel.Takes(x.DType))
            return;
        throw new DTypeException(Kernel.Domain == Domain.Float
            ? $"{Name}: needs f32 or f64; input = {x.Describe()}. Convert it with .To(DType.F32)."
            : $"{Name}: bool has no arithmetic; input = {x.Describe()}. Convert it with .To(DType.F32) or .To(DType.I64).");
    }

    /// <summary>A number that an integer tensor cannot hold is refused, not cut; infinities are bounds that limit nothing.</summary>
    internal void CheckWhole(Tensor x, double p, double q)
    {
        var (low, high) = x.DType switch
        {
            DType.U8 => (0.0, 255.0),
            DType.I32 => (int.MinValue, int.MaxValue),
            _ => (long.MinValue, long.MaxValue),
        };
        foreach (double v in new[] { p, q })
            if (double.IsFinite(v) ? v != Math.Floor(v) || v < low || v > high : double.IsNaN(v) || !ReferenceEquals(this, Ops.Clamp))
                throw new DTypeException($"{Name}: {v} is no value of {x.DType.Name()}; input = {x.Describe()}. Convert the tensor with .To(DType.F32) first.");
    }

    private protected void Execute(Ambient ambient, Tensor y, Tensor a, Tensor? b, Tensor? c, double p, double q)
    {
        if (ambient.Watch == Watch.None)
            Kernel.Run(y, a, b, c, p, q);
        else
            ExecuteWatched(ambient, y, a, b, c, p, q);
        GC.KeepAlive(a);
    }

    private void ExecuteWatched(Ambient ambient, Tensor y, Tensor a, Tensor? b, Tensor? c, double p, double q) =>
        Watched(ambient, () => Kernel.Run(y, a, b, c, p, q), [a, b, c], y, b is null ? null : () => Kernel.Run(y, b, a, c, p, q),
            OpCost.Of(Flops * y.Count, new Inputs([a, b, c]), new Outputs([y])));
}

/// <summary>y = f(x; p, q), elementwise, any floating (some: any numeric) dtype, any layout.</summary>
public sealed class UnaryOp : PointwiseOp
{
    private readonly ParamVjp? _vjp;
    private readonly bool _savesX, _savesY;

    internal UnaryOp(string name, PointwiseKernel kernel, UnaryVjp vjp) : base(name, kernel)
    {
        _vjp = (g, x, y, _, _) => vjp(g, x, y);
        (_savesX, _savesY) = (Reads(vjp, 1), Reads(vjp, 2));
        Formulas = [vjp];
    }

    internal UnaryOp(string name, PointwiseKernel kernel, ParamVjp vjp) : base(name, kernel)
    {
        _vjp = vjp;
        (_savesX, _savesY) = (Reads(vjp, 1), Reads(vjp, 2));
        Formulas = [vjp];
    }

    /// <summary>The same vjp written with other ops, where <c>vjp</c> is one fused kernel; the tests demand that both agree.</summary>
    internal ParamVjp? Composed { get; init; }

    internal ParamVjp? Vjp => _vjp;

    internal Delegate[] Formulas { get; }

    /// <summary>Applies the row.</summary>
    public Tensor Apply(Tensor x, double p = 0, double q = 0)
    {
        var ambient = Ambient.Current;
        x.CheckAlive(Name);
        CheckDType(x);
        if (!x.DType.IsFloat())
            CheckWhole(x, p, q);
        var y = Tensor.Allocate(x.Layout.Dense(), x.DType, x.Device);
        Execute(ambient, y, x, null, null, p, q);
        if (ambient.Recording && x.Node is { } node)
            y.Node = node.Differentiable ? new SmallNode(this, ambient, x, _savesX, _savesY ? y : null) { P = p, Q = q } : node;
        return y;
    }

    internal override void Propagate(OpNode node, Engine engine)
    {
        var n = (SmallNode)node;
        if (_vjp!(n.Grad!, n.X!, n.Y!, n.P, n.Q) is { } gx)
            engine.Send(node, 0, gx);
    }
}

/// <summary>y = f(a, b; p, q), elementwise with broadcasting.</summary>
public sealed class BinaryOp : PointwiseOp
{
    private readonly BinaryParamVjp _vjpA, _vjpB;
    private readonly bool _aReadsA, _aReadsB, _aReadsY, _bReadsA, _bReadsB, _bReadsY;

    internal BinaryOp(string name, PointwiseKernel kernel, BinaryVjp vjpA, BinaryVjp vjpB) : base(name, kernel)
    {
        _vjpA = (g, a, b, y, _, _) => vjpA(g, a, b, y);
        _vjpB = (g, a, b, y, _, _) => vjpB(g, a, b, y);
        (_aReadsA, _aReadsB, _aReadsY) = (Reads(vjpA, 1), Reads(vjpA, 2), Reads(vjpA, 3));
        (_bReadsA, _bReadsB, _bReadsY) = (Reads(vjpB, 1), Reads(vjpB, 2), Reads(vjpB, 3));
        Formulas = [vjpA, vjpB];
    }

    internal BinaryOp(string name, PointwiseKernel kernel, BinaryParamVjp vjpA, BinaryParamVjp vjpB) : base(name, kernel)
    {
        (_vjpA, _vjpB) = (vjpA, vjpB);
        (_aReadsA, _aReadsB, _aReadsY) = (Reads(vjpA, 1), Reads(vjpA, 2), Reads(vjpA, 3));
        (_bReadsA, _bReadsB, _bReadsY) = (Reads(vjpB, 1), Reads(vjpB, 2), Reads(vjpB, 3));
        Formulas = [vjpA, vjpB];
    }

    internal Delegate[] Formulas { get; }

    internal (BinaryParamVjp A, BinaryParamVjp B) Vjps => (_vjpA, _vjpB);

    /// <summary>Both operands have the same gradient (before broadcasting is undone): it is computed once.</summary>
    internal bool SharesGradient { get; init; }

    /// <summary>Applies the row. Dims must be equal or 1; dtypes and devices must be equal.</summary>
    public Tensor Apply(Tensor a, Tensor b, double p = 0, double q = 0)
    {
        var ambient = Ambient.Current;
        a.CheckAlive(Name, "lhs");
        b.CheckAlive(Name, "rhs");
        Check.SameDType(a, b, Name);
        Check.SameDevice(a, b, Name);
        CheckDType(a);
        bool same = a.Layout.SameShape(b.Layout);
        var y = Tensor.Allocate(same ? a.Layout.Dense() : Check.Broadcast(a, b, Name), a.DType, a.Device);
        Execute(ambient, y, a, b, null, p, q);
        GC.KeepAlive(b);
        if (ambient.Recording && (a.Node is not null || b.Node is not null))
            Record(ambient, a, b, y, same, p, q);
        return y;
    }

    private void Record(Ambient ambient, Tensor a, Tensor b, Tensor y, bool same, double p, double q)
    {
        bool needA = a.RequiresGrad, needB = b.RequiresGrad;
        if (!needA && !needB)
        {
            y.Node = a.Node ?? b.Node;
            return;
        }
        bool saveA = (needA && _aReadsA) || (needB && _bReadsA);
        bool saveB = (needA && _aReadsB) || (needB && _bReadsB);
        bool saveY = (needA && _aReadsY) || (needB && _bReadsY);
        y.Node = new SmallNode(this, ambient, a, b, saveA, saveB, saveY ? y : null, broadcast: !same) { P = p, Q = q };
    }

    internal override void Propagate(OpNode node, Engine engine)
    {
        var n = (SmallNode)node;
        var g = n.Grad!;
        if (SharesGradient)
        {
            if (_vjpA(g, n.X!, n.B!, n.Y!, n.P, n.Q) is not { } both)
                return;
            engine.Send(node, 0, both);
            engine.Send(node, 1, both);
            return;
        }
        if (Engine.Wants(n.Edge(0)) && _vjpA(g, n.X!, n.B!, n.Y!, n.P, n.Q) is { } ga)
            engine.Send(node, 0, ga);
        if (Engine.Wants(n.Edge(1)) && _vjpB(g, n.X!, n.B!, n.Y!, n.P, n.Q) is { } gb)
            engine.Send(node, 1, gb);
    }
}
