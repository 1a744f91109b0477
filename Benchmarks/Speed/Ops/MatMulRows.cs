namespace Native.Benchmarks;

/// <summary>Matrix products in every transposition: what training and testing linear layers consists of.</summary>
internal static class MatMulRows
{
    // The last one is the first layer of the smallest workload.
    private static readonly (int M, int K, int N)[] Sizes = [(64, 64, 64), (256, 256, 256), (1024, 1024, 1024), (2048, 2048, 2048), (10, 784, 400)];

    /// <summary>All rows. The letters say of each factor whether it lies as it is used (n) or transposed (t).</summary>
    public static IEnumerable<OpBench> All =>
        from s in Sizes
        from t in (string[])["nn", "nt", "tn", "tt"]
        select Row(s.M, s.K, s.N, t);

    private static OpBench Row(int m, int k, int n, string letters) => new("matmul", $"matmul-{(m == k && k == n ? $"{m}" : $"{m}x{k}x{n}")}-{letters}",
        new($"matmul-{letters}", m, k, n), 2.0 * m * k * n, 4.0 * (m * (double)k + k * (double)n + m * (double)n), () =>
        {
            Tensor a = letters[0] == 'n' ? OpBench.Operand([m, k], 1) : OpBench.Operand([k, m], 1).T;
            Tensor b = letters[1] == 'n' ? OpBench.Operand([k, n], 2) : OpBench.Operand([n, k], 2).T;
            return OpCall.Of(() => a.MatMul(b));
        });
}
