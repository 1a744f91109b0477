namespace Native.Tests;

/// <summary>Optimiser updates on the emulator: the CPU's bits, in few launches.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class EmulatedOptimTests
{
    // Empty, tails on every width, exactly a chunk, more than one; 49 that are not empty, more than a launch takes.
    private static readonly long[] Sizes = [0, 1, 2, 3, 4, 5, 255, 1024, 1025, 3001, .. Enumerable.Repeat(6L, 40)];

    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(0, false)]
    [InlineData(0.9, false)]
    [InlineData(0.9, true)]
    public void Sgd(double momentum, bool nesterov) => OpKit.OnFreshThread(() => Same(momentum == 0 ? 0 : 1, (slots, _) => OptimKernels.Sgd(slots, momentum, nesterov)));

    [NeedsFact(GpuKit.Gxx)]
    public void Adam() => OpKit.OnFreshThread(() => Same(2, (slots, step) =>
    {
        for (int i = 0; i < slots.Length; i++)
            slots[i] = slots[i] with { Rate = 0.01 / (1 - Math.Pow(0.9, step)), RootCorrection = Math.Sqrt(1 - Math.Pow(0.999, step)) };
        OptimKernels.Adam(slots, 0.9, 0.999, 1e-8);
    }));

    [NeedsFact(GpuKit.Gxx)]
    public void A_step_over_many_tensors_is_few_launches() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin("slots");
        var slots = Slots(Emulated.Device, 1);
        OptimKernels.Sgd(slots, 0.9, nesterov: true);
        long before = EmulatedDriver.Shared.Launches;
        OptimKernels.Sgd(slots, 0.9, nesterov: true);
        Assert.Equal(4, EmulatedDriver.Shared.Launches - before);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Parameters_of_two_devices_are_refused() => OpKit.OnFreshThread(() =>
    {
        using var scope = TensorScope.Begin("slots");
        OptimSlot[] slots = [Slots(Device.Cpu, 0)[1], Slots(Emulated.Device, 0)[1]];
        Assert.Contains("parameters are on cpu and on emu:0", Assert.Throws<DeviceException>(() => OptimKernels.Sgd(slots, 0, nesterov: false)).Message, StringComparison.Ordinal);
    });

    private static void Same(int moments, Action<OptimSlot[], int> update) => Emulated.SameBits($"update with {moments} moments", device =>
    {
        var slots = Slots(device, moments);
        for (int step = 1; step <= 3; step++)
            update(slots, step);
        return [.. slots.SelectMany(s => (IEnumerable<Tensor?>)[s.Value, s.First, s.Second]).OfType<Tensor>()];
    });

    // Rates, decays and masks differ from tensor to tensor; one is stored off the 16-byte grid, one gradient has NaN and infinity where it is masked.
    private static OptimSlot[] Slots(Device device, int moments)
    {
        var random = new Generator(3).Stream("slots");
        var slots = new List<OptimSlot>();
        foreach (DType dtype in (DType[])[DType.F32, DType.F64])
            foreach (var (k, n) in Sizes.Index())
            {
                Tensor Draw(bool odd = false)
                {
                    var t = Tensor.Randn([n + 1], random, dtype: dtype).To(device);
                    return t.View(t.Layout.Slice(0, odd ? 1 : 0, n));
                }
                Tensor mask = Tensor.Bernoulli([n], 0.5, random, dtype).To(device), gradient = Draw(odd: k == 9);
                if (n == 255)
                    gradient = Tensor.From([.. OpKit.ToDoubles(gradient).Select((v, i) => i == 3 ? double.NaN : i == 200 ? double.PositiveInfinity : v)], [n]).To(dtype).To(device);
                slots.Add(new(Draw(odd: k == 8), gradient, moments > 0 ? Draw() : null, moments > 1 ? Draw().Square() : null, k % 3 == 0 ? mask : null)
                {
                    Rate = 0.1 + (0.01 * k),
                    Decay = k % 2 == 0 ? 0.03 : 0,
                    Shrink = k % 4 == 1 ? 0.99 : 1,
                });
            }
        return [.. slots];
    }
}
