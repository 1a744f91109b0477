using Native.Methods;

namespace Native.Tests;

/// <summary>
/// A whole meta-step as one recorded graph on the emulator: the same bits as meta-steps that run operation by operation. Nothing else runs meanwhile, because the
/// default device is the process's.
/// </summary>
[Trait("Category", "Emulator")]
[Collection(WorkersCollection.Name)]
public sealed class MetaGraphTests
{
    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(Recompute.None, true)]
    [InlineData(Recompute.All, true)]
    [InlineData(Recompute.None, false)]
    public void A_meta_step_is_one_graph(Recompute recompute, bool generates) => OpKit.OnFreshThread(() =>
    {
        using var _ = Env.Device.Override("emu:0");
        var o = new MetaOptions(Pool: 4, MetaInnerSteps: 2, MetaPerClass: 2, MetaBatch: 6, Latent: 3, Generator: GeneratorKind.Mlp, GeneratorWidth: 5, LearnerFilters: 2, Square: 4,
            MetaSteps: 5, Recompute: recompute);
        (List<double> Losses, float[][] State, long Nodes) Train(bool recorded)
        {
            using var trainer = new MetaTrainer(o, MetaGradientTests.Stream(4), new Generator(3), generates);
            var losses = new List<double>();
            for (int i = 0; i < 5; i++)
                losses.Add(recorded ? trainer.Step().Loss : trainer.StepEagerly().Loss);
            return (losses, [.. trainer.Parameters.Parameters().Select(p => p.ToArray<float>())], trainer.Nodes);
        }
        var eager = Train(recorded: false);
        var graph = Train(recorded: true);
        Assert.Equal(0, eager.Nodes);
        Assert.True(graph.Nodes > 100, $"{graph.Nodes} nodes");
        Assert.Equal(eager.Losses, graph.Losses);
        Assert.Equal(5, graph.Losses.Distinct().Count());
        for (int i = 0; i < eager.State.Length; i++)
            Assert.Equal(eager.State[i], graph.State[i]);
    });
}
