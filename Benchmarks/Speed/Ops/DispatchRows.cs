namespace Native.Benchmarks;

/// <summary>What recording costs when the arithmetic is nothing: sixteen elements.</summary>
internal static class DispatchRows
{
    private const int N = 16, Chain = 10;

    /// <summary>All rows.</summary>
    public static IEnumerable<OpBench> All =>
    [
        Row("recorded-add", flops: N, tensors: 3, (x, other) => (x + other).Dispose()),
        Row("tanh-chain-forward", flops: 20 * N * Chain, tensors: 2 * Chain, (x, _) => Tanh(x)),
        Row("tanh-chain-forward-backward", flops: 24 * N * Chain, tensors: 5 * Chain, (x, g) => Autograd.Grad(Tanh(x), [x], g, releaseActivations: true)),
    ];

    private static Tensor Tanh(Tensor x)
    {
        for (int i = 0; i < Chain; i++)
            x = x.Tanh();
        return x;
    }

    private static OpBench Row(string kind, double flops, int tensors, Action<Tensor, Tensor> body) =>
        new("dispatch", $"{kind}-{N}", new(kind, N), flops, 4.0 * N * tensors, () =>
        {
            Tensor x, other = OpBench.Operand([N], 2);
            using (Autograd.EnableGrad())
                x = OpBench.Operand([N], 1).RequireGrad();
            return new OpCall(() =>
            {
                using var recording = Autograd.EnableGrad();
                using var scope = TensorScope.Begin("step");
                body(x, other);
            });
        });
}
