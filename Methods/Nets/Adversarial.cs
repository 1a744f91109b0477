using Native.Optim;

namespace Native.Methods;

/// <summary>The game of a generator and a critic (Goodfellow et al. 2014), the generator's loss not saturating.</summary>
internal static class Adversarial
{
    /// <summary>One update of the critic, then one of the generator by the critic's new judgement. Returns both losses before their updates.</summary>
    /// <param name="critic">Changes the critic.</param>
    /// <param name="generator">Changes the generator.</param>
    /// <param name="judge">Logits of being real.</param>
    /// <param name="real">Real items.</param>
    /// <param name="made">As many made by the generator, recorded.</param>
    public static (Tensor Critic, Tensor Generator) Step(Adam critic, Adam generator, Func<Tensor, Tensor> judge, Tensor real, Tensor made)
    {
        Tensor onReal = judge(real), onMade = judge(made.Detach()), ones = Tensor.OnesLike(onReal);
        var judged = Functional.BceWithLogits(onReal, ones) + Functional.BceWithLogits(onMade, Tensor.ZerosLike(onMade));
        critic.Minimize(judged);
        var fooled = Functional.BceWithLogits(judge(made), ones);
        generator.Minimize(fooled);
        return (judged, fooled);
    }
}
