namespace Native.Optim;

/// <summary>Limits on gradients, in place, between Backward and Step.</summary>
public static class Clip
{
    /// <summary>
    /// Scales all gradients by one factor so that their joint norm is at most <paramref name="maxNorm"/>, and returns the norm before. As PyTorch, the
    /// factor is maxNorm / (norm + 1e-6), at most 1. Gradient masks count. A norm that is not finite makes the gradients NaN, which no
    /// later step hides, or with <paramref name="errorIfNotFinite"/> raises.
    /// </summary>
    /// <param name="parameters">Those without a gradient are left out.</param>
    /// <param name="maxNorm">Upper bound.</param>
    /// <param name="norm">1 (sum of magnitudes), 2 (Euclidean) or infinity (largest magnitude).</param>
    /// <param name="errorIfNotFinite">Raise instead of spreading NaN.</param>
    /// <exception cref="NumericException">The norm is not finite, when asked for.</exception>
    public static double GradNorm(IEnumerable<Parameter> parameters, double maxNorm, double norm = 2, bool errorIfNotFinite = false)
    {
        Optimizer.NotNegative(maxNorm, "maxNorm");
        using var scope = TensorScope.Begin("clip");
        using var off = Autograd.NoGrad();
        var with = parameters.Where(p => p.Grad is not null).ToList();
        double total = 0;
        // A number for each gradient, read together: reading from a GPU waits for everything before it. Math.Max keeps NaN, so one NaN anywhere is seen in the total.
        foreach (var parts in Parts([.. with.Select(p => (p.Grad!, p.GradMask))], norm))
            foreach (double v in GradCheckRun.Values(parts))
                total = norm == double.PositiveInfinity ? Math.Max(total, v) : total + v;
        if (norm == 2)
            total = Math.Sqrt(total);
        if (errorIfNotFinite && !double.IsFinite(total))
            throw new NumericException($"clip: the norm of {with.Count} gradients is {total}. Look for the first bad one with NanTrap.Enable().");
        double factor = Math.Min(1, maxNorm / (total + 1e-6));
        if (factor != 1)
            foreach (var p in with)
                p.Grad!.MulInPlace(factor);
        return total;
    }

    /// <summary>
    /// As <see cref="GradNorm"/>, but the host reads nothing, so that it can be part of a <see cref="CudaGraph"/>: the norm before, a scalar on the
    /// gradients' device and in their dtype. All gradients must be of one device and dtype.
    /// </summary>
    /// <param name="parameters">Those without a gradient are left out.</param>
    /// <param name="maxNorm">Upper bound.</param>
    /// <param name="norm">1 (sum of magnitudes), 2 (Euclidean) or infinity (largest magnitude).</param>
    /// <exception cref="UsageException">No gradient, or gradients of several devices or dtypes.</exception>
    public static Tensor GradNormOnDevice(IEnumerable<Parameter> parameters, double maxNorm, double norm = 2)
    {
        Optimizer.NotNegative(maxNorm, "maxNorm");
        using var scope = TensorScope.Begin("clip");
        using var off = Autograd.NoGrad();
        var with = parameters.Where(p => p.Grad is not null).ToList();
        var total = Total([.. with.Select(p => (p.Grad!, p.GradMask))], norm);
        var factor = Factor(total, maxNorm);
        foreach (var p in with)
            p.Grad!.MulInPlace(factor);
        return scope.Keep(total);
    }

    /// <summary>The same for gradients that are values, replaced by scaled copies: values may share their elements.</summary>
    internal static Tensor ScaleOnDevice(Tensor[] gradients, IReadOnlyList<Parameter> parameters, double maxNorm)
    {
        Optimizer.NotNegative(maxNorm, "maxNorm");
        using var off = Autograd.NoGrad();
        var total = Total([.. gradients.Select((g, i) => (g, parameters[i].GradMask))], 2);
        var factor = Factor(total, maxNorm);
        for (int i = 0; i < gradients.Length; i++)
            gradients[i] *= factor;
        return total;
    }

    private static Tensor Factor(Tensor total, double maxNorm) => (maxNorm / (total + 1e-6)).Clamp(double.NegativeInfinity, 1);

    private static Tensor Total(IReadOnlyList<(Tensor Gradient, Tensor? Mask)> gradients, double norm)
    {
        var groups = Parts(gradients, norm).ToList();
        if (groups.Count != 1)
            throw new UsageException($"clip: the gradients are of {groups.Count} devices or dtypes; one number is wanted for all. Run Backward first, or clip each kind by itself.");
        return norm switch
        {
            double.PositiveInfinity => groups[0].Max(),
            2 => groups[0].Sum().Sqrt(),
            _ => groups[0].Sum(),
        };
    }

    // For each dtype and device, one number per gradient.
    private static IEnumerable<Tensor> Parts(IReadOnlyList<(Tensor Gradient, Tensor? Mask)> gradients, double norm)
    {
        var kernel = norm switch
        {
            1 => OptimKernels.SumAbs,
            2 => OptimKernels.SumSquares,
            double.PositiveInfinity => OptimKernels.MaxAbs,
            _ => throw new UsageException($"clip: norm must be 1, 2 or infinity; got {norm}."),
        };
        var all = new bool[Shape.MaxRank];
        Array.Fill(all, true);
        foreach (var group in gradients.GroupBy(p => (p.Gradient.DType, p.Gradient.Device)))
        {
            var parts = Tensor.Zeros([group.Count()], group.Key.DType, group.Key.Device);
            foreach (var (i, p) in group.Index())
            {
                var g = p.Mask is { } mask ? p.Gradient * mask : p.Gradient;
                if (g.Count > 0)
                    kernel.Run(parts.View(parts.Layout.Select(0, i)), g, all.AsSpan(0, g.Rank));
            }
            yield return parts;
        }
    }

    /// <summary>Limits every element of every gradient to [-limit, limit]. NaN stays NaN.</summary>
    public static void GradValue(IEnumerable<Parameter> parameters, double limit)
    {
        Optimizer.NotNegative(limit, "limit");
        using var scope = TensorScope.Begin("clip");
        using var off = Autograd.NoGrad();
        foreach (var p in parameters)
            if (p.Grad is { } g)
                g.CopyInPlace(g.Clamp(-limit, limit));
    }
}
