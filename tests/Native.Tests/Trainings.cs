using Native.Nn;
using Native.Optim;

namespace Native.Tests;

/// <summary>Short trainings that the tests of every device run: whole steps through dispatch, memory, autograd and optimisers.</summary>
internal static class Trainings
{
    // Of numbers near 1, after up to ten updates in which sums run in another order than on the cpu.
    private const double Tolerance = 2e-4;

    public static IReadOnlyList<(string Name, Func<Device, double[]> Run)> All { get; } =
        [("mlp", Mlp), ("convolutional", Convolutional), ("gradient penalty", GradientPenalty), ("unrolled", Unrolled)];

    public static double[] Mlp(Device device)
    {
        var random = new Generator(1);
        var net = new Sequential(new Linear(12, 16, random, device: device), new Tanh(), new Linear(16, 4, random, device: device));
        var opt = new Sgd(net.Parameters(), lr: 0.1, momentum: 0.9);
        return Run(net, opt, () => (Data(device, [8, 12], 2), Labels(device, 8, 4)), 10);
    }

    public static double[] Convolutional(Device device)
    {
        var random = new Generator(2);
        var net = new Sequential(new Conv2d(2, 6, 3, random, padding: 1, device: device), new BatchNorm(6, device: device), new Relu(), new MaxPool2d(2),
            new Flatten(), new Linear(6 * 4 * 4, 4, random, device: device));
        var opt = new Adam(net.Parameters(), lr: 0.01);
        return Run(net, opt, () => (Data(device, [6, 2, 8, 8], 3), Labels(device, 6, 4)), 6);
    }

    public static double[] GradientPenalty(Device device)
    {
        var random = new Generator(3);
        var critic = new Sequential(new Conv2d(1, 4, 3, random, padding: 1, device: device), new LeakyRelu(0.2), new Flatten(), new Linear(4 * 36, 1, random, device: device));
        var opt = new Adam(critic.Parameters(), lr: 0.01);
        var losses = new List<double>();
        for (int i = 0; i < 4; i++)
        {
            using var step = TensorScope.Begin("step");
            Tensor x = Data(device, [5, 1, 6, 6], 10 + i).RequireGrad();
            Tensor g = Autograd.Grad(critic.Forward(x).Sum(), x, createGraph: true);
            Tensor loss = critic.Forward(x).Mean() + ((g.Reshape(5, -1).Square().Sum(1).Sqrt() - 1).Square()).Mean() * 10.0;
            loss.Backward();
            opt.Step();
            opt.ZeroGrad();
            losses.Add(loss.Item());
        }
        return [.. losses];
    }

    public static double[] Unrolled(Device device)
    {
        Tensor w0 = Data(device, [6, 3], 5), target = Data(device, [4, 3], 6), images = Data(device, [4, 6], 7).RequireGrad(), w = w0.RequireGrad();
        for (int i = 0; i < 3; i++)
        {
            Tensor inner = (images.MatMul(w).Tanh() - target).Square().Mean();
            w = w - 0.5 * Autograd.Grad(inner, w, createGraph: true);
        }
        Tensor g = Autograd.Grad((Data(device, [4, 6], 8).MatMul(w) - target).Square().Mean(), images);
        return g.ToArray<float>().Select(v => (double)v).ToArray();
    }

    private static Tensor Data(Device device, Shape shape, int seed) => Tensor.Randn(shape, new Generator((ulong)seed), device: device);

    private static Tensor Labels(Device device, int n, int classes) => Tensor.From([.. Enumerable.Range(0, n).Select(i => (long)(i % classes))], [n], device);

    private static double[] Run(Module net, Optimizer opt, Func<(Tensor X, Tensor Y)> batch, int steps)
    {
        var losses = new List<double>();
        for (int i = 0; i < steps; i++)
        {
            using var step = TensorScope.Begin("step");
            var (x, y) = batch();
            Tensor loss = Functional.CrossEntropy(net.Forward(x), y);
            loss.Backward();
            opt.Step();
            opt.ZeroGrad();
            losses.Add(loss.Item());
        }
        Assert.True(losses[^1] < losses[0], $"the loss went from {losses[0]} to {losses[^1]}");
        return [.. losses];
    }

    /// <summary>Runs on the cpu and on a device; the numbers must agree.</summary>
    public static void Agree(Func<Device, double[]> run, Device device) => OpKit.OnFreshThread(() =>
    {
        double[] expected = run(Device.Cpu), actual = run(device);
        KernelKit.Close(expected, actual, Tolerance, device.Name);
    });
}
