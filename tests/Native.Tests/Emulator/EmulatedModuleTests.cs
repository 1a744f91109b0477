using Native.Nn;
using Native.Optim;

namespace Native.Tests;

/// <summary>Modules and optimisers whose tensors are on the emulator: what they read, write, load and refuse.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class EmulatedModuleTests
{
    [NeedsTheory(GpuKit.Gxx)]
    [InlineData(false)]
    [InlineData(true)]
    public void An_optimiser_gives_the_cpus_bits_and_continues_from_a_file(bool adam) => OpKit.OnFreshThread(() =>
    {
        string path = Path.Combine(Directory.CreateTempSubdirectory("native-emu").FullName, "optim.safetensors");
        Emulated.SameBits($"optimiser, adam {adam}", device =>
        {
            var random = new Generator(9).Stream("weights");
            var p = Parameter.From(Tensor.Randn([37, 5], random).To(device), "w");
            p.GradMask = Tensor.Bernoulli([37, 5], 0.7, random).To(device);
            Tensor seed = Tensor.Randn([37, 5], random).To(device);
            Optimizer Make() => adam ? new Adam([p], 0.1, weightDecay: 0.01, decoupled: true) : new Sgd([p], 0.1, 0.9, 0.01, nesterov: true);
            var results = new List<Tensor>();
            using (var first = Make())
            {
                Steps(first, 2);
                first.Save(path);
            }
            using var second = Make();
            second.Load(path);
            Steps(second, 2);
            p.Grow([40, 6]);
            seed = Tensor.Randn([40, 6], random).To(device);
            Steps(second, 1);
            return [.. results, .. second.State().Where(s => !s.Key.EndsWith("steps", StringComparison.Ordinal)).Select(s => s.Value)];

            void Steps(Optimizer opt, int n)
            {
                for (int i = 0; i < n; i++)
                {
                    opt.ZeroGrad();
                    p.Tanh().Backward(seed);
                    opt.Step();
                    results.Add(p.Clone());
                }
            }
        });
        File.Delete(path);
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Values_of_a_module_move_between_devices() => OpKit.OnFreshThread(() =>
    {
        using Embedding near = new(5, 3, new Generator(1)), far = new(5, 3, new Generator(2), device: Emulated.Device);
        far.CopyFrom(near);
        Assert.Equal(near.Weight.ToArray<float>(), far.Weight.ToArray<float>());
        using (Autograd.NoGrad())
            far.Weight.MulInPlace(2);
        near.CopyFrom(far);
        Assert.Equal(far.Weight.ToArray<float>(), near.Weight.ToArray<float>());
    });

    [NeedsFact(GpuKit.Gxx)]
    public void Layers_draw_the_cpus_bits() => OpKit.OnFreshThread(() => Emulated.SameBits("layers", device =>
    {
        var random = new Generator(3);
        using var table = new Embedding(11, 6, random, device: device);
        var dropped = new Dropout(0.3, random).Forward(table.Forward(Tensor.From([3L, 10, 3, 0], [2, 2]).To(device)));
        dropped.Backward(Tensor.OnesLike(dropped));
        return [dropped, table.Weight.Grad!.Clone(), Init.KaimingNormal([7, 5], random, device: device)];
    }));

    [NeedsFact(GpuKit.Gxx)]
    public void Tensors_of_two_devices_do_not_meet() => OpKit.OnFreshThread(() =>
    {
        Tensor near = Tensor.Ones([3]), far = Tensor.Ones([3], device: Emulated.Device).RequireGrad();
        Assert.Contains("emu:0", Assert.Throws<DeviceException>(() => far.Tanh().Backward(near)).Message, StringComparison.Ordinal);
        Assert.Throws<DeviceException>(() => far.Reshape([3, 1]).Backward(near.Reshape([3, 1])));
        Assert.Throws<DeviceException>(() => Autograd.Grad(far.Tanh(), far, near));
        Assert.Throws<DeviceException>(() => Tensor.Ones([3, 3], device: Emulated.Device).TakeRows(Tensor.From([0L])));
        Assert.Contains("f32[3]@cpu", Assert.Throws<KernelException>(() => Launch.At(near)).Message, StringComparison.Ordinal);
    });
}
