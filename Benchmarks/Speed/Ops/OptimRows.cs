using Native.Methods;
using Native.Optim;

namespace Native.Benchmarks;

/// <summary>One update of all parameters of a network from gradients that are there.</summary>
internal static class OptimRows
{
    /// <summary>All rows.</summary>
    public static IEnumerable<OpBench> All
    {
        get
        {
            using var net = new ResNet18(100, new Generator(0));
            using var coder = new SrmMnist(DType.F32);
            (string, string, long[])[] lists =
            [
                ("resnet18", "resnet-train", [.. net.Parameters().Select(p => p.Count)]), ("srm", "srm-mnist", [.. coder.Parameters.Select(p => p.Count)]),
            ];
            return
            [
                .. lists.Select(l => Row("sgd-momentum", l, flops: 4, passes: 5, arrays: 3, p => new Sgd(p, 1e-3, momentum: 0.9))),
                .. lists.Select(l => Row("adam", l, flops: 12, passes: 7, arrays: 4, p => new Adam(p, 1e-3))),
            ];
        }
    }

    // Passes: the gradient is read; parameter and moments are read and written.
    private static OpBench Row(string kind, (string Name, string Workload, long[] Counts) list, double flops, int passes, int arrays, Func<Parameter[], Optimizer> make)
    {
        double n = list.Counts.Sum();
        return new("optim", $"{kind}-{list.Name}", new(kind, list.Counts), flops * n, 4 * passes * n, () =>
        {
            using var recording = Autograd.EnableGrad();
            Parameter[] parameters = [.. list.Counts.Select((count, i) => Parameter.From(OpBench.Operand([count], (ulong)i)))];
            foreach (var p in parameters)
                p.Square().Sum().Backward();
            var optimizer = make(parameters);
            return new OpCall(optimizer.Step, [.. parameters, optimizer]);
        })
        { Workloads = [list.Workload], WorkingSet = 4 * arrays * n };
    }
}
