namespace Native.Tests;

/// <summary>Short trainings on the emulator end where the cpu's do: whole steps through dispatch, memory, autograd and optimisers.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class TrainingOnEmulatorTests
{
    [NeedsFact(GpuKit.Gxx)]
    public void An_mlp_with_momentum() => Trainings.Agree(Trainings.Mlp, Emulated.Device);

    [NeedsFact(GpuKit.Gxx)]
    public void A_convolutional_network_with_batch_norm_and_adam() => Trainings.Agree(Trainings.Convolutional, Emulated.Device);

    [NeedsFact(GpuKit.Gxx)]
    public void A_gradient_penalty_differentiates_twice() => Trainings.Agree(Trainings.GradientPenalty, Emulated.Device);

    [NeedsFact(GpuKit.Gxx)]
    public void An_unrolled_learner_gives_a_gradient_through_its_own_steps() => Trainings.Agree(Trainings.Unrolled, Emulated.Device);
}
