using Native.Benchmarks;

namespace Native.Tests;

/// <summary>
/// The tests of the back end on a real GPU: what the emulator's tests check on <c>emu:0</c>, on the real thing. Without a GPU they are skipped with the
/// reason; NATIVE_REQUIRE_GPU=1 turns a skip into a failure.
/// </summary>
[Trait("Category", "Gpu")]
[Collection(WorkersCollection.Name)]
public sealed class GpuTests
{
    private static string[] Workloads => [.. WorkloadTable.All.Select(w => w.Name)];

    // What the driver may take for itself between two readings of the free memory.
    private const long Slack = 8 << 20;

    [GpuFact]
    public void The_whole_op_table_agrees_with_the_cpu() => OpTableTests.Agree(GpuFactAttribute.Device);

    [GpuFact]
    public void An_mlp_trains_as_on_the_cpu() => Trainings.Agree(Trainings.Mlp, GpuFactAttribute.Device);

    [GpuFact]
    public void A_convolutional_network_trains_as_on_the_cpu() => Trainings.Agree(Trainings.Convolutional, GpuFactAttribute.Device);

    [GpuFact]
    public void A_gradient_penalty_trains_as_on_the_cpu() => Trainings.Agree(Trainings.GradientPenalty, GpuFactAttribute.Device);

    [GpuFact]
    public void An_unrolled_learner_has_the_cpus_gradient() => Trainings.Agree(Trainings.Unrolled, GpuFactAttribute.Device);

    [GpuFact]
    public void Random_bits_are_the_cpus() => DeviceChecks.RandomBitsAreTheCpus(GpuFactAttribute.Device);

    [GpuFact]
    public void Workloads_agree_with_the_cpu_and_repeat_to_the_bit() => DeviceChecks.WorkloadsAgreeAndRepeat(GpuFactAttribute.Device, Workloads);

    [GpuFact]
    public void Graphs_have_the_bits_of_steps() => DeviceChecks.GraphsHaveTheBitsOfSteps(GpuFactAttribute.Device, Workloads);

    [GpuFact]
    public void Trainings_in_graphs_have_the_bits_of_steps()
    {
        foreach (string name in StepGraphChecks.Cases.Keys)
            StepGraphChecks.AGraphHasTheBitsOfSteps(GpuFactAttribute.Device, name);
    }

    [GpuFact]
    public void Trainings_in_graphs_are_continued_to_the_bit()
    {
        foreach (string name in StepGraphChecks.Cases.Keys)
            StepGraphChecks.KilledItEndsWithTheSameBits(GpuFactAttribute.Device, name);
    }

    [GpuFact]
    public void The_third_step_of_a_kind_is_recorded() => StepGraphChecks.TheThirdStepIsRecorded(GpuFactAttribute.Device);

    [GpuFact]
    public void Losses_are_read_together() => StepGraphChecks.LossesAreReadTogether(GpuFactAttribute.Device);

    [GpuFact]
    public void Nothing_leaks() => DeviceChecks.NothingLeaks(GpuFactAttribute.Device, Slack, Workloads);

    [GpuFact]
    public void The_allocator_holds_its_limit() => DeviceChecks.TheAllocatorHoldsItsLimit(GpuFactAttribute.Device, 256 << 20);
}
