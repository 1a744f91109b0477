namespace Native.Methods;

/// <summary>What of an unrolled loop is run again in the backward pass instead of being kept.</summary>
public enum Recompute
{
    /// <summary>Nothing: most memory, least time.</summary>
    None,

    /// <summary>The inner steps, one by one: between them only weights and velocities are kept.</summary>
    Inner,

    /// <summary>The inner steps and the making of the images: least memory.</summary>
    All,
}

/// <summary>
/// Descent with momentum, recorded, so that what it learned from can be learned in turn (Maclaurin et al. 2015; section 3 of the paper):
/// v := momentum v + g, w := w - rate v, with g the gradient of the cross-entropy on an inner batch, itself differentiable.
/// </summary>
/// <param name="net">The learner.</param>
/// <param name="firstOrder">
/// Leave out how g depends on the weights (products with the Hessian). It still depends on the images: that is what they are learned through.
/// </param>
/// <param name="recompute">Run each step again in the backward pass: the same bits, less memory.</param>
public sealed class InnerLoop(LearnerNet net, bool firstOrder = false, bool recompute = false)
{
    /// <summary>One step; weights and velocity are replaced by what follows them.</summary>
    /// <param name="weights">The learner's, recorded.</param>
    /// <param name="velocity">Theirs.</param>
    /// <param name="rate">Step size. When steps are run again, it and the momentum should be views made for this step, so that the plain loop adds the same terms in the same order.</param>
    /// <param name="momentum">Share of the velocity that stays.</param>
    /// <param name="images">The pool, or the batch itself when <paramref name="index"/> is null.</param>
    /// <param name="index">Rows of the pool that make the batch.</param>
    /// <param name="labels">Their classes.</param>
    public void Step(Tensor[] weights, Tensor[] velocity, Tensor rate, Tensor momentum, Tensor images, Tensor? index, Tensor labels)
    {
        int n = weights.Length;
        if (!recompute)
        {
            // What no derivative will read goes back to the pool after each inner step.
            using var inner = TensorScope.Begin("inner");
            Advance(weights, velocity, rate, momentum, images, index, labels);
            for (int i = 0; i < n; i++)
            {
                velocity[i] = inner.Keep(velocity[i], graph: true);
                weights[i] = inner.Keep(weights[i], graph: true);
            }
            return;
        }
        var next = Checkpoint.Run(x =>
        {
            Tensor[] w = x[..n], v = x[n..(2 * n)];
            Advance(w, v, x[2 * n], x[2 * n + 1], x[2 * n + 2], index, labels);
            return [.. w, .. v];
        }, [.. weights, .. velocity, rate, momentum, images]);
        next.AsSpan(0, n).CopyTo(weights);
        next.AsSpan(n).CopyTo(velocity);
    }

    private void Advance(Tensor[] weights, Tensor[] velocity, Tensor rate, Tensor momentum, Tensor images, Tensor? index, Tensor labels)
    {
        var at = firstOrder ? Array.ConvertAll(weights, w => w.Detach().RequireGrad()) : weights;
        var loss = Functional.CrossEntropy(net.Forward(at, index is null ? images : images.TakeRows(index)), labels);
        var gradient = Autograd.Grad(loss, at, createGraph: true);
        for (int i = 0; i < weights.Length; i++)
        {
            velocity[i] = momentum * velocity[i] + gradient[i];
            weights[i] -= rate * velocity[i];
        }
    }
}
