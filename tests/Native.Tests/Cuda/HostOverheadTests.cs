using System.Diagnostics;
using Native.Nn;
using Native.Optim;
using Xunit.Abstractions;

namespace Native.Tests;

/// <summary>What the host does for an eager launch, above a driver that does nothing: at most one microsecond, the whole operation included.</summary>
[Trait("Category", "Emulator")]
[Collection(EmulatorCollection.Name)]
public sealed class HostOverheadTests(ITestOutputHelper output)
{
    // Of many short batches the shortest is the one that nobody else on the machine disturbed.
    private const int Batches = 400, Steps = 25;

    private const double Bound = 1.0;

    [Fact]
    public void A_launch_costs_a_microsecond_at_most() => OpKit.OnFreshThread(() =>
    {
        var (device, driver) = NullDriver.Make();
        Tensor a = Zeros([64, 100]), b = Zeros([64, 100]), row = Zeros([100]), w = Zeros([100, 10]), image = Zeros([10, 3, 32, 32]), filter = Zeros([20, 3, 3, 3]);
        Tensor tracked = Zeros([64, 100]).RequireGrad(), targets = Tensor.Zeros([64], DType.I64, device), picks = Tensor.Zeros([64, 1], DType.I64, device);
        Parameter[] weights = [.. Enumerable.Range(0, 6).Select(i => Parameter.From(Zeros([10 + i, 20])))];
        foreach (var p in weights)
            p.Grad = Tensor.ZerosLike(p);
        using var sgd = new Sgd(weights, lr: 0.1, momentum: 0.9);
        (string Name, Action Run)[] rows =
        [
            ("add", () => _ = a + b),
            ("add, recorded", () => _ = tracked + b),
            ("add, broadcast", () => _ = a + row),
            ("add, strided", () => _ = a.T + b.T),
            ("tanh", () => _ = a.Tanh()),
            ("sum of a dim", () => _ = a.Sum(1)),
            ("sum", () => _ = a.Sum()),
            ("softmax", () => _ = a.Softmax(1)),
            ("cross entropy", () => _ = Functional.CrossEntropy(a, targets)),
            ("argmax", () => _ = a.ArgMax(1)),
            ("pick", () => _ = a.Gather(1, picks)),
            ("matmul", () => _ = a.MatMul(w)),
            ("matmul of a transpose", () => _ = a.T.MatMul(b)),
            ("conv2d", () => _ = Functional.Conv2d(image, filter, padding: 1)),
            ("copy of a view", () => _ = a.T.Contiguous()),
            ("sgd step", sgd.Step),
        ];
        // The runtime replaces hot methods by optimised ones, in the background and in rounds.
        for (int round = 0; round < 4; round++)
        {
            foreach (var (_, run) in rows)
                _ = Measure(driver, run, batches: 20);
            Thread.Sleep(120);
        }
        var slow = new List<string>();
        foreach (var (name, run) in rows)
        {
            var (time, launches, bytes) = Measure(driver, run, Batches);
            output.WriteLine($"{name,-24} {time,6:F3} us per launch, {launches} launches, {bytes} bytes of garbage");
            if (!(time <= Bound))
                slow.Add($"{name} {time:F2} us");
        }
        Assert.True(slow.Count == 0, $"above {Bound} us a launch: {string.Join(", ", slow)}");

        Tensor Zeros(Shape shape) => Tensor.Zeros(shape, device: device);
    });

    private static (double Microseconds, double Launches, long Bytes) Measure(NullDriver driver, Action run, int batches)
    {
        double best = double.PositiveInfinity, each = 0;
        long bytes = 0;
        for (int batch = 0; batch < batches; batch++)
        {
            using var scope = TensorScope.Begin("batch");
            long launches = driver.Launches, before = GC.GetAllocatedBytesForCurrentThread(), start = Stopwatch.GetTimestamp();
            for (int i = 0; i < Steps; i++)
                run();
            double elapsed = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
            launches = driver.Launches - launches;
            Assert.True(launches >= Steps, $"{launches} launches in {Steps} steps");
            bytes = (GC.GetAllocatedBytesForCurrentThread() - before) / Steps;
            (best, each) = (Math.Min(best, elapsed / launches), (double)launches / Steps);
        }
        return (best, each, bytes);
    }
}
