using Native.Methods;
using Native.Optim;

namespace Native.Benchmarks;

/// <summary>Plain supervised training of the reduced ResNet-18: stochastic gradient descent with momentum.</summary>
internal sealed class ResNetTrain : Workload
{
    private const int Classes = 100;

    private readonly ResNet18 _net;
    private readonly Sgd _sgd;
    private readonly Tensor _x, _y;

    public ResNetTrain(DType dtype, ulong seed = 0, int batch = 128, int filters = ResNet18.PaperFilters) : base("resnet-train", dtype, seed)
    {
        _net = Build("net", (init, type) => new ResNet18(Classes, init, filters, type));
        _sgd = Own(new Sgd(_net.Parameters(), lr: 0.1, momentum: 0.9));
        var data = Stream("data");
        _x = Data(() => Tensor.Rand([batch, 3, 32, 32], data));
        _y = Data(() => Tensor.RandInt(0, Classes, [batch], data));
    }

    protected override IReadOnlyList<Tensor> Updates()
    {
        var loss = Functional.CrossEntropy(_net.Forward(_x), _y);
        _sgd.Minimize(loss);
        return [loss];
    }
}
