namespace Native.Tests;

/// <summary>The CUDA back end over the emulated driver: the device works, and the driver is as strict as a real one.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class EmulatorTests
{
    [NeedsFact(GpuKit.Gxx)]
    public void A_pointwise_chain_gives_the_cpus_bits() => OpKit.OnFreshThread(() =>
    {
        var random = new Generator(1).Stream("emu");
        Tensor x = Tensor.Randn([37, 41], random), y = Tensor.Randn([41], random);
        using var _ = Autograd.NoGrad();
        Tensor expected = (x * y + 1.5).Tanh() * x.T.Contiguous().T;
        Tensor actual = (x.To(Emulated.Device) * y.To(Emulated.Device) + 1.5).Tanh() * x.To(Emulated.Device).T.Contiguous().T;
        Assert.Equal("emu:0", actual.Device.Name);
        Assert.Equal(expected.ToArray<float>(), actual.ToArray<float>());
    });

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(1, 0)]
    [InlineData(3, 0)]
    [InlineData(64, 0)]
    [InlineData(65, 1)]
    [InlineData(1027, 2)]
    [InlineData(4096, 4)]
    public void Packed_and_single_elements_meet_without_a_gap(int n, int offset) => OpKit.OnFreshThread(() =>
    {
        // Sliced, so that sixteen-byte places are hit and missed; beside one number and beside a vector.
        Tensor whole = Tensor.Arange(0, n + offset, 1, DType.F32), x = whole[offset..];
        using var _ = Autograd.NoGrad();
        Tensor far = whole.To(Emulated.Device)[offset..];
        Assert.Equal((x * x + 0.5).ToArray<float>(), (far * far + 0.5).ToArray<float>());
        Assert.Equal((x - Tensor.Scalar(2f)).ToArray<float>(), (far - Tensor.Scalar(2f).To(Emulated.Device)).ToArray<float>());
        Assert.Equal((x.To(DType.F64) * 3).ToArray<double>(), (x.To(DType.F64).To(Emulated.Device) * 3).ToArray<double>());
    });
}

/// <summary>Tests on the emulator run one after the other: they look at the driver's counters and switches.</summary>
[CollectionDefinition(Name)]
public sealed class EmulatorCollection
{
    public const string Name = "emulator";
}
