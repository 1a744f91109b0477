namespace Native.Methods;

/// <summary>What images are optimised for: the terms of eq. 9 and 10 of Automatic Recall Machines, with the released code's normalisations.</summary>
internal static class RecallObjective
{
    // Of double precision, as in the released code, though the values are single.
    private const double Floor = 2.220446049250313e-16;

    /// <summary>recall of eq. 9, to be maximised: a scalar.</summary>
    /// <param name="pixels">Images [m, pixels].</param>
    /// <param name="planes">The same as [m, channels, height, width].</param>
    /// <param name="before">Logits [m, classes] of the network of before.</param>
    /// <param name="now">Logits of the network of now.</param>
    /// <param name="away">[classes]: -1/C at each of the C classes of the real batch, 0 elsewhere.</param>
    /// <param name="o">Weights.</param>
    public static Tensor Value(Tensor pixels, Tensor planes, Tensor before, Tensor now, Tensor away, ArmOptions o)
    {
        Tensor logP = before.LogSoftmax(1), logQ = now.LogSoftmax(1);
        var value = Divergence(before, now, o.Disagreement) * o.DisagreementWeight;
        // Cross-entropy against the classes of the batch, summed and divided by their number: away from them.
        if (o.AwayBefore != 0 || o.AwayNow != 0)
            value += ((logP * o.AwayBefore + logQ * o.AwayNow) * away).Sum() / pixels.Shape[0];
        if (o.Diversity != 0)
            value += o.Diversity * MeanEntropy(logP);
        if (o.Sharpness != 0)
            value += o.Sharpness * Confidence(logP);
        return value - Prior(pixels, planes, o.Norm, o.Smoothness);
    }

    /// <summary>D: the mean over images of how much the two networks' predictions differ, from their logits.</summary>
    public static Tensor Divergence(Tensor before, Tensor now, Disagreement kind) => kind switch
    {
        Disagreement.CrossEntropy => -(before.LogSoftmax(1).Exp() * now.LogSoftmax(1)).Sum(1).Mean(),
        _ => Functional.JensenShannonOfLogits(before, now, fromMixture: kind == Disagreement.FromMixture),
    };

    /// <summary>H of eq. 10: the entropy of the MEAN over images of the predicted probabilities, each floored (a floored one is constant).</summary>
    public static Tensor MeanEntropy(Tensor logP)
    {
        var mean = logP.Exp().Mean(0).Clamp(min: Floor);
        return -(mean * mean.Log()).Sum();
    }

    /// <summary>Minus the mean cross-entropy against the own argmax, which is a constant target: the mean of the largest log-probability.</summary>
    public static Tensor Confidence(Tensor logP) => logP.Max(1).Values.Mean();

    /// <summary>
    /// lambda5 L2 + lambda6 TV, to be minimised. L2 = sum over images of the length (not its square) / number of all pixels, so it hardly
    /// weighs; its gradient is 0 at a black image. TV as <see cref="Functional.TotalVariation"/>.
    /// </summary>
    public static Tensor Prior(Tensor pixels, Tensor planes, double norm, double smoothness)
    {
        var length = pixels.Norm(1).Sum() * (norm / pixels.Count);
        return smoothness == 0 ? length : length + smoothness * Functional.TotalVariation(planes);
    }

    /// <summary>[classes] with -1/C at each of the C classes present.</summary>
    public static Tensor Away(IReadOnlyCollection<int> present, int classes)
    {
        var away = new float[classes];
        foreach (int c in present)
            away[c] = -1f / present.Count;
        return Tensor.From(away, [classes]);
    }

    /// <summary>Plain gradient ascent on the pixels, in place: x += rate * gradient, without clamping, momentum or noise (code).</summary>
    public static void Climb(Tensor images, int steps, double rate, Func<Tensor, Tensor> objective)
    {
        for (int s = 0; s < steps; s++)
        {
            using var scope = TensorScope.Begin("ascent");
            var pixels = images.Detach().RequireGrad();
            var up = Autograd.Grad(objective(pixels), [pixels], releaseActivations: true)[0];
            images.AddInPlace(rate * up);
        }
    }

    /// <summary>
    /// Which of n images each of m recalled ones starts from: without replacement as long as that is possible, with it beyond (code; algorithm 1
    /// prints i ~ U). Images that start alike stay alike: every term treats them the same, so with m above n there are at most n different ones.
    /// </summary>
    public static long[] Choose(int m, int n, Generator random)
    {
        var chosen = new long[m];
        if (m > n)
        {
            for (int i = 0; i < m; i++)
                chosen[i] = random.NextInt64(n);
            return chosen;
        }
        var order = random.Permutation(n);
        order.AsSpan(0, m).CopyTo(chosen);
        return chosen;
    }
}
