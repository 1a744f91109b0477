using Native.Benchmarks;

namespace Native.Tests;

/// <summary><see cref="DeviceChecks"/> on the emulator, so that what a GPU is tested with is itself tested everywhere.</summary>
[Trait("Category", "Emulator")]
[Collection(WorkersCollection.Name)]
public sealed class DeviceChecksOnEmulatorTests
{
    // arm-cifar is arm-mnist's code with the network of resnet-train, and would take as long as all others together.
    private static string[] Workloads => [.. WorkloadTable.All.Select(w => w.Name).Where(n => n != "arm-cifar")];

    [NeedsFact(GpuKit.Gxx)]
    public void Random_bits_are_the_cpus() => DeviceChecks.RandomBitsAreTheCpus(Emulated.Device);

    [NeedsFact(GpuKit.Gxx)]
    public void Workloads_agree_with_the_cpu_and_repeat_to_the_bit() => DeviceChecks.WorkloadsAgreeAndRepeat(Emulated.Device, Workloads);

    [NeedsFact(GpuKit.Gxx)]
    public void Graphs_have_the_bits_of_steps() => DeviceChecks.GraphsHaveTheBitsOfSteps(Emulated.Device, [.. Workloads.Where(n => n != "resnet-train")]);

    [NeedsFact(GpuKit.Gxx)]
    public void Nothing_leaks() => DeviceChecks.NothingLeaks(Emulated.Device, slack: 0, "arm-mnist", "dgm-mnist");

    [NeedsFact(GpuKit.Gxx)]
    public void The_allocator_holds_its_limit() => DeviceChecks.TheAllocatorHoldsItsLimit(Emulated.Device, 4 << 20);

    [Fact]
    public void A_missing_gpu_is_a_reason_to_skip_unless_one_is_required()
    {
        Assert.Equal("why", GpuFactAttribute.Skips(required: false, "why"));
        Assert.Null(GpuFactAttribute.Skips(required: false, null));
        Assert.Null(GpuFactAttribute.Skips(required: true, "why"));
        Assert.Same(Device.Cpu, GpuFactAttribute.Checked(Device.Cpu, required: false));
        Assert.Contains("asks for a GPU, and NATIVE_TEST_GPU names cpu", Assert.Throws<DeviceException>(() => GpuFactAttribute.Checked(Device.Cpu, required: true)).Message);
    }
}
