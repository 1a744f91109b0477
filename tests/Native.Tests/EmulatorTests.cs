namespace Native.Tests;

/// <summary>The CUDA back end over the emulated driver: the device works, and the driver is as strict as a real one.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class EmulatorTests
{
    private static Device Emu => Device.Parse("emu:0");

    [Fact]
    public void A_pointwise_chain_gives_the_cpus_bits() => OpKit.OnFreshThread(() =>
    {
        var random = new Generator(1).Stream("emu");
        Tensor x = Tensor.Randn([37, 41], random), y = Tensor.Randn([41], random);
        using var _ = Autograd.NoGrad();
        Tensor expected = (x * y + 1.5).Tanh() * x.T.Contiguous().T;
        Tensor actual = (x.To(Emu) * y.To(Emu) + 1.5).Tanh() * x.To(Emu).T.Contiguous().T;
        Assert.Equal("emu:0", actual.Device.Name);
        Assert.Equal(expected.ToArray<float>(), actual.ToArray<float>());
    });
}

/// <summary>Tests on the emulator run one after the other: they look at the driver's counters and switches.</summary>
[CollectionDefinition(Name)]
public sealed class EmulatorCollection
{
    public const string Name = "emulator";
}
