using BenchmarkDotNet.Attributes;

namespace Native.Benchmarks;

/// <summary>The ops of <c>native bench ops</c> under BenchmarkDotNet (<c>native bench bdn</c>), for careful comparisons.</summary>
public class OpSpeed
{
    private TensorScope? _operands;
    private Func<Tensor>? _call;

    /// <summary>The op of this case.</summary>
    [ParamsSource(nameof(Names))]
    public string Op { get; set; } = "";

    /// <summary>All of them.</summary>
    public static IEnumerable<string> Names => OpBench.All.Select(o => o.Name);

    /// <summary>Makes the operands on the measuring thread.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _operands = TensorScope.Begin("bench-operands");
        _call = OpBench.All.First(o => o.Name == Op).Prepare();
    }

    /// <summary>One call; its result goes straight back to the pool.</summary>
    [Benchmark]
    public void Call() => _call!().Dispose();

    /// <summary>Frees the operands.</summary>
    [GlobalCleanup]
    public void Cleanup() => _operands?.Dispose();
}
