namespace Native.Benchmarks;

/// <summary>Batch norm in training: itself, its gradient, and its gradient's gradient, at the shapes where workloads spend time in it.</summary>
internal static class NormRows
{
    private static readonly (string Workload, long[] Shape)[] Shapes =
    [
        ("resnet-train", [128, 20, 32, 32]), ("resnet-train", [128, 40, 16, 16]), ("resnet-train", [128, 80, 8, 8]), ("resnet-train", [128, 160, 4, 4]),
        ("meta-mnist", [40, 32, 28, 28]), ("meta-mnist", [40, 64, 14, 14]), ("meta-mnist", [256, 32, 28, 28]), ("meta-mnist", [256, 64, 14, 14]),
        ("meta-mnist", [500, 32, 14, 14]), ("meta-mnist", [500, 512]), ("meta-mnist", [500, 3136]),
    ];

    /// <summary>All rows.</summary>
    public static IEnumerable<OpBench> All =>
        from s in Shapes
        from order in (int[])[0, 1, 2]
        select Row(s.Workload, s.Shape, order);

    // Tensors as large as the input that must pass: x in, y out; x and the gradient in, one out; these two and a direction in, two out.
    private static OpBench Row(string workload, long[] shape, int order) =>
        new("norm", $"batchnorm-{order}-{string.Join('x', shape)}", new($"batchnorm-{order}", shape), 0, 4.0 * Shape.Product(shape) * (2 + order + (order == 2 ? 1 : 0)),
            () => Prepare(shape, order))
        { Workloads = [workload] };

    private static OpCall Prepare(Shape shape, int order)
    {
        using var recording = Autograd.EnableGrad();
        Tensor x = OpBench.Operand(shape, 1), w = OpBench.Operand([shape[1]], 2), b = OpBench.Operand([shape[1]], 3), g = OpBench.Operand(shape, 4);
        if (order == 0)
            return OpCall.Of(() => Functional.BatchNorm(x, null, null, w, b, training: true));
        Tensor[] inputs = [x.RequireGrad(), w.RequireGrad(), b.RequireGrad()];
        var y = Functional.BatchNorm(x, null, null, w, b, training: true);
        if (order == 1)
            return OpCall.OfAll(() => Autograd.Grad(y, inputs, g, retainGraph: true));
        g.RequireGrad();
        var first = Autograd.Grad(y, inputs, g, createGraph: true);
        Tensor[] directions = [OpBench.Operand(shape, 5), OpBench.Operand([shape[1]], 6), OpBench.Operand([shape[1]], 7)];
        return OpCall.OfAll(() => Autograd.Grad(first, [x, w, g], directions, retainGraph: true));
    }
}
