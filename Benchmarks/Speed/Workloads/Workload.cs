using Native.Nn;

namespace Native.Benchmarks;

/// <summary>
/// One optimisation step of one method at its paper's sizes, on random inputs: what a training loop does over and over, written with the public
/// API. Every number is drawn in f32 from a named stream of the seed and then converted, so an f64 instance starts from the same numbers as an
/// f32 one and sees the same noise: the one checks the other.
/// </summary>
internal abstract class Workload : IDisposable
{
    private readonly List<IDisposable> _owned = [];
    private readonly Generator _root, _noise;

    protected Workload(string name, DType dtype, ulong seed)
    {
        (Name, DType) = (name, dtype);
        _root = new Generator(seed).Stream(name);
        _noise = Stream("noise");
    }

    /// <summary>As selected with <c>--only</c>.</summary>
    public string Name { get; }

    /// <summary>f32 or f64.</summary>
    public DType DType { get; }

    /// <summary>Everything that some optimiser of the step moves, and the frozen weights beside it.</summary>
    public IReadOnlyList<Parameter> Parameters =>
        [.. _owned.OfType<Module>().SelectMany(m => m.Parameters()), .. _owned.OfType<Parameter>()];

    /// <summary>One step. The losses of its updates in their order, one vector, owned by the scope around the call.</summary>
    public Tensor Step()
    {
        using var scope = TensorScope.Begin(Name);
        return scope.Keep(Tensor.Stack(Updates()));
    }

    /// <summary>Frees modules, optimisers and data.</summary>
    public void Dispose()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
            _owned[i].Dispose();
        _owned.Clear();
    }

    /// <summary>The step itself: every update, and the loss of each.</summary>
    protected abstract IReadOnlyList<Tensor> Updates();

    /// <summary>An independent random sequence of this workload.</summary>
    protected Generator Stream(string name) => _root.Stream(name);

    /// <summary>Disposes it with the workload, last first.</summary>
    protected T Own<T>(T thing) where T : IDisposable
    {
        _owned.Add(thing);
        return thing;
    }

    /// <summary>A module whose weights are drawn in f32, whatever its own dtype.</summary>
    protected T Build<T>(string stream, Func<Generator, DType, T> make) where T : Module
    {
        var module = Own(make(Stream(stream), DType));
        if (DType != DType.F32)
        {
            using var single = make(Stream(stream), DType.F32);
            module.CopyFrom(single);
        }
        return module;
    }

    /// <summary>A parameter of its own, outside any module.</summary>
    protected Parameter Leaf(string name, Func<Tensor> make)
    {
        using var scope = TensorScope.Begin("leaf");
        return Own(Parameter.From(make().To(DType), name));
    }

    /// <summary>Data that outlives the steps, in the workload's dtype unless it is of integers.</summary>
    protected Tensor Data(Func<Tensor> make)
    {
        using var outside = TensorScope.Outside();
        using var scope = TensorScope.Begin("data");
        var made = make();
        return Own(scope.Keep(made.DType == DType.F32 ? made.To(DType) : made));
    }

    /// <summary>Normal noise of this step.</summary>
    protected Tensor Noise(Shape shape, double std = 1) => Tensor.Randn(shape, _noise, std: std).To(DType);

    /// <summary>Uniform noise of this step, in [0, 1).</summary>
    protected Tensor UniformNoise(Shape shape) => Tensor.Rand(shape, _noise).To(DType);

    /// <summary>Gumbel noise of this step.</summary>
    protected Tensor GumbelNoise(Shape shape) => Tensor.Gumbel(shape, _noise).To(DType);

    /// <summary>What no gradient reaches: computed without recording, and everything but the result returned at once.</summary>
    protected static Tensor Constant(Func<Tensor> body)
    {
        using var off = Autograd.NoGrad();
        return TensorScope.Run(body, "constant");
    }
}
