using BenchmarkDotNet.Attributes;

namespace Native.Benchmarks;

/// <summary>A family of <c>native bench ops</c> under BenchmarkDotNet (<c>native bench bdn</c>), for careful comparisons.</summary>
[MemoryDiagnoser]
public abstract class OpSpeed(string family)
{
    private TensorScope? _operands;
    private OpCall? _call;
    private Action _run = () => { };

    /// <summary>One class for each family.</summary>
    public static Type[] Families { get; } =
        [typeof(MatMulSpeed), typeof(ConvSpeed), typeof(NormSpeed), typeof(SoftmaxSpeed), typeof(PointwiseSpeed), typeof(OptimSpeed), typeof(DispatchSpeed)];

    /// <summary>The op of this case.</summary>
    [ParamsSource(nameof(Names))]
    public string Op { get; set; } = "";

    /// <summary>All of the family.</summary>
    public IEnumerable<string> Names => OpBench.All.Where(o => o.Family == family).Select(o => o.Name);

    /// <summary>Makes the operands on the measuring thread.</summary>
    [GlobalSetup]
    public void Setup()
    {
        using var constant = Autograd.NoGrad();
        _operands = TensorScope.Begin("bench-operands");
        _call = OpBench.All.First(o => o.Name == Op).Prepare();
        _run = _call.Run;
    }

    /// <summary>One call; its results go straight back to the pool.</summary>
    [Benchmark]
    public void Call()
    {
        using var constant = Autograd.NoGrad();
        _run();
    }

    /// <summary>Frees the operands.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _call?.Dispose();
        _operands?.Dispose();
    }
}

/// <summary>Matrix products.</summary>
public class MatMulSpeed() : OpSpeed("matmul");

/// <summary>Convolutions and their gradients.</summary>
public class ConvSpeed() : OpSpeed("conv");

/// <summary>Batch norm to the second order.</summary>
public class NormSpeed() : OpSpeed("norm");

/// <summary>Softmax, its logarithm, cross-entropy.</summary>
public class SoftmaxSpeed() : OpSpeed("softmax");

/// <summary>Pointwise ops and chains.</summary>
public class PointwiseSpeed() : OpSpeed("pointwise");

/// <summary>Updates of all parameters of a network.</summary>
public class OptimSpeed() : OpSpeed("optim");

/// <summary>What recording costs.</summary>
public class DispatchSpeed() : OpSpeed("dispatch");
