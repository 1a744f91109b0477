namespace Native.Tests;

/// <summary>Second and third derivatives, gradient penalty and unrolled training against PyTorch's numbers.</summary>
public class AutogradGoldenTests
{
    private const double Tolerance = 1e-10;
    private static readonly NnKit.GoldenFile Golden = new("autograd");

    private static Tensor Loss(Tensor theta)
    {
        Tensor w1 = theta[0..12].Reshape(4, 3), b1 = theta[12..16], w2 = theta[16..20].Reshape(1, 4), b2 = theta[20..21];
        var y = (Golden.Tensor("hessian.x").MatMul(w1.T) + b1).Tanh().MatMul(w2.T) + b2;
        return (y - Golden.Tensor("hessian.target")).Square().Sum() * 0.2;
    }

    [Fact]
    public void HessianAndThirdDerivative()
    {
        Tensor theta = Golden.Tensor("hessian.theta"), v = Golden.Tensor("hessian.v");
        NnKit.Near(Golden.Array("hessian.loss"), Loss(theta), Tolerance, "loss");
        NnKit.Near(Golden.Array("hessian.gradient"), Autograd.Vjp(Loss, theta), Tolerance, "gradient");
        NnKit.Near(Golden.Array("hessian.hvp"), Autograd.Hvp(Loss, theta, v), Tolerance, "hvp");
        var h = Autograd.Hessian(Loss, theta);
        Assert.Equal([21, 21], h.Shape.ToArray());
        NnKit.Near(Golden.Array("hessian.hessian"), h, Tolerance, "hessian");
        NnKit.Near(Golden.Array("hessian.hessian"), Autograd.Jacobian(t => Autograd.Vjp(Loss, t, createGraph: true), theta), Tolerance, "jacobian of the gradient");
        theta.RequireGrad();
        var third = Autograd.Grad((Autograd.Hvp(Loss, theta, v, createGraph: true) * v).Sum(), theta);
        NnKit.Near(Golden.Array("hessian.third"), third, Tolerance, "third");
    }

    [Fact]
    public void GradientPenalty()
    {
        var x = Golden.Tensor("gradient_penalty.x").RequireGrad();
        string[] names = ["w1", "b1", "w2", "b2", "w3"];
        var w = names.Select(n => Golden.Tensor($"gradient_penalty.{n}").RequireGrad()).ToArray();
        var h = Functional.Conv2d(x, w[0], w[1], stride: 2, padding: 1).LeakyRelu(0.2);
        var score = Functional.Conv2d(h, w[2], w[3], stride: 2, padding: 1).LeakyRelu(0.2).Reshape(3, -1).MatMul(w[4].T);
        NnKit.Near(Golden.Array("gradient_penalty.score"), score, Tolerance, "score");
        var slope = Autograd.Grad(score.Sum(), x, createGraph: true);
        NnKit.Near(Golden.Array("gradient_penalty.slope"), slope, Tolerance, "slope");
        var penalty = (slope.Square().Sum([1, 2, 3]).Sqrt() - 1).Square().Sum() * (1.0 / 3);
        NnKit.Near(Golden.Array("gradient_penalty.penalty"), penalty, Tolerance, "penalty");
        var grads = Autograd.Grad(penalty, [.. w, x], allowUnused: true);
        for (int i = 0; i < names.Length; i++)
            NnKit.Near(Golden.Array($"gradient_penalty.g{names[i]}"), grads[i], Tolerance, names[i]);
        NnKit.Near(Golden.Array("gradient_penalty.gx"), grads[^1], Tolerance, "gx");
    }

    [Fact]
    public void GradientThroughUnrolledTraining()
    {
        Tensor x = Golden.Tensor("meta.x").RequireGrad(), lr = Golden.Tensor("meta.lr").RequireGrad(), momentum = Golden.Tensor("meta.momentum").RequireGrad();
        Tensor labels = Golden.Tensor("meta.labels"), outerX = Golden.Tensor("meta.outer_x"), outerLabels = Golden.Tensor("meta.outer_labels");
        string[] names = ["w1", "b1", "w2", "b2"];
        var start = names.Select(n => Golden.Tensor($"meta.{n}").RequireGrad()).ToArray();
        var rng = new Generator(1);
        using var net = new Nn.Sequential(new Nn.Linear(3, 4, rng, dtype: DType.F64), new Nn.Tanh(), new Nn.Linear(4, 2, rng, dtype: DType.F64));
        Tensor[] w = start, buffers = [.. start.Select(Tensor.ZerosLike)];
        var inner = new List<double>();
        for (int t = 0; t < 3; t++)
        {
            var loss = NnKit.CrossEntropy(net.Call(x, w), labels);
            inner.Add(loss.Item());
            var g = Autograd.Grad(loss, w, createGraph: true);
            buffers = [.. buffers.Select((b, i) => momentum * b + g[i])];
            w = [.. w.Select((p, i) => p - lr * buffers[i])];
        }
        var outer = NnKit.CrossEntropy(net.Call(outerX, w), outerLabels);
        NnKit.Near(Golden.Array("meta.inner"), [.. inner], Tolerance, "inner");
        NnKit.Near(Golden.Array("meta.outer"), outer, Tolerance, "outer");
        for (int i = 0; i < 4; i++)
            NnKit.Near(Golden.Array($"meta.final_{names[i]}"), w[i], Tolerance, $"final {names[i]}");
        var grads = Autograd.Grad(outer, [x, lr, momentum, .. start]);
        string[] wanted = ["x", "lr", "momentum", .. names];
        for (int i = 0; i < wanted.Length; i++)
            NnKit.Near(Golden.Array($"meta.g{wanted[i]}"), grads[i], Tolerance, $"g{wanted[i]}");
    }
}
