using System.Text.Json.Nodes;
using Native.Benchmarks;
using Native.Methods;
using Native.Nn;
using Native.Optim;

namespace Native.Tests;

public sealed class WorkTests
{
    [Fact]
    public void Operations_and_updates_are_counted_by_hand_and_by_thread() => OpKit.OnFreshThread(() =>
    {
        Assert.Equal(new Work(0, 0), Work.Done);
        var rng = new Generator(1);
        using var net = new Sequential(new Linear(7, 5, rng), new Relu(), new Linear(5, 3, rng));
        using var sgd = new Sgd(net.Parameters(), lr: 0.1);
        var before = Work.Done;
        using (TensorScope.Begin("step"))
        {
            var loss = Functional.CrossEntropy(net.Forward(Tensor.Rand([4, 7], rng)), Tensor.RandInt(0, 3, [4], rng));
            // Forward only: a multiplication and an addition for each weight and item.
            Assert.Equal(2 * 4 * (7 * 5 + 5 * 3), (Work.Done - before).Flops);
            loss.Backward();
        }
        sgd.Step();
        // Weight gradients of both layers, and the gradient of the second layer's input; nobody asks for the first one's.
        Assert.Equal(new Work(2 * 4 * (2 * (7 * 5 + 5 * 3) + 5 * 3), 1), Work.Done - before);
        sgd.Step();
        Assert.Equal(2, (Work.Done - before).OptimizerSteps);
        Assert.Equal(Work.Done, before + (Work.Done - before));
    });

    [Theory]
    [InlineData("naive")]
    [InlineData("er-mir")]
    [InlineData("gem")]
    public void A_method_that_updates_once_per_batch_counts_as_many_updates_as_batches(string method)
    {
        var cell = CellTests.Tiny(method);
        using var folder = new TemporaryFolder();
        var store = new CellStore(folder.Path);
        new CellRunner(store, CellOptions.Default(DataFolder.From(null, null)), new Ui(TextWriter.Null, TextWriter.Null, default)).Run([cell]);
        var result = JsonNode.Parse(store.ResultText(cell))!;
        Assert.Equal(10, (long?)result["steps"]);
        Assert.Equal(10, (long?)result["optimizerSteps"]);
    }

    [Fact]
    public void A_convolution_counts_its_useful_taps() => OpKit.OnFreshThread(() =>
    {
        var rng = new Generator(1);
        using var conv = new Conv2d(2, 3, 3, rng, padding: 1);
        using var scope = TensorScope.Begin("conv");
        conv.Forward(Tensor.Rand([1, 2, 4, 4], rng));
        // 4 x 4 places with 3 taps each way, less the taps that fall on padding: 10 of 12 in each direction.
        Assert.Equal(2 * 2 * 3 * 10 * 10, Work.Done.Flops);
    });
}
