namespace Native.Benchmarks;

/// <summary>Pointwise ops and short chains of them, on either side of the caches.</summary>
internal static class PointwiseRows
{
    /// <summary>All rows.</summary>
    public static IEnumerable<OpBench> All =>
    [
        Row("add", 16, flops: 1, inputs: 2, x => x[0] + x[1]),
        Row("add", 1 << 16, flops: 1, inputs: 2, x => x[0] + x[1]),
        Row("add", 1 << 20, flops: 1, inputs: 2, x => x[0] + x[1]),
        Row("add", 1 << 24, flops: 1, inputs: 2, x => x[0] + x[1]),
        Row("relu", 1 << 20, flops: 1, inputs: 1, x => x[0].Relu()),
        // Polynomials of the elementary functions: about twenty operations each.
        Row("tanh", 1 << 16, flops: 20, inputs: 1, x => x[0].Tanh()),
        Row("tanh", 1 << 20, flops: 20, inputs: 1, x => x[0].Tanh()),
        Row("exp", 1 << 16, flops: 20, inputs: 1, x => x[0].Exp()),
        // Two passes: x * y is written and read again.
        Row("mul-add", 1 << 20, flops: 2, inputs: 3, x => x[0] * x[1] + x[2], extraPasses: 2),
        Row("sigmoid-gate", 1 << 16, flops: 22, inputs: 2, x => x[0].Sigmoid() * x[1], extraPasses: 2),
        // The mask of a weight, as the generator with reserved weights makes it.
        Row("masked-weight", 1 << 20, flops: 23, inputs: 2, x => (4 * x[0]).Sigmoid() * x[1], extraPasses: 4),
    ];

    private static OpBench Row(string kind, int n, double flops, int inputs, Func<Tensor[], Tensor> body, int extraPasses = 0) =>
        new("pointwise", $"{kind}-{n}", new(kind, n), flops * n, 4.0 * n * (inputs + 1 + extraPasses), () =>
        {
            var x = Enumerable.Range(0, inputs).Select(i => OpBench.Operand([n], (ulong)i)).ToArray();
            // What a chain makes on the way goes back to the pool with each call, as in a step.
            return OpCall.Of(extraPasses == 0 ? () => body(x) : () => TensorScope.Run(() => body(x)));
        });
}
