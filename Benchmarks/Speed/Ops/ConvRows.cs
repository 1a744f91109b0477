namespace Native.Benchmarks;

/// <summary>The workloads' convolutions, each with both of its gradients, and transposed with a bias where a layer is.</summary>
internal static class ConvRows
{
    /// <summary>All rows.</summary>
    public static IEnumerable<OpBench> All => ConvShapes.All.SelectMany(Rows);

    private static IEnumerable<OpBench> Rows(ConvRow row)
    {
        var s = row.Shape;
        Shape x = [s.Batch, s.Channels, s.Height, s.Width], w = [s.Filters, s.Channels, s.KernelH, s.KernelW], y = [s.Batch, s.Filters, s.OutH, s.OutW];
        var p = ConvParameters.Simple(s.StrideH, s.PadH);
        yield return Row(row, "forward", x, w, y, t => new Conv2dOp(p).Apply(t[0], t[1]));
        yield return Row(row, "data-grad", y, w, x, t => new Conv2dDataGradOp(p, s.Height, s.Width).Apply(t[0], t[1]));
        yield return Row(row, "weight-grad", x, y, w, t => new Conv2dWeightGradOp(p, s.KernelH, s.KernelW).Apply(t[0], t[1]));
        if (row.Transposed)
            yield return Row(row, "transposed", y, w, x, t => new Conv2dDataGradOp(p, s.Height, s.Width).Apply(t));
    }

    private static OpBench Row(ConvRow row, string member, Shape a, Shape b, Shape result, Func<Tensor[], Tensor> body)
    {
        var s = row.Shape;
        return new("conv", $"conv-{member}-{row.Name}", new($"conv-{member}", s.Batch, s.Channels, s.Height, s.Filters, s.KernelH, s.StrideH, s.PadH),
            s.Flops, 4.0 * (a.Count + b.Count + result.Count), () =>
            {
                Tensor[] operands = [OpBench.Operand(a, 1), OpBench.Operand(b, 2), OpBench.Operand([s.Channels], 3)];
                return OpCall.Of(() => body(operands));
            })
        { Workloads = row.Workloads };
    }
}
