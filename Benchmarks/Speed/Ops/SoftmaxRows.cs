namespace Native.Benchmarks;

/// <summary>Softmax, its logarithm and the loss made of it, forward and backward; the workloads' shapes and one that leaves the caches.</summary>
internal static class SoftmaxRows
{
    private static readonly (string[] Workloads, long[] Shape)[] Shapes =
    [
        (["arm-mnist", "arm-cifar"], [10, 10]), (["meta-mnist"], [40, 10]), (["arm-cifar"], [110, 10]), (["srm-mnist"], [26, 104, 4]),
        (["resnet-train"], [128, 100]), ([], [8192, 1000]),
    ];

    /// <summary>All rows.</summary>
    public static IEnumerable<OpBench> All =>
        from s in Shapes
        from kind in (string[])["softmax", "log-softmax", "cross-entropy"]
        where kind != "cross-entropy" || s.Shape.Length == 2
        from backward in (bool[])[false, true]
        select Row(s.Workloads, s.Shape, kind, backward);

    private static OpBench Row(string[] workloads, long[] shape, string kind, bool backward)
    {
        // In and out; a gradient comes in too where the output is as large as the input. The loss writes a number, its gradient reads one.
        double passes = kind == "cross-entropy" ? (backward ? 2 : 1) : backward ? 3 : 2;
        return new("softmax", $"{kind}-{(backward ? "backward" : "forward")}-{string.Join('x', shape)}", new($"{kind}-{(backward ? "backward" : "forward")}", shape),
            0, 4.0 * Shape.Product(shape) * passes, () => Prepare(shape, kind, backward))
        { Workloads = workloads };
    }

    private static OpCall Prepare(Shape shape, string kind, bool backward)
    {
        using var recording = Autograd.EnableGrad();
        Tensor x = OpBench.Operand(shape, 1), target = Tensor.RandInt(0, shape[-1], [shape[0]], new Generator(2).Stream("bench"));
        Tensor Forward() => kind switch
        {
            "softmax" => x.Softmax(-1),
            "log-softmax" => x.LogSoftmax(-1),
            _ => Functional.CrossEntropy(x, target),
        };
        if (!backward)
            return OpCall.Of(Forward);
        x.RequireGrad();
        var y = Forward();
        var g = OpBench.Operand(y.Shape, 3);
        return OpCall.Of(() => Autograd.Grad(y, x, g, retainGraph: true));
    }
}
