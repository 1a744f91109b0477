using Native.Methods;

namespace Native.Tests;

/// <summary>Steps of methods as recorded graphs, on the emulator.</summary>
[Trait("Category", "Emulator")]
[Collection(WorkersCollection.Name)]
public sealed class StepGraphTests
{
    // Of the residual network, which takes seconds here, one; a GPU runs all.
    public static TheoryData<string> Cases => [.. StepGraphChecks.Cases.Keys.Where(c => c is not ("arm in colour" or "adi in colour"))];

    [NeedsTheory(GpuKit.Gxx)]
    [MemberData(nameof(Cases))]
    public void A_training_in_graphs_has_the_bits_of_one_step_by_step(string name) => StepGraphChecks.AGraphHasTheBitsOfSteps(Device.Parse("emu:0"), name);

    [NeedsFact(GpuKit.Gxx)]
    public void The_third_step_of_a_kind_is_recorded() => StepGraphChecks.TheThirdStepIsRecorded(Device.Parse("emu:0"));

    [NeedsFact(GpuKit.Gxx)]
    public void Losses_are_read_together() => StepGraphChecks.LossesAreReadTogether(Device.Parse("emu:0"));

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData("er")]
    [InlineData("arm")]
    [InlineData("arm, gradients that add up")]
    public void Killed_in_graphs_it_ends_with_the_same_bits(string name) => StepGraphChecks.KilledItEndsWithTheSameBits(Device.Parse("emu:0"), name);
}
